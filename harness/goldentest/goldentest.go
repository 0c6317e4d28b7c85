// Package goldentest holds what a test has made against the file that it is kept in.
// Only tests use it.
package goldentest

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// File fails the test unless a file holds got; with update it writes the file anew
// before. Look at the difference before you keep it.
func File(t testing.TB, path, got string, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, which -update rewrites (-want +got):\n%s", path, diff)
	}
}
