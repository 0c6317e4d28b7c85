package gcp

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// What is printed is read back, whatever YAML could take a title for.
func TestParseOfPrint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.SampledFrom([]string{"", "true", "No", "~", "1e3", "- a", "a: b", "a #b", "'", `"`, "|", "&a", "*a", "{}", " a", "a ", "a\nb", "ü", "0x1f", "2026-01-01"}), rapid.StringN(0, 40, 100))
		want := Role{
			Title: text.Draw(t, "title"), Description: text.Draw(t, "description"), Stage: "GA", Name: text.Draw(t, "name"),
			Permissions: rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,5}\.[a-zA-Z]{1,5}\.[a-z]{1,5}`), 1, 5).Draw(t, "permissions"),
		}
		got, err := Parse(want.Print())
		if err != nil {
			t.Fatalf("%v\n%s", err, want.Print())
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Role{}, "Lines")); diff != "" {
			t.Fatalf("%s\n%s", diff, want.Print())
		}
	})
}

// The parts together hold the role, in its order, and each is within both limits.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Role{Title: "role", Description: "what it is for", Stage: "GA"}
		length := rapid.IntRange(1, 90).Draw(t, "length")
		for i := range rapid.IntRange(1, 7000).Draw(t, "permissions") {
			r.Permissions = append(r.Permissions, strings.Repeat("x", 1+i%length)+".a.b")
		}
		parts, err := Split(r)
		if err != nil {
			t.Fatal(err)
		}
		var back []string
		titles := map[string]bool{}
		for _, p := range parts {
			if p.Size() > SizeLimit || len(p.Permissions) > PermissionLimit || len(p.Title) > TitleLimit || titles[p.Title] {
				t.Fatalf("%d bytes, %d permissions, %q", p.Size(), len(p.Permissions), p.Title)
			}
			titles[p.Title] = true
			back = append(back, p.Permissions...)
		}
		if !slices.Equal(back, r.Permissions) {
			t.Fatalf("%d permissions of %d", len(back), len(r.Permissions))
		}
	})
	for _, r := range []Role{{Title: strings.Repeat("x", 101)}, {Title: "x", Description: strings.Repeat("x", 257)}, {Title: strings.Repeat("x", 99), Permissions: make([]string, 3001)}} {
		if _, err := Split(r); err == nil {
			t.Errorf("a title of %d bytes and a description of %d are taken", len(r.Title), len(r.Description))
		}
	}
}

func TestIsPermission(t *testing.T) {
	for s, want := range map[string]bool{
		"compute.networks.create": true, "iam.googleapis.com/workforcePools.create": true, "compute.*": true, "resourcemanager.projects.getIamPolicy": true,
		"": false, "compute": false, "Compute.networks.create": false, "compute networks create": false, "sqs:SendMessage": false, "Microsoft.Compute/disks/read": false, "a/b": false,
	} {
		if IsPermission(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}
