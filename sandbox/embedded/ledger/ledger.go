// Package ledger keeps what the operator of an embedded cloud is told at the end of
// a run: the requests that its gate did not know, what kept it from answering as
// the cloud would, what he should know, and how often each operation was let through
// and refused.
package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// keep bounds what is remembered of each kind.
const keep = 1000

// Unknown is a request that the gate has no row, or the state no method for.
type Unknown struct {
	Service   string // its signing name on AWS, the API's on Google Cloud, the host on Azure
	Operation string // empty when it could not be read
	Method    string
	Host      string
	Path      string
	Detail    string
}

func (u Unknown) String() string {
	name := u.Service
	switch {
	case strings.HasPrefix(u.Operation, u.Service+"."): // a method of Google's
		name = u.Operation
	case u.Operation != "":
		name += ":" + u.Operation
	}
	return fmt.Sprintf("%s (%s %s%s)", name, u.Method, u.Host, u.Path)
}

// Count is how often an operation was let through, and how often refused. A reply
// that hides what is missing, and a partial one, count as both.
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
// condition or policy that it cannot evaluate, state that fails. Each was answered
// with 500 or 501.
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

// Stats counts the requests that were authenticated and known, by operation:
// "ec2:CreateVpc", "compute.networks.insert", "Microsoft.Network/virtualNetworks/write".
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

// AddProblem notes an answer of 500 or 501. A client that repeats its request
// brings the same one again, which is noted once.
func (l *Ledger) AddProblem(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(p error) bool { return p.Error() == err.Error() }
	if len(l.problems) < keep && !slices.ContainsFunc(l.problems, same) {
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
