package decide

import (
	"errors"
	"slices"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// What the lifecycle's scope makes of a refusal; what could raise the identity's own
// rights is never granted on more than was refused.
func TestScope(t *testing.T) {
	const topic, role = "arn:aws:sns:us-east-1:111122223333:jobs", "arn:aws:iam::111122223333:role/worker"
	for _, tt := range []struct {
		scope                      lifecycle.Scope
		permission, resource, want string
	}{
		{"", "sns:Publish", topic, topic},
		{lifecycle.ScopeResource, "sns:Publish", topic, topic},
		{lifecycle.ScopeType, "sns:Publish", topic, "arn:aws:sns:us-east-1:111122223333:*"},
		{lifecycle.ScopeAction, "sns:Publish", topic, "*"},
		{lifecycle.ScopeType, "iam:GetRole", role, "arn:aws:iam::111122223333:role/*"},
		{lifecycle.ScopeType, "iam:PassRole", role, role},
		{lifecycle.ScopeAction, "iam:PassRole", role, role},
	} {
		rules := Rules{Rehearsal: true, Scope: tt.scope}
		named := Of(grant.Set{}, refusal.Denial{Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: tt.permission, Resource: tt.resource}, nil, false, rules)
		guessed := Of(grant.Set{}, refusal.Denial{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial},
			[]catalog.Candidate{{Permission: tt.permission, Resource: tt.resource}}, false, rules)
		want := []grant.Grant{{Permission: tt.permission, Resource: tt.want}}
		if !slices.Equal(named.Grants, want) || !slices.Equal(guessed.Grants, want) {
			t.Errorf("scope %q: %v and %v, want %v", tt.scope, named.Grants, guessed.Grants, want)
		}
	}
}

// What a decision is, by what is held and what the rules allow.
func TestOf(t *testing.T) {
	const topic = "arn:aws:sns:us-east-1:111122223333:jobs"
	publish := grant.Grant{Permission: "sns:Publish", Resource: topic}
	pass := grant.Grant{Permission: "iam:PassRole", Resource: "arn:aws:iam::111122223333:role/worker"}
	missing := func(g grant.Grant) refusal.Denial {
		return refusal.Denial{Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: g.Permission, Resource: g.Resource}
	}
	opaque := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial}
	candidates := func(grants ...grant.Grant) (all []catalog.Candidate) {
		for _, g := range grants {
			all = append(all, catalog.Candidate{Permission: g.Permission, Resource: g.Resource})
		}
		return all
	}
	var (
		blocked   *BlockedError
		forbidden *ForbiddenError
		unread    *UnreadError
	)
	for _, tt := range []struct {
		name       string
		held       grant.Set
		denial     refusal.Denial
		candidates []catalog.Candidate
		rules      Rules
		want       Action
		grants     []grant.Grant
		why        any // what errors.As finds in it
	}{
		{name: "named", denial: missing(publish), want: Add, grants: []grant.Grant{publish}},
		{name: "held", held: grant.Of(publish), denial: missing(publish), want: Wait, grants: []grant.Grant{publish}},
		{name: "above the ceiling", denial: missing(publish), rules: Rules{Ceiling: []string{"ec2:*"}}, want: Stop, grants: []grant.Grant{publish}, why: &forbidden},
		{name: "only reading", denial: missing(publish), rules: Rules{ReadOnly: true}, want: Stop, grants: []grant.Grant{publish}, why: &forbidden},
		{name: "not approved", denial: missing(pass), want: Stop, grants: []grant.Grant{pass}, why: &forbidden},
		{name: "approved", denial: missing(pass), rules: Rules{Approve: []string{"iam:PassRole"}}, want: Add, grants: []grant.Grant{pass}},
		{name: "one candidate", denial: opaque, candidates: candidates(publish), want: Add, grants: []grant.Grant{publish}},
		{name: "a candidate that the rules forbid", denial: opaque, candidates: candidates(pass, publish), want: Add, grants: []grant.Grant{publish}, why: &forbidden},
		{name: "none that they allow", denial: opaque, candidates: candidates(pass), want: Stop, why: &forbidden},
		{name: "no candidate", denial: opaque, want: Stop, why: &unread},
		{name: "no place for it", denial: missing(grant.Grant{Permission: "sns:Publish", Resource: "jobs"}), want: Stop, why: &unread},
		{name: "an explicit deny", denial: refusal.Denial{Cloud: refusal.AWS, Reason: refusal.ExplicitDeny}, want: Stop, why: &blocked},
		{name: "a rate", denial: refusal.Denial{Cloud: refusal.AWS, Reason: refusal.QuotaOrRate}, want: Ignore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Of(tt.held, tt.denial, tt.candidates, false, tt.rules)
			if got.Action != tt.want || !slices.Equal(got.Grants, tt.grants) {
				t.Errorf("%v with %v, want %v with %v", got.Action, got.Grants, tt.want, tt.grants)
			}
			if (tt.why == nil) != (got.Why == nil) || tt.why != nil && !errors.As(got.Why, tt.why) {
				t.Errorf("because of %v, want %T", got.Why, tt.why)
			}
		})
	}
}
