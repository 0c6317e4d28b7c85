package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// stack is the example of a team's whole stack.
const stack = "../../docs/examples/aws-stack/whittle.yaml"

// stackRecord is the record beside the example, of a run under the names that
// its whittle.yaml gives, verified.
const stackRecord = "../../docs/examples/aws-stack/whittle.lock.json"

// The stack converges in one run of each step, under another name to the record
// that is beside it, and to exactly what its requests need by the gate's own
// tables. It is grown only; TestProbeStackWhole does the rest.
func TestProbeStack(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	p, err := probeStack(t, stack, "--no-reference", "--no-verify", "--name", "name=beta", "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	checkStack(t, p)
	sameNeeds(t, p, traced(t, trace, p.events, journal.PassGrow), "beta")
	want, err := record.Read(stackRecord)
	if err != nil {
		t.Fatal(err)
	}
	// It may be of before regions were variables.
	want = want.Generalize(record.Place{Region: "us-east-1"}, nil)
	if !want.Verified {
		t.Errorf("%s is not verified", stackRecord)
	}
	for _, s := range want.Steps {
		for _, e := range s.Grants {
			if e.Necessity == "assumed" {
				t.Errorf("%s: step %s: %s on %s is only assumed", stackRecord, s.Name, e.Permission, e.Resource)
			}
		}
	}
	grown(want)
	// Evidence is left out of it: of requests that are sent at once, another may
	// be the first that is refused.
	if changes := record.Diff(want, p.rec); !changes.Empty() {
		t.Errorf("the record is not the one beside the stack: %+v", changes)
	}
}

// grown gives a certified record's steps what growth was granted and certifying then
// found to be optional.
func grown(rec record.Record) {
	for i, s := range rec.Steps {
		rec.Steps[i].Grants = slices.Concat(s.Grants, s.Optional)
	}
}

// The whole of it: with the reference, whose requests' needs are what is
// granted; and once more under another name, verified, to the same grants.
func TestProbeStackWhole(t *testing.T) {
	if os.Getenv("WHITTLE_TEST_WHOLE") == "" {
		t.Skip("SKIPPED: takes about 20 minutes; `make test-stack` runs it")
	}
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
			needs = traced(t, trace, first.events, journal.PassReference)
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
	if changes := record.Diff(first.rec, second.rec); !changes.Empty() {
		t.Errorf("under another name the record is another: %+v", changes)
	}
	checkStack(t, first)
	checkStack(t, second)
	sameNeeds(t, first, needs, "acme")
}

// sameNeeds checks that what was granted is what requests needed, step by step:
// each need is met by a grant, and each grant meets a need.
func sameNeeds(t *testing.T, p probed, needs map[string]grant.Set, name string) {
	t.Helper()
	here := strings.NewReplacer("{account}", "123456789012", "{region}", "us-east-1", "{name}", name, "{prefix}", name, "{cluster}", name)
	for _, s := range p.rec.Steps {
		met := map[grant.Grant]bool{}
		for _, e := range s.Grants {
			g := grant.Grant{Permission: e.Permission, Resource: here.Replace(e.Resource)}
			serves := false
			for need := range needs[s.Name].All() {
				if allows(t, g, need) {
					met[need], serves = true, true
				}
			}
			if !serves {
				t.Errorf("step %s: nothing needed %s", s.Name, g)
			}
		}
		for need := range needs[s.Name].All() {
			if !met[need] {
				t.Errorf("step %s: %s was needed, and is not in the record", s.Name, need)
			}
		}
	}
}

// allows tells whether a grant is enough for a need.
func allows(t *testing.T, g, need grant.Grant) bool {
	t.Helper()
	if g.Permission != need.Permission {
		return false
	}
	d, err := evaluate.Documents([]policy.Document{policy.FromSet(grant.Of(g))}, evaluate.Request{Action: need.Permission, Resource: need.Resource})
	if err != nil {
		t.Fatal(err)
	}
	return d == evaluate.Allow
}

// checkStack checks what holds for every probe of the example.
func checkStack(t *testing.T, p probed) {
	t.Helper()
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	if len(p.rec.Steps) != 6 {
		t.Errorf("%d steps, want 6", len(p.rec.Steps))
	}
	for _, s := range p.rec.Steps {
		if s.Runs != 1 {
			t.Errorf("step %s took %d runs of growth, want 1", s.Name, s.Runs)
		}
		services := map[string]bool{}
		for _, e := range s.Grants {
			service, verb, _ := strings.Cut(e.Permission, ":")
			services[service] = true
			if s.Name == "apply" && strings.HasPrefix(verb, "Delete") {
				t.Errorf("step %s holds %s: clean-up that it does not need", s.Name, e.Permission)
			}
			if s.Role == "planner" && !catalog.Level(e.Permission).Reads() {
				t.Errorf("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			// The verification settles what growth has only assumed.
			if e.Necessity == "assumed" && p.rec.Verified {
				t.Errorf("step %s: %s on %s is only assumed", s.Name, e.Permission, e.Resource)
			}
			if strings.Contains(e.Resource, "acme") || strings.Contains(e.Resource, "beta") || generated.MatchString(e.Resource) {
				t.Errorf("step %s: %s holds a name or an id of one run", s.Name, e.Resource)
			}
		}
		if s.Name == "apply" && len(services) < 15 {
			t.Errorf("apply speaks to %d services only", len(services))
		}
	}
}

var probeIdentity = regexp.MustCompile(`:assumed-role/whittle-|^serviceAccount:w-|^servicePrincipal:whittle-`)

// traced gives what the requests of a pass needed that were let through, by
// step: what the gate's tables say, widened as a grant is.
func traced(t *testing.T, trace string, events []journal.Event, pass string) map[string]grant.Set {
	t.Helper()
	type span struct {
		step       string
		begin, end time.Time
	}
	var spans []span
	for _, e := range events {
		switch {
		case e.Pass != pass:
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
		if !probeIdentity.MatchString(e.Principal) || e.Refused || strings.Contains(e.Principal, "/whittle-canary-") {
			continue
		}
		i := slices.IndexFunc(spans, func(s span) bool { return !e.Time.Before(s.begin) && !e.Time.After(s.end) })
		if i < 0 {
			continue // between the steps
		}
		for _, n := range e.Needs {
			needs[spans[i].step] = needs[spans[i].step].With(grant.Grant{Permission: n.Action, Resource: catalog.Widen(n.Resource)})
		}
	}
	if len(needs) == 0 || len(spans) == 0 { // one step of several may ask for nothing
		t.Fatalf("the trace speaks of %d of %d steps", len(needs), len(spans))
	}
	return needs
}
