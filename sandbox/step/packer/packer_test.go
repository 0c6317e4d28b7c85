package packer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

func TestBuildCommand(t *testing.T) {
	t.Parallel()
	c := Config{
		Binary: Binary{Path: "/bin/packer"}, Plugins: "/run/plugins", Private: "/run/private", Dir: "/copy",
		Step: lifecycle.Packer{Template: "-odd.pkr.hcl", VarFile: []string{"a.pkrvars.hcl"}, Var: map[string]string{"size": "10", "name": "x=y"}},
		Env:  map[string]string{"HOME": "/home/op"},
	}
	got, err := build(c)
	want := proc.Command{
		Path: "/bin/packer", Dir: "/copy", Grace: DefaultGrace,
		Args: []string{"build", "-machine-readable", "-color=false", "-var-file=a.pkrvars.hcl", "-var", "name=x=y", "-var", "size=10", "./-odd.pkr.hcl"},
		Env: map[string]string{"HOME": "/home/op", "PACKER_PLUGIN_PATH": "/run/plugins", "PACKER_CONFIG_DIR": "/run/private",
			"PACKER_CACHE_DIR": "/run/private/cache", "PACKER_NO_COLOR": "1", "CHECKPOINT_DISABLE": "1"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if len(c.Env) != 1 {
		t.Error("the environment that was handed in was changed")
	}
	for want, change := range map[string]func(*Config){
		"not an absolute path": func(c *Config) { c.Dir = "copy" },
		"no template":          func(c *Config) { c.Step.Template = "" },
		"name of a variable":   func(c *Config) { c.Step.Var = map[string]string{"a b": ""} },
	} {
		bad := c
		change(&bad)
		if _, err := build(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]line{
		"panic: oh no": {text: "panic: oh no"},
		"12,not,known": {build: "not"},
		"1795604576,,ui,say,==> null.a: hello%!(PACKER_COMMA) world": {kind: lineSaid, text: "==> null.a: hello, world"},
		`1,,ui,error,\n==> Some builds failed`:                       {kind: lineSaidError, text: "==> Some builds failed", message: "\n==> Some builds failed"},
		`1,null.a,error,bad%!(PACKER_COMMA)\nvery`:                   {kind: lineError, build: "null.a", message: "bad,\nvery"},
		"1,null.a,artifact,0,id,us-east-1:ami-1":                     {build: "null.a", artifact: "us-east-1:ami-1", fact: "artifact.null.a.0.id", value: "us-east-1:ami-1"},
		"1,null.a,artifact,0,builder-id,mitchellh.amazonebs":         {build: "null.a", fact: "artifact.null.a.0.builder-id", value: "mitchellh.amazonebs"},
		"1,null.a,artifact,0,file,1,out/b,12":                        {build: "null.a", fact: "artifact.null.a.0.file.1", value: "out/b"},
		"1,null.a,artifact,0,string,AMIs were created: ami-1":        {build: "null.a"},
		"1,null.a,artifact,0,end":                                    {build: "null.a"},
		"1,,ui":                                                      {},
		"a,b":                                                        {text: "a,b"},
	} {
		if diff := cmp.Diff(want, parseLine(raw), cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("%q: %s", raw, diff)
		}
	}
}

func TestTemporaryNames(t *testing.T) {
	t.Parallel()
	const id = "6b06ec85-accc-6e59-2d0c-b4041682e27e"
	r := newReader(nil)
	for _, text := range []string{
		"==> amazon-ebs.a: Creating temporary keypair: packer_" + id,
		"==> amazon-ebs.a: Creating temporary instance profile for this instance: packer-" + id,
		"    amazon-ebs.a: acme_" + id + " " + id + " packer_worker packer_" + id + "0",
		"    amazon-ebs.a: packer_%!(PACKER_COMMA)" + id,
	} {
		r.line("1,,ui,say," + text)
	}
	r.line("1,amazon-ebs.a,artifact,0,id,packer_" + strings.ReplaceAll(id, "6", "7"))
	want := map[string]string{"packer_" + id: "packer_", "packer-" + id: "packer-"}
	if diff := cmp.Diff(want, r.temporary); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{"1,,ui,say,==> a.b: x", "1,a.b,error,x%!(PACKER_COMMA)y", "1,a,artifact,0,id,z", "no"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l := parseLine(raw)
		if !cmp.Equal(l, parseLine(raw), cmp.AllowUnexported(line{})) {
			t.Errorf("%q reads differently the second time", raw)
		}
		if d := l.diagnostic(); strings.Contains(d.Summary, "\n") {
			t.Errorf("a summary of two lines from %q", raw)
		}
		if !strings.Contains(raw, ",") && strings.ToValidUTF8(strings.TrimRight(raw, "\r"), "\uFFFD") != l.text {
			t.Errorf("lost %q", raw)
		}
	})
}

// What Packer said when EC2 refused a launch: the build's own error is the
// diagnostic, and what is printed for people besides it is not a second one.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	const printed = `1,,ui,say,==> amazon-ebs.base: Launching a source AWS instance...
1,,ui,error,==> amazon-ebs.base: Error launching source instance: UnauthorizedOperation: no
1,,ui,error,Build 'amazon-ebs.base' errored after 1 second: Error launching source instance: UnauthorizedOperation: no
1,,error-count,1
1,amazon-ebs.base,error,Error launching source instance: UnauthorizedOperation: no\n	status code: 403%!(PACKER_COMMA) request id: r
`
	for size := 1; size < len(printed); size += 7 {
		var seen []Progress
		r := newReader(func(p Progress) { seen = append(seen, p) })
		for chunk := range slices.Chunk([]byte(printed), size) {
			_, _ = r.Write(chunk)
		}
		r.close()
		want := []Diagnostic{{Summary: "Error launching source instance: UnauthorizedOperation: no", Detail: "status code: 403, request id: r", Build: "amazon-ebs.base"}}
		if diff := cmp.Diff(want, r.diagnostics(1, "")); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff([]Progress{{"amazon-ebs.base", "Launching a source AWS instance..."}}, seen); diff != "" {
			t.Fatal(diff)
		}
	}
	r := newReader(nil)
	_, _ = r.Write([]byte(`1,,ui,error,Error: Unset variable "fail"\n\nA used variable must be set.`))
	r.close()
	want := []Diagnostic{{Summary: `Error: Unset variable "fail"`, Detail: "A used variable must be set."}}
	if diff := cmp.Diff(want, r.diagnostics(1, "")); diff != "" {
		t.Error(diff)
	}
	r = newReader(nil)
	for i := range 10_000 {
		_, _ = fmt.Fprintf(r, "1,,ui,error,Error: no %d\n1,amazon-ebs.base,error,no %d\n1,amazon-ebs.base,artifact,%d,id,us-east-1:ami-%d\n", i, i, i, i)
	}
	if len(r.errors) != maxErrors || len(r.said) > maxErrors || len(r.artifacts) > maxFacts {
		t.Errorf("%d errors, %d said and %d artifacts are kept", len(r.errors), len(r.said), len(r.artifacts))
	}
	want = []Diagnostic{{Summary: "packer ended with exit code 2 and no error", Detail: "panic: oh no"}}
	if diff := cmp.Diff(want, newReader(nil).diagnostics(2, "panic: oh no\n")); diff != "" {
		t.Error(diff)
	}
}

func TestParseNeed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]need{
		`amazon github.com/hashicorp/amazon ">= 1.3.0, < 2" /p/packer-plugin-amazon_v1.3.4_x5.0_linux_amd64`: {"github.com/hashicorp/amazon", ">= 1.3.0, < 2", "1.3.4"},
		`amazon github.com/hashicorp/amazon "" /a b/packer-plugin-amazon_v1.3.4-dev_x5.0_linux_amd64`:        {"github.com/hashicorp/amazon", "", "1.3.4-dev"},
		`amazon github.com/hashicorp/amazon ">= 9"`:                                                          {"github.com/hashicorp/amazon", ">= 9", ""},
		"No plugins requirement found, make sure":                                                            {},
	} {
		if got, ok := parseNeed(text); got != want || ok != (want != need{}) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestInstalled(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for _, test := range []struct{ env, want string }{
		{"PACKER_PLUGIN_PATH=/p HOME=/h", "/p"},
		{"PACKER_CONFIG_DIR=/c HOME=/h", "/c/.packer.d/plugins"},
		{"XDG_CONFIG_HOME=/x HOME=" + home, "/x/packer/plugins"},
		{"HOME=" + home, home + "/.config/packer/plugins"},
		{"", ""},
	} {
		if got := installed(strings.Fields(test.env)); got != test.want {
			t.Errorf("%s: %s, want %s", test.env, got, test.want)
		}
	}
	if err := os.Mkdir(filepath.Join(home, ".packer.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := installed([]string{"HOME=" + home}); got != home+"/.packer.d/plugins" {
		t.Errorf("the old folder: %s", got)
	}
}

// real is the real Packer, with folders for it.
func real(t *testing.T) Setup {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs packer")
	}
	tool, err := tools.Named("packer")
	if err != nil {
		t.Fatal(err)
	}
	path, err := tool.Build(t.Context(), tools.Config{Tell: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	b, err := identify(t.Context(), path)
	if err != nil || b.Version != tool.Version {
		t.Fatalf("%+v, %v", b, err)
	}
	dir := t.TempDir()
	return Setup{Binary: b, Plugins: filepath.Join(dir, "plugins"), Private: filepath.Join(dir, "private"),
		Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home")}, Tell: func(s string) { t.Log(s) }}
}

func template(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const local = `
variable "fail" { type = bool }
source "null" "a" { communicator = "none" }
build {
  sources = ["null.a"]
  provisioner "shell-local" { inline = ["echo hello, $WHO", "if ${var.fail}; then exit 3; fi"] }
}
`

func TestRealRun(t *testing.T) {
	t.Parallel()
	s := real(t)
	path := template(t, "local.pkr.hcl", local)
	if needs, err := Prepare(t.Context(), s, path); err != nil || len(needs) > 0 {
		t.Fatalf("%v, %v", needs, err)
	}
	var seen []Progress
	var raw strings.Builder
	c := Config{Stdout: &raw, Binary: s.Binary, Plugins: s.Plugins, Private: s.Private, Dir: filepath.Dir(path),
		Step: lifecycle.Packer{Template: "local.pkr.hcl", Var: map[string]string{"fail": "false"}},
		Env:  map[string]string{"PATH": os.Getenv("PATH"), "WHO": "world"}, Progress: func(p Progress) { seen = append(seen, p) }}
	res, err := Run(t.Context(), c)
	if err != nil || !res.OK || len(res.Diagnostics) > 0 || !slices.Equal(res.Artifacts, []string{"Null"}) || res.Facts["artifact.null.a.0.builder-id"] != "fnoeding.null" || !strings.Contains(res.Output, "hello, world") {
		t.Errorf("%+v, %v", res, err)
	}
	if !strings.Contains(raw.String(), ",ui,") || !slices.Contains(seen, Progress{"null.a", "hello, world"}) {
		t.Errorf("%+v", seen)
	}
	c.Step.Var["fail"] = "true"
	res, err = Run(t.Context(), c)
	want := []Diagnostic{{Summary: "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]", Build: "null.a"}}
	if diff := cmp.Diff(want, res.Diagnostics); err != nil || res.OK || diff != "" {
		t.Errorf("%+v, %v %s", res, err, diff)
	}
	c.Step.Var = nil
	if res, err = Run(t.Context(), c); err != nil || res.OK || res.Diagnostics[0].Summary != `Error: Unset variable "fail"` {
		t.Errorf("%+v, %v", res, err)
	}
}

// Whoever stops the run stops Packer and what its plugins have started.
func TestRealInterrupt(t *testing.T) {
	t.Parallel()
	s := real(t)
	path := template(t, "slow.pkr.hcl", `
source "null" "a" { communicator = "none" }
build {
  sources = ["null.a"]
  provisioner "shell-local" { inline = ["echo pid $$", "exec sleep 600"] }
}
`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pid := 0
	res, err := Run(ctx, Config{Binary: s.Binary, Plugins: s.Plugins, Private: s.Private, Dir: filepath.Dir(path), Grace: 5 * time.Second,
		Step: lifecycle.Packer{Template: "slow.pkr.hcl"}, Env: map[string]string{"PATH": os.Getenv("PATH")},
		Progress: func(p Progress) {
			if n, _ := fmt.Sscanf(p.Text, "pid %d", &pid); n == 1 {
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) || res.OK || pid == 0 {
		t.Fatalf("pid %d, %+v, %v", pid, res, err)
	}
	for range 1000 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestRealPlugins(t *testing.T) {
	t.Parallel()
	s := real(t)
	const requires = `
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "%s"
    }
  }
}
`
	path := template(t, "image.pkr.hcl", fmt.Sprintf(requires, "1.3.4"))
	needs, err := Prepare(t.Context(), s, path)
	if diff := cmp.Diff(map[string]string{"hashicorp/amazon": "1.3.4"}, needs); err != nil || diff != "" {
		t.Fatalf("%v %s", err, diff)
	}
	found, err := filepath.Glob(filepath.Join(s.Plugins, "github.com/hashicorp/amazon", "packer-plugin-amazon_v1.3.4_x5.*_"+runtime.GOOS+"_*"))
	if err != nil || len(found) != 2 {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := os.Stat(filepath.Join(s.Plugins, "..", "home")); err == nil {
		t.Error("something was written to the operator's home")
	}
	// What the operator has installed is used, and not written to.
	theirs := s
	theirs.Plugins = filepath.Join(t.TempDir(), "plugins")
	theirs.Environ = append(slices.Clone(s.Environ), "PACKER_PLUGIN_PATH="+s.Plugins)
	theirs.Cache = t.TempDir() // with nothing in it
	if needs, err = Prepare(t.Context(), theirs, path); err != nil || needs["hashicorp/amazon"] != "1.3.4" {
		t.Errorf("%v, %v", needs, err)
	}
	// A template of the older kind says by its types what it needs.
	old := s
	old.Plugins = filepath.Join(t.TempDir(), "plugins")
	json := template(t, "old.json", `{"builders": [{"type": "amazon-ebs", "region": "us-east-1"}], "post-processors": [["manifest"], "checksum"]}`)
	if needs, err = Prepare(t.Context(), old, json); err != nil || needs["hashicorp/amazon"] != "1.3.4" {
		t.Errorf("%v, %v", needs, err)
	}
	// Nobody has this one: no network, and no module.
	none := s
	none.Environ = append(slices.Clone(s.Environ), "HTTPS_PROXY=http://127.0.0.1:1")
	_, err = Prepare(t.Context(), none, template(t, "none.pkr.hcl", fmt.Sprintf(requires, ">= 99")))
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "github.com/hashicorp/amazon >= 99") || missing.Init == nil || len(missing.Hints()) != 1 {
		t.Errorf("%v", err)
	}
	// A template that cannot be read is told with its place.
	if _, err := Prepare(t.Context(), s, template(t, "bad.pkr.hcl", "build {\n")); err == nil || !strings.Contains(err.Error(), "bad.pkr.hcl line 1") {
		t.Errorf("%v", err)
	}
}
