package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The second is told who the first is; when the first has let go, or its lock is
// left from a crash, the next one gets it.
func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	release, err := Hold(dir, "probe")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var held *HeldError
		if _, err := Hold(dir, "clean"); !errors.As(err, &held) || !errors.Is(err, ErrLocked) || held.By.PID != os.Getpid() || held.By.Command != "probe" || held.By.Since.IsZero() {
			t.Fatalf("got %v", err)
		} else if !strings.Contains(err.Error(), "whittle probe, since 20") {
			t.Errorf("it says: %v", err)
		}
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	// What another process left when it was killed, longer than what comes after.
	left := strings.Repeat("x", 500)
	if err := os.WriteFile(filepath.Join(dir, LockName), []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	release, err = Hold(dir, "clean")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	text, err := os.ReadFile(filepath.Join(dir, LockName))
	if err != nil || strings.Contains(string(text), "x") {
		t.Errorf("%s, %v", text, err)
	}
	// Held by who has not said who he is.
	if err := os.Truncate(filepath.Join(dir, LockName), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(dir, "probe"); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "another whittle") {
		t.Errorf("got %v", err)
	}
	if runs, err := Runs(dir); err != nil || len(runs) != 0 {
		t.Errorf("the lock counts as a run: %v, %v", runs, err)
	}
}
