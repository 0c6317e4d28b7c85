// Command bench measures whittle: growth against a plain administrator run,
// growth in flight against the classic loop, the latency that the proxy adds,
// whittle's memory, and whittle parse against grep. It writes the figures as JSON and prints a table.
//
// What is compared is measured side by side in one run: on a busy machine
// absolute times mean little.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/record"
)

// figure is one line of out/bench.json.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Note  string  `json:"note"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := mainerr(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainerr(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	whittle := fs.String("whittle", "bin/whittle", "the whittle to measure")
	file := fs.String("file", "docs/examples/aws-small/whittle.yaml", "the lifecycle to measure it on")
	out := fs.String("out", "out/bench.json", "where the figures go")
	requests := fs.Int("requests", 2000, "requests for the latency figures")
	proofs := fs.String("certify", "docs/examples/e2b/whittle.yaml,docs/examples/aws-stack/whittle.yaml", "the lifecycles to certify, with commas between them; or what 'whittle probe --json' printed about one, NAME.json")
	module := fs.String("azure", "docs/examples/azure-aks", "the Terraform module to compare with Azure/mpf's way on")
	only := fs.String("only", "", "measure one part alone: parse, certify or azure, which is measured alone only")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *only != "" && *only != "parse" && *only != "certify" && *only != "azure" {
		return fmt.Errorf("-only=%s: not known; use -only=parse, -only=certify or -only=azure", *only)
	}

	work, err := os.MkdirTemp("", "whittle-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if *only == "azure" {
		figures, err := azure(ctx, *whittle, *module, work, stderr)
		return errors.Join(err, write(*out, figures), table(stdout, figures))
	}
	if *only == "certify" {
		figures, err := certified(ctx, *whittle, strings.Split(*proofs, ","), work, stdout, stderr)
		return errors.Join(err, write(*out, figures), table(stdout, figures))
	}
	fmt.Fprintln(stderr, "bench: whittle parse on a trace log")
	figures, err := parseLog(ctx, *whittle, work)
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	if *only == "parse" {
		return errors.Join(write(*out, figures), table(stdout, figures))
	}
	fmt.Fprintln(stderr, "bench: latency of the proxy")
	lat, err := latency(ctx, *requests)
	if err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	figures = append(figures, lat...)

	fmt.Fprintln(stderr, "bench: reference, growth in flight and verification")
	flight, err := probe(ctx, *whittle, *file, work, stderr, "in-flight", "--certify", "none")
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "bench: the classic loop")
	classic, err := probe(ctx, *whittle, *file, work, stderr, "rerun", "--no-reference", "--no-verify", "--certify", "none")
	if err != nil {
		return err
	}
	if !flight.rec.Verified || flight.steps[0].Reference == 0 {
		return errors.New("growth in flight was not verified against a reference: nothing to compare with; does the lifecycle say reference: false?")
	}
	figures = append(figures, compare(flight, classic)...)
	proved, err := certified(ctx, *whittle, strings.Split(*proofs, ","), work, stdout, stderr)
	if err != nil {
		return err
	}
	figures = append(figures, proved...)
	return errors.Join(write(*out, figures), table(stdout, figures))
}

// measured is what one probe reported and used.
type measured struct {
	steps   []stepTimes
	rec     record.Record
	peakKiB int
}

// stepTimes is what probe --json says of a step; times are in seconds.
type stepTimes struct {
	Name      string  `json:"name"`
	Runs      int     `json:"runs"`
	Refusals  int     `json:"refusals_held"`
	Grants    int     `json:"grants"`
	Optional  int     `json:"optional"`
	Changes   int     `json:"role_changes"`
	Certified int     `json:"certified"`
	Questions int     `json:"questions"`
	Chain     int     `json:"chain"`
	Withheld  int     `json:"runs_withholding"`
	Removed   int     `json:"runs_without_grants"`
	PutBack   int     `json:"put_back"`
	Certify   float64 `json:"certify_seconds"`
	Reference float64 `json:"reference_seconds"`
	Grow      float64 `json:"grow_seconds"`
	Verify    float64 `json:"verify_seconds"`
}

// probe runs whittle on the lifecycle and watches its memory.
func probe(ctx context.Context, whittle, file, work string, stderr io.Writer, strategy string, flags ...string) (measured, error) {
	var m measured
	path := filepath.Join(work, strategy+".lock.json")
	args := []string{"probe", "--json", "--file", file, "--record", path, "--work", filepath.Join(work, strategy), "--strategy", strategy}
	c := exec.CommandContext(ctx, whittle, append(args, flags...)...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it has children to end
	c.WaitDelay = 2 * time.Minute
	c.Stderr = stderr
	var stdout strings.Builder
	c.Stdout = &stdout
	if err := c.Start(); err != nil {
		return m, err
	}
	done := make(chan struct{})
	peak := make(chan int)
	go func() { peak <- peakMemory(c.Process.Pid, done) }()
	err := c.Wait()
	close(done)
	m.peakKiB = <-peak
	if err != nil {
		return m, fmt.Errorf("whittle probe --strategy %s: %w", strategy, err)
	}
	all, err := readSummary([]byte(stdout.String()))
	if err != nil {
		return m, err
	}
	m.steps = all.Steps
	m.rec, err = record.Read(path)
	return m, err
}

// summary is what probe --json prints at its end.
type summary struct {
	Verified bool        `json:"verified"`
	Steps    []stepTimes `json:"steps"`
}

func readSummary(text []byte) (s summary, err error) {
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("whittle probe --json: %w", err)
	}
	if len(s.Steps) == 0 {
		return s, errors.New("whittle probe --json: no steps in what it printed")
	}
	return s, nil
}

// peakMemory polls the peak resident size of one process, its children not
// counted, until done. 0 where the system does not tell (Linux does).
func peakMemory(pid int, done <-chan struct{}) int {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	peak := 0
	for {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil {
			for line := range strings.Lines(string(data)) {
				if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
					n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")))
					peak = max(peak, n)
				}
			}
		}
		select {
		case <-done:
			return peak
		case <-tick.C:
		}
	}
}

func compare(flight, classic measured) []figure {
	var ref, grow, verify, slow float64
	var runs, classicRuns, held int
	for _, s := range flight.steps {
		ref += s.Reference
		grow += s.Grow
		verify += s.Verify
		runs += s.Runs
		held += s.Refusals
	}
	for _, s := range classic.steps {
		slow += s.Grow
		classicRuns += s.Runs
	}
	var have, surplus, kept int
	for i, s := range flight.rec.Steps {
		mine, theirs := stepSet(s), stepSet(classic.rec.Steps[i])
		have += mine.Len()
		kept += theirs.Len()
		surplus += theirs.Minus(mine).Len()
	}
	return []figure{
		{"growth_over_admin", grow / ref, "ratio", "growth of all steps over the same steps as administrator, same proxy, same run; target at most 1.5"},
		{"verify_over_admin", verify / ref, "ratio", "verification over the same steps as administrator"},
		{"growth_runs", float64(runs), "runs", fmt.Sprintf("in flight, %d steps", len(flight.steps))},
		{"growth_refusals_held", float64(held), "refusals", "refused, granted and repeated without the client seeing it"},
		{"growth_grants", float64(have), "grants", "over all steps"},
		{"classic_runs", float64(classicRuns), "runs", "the classic loop, same lifecycle"},
		{"classic_over_growth_time", slow / grow, "ratio", "time of the classic loop over growth in flight"},
		{"classic_grants", float64(kept), "grants", "over all steps"},
		{"classic_surplus", float64(surplus), "grants", "granted by the classic loop and not needed: growth in flight was verified without them"},
		{"peak_memory", float64(max(flight.peakKiB, classic.peakKiB)) / 1024, "MiB", "peak resident size of the whittle process; target under 150"},
	}
}

func stepSet(s record.Step) grant.Set {
	var grants []grant.Grant
	for _, e := range s.Grants {
		grants = append(grants, grant.Grant{Permission: e.Permission, Resource: e.Resource})
	}
	return grant.Of(grants...)
}

// write puts the figures where they go; where none was measured, those of an earlier run
// stay.
func write(path string, figures []figure) error {
	if len(figures) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string][]figure{"benchmarks": figures}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

func table(w io.Writer, figures []figure) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range figures {
		fmt.Fprintf(tw, "%s\t%.4g\t%s\t%s\n", f.Name, f.Value, f.Unit, f.Note)
	}
	return tw.Flush()
}
