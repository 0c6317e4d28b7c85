package harness

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/condition"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// realForce is after which time a grant on a real cloud counts as in force, and a
// refusal of it as a want of the tags in its condition: AWS says of IAM that changes
// are visible within seconds and names no bound ("Changes that I make are not always
// immediately visible", IAM User Guide). A grant that is late loses its condition,
// and no more.
const realForce = 20 * time.Second

// ownership is what a step's requests have shown of the tags by which the
// lifecycle's own resources are told. Nil, where the lifecycle asks for no
// conditions, shows nothing.
type ownership struct {
	tags map[string]string
	// force is how long a grant takes to be in force.
	force time.Duration

	mu      sync.Mutex
	lacking map[grant.Grant]bool // without the condition on tags
}

// ownership is that of a step, which lasts from run to run.
func (l *loop) ownership(s lifecycle.Step) *ownership {
	if !l.Lifecycle.Conditions || l.Lifecycle.Cloud == "gcp" { // whose resources are told by their names
		return nil
	}
	o := l.owned[s.Name]
	if o == nil {
		o = &ownership{tags: l.Lifecycle.OwnedByTag, force: realForce, lacking: map[grant.Grant]bool{}}
		if sandbox := l.Lifecycle.Sandbox; sandbox.Embedded {
			o.force = sandbox.Propagation + 250*time.Millisecond
		}
		for _, e := range l.Known[s.Name].Entries { // what the tags did not help
			o.lacking[e.Grant] = true
		}
		l.owned[s.Name] = o
	}
	return o
}

// rules are the rules with the conditions that a refused request fulfils.
func (o *ownership) rules(r Rules, x refusal.Exchange) Rules {
	if o == nil {
		return r
	}
	r.When = func(permission, resource string, hopeful bool) string {
		of := condition.Refused{Method: x.Method, URL: x.URL, Header: x.Header, Body: x.Body, Permission: permission, Resource: resource}
		when := condition.Of(of, o.tags).String()
		if !hopeful {
			return condition.Without(when)
		}
		return when
	}
	r.Lacks = func(g grant.Grant) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.lacking[g]
	}
	return r
}

// lack notes which of the grants that are held and were refused all the same need
// to do without their condition on tags. It tells whether there are such.
func (o *ownership) lack(grants []grant.Grant, inForce func(grant.Grant, time.Duration) bool) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	found := false
	for _, g := range grants {
		if condition.Hopeful(g.Condition) && inForce(g, o.force) {
			g.Condition = condition.Without(g.Condition)
			o.lacking[g], found = true, true
		}
	}
	return found
}

// inForce tells whether a grant that the role holds has been there for so long, or
// since before the attempt. a.mu is held.
func (a *arbiter) inForce(g grant.Grant, after time.Duration) bool {
	if a.mode == watch { // the role was settled before
		return true
	}
	since, ok := a.since[g]
	if !ok {
		a.since[g] = time.Now()
		return false
	}
	return time.Since(since) > after
}

// untagged leaves out what is granted under a condition on tags and without it as
// well: something that it is for has not the tags. So it does what is granted under
// any condition and without one.
func untagged(entries []Entry) []Entry {
	set := setOf(entries)
	return slices.DeleteFunc(entries, func(e Entry) bool {
		without := e.Grant
		without.Condition = condition.Without(e.Grant.Condition)
		plain := grant.Grant{Permission: e.Grant.Permission, Resource: e.Grant.Resource}
		return without != e.Grant && set.Has(without) || plain != e.Grant && set.Has(plain)
	})
}

// throughOthers adds to what a refusal that names nothing may have been about the
// use of keys that the role holds through other services only: without conditions
// it would hold them through this one too, and a bucket that is encrypted by default
// does not show in the request.
func throughOthers(candidates []catalog.Candidate, held grant.Set, d refusal.Denial) []catalog.Candidate {
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
