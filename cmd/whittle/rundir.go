package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// rundir is the folder of one run: the journal, and the working copies as long
// as the run is not done.
type rundir struct {
	dir     string
	journal *journal.Journal
	known   map[string]harness.Known // from the interrupted run, by step
}

const journalName = "journal.jsonl"

func (r *rundir) journalPath() string { return filepath.Join(r.dir, journalName) }

// openRun makes the folder of a new run in work, or opens that of the run that
// was interrupted last.
func openRun(work, digest string, resume bool) (*rundir, error) {
	if resume {
		return resumeRun(work, digest)
	}
	dir, err := journal.NewRun(work)
	if err != nil {
		return nil, fmt.Errorf("%w; name another folder with --work", err)
	}
	j, err := journal.Create(dir)
	if err != nil {
		return nil, err
	}
	if err := j.Append(journal.Event{Kind: journal.KindRun, Text: digest}); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return &rundir{dir: dir, journal: j}, nil
}

func resumeRun(work, digest string) (*rundir, error) {
	dirs, err := journal.Runs(work)
	if err != nil {
		return nil, err
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("nothing to resume in %s: start with whittle probe", work)
	}
	dir := dirs[len(dirs)-1]
	j, events, err := journal.Open(filepath.Join(dir, journalName))
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*rundir, error) { return nil, errors.Join(err, j.Close()) }
	for _, e := range events {
		switch {
		case e.Kind == journal.KindEnd && e.OK:
			return fail(fmt.Errorf("nothing to resume: %s is done; start again with whittle probe", dir))
		case e.Kind == journal.KindRun && e.Text != digest:
			return fail(fmt.Errorf("cannot resume %s: the code or its variables have changed since; start again with whittle probe", dir))
		}
	}
	return &rundir{dir: dir, journal: j, known: knownOf(events)}, nil
}

// knownOf gathers what an interrupted run granted. What was meant to be granted
// but never seen to let its request through is only assumed.
func knownOf(events []journal.Event) map[string]harness.Known {
	through := map[string]map[string]bool{} // step, class
	for _, e := range events {
		if e.Kind == journal.KindLetThrough {
			if through[e.Step] == nil {
				through[e.Step] = map[string]bool{}
			}
			through[e.Step][e.Class] = true
		}
	}
	entries := map[string]map[grant.Grant]harness.Entry{}
	known := map[string]harness.Known{}
	for _, e := range events {
		if e.Pass != "grow" {
			continue
		}
		switch e.Kind {
		case journal.KindIntent:
			if entries[e.Step] == nil {
				entries[e.Step] = map[grant.Grant]harness.Entry{}
			}
			for _, g := range e.Grants {
				n := harness.Necessity(e.Necessity)
				if !through[e.Step][e.Class] {
					n = harness.Assumed
				}
				entries[e.Step][g] = harness.Entry{Grant: g, Necessity: n, Class: e.Class}
			}
		case journal.KindStepEnd:
			k := known[e.Step]
			k.Done = e.OK
			known[e.Step] = k
		}
	}
	for step, all := range entries {
		k := known[step]
		for _, e := range all {
			k.Entries = append(k.Entries, e)
		}
		slices.SortFunc(k.Entries, func(a, b harness.Entry) int { return grant.Compare(a.Grant, b.Grant) })
		known[step] = k
	}
	return known
}

// close ends the journal. A run that is done leaves its journal and nothing
// else: working copies hold Terraform state, which can hold secrets.
func (r *rundir) close(done bool) error {
	err := r.journal.Append(journal.Event{Kind: journal.KindEnd, OK: done})
	err = errors.Join(err, r.journal.Close())
	if !done {
		return err
	}
	return errors.Join(err, keepJournal(r.dir))
}

// keepJournal removes all that a run's folder holds but the journal.
func keepJournal(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != journalName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
