package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
)

// e2b is the example of the life of a self-hosted E2B; beside it is its record,
// of a verified run under the names that its whittle.yaml gives.
const (
	e2b       = "../../docs/examples/e2b/whittle.yaml"
	e2bRecord = "../../docs/examples/e2b/whittle.lock.json"
)

// e2bStack copies the example, and has it use the programs that are built here
// in place of those on PATH.
func e2bStack(t *testing.T) string {
	t.Helper()
	crane := tool(t, "crane")
	deploy := built(t, "./docs/examples/e2b/deploy")
	path := filepath.Dir(crane) + string(os.PathListSeparator) + os.Getenv("PATH")
	return stackCopy(t, e2b, func(text string) string {
		edited := strings.NewReplacer("command: [deploy,", "command: ["+deploy+",", "command: [images/push.sh", "env: {PATH: "+path+"}, command: [images/push.sh").Replace(text)
		if !strings.Contains(edited, deploy) || !strings.Contains(edited, path) {
			t.Fatal("the example does not call what it did")
		}
		return edited
	})
}

func TestProbeE2B(t *testing.T) {
	t.Parallel()
	asRecorded(t, e2bStack(t), "prefix=beta", e2bRecord)
}

// asRecorded grows the roles of an example on the in-process sandbox under another
// name: one run of each step, no client sees a refusal, each step is granted exactly
// what its requests need by the gate's own tables, and that is what the record beside
// the example says.
func asRecorded(t *testing.T, file, name, recorded string) probed {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	p, err := probeStack(t, file, "--no-reference", "--no-verify", "--name", name, "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	for _, s := range p.rec.Steps {
		if s.Runs != 1 {
			t.Errorf("step %s took %d runs of growth, want 1", s.Name, s.Runs)
		}
	}
	exactly(t, p, traced(t, trace, p.events, journal.PassGrow))
	want, err := record.Read(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if !want.Verified {
		t.Errorf("%s is not verified", recorded)
	}
	// Evidence is left out of it: of requests that are sent at once, another may
	// be the first that is refused.
	if changes := record.Diff(want, p.rec); !changes.Empty() {
		t.Errorf("the record is not the one beside the example: %+v", changes)
	}
	return p
}

// built is a program of an example's.
func built(t *testing.T, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(pkg))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, pkg)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

func TestProbeE2BOpen(t *testing.T) {
	t.Parallel()
	failsOpen(t, e2bStack(t))
}
