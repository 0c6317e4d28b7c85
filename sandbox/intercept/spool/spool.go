// Package spool keeps the body of a request while it goes to the cloud, so that
// the same request can be sent again: its start in memory, what follows in a
// file without a name, and past a limit nothing.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// InMemory is how much of a body is kept in memory, in bytes. What follows it
// is in a file.
const InMemory = 1 << 20

// ErrNotKept says that the body was longer than what is kept, and that its
// start is gone.
var ErrNotKept = errors.New("request body is too long to be sent again")

// Spool takes a request's body from the client, once, as fast as the first
// reader wants it, and keeps it so that further readers get the same bytes.
// Past its limit it keeps nothing, and lets the bytes through.
type Spool struct {
	src    io.Reader
	length int64 // what the client said it would be, -1 if it did not
	limit  int64

	// turn is held while src is read: a Read that waits for the client must
	// not keep others from what is there already.
	turn sync.Mutex

	mu     sync.Mutex // guards all below
	head   []byte     // the first refusal.MaxBody bytes, whatever the limit
	mem    []byte     // the first InMemory bytes
	file   *os.File   // what follows, already without a name
	size   int64      // bytes taken from src
	lost   bool       // more was taken than is kept
	ahead  []byte     // of a body that is not kept: taken by Fill, and by no reader yet
	err    error      // how src ended
	closed bool
	warn   error // why the body could not be kept, other than its length
}

// New keeps up to limit bytes of src. A length (-1: not known) past the
// limit says at once that keeping is in vain.
func New(src io.Reader, length, limit int64) *Spool {
	return &Spool{src: src, length: length, limit: limit, lost: length > limit}
}

// Replayable tells whether a new reader would get the whole body.
func (s *Spool) Replayable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.lost && !s.closed && (s.err == nil || s.err == io.EOF)
}

// Head is the start of the body as far as it was taken, at most
// refusal.MaxBody bytes.
func (s *Spool) Head() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head[:len(s.head):len(s.head)]
}

// Fill takes the start of the body before a reader asks for it, until Head is
// full or the body ends. A body whose length is known is waited for; of another,
// which may be a stream that ends when it is answered, Fill takes what comes
// within wait. A read that still waits then is left behind: it ends with the
// request, as the server closes the body, and what it gets is not lost. The limit
// must be refusal.MaxBody at least.
func (s *Spool) Fill(ctx context.Context, wait time.Duration) {
	if s.length >= 0 {
		for s.fill() {
		}
		return
	}
	var enough atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !enough.Load() && s.fill() {
		}
	}()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-ctx.Done():
	}
	enough.Store(true)
}

// fill takes the next piece of what Head has room for; false means that there is
// no more of it.
func (s *Spool) fill() bool {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	room := refusal.MaxBody - len(s.head)
	if s.closed || s.err != nil {
		room = 0
	}
	s.mu.Unlock()
	if room <= 0 {
		return false
	}
	_, err := s.take(make([]byte, min(room, 16<<10)), true)
	return err == nil
}

// Close frees what is kept. Readers that are still about get an error.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.drop()
}

func (s *Spool) drop() error {
	s.mem = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// Reader reads the body from its start. Only the first reader sees a body that
// is not kept.
func (s *Spool) Reader() io.ReadCloser { return &reader{s: s} }

type reader struct {
	s   *Spool
	off int64

	mu     sync.Mutex
	closed bool
}

// Close makes further reads fail. It does not wait for one that waits for the
// client: what that one still gets is kept for the next reader.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if n, err := r.s.kept(p, r.off); n > 0 || err != nil {
		r.off += int64(n)
		return n, err
	}
	r.s.turn.Lock()
	defer r.s.turn.Unlock()
	// Another reader may have been waiting for the same bytes.
	n, err := r.s.kept(p, r.off)
	if n == 0 && err == nil {
		n, err = r.s.take(p, false)
	}
	r.off += int64(n)
	return n, err
}

// kept reads from what is kept; 0 and nil mean that off is where the source
// goes on.
func (s *Spool) kept(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return 0, http.ErrBodyReadAfterClose
	case s.lost && off < s.size && off == s.size-int64(len(s.ahead)):
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	case off == s.size:
		return 0, s.err
	case s.lost:
		return 0, ErrNotKept
	case off < int64(len(s.mem)):
		return copy(p, s.mem[off:]), nil
	}
	if left := s.size - off; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := s.file.ReadAt(p, off-int64(len(s.mem)))
	if err != nil {
		return n, fmt.Errorf("kept request body: %w", err)
	}
	return n, nil
}

// take reads from the source and keeps what it got, or has it ready for the one
// reader of a body that is not kept. The caller holds turn.
func (s *Spool) take(p []byte, ahead bool) (int, error) {
	n, err := s.src.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(p[:n])
	if ahead && s.lost {
		s.ahead = append(s.ahead, p[:n]...)
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *Spool) keep(p []byte) {
	if room := refusal.MaxBody - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, len(p))]...)
	}
	s.size += int64(len(p))
	if s.lost || s.closed {
		return
	}
	if s.size > s.limit {
		s.lose(nil)
		return
	}
	if s.mem == nil && s.length > 0 {
		s.mem = make([]byte, 0, min(s.length, InMemory))
	}
	if room := InMemory - len(s.mem); room > 0 {
		n := min(room, len(p))
		s.mem = append(s.mem, p[:n]...)
		p = p[n:]
	}
	if len(p) == 0 {
		return
	}
	if s.file == nil {
		f, err := unlinkedFile()
		if err != nil {
			s.lose(err)
			return
		}
		s.file = f
	}
	if _, err := s.file.Write(p); err != nil {
		s.lose(err)
	}
}

// lose gives up keeping: the request goes on, and is not repeated.
func (s *Spool) lose(err error) {
	s.lost, s.warn = true, err
	_ = s.drop()
}

// Warning is why a body within the limit could not be kept, or nil.
func (s *Spool) Warning() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.warn
}

// unlinkedFile is a temporary file that has lost its name already: nobody else
// opens it, and it goes with the process however that ends.
func unlinkedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "whittle-body-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file for a request body: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		// Where an open file cannot be removed it would stay behind.
		_ = f.Close()
		return nil, fmt.Errorf("temporary file for a request body: %w", err)
	}
	return f, nil
}
