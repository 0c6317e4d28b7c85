package grant

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func grants() *rapid.Generator[[]Grant] {
	one := rapid.Custom(func(t *rapid.T) Grant {
		return Grant{
			Permission: rapid.SampledFrom([]string{"", "*", "a:B", "a:C", "b:A"}).Draw(t, "permission"),
			Resource:   rapid.SampledFrom([]string{"", "*", "x", "y"}).Draw(t, "resource"),
			Condition:  rapid.SampledFrom([]string{"", `{"StringEquals":{"a":"b"}}`}).Draw(t, "condition"),
		}
	})
	return rapid.SliceOfN(one, 0, 12)
}

func sets() *rapid.Generator[Set] {
	return rapid.Map(grants(), func(g []Grant) Set { return Of(g...) })
}

// The model is a plain map.
func model(grants []Grant) map[Grant]bool {
	m := map[Grant]bool{}
	for _, g := range grants {
		m[g] = true
	}
	return m
}

func TestSetAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, other := grants().Draw(t, "in"), grants().Draw(t, "other")
		before := slices.Clone(in)
		a, b := Of(in...), Of(other...)
		if !slices.Equal(in, before) {
			t.Fatal("Of changed its argument")
		}
		ma, mb := model(in), model(other)

		if a.Len() != len(ma) {
			t.Fatalf("length %d, want %d", a.Len(), len(ma))
		}
		if !slices.IsSortedFunc(a.Slice(), Compare) || !slices.Equal(a.Slice(), slices.Collect(a.All())) {
			t.Fatalf("order: %v", a.Slice())
		}
		for _, g := range append(slices.Clone(in), other...) {
			if a.Has(g) != ma[g] {
				t.Fatalf("has %v: %v", g, a.Has(g))
			}
			if a.Union(b).Has(g) != (ma[g] || mb[g]) || a.With(other...).Has(g) != (ma[g] || mb[g]) {
				t.Fatalf("union and %v", g)
			}
			if a.Minus(b).Has(g) != (ma[g] && !mb[g]) || a.Without(other...).Has(g) != (ma[g] && !mb[g]) {
				t.Fatalf("minus and %v", g)
			}
		}
		subset := true
		for g := range ma {
			subset = subset && mb[g]
		}
		if a.SubsetOf(b) != subset {
			t.Fatalf("%v subset of %v: %v", in, other, !subset)
		}
	})
}

func TestSetLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := sets().Draw(t, "a"), sets().Draw(t, "b"), sets().Draw(t, "c")
		equal := func(law string, x, y Set) {
			if !x.Equal(y) || !y.Equal(x) {
				t.Fatalf("%s: %v is not %v", law, x.Slice(), y.Slice())
			}
		}
		equal("order", Of(rapid.Permutation(a.Slice()).Draw(t, "order")...), a)
		equal("union commutes", a.Union(b), b.Union(a))
		equal("union associates", a.Union(b).Union(c), a.Union(b.Union(c)))
		equal("union with itself", a.Union(a), a)
		equal("nothing to add", a.Union(Set{}), a)
		equal("nothing left", a.Minus(a), Set{})
		equal("minus distributes", a.Union(b).Minus(c), a.Minus(c).Union(b.Minus(c)))
		equal("apart and together", a.Minus(b).Union(b), a.Union(b))
		if a.SubsetOf(b) && b.SubsetOf(a) != a.Equal(b) {
			t.Fatal("subset both ways is not equal")
		}
		if !a.SubsetOf(a.Union(b)) || !a.Minus(b).SubsetOf(a) {
			t.Fatal("subset")
		}
		if p := a.Permissions(); !slices.IsSorted(p) || len(slices.Compact(slices.Clone(p))) != len(p) {
			t.Fatalf("permissions %v", p)
		}
	})
}

// A set never changes, whatever is done with what it gave out.
func TestSetIsImmutable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sets().Draw(t, "set")
		before := s.Slice()
		mine := s.Slice()
		for i := range mine {
			mine[i].Permission = "changed"
		}
		_ = append(s.Slice(), Grant{Permission: "z:Z", Resource: "*"})
		s.With(Grant{Permission: "a:A", Resource: "*"})
		s.Without(before...)
		s.Union(Everything())
		if !slices.Equal(s.Slice(), before) {
			t.Fatalf("became %v", s.Slice())
		}
	})
}

func TestEverything(t *testing.T) {
	if got := Everything().Slice(); !slices.Equal(got, []Grant{{Permission: "*", Resource: "*"}}) {
		t.Errorf("got %v", got)
	}
	if s := Everything().With(Grant{Permission: "a:B", Resource: "x"}); !s.HasEverything() {
		t.Errorf("%v does not have everything", s.Slice())
	}
	for _, g := range []Grant{{Permission: "*", Resource: "x"}, {Permission: "a:*", Resource: "*"}, {Permission: "*", Resource: "*", Condition: "{}"}} {
		if Of(g).HasEverything() {
			t.Errorf("%v has everything", g)
		}
	}
	if got := (Grant{Permission: "a:B", Resource: "x"}).String(); got != "a:B on x" {
		t.Errorf("got %q", got)
	}
	if got := (Grant{Permission: "a:B", Resource: "x", Condition: "{}"}).String(); got != "a:B on x if {}" {
		t.Errorf("got %q", got)
	}
}
