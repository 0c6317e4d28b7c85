package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/whittle-iam/whittle/harness/goldentest"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The test binary is also the shim, and a terraform that does what the files
// in a folder say.
const fakeDir = "TERRAFORM_FAKE_DIR"

// A program with the race detector in it sleeps a second before it ends, and
// every command here is one or two of them.
const (
	quickExit  = "GORACE"
	quickExits = "atexit_sleep_ms=0"
)

func TestMain(m *testing.M) {
	if code, ok := proc.RunShim(os.Args, os.Environ()); ok {
		os.Exit(code)
	}
	if dir := os.Getenv(fakeDir); dir != "" {
		os.Exit(fake(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func fake(dir string, args []string) int {
	switch {
	case args[0] == "version":
		fmt.Println(`{"terraform_version": "1.11.4", "provider_selections": {"registry.terraform.io/hashicorp/aws": "5.100.0", "example.com/a/b": "1.0.0"}}`)
		return 0
	case args[0] == "init":
		return 0
	case args[0] == "state":
		fmt.Println(`{"resources": [{"mode": "managed", "instances": [{"attributes": {"name": "app-12345678", "name_prefix": "app-"}}]}]}`)
		return 0
	}
	j, _ := json.Marshal(struct{ Args, Env []string }{args, os.Environ()})
	_ = os.WriteFile(filepath.Join(dir, "call"), j, 0o644)
	for name, w := range map[string]io.Writer{"stdout": os.Stdout, "stderr": os.Stderr} {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		_, _ = w.Write(b)
	}
	code, _ := os.ReadFile(filepath.Join(dir, "code"))
	n, _ := strconv.Atoi(string(code))
	return n
}

// fakeConfig is a run of the fake.
func fakeConfig(t *testing.T, step lifecycle.Terraform, files map[string]string) (Config, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Binary: Binary{Path: self, Product: "terraform", Version: "1.11.4"},
		Shim:   self,
		Dir:    t.TempDir(),
		Step:   step,
		Env:    map[string]string{"PATH": "/usr/bin:/bin", fakeDir: dir, "KEY": "value", quickExit: quickExits},
	}, dir
}

// realConfig is a run of the terraform of this machine on a configuration.
func realConfig(t *testing.T, step lifecycle.Terraform, main string) Config {
	t.Helper()
	if testing.Short() {
		t.Skip("needs terraform")
	}
	bin, err := Find(t.Context(), lifecycle.Tool{}, func(string) {})
	if err != nil {
		t.Fatalf("these tests need terraform or tofu: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.tf"), main)
	env := proc.Environment(os.Environ())
	env["CHECKPOINT_DISABLE"], env[quickExit] = "1", quickExits
	return Config{Binary: bin, Shim: self, Dir: dir, Step: step, Env: env}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	c := Config{
		Binary: Binary{Path: "/bin/tofu", Product: "tofu", Version: "1.8.2"}, Shim: "/bin/whittle", Dir: "/copy/infra",
		Step: lifecycle.Terraform{Command: "apply", Target: []string{"module.a", "aws_vpc.b"}, VarFile: []string{"z.tfvars", "a.tfvars"},
			Var: map[string]string{"b": "2=2", "a": "1"}},
		Env: map[string]string{"HOME": "/root"}, Parallelism: 30,
	}
	got, err := build(c)
	if err != nil {
		t.Fatal(err)
	}
	want := invocation{
		exec: "/bin/whittle", dir: "/copy/infra", waitDelay: 60 * time.Second, command: "apply",
		env:  map[string]string{"HOME": "/root", "WHITTLE_SHIM_EXEC": "/bin/tofu", "WHITTLE_SHIM_GRACE": "45s"},
		vars: []string{"a=1", "b=2=2"}, varFiles: []string{"z.tfvars", "a.tfvars"}, targets: []string{"module.a", "aws_vpc.b"},
		parallelism: 30,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(invocation{})); diff != "" {
		t.Error(diff)
	}
	if len(c.Env) != 1 {
		t.Error("build changed the environment it was given")
	}
	c.Binary.Version, c.Env = "1.11.0-rc1", nil
	if got, err := build(c); err != nil || !got.jsonInit || got.env == nil {
		t.Errorf("1.11.0-rc1: %+v, %v", got, err)
	}
}

func TestBuildErrors(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"plan, apply or destroy":              func(c *Config) { c.Step.Command = "import" },
		"not an absolute path":                func(c *Config) { c.Dir = "infra" },
		`"a=b" cannot be`:                     func(c *Config) { c.Step.Var = map[string]string{"a=b": ""} },
		"version of":                          func(c *Config) { c.Binary.Version = "" },
		"TF_VAR_x: give it as `var: {x: …}`":  func(c *Config) { c.Env = map[string]string{"TF_VAR_x": "1", "TF_WORKSPACE": "w"} },
		"TF_WORKSPACE cannot be set for a te": func(c *Config) { c.Env = map[string]string{"TF_WORKSPACE": "w"} },
	} {
		c := Config{Binary: Binary{Path: "/t", Product: "terraform", Version: "1.11.4"}, Dir: "/d", Step: lifecycle.Terraform{Command: "plan"}}
		change(&c)
		if _, err := build(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// What Terraform gets to see, through terraform-exec and the shim.
func TestArgumentsAndEnvironment(t *testing.T) {
	t.Parallel()
	for command, fixed := range map[string][]string{
		"plan":    {"plan", "-input=false", "-json", "-detailed-exitcode", "-lock=false"},
		"apply":   {"apply", "-auto-approve", "-input=false", "-json", "-lock=true"}, // which is not asked for without
		"destroy": {"destroy", "-auto-approve", "-input=false", "-json", "-lock=true"},
	} {
		c, dir := fakeConfig(t, lifecycle.Terraform{Command: command, Target: []string{"module.a"}, VarFile: []string{"x.tfvars"},
			Var: map[string]string{"b": "2", "a": "1 1"}, Unlocked: true}, map[string]string{"code": "0"})
		c.Parallelism = 7
		res, err := Run(t.Context(), c)
		if err != nil || !res.OK {
			t.Fatalf("%+v, %v", res, err)
		}
		if made := command == "apply"; (res.Generated["app-12345678"] == "app-") != made {
			t.Errorf("%s: generated names %v", command, res.Generated)
		}
		var call struct{ Args, Env []string }
		b, err := os.ReadFile(filepath.Join(dir, "call"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &call); err != nil {
			t.Fatal(err)
		}
		args := " " + strings.Join(call.Args, " ") + " "
		for _, want := range append(fixed, "-parallelism=7", "-target=module.a", "-var-file=x.tfvars", "-var a=1 1 -var b=2") {
			if !strings.Contains(args, " "+want+" ") {
				t.Errorf("%s: no %s in %s", command, want, args)
			}
		}
		for _, kv := range call.Env {
			k, _, _ := strings.Cut(kv, "=")
			if !slices.Contains([]string{"PATH", fakeDir, "KEY", "CHECKPOINT_DISABLE", quickExit}, k) && !strings.HasPrefix(k, "TF_") {
				t.Errorf("%s: terraform sees %s", command, kv)
			}
		}
		if !slices.Contains(call.Env, "KEY=value") {
			t.Errorf("%s: terraform does not see what it was given: %q", command, call.Env)
		}
		want := map[string]string{"terraform": "1.11.4", "hashicorp/aws": "5.100.0", "example.com/a/b": "1.0.0"}
		if diff := cmp.Diff(want, res.Tools); diff != "" {
			t.Error(diff)
		}
	}
}

// What a real apply printed whose two resources were refused.
func TestRefusedApply(t *testing.T) {
	t.Parallel()
	lines, err := os.ReadFile("testdata/refused.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := fakeConfig(t, lifecycle.Terraform{Command: "apply"}, map[string]string{"stdout": string(lines), "stderr": "a warning\n", "code": "1"})
	var seen []Progress
	c.Progress = func(p Progress) { seen = append(seen, p) }
	res, err := Run(t.Context(), c)
	if err != nil || res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	if !strings.Contains(res.Output, "a warning\n") || !strings.Contains(res.Output, "aws_vpc.main: Creating...\n") {
		t.Errorf("output %q", res.Output)
	}
	got, err := json.MarshalIndent(struct {
		Diagnostics []Diagnostic
		Progress    []Progress
	}{res.Diagnostics, seen}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	goldentest.File(t, "testdata/refused.want.json", string(got)+"\n", *update)
}

func TestFailureWithoutDiagnostic(t *testing.T) {
	t.Parallel()
	c, _ := fakeConfig(t, lifecycle.Terraform{Command: "plan"}, map[string]string{"stderr": "panic: oh no\n", "code": "11"})
	res, err := Run(t.Context(), c)
	want := []Diagnostic{{Summary: "terraform ended with exit code 11 and no diagnostic", Detail: "panic: oh no"}}
	if err != nil || res.OK || !cmp.Equal(want, res.Diagnostics) {
		t.Errorf("%+v, %v", res, err)
	}
	// `plan -detailed-exitcode` says 2 for "there are changes".
	c, _ = fakeConfig(t, lifecycle.Terraform{Command: "plan"}, map[string]string{"code": "2"})
	if res, err := Run(t.Context(), c); err != nil || !res.OK {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, line string
		want       event
	}{
		{"not JSON", "Killed", event{text: "Killed"}},
		{"other JSON", `{"a":1}`, event{text: `{"a":1}`}},
		{"unknown type", `{"@message":"m","type":"new_in_2027","x":1}`, event{text: `{"@message":"m","type":"new_in_2027","x":1}`}},
		{"hook without address", `{"@message":"m","type":"apply_start","hook":{}}`, event{text: `{"@message":"m","type":"apply_start","hook":{}}`}},
		{"no hook", `{"@message":"m","type":"apply_start"}`, event{text: `{"@message":"m","type":"apply_start"}`}},
		{"no diagnostic", `{"@message":"m","type":"diagnostic"}`, event{text: `{"@message":"m","type":"diagnostic"}`}},
		{"progress", `{"@message":"m","type":"apply_progress","hook":{"resource":{"addr":"a.b"},"action":"create","elapsed_seconds":10}}`,
			event{text: "m", progress: &Progress{Kind: Running, Address: "a.b", Action: "create", Elapsed: 10 * time.Second}}},
		{"refresh", `{"@message":"m","type":"refresh_complete","hook":{"resource":{"addr":"a.b"}}}`,
			event{text: "m", progress: &Progress{Kind: Done, Address: "a.b", Action: "refresh"}}},
		{"warning", `{"@message":"Warning: s","type":"diagnostic","diagnostic":{"severity":"warning","summary":"s","detail":"d"}}`,
			event{text: "Warning: s\nd"}},
		{"error", `{"@message":"Error: s","type":"diagnostic","diagnostic":{"severity":"error","summary":"s","detail":"d","address":"a.b"}}`,
			event{text: "Error: s\nd", diagnostic: &Diagnostic{Summary: "s", Detail: "d", Address: "a.b"}}},
		{"outputs", `{"@message":"Outputs: 1","type":"outputs","outputs":{"o":{"value":"hush"}}}`, event{text: "Outputs: 1"}},
	} {
		if diff := cmp.Diff(test.want, parseLine([]byte(test.line)), cmp.AllowUnexported(event{}), cmpopts.IgnoreFields(event{}, "line")); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	lines, err := os.ReadFile("testdata/refused.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e := parseLine(line)
		if e.text == "" && e.progress == nil && e.diagnostic == nil && len(bytes.TrimSpace(line)) > 0 && !json.Valid(line) {
			t.Errorf("lost %q", line)
		}
		if e.progress != nil && e.progress.Address == "" {
			t.Errorf("progress of nothing from %q", line)
		}
		if !cmp.Equal(e, parseLine(line), cmp.AllowUnexported(event{})) {
			t.Errorf("%q reads differently the second time", line)
		}
	})
}

// However the lines are cut into writes, the same is read.
func TestReaderCuts(t *testing.T) {
	t.Parallel()
	lines, err := os.ReadFile("testdata/refused.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	read := func(size int) (out string, n int, errs []Diagnostic) {
		r := newReader(func(Progress) { n++ })
		for chunk := range slices.Chunk(bytes.TrimSuffix(lines, []byte("\n")), size) {
			_, _ = r.Write(chunk)
		}
		r.close()
		return r.output.String(), n, r.errors
	}
	out, n, errs := read(len(lines))
	if n != 6 || len(errs) != 2 {
		t.Fatalf("%d events, %d errors", n, len(errs))
	}
	for _, size := range []int{1, 7, 100, 4096} {
		o, m, e := read(size)
		if o != out || m != n || !cmp.Equal(e, errs) {
			t.Errorf("writes of %d bytes read differently", size)
		}
	}
	// A line that is too long is shown as it is.
	r := newReader(nil)
	_, _ = r.Write(bytes.Repeat([]byte("x"), proc.MaxLine+1))
	if r.output.String() == "" {
		t.Error("a line without an end is lost")
	}
	// Nor do errors without end.
	r = newReader(nil)
	for i := range 100_000 {
		_, _ = fmt.Fprintf(r, `{"@level":"error","@message":"x","type":"diagnostic","diagnostic":{"severity":"error","summary":"no %d","detail":""}}`+"\n", i)
	}
	if len(r.errors) != maxErrors {
		t.Errorf("%d errors are kept", len(r.errors))
	}
}

const stack = `
variable "text" { type = string }
resource "terraform_data" "first" { input = var.text }
resource "terraform_data" "second" {
  input = terraform_data.first.output
  lifecycle {
    precondition {
      condition     = var.text != "bad"
      error_message = "told to fail"
    }
  }
}
`

func TestRealLife(t *testing.T) {
	t.Parallel()
	step := lifecycle.Terraform{Command: "plan", Var: map[string]string{"text": "good"}}
	c := realConfig(t, step, stack)
	run := func(command string) (Result, []Progress) {
		t.Helper()
		var seen []Progress
		c.Step.Command = command
		c.Progress = func(p Progress) { p.Elapsed = 0; seen = append(seen, p) }
		res, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return res, seen
	}

	res, seen := run("plan")
	if !res.OK || res.Tools["terraform"]+res.Tools["tofu"] != c.Binary.Version {
		t.Fatalf("plan: %+v", res)
	}
	if diff := cmp.Diff([]Progress{
		{Kind: Planned, Address: "terraform_data.first", Action: "create"},
		{Kind: Planned, Address: "terraform_data.second", Action: "create"},
	}, seen); diff != "" {
		t.Error(diff)
	}
	if res.Facts["plan.terraform_data.first"] != "create" || !strings.HasPrefix(res.Facts["plan"], "2 to add, 0 to change") {
		t.Errorf("plan's facts: %v", res.Facts)
	}
	if need, err := needsInit(c.Dir); need || err != nil {
		t.Errorf("init again: %v, %v", need, err)
	}

	if res, seen = run("apply"); !res.OK || !strings.HasPrefix(res.Facts["terraform_data.second.id"], "sha256:") || !slices.Contains(seen, Progress{Kind: Done, Address: "terraform_data.second", Action: "create"}) {
		t.Errorf("apply: %+v, %v", res, seen)
	}

	c.Step.Var = map[string]string{"text": "bad"}
	res, _ = run("apply")
	if res.OK || !cmp.Equal(res.Diagnostics, []Diagnostic{{Summary: "Resource precondition failed", Detail: "told to fail"}},
		cmpopts.IgnoreFields(Diagnostic{}, "Address")) {
		t.Errorf("bad apply: %+v", res)
	}

	c.Step.Var, c.Step.Target = step.Var, []string{"terraform_data.second"}
	if res, seen = run("destroy"); !res.OK || slices.ContainsFunc(seen, func(p Progress) bool {
		return p.Kind == Done && p.Action == "delete" && strings.HasSuffix(p.Address, "first")
	}) {
		t.Errorf("destroy of one: %+v, %v", res, seen)
	}
	c.Step.Target = nil
	if res, seen = run("destroy"); !res.OK || res.Facts != nil || !slices.Contains(seen, Progress{Kind: Done, Address: "terraform_data.first", Action: "delete"}) {
		t.Errorf("destroy: %+v, %v", res, seen)
	}
}

func TestRealInit(t *testing.T) {
	t.Parallel()
	// A backend: init comes first each time.
	c := realConfig(t, lifecycle.Terraform{Command: "plan"}, `
terraform {
  backend "local" { path = "elsewhere.tfstate" }
}
resource "terraform_data" "a" {}
`)
	if res, err := Run(t.Context(), c); err != nil || !res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	if need, err := needsInit(c.Dir); !need || err != nil {
		t.Errorf("no init although there is a backend: %v", err)
	}
	// An init that fails is the step's failure, and is not taken for done.
	c = realConfig(t, lifecycle.Terraform{Command: "plan"}, `module "gone" { source = "./nowhere" }`)
	res, err := Run(t.Context(), c)
	if err != nil || res.OK || len(res.Diagnostics) == 0 || !strings.Contains(res.Diagnostics[0].Summary, "module") {
		t.Errorf("%+v, %v", res, err)
	}
	if need, err := needsInit(c.Dir); !need || err != nil {
		t.Errorf("a failed init was taken for done: %v", err)
	}
	if _, err := needsInit(filepath.Join(c.Dir, "none")); err == nil {
		t.Error("a missing root module is no error")
	}
}

func TestRealInterrupt(t *testing.T) {
	t.Parallel()
	c := realConfig(t, lifecycle.Terraform{Command: "apply"}, `
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "echo $$ > pid; exec sleep 600" }
}
`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pidFile := filepath.Join(c.Dir, "pid")
	go func() {
		for ctx.Err() == nil {
			if b, err := os.ReadFile(pidFile); err == nil && bytes.HasSuffix(b, []byte("\n")) {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	res, err := Run(ctx, c)
	if !errors.Is(err, context.Canceled) || res.OK {
		t.Fatalf("%+v, %v", res, err)
	}
	if !strings.Contains(res.Output, "Interrupt") {
		t.Errorf("terraform was not asked to stop: %q", res.Output)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestRunCancelledBefore(t *testing.T) {
	t.Parallel()
	c, dir := fakeConfig(t, lifecycle.Terraform{Command: "apply"}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "call")); err == nil {
		t.Error("terraform ran")
	}
	c.Shim = filepath.Join(dir, "none")
	if _, err := Run(t.Context(), c); err == nil || errors.As(err, new(*exec.ExitError)) {
		t.Errorf("no shim: %v", err)
	}
}

// Terraform's init prints what is wrong with a configuration twice; people read it
// once.
func TestDiagnosticOnce(t *testing.T) {
	const line = `{"@level":"error","@message":"Error: s","type":"diagnostic","diagnostic":{"severity":"error","summary":"s","detail":"d"}}` + "\n"
	r := newReader(nil)
	if _, err := r.Write([]byte(line + strings.Replace(line, `"d"`, `"e"`, 1) + line)); err != nil {
		t.Fatal(err)
	}
	if want := []Diagnostic{{Summary: "s", Detail: "d"}, {Summary: "s", Detail: "e"}}; !slices.Equal(r.errors, want) {
		t.Errorf("got %+v, want %+v", r.errors, want)
	}
}

// When it was at work on what is told by its own clock.
func TestSpans(t *testing.T) {
	hook := func(second int, kind, address string) string {
		return fmt.Sprintf(`{"@message":"m","@timestamp":"2026-01-01T00:00:%02d.500000Z","type":"apply_%s","hook":{"resource":{"addr":%q},"action":"create"}}`+"\n", second, kind, address)
	}
	r := newReader(nil)
	if _, err := r.Write([]byte(hook(1, "start", "a.b") + hook(2, "start", "c.d") + hook(3, "progress", "a.b") + hook(4, "complete", "a.b"))); err != nil {
		t.Fatal(err)
	}
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 0, 0, second, 5e8, time.UTC) }
	if want := []Span{{"a.b", at(1), at(4)}, {"c.d", at(2), time.Time{}}}; !slices.Equal(r.spans, want) {
		t.Errorf("got %v, want %v", r.spans, want)
	}
}
