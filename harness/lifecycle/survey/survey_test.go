package survey

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/lifecycle/survey/surveytest"
)

// A link that leads out of the tree, or round, is not followed.
func TestLinks(t *testing.T) {
	dir := surveytest.Tree(t, txtar.Parse([]byte("-- main.tf --\nprovider \"aws\" {}\n")))
	outside := surveytest.Tree(t, txtar.Parse([]byte("-- main.tf --\nprovider \"google\" {}\n")))
	for name, to := range map[string]string{"round": dir, "outside": outside} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	found, err := Look(dir)
	if err != nil || len(found.Roots) != 1 || found.Roots[0].Dir != "." {
		t.Errorf("%+v, %v", found.Roots, err)
	}
}

// Code that is too big to be read is told; a script is passed over.
func TestTooBig(t *testing.T) {
	dir := surveytest.Tree(t, txtar.Parse([]byte("-- main.tf --\nprovider \"aws\" {}\n-- install.sh --\ncrane push x\n")))
	if err := os.Truncate(filepath.Join(dir, "install.sh"), mostBytes+1); err != nil {
		t.Fatal(err)
	}
	if found, err := Look(dir); err != nil || len(found.Roots) != 1 || len(found.Scripts) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if err := os.Truncate(filepath.Join(dir, "main.tf"), mostBytes+1); err != nil {
		t.Fatal(err)
	}
	var wrong *lifecycle.Error
	if _, err := Look(dir); !errors.As(err, &wrong) || wrong.File != "main.tf" {
		t.Errorf("%v", err)
	}
}

func TestNoFolder(t *testing.T) {
	if _, err := Look(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
