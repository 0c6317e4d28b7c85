package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/record"
)

func newShow(g *globals) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the record: permissions per step, and the split by phase",
		Example: `  whittle show
  whittle show --record out/demo-aws/whittle.lock.json
  whittle show --json | jq .init_only`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			rec, err := record.Read(file)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(g.out, record.ShowJSON(rec))
			}
			if err := printTable(g.out, rec); err != nil {
				return err
			}
			phases := record.Split(rec)
			err = errors.Join(
				printPhase(g.out, "init only", phases.InitOnly),
				printPhase(g.out, "ongoing", phases.Ongoing),
				printPhase(g.out, "teardown only", phases.TeardownOnly),
			)
			if err == nil && !rec.Verified {
				_, err = fmt.Fprintln(g.out, "\nnot verified: run whittle probe without --no-verify")
			}
			return err
		},
	}
	c.Flags().StringVar(&file, "record", "whittle.lock.json", "the record `file`")
	return c
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
		if _, err := fmt.Fprintf(t, "  %s\t%s\t%s\n", catalog.Category(p), p, catalog.Purpose(p)); err != nil {
			return err
		}
	}
	return t.Flush()
}
