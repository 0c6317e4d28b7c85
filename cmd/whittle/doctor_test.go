package main

import (
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// Go ignores SSL_CERT_FILE on macOS and Windows: Terraform and Packer would not trust
// the run's certificate there.
func TestTrusting(t *testing.T) {
	apply := lifecycle.Step{Name: "apply", Terraform: &lifecycle.Terraform{Command: "apply"}}
	build := lifecycle.Step{Name: "build", Packer: &lifecycle.Packer{}}
	push := lifecycle.Step{Name: "push", Command: []string{"make"}}
	for name, c := range map[string]struct {
		goos  string
		trust bool
		steps []lifecycle.Step
		state string
		next  string
	}{
		"linux":                       {"linux", false, []lifecycle.Step{apply}, checkOK, ""},
		"macOS":                       {"darwin", false, []lifecycle.Step{push, apply}, checkFail, "trust: output"},
		"macOS, packer":               {"darwin", false, []lifecycle.Step{build}, checkFail, "trust: output"},
		"macOS, which trusts output":  {"darwin", true, []lifecycle.Step{apply}, checkWarn, ""},
		"macOS, with a command alone": {"darwin", false, []lifecycle.Step{push}, checkWarn, ""},
		"windows":                     {"windows", false, []lifecycle.Step{apply}, checkFail, "Linux"},
	} {
		state, _, next, text := trusting(c.goos, lifecycle.Lifecycle{TrustOutput: c.trust, Steps: c.steps})
		if state != c.state || !strings.Contains(next, c.next) || strings.Contains(text, "%") {
			t.Errorf("%s: %s, %q, %q", name, state, text, next)
		}
	}
}

func TestSkew(t *testing.T) {
	for off, want := range map[time.Duration]string{0: checkOK, time.Second: checkOK, -20 * time.Second: checkOK, time.Minute: checkWarn, -3 * time.Minute: checkWarn, 5 * time.Minute: checkFail, -time.Hour: checkFail} {
		var d diagnosis
		if d.skew(off); len(d.Checks) != 1 || d.Checks[0].State != want {
			t.Errorf("%s: %+v", off, d.Checks)
		}
	}
}

// The environment's proxies are named without what lets one in.
func TestProxies(t *testing.T) {
	for name, c := range map[string]struct {
		environ     []string
		state, text string
	}{
		"none":             {[]string{"PATH=/bin", "HTTPS_PROXY="}, checkOK, "the environment names none"},
		"one":              {[]string{"https_proxy=http://ann:secret@proxy.example:3128"}, checkOK, "the run's own proxy goes out through https_proxy=http://proxy.example:3128"},
		"and what is not":  {[]string{"NO_PROXY=localhost", "HTTPS_PROXY=http://p:1"}, checkOK, "the run's own proxy goes out through HTTPS_PROXY=http://p:1, NO_PROXY=localhost"},
		"what is no proxy": {[]string{"HTTPS_PROXY=secret stuff"}, checkFail, "HTTPS_PROXY is no address of a proxy"},
	} {
		var d diagnosis
		if d.proxies(c.environ); len(d.Checks) != 1 || d.Checks[0].State != c.state || d.Checks[0].Text != c.text {
			t.Errorf("%s: %+v", name, d.Checks)
		}
	}
}
