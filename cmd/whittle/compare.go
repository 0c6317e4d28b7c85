package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/compare"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

// compareOptions are the flags of compare.
type compareOptions struct {
	record              string
	set                 map[string]string
	steps, roles, phase []string
}

func newCompare(g *globals) *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use:   "compare FILE",
		Short: "Compare a published or deployed role with the record",
		Long: `Compare holds a role file against the record: what it lacks, and which steps
would fail of it; what it has that no step needs; what of its wildcards is really
used.

FILE is an AWS policy in JSON (wildcards, NotAction, Deny; also as the aws CLI
prints it), a role of Google Cloud in YAML or JSON, a role definition of Azure in
JSON, Terraform of the three, a list with a permission a line, or a table with a
column of that name. Which it is shows by what is in it. "-" is stdin.

A grant counts as allowed only where the file allows it for certain: what hangs
on a condition, or on a name that the record leaves open ({name}), is listed
apart; --set gives names a value.`,
		Example: `  whittle compare policy.json
  whittle compare role.yaml --record docs/examples/e2b/whittle.lock.json --phase ongoing
  aws iam get-policy-version --policy-arn ARN --version-id v1 | whittle compare - --set account=123456789012
  gcloud iam roles describe deployer --project PROJECT | whittle compare - --json | jq .missing`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{err: fmt.Errorf("%s takes one file, got %d", c.CommandPath(), len(args)), hint: fmt.Sprintf("see %s --help", c.CommandPath())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runCompare(g, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.record, "record", "whittle.lock.json", "the record `file`")
	f.StringToStringVar(&o.set, "set", nil, "`key=value` for a {key} of the record; can be given again")
	f.StringSliceVar(&o.steps, "step", nil, "only what these `steps` need")
	f.StringSliceVar(&o.roles, "role", nil, "only what the steps of these `roles` need")
	f.StringSliceVar(&o.phase, "phase", nil, "only what the steps of these `phases` need: init, ongoing, teardown")
	complete(c, "phase", "init", "ongoing", "teardown")
	completeFrom(c, "step", namesOf("step"))
	completeFrom(c, "role", namesOf("role"))
	return c
}

// lacksError tells that a role file lacks what the record needs.
type lacksError struct{ summary string }

func (e *lacksError) Error() string { return e.summary }
func (e *lacksError) Hints() []string {
	return []string{"whittle emit writes roles that have what is needed and no more"}
}

func runCompare(g *globals, file string, o compareOptions) error {
	rec, err := readRecord(o.record)
	if err != nil {
		return err
	}
	if err := checkValues(rec, o.set); err != nil {
		return err
	}
	steps, err := stepsOf(rec, o)
	if err != nil {
		return err
	}
	name := file
	var data []byte
	if file == "-" {
		name = "stdin"
		data, err = io.ReadAll(g.in)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return err
	}
	role, err := rolefile.Read(name, data)
	if err != nil {
		return err
	}
	if role.Cloud != rec.Cloud {
		return &usageError{err: fmt.Errorf("%s is of %s, and the record %s of %s", name, role.Cloud, o.record, rec.Cloud), hint: "name the record of the same system with --record"}
	}
	r := compare.Compare(role, steps)
	if keys := openKeys(r); len(keys) > 0 {
		fmt.Fprintf(g.err, "note: something hangs on what {%s} is; --set %s=… says it\n", strings.Join(keys, "}, {"), strings.Join(keys, "=… --set "))
	}
	if g.json {
		err = printJSON(g.out, r)
	} else {
		err = printComparison(g.out, name, r)
	}
	if err == nil && len(r.Missing) > 0 {
		return &lacksError{fmt.Sprintf("%s lacks %s that the record needs", filepath.Base(name), count(countPermissions(r.Missing), "permission"))}
	}
	return err
}

// openKeys are the {key}s of what is listed as depending.
func openKeys(r compare.Result) []string {
	var keys []string
	for _, l := range r.Depends {
		if l.Open {
			keys = append(keys, rolefile.Keys(l.Resource)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// stepsOf are the record's steps that were asked for, with the {key}s filled for
// which there are values.
func stepsOf(rec record.Record, o compareOptions) ([]record.Step, error) {
	var steps []record.Step
	for _, want := range []struct {
		flag  string
		names []string
	}{
		{"step", o.steps},
		{"role", o.roles},
		{"phase", o.phase},
	} {
		for _, name := range want.names {
			known := namesOf(want.flag)(rec)
			if !slices.Contains(known, name) {
				slices.Sort(known)
				return nil, &usageError{err: fmt.Errorf("--%s %s: the record has no such %s", want.flag, name, want.flag), hint: "it has " + strings.Join(slices.Compact(known), ", ")}
			}
		}
	}
	in := func(names []string, name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	for _, s := range rec.Steps {
		if !in(o.steps, s.Name) || !in(o.roles, s.RoleName()) || !in(o.phase, s.Phase) {
			continue
		}
		s.Grants = slices.Clone(s.Grants)
		for i := range s.Grants {
			fill := func(s string) string { return rolefile.Fill(s, o.set) }
			s.Grants[i].Resource, s.Grants[i].Condition = fill(s.Grants[i].Resource), grant.MapCondition(s.Grants[i].Condition, fill)
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, &usageError{err: errors.New("no step of the record is all that was asked for"), hint: "see whittle show"}
	}
	return steps, nil
}

// printComparison prints it for people; what the file and the record say, a terminal
// does not obey.
func printComparison(w io.Writer, name string, r compare.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lacks := func(title string, list []compare.Lack) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(t, "%s: %s\n", title, count(countPermissions(list), "permission"))
		for _, l := range list {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", report.Visible(l.Permission), report.Visible(l.Resource), report.Visible(strings.Join(l.Steps, ", ")), report.Visible(l.Why))
		}
		fmt.Fprintln(t)
	}
	lacks("missing", r.Missing)
	lacks("depends", r.Depends)
	if len(r.Unneeded) > 0 {
		fmt.Fprintf(t, "unneeded: %s\n", entriesCount(len(r.Unneeded)))
		for _, e := range r.Unneeded {
			note := ""
			if e.Note != "" {
				note = "\t" + report.Visible(e.Note)
			}
			fmt.Fprintf(t, "  %s\t%s%s\n", report.Visible(e.Permission), report.Visible(e.Place), note)
		}
		fmt.Fprintln(t)
	}
	if len(r.Wildcards) > 0 {
		fmt.Fprintf(t, "wildcards: %s\n", entriesCount(len(r.Wildcards)))
		for _, e := range r.Wildcards {
			fmt.Fprintf(t, "  %s\t%s\tused: %s\n", report.Visible(e.Permission), report.Visible(e.Place), report.Visible(strings.Join(e.Used, ", ")))
		}
		fmt.Fprintln(t)
	}
	if len(r.Blanks) > 0 {
		fmt.Fprintf(t, "taken to be what the record has: %s\n\n", report.Visible(strings.Join(r.Blanks, ", ")))
	}
	fmt.Fprintln(t, summary(name, r))
	return t.Flush()
}

// summary is the comparison in one line.
func summary(name string, r compare.Result) string {
	fails := ""
	if len(r.Steps) > 0 {
		fails = fmt.Sprintf(" (%s would fail)", count(len(r.Steps), "step"))
	}
	used := map[string]bool{}
	for _, w := range r.Wildcards {
		for _, p := range w.Used {
			used[p] = true
		}
	}
	line := fmt.Sprintf("%s allows %d of %s: %d missing%s, %d depend", filepath.Base(name), r.Allowed, count(r.Needed, "permission"), countPermissions(r.Missing), fails, dependOnly(r))
	line += fmt.Sprintf("; %s unneeded", entriesCount(len(r.Unneeded)))
	if len(r.Wildcards) > 0 {
		line += fmt.Sprintf("; %s, of which %s used", count(len(r.Wildcards), "wildcard"), count(len(used), "permission"))
	}
	return line
}

func entriesCount(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// countPermissions counts a permission once, on however many resources it lacks.
func countPermissions(list []compare.Lack) int {
	names := map[string]bool{}
	for _, l := range list {
		names[l.Permission] = true
	}
	return len(names)
}

// dependOnly counts the permissions that depend and are nowhere missing.
func dependOnly(r compare.Result) int {
	names := map[string]bool{}
	for _, l := range r.Depends {
		names[l.Permission] = true
	}
	for _, l := range r.Missing {
		delete(names, l.Permission)
	}
	return len(names)
}
