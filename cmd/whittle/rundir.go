package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/journal"
)

// rundir is the folder of one run: the journal, and the working copies as long
// as the run is not done.
type rundir struct {
	dir     string
	journal *journal.Journal
	known   map[string]harness.Known // from the interrupted run, by step
	short   bool                     // the budget ended before everything was certified
}

// openRun makes the folder of a new run in work, or opens that of the run that
// was interrupted last. What names the inputs: only a run of the same is
// resumed.
func openRun(work, what string, resume bool) (*rundir, error) {
	if resume {
		return resumeRun(work, what)
	}
	dir, err := journal.NewRun(work)
	if err != nil {
		return nil, fmt.Errorf("%w; name another folder with --work", err)
	}
	j, err := journal.Create(dir)
	if err != nil {
		return nil, err
	}
	if err := j.Append(journal.Event{Kind: journal.KindRun, Text: what}); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return &rundir{dir: dir, journal: j}, nil
}

// resumeRun opens the newest run in which something was run.
func resumeRun(work, what string) (*rundir, error) {
	dirs, err := journal.Runs(work)
	if err != nil {
		return nil, err
	}
	for _, dir := range slices.Backward(dirs) {
		j, events, err := journal.Open(filepath.Join(dir, journal.FileName))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(events, func(e journal.Event) bool { return e.Kind == journal.KindAttempt }) {
			if err := j.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if err := resumable(dir, what, events); err != nil {
			return nil, errors.Join(err, j.Close())
		}
		if err := j.Append(journal.Event{Kind: journal.KindRun, Text: what}); err != nil {
			return nil, errors.Join(err, j.Close())
		}
		return &rundir{dir: dir, journal: j, known: harness.KnownOf(events)}, nil
	}
	return nil, fmt.Errorf("nothing to resume in %s: start with whittle probe", work)
}

// cutShort is how a journal ends of a run that is done, and can be gone on with.
const cutShort = "the budget is used up"

func resumable(dir, what string, events []journal.Event) error {
	for _, e := range events {
		switch {
		case e.Kind == journal.KindEnd && e.OK && e.Text != cutShort:
			return fmt.Errorf("nothing to resume: %s is done; start again with whittle probe", dir)
		case e.Kind == journal.KindRun && e.Text != what:
			return fmt.Errorf("cannot resume %s: the code, its variables or the sandbox have changed since; start again with whittle probe", dir)
		}
	}
	return nil
}

// close ends the journal. A run that is done leaves its journal and nothing
// else: working copies hold Terraform state, which can hold secrets.
func (r *rundir) close(done bool) error {
	end := journal.Event{Kind: journal.KindEnd, OK: done}
	if r.short {
		end.Text = cutShort
	}
	err := r.journal.Append(end)
	err = errors.Join(err, r.journal.Close())
	if !done {
		return err
	}
	return errors.Join(err, keepJournal(r.dir))
}

// keepJournal removes all that a run's folder holds but the journal, and what the
// audit log said of the run.
func keepJournal(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != journal.FileName && e.Name() != auditFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
