package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
)

// probeOptions are probe's flags.
type probeOptions struct {
	file        string
	record      string // default: whittle.lock.json beside file
	work        string // default: .whittle beside file
	strategy    string
	patience    time.Duration
	certify     string
	maxRuns     int
	maxTime     time.Duration
	noReference bool
	noVerify    bool
	resume      bool
	gate        string
	propagation time.Duration
	olderForms  bool
	names       map[string]string
	trace       string
	variant     string // lifecycle.Base is the lifecycle itself
	consent     consent
	auditWait   time.Duration
	auditFaults auditlog.Faults
}

func newProbe(g *globals) *cobra.Command {
	var (
		o        probeOptions
		variants bool
	)
	c := &cobra.Command{
		Use:   "probe",
		Short: "Run the lifecycle, grow its roles, certify and verify them, and write the record",
		Long: `Probe runs every step of whittle.yaml in a sandbox: once as administrator for
the reference, once under a role that starts empty and grows by what is refused,
a few times more to certify that nothing can be taken away, and once under the
final roles to verify them. The converged set per step goes to
whittle.lock.json. Your own working copy is never written to.

To certify, a step is run again from where it started while requests that once
were refused are refused again, many at a time, each with a mark of its own:
what the tool's errors show is needed, and let through in the next run. What the
errors do not show is really taken away. This needs snapshots, which the embedded
sandbox has; elsewhere grants stay observed.`,
		Example: `  whittle probe                        # whittle.yaml in this folder
  whittle probe -f infra/whittle.yaml --record out/whittle.lock.json
  whittle probe --resume               # go on where an interrupted run stopped
  whittle probe --name prefix=beta     # under another name; the record is the same
  whittle probe --variants             # the lifecycle and each of its variants
  whittle probe --certify none         # grow and verify only; grants stay observed
  whittle probe --max-time 20m         # certify for so long, and go on with --resume
  whittle probe --strategy shrink      # begin with the role of start: and take away
  whittle probe --strategy rerun       # the classic loop, to compare with
  whittle probe --json | jq .steps`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if variants {
				return probeVariants(c.Context(), o, g)
			}
			return runProbe(c.Context(), o, g)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "file", "f", "whittle.yaml", "the lifecycle `file`")
	f.StringVar(&o.record, "record", "", "the record `file` to write (default: whittle.lock.json beside the lifecycle file)")
	f.StringVar(&o.work, "work", "", "the `folder` for working copies and journals (default: .whittle beside the lifecycle file)")
	f.StringVar(&o.strategy, "strategy", string(harness.InFlight), "how roles come about: in-flight, shrink or rerun")
	f.StringVar(&o.certify, "certify", string(harness.Fast), "how far to prove that nothing can be taken away: none, fast or full")
	f.IntVar(&o.maxRuns, "max-runs", 0, "the most runs of steps that certifying may take (default: as many as it takes)")
	f.DurationVar(&o.maxTime, "max-time", 0, "the longest that certifying may take (default: as long as it takes)")
	f.DurationVar(&o.patience, "patience", harness.DefaultPatience, "how long a denial may outlive its grant")
	f.BoolVar(&o.noReference, "no-reference", false, "leave out the run as administrator")
	f.BoolVar(&o.noVerify, "no-verify", false, "leave out the verification; the record says so")
	f.BoolVar(&o.resume, "resume", false, "go on where the last run was interrupted")
	f.DurationVar(&o.propagation, "propagation", 0, "let the embedded sandbox take this long to bring a change of a policy into force")
	f.StringToStringVar(&o.names, "name", nil, "another value for one of the lifecycle's names, `KEY=VALUE`")
	f.StringVar(&o.variant, "variant", lifecycle.Base, "probe this variant of the lifecycle; its record has its `NAME` in it")
	f.BoolVar(&variants, "variants", false, "probe the lifecycle and each of its variants, and show what hangs on which option")
	o.consent.flags(c)
	f.StringVar(&o.gate, "gate", "closed", "embedded sandbox: closed, or open to allow everything (for tests, which must then fail)")
	f.BoolVar(&o.olderForms, "older-forms", false, "embedded sandbox: refuse as EC2 did until 2024, with an encoded message only")
	f.StringVar(&o.trace, "trace", "", "embedded sandbox: write what the gate made of each request to this `file`, a line of JSON each")
	f.DurationVar(&o.auditWait, "audit-wait", -1, "how long to wait for entries of the audit log (default: as long as the service may take)")
	f.Lookup("audit-wait").DefValue = "0s" // the usage says it in words
	f.Var(faultsValue{&o.auditFaults}, "audit-fault", "embedded sandbox: what goes wrong with the audit log")
	// These fail only for a flag that is not there.
	_ = f.MarkHidden("audit-fault")
	_ = f.MarkHidden("trace")
	_ = f.MarkHidden("gate")
	_ = f.MarkHidden("older-forms")
	for flag, values := range probeChoices() {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = c.RegisterFlagCompletionFunc("variant", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		lc, err := lifecycle.Load(o.file)
		if err != nil { // the command itself will say so
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return variantNames(lc), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// probeChoices is what the flags take that take one of a few words.
func probeChoices() map[string][]string {
	return map[string][]string{
		"strategy": {string(harness.InFlight), string(harness.Shrink), string(harness.Rerun)},
		"certify":  {string(harness.None), string(harness.Fast), string(harness.Full)},
	}
}

func (o *probeOptions) complete() error {
	for flag, value := range map[string]string{"strategy": o.strategy, "certify": o.certify} {
		if choices := probeChoices()[flag]; !slices.Contains(choices, value) {
			return &usageError{err: fmt.Errorf("--%s=%s: not known", flag, value), hint: "use " + strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1]}
		}
	}
	if o.maxRuns < 0 || o.maxTime < 0 {
		return &usageError{err: errors.New("--max-runs and --max-time cannot be less than nothing"), hint: "leave them out for no bound"}
	}
	if err := checkGate(o.gate); err != nil {
		return err
	}
	if o.patience <= 0 {
		return &usageError{err: fmt.Errorf("--patience=%s: not a time to wait", o.patience), hint: "use a duration such as 30s or 8m"}
	}
	dir := filepath.Dir(o.file)
	if o.record == "" {
		o.record = variantRecord(filepath.Join(dir, "whittle.lock.json"), cmp.Or(o.variant, lifecycle.Base))
	}
	if o.work == "" {
		o.work = filepath.Join(dir, ".whittle")
	}
	return nil
}

func runProbe(ctx context.Context, o probeOptions, g *globals) (err error) {
	if err := o.complete(); err != nil {
		return err
	}
	lc, err := loadForProbe(o)
	if err != nil {
		return err
	}
	code, err := codeOf(lc, o.record, o.work)
	if err != nil {
		return err
	}
	if lc, err = lc.Named(o.names); err != nil {
		return &usageError{err: err, hint: "the file's names: has what --name can replace"}
	}
	log, err := g.logger()
	if err != nil {
		return err
	}
	release, err := holdStack("probe", lc, o.work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	rd, err := openRun(o.work, code.digest+" on "+sandboxName(lc.Sandbox), o.resume)
	if err != nil {
		return err
	}
	err = probeIn(ctx, rd, lc, code, o, g, log)
	if ctx.Err() != nil && err != nil {
		roles := "the roles are empty, and "
		if errors.Is(err, harness.ErrNotReleased) {
			roles = ""
		}
		err = fmt.Errorf("interrupted; %swhittle probe --resume goes on from %s: %w", roles, rd.dir, err)
	}
	return errors.Join(err, rd.close(err == nil))
}

// holdStack takes the folder of runs for this process alone; on a real account or
// project also the stack, whose identities are the same wherever its runs are
// written down.
func holdStack(command string, lc lifecycle.Lifecycle, work string) (release func() error, err error) {
	work, err = filepath.Abs(work)
	if err != nil {
		return nil, err
	}
	stack, err := filepath.Abs(filepath.Join(lc.Dir, ".whittle"))
	if err != nil {
		return nil, err
	}
	release, err = journal.Hold(work, command)
	if err != nil && !errors.Is(err, journal.ErrLocked) {
		return nil, fmt.Errorf("%w; name another folder with --work", err)
	}
	if err != nil || lc.Sandbox.Embedded || stack == work {
		return release, err
	}
	also, err := journal.Hold(stack, command)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return func() error { return errors.Join(also(), release()) }, nil
}

// loadForProbe reads the lifecycle file, applies the flags, and refuses early
// what would fail late.
func loadForProbe(o probeOptions) (lifecycle.Lifecycle, error) {
	lc, err := lifecycle.Load(o.file)
	if err != nil {
		return lc, err
	}
	if lc, err = lc.Vary(cmp.Or(o.variant, lifecycle.Base)); err != nil {
		return lc, &usageError{err: err, hint: "the file's variants: has what --variant can name"}
	}
	switch from := lc.Start != "" && lc.Start != "empty"; {
	case !from && o.strategy == string(harness.Shrink):
		return lc, fmt.Errorf("%s: --strategy shrink has nothing to take away from: say start: record, start: and a role's file, or start: {audit: …}", o.file)
	case from && o.certify == string(harness.None):
		return lc, &usageError{err: fmt.Errorf("start: %s is of no use with --certify none: nothing would be taken away", lc.Start), hint: "use --certify fast"}
	}
	if u := lc.Used; u != nil && len(u.Files) == 0 && lc.Sandbox.Embedded && os.Getenv(lastingVariable) == "" {
		return lc, fmt.Errorf("%s:%d: start: audit: an embedded sandbox begins with an empty log; name files that were exported from where %s works (files: …), or run whittle cloud and set %s", o.file, u.Line, u.Principal, lastingVariable)
	}
	if o.propagation > 0 && !lc.Sandbox.Embedded {
		return lc, &usageError{err: errors.New("--propagation is for the embedded sandbox only"), hint: "a real cloud takes the time it takes; see --patience"}
	}
	if o.noReference {
		lc.Reference = false
	}
	if o.propagation > 0 {
		lc.Sandbox.Propagation = o.propagation
	}
	if lc.Cloud != "aws" && !lc.Sandbox.Embedded && lc.Reference && len(lc.Ceiling) > 0 {
		// The reference may do nothing above the ceiling, and no custom role of
		// ours holds a pattern.
		return lc, fmt.Errorf("%s: ceiling: on Google Cloud and Azure the reference cannot run below a ceiling of patterns; say reference: false, or --no-reference", o.file)
	}
	return lc, writable(o.record)
}

// probeIn probes in an open run folder.
func probeIn(ctx context.Context, rd *rundir, lc lifecycle.Lifecycle, code code, o probeOptions, g *globals, log *slog.Logger) (err error) {
	show := newProgress(g.err, lc.Steps)
	defer show.close()
	show.line("probing %s: %s on %s; journal %s", o.file, count(len(lc.Steps), "step"), sandboxName(lc.Sandbox), rd.journal.Path())
	st, err := openStage(ctx, rd, lc, o, g, show, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	start, err := st.start(ctx, rd, o.record)
	if err != nil {
		return err
	}
	beside, closeBeside, err := besideIn(ctx, rd, lc, o, st.cloud, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBeside()) }()

	began := time.Now()
	c := st.config(rd, lc, o)
	c.Strategy, c.Certify, c.Budget = harness.Strategy(o.strategy), harness.Depth(o.certify), harness.Budget{Runs: o.maxRuns, Time: o.maxTime}
	c.SkipVerify, c.Known, c.Start, c.Beside = o.noVerify, rd.known, start, beside
	result, err := harness.Run(ctx, c)
	if err != nil {
		show.close()
		return st.explained(ctx, rd, o, err)
	}
	show.close()
	rd.short = slices.ContainsFunc(result.Steps, func(s harness.StepResult) bool { return s.Proof.Short })
	rec := recordOf(lc, code, st.at(), result)
	if err := rec.Write(o.record); err != nil {
		return err
	}
	report, err := st.audited(ctx, rd, rec, o)
	if err != nil {
		return err
	}
	return errors.Join(printProbe(g, o, rec, result, report, time.Since(began)), unclean(report))
}

// rightAccount refuses to work in another account than the lifecycle names.
func rightAccount(file string, s lifecycle.Sandbox, account string) error {
	if s.Account == "" || s.Account == account {
		return nil
	}
	return fmt.Errorf("%s: sandbox: account: %s, but the operator's credentials are for account %s; nothing was touched", file, s.Account, account)
}

// stackName is the folder's name with a hash of its path: it keeps the roles of
// two stacks apart.
func stackName(lc lifecycle.Lifecycle) string {
	dir, err := filepath.Abs(lc.Dir)
	if err != nil {
		dir = lc.Dir
	}
	sum := sha256.Sum256([]byte(dir))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(filepath.Base(dir)))
	return fmt.Sprintf("%s-%x", strings.Trim(name, "-"), sum[:3])
}

func sandboxName(s lifecycle.Sandbox) string {
	switch {
	case s.Embedded:
		return "the embedded sandbox"
	case s.Project != "":
		return "project " + s.Project
	case s.Subscription != "":
		return "subscription " + s.Subscription
	}
	return "account " + s.Account
}

// writable tells early what would otherwise fail after all runs: a record that
// cannot be written.
func writable(record string) error {
	dir := filepath.Dir(record)
	if info, err := os.Stat(record); err == nil && info.IsDir() {
		return fmt.Errorf("record %s: is a folder; name a file with --record", record)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("record %s: %w; name another file with --record", record, err)
	}
	f, err := os.CreateTemp(dir, ".whittle-*")
	if err != nil {
		return fmt.Errorf("record %s: folder %s cannot be written to: %w; name another file with --record", record, dir, errors.Unwrap(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// probeSummary is what probe --json prints.
type probeSummary struct {
	Record   string        `json:"record"`
	Verified bool          `json:"verified"`
	Seconds  float64       `json:"seconds"`
	Steps    []stepSummary `json:"steps"`
	// Decoys is there where the verification was held against some.
	Decoys *decoySummary `json:"decoys,omitempty"`
	Audit  *audit.Report `json:"audit,omitempty"`
}

type stepSummary struct {
	Name     string `json:"name"`
	Runs     int    `json:"runs"`
	Refusals int    `json:"refusals_held"`
	Grants   int    `json:"grants"`
	Optional int    `json:"optional"`
	Changes  int    `json:"role_changes"`
	// Wall times in seconds, 0 for a pass that was left out.
	Reference float64 `json:"reference_seconds"`
	Grow      float64 `json:"grow_seconds"`
	Verify    float64 `json:"verify_seconds"`
	// How the grants were certified; zeros where nothing was asked.
	Certified int     `json:"certified"`
	Questions int     `json:"questions"`
	Chain     int     `json:"chain"`
	Withheld  int     `json:"runs_withholding"`
	Removed   int     `json:"runs_without_grants"`
	PutBack   int     `json:"put_back"`
	Certify   float64 `json:"certify_seconds"`
}

func printProbe(g *globals, o probeOptions, rec record.Record, result harness.Result, found audit.Report, took time.Duration) error {
	if !g.json {
		if err := printTable(g.out, rec); err != nil {
			return err
		}
		state := "verified"
		if !rec.Verified {
			state = "not verified"
		}
		if proof := proved(o, result); proof != "" {
			state += "; " + proof
		}
		fmt.Fprintf(g.err, "%s; the record is %s\n", state, o.record)
		if len(result.Trials)+len(result.Whole) > 0 {
			printDecoys(g.err, decoysOf(rec.Cloud, result))
		}
		if err := printHeard(g.err, found); err != nil {
			return err
		}
		fmt.Fprintf(g.err, "next: whittle show --record %s splits it by phase; commit it beside the code\n", o.record)
		return nil
	}
	sum := probeSummary{Record: o.record, Verified: rec.Verified, Seconds: took.Seconds()}
	for _, s := range result.Steps {
		sum.Steps = append(sum.Steps, stepSummary{
			Name: s.Step.Name, Runs: s.Runs, Refusals: s.Refusals, Grants: len(s.Entries), Optional: len(s.Optional), Changes: s.Changes,
			Reference: s.Reference.Seconds(), Grow: s.Grow.Seconds(), Verify: s.Verify.Seconds(),
			Certified: certified(s), Questions: s.Proof.Questions, Chain: s.Proof.Chain, Withheld: s.Proof.Withheld,
			Removed: s.Proof.Removed, PutBack: s.Proof.PutBack, Certify: s.Proof.Time.Seconds(),
		})
	}
	if len(found.Steps) > 0 {
		sum.Audit = &found
	}
	if len(result.Trials)+len(result.Whole) > 0 {
		decoys := decoysOf(rec.Cloud, result)
		sum.Decoys = &decoys
	}
	return printJSON(g.out, sum)
}

// certified is how many of a step's grants are certified.
func certified(s harness.StepResult) (n int) {
	for _, e := range s.Entries {
		if e.Necessity == harness.Certified {
			n++
		}
	}
	return n
}

// proved says in a line what certifying came to, and how to go on where it was
// cut short.
func proved(o probeOptions, r harness.Result) string {
	if o.certify == string(harness.None) {
		return ""
	}
	grants, sure, short := 0, 0, false
	for _, s := range r.Steps {
		grants += len(s.Entries)
		sure += certified(s)
		short = short || s.Proof.Short
	}
	text := fmt.Sprintf("%d of %s certified", sure, count(grants, "grant"))
	if short {
		text += "; the budget is used up: whittle probe --resume goes on"
	}
	return text
}
