package harness

import (
	"slices"
	"testing"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/question"
)

// What is in no conflict is asked about together, of the suspects alone; what was
// swallowed in the run that showed its need puts the others in doubt, and is asked about
// after them, by itself.
func TestAskedTogether(t *testing.T) {
	g := func(name string) grant.Grant { return grant.Grant{Permission: "s3:" + name, Resource: "*"} }
	q := func(name string, grants ...grant.Grant) *question.Question {
		return &question.Question{Name: name, Grants: grant.Of(grants...)}
	}
	all := []*question.Question{q("a", g("A"), g("A2")), q("b", g("B")), q("c", g("C")), q("d", g("D")), q("e", g("E"))}
	for _, c := range []struct {
		name      string
		suspects  []grant.Grant
		conflicts conflicts
		alone     []string
		want      []string
	}{
		{"all together", []grant.Grant{g("A"), g("B"), g("C")}, nil, nil, []string{"a", "b", "c"}},
		{"a grant of a question", []grant.Grant{g("A2")}, nil, nil, []string{"a"}},
		{"in conflict", []grant.Grant{g("A"), g("B"), g("C")}, conflicts{g("B"): grant.Of(g("A"))}, nil, []string{"a", "c"}},
		{"in conflict with another of its grants", []grant.Grant{g("A"), g("B")}, conflicts{g("A2"): grant.Of(g("B"))}, nil, []string{"a"}},
		{"alone comes last", []grant.Grant{g("A"), g("B"), g("C")}, nil, []string{"a", "d"}, []string{"b", "c"}},
		{"alone", []grant.Grant{g("A"), g("D")}, nil, []string{"a", "d"}, []string{"a"}},
		{"none", nil, nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			alone := map[string]bool{}
			for _, name := range c.alone {
				alone[name] = true
			}
			var got []string
			for _, q := range c.conflicts.questions(all, c.suspects, alone) {
				got = append(got, q.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
