package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
)

func newClean(g *globals) *cobra.Command {
	var (
		file, work string
		purge      bool
	)
	c := &cobra.Command{
		Use:   "clean",
		Short: "Empty the probe identities and remove the working copies",
		Long: `Clean empties the roles that probe made in the sandbox account (they carry the
tag whittle:managed) and removes the working copies of past runs. With --purge
it deletes the roles, and the runs' journals too. It touches nothing that
Whittle did not make. The embedded sandbox ends with each run, so that there
only the working copies are left to remove.`,
		Example: `  whittle clean
  whittle clean --purge -f infra/whittle.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if work == "" {
				work = filepath.Join(filepath.Dir(file), ".whittle")
			}
			return runClean(c.Context(), file, work, purge, g)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "whittle.yaml", "the lifecycle `file`")
	c.Flags().StringVar(&work, "work", "", "the `folder` of the runs (default: .whittle beside the lifecycle file)")
	c.Flags().BoolVar(&purge, "purge", false, "delete the roles and the journals too")
	return c
}

func runClean(ctx context.Context, file, work string, purge bool, g *globals) error {
	lc, err := lifecycle.Load(file)
	if err != nil {
		return err
	}
	if lc.Sandbox.Embedded {
		fmt.Fprintln(g.err, "the embedded sandbox ended with its run: no role is left in it")
	} else if err := cleanRoles(ctx, lc, purge, g); err != nil {
		return err
	}
	dirs, err := journal.Runs(work)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := cleanRun(dir, purge); err != nil {
			return err
		}
	}
	fmt.Fprintf(g.err, "%s cleaned in %s\n", count(len(dirs), "run"), work)
	return nil
}

func cleanRoles(ctx context.Context, lc lifecycle.Lifecycle, purge bool, g *globals) error {
	log, err := g.logger()
	if err != nil {
		return err
	}
	p, err := openPlace(ctx, lc.Sandbox, embedded.Config{Log: log})
	if err != nil {
		return err
	}
	report, err := roleaws.Clean(ctx, roleaws.Config{SDK: p.sdk, Stack: stackName(lc), Log: log}, purge)
	for _, r := range report.Emptied {
		fmt.Fprintf(g.out, "emptied %s\n", r)
	}
	for _, r := range report.Deleted {
		fmt.Fprintf(g.out, "deleted %s\n", r)
	}
	return err // what was done before it is told all the same
}

// cleanRun removes a run's working copies, and with purge the run.
func cleanRun(dir string, purge bool) error {
	if purge {
		return os.RemoveAll(dir)
	}
	return keepJournal(dir)
}
