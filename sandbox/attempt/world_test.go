package attempt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// cloud is a cloud that holds one word.
type cloud struct {
	word  string
	saved []string
	err   error
}

func (c *cloud) Snapshot(context.Context) (string, error) {
	c.saved = append(c.saved, c.word)
	return strconv.Itoa(len(c.saved) - 1), c.err
}

func (c *cloud) Restore(_ context.Context, id string) error {
	i, err := strconv.Atoi(id)
	if err = errors.Join(err, c.err); err != nil {
		return err
	}
	c.word = c.saved[i]
	return nil
}

func TestWorld(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"main.tf": "main", "sub/x": "x"})
	c := &cloud{word: "one"}
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: dir}, Cloud: c})
	w := e.World()
	set := func(name, text string) {
		t.Helper()
		path := filepath.Join(e.copy, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	// As after an apply: state, a provider that is a link, one that is a file.
	const providers = ".terraform/providers/registry.terraform.io/a"
	set("terraform.tfstate", "state one")
	set(providers+"/file/1.0.0/linux_amd64/terraform-provider-file", "600 MB")
	symlink(t, "/some/mirror", filepath.Join(e.copy, providers, "link"))
	one := listing(t, e.copy)
	if err := w.Save(t.Context(), "before: apply/1"); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(e.c.Work, "saves", "before:%20apply%2F1", "copy", providers, "file/1.0.0/linux_amd64/terraform-provider-file")); err != nil {
		t.Error(err)
	} else if fj, err := os.Stat(filepath.Join(e.copy, providers, "file/1.0.0/linux_amd64/terraform-provider-file")); err != nil || !os.SameFile(fi, fj) {
		t.Errorf("a provider was copied: %v", err)
	}

	c.word = "two"
	set("terraform.tfstate", "state two")
	set("sub/new", "n")
	if err := os.Remove(filepath.Join(e.copy, "main.tf")); err != nil {
		t.Fatal(err)
	}
	two := listing(t, e.copy)
	if err := w.Save(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a restore can be repeated
		for name, want := range map[string]map[string]string{"before: apply/1": one, "two": two} {
			set("sub/x", "spoilt")
			if err := w.Restore(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, listing(t, e.copy)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if word := map[string]string{"before: apply/1": "one", "two": "two"}[name]; c.word != word {
				t.Errorf("%s: the cloud says %s", name, c.word)
			}
		}
	}
	// A second save under a name takes the place of the first.
	c.word = "three"
	set("sub/x", "three")
	three := listing(t, e.copy)
	if err := errors.Join(w.Save(t.Context(), "two"), os.Remove(filepath.Join(e.copy, "sub/x")), w.Restore(t.Context(), "two")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(three, listing(t, e.copy)); diff != "" || c.word != "three" {
		t.Errorf("%s %s", c.word, diff)
	}
}

func TestWorldErrors(t *testing.T) {
	t.Parallel()
	c := &cloud{word: "one"}
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: files(t, map[string]string{"f": "1"})}, Cloud: c})
	w := e.World()
	for _, name := range []string{"", ".", "..", ".hidden"} {
		if err := errors.Join(w.Save(t.Context(), name), w.Restore(t.Context(), name)); err == nil {
			t.Errorf("%q was taken for a name", name)
		}
	}
	if err := w.Restore(t.Context(), "none"); err == nil || !strings.Contains(err.Error(), "nothing was saved") {
		t.Error(err)
	}
	if err := w.Save(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	// A save that fails leaves what was saved before.
	c.err = errors.New("no room")
	if err := w.Save(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "save a: cloud: no room") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(e.copy, "f"), []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Restore(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "the cloud may have been") {
		t.Error(err)
	}
	if got := listing(t, e.copy); got["f"] != "2" {
		t.Error("the working copy was changed")
	}
	c.err = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Restore(ctx, "a"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Error(err)
	}
	if err := w.Restore(t.Context(), "a"); err != nil || listing(t, e.copy)["f"] != "1" {
		t.Error(err)
	}
	if err := os.RemoveAll(e.copy); err != nil {
		t.Fatal(err)
	}
	if err := w.Restore(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "the cloud was restored and the working copy was not") {
		t.Error(err)
	}
	for _, part := range []string{"copy.new", "saves/.a.part"} {
		if _, err := os.Stat(filepath.Join(e.c.Work, part)); err == nil {
			t.Errorf("%s was left behind", part)
		}
	}
}

func TestNoWorld(t *testing.T) {
	t.Parallel()
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil)}})
	var w harness.World = e.World()
	if w != nil {
		t.Errorf("a real cloud has a world: %v", w)
	}
}
