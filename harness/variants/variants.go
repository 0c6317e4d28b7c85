// Package variants tells which options of a lifecycle each permission hangs on,
// from what the lifecycle needed with some of them. It is pure.
package variants

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Variant is what one variant of a lifecycle was found to need.
type Variant struct {
	Name string
	// Options are those that the variant has, in order; none is the lifecycle
	// itself.
	Options []string
	// Steps are those that need a permission, in the lifecycle's order, by
	// permission.
	Steps map[string][]string
}

// Row is what was found of one permission.
type Row struct {
	Permission string `json:"permission"`
	// Steps are those that need it in any variant, in the lifecycle's order.
	Steps []string `json:"steps"`
	// Variants are those that need it, in their order.
	Variants []string `json:"variants"`
	// Rule says when it is needed: "always", "if spot", "unless vpc", "if vpc and
	// keypair"; "in vpc, spot", where no rule of at most two options tells these
	// variants from the others.
	Rule string `json:"rule"`
	// Also are other rules, no longer than Rule, that the variants do not tell from
	// it: a variant with other options in it would.
	Also []string `json:"also,omitempty"`
}

// Rows gives a row for every permission, in order.
func Rows(all []Variant) []Row {
	needed := map[string]bool{}
	for _, v := range all {
		for p := range v.Steps {
			needed[p] = true
		}
	}
	rules := candidates(all)
	var rows []Row
	for _, p := range slices.Sorted(maps.Keys(needed)) {
		r := Row{Permission: p}
		in := make([]bool, len(all))
		for i, v := range all {
			steps, ok := v.Steps[p]
			if !ok {
				continue
			}
			in[i] = true
			r.Variants = append(r.Variants, v.Name)
			for _, s := range steps {
				if !slices.Contains(r.Steps, s) {
					r.Steps = append(r.Steps, s)
				}
			}
		}
		best := 0
		for _, c := range rules {
			switch {
			case !slices.Equal(c.in, in) || r.Rule != "" && c.size > best:
			case r.Rule == "":
				r.Rule, best = c.text, c.size
			default:
				r.Also = append(r.Also, c.text)
			}
		}
		if r.Rule == "" {
			r.Rule = "in " + strings.Join(r.Variants, ", ")
		}
		rows = append(rows, r)
	}
	return rows
}

// rule is a condition on options and the variants that fulfil it.
type rule struct {
	text string
	size int // the options that it speaks of
	in   []bool
}

// candidates are the rules of at most two options, the simplest first. One that
// all variants or none fulfil is no rule.
func candidates(all []Variant) []rule {
	seen := map[string]bool{}
	for _, v := range all {
		for _, o := range v.Options {
			seen[o] = true
		}
	}
	options := slices.Sorted(maps.Keys(seen))
	having := func(holds func(has func(string) bool) bool) []bool {
		in := make([]bool, len(all))
		for i, v := range all {
			in[i] = holds(func(o string) bool { return slices.Contains(v.Options, o) })
		}
		return in
	}
	rules := []rule{{text: "always", in: having(func(func(string) bool) bool { return true })}}
	add := func(size int, holds func(has func(string) bool) bool, format string, options ...any) {
		in := having(holds)
		if slices.Contains(in, true) && slices.Contains(in, false) {
			rules = append(rules, rule{fmt.Sprintf(format, options...), size, in})
		}
	}
	for i, x := range options {
		add(1, func(has func(string) bool) bool { return has(x) }, "if %s", x)
		add(1, func(has func(string) bool) bool { return !has(x) }, "unless %s", x)
		for _, y := range options[i+1:] {
			add(2, func(has func(string) bool) bool { return has(x) && has(y) }, "if %s and %s", x, y)
			add(2, func(has func(string) bool) bool { return has(x) || has(y) }, "if %s or %s", x, y)
			add(2, func(has func(string) bool) bool { return has(x) && !has(y) }, "if %s, unless %s", x, y)
			add(2, func(has func(string) bool) bool { return has(y) && !has(x) }, "if %s, unless %s", y, x)
			add(2, func(has func(string) bool) bool { return !has(x) && !has(y) }, "unless %s or %s", x, y)
			add(2, func(has func(string) bool) bool { return !(has(x) && has(y)) }, "unless %s and %s", x, y)
		}
	}
	slices.SortStableFunc(rules, func(a, b rule) int { return cmp.Compare(a.size, b.size) })
	return rules
}
