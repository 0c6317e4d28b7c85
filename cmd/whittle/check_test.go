package main

import (
	"cmp"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/drift"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
)

// The records beside the examples are those of the examples as they stand: a
// check of them is done at once.
func TestExamplesUnchanged(t *testing.T) {
	files, err := filepath.Glob("../../docs/examples/*/whittle.lock*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			before, err := record.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			lc, err := lifecycle.Load(filepath.Join(filepath.Dir(file), "whittle.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			variant := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(file), ".json"), "whittle.lock")
			if lc, err = lc.Vary(cmp.Or(strings.TrimPrefix(variant, "."), lifecycle.Base)); err != nil {
				t.Fatal(err)
			}
			code, err := codeOf(lc, file, filepath.Join(lc.Dir, ".whittle"))
			if err != nil {
				t.Fatal(err)
			}
			// Another version of the tools is no change of the example.
			if why := concerned(lc, before, code, nil); code.digest != before.Inputs.Digest || len(why) > 0 {
				t.Errorf("changed: digest %s, recorded %s; %v", code.digest, before.Inputs.Digest, why)
			}
		})
	}
}

// After a change in one module of real Terraform code one run of the steps
// concerned tells what drifted, and which resource needs it.
func TestCheckTerraform(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform, the aws provider and moto")
	}
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("whittle.yaml", `cloud: aws
sandbox: embedded
reference: false
lifecycle:
  - {name: base,    phase: init,     terraform: {dir: base, command: apply}}
  - {name: apply,   phase: ongoing,  terraform: {dir: app, command: apply}}
  - {name: destroy, phase: teardown, terraform: {dir: base, command: destroy}}
`)
	const provider = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\", version = \"~> 5.0\" }\n  }\n}\nprovider \"aws\" { region = \"us-east-1\" }\n"
	const logs = "resource \"aws_cloudwatch_log_group\" \"jobs\" {\n  name = \"acme-jobs\"\n}\n"
	write("base/main.tf", provider+"resource \"aws_sns_topic\" \"alarms\" {\n  name = \"acme-alarms\"\n}\n")
	write("app/main.tf", provider+"module \"work\" {\n  source = \"../modules/jobs\"\n}\n")
	write("modules/jobs/main.tf", logs)
	whittle := func(args ...string) (int, string) {
		t.Helper()
		var stdout strings.Builder
		args = append(args, "--file", filepath.Join(dir, "whittle.yaml"))
		code := run(t.Context(), args, streams{in: strings.NewReader(""), out: &stdout, err: io.MultiWriter(testWriter{t})})
		return code, stdout.String()
	}
	if code, _ := whittle("probe", "--certify", "none"); code != exitDone {
		t.Fatalf("probe: exit %d", code)
	}
	write("modules/jobs/main.tf", logs+"resource \"aws_ssm_parameter\" \"late\" {\n  name  = \"/acme/late\"\n  type  = \"String\"\n  value = \"x\"\n}\n")
	code, out := whittle("check", "--json")
	if code != exitDrift {
		t.Fatalf("check: exit %d, want %d\n%s", code, exitDrift, out)
	}
	var r drift.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	did := map[string]drift.Did{}
	for _, s := range r.Steps {
		did[s.Name] = s.Did
		if s.Did != drift.NotRun && s.Runs != 1 {
			t.Errorf("step %s took %d runs, want 1", s.Name, s.Runs)
		}
	}
	if did["base"] != drift.Replayed || did["apply"] != drift.Checked || did["destroy"] != drift.NotRun {
		t.Errorf("steps: %v", did)
	}
	var permissions []string
	for _, n := range r.New {
		permissions = append(permissions, n.Permission)
		if n.Step != "apply" || !slices.Equal(n.Addresses, []string{"module.work.aws_ssm_parameter.late"}) {
			t.Errorf("%s of step %s is needed by %q, want the parameter of module work", n.Permission, n.Step, n.Addresses)
		}
	}
	if !slices.Contains(permissions, "ssm:PutParameter") || slices.Contains(permissions, "logs:CreateLogGroup") {
		t.Errorf("new are %q", permissions)
	}
	// Gone again, the record is enough again; open to all, the sandbox is none.
	write("modules/jobs/main.tf", logs+"# as it was\n")
	if code, out := whittle("check"); code != exitDone || !strings.HasPrefix(out, "changed, and no drift") {
		t.Errorf("check: exit %d\n%s", code, out)
	}
	if code, _ := whittle("check", "--gate", "open"); code == exitDone {
		t.Error("with the gate open the check says that the recorded roles are enough")
	}
}

// What certifying found that a step does as well without is no drift where the step is
// only replayed; where it is concerned, it may be.
func TestCheckOptional(t *testing.T) {
	entries := func(names ...string) []record.Entry {
		var all []record.Entry
		for _, n := range names {
			all = append(all, record.Entry{Permission: n, Resource: "*"})
		}
		return all
	}
	before := []record.Step{
		{Name: "apply", Grants: entries("ec2:A"), Optional: entries("ec2:B", "ec2:C")},
		{Name: "add", Grants: entries("ec2:A"), Optional: entries("ec2:B")},
	}
	found := []record.Step{
		{Name: "apply", Grants: entries("ec2:A", "ec2:B", "ec2:D")},
		{Name: "add", Grants: entries("ec2:A", "ec2:B")},
		{Name: "new", Grants: entries("ec2:B")},
	}
	got := withoutOptional(found, before, map[string]string{"add": "its code", "new": "new"})
	want := []record.Step{
		{Name: "apply", Grants: entries("ec2:A", "ec2:D")},
		{Name: "add", Grants: entries("ec2:A", "ec2:B")},
		{Name: "new", Grants: entries("ec2:B")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(found[0].Grants) != 3 {
		t.Error("what was found is changed")
	}
}
