package place

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/condition"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Tags is what a step's requests have shown of the tags by which the lifecycle's own
// resources are told. Nil, where the lifecycle asks for no conditions, shows nothing.
type Tags struct {
	tags map[string]string
	// force is how long a grant takes to be in force.
	force time.Duration

	mu      sync.Mutex
	lacking map[grant.Grant]bool // without the condition on tags
}

// NewTags is of a lifecycle whose own resources have the tags, where a grant takes so
// long to be in force. Lacking are the grants that an interrupted run made: the tags
// did not help those among them that are under none.
func NewTags(tags map[string]string, force time.Duration, lacking grant.Set) *Tags {
	t := &Tags{tags: tags, force: force, lacking: map[grant.Grant]bool{}}
	for g := range lacking.All() {
		t.lacking[g] = true
	}
	return t
}

// When gives the condition that a refused request fulfils, as a function of the
// permission and of the resource as the cloud named it: without one on tags of the
// resource unless hopeful. Nil is none.
func (t *Tags) When(x refusal.Exchange) func(permission, resource string, hopeful bool) string {
	if t == nil {
		return nil
	}
	return func(permission, resource string, hopeful bool) string {
		of := condition.Refused{Method: x.Method, URL: x.URL, Header: x.Header, Body: x.Body, Permission: permission, Resource: resource}
		when := condition.Of(of, t.tags).String()
		if !hopeful {
			return condition.Without(when)
		}
		return when
	}
}

// Lacks tells whether a grant, given without a condition on tags, was found not to
// help under one: something that it is for has not the tags.
func (t *Tags) Lacks(g grant.Grant) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lacking[g]
}

// Lack notes which of the grants that are held and were refused all the same need
// to do without their condition on tags. It tells whether there are such. InForce
// tells whether a grant has been held for so long.
func (t *Tags) Lack(grants []grant.Grant, inForce func(grant.Grant, time.Duration) bool) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found := false
	for _, g := range grants {
		if condition.Hopeful(g.Condition) && inForce(g, t.force) {
			g.Condition = condition.Without(g.Condition)
			t.lacking[g], found = true, true
		}
	}
	return found
}

// untagged leaves out what is granted under a condition on tags and without it as
// well: something that it is for has not the tags. So it does what is granted under
// any condition and without one.
func untagged(set grant.Set) grant.Set {
	return without(set, func(g grant.Grant) bool {
		untied := g
		untied.Condition = condition.Without(g.Condition)
		plain := grant.Grant{Permission: g.Permission, Resource: g.Resource}
		return untied != g && set.Has(untied) || plain != g && set.Has(plain)
	})
}

// without is the set without what is needless.
func without(set grant.Set, needless func(grant.Grant) bool) grant.Set {
	return grant.Of(slices.DeleteFunc(set.Slice(), needless)...)
}

// ThroughOthers adds to what a refusal that names nothing may have been about the
// use of keys that the role holds through other services only: without conditions
// it would hold them through this one too, and a bucket that is encrypted by default
// does not show in the request.
func ThroughOthers(candidates []catalog.Candidate, held grant.Set, d refusal.Denial) []catalog.Candidate {
	if d.Reason != refusal.OpaqueDenial || d.Cloud != refusal.AWS {
		return candidates
	}
	for g := range held.All() {
		c := catalog.Candidate{Permission: g.Permission, Resource: g.Resource, Seldom: true}
		// Source: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys",
		// permissions to upload and to download.
		uses := g.Permission == "kms:GenerateDataKey" || g.Permission == "kms:Decrypt"
		if uses && strings.Contains(g.Condition, `"kms:ViaService"`) && !slices.ContainsFunc(candidates, func(o catalog.Candidate) bool { return o.Permission == c.Permission }) {
			candidates = append(slices.Clip(candidates), c)
		}
	}
	return candidates
}
