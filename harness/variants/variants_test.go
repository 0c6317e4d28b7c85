package variants

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// of makes variants of which each needs permission p where need says so.
func of(need func(has func(string) bool) bool, options ...[]string) []Variant {
	var all []Variant
	for _, o := range options {
		name := "base"
		if len(o) > 0 {
			name = ""
			for _, x := range o {
				name += x
			}
		}
		v := Variant{Name: name, Options: o, Steps: map[string][]string{"other": {"s"}}}
		if need(func(x string) bool { return slices.Contains(o, x) }) {
			v.Steps["p"] = []string{"s"}
		}
		all = append(all, v)
	}
	return all
}

func TestRows(t *testing.T) {
	type has = func(string) bool
	each := [][]string{nil, {"a"}, {"b"}, {"a", "b"}}
	for _, c := range []struct {
		name    string
		need    func(has) bool
		options [][]string
		want    string
		also    []string
	}{
		{"always", func(has) bool { return true }, each, "always", nil},
		{"if", func(h has) bool { return h("a") }, each, "if a", nil},
		{"unless", func(h has) bool { return !h("b") }, each, "unless b", nil},
		{"if both", func(h has) bool { return h("a") && h("b") }, each, "if a and b", nil},
		{"if either", func(h has) bool { return h("a") || h("b") }, each, "if a or b", nil},
		{"one without the other", func(h has) bool { return h("b") && !h("a") }, each, "if b, unless a", nil},
		{"without both", func(h has) bool { return !(h("a") && h("b")) }, each, "unless a and b", nil},
		{"neither", func(h has) bool { return !h("a") && !h("b") }, each, "unless a or b", nil},
		{"not told apart", func(h has) bool { return h("a") && h("b") }, [][]string{nil, {"a", "b"}}, "if a", []string{"if b"}},
		{"no rule", func(h has) bool { return h("a") && h("b") && h("c") }, [][]string{nil, {"a"}, {"b"}, {"c"}, {"a", "b"}, {"a", "c"}, {"b", "c"}, {"a", "b", "c"}}, "in abc", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := Rows(of(c.need, c.options...))
			i := slices.IndexFunc(rows, func(r Row) bool { return r.Permission == "p" })
			if i < 0 || rows[i].Rule != c.want || !slices.Equal(rows[i].Also, c.also) {
				t.Errorf("got %+v, want %q, also %q", rows, c.want, c.also)
			}
		})
	}
}

// A rule fits the variants that it was made of: whoever reads it knows which of
// them need the permission.
func TestRulesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c"}
		var all []Variant
		for i := range rapid.IntRange(1, 6).Draw(t, "variants") {
			v := Variant{Name: string(rune('A' + i)), Steps: map[string][]string{}}
			for _, o := range names {
				if rapid.Bool().Draw(t, o) {
					v.Options = append(v.Options, o)
				}
			}
			if rapid.Bool().Draw(t, "needs") {
				v.Steps["p"] = []string{"s"}
			}
			all = append(all, v)
		}
		rules := candidates(all)
		for _, row := range Rows(all) {
			for _, text := range append([]string{row.Rule}, row.Also...) {
				i := slices.IndexFunc(rules, func(r rule) bool { return r.text == text })
				for j, v := range all {
					if i >= 0 && rules[i].in[j] != slices.Contains(row.Variants, v.Name) {
						t.Fatalf("%q does not fit variant %s", text, v.Name)
					}
				}
			}
		}
	})
}
