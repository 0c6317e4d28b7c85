package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/lifecycle/strictyaml"
)

// Base is the name of the lifecycle without any of its variants.
const Base = "base"

// Variant is the lifecycle with options: what it changes, and the variants that it
// is made of.
type Variant struct {
	Name string
	// With are variants that it takes in, before its own changes.
	With []string
	// Env and Var are for every step, Var for those of Terraform and Packer.
	Env, Var map[string]string
	Steps    []Change
}

// Change is what a variant gives to one step.
type Change struct {
	Name string
	// Args come after those of a command.
	Args []string
	Env  map[string]string
	// Var and VarFile are for a step of Terraform or Packer. VarFile come after
	// those that the step has.
	Var     map[string]string
	VarFile []string
}

// changes tells whether the variant does anything itself.
func (v Variant) changes() bool { return len(v.Env)+len(v.Var)+len(v.Steps) > 0 }

// Options are the variants whose changes the variant called name has: itself, if it
// changes anything, and those that it is made of. Base has none.
func (l Lifecycle) Options(name string) []string {
	var options []string
	for _, v := range l.Variants {
		if v.Name != name {
			continue
		}
		for _, w := range v.With {
			options = append(options, l.Options(w)...)
		}
		if v.changes() {
			options = append(options, v.Name)
		}
	}
	slices.Sort(options)
	return slices.Compact(options)
}

// Vary is the lifecycle as the variant called name has it; Base is the lifecycle
// itself. Neither has variants.
func (l Lifecycle) Vary(name string) (Lifecycle, error) {
	variants := l.Variants
	if name != Base && !slices.ContainsFunc(variants, func(v Variant) bool { return v.Name == name }) {
		known := []string{Base}
		for _, v := range variants {
			known = append(known, v.Name)
		}
		if near := strictyaml.Nearest(name, known); near != "" {
			return l, fmt.Errorf("%s: no variant %q (did you mean %q?)", l.File, name, near)
		}
		return l, fmt.Errorf("%s: no variant %q; it has %s", l.File, name, strings.Join(known, ", "))
	}
	options := l.Options(name)
	l.Variants = nil
	l.Steps = slices.Clone(l.Steps)
	// In the file's order, so that a variant's own changes come after those of what
	// it is made of, which stands above it.
	for _, v := range variants {
		if !slices.Contains(options, v.Name) {
			continue
		}
		for i := range l.Steps {
			l.Steps[i] = l.Steps[i].changed(Change{Env: v.Env, Var: v.Var})
			for _, c := range v.Steps {
				if c.Name == l.Steps[i].Name {
					l.Steps[i] = l.Steps[i].changed(c)
				}
			}
		}
	}
	return l, nil
}

func (s Step) changed(c Change) Step {
	s.Env = merge(s.Env, c.Env)
	if s.Command != nil {
		s.Command = slices.Concat(s.Command, c.Args)
	}
	if s.Terraform != nil {
		t := *s.Terraform
		t.Var, t.VarFile = merge(t.Var, c.Var), slices.Concat(t.VarFile, c.VarFile)
		s.Terraform = &t
	}
	if s.Packer != nil {
		p := *s.Packer
		p.Var, p.VarFile = merge(p.Var, c.Var), slices.Concat(p.VarFile, c.VarFile)
		s.Packer = &p
	}
	return s
}

func merge(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

func (r *reader) variants(n node, at place) []Variant {
	values, ok := r.List(n)
	if !ok {
		r.Fail(r.In(n, at), `"variants" takes a list, not %s: write variants: [{name: …, steps: […]}]`, r.Kind(n))
		return nil
	}
	var all []Variant
	for _, n := range values {
		at := r.In(n, at)
		var v Variant
		found := r.Fields(n, at, "a variant", "keys with values, name: spot for one", variantKeys, map[string]func(node, place){
			"name": func(n node, at place) {
				v.Name = r.name(n, at, "name")
				if v.Name == Base || slices.ContainsFunc(all, func(o Variant) bool { return o.Name == v.Name }) {
					r.Fail(r.In(n, at), "a second variant %q; %s is the lifecycle without any", v.Name, Base)
				}
			},
			"with": func(n node, at place) {
				for _, i := range r.Texts(n, at, "with", true, false) {
					if !slices.ContainsFunc(all, func(o Variant) bool { return o.Name == i.Text }) {
						r.Fail(i.At, "no variant %q above this one", i.Text)
					}
					v.With = append(v.With, i.Text)
				}
			},
			"env": func(n node, at place) { v.Env = r.env(n, at) },
			"var": func(n node, at place) { v.Var = r.vars(n, at) },
			"steps": func(n node, at place) {
				steps, ok := r.List(n)
				if !ok {
					r.Fail(r.In(n, at), `a variant's "steps" takes a list, not %s: write steps: [{name: create, args: […]}]`, r.Kind(n))
				}
				for _, n := range steps {
					v.Steps = append(v.Steps, r.change(n, r.In(n, at)))
				}
			},
		})
		if _, ok := found["name"]; found != nil && !ok {
			r.Fail(at, `the variant has no "name"`)
		}
		if found != nil && !v.changes() && len(v.With) == 0 {
			r.Fail(at, `variant %q changes nothing: it needs "env", "var", "steps" or "with"`, v.Name)
		}
		all = append(all, v)
	}
	return all
}

func (r *reader) change(n node, at place) Change {
	c := Change{}
	found := r.Fields(n, at, "a variant's step", "keys with values, name: create for one", changeKeys, map[string]func(node, place){
		"name": func(n node, at place) {
			c.Name = r.name(n, at, "name")
			r.changed = append(r.changed, changed{c.Name, r.In(n, at)})
		},
		"args": func(n node, at place) {
			for _, i := range r.Texts(n, at, "args", false, true) {
				c.Args = append(c.Args, i.Text)
			}
		},
		"env": func(n node, at place) { c.Env = r.env(n, at) },
		"var": func(n node, at place) { c.Var = r.vars(n, at) },
		"var_file": func(n node, at place) {
			for _, i := range r.Texts(n, at, "var_file", true, false) {
				c.VarFile = append(c.VarFile, i.Text)
			}
		},
	})
	if _, ok := found["name"]; found != nil && !ok {
		r.Fail(at, `a variant's step has no "name": which of the lifecycle's it changes`)
	}
	return c
}

// changed is a step that a variant changes, and where it says so.
type changed struct {
	name string
	at   place
}

// checkChanged finds fault with variants' steps that the lifecycle has not.
func (r *reader) checkChanged(l Lifecycle) {
	for _, c := range r.changed {
		if c.name != "" && !slices.ContainsFunc(l.Steps, func(s Step) bool { return s.Name == c.name }) {
			r.Fail(c.at, "the lifecycle has no step %q", c.name)
		}
	}
}
