package harness

import (
	"crypto/sha256"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/question"
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

// TestVain: a run in which the tool only asks again ends; one in which anything
// else happens, or nothing, does not.
func TestVain(t *testing.T) {
	key := func(s string) question.Key { return sha256.Sum256([]byte(s)) }
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
