package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
	"github.com/whittle-iam/whittle/harness/report/markdown"
	"github.com/whittle-iam/whittle/harness/report/page"
)

// showFormats are the forms that a record is shown in.
func showFormats() []string { return []string{"table", "md", "html", "json"} }

func newShow(g *globals) *cobra.Command {
	var (
		from               evidenceFlags
		format, out, title string
		variants           bool
		file, role         string
	)
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the record: permissions per step, the split by phase, and reports of it",
		Long: `Show prints the record: as a table for the terminal, as Markdown for a document or
a pull request, as one HTML file for a security team, or as JSON for programs.

Markdown and HTML have the split into init only, ongoing and teardown only, what is
more than needed, and what the holder of the permissions could do. The HTML file
loads nothing from anywhere; it has the matrix of steps and permissions, and the
evidence of each. Where whittle probe ran, it also has the growth and each exact
refusal, from the newest run's journal.`,
		Example: `  whittle show
  whittle show --record out/demo-aws/whittle.lock.json
  whittle show --json | jq .init_only
  whittle show --variants              # which permissions hang on which option
  whittle show --format md >> "$GITHUB_STEP_SUMMARY"
  whittle show --format html --title "Acme on AWS" --out permissions.html`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if g.json && !c.Flags().Changed("format") {
				format = "json"
			}
			if variants {
				return showVariants(g, file, from.record, role)
			}
			switch {
			case !slices.Contains(showFormats(), format):
				return &usageError{err: fmt.Errorf("--format=%s: not known", format), hint: "use table, md, html or json"}
			case g.json && format != "json":
				return &usageError{err: fmt.Errorf("--json and --format=%s are two forms", format), hint: "use one of them"}
			case c.Flags().Changed("out") && out == "":
				return &usageError{err: errors.New("--out needs the name of a file"), hint: "leave it out to print"}
			}
			var b bytes.Buffer
			if err := show(&b, g.err, from, format, title); err != nil {
				return err
			}
			if out == "" {
				_, err := g.out.Write(b.Bytes())
				return err
			}
			if err := renameio.WriteFile(out, b.Bytes(), 0o644, renameio.WithTempDir(filepath.Dir(out))); err != nil {
				return fmt.Errorf("write %s: %w; what was there is as it was. Is the folder there, and writable?", out, err)
			}
			return nil
		},
	}
	from.add(c)
	f := c.Flags()
	f.StringVar(&format, "format", "table", "table, md, html or json")
	f.StringVar(&out, "out", "", "write to this `file` instead of printing")
	f.BoolVar(&variants, "variants", false, "show which variants of the lifecycle need which permission, and the rule")
	f.StringVarP(&file, "file", "f", "whittle.yaml", "the lifecycle `file`, with --variants")
	f.StringVar(&role, "role", "", "the steps of this `role` only, with --variants")
	f.StringVar(&title, "title", "", "the title of a report (default: what it is of)")
	completeFrom(c, "role", namesOf("role"))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(showFormats(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// show writes the record in a form, and to notes what is wrong with a journal.
func show(w, notes io.Writer, from evidenceFlags, format, title string) error {
	switch format {
	case "md", "html":
		r, err := from.report(notes)
		if err != nil {
			return err
		}
		cloud := map[string]string{"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}[r.Cloud]
		title = cmp.Or(title, cloud+" permissions of a lifecycle")
		if format == "md" {
			return markdown.Write(w, r, title)
		}
		return page.Write(w, r, title)
	}
	rec, err := readRecord(from.record)
	if err != nil {
		return err
	}
	if format == "json" {
		return printJSON(w, record.ShowJSON(rec))
	}
	if err := printTable(w, rec); err != nil {
		return err
	}
	phases := record.Split(rec)
	err = errors.Join(
		printPhase(w, "init only", phases.InitOnly),
		printPhase(w, "ongoing", phases.Ongoing),
		printPhase(w, "teardown only", phases.TeardownOnly),
	)
	if err == nil && !rec.Verified {
		_, err = fmt.Fprintln(w, "\nnot verified: run whittle probe without --no-verify")
	}
	return err
}

// printPhase prints what a part of the lifecycle needs as people hand it on:
// category, permission, purpose.
func printPhase(w io.Writer, name string, s grant.Set) error {
	permissions := s.Permissions()
	slices.SortStableFunc(permissions, func(a, b string) int { return cmp.Compare(catalog.Category(a), catalog.Category(b)) })
	if _, err := fmt.Fprintf(w, "\n%s: %s\n", name, count(len(permissions), "permission")); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range permissions {
		if _, err := fmt.Fprintf(t, "  %s\t%s\t%s\n", report.Visible(catalog.Category(p)), report.Visible(p), report.Visible(catalog.Purpose(p))); err != nil {
			return err
		}
	}
	return t.Flush()
}
