package attempt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// TestReset: a reset runs in the working copy with the operator's environment,
// and its failure is told.
func TestReset(t *testing.T) {
	dir := files(t, map[string]string{"a.txt": "a"})
	step := lifecycle.Step{Name: "make", Command: []string{"true"}, Reset: []string{"sh", "-c", `echo "$OPERATOR" > undone`}}
	e := executor(t, Config{
		Lifecycle: lifecycle.Lifecycle{Dir: dir, Steps: []lifecycle.Step{step}},
		Environ:   append(os.Environ(), "OPERATOR=me"),
	})
	if err := e.Reset(t.Context(), step); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(e.copy, "undone"))
	if err != nil || strings.TrimSpace(string(got)) != "me" {
		t.Errorf("the reset left %q, %v", got, err)
	}
	step.Reset = []string{"sh", "-c", "echo cannot >&2; exit 3"}
	if err := e.Reset(t.Context(), step); err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("a reset that failed: %v", err)
	}
	step.Reset = nil
	if err := e.Reset(t.Context(), step); err == nil || !strings.Contains(err.Error(), "it has no reset:") {
		t.Errorf("no reset: %v", err)
	}
}

// TestStop: a step that is stopped has failed, and says why.
func TestStop(t *testing.T) {
	dir := files(t, map[string]string{"a.txt": "a"})
	step := lifecycle.Step{Name: "wait", Command: []string{"sleep", "600"}}
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: dir, Steps: []lifecycle.Step{step}}})
	stop := make(chan struct{})
	time.AfterFunc(100*time.Millisecond, func() { close(stop) })
	out := attempt(t, e, harness.Attempt{Step: step, Arbiter: &arbiter{}, Stop: stop})
	if out.OK || len(out.Diagnostics) == 0 || !strings.Contains(out.Diagnostics[len(out.Diagnostics)-1].Summary, "ask again") {
		t.Errorf("%+v", out)
	}
}
