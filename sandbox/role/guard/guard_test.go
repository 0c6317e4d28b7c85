package guard

import (
	"errors"
	"strings"
	"testing"
)

// Who may not probe is told how the place is marked, in that cloud's own words.
func TestHowTo(t *testing.T) {
	for kind, want := range map[string]string{"project": "gcloud projects update n ", "account": "aws iam create-account-alias", "subscription": "--resource-id /subscriptions/n "} {
		_, err := Check(Target{Kind: kind, Name: "n"}, "")
		var no *NotSandboxError
		if !errors.As(err, &no) || !strings.Contains(strings.Join(no.Hints(), "\n"), want) || !strings.Contains(no.Hints()[0], Mark) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestCheck(t *testing.T) {
	project := func(kv ...string) Target {
		t := Target{Kind: "project", Name: "acme-lab", Labels: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			t.Labels[kv[i]] = kv[i+1]
		}
		return t
	}
	account := func(aliases ...string) Target {
		return Target{Kind: "account", Name: "123456789012", Aliases: aliases}
	}
	for _, c := range []struct {
		name   string
		target Target
		named  string
		right  string // by which it may be probed
		why    string // or not
	}{
		{"not marked", project(), "", "", "is not marked as a sandbox"},
		{"other labels", project("team", "a", "env", "dev"), "", "", "is not marked as a sandbox"},
		{"marked", project(Mark, "true"), "", "whittle-sandbox=true", ""},
		{"marked by the key", project(Mark, ""), "", "whittle-sandbox=", ""},
		{"in another case, as tags may be", project("Whittle-Sandbox", "Yes"), "", "Whittle-Sandbox=Yes", ""},
		{"marked as none", project(Mark, "false"), "", "", "is marked as no sandbox"},
		{"a name does not outweigh that", project(Mark, "false"), "acme-lab", "", "is marked as no sandbox"},
		{"named", project(), "acme-lab", "--target-is-sandbox acme-lab", ""},
		{"named in part", project(), "acme", "", `is not "acme"`},
		{"named otherwise though marked", project(Mark, "true"), "acme", "", `is not "acme"`},
		{"production", project(Mark, "true", "env", "prod"), "", "", "is marked as production (env=prod)"},
		{"production and named", project("Environment", "Production"), "acme-lab", "", "(Environment=Production)"},
		{"production among words", project("stage", "eu-live-2"), "acme-lab", "", "(stage=eu-live-2)"},
		{"production as a key", project("production", "true"), "acme-lab", "", "(production=true)"},
		{"no production", project(Mark, "true", "production", "false", "env", "non-prod"), "", "whittle-sandbox=true", ""},
		{"before production", project(Mark, "true", "env", "pre-prod"), "", "whittle-sandbox=true", ""},
		{"another word", project(Mark, "true", "env", "product-tests"), "", "whittle-sandbox=true", ""},
		{"another key", project(Mark, "true", "team", "production"), "", "whittle-sandbox=true", ""},
		{"no alias", account(), "", "", "is not marked"},
		{"alias", account("acme-whittle-sandbox"), "", "alias acme-whittle-sandbox", ""},
		{"alias in part", account("acme-whittle-sandboxes"), "", "", "is not marked"},
		{"alias of production", account("acme-prod"), "123456789012", "", "(alias acme-prod)"},
		{"alias of both", account("prod-whittle-sandbox"), "", "", "(alias prod-whittle-sandbox)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			right, err := Check(c.target, c.named)
			if c.why == "" {
				if err != nil || right != c.right {
					t.Errorf("%q, %v; want %q", right, err, c.right)
				}
				return
			}
			var no *NotSandboxError
			if !errors.As(err, &no) || !strings.Contains(err.Error(), c.why) || len(no.Hints()) == 0 || !strings.HasSuffix(err.Error(), "nothing was touched") {
				t.Errorf("%q, %v; want %q", right, err, c.why)
			}
		})
	}
}
