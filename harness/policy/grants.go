package policy

import (
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// FromSet writes a set as a document that allows exactly what the set says:
// permissions that are granted on the same resources share a statement, and
// nothing else is merged. No wildcard is added, and a "${" in a resource is
// written so that IAM does not read it as a variable. Equal sets give equal
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
// without it would be another set of rights.
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

// literal writes a resource for a document of Version2012: "${" starts a
// variable there, and "${$}" is a dollar sign (policies_variables).
func literal(r string) string { return strings.ReplaceAll(r, "${", "${$}{") }

// unliteral undoes literal; it fails on a real variable.
func unliteral(r, version string) (string, bool) {
	if version != Version2012 {
		return r, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(r, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		if r, found = strings.CutPrefix(after, "$}{"); !found {
			return "", false
		}
		b.WriteString("${")
	}
}
