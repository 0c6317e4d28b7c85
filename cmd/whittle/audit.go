package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/audit/form"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
)

// auditOptions are audit's flags.
type auditOptions struct {
	file string
	evidenceFlags
	wait      time.Duration
	principal string
	since     time.Duration
	role      string
}

func newAudit(g *globals) *cobra.Command {
	var o auditOptions
	c := &cobra.Command{
		Use:   "audit [FILE...]",
		Short: "Hold the cloud's own audit log against the newest run of the record",
		Long: `Audit reads what the cloud's audit log has of the probe identities in the newest
run of the record (Google Cloud's audit logs, AWS's CloudTrail, Azure's Activity
Log), and holds it against what the run saw: what was done that no role granted,
and through which binding; what was refused and no client reported; what a service
did later in an identity's name; what is granted and was not used; what the log
lacks. Entries come late: what an earlier call took in is kept beside the run's
journal and added to. The record stays as it is.

With --principal it prints, in place of that, a role of what somebody has done in the
time of --since: a deployer that is there already. As start: of a lifecycle, with
--strategy shrink, it is what a probe takes away from.

With FILEs, entries are read from them and nobody is asked: what entries.list or
gcloud logging read gives, LookupEvents or a trail's files in S3 (packed with gzip
or not), what az monitor activity-log list gives.`,
		Example: `  whittle audit                          # ask the log again, after probe with audit: true
  whittle audit --wait 15m               # CloudTrail takes its time
  whittle audit trail/*.json.gz          # from the files of a trail
  whittle audit --principal deployer@my-project.iam.gserviceaccount.com --since 720h --role list > deployer.txt
  whittle audit --json | jq '.findings[] | select(.kind == "swallowed")'`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.principal != "" {
				return runUse(c.Context(), o, args, g)
			}
			return runAudit(c.Context(), o, args, g)
		},
	}
	c.Flags().StringVarP(&o.file, "file", "f", "whittle.yaml", "the lifecycle `file`")
	o.evidenceFlags.add(c)
	c.Flags().DurationVar(&o.wait, "wait", 0, "how long to wait for entries that are missing")
	c.Flags().StringVar(&o.principal, "principal", "", "print a role of what `WHO` has done: an account's address, a role's ARN, an object id")
	c.Flags().DurationVar(&o.since, "since", 30*24*time.Hour, "with --principal: how far back")
	c.Flags().StringVar(&o.role, "role", "list", "with --principal: the role as list, native, terraform, or arm (Azure)")
	complete(c, "role", "list", "native", "terraform", "arm")
	return c
}

func runAudit(ctx context.Context, o auditOptions, files []string, g *globals) error {
	if o.wait < 0 {
		return &usageError{err: fmt.Errorf("--wait=%s: not a time to wait", o.wait), hint: "use a duration such as 15m"}
	}
	rec, err := readRecord(o.record)
	if err != nil {
		return err
	}
	work := o.workFolder()
	run, wrong := newestRun(work, rec.Inputs.Digest, journal.KindAttempt)
	for _, err := range wrong {
		fmt.Fprintf(g.err, "whittle: passed over: %s\n", err)
	}
	if run.Name == "" {
		return fmt.Errorf("%s has no run of %s: the audit log is held against a run's journal; whittle probe makes one", work, o.record)
	}
	dir := filepath.Join(work, run.Name)
	if _, _, principals := audit.Span(run.Events); len(principals) == 0 {
		return fmt.Errorf("%s: the journal does not say as whom its steps ran; probe again", dir)
	}
	h, err := readHeard(dir)
	if err != nil {
		return err
	}
	show := newProgress(g.err, nil)
	defer show.close()
	c := crossCheck{cloud: rec.Cloud, say: show.line, now: show.now}
	if len(files) > 0 {
		if err := c.files(files, &h, g.err); err != nil {
			return err
		}
	} else if err := c.ask(ctx, o, g); err != nil {
		return err
	}
	report, err := c.run(ctx, dir, rec.Steps, h)
	show.close()
	if err != nil {
		return err
	}
	if c.log == nil {
		if err := h.write(dir); err != nil {
			return err
		}
	}
	if g.json {
		err = printJSON(g.out, report)
	} else {
		err = printAudit(g.out, report)
	}
	return errors.Join(err, unclean(report))
}

// files adds the entries of files to what is known.
func (c crossCheck) files(files []string, h *heard, w io.Writer) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		got, skipped, err := form.File(c.cloud, data)
		if err != nil {
			return fmt.Errorf("%s: %w; it should hold entries of the audit log of cloud %s", file, err, c.cloud)
		}
		if skipped > 0 {
			fmt.Fprintf(w, "whittle: %s: %d entries are no decision about a permission\n", file, skipped)
		}
		h.Entries = append(h.Entries, got...)
	}
	return nil
}

// ask finds the log of where the lifecycle runs. An embedded sandbox that ended with
// its run has none any more.
func (c *crossCheck) ask(ctx context.Context, o auditOptions, g *globals) error {
	lc, err := lifecycle.Load(o.file)
	if err != nil {
		return err
	}
	if lc.Sandbox.Embedded && os.Getenv(lastingVariable) == "" {
		fmt.Fprintln(g.err, "whittle: the embedded sandbox of that run is gone, and its log with it; what the run took in is shown")
		return nil
	}
	p, err := openPlace(ctx, lc.Cloud, lc.Sandbox, embedded.Config{})
	if err != nil {
		return err
	}
	w, ok := p.operator.(witness)
	if !ok {
		return errors.Join(fmt.Errorf("whittle cannot read the audit log of cloud %s", lc.Cloud), p.close())
	}
	log, soon, late := w.witness(lc.Trail)
	c.log = log
	c.patience(p, soon, late, o.wait)
	return nil
}

// titles are how the kinds of findings are headed.
var titles = []struct {
	kind  audit.Kind
	title string
}{
	{audit.Unclean, "done, and not granted: the identity was not clean"},
	{audit.Explains, "refused in a run that failed"},
	{audit.Later, "by a service, later, in the identity's name"},
	{audit.Unseen, "refused, and the wire did not show it"},
	{audit.Swallowed, "refused, and no client reported it"},
	{audit.Unexercised, "granted, and not used in the verified run: back to certify"},
	{audit.Missing, "used, and not in the log: late, or lost"},
	{audit.Silent, "nothing in the log"},
}

// printAudit prints a report for people.
func printAudit(w io.Writer, r audit.Report) error {
	fmt.Fprintf(w, "%s of the log, %d doubled, %d of other times or identities\n", plural(r.Entries, "entry", "entries"), r.Doubled, r.Foreign)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "  step\tgrants\tseen in the log")
	for _, s := range r.Steps {
		fmt.Fprintf(tw, "  %s\t%d\t%d\n", s.Name, s.Grants, s.Exercised)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	unlogged := map[string]int{}
	for _, s := range r.Steps {
		for why, n := range s.Unlogged {
			unlogged[why] += n
		}
	}
	for _, why := range slices.Sorted(maps.Keys(unlogged)) {
		fmt.Fprintf(w, "  not shown by this log: %s (%s)\n", count(unlogged[why], "grant"), why)
	}
	for _, t := range titles {
		list := r.Of(t.kind)
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %d\n", t.title, len(list))
		for _, f := range list {
			fmt.Fprintf(w, "  %s: %s\n", cmp.Or(f.Step, "?"), tell(f))
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "the log agrees with the run")
	}
	return nil
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// printHeard prints what the log said after a probe; nothing where it was not asked.
func printHeard(w io.Writer, r audit.Report) error {
	if len(r.Steps) == 0 {
		return nil
	}
	fmt.Fprint(w, "audit log: ")
	return printAudit(w, r)
}

// faultsValue is a flag of faults.
type faultsValue struct{ to *auditlog.Faults }

func (v faultsValue) String() string { return "" }
func (v faultsValue) Type() string   { return "faults" }
func (v faultsValue) Set(text string) (err error) {
	*v.to, err = auditlog.Parse(text)
	return err
}

// explained adds to why a run failed what the log has of it, where it is asked.
func (st *stage) explained(ctx context.Context, rd *rundir, o probeOptions, why error) error {
	if !st.lc.Audit || ctx.Err() != nil {
		return why
	}
	c, ok := st.crossCheck(o)
	if !ok {
		return why
	}
	return c.explain(ctx, rd.dir, why, heard{Others: st.others})
}

// audited holds the log against a run of probe, before its sandbox ends. Without
// audit: the report is empty.
func (st *stage) audited(ctx context.Context, rd *rundir, rec record.Record, o probeOptions) (audit.Report, error) {
	if !st.lc.Audit {
		return audit.Report{}, nil
	}
	c, ok := st.crossCheck(o)
	if !ok {
		return audit.Report{}, fmt.Errorf("audit: whittle cannot read the audit log of cloud %s; take audit: out", rec.Cloud)
	}
	return c.run(ctx, rd.dir, rec.Steps, heard{Others: st.others})
}

func (st *stage) crossCheck(o probeOptions) (crossCheck, bool) {
	w, ok := st.place.operator.(witness)
	if !ok {
		return crossCheck{}, false
	}
	c := crossCheck{cloud: st.lc.Cloud, say: st.show.line, now: st.show.now}
	log, soon, late := w.witness(st.lc.Trail)
	c.log = log
	c.patience(st.place, soon, late, o.auditWait)
	return c, true
}

// remember asks what gives the identities of a run rights beside their roles. That it
// cannot be told is no reason to stop: what was done by it is in the log.
func (st *stage) remember(ctx context.Context, rd *rundir) {
	w, ok := st.place.operator.(witness)
	if !ok {
		return
	}
	events, err := readJournal(rd.journal.Path())
	if err == nil {
		_, _, principals := audit.Span(events)
		log, _, _ := w.witness(st.lc.Trail)
		st.others, err = log.Others(ctx, principals)
	}
	if err != nil {
		st.show.line("audit: what else is bound to the identities is not known: %s", err)
	}
}
