package draft

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/lifecycle/schematest"
	"github.com/whittle-iam/whittle/harness/lifecycle/survey"
	"github.com/whittle-iam/whittle/harness/lifecycle/survey/surveytest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each archive of testdata is a tree and the whittle.yaml that is drafted of it, or
// the error. Its comment's first line may name the cloud: "cloud: aws".
func TestDraft(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cloud := ""
			for line := range strings.Lines(string(a.Comment)) {
				if c, ok := strings.CutPrefix(line, "cloud: "); ok {
					cloud = strings.TrimSpace(c)
				}
			}
			code := &txtar.Archive{}
			var want string
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				code.Files = append(code.Files, f)
			}
			dir := surveytest.Tree(t, code)
			got := drafted(t, dir, cloud)
			if *update {
				a.Files = append(code.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("with -update it is rewritten:\n%s", diff)
			}
		})
	}
}

// drafted is the draft of a tree, which loads where it was made, or the error.
func drafted(t testing.TB, dir, cloud string) string {
	t.Helper()
	found, err := survey.Look(dir)
	var d Draft
	if err == nil {
		d, err = Of(found, cloud)
	}
	if err != nil {
		s := "error: " + err.Error() + "\n"
		var h interface{ Hints() []string }
		if errors.As(err, &h) {
			s += "hint: " + strings.Join(h.Hints(), "; ") + "\n"
		}
		return s
	}
	loads(t, dir, d)
	s := d.Text
	for _, f := range d.Fill {
		s += "fill in: " + f + "\n"
	}
	return s
}

// loads checks that a draft loads in its tree, with each file that it names.
func loads(t testing.TB, dir string, d Draft) lifecycle.Lifecycle {
	t.Helper()
	file := filepath.Join(dir, "whittle.yaml")
	if err := os.WriteFile(file, []byte(d.Text), 0o644); err != nil {
		t.Fatal(err)
	}
	schema, err := schematest.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if err := schematest.Check(schema, []byte(d.Text)); err != nil {
		t.Errorf("the schema does not take the draft: %v", err)
	}
	l, err := lifecycle.Load(file)
	if err != nil {
		t.Fatalf("the draft does not load: %v\n%s", err, d.Text)
	}
	if len(l.Steps) != d.Steps || l.Cloud != d.Cloud {
		t.Errorf("%d steps on %s, and the draft says %d on %s", len(l.Steps), l.Cloud, d.Steps, d.Cloud)
	}
	return l
}

// Of the examples, with their whittle.yaml taken away, a draft has the roots and the
// templates that their own has.
func TestExamples(t *testing.T) {
	examples := filepath.Join("..", "..", "..", "..", "docs", "examples")
	dirs, err := os.ReadDir(examples)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dirs {
		t.Run(e.Name(), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(examples, e.Name()))); err != nil {
				t.Fatal(err)
			}
			own, err := lifecycle.Load(filepath.Join(dir, "whittle.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "whittle.yaml")); err != nil {
				t.Fatal(err)
			}
			found, err := survey.Look(dir)
			if err != nil {
				t.Fatal(err)
			}
			want := parts(own)
			d, err := Of(found, "")
			if len(want) == 0 { // commands alone
				if !errors.Is(err, ErrNothing) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := loads(t, dir, d)
			if got.Cloud != own.Cloud {
				t.Errorf("cloud %s, and it is of %s", got.Cloud, own.Cloud)
			}
			if diff := cmp.Diff(want, parts(got), cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// parts are the roots that a lifecycle applies, and its templates.
func parts(l lifecycle.Lifecycle) []string {
	seen := map[string]bool{}
	var all []string
	for _, s := range l.Steps {
		part := ""
		switch {
		case s.Terraform != nil:
			part = "terraform in " + s.Terraform.Dir
		case s.Packer != nil:
			part = "packer " + s.Packer.Template
		}
		if part != "" && !seen[part] {
			seen[part] = true
			all = append(all, part)
		}
	}
	return all
}

// Whatever folders and variables are called, the draft loads, and says what it is
// meant to say.
func TestDraftLoads(t *testing.T) {
	names := rapid.StringOfN(rapid.SampledFrom([]rune("ab1-_.{}\"': #\n[]*&!|>%@`~ü\\")), 1, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		var found survey.Tree
		for i := range rapid.IntRange(1, 4).Draw(t, "roots") {
			m := survey.Module{Dir: names.Draw(t, "dir"), Clouds: []string{"aws"}, Providers: []string{names.Draw(t, "provider")}, Backend: rapid.SampledFrom([]string{"", "s3", "cloud"}).Draw(t, "backend")}
			for range rapid.IntRange(0, 3).Draw(t, "variables") {
				m.Variables = append(m.Variables, survey.Variable{Name: rapid.StringMatching(`[a-z][a-zA-Z0-9_-]{0,60}`).Draw(t, "variable"), Type: rapid.SampledFrom([]string{"", "string", "number", "list", "object"}).Draw(t, "type"), File: names.Draw(t, "file"), Line: i})
			}
			if rapid.Bool().Draw(t, "files") {
				m.VarFiles = []string{names.Draw(t, "var file")}
			}
			found.Roots = append(found.Roots, m)
		}
		found.Templates = []survey.Template{{Path: names.Draw(t, "template"), Sources: []string{names.Draw(t, "source")}}}
		found.Targets = []survey.Target{{Name: names.Draw(t, "target"), File: names.Draw(t, "in") + "/Makefile", Does: survey.Doing{Pushes: "crane"}}}
		found.Scripts = []survey.Script{{Path: names.Draw(t, "script"), Does: survey.Doing{Pushes: "docker"}}}
		seen := map[string]bool{}
		for _, m := range found.Roots {
			for _, v := range m.Variables {
				if seen[m.Dir+"\x00"+v.Name] {
					t.Skip("a variable twice, which HCL refuses")
				}
				seen[m.Dir+"\x00"+v.Name] = true
			}
		}
		d, err := Of(found, "")
		if err != nil {
			t.Fatal(err)
		}
		l, err := lifecycle.Parse("whittle.yaml", []byte(d.Text))
		if err != nil {
			t.Fatalf("%v\n%s", err, d.Text)
		}
		if len(l.Steps) != d.Steps {
			t.Fatalf("%d steps of %d", len(l.Steps), d.Steps)
		}
		dirs := map[string]bool{}
		for _, s := range l.Steps {
			if s.Terraform != nil {
				dirs[s.Terraform.Dir] = true
			}
		}
		for _, m := range found.Roots {
			if !dirs[m.Dir] {
				t.Fatalf("no step of %q in\n%s", m.Dir, d.Text)
			}
		}
	})
}
