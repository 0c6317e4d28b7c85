package rolefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
	"github.com/whittle-iam/whittle/harness/policy/jsontree"
	"github.com/whittle-iam/whittle/harness/rolefile/hcl"
)

// kinds is what can be read, for errors.
const kinds = "an AWS policy (Statement), a role of Google Cloud (includedPermissions), a role definition of Azure (Actions or permissions)"

// Read reads a role file, whose kind it tells by what is in it; file is its name,
// for errors and for Terraform's (.tf). What is wrong with it is an [*Error].
func Read(file string, data []byte) (Role, error) {
	// Editors on Windows put a byte order mark before it.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r, err := read(file, data)
	if err != nil {
		return Role{}, locate(file, data, err)
	}
	for i := range r.Rules {
		slices.Sort(r.Rules[i].Conditions)
	}
	return r, nil
}

func read(file string, data []byte) (Role, error) {
	start := bytes.TrimSpace(data)
	switch {
	case !utf8.Valid(data):
		return Role{}, errors.New("not UTF-8 text; " + kinds + ", a table or a list is expected")
	case len(start) == 0:
		return Role{}, errors.New("is empty; " + kinds + ", a table or a list is expected")
	case filepath.Ext(file) == ".tf":
		return readHCL(file, data)
	case start[0] == '{' || start[0] == '[':
		return readJSON(data)
	case includedPermissions.Match(data):
		return readGCP(data)
	}
	return readList(data)
}

var includedPermissions = regexp.MustCompile(`(?m)^includedPermissions[ \t]*:`)

// locate says in which file and line an error is, and what to do about it.
func locate(file string, data []byte, err error) error {
	e := &Error{File: file, Msg: err.Error()}
	var (
		own  *Error
		tree *jsontree.Error
		role *gcp.Error
		text *hcl.Error
	)
	switch {
	case errors.As(err, &own):
		own.File = file
		e = own
	case errors.As(err, &tree):
		e.Line = jsontree.Line(data, tree.At)
	case errors.As(err, &role):
		e.Line = role.Line
	case errors.As(err, &text):
		e.Line, e.Msg = text.Line, text.Msg
	}
	e.Msg = strings.Map(func(r rune) rune { // a terminal may obey what a file says
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, e.Msg)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Hint = "the file seems to be cut off: fetch or copy it again"
	case strings.Contains(e.Msg, "not JSON"):
		e.Hint = fmt.Sprintf("correct line %d; `jq . %s` shows whether it is JSON", e.Line, file)
	}
	return e
}

// readJSON tells the kind of a JSON file by its keys.
func readJSON(data []byte) (Role, error) {
	root, err := jsontree.Parse(data)
	if err != nil {
		return Role{}, err
	}
	top := root
	if root.Kind == jsontree.List && len(root.Items) > 0 { // as az prints it
		top = root.Items[0]
	}
	for _, m := range top.Members {
		switch strings.ToLower(m.Key) {
		case "statement":
			return readAWS(data, root)
		case "policyversion", "policydocument", "document": // as the aws CLI prints it
			return readAWS(data, root)
		case "includedpermissions":
			return readGCP(data)
		case "actions", "dataactions", "permissions", "properties", "rolename":
			return readAzure(data)
		}
	}
	return Role{}, &Error{Line: jsontree.Line(data, root.At), Msg: "no role that is known; " + kinds + " is expected"}
}

// readAWS reads a policy document, alone or as `aws iam get-policy-version`,
// `get-role-policy` and the like print it.
func readAWS(data []byte, root jsontree.Node) (Role, error) {
	n := root
	for inner := true; inner; {
		inner = false
		for _, m := range n.Members {
			if m.Key == "PolicyVersion" || m.Key == "PolicyDocument" || m.Key == "Document" {
				n, inner = m.Value, true
				break
			}
		}
	}
	if n.Kind != jsontree.Object {
		return Role{}, &Error{Line: jsontree.Line(data, n.At), Msg: fmt.Sprintf("%.40s is no policy document; an object with Statement is expected", n.Raw)}
	}
	d, err := policy.Parse([]byte(n.Raw))
	if err != nil {
		if e := (*jsontree.Error)(nil); errors.As(err, &e) && n.At > 0 {
			return Role{}, &Error{Line: jsontree.Line(data, n.At+e.At), Msg: err.Error()}
		}
		return Role{}, err
	}
	return ofDocument(d)
}

func ofDocument(d policy.Document) (Role, error) {
	r := Role{Cloud: "aws", Kind: "AWS policy"}
	for i, s := range d.Statements {
		if s.Principal != nil || s.NotPrincipal != nil {
			return Role{}, fmt.Errorf("policy document: %s: has a Principal: a policy of a resource or a role's trust policy says who may, not what a role holds; a policy without it is expected", s.Place(i))
		}
		if s.Resource == nil && s.NotResource == nil {
			return Role{}, fmt.Errorf("policy document: %s: has neither Resource nor NotResource", s.Place(i))
		}
		r.Rules = append(r.Rules, ruleOfStatement(s, i, d.Version))
	}
	return r, nil
}

func readGCP(data []byte) (Role, error) {
	role, err := gcp.Parse(data)
	if err != nil {
		return Role{}, err
	}
	return ofGCP(role), nil
}

func ofGCP(role gcp.Role) Role {
	r := Role{Cloud: "gcp", Kind: "role of Google Cloud"}
	for i, p := range role.Permissions {
		place := "includedPermissions"
		if role.Lines != nil {
			place = fmt.Sprintf("line %d", role.Lines[i])
		}
		r.Rules = append(r.Rules, Rule{Place: place, Permissions: []string{p}})
	}
	return r
}

func readAzure(data []byte) (Role, error) {
	role, err := azure.Parse(data)
	if err != nil {
		return Role{}, err
	}
	return ofAzure(role), nil
}

func ofAzure(role azure.Role) Role {
	r := Role{Cloud: "azure", Kind: "role definition of Azure"}
	for _, p := range role.Permissions {
		for _, half := range []struct {
			place       string
			plane       Plane
			allow, less []string
		}{{"Actions", Control, p.Actions, p.NotActions}, {"DataActions", Data, p.DataActions, p.NotDataActions}} {
			if len(half.allow) > 0 {
				r.Rules = append(r.Rules, Rule{Place: half.place, Plane: half.plane, Permissions: half.allow, Except: half.less})
			}
		}
	}
	return r
}

// readHCL reads the policy documents and roles in a Terraform file.
func readHCL(file string, data []byte) (Role, error) {
	f, err := hcl.Read(file, data)
	if err != nil {
		return Role{}, err
	}
	var all Role
	add := func(r Role) error {
		if all.Cloud != "" && all.Cloud != r.Cloud {
			return fmt.Errorf("holds roles of %s and of %s; a file with those of one cloud is expected", all.Cloud, r.Cloud)
		}
		all.Cloud, all.Kind, all.Rules = r.Cloud, r.Kind, append(all.Rules, r.Rules...)
		return nil
	}
	for _, d := range f.AWS {
		r, rerr := ofDocument(d.Document)
		for i := range r.Rules {
			r.Rules[i].Place = d.Name + ": " + r.Rules[i].Place
		}
		err = errors.Join(err, rerr, add(r))
	}
	for _, g := range f.GCP {
		err = errors.Join(err, add(ofGCP(g.Role)))
	}
	for _, a := range f.Azure {
		err = errors.Join(err, add(ofAzure(a.Role)))
	}
	if err == nil && all.Cloud == "" {
		err = errors.New("no aws_iam_policy_document, google_project_iam_custom_role or azurerm_role_definition in it; one of them is expected")
	}
	return all, err
}
