package main

import (
	"fmt"

	"github.com/spf13/cobra"

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
			printPhase(g, "init only", phases.InitOnly)
			printPhase(g, "ongoing", phases.Ongoing)
			printPhase(g, "teardown only", phases.TeardownOnly)
			if !rec.Verified {
				fmt.Fprintln(g.out, "\nnot verified: run whittle probe without --no-verify")
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "record", "whittle.lock.json", "the record `file`")
	return c
}

func printPhase(g *globals, name string, s grant.Set) {
	fmt.Fprintf(g.out, "\n%s: %s\n", name, count(len(s.Permissions()), "permission"))
	for _, p := range s.Permissions() {
		fmt.Fprintf(g.out, "  %s\n", p)
	}
}
