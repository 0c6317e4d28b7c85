package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/drift"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/step/terraform"
)

// checkOptions are check's flags. Those that it shares with probe are probe's.
type checkOptions struct {
	probeOptions
	force, update bool
	format        string
}

func newCheck(g *globals) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check",
		Short: "Run what has changed under the recorded roles, and tell what drifted",
		Long: `Check tells whether the record still is what the code needs. Where the code, its
variables, the lock files and the tools are those of the record, that is said at
once. Else the steps that use what changed are run in the sandbox under their
recorded roles, and the steps before them are replayed, under theirs, for what
they make. What the cloud refuses is drift: it is granted in flight, so that one
run finds everything that is new, each with the request and the resource of the
code that needed it.

What is needed no longer is found with --certify: the steps concerned then grow
from nothing, and are certified and verified as by probe. It exits with 3 if
there is drift.`,
		Example: `  whittle check                          # whittle.yaml and whittle.lock.json in this folder
  whittle check --update                 # write what was found to the record
  whittle check --certify fast --update  # find what is needed no longer, too
  whittle check --force                  # run every step, whatever changed
  whittle check --format md >> "$GITHUB_STEP_SUMMARY"
  whittle check --json | jq -r '.new[] | "\(.step) \(.permission) \(.addresses)"'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runCheck(c.Context(), o, g) },
	}
	f := c.Flags()
	f.StringVarP(&o.file, "file", "f", "whittle.yaml", "the lifecycle `file`")
	f.StringVar(&o.record, "record", "", "the record `file` (default: whittle.lock.json beside the lifecycle file)")
	f.StringVar(&o.work, "work", "", "the `folder` for working copies and journals (default: .whittle beside the lifecycle file)")
	f.BoolVar(&o.force, "force", false, "run every step, changed or not")
	f.BoolVar(&o.update, "update", false, "write what was found to the record; what is new is verified first")
	f.StringVar(&o.certify, "certify", string(harness.None), "find what is needed no longer, and how far to prove it: none, fast or full")
	f.StringVar(&o.format, "format", "text", "how to print what was found: text, md or json")
	f.DurationVar(&o.patience, "patience", harness.DefaultPatience, "how long a denial may outlive its grant")
	f.StringToStringVar(&o.names, "name", nil, "another value for one of the lifecycle's names, `KEY=VALUE`")
	o.consent.flags(c)
	f.StringVar(&o.gate, "gate", "closed", "embedded sandbox: closed, or open to allow everything (for tests, which must then fail)")
	// These fail only for a flag that is not there.
	_ = f.MarkHidden("gate")
	_ = c.RegisterFlagCompletionFunc("certify", cobra.FixedCompletions(probeChoices()["certify"], cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(checkFormats(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func checkFormats() []string { return []string{"text", "md", "json"} }

// driftError says that the record is no longer what the code needs.
type driftError struct{ report drift.Report }

func (e *driftError) Error() string {
	return fmt.Sprintf("drift: %s is no longer what the code needs", e.report.Record)
}

func (e *driftError) Hints() []string {
	if e.report.Proved {
		return []string{"whittle check --certify fast --update writes what was found; review it like code"}
	}
	return []string{"whittle check --update writes what was found; review it like code"}
}

func runCheck(ctx context.Context, o checkOptions, g *globals) error {
	o.strategy = string(harness.InFlight)
	if g.json {
		o.format = "json"
	}
	if !slices.Contains(checkFormats(), o.format) {
		return &usageError{err: fmt.Errorf("--format=%s: not known", o.format), hint: "use text, md or json"}
	}
	if err := o.complete(); err != nil {
		return err
	}
	before, err := record.Read(o.record)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nothing to check against: there is no record %s; whittle probe makes it", o.record)
	} else if err != nil {
		return err
	}
	lc, err := lifecycle.Load(o.file)
	if err != nil {
		return err
	}
	if before.Cloud != lc.Cloud {
		return fmt.Errorf("%s is of cloud %s, and %s of %s: probe again, or name the right record with --record", o.record, before.Cloud, o.file, lc.Cloud)
	}
	code, err := codeOf(lc, o.record, o.work)
	if err != nil {
		return err
	}
	report := drift.Report{Record: o.record, New: []drift.New{}, Gone: []drift.Gone{}, Moved: []drift.Moved{}, Steps: []drift.Step{}, Tools: changedTools(ctx, lc, before)}
	why := concerned(lc, before, code, report.Tools)
	report.Changed = len(why) > 0 || code.digest != before.Inputs.Digest || len(removed(lc, before)) > 0
	if o.force {
		for _, s := range lc.Steps {
			if why[s.Name] == "" {
				why[s.Name] = "--force"
			}
		}
	}
	after := before
	if len(why) > 0 {
		if after, err = check(ctx, o, lc, code, before, why, &report, g); err != nil {
			return err
		}
	} else if report.Changed {
		// What changed is used by no step, or a step is gone.
		after = merged(lc, before, code, nil)
		report.Changes(before, after, func(string, grant.Grant) []string { return nil })
		for _, s := range removed(lc, before) {
			report.Steps = append(report.Steps, drift.Step{Name: s.Name, Phase: s.Phase, Did: drift.Removed})
		}
	}
	if o.update {
		if after.Steps = withDigests(after.Steps, code); report.Changed || len(why) > 0 || !slices.EqualFunc(before.Steps, after.Steps, func(a, b record.Step) bool { return a.Digest == b.Digest }) {
			if err := after.Write(o.record); err != nil {
				return err
			}
			report.Updated = true
		}
	}
	return printCheck(g.out, o.format, report)
}

// withDigests is the steps with what they use now.
func withDigests(steps []record.Step, c code) []record.Step {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].Digest = c.steps[steps[i].Name]
	}
	return steps
}

func printCheck(w io.Writer, format string, r drift.Report) error {
	var err error
	switch format {
	case "json":
		err = printJSON(w, r)
	case "md":
		err = r.Markdown(w)
	default:
		err = r.Text(w)
	}
	if err == nil && r.Drift && !r.Updated {
		return &driftError{r}
	}
	return err
}

// concerned says why each step is to be checked: it uses what changed. A record
// that does not say what its steps used concerns all of them, unless nothing at
// all has changed.
func concerned(lc lifecycle.Lifecycle, before record.Record, c code, tools []drift.Tool) map[string]string {
	old := map[string]record.Step{}
	for _, s := range before.Steps {
		old[s.Name] = s
	}
	why := map[string]string{}
	for _, s := range lc.Steps {
		was, there := old[s.Name]
		var changed []string
		for _, t := range tools {
			if s.Terraform != nil && (t.Name == "terraform" || t.Name == "tofu") {
				changed = append(changed, t.Name)
			}
		}
		switch {
		case !there:
			why[s.Name] = "the record has no such step"
		case was.Digest == "" && c.digest == before.Inputs.Digest:
		case was.Digest != c.steps[s.Name]:
			why[s.Name] = "what it uses has changed"
		case string(s.Phase) != was.Phase || s.RoleName() != was.RoleName():
			why[s.Name] = "its phase or its role has changed"
		case len(changed) > 0:
			why[s.Name] = "another version of " + strings.Join(changed, ", ")
		}
	}
	return why
}

// removed lists the record's steps that the lifecycle has no longer.
func removed(lc lifecycle.Lifecycle, before record.Record) []record.Step {
	return slices.DeleteFunc(slices.Clone(before.Steps), func(s record.Step) bool {
		return slices.ContainsFunc(lc.Steps, func(l lifecycle.Step) bool { return l.Name == s.Name })
	})
}

// changedTools compares the version of Terraform with the recorded one, as far as
// that can be told at once. What providers are used is in the lock files; another
// one without them shows when a step has run.
func changedTools(ctx context.Context, lc lifecycle.Lifecycle, before record.Record) []drift.Tool {
	if !slices.ContainsFunc(lc.Steps, func(s lifecycle.Step) bool { return s.Terraform != nil }) {
		return []drift.Tool{}
	}
	b, err := terraform.Find(ctx, lc.Terraform, func(string) {})
	if err != nil {
		return []drift.Tool{} // a step that needs it will say so
	}
	return differing(before.Inputs.Tools, map[string]string{b.Product: b.Version})
}

// differing lists the tools of is that have another version in was.
func differing(was, is map[string]string) []drift.Tool {
	tools := []drift.Tool{}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if was[name] != is[name] {
			tools = append(tools, drift.Tool{Name: name, Was: was[name], Is: is[name]})
		}
	}
	return tools
}

// check runs the steps concerned and those before them, and gives the record that
// it comes to.
func check(ctx context.Context, o checkOptions, lc lifecycle.Lifecycle, code code, before record.Record, why map[string]string, report *drift.Report, g *globals) (after record.Record, err error) {
	whole := lc
	proving := o.certify != string(harness.None)
	if o.update {
		if err := writable(o.record); err != nil {
			return before, err
		}
	}
	// A cloud that cannot be brought back to a snapshot is left as it was found:
	// the steps run to the teardown.
	if lc.Sandbox.Embedded {
		last := 0
		for i, s := range lc.Steps {
			if why[s.Name] != "" {
				last = i
			}
		}
		lc.Steps = lc.Steps[:last+1]
	}
	lc.Reference = lc.Reference && proving
	lc.Start, lc.Used = "empty", nil
	if lc, err = lc.Named(o.names); err != nil {
		return before, &usageError{err: err, hint: "the file's names: has what --name can replace"}
	}
	log, err := g.logger()
	if err != nil {
		return before, err
	}
	release, err := holdStack("check", lc, o.work)
	if err != nil {
		return before, err
	}
	defer func() { err = errors.Join(err, release()) }()
	o.work = filepath.Join(o.work, "check")
	if err := os.MkdirAll(o.work, 0o700); err != nil {
		return before, fmt.Errorf("work folder %s: %w; name another one with --work", o.work, err)
	}
	rd, err := openRun(o.work, "check of "+code.digest+" on "+sandboxName(lc.Sandbox), false)
	if err != nil {
		return before, err
	}
	after, err = checkIn(ctx, rd, lc, whole, code, o, before, why, report, g, log)
	return after, errors.Join(err, rd.close(err == nil))
}

func checkIn(ctx context.Context, rd *rundir, lc, whole lifecycle.Lifecycle, code code, o checkOptions, before record.Record, why map[string]string, report *drift.Report, g *globals, log *slog.Logger) (after record.Record, err error) {
	show := newProgress(g.err, lc.Steps)
	defer show.close()
	show.line("checking %s: %d of %s concerned, on %s; journal %s", o.file, len(why), count(len(whole.Steps), "step"), sandboxName(lc.Sandbox), rd.journal.Path())
	st, err := openStage(ctx, rd, lc, o.probeOptions, g, show, log)
	if err != nil {
		return before, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	beside, closeBeside, err := besideIn(ctx, rd, lc, o.probeOptions, st.cloud, log)
	if err != nil {
		return before, err
	}
	defer func() { err = errors.Join(err, closeBeside()) }()

	proving := o.certify != string(harness.None)
	// One of before regions were variables is the same record.
	before = before.Generalize(record.Place{Region: st.at().Region}, nil)
	start := recorded(before, lc, st.at())
	if proving {
		for name := range why {
			delete(start, name)
		}
	}
	c := st.config(rd, lc, o.probeOptions)
	c.Strategy, c.Certify, c.Beside = harness.InFlight, harness.Depth(o.certify), beside
	c.Start, c.Kept, c.VerifyGrown, c.SkipVerify = start, true, true, !o.update && !proving
	result, err := harness.Run(ctx, c)
	show.close()
	if err != nil {
		return before, err
	}

	found := recordOf(lc, code, st.at(), result)
	found.Steps = withoutOptional(found.Steps, before.Steps, why)
	after = merged(whole, before, code, found.Steps)
	after.Inputs.Tools = maps.Clone(before.Inputs.Tools)
	if after.Inputs.Tools == nil {
		after.Inputs.Tools = map[string]string{}
	}
	maps.Copy(after.Inputs.Tools, found.Inputs.Tools)
	grew := slices.ContainsFunc(result.Steps, func(r harness.StepResult) bool { return !r.Set().Equal(start[r.Step.Name]) })
	after.Verified = before.Verified && (result.Verified || !grew)
	report.Proved = proving
	report.Tools = differing(before.Inputs.Tools, found.Inputs.Tools)
	report.Changes(before, after, addressesIn(lc, st.at(), result))
	for _, s := range whole.Steps {
		did := drift.Step{Name: s.Name, Phase: string(s.Phase), Did: drift.NotRun}
		for _, r := range result.Steps {
			if r.Step.Name == s.Name {
				did.Did, did.Runs, did.Seconds = drift.Replayed, r.Runs, r.Grow.Seconds()
			}
		}
		if why[s.Name] != "" {
			did.Did, did.Why = drift.Checked, why[s.Name]
		}
		report.Steps = append(report.Steps, did)
	}
	for _, s := range removed(whole, before) {
		report.Steps = append(report.Steps, drift.Step{Name: s.Name, Phase: s.Phase, Did: drift.Removed})
	}
	return after, nil
}

// merged is the record with what was found of the steps that were run: what stood
// in it stays as it stood, with its evidence. Steps of which nothing was found
// stay, if the lifecycle has them.
func merged(lc lifecycle.Lifecycle, before record.Record, c code, found []record.Step) record.Record {
	after := before
	after.Inputs.Digest, after.Steps = c.digest, nil
	byName := func(steps []record.Step, name string) (record.Step, bool) {
		i := slices.IndexFunc(steps, func(s record.Step) bool { return s.Name == name })
		if i < 0 {
			return record.Step{}, false
		}
		return steps[i], true
	}
	for _, l := range lc.Steps {
		old, _ := byName(before.Steps, l.Name)
		s, ran := byName(found, l.Name)
		if !ran {
			s = old
		}
		s.Name, s.Phase, s.Role, s.Digest = l.Name, string(l.Phase), l.Role, c.steps[l.Name]
		if ran {
			s.Grants = evidenced(s.Grants, old.Grants)
			s.Optional = slices.Concat(s.Optional, slices.DeleteFunc(slices.Clone(old.Optional), func(e record.Entry) bool {
				return s.Set().Has(e.Grant()) || slices.ContainsFunc(s.Optional, func(o record.Entry) bool { return o.Grant() == e.Grant() })
			}))
			s.Runs = max(s.Runs, old.Runs)
		}
		after.Steps = append(after.Steps, s)
	}
	return after
}

// withoutOptional is what was found without what a replayed step was refused and does
// as well without, by its record: it is as it was, so that is nothing new. A step that
// is concerned may have come to need it.
func withoutOptional(found, before []record.Step, why map[string]string) []record.Step {
	found = slices.Clone(found)
	for i, s := range found {
		for _, old := range before {
			if old.Name != s.Name || why[s.Name] != "" {
				continue
			}
			held := old.Set()
			found[i].Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(e record.Entry) bool {
				return !held.Has(e.Grant()) && slices.ContainsFunc(old.Optional, func(o record.Entry) bool { return o.Grant() == e.Grant() })
			})
		}
	}
	return found
}

// evidenced gives entries the evidence that was recorded for them before.
func evidenced(entries, before []record.Entry) []record.Entry {
	entries = slices.Clone(entries)
	for i, e := range entries {
		j := slices.IndexFunc(before, func(o record.Entry) bool { return o.Grant() == e.Grant() })
		if j >= 0 && (e.Necessity != string(harness.Certified) || before[j].Necessity == e.Necessity) {
			entries[i] = before[j]
		}
	}
	return entries
}

// addressesIn gives the addresses of a step's grant by the name that the grant has
// in the record.
func addressesIn(lc lifecycle.Lifecycle, at record.Place, r harness.Result) func(step string, g grant.Grant) []string {
	all := map[string]map[grant.Grant][]string{}
	for _, s := range r.Steps {
		all[s.Step.Name] = map[grant.Grant][]string{}
		for g, addresses := range s.Addresses {
			one := record.Record{Cloud: lc.Cloud, Steps: []record.Step{{Grants: []record.Entry{{Permission: g.Permission, Resource: g.Resource, Condition: g.Condition}}}}}
			all[s.Step.Name][one.Generalize(at, lc.Names).Steps[0].Grants[0].Grant()] = addresses
		}
	}
	return func(step string, g grant.Grant) []string { return all[step][g] }
}
