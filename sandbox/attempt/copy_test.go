package attempt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

func symlink(t *testing.T, target, at string) {
	t.Helper()
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

func TestWorkingCopy(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"main.tf": "main", "empty/": "", "a/b/c.txt": "c", "a/.terraform.lock.hcl": "lock", "notes.tfstate.md": "",
		".git/HEAD": "", "a/.git": "gitdir: x", ".terraform/x": "", "a/.terraform/y": "", ".whittle/run-1/journal.jsonl": "",
		"terraform.tfstate": "", "a/terraform.tfstate.backup": "", "a/.terraform.tfstate.lock.info": "", "terraform.tfstate.d/w/terraform.tfstate": "",
		"out/run/old": "",
	})
	work := filepath.Join(dir, "out/run")
	symlink(t, "a/b", filepath.Join(dir, "inside"))
	symlink(t, filepath.Join(dir, "a/b/c.txt"), filepath.Join(dir, "a/absolute"))
	symlink(t, "inside/c.txt", filepath.Join(dir, "chain"))
	symlink(t, "inside/../b/c.txt", filepath.Join(dir, "roundabout"))
	symlink(t, "../"+filepath.Base(dir)+"/main.tf", filepath.Join(dir, "out and back"))
	symlink(t, "terraform.tfstate", filepath.Join(dir, "state"))
	symlink(t, "../none/at/all", filepath.Join(dir, "dangling"))
	symlink(t, "main.tf/below", filepath.Join(dir, "below a file"))
	symlink(t, "loop", filepath.Join(dir, "loop"))
	stamp := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	main := filepath.Join(dir, "main.tf")
	if err := errors.Join(os.Chmod(main, 0o444), os.Chtimes(main, stamp, stamp)); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)

	dst := filepath.Join(work, "copy")
	if err := workingCopy(t.Context(), dir, dst, work); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"main.tf": "main", "empty/": "", "a/": "", "a/b/": "", "a/b/c.txt": "c", "a/.terraform.lock.hcl": "lock", "out/": "",
		"inside": "-> a/b", "a/absolute": "-> b/c.txt", "chain": "-> inside/c.txt", "roundabout": "-> a/b/c.txt",
		"out and back": "-> main.tf", "state": "-> terraform.tfstate",
		"dangling": "-> " + filepath.Join(filepath.Dir(dir), "none/at/all"), "below a file": "-> main.tf/below", "loop": "-> loop",
	}
	if diff := cmp.Diff(want, listing(t, dst)); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Join(dst, "main.tf"))
	if err != nil || info.Mode().Perm() != 0o644 || !info.ModTime().Equal(stamp) {
		t.Errorf("%v %v, %v", info.Mode(), info.ModTime(), err)
	}

	// What is written in the copy stays there, and is taken up the next time.
	for _, name := range []string{"main.tf", "a/absolute", "chain"} {
		if err := os.WriteFile(filepath.Join(dst, name), []byte("changed"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := workingCopy(t.Context(), dir, dst, work); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dst, "main.tf")); err != nil || string(b) != "changed" {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.RemoveAll(dst); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("the user's tree was changed: %s", diff)
	}
}

// A link that leads out of the folder by any way stays a link: nothing of what
// it leads to is in the working copy, since it may be the operator's secret.
func TestLinksThatLeadOut(t *testing.T) {
	t.Parallel()
	outside := files(t, map[string]string{"home/credentials": "SECRET", "data/big": "SECRET"})
	name := filepath.Base(outside) // beside the folder of whittle.yaml
	for _, test := range []struct {
		name  string
		links map[string]string // at: target
		want  map[string]string // at: target in the copy
	}{
		{"a file", map[string]string{"env.txt": outside + "/home/credentials"}, map[string]string{"env.txt": outside + "/home/credentials"}},
		{"a relative one", map[string]string{"sub/f": "../../" + name + "/home/credentials"}, map[string]string{"sub/f": outside + "/home/credentials"}},
		{"a folder", map[string]string{"data": outside + "/data"}, map[string]string{"data": outside + "/data"}},
		{"the process itself", map[string]string{"env.txt": "/proc/self/environ"}, map[string]string{"env.txt": "/proc/self/environ"}},
		{"a chain", map[string]string{"a": "b", "b": outside + "/home/credentials"}, map[string]string{"a": "b", "b": outside + "/home/credentials"}},
		{"a chain by a folder", map[string]string{"a": "z/home/credentials", "z": outside}, map[string]string{"a": "z/home/credentials", "z": outside}},
		// Read as text, d/../f stays in the folder.
		{"by a parent of a folder", map[string]string{"a": "d/../" + name + "/data", "d": "."}, map[string]string{"a": outside + "/data"}},
		{"nowhere", map[string]string{"a": "b/c"}, map[string]string{"a": "b/c"}},
	} {
		dir := files(t, map[string]string{"main.tf": "main", "sub/": ""})
		for at, target := range test.links {
			symlink(t, target, filepath.Join(dir, at))
		}
		work := filepath.Join(t.TempDir(), "run")
		if _, err := New(t.Context(), Config{Work: work, Lifecycle: lifecycle.Lifecycle{Dir: dir}}); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for at, want := range test.want {
			if got, err := os.Readlink(filepath.Join(work, "copy", at)); err != nil || got != want {
				t.Errorf("%s: %s leads to %q, %v; want %q", test.name, at, got, err, want)
			}
		}
	}
}

// On a cloud that is made anew for each run, what an interrupted run has left
// speaks of a cloud that is gone.
func TestCopyOfAnInterruptedRun(t *testing.T) {
	t.Parallel()
	for _, c := range []CloudState{&cloud{}, nil} {
		work := files(t, map[string]string{
			"copy/terraform.tfstate": "old", "copy/main.tf": "old", "copy.old/x": "", "copy.new/x": "", "saves/start/cloud": "0", "plugins/cached": "1",
		})
		executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: files(t, map[string]string{"main.tf": "new"})}, Work: work, Cloud: c})
		got := listing(t, work)
		_, state := got["copy/terraform.tfstate"]
		_, saves := got["saves/start/cloud"]
		_, aside := got["copy.old/x"]
		if kept := c == nil; state != kept || saves != kept || aside != kept || got["copy/main.tf"] != map[bool]string{true: "old", false: "new"}[kept] {
			t.Errorf("want all kept: %v; state %v, saves %v, put aside %v, main.tf %q", kept, state, saves, aside, got["copy/main.tf"])
		}
		if got["plugins/cached"] != "1" {
			t.Error("the plugin cache was thrown away, which holds nothing of a cloud")
		}
	}
}

func TestWorkingCopyInterrupted(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"main.tf": "new"})
	dst := filepath.Join(t.TempDir(), "copy")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := workingCopy(ctx, dir, dst, "/none"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dst); err == nil {
		t.Error("half a copy is there")
	}
	// A restore that was killed between its two renames.
	if err := os.MkdirAll(dst+oldSuffix, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := workingCopy(t.Context(), dir, dst, "/none"); err != nil || len(listing(t, dst)) != 0 {
		t.Errorf("%v, %v", listing(t, dst), err)
	}
}

func TestCheckModule(t *testing.T) {
	t.Parallel()
	top := files(t, map[string]string{
		"stack/infra/main.tf":      "module \"a\" {\n  source = \"./a\"\n}\n# source = \"../../gone\"\n",
		"stack/infra/a/main.tf":    "module \"b\" {\n\n  source  =  \"../../lib//b\"\n}\nmodule \"r\" { source = \"hashicorp/x/aws\" }\n",
		"stack/lib/b/main.tf":      "module \"self\" { source = \"../b\" }\n", // a circle is Terraform's to tell
		"stack/up/main.tf":         "module \"x\" {\n  source = \"../../modules/x\"\n}\n",
		"stack/deep/main.tf":       "module \"y\" { source = \"../way\" }\n",
		"stack/way/main.tf.json":   `{"module": {"z": [{"source": "../../z"}], "v": {"source": "./gone"}}}`,
		"stack/infra/ok.tfvars":    "",
		"stack/shared.tfvars":      "",
		"modules/x/main.tf":        "",
		"outside.tfvars":           "",
		"linked/main.tf":           "",
		"stack/odd/broken.tf.json": "{",
	})
	root := filepath.Join(top, "stack")
	symlink(t, "../linked", filepath.Join(root, "link"))
	for _, test := range []struct {
		name string
		t    lifecycle.Terraform
		want []string // parts of the error
	}{
		{"within", lifecycle.Terraform{Dir: "infra", VarFile: []string{"ok.tfvars", "../shared.tfvars", filepath.Join(top, "outside.tfvars")}}, nil},
		{"the folder itself", lifecycle.Terraform{Dir: ""}, nil},
		{"broken JSON", lifecycle.Terraform{Dir: "odd"}, nil},
		{"module", lifecycle.Terraform{Dir: "up"}, []string{"up/main.tf:2: module source \"../../modules/x\" leads out of " + root, "move whittle.yaml up to " + top}},
		{"module of a module", lifecycle.Terraform{Dir: "deep"}, []string{"way/main.tf.json:0", "../../z"}},
		{"dir", lifecycle.Terraform{Dir: "../linked"}, []string{"dir ../linked leads out of"}},
		{"dir by link", lifecycle.Terraform{Dir: "link"}, []string{"dir link leads out of"}},
		{"absolute dir", lifecycle.Terraform{Dir: top}, []string{"must be relative"}},
		{"no dir", lifecycle.Terraform{Dir: "none"}, []string{"no such file"}},
		{"file for dir", lifecycle.Terraform{Dir: "shared.tfvars"}, []string{"is not a folder"}},
		{"var file", lifecycle.Terraform{Dir: "infra", VarFile: []string{"../../outside.tfvars"}}, []string{"var_file ../../outside.tfvars leads out of", "up to " + top}},
		{"no var file", lifecycle.Terraform{Dir: "infra", VarFile: []string{"none.tfvars"}}, []string{"var_file: ", "no such file"}},
	} {
		err := checkModule(root, test.t)
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q, got %v", test.name, want, err)
			}
		}
	}
}
