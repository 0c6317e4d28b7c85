// Package journal is a run's memory: one JSON object a line, in the order in
// which things happened, on disk before the next thing is done. What a crash
// interrupted is picked up by replaying it.
//
// It writes and reads events and draws a few plain conclusions from them; it
// does not know what a step is or how a role is changed. Secrets have no place
// in it: an [Event] has no field for one, and an authorization message that
// only the cloud can decode is cut out of the evidence.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// FileName is what the journal is called inside a run's folder.
const FileName = "journal.jsonl"

// ErrLocked is wrapped by the error of [Create] and [Open] when another
// process (or another part of this one) has the journal open for writing.
var ErrLocked = errors.New("in use by another run")

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("journal is closed")

// file is what a Journal needs of its file; tests fail it at will.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

// Journal is a journal open for appending. It is safe for use by many
// goroutines.
type Journal struct {
	path string

	mu   sync.Mutex // guards seq, next, and err
	seq  int        // of the last event taken in
	next *batch     // events taken in and not yet being written
	err  error      // why nothing more can be written; sticky

	commit sync.Mutex // held while a batch is written and synced
	f      file       // guarded by commit
}

// batch is a group of events that share one write and one sync. Its lines are
// guarded by Journal.mu, done and err by Journal.commit.
type batch struct {
	lines bytes.Buffer
	done  bool
	err   error
}

// Create starts a new journal in the folder dir, which it makes if it is not
// there (mode 0700; the file 0600). A folder that already has a journal is an
// error that wraps [fs.ErrExist].
func Create(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: make the run's folder: %w", err)
	}
	path := filepath.Join(dir, FileName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("journal: %w; resume that run or start in another folder", err)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s: %w", path, err), f.Close())
	}
	// The name must outlive a crash too, not only what is written under it.
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := syncDir(d); err != nil {
			return nil, errors.Join(fmt.Errorf("journal: %w", err), f.Close())
		}
	}
	return newJournal(path, f, 0), nil
}

// Open opens the journal at path to go on with it, and gives the events that
// are in it. A last line that a crash tore is cut off; any other damage is an
// error that names the line, and changes nothing.
func Open(path string) (*Journal, []Event, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	events, err := recoverFile(f)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("journal: %s: %w", path, err), f.Close())
	}
	return newJournal(path, f, len(events)), events, nil
}

// recoverFile locks f, reads it and cuts off a torn last line.
func recoverFile(f *os.File) ([]Event, error) {
	if err := lock(f); err != nil {
		return nil, err
	}
	events, whole, err := read(f)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == whole {
		return events, nil
	}
	if err := f.Truncate(whole); err != nil {
		return nil, fmt.Errorf("cut off the torn last line: %w", err)
	}
	return events, f.Sync()
}

func newJournal(path string, f file, seq int) *Journal {
	return &Journal{path: path, f: f, seq: seq, next: new(batch)}
}

// Path is where the journal is.
func (j *Journal) Path() string { return j.path }

// Append writes e and returns when it is safely on disk. Seq is set by the
// journal, Time if it is zero. Appends that come while another is being synced
// share one sync.
//
// After an error nothing more is written: every later Append gives the same
// error, and the events of the failed one may or may not be in the file.
func (j *Journal) Append(e Event) error {
	b, err := j.take(e)
	if err != nil {
		return err
	}
	j.commit.Lock()
	defer j.commit.Unlock()
	if b.done { // someone who came before wrote it along with theirs
		return b.err
	}
	j.mu.Lock()
	j.next = new(batch) // later events go into the next batch; b is ours alone
	err = j.err
	j.mu.Unlock()
	if err == nil {
		err = j.write(b.lines.Bytes())
	}
	b.done, b.err = true, err
	if err != nil {
		j.fail(err)
	}
	return err
}

// take puts e into the batch that is written next.
func (j *Journal) take(e Event) (*batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return nil, j.err
	}
	e.Seq = j.seq + 1
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	line, err := encode(e)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j.seq++
	j.next.lines.Write(line)
	return j.next, nil
}

// write puts the lines on disk. The caller holds commit.
func (j *Journal) write(lines []byte) error {
	n, err := j.f.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("journal: write %s: %w", j.path, err)
	}
	return nil
}

func (j *Journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = err
	}
}

// Close waits for the events that are being written and closes the file, which
// also unlocks it. Closing twice is harmless.
func (j *Journal) Close() error {
	j.commit.Lock()
	defer j.commit.Unlock()
	j.mu.Lock()
	closed := errors.Is(j.err, ErrClosed)
	waiting := j.next
	j.next = new(batch)
	failed := j.err
	j.err = ErrClosed
	j.mu.Unlock()
	if closed {
		return nil
	}
	if waiting.lines.Len() > 0 {
		if failed == nil {
			failed = j.write(waiting.lines.Bytes())
		}
		waiting.done, waiting.err = true, failed
	}
	if err := j.f.Close(); err != nil {
		return fmt.Errorf("journal: close %s: %w", j.path, err)
	}
	return nil
}

// syncDir makes the names in a folder outlive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
