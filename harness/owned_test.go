package harness

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// What is refused under a condition on tags that is in force has not the tags: it is
// granted without, and no sooner.
func TestOwnership(t *testing.T) {
	const own, vpcs = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0a1b", "arn:aws:ec2:us-east-1:123456789012:vpc/*"
	lc := lifecycle.Lifecycle{Cloud: "aws", Conditions: true, OwnedByTag: map[string]string{"team": "blue"}, Sandbox: lifecycle.Sandbox{Embedded: true}}
	l := newLoop(Config{Lifecycle: lc})
	step := lifecycle.Step{Name: "apply"}
	x := refusal.Exchange{Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "ec2.us-east-1.amazonaws.com", Path: "/"},
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte("Action=DeleteVpc&VpcId=vpc-0a1b")}
	d := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: "ec2:DeleteVpc", Resource: own}
	tagged := grant.Grant{Permission: "ec2:DeleteVpc", Resource: vpcs, Condition: `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`}
	plain := grant.Grant{Permission: "ec2:DeleteVpc", Resource: vpcs}

	shown := func(l *loop, s lifecycle.Step) decide.Rules {
		return l.newArbiter(t.Context(), s, passGrow, hold, Identity{}, grant.Set{}).shown(x)
	}
	asked := func(held grant.Set, want decide.Action, grants ...grant.Grant) {
		t.Helper()
		dec := decide.Of(held, d, nil, false, shown(l, step))
		if dec.Action != want || !slices.Equal(dec.Grants, grants) {
			t.Fatalf("%v and %v, want %v and %v", dec.Action, dec.Grants, want, grants)
		}
	}
	asked(grant.Set{}, decide.Add, tagged)
	asked(grant.Of(tagged), decide.Wait, tagged)
	late := func(grant.Grant, time.Duration) bool { return false }
	if l.ownership(step).Lack([]grant.Grant{tagged}, late) {
		t.Fatal("what is not in force shows nothing")
	}
	asked(grant.Of(tagged), decide.Wait, tagged)
	inForce := func(_ grant.Grant, after time.Duration) bool { return after < time.Second }
	if l.ownership(step).Lack([]grant.Grant{plain}, inForce) || !l.ownership(step).Lack([]grant.Grant{tagged}, inForce) {
		t.Fatal("what is refused under its condition has not the tags")
	}
	asked(grant.Of(tagged), decide.Add, plain)
	asked(grant.Of(tagged, plain), decide.Wait, plain)
	// Another step's requests are others.
	if dec := decide.Of(grant.Set{}, d, nil, false, shown(l, lifecycle.Step{Name: "destroy"})); !slices.Equal(dec.Grants, []grant.Grant{tagged}) {
		t.Errorf("another step: %v", dec.Grants)
	}
	// A resumed run knows it.
	resumed := newLoop(Config{Lifecycle: lc, Known: map[string]Known{"apply": {Entries: []Entry{{Grant: plain}}}}})
	if dec := decide.Of(grant.Set{}, d, nil, false, shown(resumed, step)); !slices.Equal(dec.Grants, []grant.Grant{plain}) {
		t.Errorf("resumed: %v", dec.Grants)
	}
	// Without conditions nothing has one.
	none := newLoop(Config{Lifecycle: lifecycle.Lifecycle{Cloud: "aws"}})
	if dec := decide.Of(grant.Set{}, d, nil, false, shown(none, step)); !slices.Equal(dec.Grants, []grant.Grant{plain}) {
		t.Errorf("no conditions: %v", dec.Grants)
	}
	// Having it without the condition means having it, and not the other way round.
	if !covers(plain, tagged) || covers(tagged, plain) || !covers(tagged, tagged) {
		t.Error("covers")
	}
}

// issuer has issued every credential.
type issuer struct{}

func (issuer) Env(context.Context) (map[string]string, error) { return nil, nil }
func (issuer) Issued(string) bool                             { return true }
func (issuer) Is(string) bool                                 { return true }

// A refusal that names nothing may be about what growth found that requests of its
// class need: what the role holds now no longer hints at it. Those of other classes
// are not.
func TestWhatWasTakenAwayIsKnownByItsClass(t *testing.T) {
	get := grant.Grant{Permission: "s3:GetObject", Resource: "arn:aws:s3:::artifacts/app.zip"}
	key := grant.Grant{Permission: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:123456789012:key/*"}
	x := refusal.Exchange{Method: http.MethodHead, URL: &url.URL{Scheme: "https", Host: "artifacts.s3.us-east-1.amazonaws.com", Path: "/app.zip"},
		Header: http.Header{}, Status: http.StatusForbidden, Reply: http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"R"}}}
	class := parsers.Class(x)
	for of, want := range map[string]int{class: 1, "GET something else": 0} {
		r := &StepResult{Step: lifecycle.Step{Name: "replan"}, Entries: []Entry{{Grant: get, Class: class}, {Grant: key, Class: of}}}
		l := newLoop(Config{Account: "123456789012", Lifecycle: lifecycle.Lifecycle{Cloud: "aws", Sandbox: lifecycle.Sandbox{Embedded: true}}})
		l.identities["replan"] = Identity{Name: "replan", Credentials: issuer{}}
		if got := l.missing(r, grant.Of(get), []grant.Grant{key})(x); len(got) != want || want > 0 && got[0] != key {
			t.Errorf("of %s: %v", of, got)
		}
	}
}
