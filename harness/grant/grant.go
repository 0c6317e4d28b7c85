// Package grant holds the unit that Whittle adds and takes away, a permission
// on a resource, and sets of it.
package grant

import (
	"cmp"
	"iter"
	"slices"
)

// Grant is one permission on one resource, in the cloud's own notation:
// {"ec2:CreateVpc", "arn:aws:ec2:us-east-1:123456789012:vpc/*"}.
type Grant struct {
	Permission string
	Resource   string // "*" where the permission is not bound to a resource
	// Condition is what must hold besides, as [Condition] writes it; empty is nothing.
	Condition string
}

// Compare orders grants by permission, then by resource, then by condition.
func Compare(a, b Grant) int {
	return cmp.Or(cmp.Compare(a.Permission, b.Permission), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Condition, b.Condition))
}

// String gives "permission on resource", and " if condition" where there is one.
func (g Grant) String() string {
	if g.Condition != "" {
		return g.Permission + " on " + g.Resource + " if " + g.Condition
	}
	return g.Permission + " on " + g.Resource
}

// Everything is the administrator's set: every permission on every resource.
func Everything() Set { return Of(everything) }

// everything is the grant that makes an administrator.
var everything = Grant{Permission: "*", Resource: "*"}

// Set is an immutable sorted set of grants. The zero value is the empty set.
type Set struct {
	sorted []Grant // strictly ascending; never written after it is made
}

// Of makes a set of the given grants, in any order, repeats allowed.
func Of(grants ...Grant) Set {
	s := slices.Clone(grants)
	slices.SortFunc(s, Compare)
	return Set{slices.Compact(s)}
}

// Len is the number of grants.
func (s Set) Len() int { return len(s.sorted) }

// Has tells whether g itself is in the set; it does not expand wildcards.
func (s Set) Has(g Grant) bool {
	_, ok := slices.BinarySearchFunc(s.sorted, g, Compare)
	return ok
}

// HasEverything tells whether the set is an administrator's: whether it holds, without
// a condition, every permission on every resource.
func (s Set) HasEverything() bool { return s.Has(everything) }

// All yields the grants in order.
func (s Set) All() iter.Seq[Grant] { return slices.Values(s.sorted) }

// Slice gives the grants in order, in a slice of the caller's own.
func (s Set) Slice() []Grant { return slices.Clone(s.sorted) }

// With is the set with the grants added.
func (s Set) With(grants ...Grant) Set { return Of(append(s.Slice(), grants...)...) }

// Without is the set with the grants taken away.
func (s Set) Without(grants ...Grant) Set { return s.Minus(Of(grants...)) }

// Union is the set of what is in s, in o or in both.
func (s Set) Union(o Set) Set { return Of(append(s.Slice(), o.sorted...)...) }

// Minus is the set of what is in s and not in o.
func (s Set) Minus(o Set) Set {
	var left []Grant
	for _, g := range s.sorted {
		if !o.Has(g) {
			left = append(left, g)
		}
	}
	return Set{left}
}

// SubsetOf tells whether every grant of s is in o.
func (s Set) SubsetOf(o Set) bool { return s.Minus(o).Len() == 0 }

// Equal tells whether both hold the same grants.
func (s Set) Equal(o Set) bool { return slices.Equal(s.sorted, o.sorted) }

// Permissions lists the permissions in the set, each once, in order.
func (s Set) Permissions() []string {
	var names []string
	for _, g := range s.sorted {
		names = append(names, g.Permission)
	}
	return slices.Compact(names)
}
