package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree writes files into a new folder and gives the digest of its lifecycle.
func tree(t *testing.T, files map[string]string, skip ...string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"whittle.yaml":        "cloud: aws\nsandbox: embedded\nlifecycle:\n  - {name: a, phase: init, terraform: {dir: infra, command: apply, var: {x: 1}}}\n",
		"infra/main.tf":       "resource \"a\" \"b\" {}\n",
		"infra/vars.tfvars":   "x = 1\n",
		".terraform.lock.hcl": "# lock\n",
	}
	for name, data := range files {
		all[name] = data
	}
	for name, data := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(data, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Another machine has other times and modes.
	if err := os.Chtimes(filepath.Join(dir, "infra", "main.tf"), time.Time{}, time.Unix(int64(len(dir)), 0)); err != nil {
		t.Fatal(err)
	}
	l, err := Load(filepath.Join(dir, "whittle.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range skip {
		skip[i] = filepath.Join(dir, skip[i])
	}
	d, err := Digest(l, skip...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDigest(t *testing.T) {
	base := tree(t, nil)
	if len(base) != len("sha256:")+64 || !strings.HasPrefix(base, "sha256:") {
		t.Fatalf("digest %q", base)
	}
	yaml := func(old, new string) map[string]string {
		const text = "cloud: aws\nsandbox: embedded\nlifecycle:\n  - {name: a, phase: init, terraform: {dir: infra, command: apply, var: {x: 1}}}\n"
		if !strings.Contains(text, old) {
			t.Fatalf("no %q", old)
		}
		return map[string]string{"whittle.yaml": strings.Replace(text, old, new, 1)}
	}
	outside := filepath.Join(t.TempDir(), "x.tfvars")
	if err := os.WriteFile(outside, []byte("x = 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		"again":            nil,
		"git":              {".git/HEAD": "x"},
		"git of a module":  {"infra/.git": "x"},
		"providers":        {"infra/.terraform/providers/x": "x"},
		"whittle's folder": {".whittle/run-0001/journal.jsonl": "x"},
		"output":           {"out/x": "x"},
		"record":           {"whittle.lock.json": "x"},
		"state":            {"infra/terraform.tfstate": "x", "infra/terraform.tfstate.backup": "x", "infra/.terraform.tfstate.lock.info": "x", "infra/terraform.tfstate.d/a/b": "x"},
		"comment":          yaml("cloud", "# hello\n\ncloud"),
		"layout":           yaml("{x: 1}", "{'x':   1}"),
		"sandbox":          yaml("embedded", "{embedded: true, propagation: 3s}"),
		"reference":        yaml("cloud", "reference: false\ncloud"),
		"audit":            yaml("cloud", "audit: true\ncloud"),
		"empty folder":     {"a/.git/x": "x"},
		"reset":            yaml("phase: init", "phase: init, reset: [make, clean]"),
	} {
		if tree(t, files) != base {
			t.Errorf("%s: the digest is another", name)
		}
	}
	seen := map[string]string{base: "the base"}
	for name, files := range map[string]map[string]string{
		"code":             {"infra/main.tf": "resource \"a\" \"c\" {}\n"},
		"variables":        {"infra/vars.tfvars": "x = 2\n"},
		"lock file":        {".terraform.lock.hcl": "# another\n"},
		"new file":         {"infra/more.tf": ""},
		"same bytes":       {"infra/more2.tf": ""},
		"out further down": {"infra/out/x": ""},
		"a module":         {"modules/a/main.tf": "x"},
		"a link":           {"modules": "-> infra"},
		"another link":     {"modules": "-> elsewhere"},
		"var":              yaml("x: 1", "x: 2"),
		"command":          yaml("apply", "plan"),
		"ceiling":          yaml("cloud", "ceiling: [ec2:*]\ncloud"),
		"file outside":     yaml("command", "var_file: "+outside+", command"),
	} {
		d := tree(t, files)
		if other, ok := seen[d]; ok {
			t.Errorf("%s: the same digest as %s", name, other)
		}
		seen[d] = name
	}
	if tree(t, map[string]string{"r.json": "x", "work/a/b": "x"}, "r.json", "work") != base {
		t.Error("what is to be skipped counts")
	}
	before := tree(t, yaml("command", "var_file: "+outside+", command"))
	if err := os.WriteFile(outside, []byte("x = 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if tree(t, yaml("command", "var_file: "+outside+", command")) == before {
		t.Error("a file outside the folder does not count")
	}
}

func TestDigestErrors(t *testing.T) {
	if _, err := Digest(Lifecycle{Dir: filepath.Join(t.TempDir(), "none"), File: "x"}); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("no folder: %v", err)
	}
}

// A lifecycle reached through a link is the same lifecycle.
func TestDigestThroughALink(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "infra"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"whittle.yaml", "infra/main.tf", "r.json"} {
		if err := os.WriteFile(filepath.Join(dir, "real", name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	digest := func(under, skip string) string {
		d, err := Digest(Lifecycle{Dir: filepath.Join(dir, under), File: filepath.Join(dir, under, "whittle.yaml")}, filepath.Join(dir, under, skip))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if digest("real", "r.json") != digest("link", "r.json") {
		t.Error("another digest through a link")
	}
	if digest("link", "r.json") == digest("link", "none") {
		t.Error("what is in the folder does not count, or is not skipped, through a link")
	}
}

// What a process that was killed has left of its record beside it is no code.
func TestDigestWithoutPartsOfTheRecord(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.tf")
	l := Lifecycle{Dir: dir, File: filepath.Join(dir, "whittle.yaml")}
	record := filepath.Join(dir, "roles.json")
	before, err := Digest(l, record)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"roles.json", ".roles.json1440692926", ".whittle.lock.json1440692926", ".whittle-1440692926"} {
		write(name)
	}
	if after, err := Digest(l, record); err != nil || after != before {
		t.Errorf("another digest, %v", err)
	}
	write(".roles.tf")
	if after, err := Digest(l, record); err != nil || after == before {
		t.Errorf("the same digest with another file, %v", err)
	}
}
