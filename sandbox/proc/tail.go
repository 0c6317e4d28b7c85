package proc

import (
	"bytes"
	"strings"
	"sync"
)

// Tail is a writer that keeps the last bytes written to it. It never fails,
// and may be written to by many.
type Tail struct {
	mu  sync.Mutex
	max int
	buf []byte
	cut bool
}

// NewTail makes a Tail that keeps at most size bytes.
func NewTail(size int) *Tail { return &Tail{max: size} }

func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	// Let it grow to twice the size before moving: each byte moves once then.
	if len(t.buf) > 2*t.max {
		t.trim()
	}
	return len(p), nil
}

func (t *Tail) trim() {
	if extra := len(t.buf) - t.max; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
		t.cut = true
	}
}

// String is what was kept, valid UTF-8. If something was cut off, it starts at
// the start of a line, if there is one.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	kept := t.buf
	if t.cut {
		if i := bytes.IndexByte(kept, '\n'); i >= 0 && i+1 < len(kept) {
			kept = kept[i+1:]
		}
	}
	return strings.ToValidUTF8(string(kept), "\uFFFD")
}
