package attempt

import (
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

// marks notes the tokens that a withholder gives out, and finds them in what a
// tool prints. A nil one finds nothing.
type marks struct {
	inner harness.Withholder

	mu    sync.Mutex
	given map[string]bool
	found []harness.Token
}

func newMarks(w harness.Withholder) *marks { return &marks{inner: w, given: map[string]bool{}} }

// Withheld implements intercept.Withholder.
func (m *marks) Withheld(x refusal.Exchange) (refusal.Exchange, string, bool) {
	reply, token, ok := m.inner.Withheld(x)
	m.note(token, ok)
	return reply, token, ok
}

// Marked implements intercept.Withholder.
func (m *marks) Marked(x refusal.Exchange) (string, bool) {
	token, ok := m.inner.Marked(x)
	m.note(token, ok)
	return token, ok
}

// note is called before a client has the token, and so before it is printed.
func (m *marks) note(token string, ok bool) {
	if !ok || token == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.given[token] = true
}

// streams are what a tool's output is written to, for it to be searched; nil if
// nothing is looked for. Done ends both.
func (m *marks) streams() (stdout, stderr io.Writer, done func()) {
	if m == nil {
		return nil, nil, func() {}
	}
	find := func(stream string) *proc.Finder {
		return proc.NewFinder(harness.TokenPrefix, func(text string) { m.printedOn(stream, text) })
	}
	out, err := find("stdout"), find("stderr")
	return out, err, func() {
		_ = out.Close() // never fails
		_ = err.Close()
	}
}

// printedOn notes the token that a text begins with, if it begins with one.
func (m *marks) printedOn(stream, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for token := range m.given {
		t := harness.Token{Text: token, Stream: stream}
		if strings.HasPrefix(text, token) && !slices.Contains(m.found, t) {
			m.found = append(m.found, t)
		}
	}
}

// printed are the tokens that were found.
func (m *marks) printed() []harness.Token {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.found
}
