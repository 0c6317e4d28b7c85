package expr

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNeed(t *testing.T) {
	for source, want := range map[string]need{
		`not\s+authorized\s+to`:               {{any: []string{"authorized"}}},
		`[Cc]aller(?: is)? denied`:            {{any: []string{" denied"}}, {any: []string{"aller"}}},
		`AccessDenied|Forbidden`:              {{any: []string{"AccessDenied", "Forbidden"}}},
		`AccessDenied|\w+`:                    nil,
		`(?i)Access denied`:                   {{any: []string{"access denied"}, folded: true}},
		`(?i)é denied`:                        nil,
		`(?:denied){2}(?:never)*(?:nor)?`:     {{any: []string{"denied"}}},
		`(?:denied){0,2}`:                     nil,
		`(?i:tok) has|expired`:                {{any: []string{" has", "expired"}}},
		`(?i:token)\s+(?:ha)?|expired`:        nil,
		`(permission) (?:to|for) \[[a-z]+\]?`: {{any: []string{"permission"}}},
	} {
		if diff := cmp.Diff(want, needOf(source), cmp.AllowUnexported(set{})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", source, diff)
		}
	}
}

// What is found is what regexp finds, whatever the text.
func TestFindsTheSame(t *testing.T) {
	sources := []string{
		`(?i)\bThe (?:provided )?token has expired|SSO session`, `(?:\w+\s+)?[Nn]ot\s+authorized(?: to)?`, `(?i)ſession|masſ`, `(?i)ticket\s+denied`, `a*`, `(Access)?Denied|denied{2,}`,
	}
	part := rapid.OneOf(rapid.StringN(0, 5, 10), rapid.SampledFrom([]string{
		"the token has expired", "SSO SESSION", "SſO ſeſſion", "not", "Not", " ", "\n", "authorized to", "Tic\u212aet", "TICKET", "denied", "Denied", "deniedd", "Access", "mass",
	}))
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, p := range rapid.SliceOfN(part, 0, 12).Draw(t, "parts") {
			text += p
		}
		for _, source := range sources {
			got, want := New(source).FindAllStringSubmatchIndex(text, -1), regexp.MustCompile(source).FindAllStringSubmatchIndex(text, -1)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s in %q: -want +got:\n%s", source, text, diff)
			}
			if got := New(source).FindAllStringIndex(text, -1); len(got) != len(want) {
				t.Fatalf("%s in %q: %v, want %v", source, text, got, want)
			}
			if got := New(source).FindAllStringSubmatch(text, 1); len(got) != min(1, len(want)) {
				t.Fatalf("%s in %q: %v, want %v", source, text, got, want)
			}
		}
	})
}

func TestWrongPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a wrong expression does not panic")
		}
	}()
	New(`(denied`).FindAllStringSubmatch("denied", -1)
}
