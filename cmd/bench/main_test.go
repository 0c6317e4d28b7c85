package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/parsers"
)

func TestCompare(t *testing.T) {
	step := func(permissions ...string) record.Record {
		s := record.Step{Name: "apply"}
		for _, p := range permissions {
			s.Grants = append(s.Grants, record.Entry{Permission: p, Resource: "*"})
		}
		return record.Record{Steps: []record.Step{s}}
	}
	flight := measured{steps: []stepTimes{{Runs: 1, Refusals: 2, Reference: 10, Grow: 12, Verify: 11}}, rec: step("a:A", "a:B"), peakKiB: 1024}
	classic := measured{steps: []stepTimes{{Runs: 4, Grow: 48}}, rec: step("a:A", "a:B", "a:DeleteA"), peakKiB: 2048}
	want := map[string]float64{
		"growth_over_admin": 1.2, "verify_over_admin": 1.1, "growth_runs": 1, "growth_refusals_held": 2, "growth_grants": 2,
		"classic_runs": 4, "classic_over_growth_time": 4, "classic_grants": 3, "classic_surplus": 1, "peak_memory": 2,
	}
	figures := compare(flight, classic)
	if len(figures) != len(want) {
		t.Errorf("%d figures, want %d", len(figures), len(want))
	}
	for _, f := range figures {
		if f.Value != want[f.Name] || f.Unit == "" {
			t.Errorf("%s is %v %s, want %v", f.Name, f.Value, f.Unit, want[f.Name])
		}
	}
}

func TestLatencyAndFile(t *testing.T) {
	figures, err := latency(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out", "bench.json")
	if err := write(path, figures); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Benchmarks []figure }
	if err := json.Unmarshal(data, &got); err != nil || len(got.Benchmarks) != 4 {
		t.Errorf("%d benchmarks, %v: %s", len(got.Benchmarks), err, data)
	}
}

// The log that is measured on is the same each time, and its refusals are read.
func TestWriteTrace(t *testing.T) {
	var a, b bytes.Buffer
	n, err := writeTrace(&a, 3<<20, 1<<20)
	if _, err2 := writeTrace(&b, 3<<20, 1<<20); err != nil || err2 != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Fatalf("two logs of one kind differ: %v, %v", err, err2)
	}
	if got, err := parsers.Scan(&a); err != nil || n != 2 || len(got) != n {
		t.Errorf("%d refusals, read %+v, %v", n, got, err)
	}
}

// TestDDMin: the algorithm keeps what is needed, and takes the runs that it is
// known to take: about two for each grant where all are needed.
func TestDDMin(t *testing.T) {
	for _, tt := range []struct{ needed, spare, least, most int }{
		{1, 0, 0, 0},
		{8, 0, 20, 40},
		{100, 0, 200, 500},
		{20, 2980, 300, 10_000},
	} {
		if runs := ddmin(tt.needed, tt.spare); runs < tt.least || runs > tt.most {
			t.Errorf("%d needed of %d: %d runs, want %d to %d", tt.needed, tt.needed+tt.spare, runs, tt.least, tt.most)
		}
	}
}

// What an earlier probe said of a lifecycle counts as a run of it would; what was not
// verified, or is no such thing, does not.
func TestCertifiedOfEarlierProbe(t *testing.T) {
	dir := t.TempDir()
	of := func(name, text string) string {
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const steps = `"steps": [
		{"name": "apply", "grants": 4, "certified": 3, "optional": 1, "questions": 4, "chain": 2, "runs_withholding": 3, "runs_without_grants": 1, "role_changes": 3, "certify_seconds": 60},
		{"name": "destroy", "grants": 5, "certified": 5, "questions": 5, "chain": 2, "runs_withholding": 5, "put_back": 1, "role_changes": 2, "certify_seconds": 30}]`
	var printed bytes.Buffer
	figures, err := certified(t.Context(), "no-whittle", []string{of("stack", `{"verified": true, `+steps+`}`)}, dir, &printed, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"stack: runs to certify": 9, "stack: runs, beside one at a time": 0.9, "stack: steps over their chain and two": 1, "stack: time to certify": 90}
	for _, f := range figures {
		if v, ok := want[f.Name]; ok && v != f.Value {
			t.Errorf("%s is %v, want %v", f.Name, f.Value, v)
		}
		delete(want, f.Name)
	}
	if len(want) > 0 || !bytes.Contains(printed.Bytes(), []byte("destroy")) {
		t.Errorf("without %v:\n%s", want, printed.String())
	}
	out := filepath.Join(dir, "bench.out")
	if err := os.WriteFile(out, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mainerr(t.Context(), []string{"-only=certify", "-certify=" + filepath.Join(dir, "none.json"), "-out", out}, &printed, t.Output()); err == nil {
		t.Error("a file that is not there: no error")
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != "earlier" {
		t.Errorf("what an earlier run measured is now %q, %v", text, err)
	}
	for name, text := range map[string]string{"unverified": `{"verified": false, ` + steps + `}`, "record": `{"version": 1, "verified": true, "steps": []}`, "cut": `{"verified": tr`} {
		if _, err := certified(t.Context(), "no-whittle", []string{of(name, text)}, dir, &printed, t.Output()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
