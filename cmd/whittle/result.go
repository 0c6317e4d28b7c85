package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
)

// code is what a record was found with, as digests.
type code struct {
	digest string            // of everything
	steps  map[string]string // of what each step uses, by name
}

// codeOf takes the digests of the lifecycle as its file has it, without the
// record and the folder for work.
func codeOf(lc lifecycle.Lifecycle, recordFile, work string) (c code, err error) {
	if c.digest, err = lifecycle.Digest(lc, recordFile, work); err != nil {
		return c, err
	}
	c.steps, err = lifecycle.StepDigests(lc, recordFile, work)
	return c, err
}

// recordOf turns what a run found into the record.
func recordOf(lc lifecycle.Lifecycle, c code, at record.Place, r harness.Result) record.Record {
	rec := record.Record{
		Version: record.Version, Cloud: lc.Cloud, Sandbox: "embedded", Verified: r.Verified,
		Inputs: record.Inputs{Digest: c.digest, Tools: r.Tools},
	}
	switch {
	case lc.Sandbox.Embedded:
	case lc.Cloud == "gcp":
		rec.Sandbox = "project"
	case lc.Cloud == "azure":
		rec.Sandbox = "subscription"
	default:
		rec.Sandbox = "account"
	}
	for _, s := range r.Steps {
		rec.Steps = append(rec.Steps, record.Step{
			Name: s.Step.Name, Phase: string(s.Step.Phase), Role: s.Step.Role, Digest: c.steps[s.Step.Name], Runs: s.Runs,
			Grants: entriesOf(s.Entries), Optional: entriesOf(s.Optional),
		})
	}
	return rec.Generalize(at, lc.Names)
}

func entriesOf(found []harness.Entry) []record.Entry {
	var entries []record.Entry
	for _, e := range found {
		entries = append(entries, record.Entry{
			Permission: e.Grant.Permission, Resource: e.Grant.Resource, Condition: e.Grant.Condition, Necessity: string(e.Necessity),
			Request: e.Class, Purpose: catalog.Purpose(e.Grant.Permission), Flag: catalog.Risk(e.Grant.Permission), Difference: e.Difference,
		})
	}
	return entries
}

// printTable prints the record as a table of permissions per step. A record's texts
// are others' words: none may steer a terminal.
func printTable(w io.Writer, rec record.Record) error {
	see := report.Visible
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, s := range rec.Steps {
		if i > 0 {
			fmt.Fprintln(tw)
		}
		title := fmt.Sprintf("step %s (%s", see(s.Name), s.Phase)
		if s.Role != "" {
			title += ", role " + see(s.Role)
		}
		fmt.Fprintf(tw, "%s): %s, %s of growth\n", title, count(len(s.Grants), "permission"), count(s.Runs, "run"))
		for _, e := range s.Grants {
			note := ""
			if e.Difference != "" {
				note = "  without it: " + see(e.Difference)
			}
			if e.Flag != "" {
				note += "  ! " + see(e.Flag)
			}
			if e.Condition != "" {
				note = "  if " + see(e.Condition) + note
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s%s\n", see(e.Permission), see(e.Resource), e.Necessity, note)
		}
		for _, e := range s.Optional {
			fmt.Fprintf(tw, "  (%s)\t%s\toptional: refused, and the step does as well without it\n", see(e.Permission), see(e.Resource))
		}
	}
	return tw.Flush()
}
