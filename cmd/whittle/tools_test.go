package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/tools"
)

// tool gives the path of a real tool that whittle builds, and builds it if this
// machine has not done so yet.
func tool(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs " + name)
	}
	found, err := tools.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	path, err := found.Build(t.Context(), tools.Config{Tell: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stackWith copies a stack into a folder of its own, with a line more at the
// top of whittle.yaml.
func stackWith(t *testing.T, stack, line string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(stack))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, filepath.Base(stack))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(line+"\n"+string(text)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// OpenTofu needs what Terraform needs, with the provider from the same mirror.
func TestProbeWithOpenTofu(t *testing.T) {
	t.Parallel()
	stack := stackWith(t, tinyStack, "terraform: {path: "+tool(t, "tofu")+"}")
	p, err := probeStack(t, stack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if !p.rec.Verified {
		t.Error("not verified")
	}
	if v := p.rec.Inputs.Tools; v["tofu"] != "1.10.6" || v["hashicorp/aws"] == "" || v["terraform"] != "" {
		t.Errorf("tools %v", v)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	theirs, err := probeStack(t, tinyStack, "--no-reference", "--no-verify")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range theirs.rec.Steps {
		if !slices.Equal(s.Set().Slice(), p.rec.Steps[i].Set().Slice()) {
			t.Errorf("step %s: terraform needs %v, tofu %v", s.Name, s.Set().Slice(), p.rec.Steps[i].Set().Slice())
		}
	}
	if _, err := probeStack(t, stack, "--gate=open", "--no-reference", "--no-verify"); err == nil || !strings.Contains(err.Error(), "should be refused") {
		t.Errorf("with the gate open: %v", err)
	}
}
