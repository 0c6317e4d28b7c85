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
	resources := map[string][]string{} // permission → its resources, in order
	for g := range s.All() {
		resources[g.Permission] = append(resources[g.Permission], literal(g.Resource))
	}
	d := Document{Version: Version2012}
	at := map[string]int{} // resources → index of their statement
	for _, p := range s.Permissions() {
		key := fmt.Sprintf("%q", resources[p])
		i, ok := at[key]
		if !ok {
			i = len(d.Statements)
			at[key] = i
			d.Statements = append(d.Statements, Statement{Effect: EffectAllow, Resource: resources[p]})
		}
		d.Statements[i].Action = append(d.Statements[i].Action, p)
	}
	return d
}

// Set is the way back: the grants of a document that says no more than grants
// can (Allow, Action, Resource). Anything else in it is an error, since a set
// without it would be another set of rights. Set(FromSet(s)) is s, but for
// resources with a "${" that is none of the escapes: they come back escaped.
func (d Document) Set() (grant.Set, error) {
	var grants []grant.Grant
	for i, s := range d.Statements {
		if s.Effect != EffectAllow || s.Action == nil || s.Resource == nil ||
			s.Principal != nil || s.NotPrincipal != nil || s.NotAction != nil || s.NotResource != nil || s.Condition != nil {
			return grant.Set{}, fmt.Errorf("policy document: %s: cannot be said as grants, which are Allow, Action and Resource alone", s.Place(i))
		}
		for _, r := range s.Resource {
			plain, ok := unliteral(r, d.Version)
			if !ok {
				return grant.Set{}, fmt.Errorf("policy document: %s: resource %q holds a policy variable, which a grant cannot", s.Place(i), r)
			}
			for _, a := range s.Action {
				grants = append(grants, grant.Grant{Permission: a, Resource: plain})
			}
		}
	}
	return grant.Of(grants...), nil
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
