package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
)

// shapes are examples of other people's stacks on AWS, with the name that is
// given to the second deployment; beside each is its record, of a verified run
// under the names that its whittle.yaml gives.
var shapes = []struct{ example, second string }{
	{"iomete", "name=beta"},
	{"e2b-aws", "prefix=beta"},
}

func shapeFile(example, file string) string {
	return filepath.Join("../../docs/examples", example, file)
}

// Each takes one run of each step, no client sees a refusal, each step is granted
// exactly what its requests need by the gate's own tables, and under another name
// that is what the record beside the example says.
func TestProbeShapes(t *testing.T) {
	if os.Getenv("WHITTLE_TEST_WHOLE") == "" {
		t.Skip("SKIPPED: takes about 15 minutes; `make test-shapes` runs it")
	}
	for _, s := range shapes {
		t.Run(s.example, func(t *testing.T) {
			t.Parallel()
			asShape(t, shapeFile(s.example, "whittle.yaml"), s.second, shapeFile(s.example, "whittle.lock.json"))
		})
	}
}

// asShape probes an example on AWS under another name, and checks what
// [TestProbeShapes] says.
func asShape(t *testing.T, file, second, recorded string) probed {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	p, err := probeStack(t, file, "--no-reference", "--name", second, "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	if !p.rec.Verified {
		t.Error("not verified")
	}
	_, name, _ := strings.Cut(second, "=")
	sameNeeds(t, p, traced(t, trace, p.events, journal.PassGrow), name)
	want, err := record.Read(recorded)
	if err != nil {
		t.Fatal(err)
	}
	// What certifying found that a step does as well without, growth grants.
	for i, s := range want.Steps {
		want.Steps[i].Grants = slices.Concat(s.Grants, s.Optional)
	}
	// Evidence is left out of it: of requests that are sent at once, another may
	// be the first that is refused.
	if changes := record.Diff(want, p.rec); !changes.Empty() {
		t.Errorf("the record is not the one beside the example: %+v", changes)
	}
	for _, step := range p.rec.Steps {
		if step.Runs != 1 {
			t.Errorf("step %s took %d runs of growth, want 1", step.Name, step.Runs)
		}
	}
	return p
}

// What needs no probe: the records are verified, of the code that is there, and
// hold nothing of one run; planners only read, and what makes does not clean up.
func TestShapes(t *testing.T) {
	for _, s := range shapes {
		rec, err := record.Read(shapeFile(s.example, "whittle.lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		if !rec.Verified {
			t.Errorf("%s: not verified", s.example)
		}
		for _, step := range rec.Steps {
			for _, e := range step.Grants {
				_, verb, _ := strings.Cut(e.Permission, ":")
				if step.Role == "planner" && !catalog.Level(e.Permission).Reads() {
					t.Errorf("%s: step %s holds %s, which does not only read", s.example, step.Name, e.Permission)
				}
				if (step.Name == "init" || step.Name == "apply") && strings.HasPrefix(verb, "Delete") {
					t.Errorf("%s: step %s holds %s: clean-up that it does not need", s.example, step.Name, e.Permission)
				}
				if strings.Contains(e.Resource, "acme") || generated.MatchString(e.Resource) {
					t.Errorf("%s: step %s: %s holds a name or an id of one run", s.example, step.Name, e.Resource)
				}
				if e.Necessity == "assumed" {
					t.Errorf("%s: step %s: %s on %s is only assumed", s.example, step.Name, e.Permission, e.Resource)
				}
			}
		}
	}
}

// With the gate open nothing is refused, and the probe of each must fail.
func TestProbeShapesOpen(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.example, func(t *testing.T) {
			t.Parallel()
			failsOpen(t, shapeFile(s.example, "whittle.yaml"))
		})
	}
}
