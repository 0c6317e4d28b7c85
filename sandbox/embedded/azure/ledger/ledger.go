// Package ledger keeps what the operator of the embedded Azure sandbox is told at
// the end: requests that could not be answered, what went wrong, what he should
// know, and how often each action was asked for.
package ledger

import (
	"maps"
	"slices"
	"sync"
)

// keep bounds what is remembered of each kind.
const keep = 1000

// Unknown is a request that the gate has no row, or the state no method for.
type Unknown struct {
	Service, Operation string // Operation is empty when it could not be read
	Method, Host, Path string
	Detail             string
}

// Count is how often an action was let through, and how often refused.
type Count struct{ Allowed, Refused int }

// Ledger is empty as its zero value, and can be used from many goroutines.
type Ledger struct {
	mu       sync.Mutex
	unknown  []Unknown
	problems []error
	notes    []string
	counts   map[string]Count
}

// Unknown lists the requests that were answered with 501.
func (l *Ledger) Unknown() []Unknown {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.unknown)
}

// Problems lists what kept the sandbox from answering as the cloud would: a
// condition that it cannot evaluate, state that fails. Each was answered with
// 500.
func (l *Ledger) Problems() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.problems)
}

// Notes lists what was answered, and not quite as the cloud would: the binding
// of a predefined role that grants nothing here.
func (l *Ledger) Notes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.notes)
}

// Stats counts the requests that were authenticated and known, by action:
// "Microsoft.Network/virtualNetworks/write".
func (l *Ledger) Stats() map[string]Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// AddUnknown notes a request that is answered with 501.
func (l *Ledger) AddUnknown(u Unknown) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unknown) < keep {
		l.unknown = append(l.unknown, u)
	}
}

// AddProblem notes an answer of 500.
func (l *Ledger) AddProblem(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) < keep {
		l.problems = append(l.problems, err)
	}
}

// AddNote notes what the operator should know, once.
func (l *Ledger) AddNote(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.notes) < keep && !slices.Contains(l.notes, text) {
		l.notes = append(l.notes, text)
	}
}

// Add counts an action.
func (l *Ledger) Add(name string, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[string]Count{}
	}
	c := l.counts[name]
	if refused {
		c.Refused++
	} else {
		c.Allowed++
	}
	l.counts[name] = c
}
