package harness

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// TestVerifyRefusesToHold: no verification begins in which something would be
// held, or answered by Whittle.
func TestVerifyRefusesToHold(t *testing.T) {
	l := &loop{Config: Config{Journal: nowhere{}}}
	for name, arb := range map[string]*arbiter{
		"holding":     {pass: passVerify, mode: hold},
		"collecting":  {pass: passVerify, mode: collect},
		"withholding": {pass: passVerify, mode: watch, withhold: &withholder{}},
		"marking":     {pass: passVerify, mode: watch, withhold: &marker{}},
	} {
		if _, err := l.attempt(t.Context(), lifecycle.Step{Name: "apply"}, arb, 1); err == nil || !strings.Contains(err.Error(), "a fault of Whittle's") {
			t.Errorf("%s: %v, want a refusal to start", name, err)
		}
	}
}

func entriesFor(grants ...grant.Grant) (entries []Entry) {
	for _, g := range grants {
		entries = append(entries, Entry{Grant: g, Necessity: Observed, Class: "POST iam.amazonaws.com GetRole"})
	}
	return entries
}

// getRole is a request about a role of IAM.
func getRole(role string) refusal.Exchange {
	return refusal.Exchange{
		Method: "POST", URL: &url.URL{Scheme: "https", Host: "iam.amazonaws.com", Path: "/"},
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:   []byte("Action=GetRole&RoleName=" + role + "&Version=2010-05-08"), Status: 403,
	}
}

func onRole(role string) grant.Grant {
	return grant.Grant{Permission: "iam:GetRole", Resource: "arn:aws:iam::123456789012:role/" + role}
}

// TestQuestions: requests of one class about two things are two questions, and a
// request that was not seen before belongs to the one whose thing it names.
func TestQuestions(t *testing.T) {
	seen := map[[sha256.Size]byte]*wanting{}
	for _, role := range []string{"a", "b", "b-2025"} {
		x := getRole(role)
		seen[requestKey(x)] = &wanting{class: "POST iam.amazonaws.com GetRole", grants: grant.Of(onRole(role)), reply: x}
	}
	rename := func(g grant.Grant) grant.Grant {
		g.Resource = strings.Replace(g.Resource, "b-2025", "b-*", 1)
		return g
	}
	qs := questions(seen, entriesFor(onRole("a"), onRole("b"), onRole("b-*")), rename)
	if len(qs) != 3 {
		t.Fatalf("%d questions, want 3", len(qs))
	}
	for role, want := range map[string]grant.Grant{"a": onRole("a"), "b": onRole("b"), "b-2025": onRole("b-*")} {
		if q := about(qs, getRole(role)); q == nil || !q.grants.Equal(grant.Of(want)) {
			t.Errorf("a request about %s is about %v, want %v", role, q, want)
		}
	}
	// Another run has another end of the name, and the same question.
	if q := about(qs, getRole("zzz")); q == nil || !q.grants.Equal(grant.Of(onRole("b-*"))) {
		t.Errorf("a request about a role with a made-up name is about %v", q)
	}
	// Where two would do, it is about neither.
	more := append(qs, &question{name: "any", class: qs[0].class, grants: grant.Of(onRole("*"))})
	if q := about(more, getRole("zzz")); q != nil {
		t.Errorf("a request that may be about two is withheld for %v", q)
	}
	// What is no longer granted is not asked about.
	if qs := questions(seen, entriesFor(onRole("a")), rename); len(qs) != 1 {
		t.Errorf("%d questions about one grant", len(qs))
	}
}

// TestVain: a run in which the tool only asks again ends; one in which anything
// else happens, or nothing, does not.
func TestVain(t *testing.T) {
	key := func(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
	for name, tt := range map[string]struct {
		do   func(v *vain, i int)
		ends bool
	}{
		"asks again":            {func(v *vain, _ int) { v.saw(key("a"), true) }, true},
		"asks for more":         {func(v *vain, i int) { v.saw(key("a"), true); v.saw(key(string(rune(i))), false) }, false},
		"is busy":               {func(*vain, int) {}, false},
		"waits for its own":     {func(v *vain, _ int) { v.saw(key("b"), false) }, false},
		"new ones, all refused": {func(v *vain, i int) { v.saw(key(string(rune(i))), true) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVain()
				defer v.end()
				for i := range 100 {
					tt.do(v, i)
					time.Sleep(time.Second)
				}
				ended := false
				select {
				case <-v.stop:
					ended = true
				default:
				}
				if ended != tt.ends {
					t.Errorf("ended %t, want %t", ended, tt.ends)
				}
			})
		})
	}
}

func TestLastWord(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"one\n":                  "one",
		"warning: a\nfatal: b\n": "fatal: b",
		"warning: a\ndeploy: googleapi: Error 403: b\nDetails:\n[\n  {\n    \"reason\": \"c\"\n  }\n]\n": "deploy: googleapi: Error 403: b\nDetails:\n[\n  {\n    \"reason\": \"c\"\n  }\n]",
		"fatal: b\n  at c\n\tat d":          "fatal: b\n  at c\n\tat d",
		"fatal: b\nmake: *** [all] Error 1": "make: *** [all] Error 1",
	} {
		if got := lastWord(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
