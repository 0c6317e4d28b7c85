package lifecycle

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// stepDigests writes files into a new folder and gives the digests of its steps.
func stepDigests(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Load(filepath.Join(dir, "whittle.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	digests, err := StepDigests(l)
	if err != nil {
		t.Fatal(err)
	}
	return digests
}

// A change concerns the steps that use what changed, and no other.
func TestStepDigests(t *testing.T) {
	const yaml = `cloud: aws
sandbox: embedded
lifecycle:
  - {name: image, phase: init, packer: {template: image.pkr.hcl, var_file: image.pkrvars.hcl}}
  - {name: apply, phase: init, terraform: {command: apply}}
  - {name: update, phase: ongoing, terraform: {command: apply, var_file: changed.tfvars}}
  - {name: net, phase: ongoing, terraform: {dir: net, command: apply}}
  - {name: push, phase: ongoing, command: [sh, push.sh], uses: [push.sh, app]}
  - {name: any, phase: ongoing, command: [make, all]}
`
	base := map[string]string{
		"whittle.yaml":       yaml,
		"image.pkr.hcl":      `source "x" "y" { script = "scripts/setup.sh" }` + "\n",
		"image.pkrvars.hcl":  "a = 1\n",
		"scripts/setup.sh":   "true\n",
		"main.tf":            "module \"q\" { source = \"./modules/q\" }\n",
		"modules/q/q.tf":     "resource \"a\" \"b\" {}\n",
		"terraform.tfvars":   "x = 1\n",
		"changed.tfvars":     "x = 2\n",
		"net/net.tf":         "module \"v\" { source = \"../shared/v\" }\n",
		"shared/v/v.tf":      "# v\n",
		"push.sh":            "true\n",
		"app/main.go":        "package main\n",
		"docs/unrelated.txt": "x\n",
	}
	before := stepDigests(t, base)
	for _, c := range []struct {
		name, file, data string
		want             []string
	}{
		{"a template", "image.pkr.hcl", "# other\n", []string{"any", "image"}},
		{"a file that the template names", "scripts/setup.sh", "false\n", []string{"any", "apply", "image", "update"}}, // it lies in the root module's folder too
		{"a packer variable file", "image.pkrvars.hcl", "a = 2\n", []string{"any", "image"}},
		{"a module", "modules/q/q.tf", "# other\n", []string{"any", "apply", "update"}},
		{"variables read without being named", "terraform.tfvars", "x = 3\n", []string{"any", "apply", "update"}},
		{"variables that one step names", "changed.tfvars", "x = 3\n", []string{"any", "update"}},
		{"a module outside the root's folder", "shared/v/v.tf", "# w\n", []string{"any", "apply", "net", "update"}}, // below the first root's folder
		{"what a command says it uses", "app/main.go", "package app\n", []string{"any", "apply", "push", "update"}},
		{"a step's own words", "whittle.yaml", yaml[:len(yaml)-len("[make, all]}\n")] + "[make, some]}\n", []string{"any"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(base)
			files[c.file] = c.data
			after := stepDigests(t, files)
			var changed []string
			for _, name := range slices.Sorted(maps.Keys(after)) {
				if after[name] != before[name] {
					changed = append(changed, name)
				}
			}
			if !slices.Equal(changed, c.want) {
				t.Errorf("changed are %v, want %v", changed, c.want)
			}
		})
	}
}

// What the code's text does not settle counts as anything in the folder.
func TestStepDigestsReachingOut(t *testing.T) {
	const yaml = `cloud: aws
sandbox: embedded
lifecycle:
  - {name: a, phase: init, %s}
`
	terraform, packer := `terraform: {dir: infra, command: apply}`, `packer: {template: infra/t.pkr.hcl}`
	for _, c := range []struct {
		name, step, file, data string
		whole                  bool
	}{
		{"nothing", terraform, "infra/main.tf", `resource "a" "b" {}`, false},
		{"a local module", terraform, "infra/main.tf", `module "m" { source = "../m" }`, false},
		{"a registry's module", terraform, "infra/main.tf", `module "m" { source = "hashicorp/consul/aws" }`, false},
		{"a file above", terraform, "infra/main.tf", `resource "a" "b" { x = file("${path.module}/../other.txt") }`, true},
		{"a file above, beside a module", terraform, "infra/main.tf", "module \"m\" { source = \"../m\" }\nlocals { x = file(\"../other.txt\") }", true},
		{"the folder it runs in", terraform, "infra/main.tf", `locals { x = path.cwd }`, true},
		{"a module that reads above", terraform, "m/m.tf", `locals { x = file("../other.txt") }`, false}, // not called
		{"a broken file", terraform, "infra/main.tf", `resource {`, true},
		{"JSON", terraform, "infra/main.tf.json", `{}`, true},
		{"a template", packer, "infra/t.pkr.hcl", `source "a" "b" { script = "${path.root}/x.sh" }`, false},
		{"a template's pattern", packer, "infra/t.pkr.hcl", `locals { x = fileset("/srv", "*.sh") }`, true},
		{"a template that reads above", packer, "infra/t.pkr.hcl", `locals { x = file("../other.txt") }`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{
				"whittle.yaml": fmt.Sprintf(yaml, c.step), "other.txt": "1", "m/m.tf": "# m", "infra/x.sh": "true", "infra/t.pkr.hcl": "# t", "infra/main.tf": "# main",
			}
			files[c.file] = c.data
			before := stepDigests(t, files)
			files["other.txt"] = "2"
			if whole := stepDigests(t, files)["a"] != before["a"]; whole != c.whole {
				t.Errorf("another file of the folder counts: %t, want %t", whole, c.whole)
			}
		})
	}
}
