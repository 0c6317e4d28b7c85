package lifecycle

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/lifecycle/strictyaml"
)

var (
	nameKey   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	nameValue = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{1,61}[A-Za-z0-9]$`)
)

// reservedNames are placeholders of the record that are not the lifecycle's.
var reservedNames = []string{"account", "region"}

// names reads the names that the lifecycle's resources are built from.
func (r *reader) names(n node, at place) map[string]string {
	names := map[string]string{}
	for _, e := range r.Variables(n, at, "names") {
		value := r.Variable(e, "names")
		if err := checkName(e.Key, value); err != nil {
			r.Fail(e.At, "names: %v", err)
		}
		names[e.Key] = value
	}
	return names
}

func checkName(key, value string) error {
	switch {
	case slices.Contains(reservedNames, key):
		return fmt.Errorf("{%s} already stands for something else in the record: call it otherwise", key)
	case !nameKey.MatchString(key):
		return fmt.Errorf("%q cannot be a name's key: it is of a-z, 0-9 and _, such as prefix", key)
	case !nameValue.MatchString(value):
		return fmt.Errorf("%s cannot be %q: it is 3 to 63 letters, digits, dots, hyphens and underscores, since it is looked for in the resources' names", key, value)
	}
	return nil
}

// Named is the lifecycle with each {key} of its names replaced by their values
// in what the steps are given (variables, environment and arguments), and in the
// tags of what is the lifecycle's own, keys and values. Other replaces values; a key that the file does not have is an error. Braces around
// anything else stay as they are.
//
// The digest is that of the lifecycle before: names are where it is run, not
// what it needs.
func (l Lifecycle) Named(other map[string]string) (Lifecycle, error) {
	l.Names = maps.Clone(l.Names)
	for _, key := range slices.Sorted(maps.Keys(other)) {
		if _, ok := l.Names[key]; !ok {
			known := slices.Sorted(maps.Keys(l.Names))
			if near := strictyaml.Nearest(key, known); near != "" {
				return l, fmt.Errorf("%s: no name %q (did you mean %q?)", l.File, key, near)
			}
			return l, fmt.Errorf("%s: no name %q; it has %s", l.File, key, strings.Join(append(known, "no others"), ", "))
		}
		if err := checkName(key, other[key]); err != nil {
			return l, err
		}
		l.Names[key] = other[key]
	}
	if len(l.Names) == 0 {
		return l, nil
	}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(l.Names)) {
		pairs = append(pairs, "{"+key+"}", l.Names[key])
	}
	fill := strings.NewReplacer(pairs...).Replace
	filled := func(m map[string]string) map[string]string {
		m = maps.Clone(m)
		for k, v := range m {
			m[k] = fill(v)
		}
		return m
	}
	owned := l.OwnedByTag
	if owned != nil {
		l.OwnedByTag = map[string]string{}
	}
	for _, key := range slices.Sorted(maps.Keys(owned)) {
		if _, ok := l.OwnedByTag[fill(key)]; ok {
			return l, fmt.Errorf("%s: owned_by_tag has the tag %s twice under these names; name one tag for each key", l.File, fill(key))
		}
		l.OwnedByTag[fill(key)] = fill(owned[key])
	}
	l.Steps = slices.Clone(l.Steps)
	for i := range l.Steps {
		s := &l.Steps[i]
		s.Env = filled(s.Env)
		if s.Command != nil {
			s.Command = slices.Clone(s.Command)
			for j := range s.Command {
				s.Command[j] = fill(s.Command[j])
			}
		}
		if s.Terraform != nil {
			t := *s.Terraform
			t.Var = filled(t.Var)
			s.Terraform = &t
		}
		if s.Packer != nil {
			p := *s.Packer
			p.Var = filled(p.Var)
			s.Packer = &p
		}
	}
	return l, nil
}
