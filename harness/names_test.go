package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

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
