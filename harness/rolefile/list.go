package rolefile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
)

// readList reads a list of permissions, each alone on its line or with a
// resource after it, or a table: columns parted by tabs or by the bars of
// Markdown, under a heading that names one "permission" or "action". What
// follows " #" is a comment.
func readList(data []byte) (Role, error) {
	r := Role{Kind: "list"}
	column := -1 // of the permission, in a table
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimRight(string(line), " \r\n")
		if strings.TrimSpace(text) == "" || strings.HasPrefix(strings.TrimSpace(text), "#") || rule.MatchString(text) {
			continue
		}
		var fields []string
		cells := split(text)
		switch {
		case r.Rules == nil && column < 0 && len(cells) > 1 && heading(cells) >= 0:
			column, r.Kind = heading(cells), "table"
			continue
		case column >= 0:
			if column >= len(cells) || cells[column] == "" {
				return Role{}, &Error{Line: n, Msg: fmt.Sprintf("%.60q has no column %d; the heading says that the permission is there", text, column+1)}
			}
			fields = []string{cells[column]}
		default:
			before, _, _ := strings.Cut(" "+text, " #")
			fields = strings.Fields(before)
			if len(fields) > 1 && (fields[0] == "-" || fields[0] == "*") { // a list of Markdown or YAML
				fields = fields[1:]
			}
		}
		cloud := ""
		if len(fields) > 0 {
			cloud = cloudOf(fields[0])
		}
		switch {
		case cloud == "" || len(fields) > 2:
			return Role{}, &Error{Line: n, Msg: fmt.Sprintf("%.60q: a permission is expected, and its resource if it has one; or a table with a heading that names a column permission", text),
				Hint: "a policy or role in JSON begins with {, a role of Google Cloud in YAML has the key includedPermissions"}
		case r.Cloud != "" && cloud != r.Cloud:
			return Role{}, &Error{Line: n, Msg: fmt.Sprintf("%s is a permission of %s, and those before it are of %s", fields[0], cloud, r.Cloud)}
		}
		r.Cloud = cloud
		one := Rule{Place: fmt.Sprintf("line %d", n), Permissions: fields[:1]}
		if len(fields) == 2 {
			one.Resources = fields[1:]
			one.Variables = true // in a grant's notation
		}
		r.Rules = append(r.Rules, one)
	}
	if len(r.Rules) == 0 {
		return Role{}, &Error{Msg: "no permission in it"}
	}
	return r, nil
}

// rule is the line below a heading in Markdown.
var rule = regexp.MustCompile(`^\s*\|?(\s*:?-{2,}:?\s*\|?)+\s*$`)

// split gives the cells of a table's row.
func split(line string) []string {
	sep := "\t"
	if strings.HasPrefix(strings.TrimSpace(line), "|") {
		line, sep = strings.Trim(strings.TrimSpace(line), "|"), "|"
	}
	cells := strings.Split(line, sep)
	for i, c := range cells {
		cells[i] = strings.Trim(strings.TrimSpace(c), "`")
	}
	return cells
}

// heading is the column in which permissions stand, -1 if the cells are no
// heading.
func heading(cells []string) int {
	for i, c := range cells {
		switch strings.ToLower(c) {
		case "permission", "permissions", "action", "actions":
			return i
		}
	}
	return -1
}

var awsAction = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9*?]+$`)

// cloudOf tells by its form of which cloud a permission is, "" if it is none.
func cloudOf(permission string) string {
	switch {
	case awsAction.MatchString(permission):
		return "aws"
	case gcp.IsPermission(permission):
		return "gcp"
	case permission != "*" && azure.IsAction(permission):
		return "azure"
	}
	return ""
}
