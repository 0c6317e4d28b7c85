// Package decide says what to do about a refusal: grant what it names, wait for what is
// granted already, or stop, within the rules of a lifecycle. Of a refusal that names
// nothing it says what it may be about, and which tests tell what of that the request
// needs. It changes no role; on what is granted is package place's.
package decide

import (
	"fmt"
	"slices"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Rules bound what growth may grant.
type Rules struct {
	// Ceiling: permission patterns; a grant that matches none is not made.
	// Empty means no bound.
	Ceiling []string
	// Approve: permission patterns; a grant that could raise the identity's own
	// rights is made only if one matches.
	Approve []string
	// ReadOnly: only permissions that read are granted ("access: read").
	ReadOnly bool
	// Rehearsal: the cloud is simulated; grants that would need a line in
	// Approve pass.
	Rehearsal bool
	// Scope is on what is granted; empty is ScopeResource.
	Scope lifecycle.Scope
	// When gives the condition of a grant that a denial asks for, of its permission
	// and its resource as the cloud named it; without one on tags of the resource
	// unless hopeful. Nil is none.
	When func(permission, resource string, hopeful bool) string
	// Place gives on what a permission is granted that was refused on what the cloud
	// named, and under which condition, instead of Scope and When. Nil leaves it to
	// them.
	Place func(permission, named string) (resource, condition string)
	// Lacks tells whether a grant does not help under a condition on tags, since
	// something that it is for has them not. It is there where When is.
	Lacks func(g grant.Grant) bool
}

// grant is what is granted for a permission that was refused on named, which is to
// be granted on resource.
func (r Rules) grant(permission, named, resource string) grant.Grant {
	if r.Place != nil {
		on, condition := r.Place(permission, named)
		return grant.Grant{Permission: permission, Resource: on, Condition: condition}
	}
	g := grant.Grant{Permission: permission, Resource: r.scoped(permission, resource)}
	if r.When == nil {
		return g
	}
	g.Condition = r.When(permission, named, false)
	if !r.Lacks(g) {
		g.Condition = r.When(permission, named, true)
	}
	return g
}

// Action is what a decision asks for.
type Action int

const (
	Ignore Action = iota // not about authorization, or not ours
	Add                  // grant, then repeat the request
	Wait                 // granted already: not yet in force
	Stop                 // growth cannot help
)

// Decision is what to do about one denial.
type Decision struct {
	Action Action
	// Grants is what the denial asks for: to be added, or waited for. One alone is what
	// the request lacks; of several, any may be.
	Grants []grant.Grant
	// Why is the reason to stop; with Wait, what a wait in vain comes from.
	Why error
	// Known is what is known of grants that were made together.
	Known Likelihood
}

// Of says what to do about a denial of an identity whose role holds held.
// Candidates are the grants that an opaque denial may have been about.
//
// Only what a denial names is granted; its resource is widened where its type
// has ids that the cloud generates, and nowhere else. Of an opaque denial's candidates all that
// the rules allow are granted: one alone is known to be needed, since the same request
// is then let through with it and nothing else; of several none is.
// Carries tells whether the request itself holds a wildcard; see [place.Resource].
func Of(held grant.Set, d refusal.Denial, candidates []catalog.Candidate, carries bool, r Rules) Decision {
	switch d.Reason {
	case refusal.ExplicitDeny, refusal.APIDisabled:
		return Decision{Action: Stop, Why: &BlockedError{Denial: d}}
	case refusal.MissingPermission:
		resource, ok := place.Resource(d, candidates, carries)
		if !ok {
			return Decision{Action: Stop, Why: &UnreadError{Denial: d}}
		}
		g := r.grant(d.Permission, d.Resource, resource)
		if err := r.Allow(g.Permission); err != nil {
			return Decision{Action: Stop, Grants: []grant.Grant{g}, Why: err}
		}
		return added(held, g)
	case refusal.OpaqueDenial:
		return opaque(held, d, candidates, carries, r)
	default:
		return Decision{Action: Ignore}
	}
}

func opaque(held grant.Set, d refusal.Denial, candidates []catalog.Candidate, carries bool, r Rules) Decision {
	var grants, seldom []grant.Grant
	var forbidden error
	for _, c := range candidates {
		if err := r.Allow(c.Permission); err != nil {
			forbidden = err
			continue
		}
		if resource, ok := place.Plain(c.Resource, carries); ok {
			g := r.grant(c.Permission, c.Resource, resource)
			grants = append(grants, g)
			if c.Seldom {
				seldom = append(seldom, g)
			}
		}
	}

	switch {
	case len(grants) > 0:
		d := added(held, grants...)
		d.Known.Seldom = grant.Of(seldom...)
		d.Why = forbidden // if waiting for them is in vain, this was needed too
		return d
	case forbidden != nil:
		return Decision{Action: Stop, Why: forbidden}
	default:
		return Decision{Action: Stop, Why: &UnreadError{Denial: d}}
	}
}

// Without is the decision about what is not held. One grant alone is known to be needed:
// the same request is then let through with it and nothing else.
func (d Decision) Without(held grant.Set) Decision {
	d.Grants = slices.DeleteFunc(slices.Clone(d.Grants), held.Has)
	return d
}

func added(held grant.Set, grants ...grant.Grant) Decision {
	if grant.Of(grants...).SubsetOf(held) {
		return Decision{Action: Wait, Grants: grants}
	}
	return Decision{Action: Add, Grants: grants}
}

// scoped is on what a permission is granted that was refused on the resource. What
// could raise the identity's own rights is never granted on more: on all roles,
// iam:PassRole is everything that any of them holds.
func (r Rules) scoped(permission, resource string) string {
	switch {
	case catalog.Risk(permission) != "":
		return resource
	case r.Scope == lifecycle.ScopeAction:
		return "*"
	case r.Scope == lifecycle.ScopeType:
		return catalog.OfType(resource)
	}
	return resource
}

// Allow tells why the rules forbid granting the permission.
func (r Rules) Allow(permission string) error {
	if r.ReadOnly && !reads(permission) {
		return &ForbiddenError{Permission: permission, Rule: "access: read",
			Hint: fmt.Sprintf("take access: read from the step if it is meant to change things; %s is of access level %s", permission, catalog.Level(permission))}
	}
	if len(r.Ceiling) > 0 && !matches(r.Ceiling, permission) {
		return &ForbiddenError{Permission: permission, Rule: "ceiling", Hint: "add a pattern to ceiling: that covers " + permission}
	}
	if risk := catalog.Risk(permission); risk != "" && !r.Rehearsal && !matches(r.Approve, permission) {
		return &ForbiddenError{Permission: permission, Rule: "approve",
			Hint: fmt.Sprintf("it %s; if the step may have it, add the line\n  approve: [%s]", risk, permission)}
	}
	return nil
}

func reads(permission string) bool {
	level := catalog.Level(permission)
	return level == catalog.Read || level == catalog.List
}

func matches(patterns []string, permission string) bool {
	for _, p := range patterns {
		if catalog.Match(p, permission) {
			return true
		}
	}
	return false
}
