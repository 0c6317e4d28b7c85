package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// stack is the example of a team's whole stack.
const stack = "../../docs/examples/aws-stack/whittle.yaml"

// The stack converges in one run of each step, to exactly what the reference's
// requests need by the gate's own tables, and under another name to the same
// bytes, which are verified.
func TestProbeStack(t *testing.T) {
	t.Parallel()
	var first, second probed
	var needs map[string]grant.Set
	// Side by side: most of their time is waiting that the provider does.
	t.Run("probes", func(t *testing.T) {
		t.Run("with reference", func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace.jsonl")
			var err error
			if first, err = probeStack(t, stack, "--no-verify", "--trace", trace); err != nil {
				t.Fatal(err)
			}
			needs = referenceNeeds(t, trace, first.events)
		})
		t.Run("under another name", func(t *testing.T) {
			t.Parallel()
			var err error
			if second, err = probeStack(t, stack, "--no-reference", "--name", "name=beta"); err != nil {
				t.Fatal(err)
			}
		})
	})
	if t.Failed() {
		return
	}
	if !second.rec.Verified {
		t.Error("not verified")
	}
	unverified := strings.Replace(string(second.bytes), `"verified": true`, `"verified": false`, 1)
	if diff := cmp.Diff(string(first.bytes), unverified); diff != "" {
		t.Errorf("under another name the record is another (-acme +beta):\n%s", diff)
	}
	for _, p := range []probed{first, second} {
		if err := unseen(p); err != nil {
			t.Error(err)
		}
	}
	if err := checkStack(first.rec); err != nil {
		t.Error(err)
	}
	here := strings.NewReplacer("{account}", "123456789012", "{name}", "acme")
	for _, s := range first.rec.Steps {
		var have []grant.Grant
		for _, e := range s.Grants {
			have = append(have, grant.Grant{Permission: e.Permission, Resource: here.Replace(e.Resource)})
		}
		if diff := cmp.Diff(needs[s.Name].Slice(), grant.Of(have...).Slice()); diff != "" {
			t.Errorf("step %s: what the reference's requests need, and what was granted (-needed +granted):\n%s", s.Name, diff)
		}
	}
}

// checkStack says what is wrong with a record of the example.
func checkStack(rec record.Record) error {
	var wrong []string
	if len(rec.Steps) != 6 {
		wrong = append(wrong, fmt.Sprintf("%d steps, want 6", len(rec.Steps)))
	}
	for _, s := range rec.Steps {
		if s.Runs != 1 {
			wrong = append(wrong, fmt.Sprintf("step %s took %d runs of growth, want 1", s.Name, s.Runs))
		}
		services := map[string]bool{}
		for _, e := range s.Grants {
			service, verb, _ := strings.Cut(e.Permission, ":")
			services[service] = true
			if s.Name == "apply" && strings.HasPrefix(verb, "Delete") {
				wrong = append(wrong, fmt.Sprintf("step %s holds %s: clean-up that it does not need", s.Name, e.Permission))
			}
			if s.Role == "planner" && !catalog.Level(e.Permission).Reads() {
				wrong = append(wrong, fmt.Sprintf("step %s holds %s, which does not only read", s.Name, e.Permission))
			}
			if strings.Contains(e.Resource, "acme") || generated.MatchString(e.Resource) {
				wrong = append(wrong, fmt.Sprintf("step %s: %s holds a name or an id of one run", s.Name, e.Resource))
			}
		}
		if s.Name == "apply" && len(services) < 15 {
			wrong = append(wrong, fmt.Sprintf("apply speaks to %d services only", len(services)))
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

var reference = regexp.MustCompile(`:assumed-role/whittle-[^/]*_reference/`)

// referenceNeeds gives what the requests of the reference pass need, by step:
// what the gate's tables say, widened as a grant is.
func referenceNeeds(t *testing.T, trace string, events []journal.Event) map[string]grant.Set {
	t.Helper()
	type span struct {
		step       string
		begin, end time.Time
	}
	var spans []span
	for _, e := range events {
		switch {
		case e.Pass != journal.PassReference:
		case e.Kind == journal.KindAttempt:
			spans = append(spans, span{step: e.Step, begin: e.Time})
		case e.Kind == journal.KindAttemptEnd:
			spans[len(spans)-1].end = e.Time
		}
	}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	needs := map[string]grant.Set{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e embedded.Trace
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if !reference.MatchString(e.Principal) {
			continue
		}
		i := slices.IndexFunc(spans, func(s span) bool { return !e.Time.Before(s.begin) && !e.Time.After(s.end) })
		if i < 0 {
			continue // the canary's
		}
		for _, n := range e.Needs {
			needs[spans[i].step] = needs[spans[i].step].With(grant.Grant{Permission: n.Action, Resource: catalog.Widen(n.Resource)})
		}
	}
	if len(needs) != len(spans) || len(spans) == 0 {
		t.Fatalf("the trace speaks of %d of %d steps", len(needs), len(spans))
	}
	return needs
}
