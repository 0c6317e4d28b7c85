package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
)

// castai is the example of a GKE cluster whose nodes a controller adds and takes
// away; beside it is its record, of a verified run under the names that its
// whittle.yaml gives.
const (
	castai       = "../../docs/examples/castai-gke/whittle.yaml"
	castaiRecord = "../../docs/examples/castai-gke/whittle.lock.json"
)

// castaiStack copies the example, and has it use the program that is built here
// in place of the one on PATH.
func castaiStack(t *testing.T) string {
	t.Helper()
	nodes := filepath.Join(t.TempDir(), "nodes")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", nodes, "./docs/examples/castai-gke/nodes")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return stackCopy(t, castai, func(text string) string {
		edited := strings.ReplaceAll(text, "command: [nodes,", "command: ["+nodes+",")
		if edited == text {
			t.Fatal("the example does not call what it did")
		}
		return edited
	})
}

// The life of the cluster takes one run of each step, no client sees a refusal,
// each step is granted exactly what its requests need by the gate's own tables,
// and under another name that is what the record beside the example says.
func TestProbeCastAI(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	p, err := probeStack(t, castaiStack(t), "--no-reference", "--no-verify", "--name", "cluster=beta", "--trace", trace)
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
		for _, e := range s.Grants {
			if s.Role == "planner" && !catalog.Level(e.Permission).Reads() {
				t.Errorf("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			// The pool is made larger in its place: a cluster that the sandbox
			// reads back as another than it was made is replaced.
			if s.Name == "update" && slices.Contains([]string{"container.clusters.create", "container.clusters.delete"}, e.Permission) {
				t.Errorf("the update needs %s", e.Permission)
			}
		}
	}
	exactly(t, p, traced(t, trace, p.events, journal.PassGrow))
	want, err := record.Read(castaiRecord)
	if err != nil {
		t.Fatal(err)
	}
	if !want.Verified {
		t.Errorf("%s is not verified", castaiRecord)
	}
	// Evidence is left out of it: of requests that are sent at once, another may
	// be the first that is refused.
	if changes := record.Diff(want, p.rec); !changes.Empty() {
		t.Errorf("the record is not the one beside the example: %+v", changes)
	}
}

func TestProbeCastAIOpen(t *testing.T) {
	t.Parallel()
	failsOpen(t, castaiStack(t))
}
