package hcl

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
)

// Error is something wrong in a file, or something in it that only Terraform
// itself can work out.
type Error struct {
	Line int
	Msg  string
}

func (e *Error) Error() string { return e.Msg }

// Read reads the roles in a Terraform file; name is its name. Variables are read
// as {key}. What else would have to be computed (a function, a data source) is an
// [*Error], as a role that is known in part must not be compared.
func Read(name string, data []byte) (File, error) {
	if err := checkNesting(name, data); err != nil {
		return File{}, err
	}
	parsed, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	if diags.HasErrors() {
		return File{}, diagnosed(diags)
	}
	body := parsed.Body.(*hclsyntax.Body) // hclsyntax makes no other
	vars := map[string]cty.Value{}
	for _, b := range body.Blocks {
		if b.Type == "variable" && len(b.Labels) == 1 {
			vars[b.Labels[0]] = cty.StringVal("{" + key(b.Labels[0]) + "}")
		}
	}
	r := &reader{ctx: &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)}}}
	var f File
	for _, b := range body.Blocks {
		if len(b.Labels) != 2 {
			continue
		}
		switch b.Type + " " + b.Labels[0] {
		case "data aws_iam_policy_document":
			f.AWS = append(f.AWS, Document{Name: b.Labels[1], Document: r.document(b.Body)})
		case "resource google_project_iam_custom_role":
			role := gcp.Role{}
			id := r.attribute(b.Body, "role_id")
			role.Title, role.Description, role.Stage = r.attribute(b.Body, "title"), r.attribute(b.Body, "description"), r.attribute(b.Body, "stage")
			role.Permissions = r.list(b.Body, "permissions")
			f.GCP = append(f.GCP, Role{Name: id, Role: role})
		case "resource azurerm_role_definition":
			role := azure.Role{Name: r.attribute(b.Body, "name"), Description: r.attribute(b.Body, "description"), AssignableScopes: r.list(b.Body, "assignable_scopes")}
			for _, p := range b.Body.Blocks {
				if p.Type == "permissions" {
					role.Permissions = append(role.Permissions, azure.Permission{
						Actions: r.list(p.Body, "actions"), NotActions: r.list(p.Body, "not_actions"),
						DataActions: r.list(p.Body, "data_actions"), NotDataActions: r.list(p.Body, "not_data_actions"),
					})
				}
			}
			f.Azure = append(f.Azure, Definition{Name: b.Labels[1], Role: role})
		}
	}
	return f, r.err
}

// checkNesting refuses what would exhaust the stack of HCL's parser, which takes
// itself apart once more for each level, sign, question and directive.
func checkNesting(name string, data []byte) error {
	const most = 200
	tokens, _ := hclsyntax.LexConfig(data, name, hcl.InitialPos) // what is wrong the parser will say
	depth, signs := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenTemplateSeqEnd:
			depth--
		}
		switch t.Type {
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion, hclsyntax.TokenTemplateControl:
			signs++
		}
		if depth > most || signs > most {
			return &Error{t.Range.Start.Line, "is nested too deep; roles as whittle emit or people write them are expected"}
		}
	}
	return nil
}

func diagnosed(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			line := 0
			if d.Subject != nil {
				line = d.Subject.Start.Line
			}
			return &Error{line, d.Summary + ": " + d.Detail}
		}
	}
	return nil
}

type reader struct {
	ctx *hcl.EvalContext
	err error // the first
}

func (r *reader) fail(at hcl.Range, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{at.Start.Line, fmt.Sprintf(format, args...)}
	}
}

func (r *reader) document(b *hclsyntax.Body) policy.Document {
	d := policy.Document{Version: policy.Version2012}
	for name, a := range b.Attributes {
		switch name {
		case "version":
			d.Version = r.text(a.Expr)
		case "policy_id":
			d.ID = r.text(a.Expr)
		default:
			r.fail(a.NameRange, "%s: only Terraform can work out this document; `terraform show -json` has it", name)
		}
	}
	for _, s := range b.Blocks {
		if s.Type != "statement" {
			r.fail(s.TypeRange, "%s: is not read; statement is expected", s.Type)
			continue
		}
		d.Statements = append(d.Statements, r.statement(s.Body))
	}
	if r.err != nil {
		return d
	}
	// What one element cannot show, the reader of documents finds.
	text, _ := d.MarshalJSON()
	if _, err := policy.Parse(text); err != nil {
		r.fail(b.SrcRange, "%v", err)
	}
	return d
}

func (r *reader) statement(b *hclsyntax.Body) policy.Statement {
	s := policy.Statement{Effect: policy.EffectAllow}
	for name, a := range b.Attributes {
		switch name {
		case "sid":
			s.Sid = r.text(a.Expr)
		case "effect":
			s.Effect = r.text(a.Expr)
		case "actions":
			s.Action = r.variables(a.Expr)
		case "not_actions":
			s.NotAction = r.variables(a.Expr)
		case "resources":
			s.Resource = r.variables(a.Expr)
		case "not_resources":
			s.NotResource = r.variables(a.Expr)
		default:
			r.fail(a.NameRange, "%s: no attribute of a statement", name)
		}
	}
	for _, c := range b.Blocks {
		if c.Type != "condition" {
			r.fail(c.TypeRange, "%s: is not read; a policy that says what its holder may do is expected", c.Type)
			continue
		}
		test, variable := r.attribute(c.Body, "test"), r.attribute(c.Body, "variable")
		if s.Condition == nil {
			s.Condition = map[string]map[string][]string{}
		}
		if s.Condition[test] == nil {
			s.Condition[test] = map[string][]string{}
		}
		if a := c.Body.Attributes["values"]; a != nil {
			s.Condition[test][variable] = r.variables(a.Expr)
		}
	}
	return s
}

// variables are a list's texts, in which aws_iam_policy_document reads "&{" as
// "${".
func (r *reader) variables(e hclsyntax.Expression) []string {
	var list []string
	for _, s := range r.texts(e) {
		list = append(list, strings.ReplaceAll(s, "&{", "${"))
	}
	return list
}

func (r *reader) attribute(b *hclsyntax.Body, name string) string {
	if a := b.Attributes[name]; a != nil {
		return r.text(a.Expr)
	}
	return ""
}

func (r *reader) list(b *hclsyntax.Body, name string) []string {
	if a := b.Attributes[name]; a != nil {
		return r.texts(a.Expr)
	}
	return nil
}

func (r *reader) value(e hclsyntax.Expression) (cty.Value, bool) {
	v, diags := e.Value(r.ctx)
	if diags.HasErrors() {
		if r.err == nil {
			r.err = diagnosed(diags)
		}
		return cty.NilVal, false
	}
	return v, true
}

func (r *reader) text(e hclsyntax.Expression) string {
	v, ok := r.value(e)
	if ok && (v.IsNull() || !v.IsKnown() || v.Type() != cty.String) {
		r.fail(e.Range(), "a text is expected here")
		ok = false
	}
	if !ok {
		return ""
	}
	return v.AsString()
}

func (r *reader) texts(e hclsyntax.Expression) []string {
	v, ok := r.value(e)
	if !ok {
		return nil
	}
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
		r.fail(e.Range(), "a list of texts is expected here")
		return nil
	}
	var list []string
	for it := v.ElementIterator(); it.Next(); {
		_, item := it.Element()
		if item.IsNull() || !item.IsKnown() || item.Type() != cty.String {
			r.fail(e.Range(), "a list of texts is expected here")
			return nil
		}
		list = append(list, item.AsString())
	}
	return list
}
