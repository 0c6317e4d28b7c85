package lifecycle

import (
	"slices"
	"strings"
	"testing"
)

func TestVary(t *testing.T) {
	l, err := Parse("whittle.yaml", []byte(`cloud: aws
sandbox: embedded
lifecycle:
  - {name: create, phase: init, command: [dm, create], env: {A: "1"}}
  - {name: apply, phase: init, terraform: {command: apply, var: {x: 1, y: 1}, var_file: a.tfvars}}
variants:
  - {name: spot, steps: [{name: create, args: [--spot, 2], env: {A: "2"}}]}
  - {name: big, steps: [{name: apply, var: {x: big}, var_file: big.tfvars}], env: {A: "3"}}
  - {name: both, with: [spot, big]}
  - {name: more, with: both, env: {A: "4"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		options       []string
		command       string
		env, x, y     string
		variableFiles string
	}{
		Base:   {nil, "dm create", "1", "1", "1", "a.tfvars"},
		"spot": {[]string{"spot"}, "dm create --spot 2", "2", "1", "1", "a.tfvars"},
		"big":  {[]string{"big"}, "dm create", "3", "big", "1", "a.tfvars big.tfvars"},
		"both": {[]string{"big", "spot"}, "dm create --spot 2", "3", "big", "1", "a.tfvars big.tfvars"},
		"more": {[]string{"big", "more", "spot"}, "dm create --spot 2", "4", "big", "1", "a.tfvars big.tfvars"},
	} {
		if got := l.Options(name); !slices.Equal(got, want.options) {
			t.Errorf("%s: options %v, want %v", name, got, want.options)
		}
		v, err := l.Vary(name)
		if err != nil {
			t.Fatal(err)
		}
		create, apply := v.Steps[0], v.Steps[1].Terraform
		if got := strings.Join(create.Command, " "); got != want.command || create.Env["A"] != want.env {
			t.Errorf("%s: create runs %q with A=%s, want %q with A=%s", name, got, create.Env["A"], want.command, want.env)
		}
		if apply.Var["x"] != want.x || apply.Var["y"] != want.y || strings.Join(apply.VarFile, " ") != want.variableFiles {
			t.Errorf("%s: apply has %v and %v", name, apply.Var, apply.VarFile)
		}
	}
	if got := strings.Join(l.Steps[0].Command, " "); got != "dm create" || l.Steps[0].Env["A"] != "1" || l.Steps[1].Terraform.Var["x"] != "1" {
		t.Errorf("the lifecycle itself was changed: %v", l.Steps)
	}
	if _, err := l.Vary("sopt"); err == nil || !strings.Contains(err.Error(), `no variant "sopt" (did you mean "spot"?)`) {
		t.Errorf("an unknown variant: %v", err)
	}
}
