package attempt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// shell is a step that runs a script, with an executor for it.
func shell(t *testing.T, script string, s lifecycle.Step) (*Executor, harness.Attempt) {
	t.Helper()
	s.Name, s.Command = "s", []string{"sh", "-c", script}
	e := executor(t, Config{Lifecycle: lifecycle.Lifecycle{Dir: files(t, nil), Steps: []lifecycle.Step{s}}, Environ: []string{"PATH=/usr/bin:/bin"}})
	return e, harness.Attempt{Step: s}
}

// A step that outlives its timeout has failed, and says why; whoever stops the
// run stops no timeout.
func TestTimeout(t *testing.T) {
	t.Parallel()
	e, a := shell(t, "echo begun; exec sleep 600", lifecycle.Step{Timeout: 5 * time.Second}) // which a loaded machine takes to begin
	out := attempt(t, e, a)
	if out.OK || len(out.Diagnostics) != 1 || !strings.Contains(out.Diagnostics[0].Summary, "timeout of 5s is over") || out.Output != "begun\n" {
		t.Errorf("%+v", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	e, a = shell(t, "exec sleep 600", lifecycle.Step{Timeout: time.Hour})
	if out, err := e.Attempt(ctx, a); !errors.Is(err, context.DeadlineExceeded) || out.OK {
		t.Errorf("%+v, %v", out, err)
	}
	e, a = shell(t, "true", lifecycle.Step{Timeout: time.Hour})
	if out := attempt(t, e, a); !out.OK || out.Excused {
		t.Errorf("%+v", out)
	}
}

func TestSucceedsWhen(t *testing.T) {
	t.Parallel()
	when := &lifecycle.SucceedsWhen{Exit: []int{1}, Output: "gave up"}
	e, a := shell(t, "echo gave up >&2; exit 1", lifecycle.Step{SucceedsWhen: when})
	if out := attempt(t, e, a); !out.OK || !out.Excused {
		t.Errorf("%+v", out)
	}
	e, a = shell(t, "echo no >&2; exit 1", lifecycle.Step{SucceedsWhen: when})
	if out := attempt(t, e, a); out.OK || out.Excused || len(out.Diagnostics) != 1 {
		t.Errorf("%+v", out)
	}
}
