package decide

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
)

// sifted makes the tests of a request that needs all of needs, and
// gives what is granted in the end and what was shown to be needed.
func sifted(grants []grant.Grant, known Likelihood, needs grant.Set) (kept, shown grant.Set, asked int) {
	for _, test := range Sift(grants, known) {
		asked++
		have := grant.Of(grants...).Without(test.Out...)
		if needs.SubsetOf(have) {
			return have, shown.With(test.Passed...), asked
		}
		shown = shown.With(test.Refused...)
	}
	return grant.Of(grants...), shown, asked
}

func testGrant(permission string, n int) grant.Grant {
	return grant.Grant{Permission: permission, Resource: fmt.Sprintf("arn:aws:x:::%d", n)}
}

// Whatever a request needs: it is let through in the end, and nothing counts as
// needed that is not. If it needs all that is likely, nothing is kept that is
// not needed, but with others of its kind.
func TestSift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var grants, likely, needs []grant.Grant
		var known Likelihood
		add := func(permission string, n int) []grant.Grant {
			var some []grant.Grant
			for i := range n {
				some = append(some, testGrant(permission, i))
			}
			grants = append(grants, some...)
			return some
		}
		likely = add("x:Likely", rapid.IntRange(1, 5).Draw(t, "likely"))
		either := add("x:Pass", rapid.SampledFrom([]int{0, 2, 4}).Draw(t, "either"))
		tags, key := add("x:Tag", rapid.IntRange(0, 3).Draw(t, "tags")), add("x:Key", rapid.IntRange(0, 1).Draw(t, "key"))
		known.Either, known.Seldom = grant.Of(either...), grant.Of(append(append([]grant.Grant{}, tags...), key...)...)
		usual := rapid.Bool().Draw(t, "usual")
		for _, g := range likely {
			if usual || rapid.Bool().Draw(t, "needs") {
				needs = append(needs, g)
			}
		}
		if len(either) > 0 {
			if i := rapid.IntRange(-1, len(either)-1).Draw(t, "role"); i >= 0 {
				needs = append(needs, either[i])
			}
		}
		kinds := 0
		for _, kind := range [][]grant.Grant{tags, key} {
			if len(kind) > 0 && rapid.Bool().Draw(t, "kind") {
				needs = append(needs, kind...)
				kinds++
			}
		}
		want := grant.Of(needs...)
		kept, shown, asked := sifted(grants, known, want)
		if !want.SubsetOf(kept) {
			t.Fatalf("the request needs %v and gets %v", want.Slice(), kept.Slice())
		}
		if !shown.SubsetOf(want) {
			t.Fatalf("shown to be needed %v, of %v", shown.Slice(), want.Slice())
		}
		if usual && !kept.Equal(want) {
			t.Fatalf("kept %v, needed %v", kept.Slice(), want.Slice())
		}
		if usual && kinds == 0 && !shown.Equal(want) {
			t.Fatalf("shown %v, needed %v", shown.Slice(), want.Slice())
		}
		if most := len(likely) + 4*(1+len(either)); asked > most {
			t.Fatalf("%d questions, more than %d", asked, most)
		}
	})
}

func TestKnownRoles(t *testing.T) {
	role := func(name string) grant.Grant {
		return grant.Grant{Permission: "iam:PassRole", Resource: "arn:aws:iam::111122223333:role/" + name}
	}
	any := catalog.Candidate{Permission: "iam:PassRole", Resource: role("*").Resource, Escalates: true}
	run := catalog.Candidate{Permission: "ec2:RunInstances", Resource: "*"}
	for _, c := range []struct {
		known  grant.Set
		want   []string
		either int
	}{
		{grant.Set{}, []string{"*", role("*").Resource}, 0},
		{grant.Of(role("a"), role("*")), []string{"*", role("a").Resource}, 0},
		{grant.Of(role("a"), role("b")), []string{"*", role("a").Resource, role("b").Resource}, 2},
	} {
		all, either := KnownRoles([]catalog.Candidate{run, any}, c.known)
		var got []string
		for _, one := range all {
			got = append(got, one.Resource)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || len(either) != c.either {
			t.Errorf("%v: %s, %d alternatives", c.known.Slice(), diff, len(either))
		}
	}
}
