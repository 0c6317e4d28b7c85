package harness

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestLeast(t *testing.T) {
	a, b := Entry{Class: "A"}, Entry{Class: "B"}
	guess := Entry{Class: "A", Guess: true}
	tests := []struct{ there, e, want Entry }{{a, b, a}, {b, a, a}, {b, guess, b}, {guess, b, b}}
	for _, tt := range tests {
		if got := least(map[grant.Grant]Entry{{}: tt.there}, tt.e); got != tt.want {
			t.Errorf("least of %+v and %+v is %+v", tt.there, tt.e, got)
		}
	}
	if got := least(nil, b); got != b {
		t.Errorf("least of nothing and %+v is %+v", b, got)
	}
}

// Only a reply that is no refusal shows that a request was let through.
func TestWhatCountsAsLetThrough(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   bool
	}{
		{200, "", true},
		{404, "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>", true},
		{403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", false},
		{403, "what is this", false},
		{400, "<Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>", false},
		{503, "", false},
		{0, "", false},
	}
	for _, tt := range tests {
		l := &loop{Config: Config{Journal: nowhere{}, Pool: nobody{}}}
		arb := l.newArbiter(t.Context(), lifecycle.Step{Name: "s"}, passGrow, hold, Identity{Credentials: nobody{}}, setOf(nil))
		x := refusal.Exchange{Method: "GET", URL: &url.URL{Scheme: "https", Host: "artifacts.s3.us-east-1.amazonaws.com", Path: "/k"},
			Header: http.Header{}, Reply: http.Header{}, Status: tt.status, ReplyBody: []byte(tt.body)}
		arb.Observed(x, 0)
		if got := len(arb.through) == 1; got != tt.want {
			t.Errorf("%d %s: let through %t", tt.status, tt.body, got)
		}
	}
}

type nowhere struct{}

func (nowhere) Append(journal.Event) error { return nil }

type nobody struct{ Pool }

func (nobody) Env(context.Context) (map[string]string, error) { return nil, nil }
func (nobody) Issued(string) bool                             { return true }
func (nobody) Is(string) bool                                 { return true }

// A denial of another principal says nothing about this role, and an opaque
// refusal in verification of what is held in part is no proof.
func TestPutBackTrustsNoLateRefusal(t *testing.T) {
	put := catalog.Candidate{Permission: "s3:PutObject", Resource: "arn:aws:s3:::artifacts/app.zip"}
	acl := catalog.Candidate{Permission: "s3:PutObjectAcl", Resource: "arn:aws:s3:::artifacts/app.zip"}
	opaque := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial}
	rules := decide.Rules{Rehearsal: true}
	both := decide.Of(setOf(nil), opaque, []catalog.Candidate{put, acl}, false, rules)
	held := setOf([]Entry{{Grant: both.Grants[0]}})

	back, late, _ := putBack(held, []refused{{"PUT", opaque, decide.Of(held, opaque, []catalog.Candidate{put, acl}, false, rules), false}}, nil)
	if len(back) != 0 || late == nil {
		t.Errorf("held in part: put back %v, late %v", back, late)
	}
	// Refused again it is not late: the other is missing.
	back, late, _ = putBack(held, []refused{{"PUT", opaque, decide.Of(held, opaque, []catalog.Candidate{put, acl}, false, rules), false}}, map[string]bool{"PUT": true})
	if len(back) != 1 || back[0].Grant != both.Grants[1] || back[0].Necessity != Assumed || late != nil {
		t.Errorf("held in part, and refused again: put back %v, late %v", back, late)
	}
	back, _, _ = putBack(setOf(nil), []refused{{"PUT", opaque, both, false}}, nil)
	if len(back) != 2 || back[0].Necessity != Assumed {
		t.Errorf("held not at all: put back %v; want both, assumed", back)
	}
}

// What an interrupted run was granted under a name that it made up, and had no time
// to tell of, does not stay beside what this run needs under its own.
func TestCurrentForgetsNamesOfAnInterruptedRun(t *testing.T) {
	role := func(name string) grant.Grant {
		return grant.Grant{Permission: "iam:GetRole", Resource: "arn:aws:iam::123456789012:role/" + name}
	}
	const now, before = "app-20260102120000000100000001", "app-20260101120000000100000001"
	entries := []Entry{{Grant: role(before)}, {Grant: role(now)}, {Grant: role("application")}, {Grant: role("app-mine")},
		{Grant: grant.Grant{Permission: "iam:ListRoles", Resource: "arn:aws:iam::123456789012:role/" + before}}}
	l := newLoop(Config{Known: map[string]Known{"apply": {Entries: []Entry{entries[0], entries[2], entries[4]}}}})
	l.names[now] = "app-"
	got := l.current(&StepResult{Step: lifecycle.Step{Name: "apply"}, Entries: entries})
	want := []grant.Grant{role("app-*"), role("app-mine"), role("application"), entries[4].Grant}
	var have []grant.Grant
	for _, e := range got {
		have = append(have, e.Grant)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of one failed run it is not known which of its refusals it failed of, or whether
// of any: what is put back is not certified by it.
func TestPutBackProvesNothing(t *testing.T) {
	rules := decide.Rules{Rehearsal: true}
	var delivered []refused
	for _, p := range []string{"ec2:DescribeVpcs", "ec2:DescribeHosts"} {
		d := refusal.Denial{Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: p, Resource: "*"}
		delivered = append(delivered, refused{p, d, decide.Of(setOf(nil), d, nil, false, rules), false})
	}
	for n := range delivered {
		back, late, stopped := putBack(setOf(nil), delivered[:n+1], nil)
		if len(back) != n+1 || back[n].Necessity != Observed || late != nil || stopped != nil {
			t.Errorf("put back %v, %v, %v", back, late, stopped)
		}
	}
}

// What an interrupted run has certified is not asked about again, under a prefix
// neither.
func TestCurrentKeepsWhatWasCertified(t *testing.T) {
	role := func(name string) grant.Grant {
		return grant.Grant{Permission: "iam:GetRole", Resource: "arn:aws:iam::123456789012:role/" + name}
	}
	const now = "app-20260102120000000100000001"
	for _, n := range []Necessity{Certified, Observed} {
		l := newLoop(Config{Known: map[string]Known{"apply": {Entries: []Entry{{Grant: role("app-*"), Necessity: n}, {Grant: role("other"), Necessity: Certified}}}}})
		l.names[now] = "app-"
		got := l.current(&StepResult{Step: lifecycle.Step{Name: "apply"}, Entries: []Entry{{Grant: role(now), Necessity: Observed}, {Grant: role("other"), Necessity: Assumed}}})
		want := []Entry{{Grant: role("app-*"), Necessity: n}, {Grant: role("other"), Necessity: Certified}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("known as %s (-want +got):\n%s", n, diff)
		}
	}
}

func TestRenamed(t *testing.T) {
	const made, iam = "app-20260101120000000100000001", "arn:aws:iam::123456789012:"
	l := &loop{names: map[string]string{made: "app-"}}
	// Two names of one prefix become one grant, with the strongest evidence.
	l.names["app-20260101120000000100000009"] = "app-"
	got := l.renamed([]Entry{
		{Grant: grant.Grant{Permission: "iam:GetRole", Resource: iam + "role/" + made}, Necessity: Observed},
		{Grant: grant.Grant{Permission: "iam:GetRole", Resource: iam + "role/app-20260101120000000100000009"}, Necessity: Assumed},
	})
	if len(got) != 1 || got[0].Necessity != Observed || got[0].Grant.Resource != iam+"role/app-*" {
		t.Errorf("got %v", got)
	}
}
