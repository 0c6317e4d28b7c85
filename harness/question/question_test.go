package question

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// getRole is a request about a role of IAM.
func getRole(role string) refusal.Exchange {
	return refusal.Exchange{
		Method: "POST", URL: &url.URL{Scheme: "https", Host: "iam.amazonaws.com", Path: "/"},
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:   []byte("Action=GetRole&RoleName=" + role + "&Version=2010-05-08"), Status: 403,
	}
}

// among are the grants that are asked about.
func among(grants ...grant.Grant) func(grant.Grant, *Wanting) bool {
	set := grant.Of(grants...)
	return func(g grant.Grant, _ *Wanting) bool { return set.Has(g) }
}

func onRole(role string) grant.Grant {
	return grant.Grant{Permission: "iam:GetRole", Resource: "arn:aws:iam::123456789012:role/" + role}
}

// TestQuestions: requests of one class about two things are two questions, and a
// request that was not seen before belongs to the one whose thing it names.
func TestQuestions(t *testing.T) {
	seen := map[Key]*Wanting{}
	for _, role := range []string{"a", "b", "b-2025"} {
		x := getRole(role)
		seen[KeyOf(x)] = &Wanting{Class: "POST iam.amazonaws.com GetRole", Grants: grant.Of(onRole(role)), Reply: x}
	}
	rename := func(g grant.Grant) grant.Grant {
		g.Resource = strings.Replace(g.Resource, "b-2025", "b-*", 1)
		return g
	}
	qs := Of(seen, rename, among(onRole("a"), onRole("b"), onRole("b-*")))
	if len(qs) != 3 {
		t.Fatalf("%d questions, want 3", len(qs))
	}
	for role, want := range map[string]grant.Grant{"a": onRole("a"), "b": onRole("b"), "b-2025": onRole("b-*")} {
		if q := About(qs, getRole(role)); q == nil || !q.Grants.Equal(grant.Of(want)) {
			t.Errorf("a request about %s is about %v, want %v", role, q, want)
		}
	}
	// Another run has another end of the name, and the same question.
	if q := About(qs, getRole("zzz")); q == nil || !q.Grants.Equal(grant.Of(onRole("b-*"))) {
		t.Errorf("a request about a role with a made-up name is about %v", q)
	}
	// Where two would do, it is about neither.
	more := append(qs, &Question{Name: "any", Class: qs[0].Class, Grants: grant.Of(onRole("*"))})
	if q := About(more, getRole("zzz")); q != nil {
		t.Errorf("a request that may be about two is withheld for %v", q)
	}
	// What is no longer granted is not asked about.
	if qs := Of(seen, rename, among(onRole("a"))); len(qs) != 1 {
		t.Errorf("%d questions about one grant", len(qs))
	}
}

// What nobody can withhold is not asked about: a change to another protocol.
func TestNotAsked(t *testing.T) {
	x := getRole("a")
	x.Status = http.StatusSwitchingProtocols
	seen := map[Key]*Wanting{KeyOf(x): {Class: "GET", Grants: grant.Of(onRole("a")), Reply: x}}
	same := func(g grant.Grant) grant.Grant { return g }
	if qs := Of(seen, same, among(onRole("a"))); len(qs) != 0 {
		t.Errorf("%d questions about a WebSocket", len(qs))
	}
}

// Two questions of one class are told apart by the names that their conditions are on.
func TestAboutNames(t *testing.T) {
	on := func(name string) *Question {
		return &Question{Class: "GET compute.googleapis.com/compute/v1/projects/{}/zones/{}/disks/{}", Grants: grant.Of(grant.Grant{Permission: "compute.disks.get", Resource: "*",
			Condition: `{"==":{"resource.name":"projects/p/zones/z/disks/` + name + `"}}`})}
	}
	x := refusal.Exchange{URL: &url.URL{Host: "compute.googleapis.com", Path: "/compute/v1/projects/p/zones/z/disks/data-b"}}
	for name, want := range map[string]bool{"data-b": true, "data-a": false, "data": false} {
		if got := on(name).mayNeed(x); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
