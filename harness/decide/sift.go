package decide

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
)

// A refusal that names no permission may be about several. The held request
// tells which of them it needs: it is repeated under the role with all of them
// but one, which is then needed if the request is refused once more; and so on.
// The first test that lets the request through shows that what it left out is
// not needed, and ends the questions: what was not asked about until then stays
// assumed, and is really removed later.
//
// So the likely ones are asked about one by one. Then come those that are seldom
// needed, and alternatives of which at most one is: the fewer a test keeps, the
// earlier it is made.

// Test is a repetition of a held request under a role that lacks some of the grants.
type Test struct {
	Out []grant.Grant // what it leaves out
	// Refused is what is shown to be needed if it is refused once more, Passed
	// what is if it is let through.
	Refused, Passed []grant.Grant
}

// Likelihood is what is known of candidates.
type Likelihood struct {
	Seldom grant.Set // what most such requests do without
	Either grant.Set // of these at most one is needed
}

// Sift gives the tests that tell which of the grants a request needs, in their order.
func Sift(grants []grant.Grant, known Likelihood) (tests []Test) {
	test := func(out, passed []grant.Grant) {
		if len(out) > 0 { // else it leaves out nothing
			tests = append(tests, Test{Out: out, Passed: passed})
		}
	}
	var either []grant.Grant
	var kinds []string // permissions of what is seldom needed
	seldom := map[string][]grant.Grant{}
	for _, g := range grants {
		switch {
		case known.Either.Has(g):
			either = append(either, g)
		case known.Seldom.Has(g):
			if seldom[g.Permission] == nil {
				kinds = append(kinds, g.Permission)
			}
			seldom[g.Permission] = append(seldom[g.Permission], g)
		default:
			tests = append(tests, Test{Out: []grant.Grant{g}, Refused: []grant.Grant{g}})
		}
	}
	for _, kept := range subsets(kinds) {
		var out, kindsKept []grant.Grant
		for _, kind := range kinds {
			if slices.Contains(kept, kind) {
				kindsKept = append(kindsKept, seldom[kind]...)
			} else {
				out = append(out, seldom[kind]...)
			}
		}
		if len(kindsKept) != 1 {
			kindsKept = nil // not known of each
		}
		test(append(slices.Clone(out), either...), kindsKept)
		for i, g := range either {
			rest := slices.Delete(slices.Clone(either), i, i+1)
			test(append(slices.Clone(out), rest...), append(slices.Clone(kindsKept), g))
		}
	}
	return tests
}

// subsets lists those of kinds, the smallest first; of many kinds none and all.
func subsets(kinds []string) [][]string {
	if len(kinds) > 3 {
		return [][]string{nil, kinds}
	}
	var all [][]string
	for mask := range 1 << len(kinds) {
		var one []string
		for i, k := range kinds {
			if mask&(1<<i) != 0 {
				one = append(one, k)
			}
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b []string) int { return len(a) - len(b) })
	return all
}

// KnownRoles replaces the candidate to pass any role on by those to pass on the
// roles that the lifecycle is known to pass on, if there are any; of several,
// the request is about one at most.
func KnownRoles(candidates []catalog.Candidate, known grant.Set) (all []catalog.Candidate, either []string) {
	for _, c := range candidates {
		var roles []string
		if c.Permission == "iam:PassRole" && strings.HasSuffix(c.Resource, ":role/*") {
			for g := range known.All() {
				if g.Permission == c.Permission && g.Resource != c.Resource {
					roles = append(roles, g.Resource)
				}
			}
		}
		if len(roles) == 0 {
			all = append(all, c)
			continue
		}
		for _, r := range roles {
			one := c
			one.Resource = r
			all = append(all, one)
		}
		if len(roles) > 1 {
			either = append(either, roles...)
		}
	}
	return all, either
}
