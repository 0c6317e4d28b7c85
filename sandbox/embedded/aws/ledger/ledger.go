// Package ledger keeps what the operator of the embedded AWS sandbox is told at
// the end of a run: the requests that the gate did not know, what kept it from
// answering as AWS would, and how often each operation was let through and
// refused.
package ledger

import (
	"maps"
	"slices"
	"sync"
)

// keep bounds what is remembered of each kind.
const keep = 1000

// Unknown is a request that the gate has no row for.
type Unknown struct {
	Service, Operation string // Operation is empty when it could not be read
	Method, Host, Path string
	Detail             string
}

// Count is how often an operation was let through, and how often refused. A
// reply that hides what is missing, and a partial one, count as both.
type Count struct{ Allowed, Refused int }

// Ledger is empty as its zero value, and can be used from many goroutines.
type Ledger struct {
	mu       sync.Mutex
	unknown  []Unknown
	problems []error
	counts   map[string]Count
}

// Unknown lists the requests that were answered with 501.
func (l *Ledger) Unknown() []Unknown {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.unknown)
}

// Problems lists what kept the gate from answering as AWS would: a policy that
// it cannot evaluate, a state that fails. Each was answered with 501.
func (l *Ledger) Problems() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.problems)
}

// Stats counts the requests that were authenticated and known, by operation:
// "ec2:CreateVpc".
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

// AddProblem notes an answer of 501. A client that repeats its request brings
// the same one again, which is noted once.
func (l *Ledger) AddProblem(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(p error) bool { return p.Error() == err.Error() }
	if len(l.problems) < keep && !slices.ContainsFunc(l.problems, same) {
		l.problems = append(l.problems, err)
	}
}

// Add counts an operation.
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
