// Package hcl writes roles as Terraform's configuration and reads them back:
// aws_iam_policy_document, google_project_iam_custom_role and
// azurerm_role_definition.
//
// A {key} in a resource or scope is a Terraform variable of that name. It does
// no I/O.
package hcl

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
)

// File is what a Terraform file holds of roles.
type File struct {
	AWS   []Document
	GCP   []Role
	Azure []Definition
}

// Document is an aws_iam_policy_document, and the aws_iam_policy made of it.
type Document struct {
	Name     string // "applier-1"
	Comment  string // above it; not read back
	Document policy.Document
	// Inline leaves the aws_iam_policy out.
	Inline bool
}

// Role is a google_project_iam_custom_role.
type Role struct {
	Name    string // its role_id
	Comment string
	Role    gcp.Role
	// Member is the variable of whom it is bound to; empty leaves the binding out. On is
	// the service account that it is bound on, by its full name, and Condition the
	// expression under which it is bound on the project. They are not read back.
	Member, On, Condition string
}

// Definition is an azurerm_role_definition.
type Definition struct {
	Name    string
	Comment string
	Role    azure.Role
	// Principal is the variable of whom it is assigned to, on the scope On; empty leaves
	// the assignment out. They are not read back.
	Principal, On string
}

// Write is the file: variables first, then the roles in their order. A text that
// Terraform's provider would read as something else is an error.
func Write(f File) ([]byte, error) {
	w := &writer{file: hclwrite.NewEmptyFile(), keys: map[string]bool{}, members: map[string]string{}}
	for _, d := range f.AWS {
		w.document(d)
	}
	for _, r := range f.GCP {
		w.role(r)
	}
	for _, d := range f.Azure {
		w.definition(d)
	}
	if w.err != nil {
		return nil, w.err
	}
	head := hclwrite.NewEmptyFile()
	for _, key := range slices.Sorted(maps.Keys(w.keys)) {
		b := head.Body().AppendNewBlock("variable", []string{Variable(key)}).Body()
		b.SetAttributeRaw("description", w.text("What {"+key+"} stands for in the record.", false))
		b.SetAttributeRaw("type", ident("string"))
		b.AppendNewline()
		v := b.AppendNewBlock("validation", nil).Body()
		v.SetAttributeRaw("condition", ident(`can(regex("^[A-Za-z0-9][A-Za-z0-9_./@+=,-]*$", var.`+Variable(key)+`))`))
		v.SetAttributeRaw("error_message", w.text("A wildcard or a variable in it would widen the roles.", false))
		head.Body().AppendNewline()
	}
	for _, name := range slices.Sorted(maps.Keys(w.members)) {
		if w.keys[name] {
			return nil, fmt.Errorf("{%s} of the record is called as the variable of a role's member is: rename it, or use --prefix", name)
		}
		b := head.Body().AppendNewBlock("variable", []string{name}).Body()
		b.SetAttributeRaw("description", w.text(w.members[name], false))
		b.SetAttributeRaw("type", ident("string"))
		head.Body().AppendNewline()
	}
	return hclwrite.Format(append(head.Bytes(), w.file.Bytes()...)), nil
}

// reserved are names that a Terraform variable cannot have
// (https://developer.hashicorp.com/terraform/language/values/variables).
var reserved = []string{"source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"}

// Variable is the name of the Terraform variable for a key of the record. What
// Terraform keeps for itself gets an underscore after it.
func Variable(key string) string {
	if slices.Contains(reserved, strings.TrimRight(key, "_")) {
		return key + "_"
	}
	return key
}

// key is the way back.
func key(variable string) string {
	if slices.Contains(reserved, strings.TrimRight(variable, "_")) {
		return strings.TrimSuffix(variable, "_")
	}
	return variable
}

type writer struct {
	file    *hclwrite.File
	keys    map[string]bool
	members map[string]string // what each variable of who holds the roles is
	err     error
}

// block begins a block that follows what is there after an empty line.
func (w *writer) block(comment, kind string, labels ...string) *hclwrite.Body {
	body := w.file.Body()
	if len(body.Blocks()) > 0 {
		body.AppendNewline()
	}
	if comment != "" {
		for line := range strings.SplitSeq(comment, "\n") {
			body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + line + "\n")}})
		}
	}
	return body.AppendNewBlock(kind, labels).Body()
}

func (w *writer) document(d Document) {
	label := Label(d.Name)
	b := w.block(d.Comment, "data", "aws_iam_policy_document", label)
	if d.Document.Version != policy.Version2012 {
		b.SetAttributeRaw("version", w.text(d.Document.Version, false))
	}
	for i, s := range d.Document.Statements {
		if i > 0 {
			b.AppendNewline()
		}
		st := b.AppendNewBlock("statement", nil).Body()
		if s.Sid != "" {
			st.SetAttributeRaw("sid", w.text(s.Sid, false))
		}
		st.SetAttributeRaw("effect", w.text(s.Effect, false))
		w.list(st, "actions", s.Action)
		w.list(st, "not_actions", s.NotAction)
		w.list(st, "resources", s.Resource)
		w.list(st, "not_resources", s.NotResource)
		for _, test := range slices.Sorted(maps.Keys(s.Condition)) {
			for _, variable := range slices.Sorted(maps.Keys(s.Condition[test])) {
				c := st.AppendNewBlock("condition", nil).Body()
				c.SetAttributeRaw("test", w.text(test, false))
				c.SetAttributeRaw("variable", w.text(variable, true))
				w.list(c, "values", s.Condition[test][variable])
			}
		}
		if len(s.Principal)+len(s.NotPrincipal) > 0 {
			w.err = fmt.Errorf("%s: %s: principals are not what grants say", d.Name, s.Place(i))
		}
	}
	if d.Inline {
		return
	}
	b = w.block("", "resource", "aws_iam_policy", label)
	b.SetAttributeRaw("name", w.text(d.Name, false))
	b.SetAttributeRaw("policy", ident("data.aws_iam_policy_document."+label+".json"))
}

func (w *writer) role(r Role) {
	b := w.block(r.Comment, "resource", "google_project_iam_custom_role", Label(r.Name))
	b.SetAttributeRaw("role_id", w.text(r.Name, false))
	b.SetAttributeRaw("title", w.text(r.Role.Title, false))
	if r.Role.Description != "" {
		b.SetAttributeRaw("description", w.text(r.Role.Description, false))
	}
	if r.Role.Stage != "" {
		b.SetAttributeRaw("stage", w.text(r.Role.Stage, false))
	}
	w.list(b, "permissions", r.Role.Permissions)
	if r.Member == "" {
		return
	}
	w.members[r.Member] = "Whom the roles are bound to: serviceAccount:NAME@PROJECT.iam.gserviceaccount.com."
	role := "google_project_iam_custom_role." + Label(r.Name)
	account, onAccount := strings.CutPrefix(r.On, "//iam.googleapis.com/")
	switch {
	case onAccount:
		b = w.block("", "resource", "google_service_account_iam_member", Label(r.Name))
		b.SetAttributeRaw("service_account_id", w.text(account, true))
	case r.On != "":
		return // on what, no resource of Terraform's is known for
	default:
		b = w.block("", "resource", "google_project_iam_member", Label(r.Name))
		b.SetAttributeRaw("project", ident(role+".project"))
	}
	b.SetAttributeRaw("role", ident(role+".id"))
	b.SetAttributeRaw("member", ident("var."+r.Member))
	if r.Condition != "" {
		c := b.AppendNewBlock("condition", nil).Body()
		c.SetAttributeRaw("title", w.text(r.Name, false))
		c.SetAttributeRaw("expression", w.text(r.Condition, true))
	}
}

func (w *writer) definition(d Definition) {
	b := w.block(d.Comment, "resource", "azurerm_role_definition", Label(d.Name))
	b.SetAttributeRaw("name", w.text(d.Role.Name, false))
	if len(d.Role.AssignableScopes) > 0 {
		b.SetAttributeRaw("scope", w.text(d.Role.AssignableScopes[0], true))
	}
	if d.Role.Description != "" {
		b.SetAttributeRaw("description", w.text(d.Role.Description, false))
	}
	for _, p := range d.Role.Permissions {
		pb := b.AppendNewBlock("permissions", nil).Body()
		w.list(pb, "actions", p.Actions)
		w.list(pb, "not_actions", p.NotActions)
		w.list(pb, "data_actions", p.DataActions)
		w.list(pb, "not_data_actions", p.NotDataActions)
	}
	w.list(b, "assignable_scopes", d.Role.AssignableScopes)
	if d.Principal == "" {
		return
	}
	w.members[d.Principal] = "The object id of the principal that the roles are assigned to."
	b = w.block("", "resource", "azurerm_role_assignment", Label(d.Name))
	b.SetAttributeRaw("scope", w.text(d.On, true))
	b.SetAttributeRaw("role_definition_id", ident("azurerm_role_definition."+Label(d.Name)+".role_definition_resource_id"))
	b.SetAttributeRaw("principal_id", ident("var."+d.Principal))
}

// list sets an attribute to a list, a text a line; nil is left out.
func (w *writer) list(b *hclwrite.Body, name string, values []string) {
	if values == nil {
		return
	}
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte("[\n")}}
	for _, v := range values {
		tokens = append(tokens, w.text(v, true)...)
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte(",\n")})
	}
	b.SetAttributeRaw(name, append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte("]")}))
}

// text writes a text, in which {key} is a variable if it is open.
func (w *writer) text(s string, open bool) hclwrite.Tokens {
	if open && strings.Contains(s, "&{") {
		w.err = fmt.Errorf("%q cannot be said in Terraform: aws_iam_policy_document reads \"&{\" as the beginning of a policy variable; write this role with --format native", s)
	}
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOQuote, Bytes: []byte(`"`)}}
	plain := func(s string) {
		if s != "" {
			quoted := hclwrite.TokensForValue(cty.StringVal(s))
			tokens = append(tokens, quoted[1:len(quoted)-1]...)
		}
	}
	for open {
		before, name, after, found := CutKey(s)
		if !found {
			break
		}
		plain(before)
		w.keys[name] = true
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenTemplateInterp, Bytes: []byte("${")})
		tokens = append(tokens, ident("var."+Variable(name))...)
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenTemplateSeqEnd, Bytes: []byte("}")})
		s = after
	}
	plain(s)
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCQuote, Bytes: []byte(`"`)})
}

func ident(name string) hclwrite.Tokens {
	return hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(name)}}
}

// Label is name as the label of a block: a letter or underscore, then letters,
// digits, underscores and hyphens.
func Label(name string) string {
	name = notLabel.ReplaceAllString(name, "_")
	if name == "" || '0' <= name[0] && name[0] <= '9' || name[0] == '-' {
		name = "_" + name
	}
	return name
}

var notLabel = regexp.MustCompile(`[^A-Za-z0-9_-]`)

var placeholder = regexp.MustCompile(`^\{([a-z][a-z0-9_]{0,39})\}`)

// CutKey cuts s around its first {key}. Braces after a dollar sign are none, and
// nor are those that follow an escaped one, "${$}".
func CutKey(s string) (before, key, after string, found bool) {
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "${$}"):
			i += len("${$}") // and the brace after it
		case strings.HasPrefix(s[i:], "${"):
			i++
		case s[i] == '{':
			if m := placeholder.FindStringSubmatch(s[i:]); m != nil {
				return s[:i], m[1], s[i+len(m[0]):], true
			}
		}
	}
	return s, "", "", false
}
