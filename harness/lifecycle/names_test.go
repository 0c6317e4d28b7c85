package lifecycle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const namedFile = `cloud: aws
sandbox: embedded
names: {prefix: acme, zone: example.com}
lifecycle:
  - {name: apply, phase: init, env: {NAME: "{prefix}"}, terraform: {command: apply, var: {name: "{prefix}-x", json: '{"a": "{other}"}'}}}
  - {name: push, phase: ongoing, command: [push, "{prefix}.{zone}"]}
`

func TestNamed(t *testing.T) {
	l, err := Parse("whittle.yaml", []byte(namedFile))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Named(map[string]string{"prefix": "beta"})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]string{"NAME": "beta"}, map[string]string{"name": "beta-x", "json": `{"a": "{other}"}`}, []string{"push", "beta.example.com"}, map[string]string{"prefix": "beta", "zone": "example.com"}}
	if diff := cmp.Diff(want, []any{got.Steps[0].Env, got.Steps[0].Terraform.Var, got.Steps[1].Command, got.Names}); diff != "" {
		t.Error(diff)
	}
	if l.Names["prefix"] != "acme" || l.Steps[0].Env["NAME"] != "{prefix}" || l.Steps[1].Command[1] != "{prefix}.{zone}" || l.Steps[0].Terraform.Var["name"] != "{prefix}-x" {
		t.Error("Named changed the lifecycle it was called on")
	}
	for want, other := range map[string]map[string]string{
		`did you mean "prefix"`: {"prefx": "beta"}, "it has prefix, zone, no others": {"quite-else": "beta"}, "3 to 63": {"prefix": "x*"},
	} {
		if _, err := l.Named(other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", other, err, want)
		}
	}
}

// The tags of what is the lifecycle's own can hold names, in their keys too, and stay
// as many as they are.
func TestNamedTags(t *testing.T) {
	const file = `cloud: aws
sandbox: embedded
names: {cluster: acme}
owned_by_tag: {"k8s/{cluster}": owned, "k8s/beta": "{cluster}"}
lifecycle:
  - {name: apply, phase: init, terraform: {command: apply}}
`
	l, err := Parse("whittle.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Named(nil)
	if diff := cmp.Diff(map[string]string{"k8s/acme": "owned", "k8s/beta": "acme"}, got.OwnedByTag); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if _, ok := l.OwnedByTag["k8s/{cluster}"]; !ok {
		t.Error("Named changed the lifecycle it was called on")
	}
	if _, err := l.Named(map[string]string{"cluster": "beta"}); err == nil || !strings.Contains(err.Error(), "the tag k8s/beta twice") {
		t.Errorf("two tags of one key: %v", err)
	}
}

// What the names are is not what the lifecycle needs.
func TestDigestWithoutNames(t *testing.T) {
	digest := func(text string) string {
		l, err := Parse("whittle.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		l.Dir = t.TempDir()
		d, err := Digest(l)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if digest(namedFile) != digest(strings.ReplaceAll(namedFile, "acme", "beta")) {
		t.Error("another prefix, another digest")
	}
	if digest(namedFile) == digest(strings.ReplaceAll(namedFile, "{prefix}-x", "{prefix}-y")) {
		t.Error("another variable, the same digest")
	}
}
