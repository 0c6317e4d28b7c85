package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

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
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, fmt.Errorf("work folder: %w; name another with --work", err)
	}
	dir, err := newRunDir(work, time.Now())
	if err != nil {
		return nil, err
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

// newRunDir makes run-TIME, or run-TIME-2 and so on when that is there.
func newRunDir(work string, now time.Time) (string, error) {
	base := filepath.Join(work, "run-"+now.UTC().Format("20060102-150405"))
	for n := 1; ; n++ {
		dir := base
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", base, n)
		}
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("work folder: %w; name another with --work", err)
		}
	}
}

// runDirs lists the runs in work, the newest last.
func runDirs(work string) ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(work, "run-*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(dirs)
	return dirs, nil
}

func resumeRun(work, digest string) (*rundir, error) {
	dirs, err := runDirs(work)
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
	entries, rerr := os.ReadDir(r.dir)
	err = errors.Join(err, rerr)
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.dir, e.Name())))
		}
	}
	return err
}
