// Package gcp reads and writes custom roles of Google Cloud, as `gcloud iam
// roles describe` prints them and `gcloud iam roles create --file` takes them,
// and divides what is larger than IAM's limits.
//
// It does no I/O and holds no table of what permissions exist. Limits are those
// of https://cloud.google.com/iam/quotas and
// https://cloud.google.com/iam/docs/creating-custom-roles.
package gcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/whittle-iam/whittle/harness/policy/jsontree"
)

// The limits of a custom role.
const (
	// PermissionLimit is how many permissions it may hold.
	PermissionLimit = 3000
	// SizeLimit is how many bytes its title, its description and the names of
	// its permissions may take together.
	SizeLimit = 64 << 10
	// TitleLimit and DescriptionLimit are in bytes.
	TitleLimit       = 100
	DescriptionLimit = 256
)

// Role is a custom role.
type Role struct {
	// Name is "projects/PROJECT/roles/ID" or the like, empty for a role that is
	// yet to be made: its id is an argument of the command.
	Name        string
	Title       string
	Description string
	Stage       string // "GA"; empty means ALPHA to IAM
	Permissions []string
	// Lines are the lines on which the permissions stand, where it was read.
	Lines []int
}

// Error is something wrong in a role's text.
type Error struct {
	Line int // from 1
	Msg  string
}

func (e *Error) Error() string { return e.Msg }

// Parse reads a role in YAML or JSON. It takes no permission for granted: a list
// that is no list, an entry that is no permission, or none at all, is an [*Error].
// Other keys than those of a [Role] are left out, since gcloud prints more.
func Parse(data []byte) (Role, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJSON(data)
	}
	return parseYAML(data)
}

// entry is a key of a role, with its value: a text, or a list of them.
type entry struct {
	key   string
	line  int
	text  string
	list  bool
	items []item
}

type item struct {
	text string
	line int
	ok   bool // it is a text
}

const keys = "title, description, stage and includedPermissions"

func roleOf(entries []entry) (Role, error) {
	var r Role
	seen := map[string]bool{}
	for _, e := range entries {
		if seen[e.key] {
			return Role{}, &Error{e.line, fmt.Sprintf("%s: is there twice", e.key)}
		}
		seen[e.key] = true
		switch e.key {
		case "name":
			r.Name = e.text
		case "title":
			r.Title = e.text
		case "description":
			r.Description = e.text
		case "stage":
			r.Stage = e.text
		case "includedPermissions":
			if !e.list {
				return Role{}, &Error{e.line, "includedPermissions: is no list; a permission a line is expected, each after a hyphen"}
			}
			for _, i := range e.items {
				if !i.ok || !permission.MatchString(i.text) {
					return Role{}, &Error{i.line, fmt.Sprintf("includedPermissions: %.60q is no permission; one such as compute.networks.create is expected", i.text)}
				}
				r.Permissions, r.Lines = append(r.Permissions, i.text), append(r.Lines, i.line)
			}
		}
	}
	if len(r.Permissions) == 0 {
		line := 1
		for _, e := range entries {
			if e.key == "includedPermissions" {
				line = e.line
			}
		}
		return Role{}, &Error{line, "no permission in it; a role of Google Cloud has " + keys}
	}
	return r, nil
}

// permission: service.resource.verb. A service can be a host with a resource
// type after it (iam.googleapis.com/workforcePools.create). Custom roles have no
// wildcards; lists by hand do.
var permission = regexp.MustCompile(`^[a-z][A-Za-z0-9.-]*(/[A-Za-z0-9.]+)?\.[A-Za-z0-9.*]+$`)

// IsPermission tells whether s has the form of a permission.
func IsPermission(s string) bool { return permission.MatchString(s) }

func parseJSON(data []byte) (Role, error) {
	fail := func(err error) error {
		at := new(jsontree.Error)
		errors.As(err, &at)
		return &Error{jsontree.Line(data, at.At), err.Error()}
	}
	root, err := jsontree.Parse(data)
	if err != nil {
		return Role{}, fail(err)
	}
	var entries []entry
	for _, m := range root.Members {
		e := entry{key: m.Key, line: jsontree.Line(data, m.At), text: m.Value.Text, list: m.Value.Kind == jsontree.List}
		for _, i := range m.Value.Items {
			text := i.Text
			if i.Kind != jsontree.String {
				text = i.Raw
			}
			e.items = append(e.items, item{text, jsontree.Line(data, i.At), i.Kind == jsontree.String})
		}
		entries = append(entries, e)
	}
	return roleOf(entries)
}

// The parser of YAML takes its time, and the stack, for what is nested deep; a role
// is a list. Its size is bounded by IAM's limit, with room for what is around it.
const (
	maxSize     = 256 << 10
	maxBrackets = 64
	maxLine     = 1000
)

func checkNesting(data []byte) error {
	if len(data) > maxSize {
		return &Error{1, fmt.Sprintf("takes %d bytes; a role of Google Cloud takes no more than %d", len(data), maxSize)}
	}
	brackets, n := 0, 0
	for line := range bytes.Lines(data) {
		n++
		brackets += bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{"))
		if brackets > maxBrackets || len(line) > maxLine {
			return &Error{n, "no list of permissions, a line each after a hyphen, as gcloud writes it; that is expected"}
		}
	}
	return nil
}

func parseYAML(data []byte) (Role, error) {
	if err := checkNesting(data); err != nil {
		return Role{}, err
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		var e yaml.Error
		if !errors.As(err, &e) || e.GetToken() == nil {
			return Role{}, &Error{1, "not YAML: " + err.Error()}
		}
		return Role{}, &Error{e.GetToken().Position.Line, "not YAML: " + e.GetMessage()}
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return Role{}, &Error{1, fmt.Sprintf("%d YAML documents; one role is expected, with %s", len(f.Docs), keys)}
	}
	var values []*ast.MappingValueNode
	switch body := f.Docs[0].Body.(type) {
	case *ast.MappingNode:
		values = body.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{body}
	default:
		return Role{}, &Error{body.GetToken().Position.Line, "no keys; a role of Google Cloud has " + keys}
	}
	var entries []entry
	for _, v := range values {
		e := entry{key: text(v.Key), line: v.Key.GetToken().Position.Line}
		if list, ok := v.Value.(*ast.SequenceNode); ok {
			e.list = true
			for _, i := range list.Values {
				_, scalar := i.(ast.ScalarNode)
				e.items = append(e.items, item{text(i), i.GetToken().Position.Line, scalar})
			}
		} else {
			e.text = text(v.Value)
		}
		entries = append(entries, e)
	}
	return roleOf(entries)
}

// text is a scalar's text, or what stands there in its place.
func text(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.String()
}

// Print writes the role as `gcloud iam roles create --file` takes it, the same
// bytes each time.
func (r Role) Print() []byte {
	var b bytes.Buffer
	for _, f := range []struct{ key, value string }{
		{"title", r.Title}, {"description", r.Description}, {"stage", r.Stage}, {"name", r.Name},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", f.key, quote(f.value))
		}
	}
	b.WriteString("includedPermissions:\n")
	for _, p := range r.Permissions {
		fmt.Fprintf(&b, "- %s\n", p)
	}
	return b.Bytes()
}

var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/-]*( [A-Za-z0-9][A-Za-z0-9_/-]*)*$`)

// quote is s as a YAML text. What YAML could take for something else is quoted
// as in JSON, which YAML reads in the same way.
func quote(s string) string {
	if plain.MatchString(s) && !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a text always has a JSON form, and a Builder takes it
	return strings.TrimSuffix(b.String(), "\n")
}

// Size is how many bytes of SizeLimit the role takes.
func (r Role) Size() int {
	n := len(r.Title) + len(r.Description)
	for _, p := range r.Permissions {
		n += len(p)
	}
	return n
}

// Split divides a role into roles within both limits that together hold its
// permissions, in its order; of several, each title says which part it is. A
// title or description that is too long for IAM is an error.
func Split(r Role) ([]Role, error) {
	if len(r.Title) > TitleLimit || len(r.Description) > DescriptionLimit {
		return nil, fmt.Errorf("title %q takes %d bytes and its description %d; IAM takes %d and %d", r.Title, len(r.Title), len(r.Description), TitleLimit, DescriptionLimit)
	}
	// A part's title may grow by what says which it is.
	const reserve = len(" (100 of 100)")
	if r.Size() <= SizeLimit && len(r.Permissions) <= PermissionLimit {
		return []Role{r}, nil
	}
	if len(r.Title)+reserve > TitleLimit {
		return nil, fmt.Errorf("title %q takes %d bytes, and a role in parts has %d for it", r.Title, len(r.Title), TitleLimit-reserve)
	}
	var parts []Role
	room := 0
	for _, p := range r.Permissions {
		if n := len(parts); n == 0 || len(p) > room || len(parts[n-1].Permissions) == PermissionLimit {
			parts = append(parts, Role{Title: r.Title, Description: r.Description, Stage: r.Stage})
			room = SizeLimit - len(r.Title) - len(r.Description) - reserve
		}
		last := &parts[len(parts)-1]
		last.Permissions = append(last.Permissions, p)
		room -= len(p)
	}
	for i := range parts {
		parts[i].Title = fmt.Sprintf("%s (%d of %d)", r.Title, i+1, len(parts))
	}
	return parts, nil
}
