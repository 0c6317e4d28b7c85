package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/embedded"
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
tag whittle:managed; on Google Cloud, a mark in their description), takes away
what binds them, and removes the working copies of past runs. With --purge it
deletes roles and service accounts, and the runs' journals too. It touches nothing that
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

// cleaned is what clean --json prints.
type cleaned struct {
	Emptied []string `json:"emptied"`
	Deleted []string `json:"deleted"`
	Runs    []string `json:"runs"`
}

func runClean(ctx context.Context, file, work string, purge bool, g *globals) (err error) {
	lc, err := lifecycle.Load(file)
	if err != nil {
		return err
	}
	release, err := holdStack("clean", lc, work)
	if err != nil {
		return fmt.Errorf("%w; nothing was touched", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	done := cleaned{Emptied: []string{}, Deleted: []string{}}
	if done.Runs, err = journal.Runs(work); err != nil {
		return err
	}
	if done.Runs == nil {
		done.Runs = []string{} // in JSON a list, and not null
	}
	// Nothing is taken from under a run that is still going on.
	for _, dir := range done.Runs {
		if err := notRunning(dir); err != nil {
			return err
		}
	}
	if lc.Sandbox.Embedded && os.Getenv(lastingVariable) == "" {
		fmt.Fprintln(g.err, "the embedded sandbox ended with its run: no role is left in it")
	} else {
		emptied, deleted, err := cleanRoles(ctx, file, lc, purge, g)
		done.Emptied, done.Deleted = append(done.Emptied, emptied...), append(done.Deleted, deleted...)
		if err != nil {
			return errors.Join(printCleaned(g, done), err)
		}
	}
	for _, dir := range done.Runs {
		if err := cleanRun(dir, purge); err != nil {
			return err
		}
	}
	fmt.Fprintf(g.err, "%s cleaned in %s\n", count(len(done.Runs), "run"), work)
	return printCleaned(g, done)
}

func printCleaned(g *globals, done cleaned) error {
	if g.json {
		return printJSON(g.out, done)
	}
	for _, r := range done.Emptied {
		fmt.Fprintf(g.out, "emptied %s\n", r)
	}
	for _, r := range done.Deleted {
		fmt.Fprintf(g.out, "deleted %s\n", r)
	}
	return nil
}

// notRunning is an error if the run's journal is in use.
func notRunning(dir string) error {
	j, _, err := journal.Open(filepath.Join(dir, journal.FileName))
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("%s is still running; nothing was touched: %w", dir, err)
	}
	if err != nil {
		return nil // a journal that nobody can read is nobody's run
	}
	return j.Close()
}

func cleanRoles(ctx context.Context, file string, lc lifecycle.Lifecycle, purge bool, g *globals) (emptied, deleted []string, err error) {
	log, err := g.logger()
	if err != nil {
		return nil, nil, err
	}
	p, err := openPlace(ctx, lc.Cloud, lc.Sandbox, embedded.Config{Log: log})
	if err != nil {
		return nil, nil, err
	}
	cfg := poolConfig{stack: stackName(lc), log: log}
	pool, err := p.pool(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := rightAccount(file, lc.Sandbox, pool.Account()); err != nil {
		return nil, nil, err
	}
	return p.clean(ctx, cfg, purge)
}

// cleanRun removes a run's working copies, and with purge the run.
func cleanRun(dir string, purge bool) error {
	if purge {
		return os.RemoveAll(dir)
	}
	return keepJournal(dir)
}
