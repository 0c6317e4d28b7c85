package policy

import (
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// FromSet writes a set as a document that allows exactly what the set says:
// permissions that are granted on the same resources share a statement, and
// nothing else is merged. No wildcard is added. A resource is taken in IAM's
// own notation, the escapes ${*}, ${?} and ${$} included; any other "${" in it
// is written so that IAM does not read it as a variable. Equal sets give equal
// documents, the order in which grants were found does not show.
func FromSet(s grant.Set) Document {
	type right struct{ permission, condition string }
	resources := map[right][]string{} // in order
	var order []right
	for g := range s.All() {
		r := right{g.Permission, g.Condition}
		if resources[r] == nil {
			order = append(order, r)
		}
		resources[r] = append(resources[r], literal(g.Resource))
	}
	d := Document{Version: Version2012}
	at := map[string]int{} // resources and condition → index of their statement
	for _, r := range order {
		key := fmt.Sprintf("%q %s", resources[r], r.condition)
		i, ok := at[key]
		if !ok {
			i = len(d.Statements)
			at[key] = i
			d.Statements = append(d.Statements, Statement{Effect: EffectAllow, Resource: resources[r], Condition: condition(r.condition)})
		}
		d.Statements[i].Action = append(d.Statements[i].Action, r.permission)
	}
	return d
}

// condition is a grant's condition as a statement has it. One that cannot be read
// is written so that it never holds: a statement without it would allow more.
func condition(s string) map[string]map[string][]string {
	c, err := grant.ParseCondition(s)
	if err != nil {
		return map[string]map[string][]string{"StringEquals": {"whittle:Unreadable": {s}}}
	}
	if c == nil {
		return nil
	}
	return c.Map(literal)
}

// Set is the way back: the grants of a document that says no more than grants
// can (Allow, Action, Resource, Condition). Anything else in it is an error, since a set
// without it would be another set of rights. Set(FromSet(s)) is s, but for
// resources with a "${" that is none of the escapes: they come back escaped.
func (d Document) Set() (grant.Set, error) {
	var grants []grant.Grant
	for i, s := range d.Statements {
		if s.Effect != EffectAllow || s.Action == nil || s.Resource == nil ||
			s.Principal != nil || s.NotPrincipal != nil || s.NotAction != nil || s.NotResource != nil {
			return grant.Set{}, fmt.Errorf("policy document: %s: cannot be said as grants, which are Allow, Action, Resource and Condition alone", s.Place(i))
		}
		when, err := conditionOf(s, d.Version)
		if err != nil {
			return grant.Set{}, fmt.Errorf("policy document: %s: %w", s.Place(i), err)
		}
		for _, r := range s.Resource {
			plain, ok := unliteral(r, d.Version)
			if !ok {
				return grant.Set{}, fmt.Errorf("policy document: %s: resource %q holds a policy variable, which a grant cannot", s.Place(i), r)
			}
			for _, a := range s.Action {
				grants = append(grants, grant.Grant{Permission: a, Resource: plain, Condition: when})
			}
		}
	}
	return grant.Of(grants...), nil
}

// conditionOf is a statement's condition as a grant has it.
func conditionOf(s Statement, version string) (string, error) {
	var err error
	c := grant.Condition(s.Condition).Map(func(v string) string {
		plain, ok := unliteral(v, version)
		if !ok {
			err = fmt.Errorf("its condition holds the policy variable %q, which a grant cannot", v)
		}
		return plain
	})
	return c.String(), err
}

// escapes are how "*", "?" and "$" stand for themselves in a resource
// (policies_variables, "Special characters").
var escapes = [...]string{"${*}", "${?}", "${$}"}

// escape gives the escape that r begins with, "" if there is none.
func escape(r string) string {
	for _, e := range escapes {
		if strings.HasPrefix(r, e) {
			return e
		}
	}
	return ""
}

// literal writes a grant's resource for a document of Version2012. A grant is
// in IAM's own notation, where "*" and "?" are wildcards and the escapes are
// not: they stay. Any other "${" would start a variable there; "${$}" makes its
// dollar sign a plain one.
func literal(r string) string {
	var b strings.Builder
	for {
		before, _, found := strings.Cut(r, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		r = r[len(before):]
		keep := escape(r)
		if keep == "" {
			b.WriteString("${$}{")
			r = r[len("${"):]
			continue
		}
		b.WriteString(keep)
		r = r[len(keep):]
	}
}

// unliteral gives the grant's notation of a document's resource; it fails on a
// variable. Documents before Version2012 have neither variables nor escapes.
func unliteral(r, version string) (string, bool) {
	if version != Version2012 {
		return strings.ReplaceAll(r, "${", "${$}{"), true
	}
	return r, literal(r) == r
}
