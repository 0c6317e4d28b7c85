package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
)

// evidenceFlags say which record is looked at, and where its runs are.
type evidenceFlags struct{ record, work string }

func (e *evidenceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&e.record, "record", "whittle.lock.json", "the record `file`")
	c.Flags().StringVar(&e.work, "work", "", "the `folder` with the runs' journals (default: .whittle beside the record)")
}

// report reads the record and the journal of the newest run of the same code. What is
// wrong with a journal is noted on w: the record is the product, and the journal adds
// to it.
func (e *evidenceFlags) report(w io.Writer) (report.Report, error) {
	rec, err := readRecord(e.record)
	if err != nil {
		return report.Report{}, err
	}
	run, wrong := newestRun(e.workFolder(), rec.Inputs.Digest, journal.KindRefused)
	for _, err := range wrong {
		fmt.Fprintf(w, "whittle: passed over: %s\n", err)
	}
	return report.New(rec, run), nil
}

func (e *evidenceFlags) workFolder() string {
	return cmp.Or(e.work, filepath.Join(filepath.Dir(e.record), ".whittle"))
}

// noRecordError: there is no record to look at.
type noRecordError struct{ error }

func (e *noRecordError) Unwrap() error { return e.error }

// Hints says how to come by one.
func (e *noRecordError) Hints() []string {
	return []string{"whittle probe writes the record; name another file with --record"}
}

// readRecord is [record.Read], and tells how to come by a record that is not there.
func readRecord(file string) (record.Record, error) {
	rec, err := record.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = &noRecordError{err}
	}
	return rec, err
}

// newestRun reads the journal of the newest run in work that was of the code with
// the digest, and which has an event of a kind. There may be none. Those that cannot
// be read are passed over, and told.
func newestRun(work, digest string, has journal.Kind) (run report.Run, wrong []error) {
	dirs, err := journal.Runs(work)
	if err != nil {
		return report.Run{}, []error{err}
	}
	for _, dir := range slices.Backward(dirs) {
		events, err := readJournal(filepath.Join(dir, journal.FileName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		of := slices.ContainsFunc(events, func(e journal.Event) bool {
			return e.Kind == journal.KindRun && strings.HasPrefix(e.Text, digest+" ")
		})
		if of && slices.ContainsFunc(events, func(e journal.Event) bool { return e.Kind == has }) {
			return report.Run{Name: filepath.Base(dir), Events: events}, wrong
		}
	}
	return report.Run{}, wrong
}

func readJournal(path string) ([]journal.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	events, err := journal.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return events, nil
}
