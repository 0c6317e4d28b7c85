// Package auditlog keeps what the gate of an embedded cloud decided, for the log that
// the cloud writes of it: when the log begins to show an event, and what has gone
// wrong with it on the way. Each cloud's own package says how an event looks.
//
// A log is no part of the state: a restored snapshot takes nothing out of it.
package auditlog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// keep is how many events are kept; the oldest go first.
const keep = 200_000

// Event is one request as a log may show it.
type Event struct {
	trace.Trace
	ID   string    // of the event; a doubled one has it twice
	Seen time.Time // when the log begins to show it
	// By is the service that made the request in the principal's name; empty: the
	// principal did.
	By string
}

// Faults are what goes wrong between a request and the log.
type Faults struct {
	// Delay is how long every event takes until the log shows it.
	Delay time.Duration
	// Drop, Double and Late are operations whose events never arrive, arrive twice,
	// or arrive only after ten times the delay and twenty seconds.
	Drop, Double, Late []string
	// Reversed gives the log's events the newest first, as they may come.
	Reversed bool
	// Masked and Emptied are operations whose refusals the client does not get to see: it
	// is told that there is nothing, by an error or by an empty reply. Only the log has them.
	Masked, Emptied []string
	// Agents are calls that a service makes in the caller's name after an operation.
	Agents []Agent
}

// Agent is a call that a service makes later, in the name of whoever called.
type Agent struct {
	After      string // the operation that it follows
	Permission string
	Refused    bool
}

// Parse reads faults as a test's command line has them, parted by commas:
// "delay=3s", "drop=OPERATION", "double=OPERATION", "late=OPERATION", "reversed",
// "mask=OPERATION", "empty=OPERATION",
// "agent=OPERATION>PERMISSION", and with a "!" at its end an agent that is refused.
func Parse(text string) (f Faults, err error) {
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(one, "=")
		switch key {
		case "delay":
			if f.Delay, err = time.ParseDuration(value); err != nil || f.Delay < 0 {
				return f, fmt.Errorf("delay=%s is no time to wait", value)
			}
		case "drop":
			f.Drop = append(f.Drop, value)
		case "double":
			f.Double = append(f.Double, value)
		case "late":
			f.Late = append(f.Late, value)
		case "mask":
			f.Masked = append(f.Masked, value)
		case "empty":
			f.Emptied = append(f.Emptied, value)
		case "reversed":
			f.Reversed = true
		case "agent":
			after, permission, ok := strings.Cut(value, ">")
			if !ok {
				return f, fmt.Errorf("agent=%s names no permission", value)
			}
			a := Agent{After: after}
			a.Permission, a.Refused = strings.CutSuffix(permission, "!")
			f.Agents = append(f.Agents, a)
		default:
			return f, fmt.Errorf("there is no fault %q", key)
		}
	}
	return f, nil
}

// Log is empty as its zero value, shows every event at once, and can be used from
// many goroutines.
type Log struct {
	Faults Faults

	mu     sync.Mutex
	events []Event
	n      int
}

// Add takes in a request that was answered at now. Service is who acts in a
// caller's name where an agent is to.
func (l *Log) Add(t trace.Trace, now time.Time, service string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.Add(l.Faults.Delay)
	switch {
	case slices.Contains(l.Faults.Drop, t.Operation):
	case slices.Contains(l.Faults.Late, t.Operation):
		l.add(Event{Trace: t, Seen: at.Add(9*l.Faults.Delay + 20*time.Second)})
	case slices.Contains(l.Faults.Double, t.Operation):
		l.add(Event{Trace: t, Seen: at})
		again := l.events[len(l.events)-1]
		l.events = append(l.events, again)
	default:
		l.add(Event{Trace: t, Seen: at})
	}
	for _, a := range l.Faults.Agents {
		if a.After != t.Operation || t.Refused {
			continue
		}
		later := t
		later.Time, later.Operation, later.Refused, later.Agent = now, a.Permission, a.Refused, ""
		later.Needs = []trace.Needed{{Action: a.Permission, Resource: "*", Refused: a.Refused}}
		l.add(Event{Trace: later, Seen: at, By: service})
	}
}

func (l *Log) add(e Event) {
	l.n++
	e.ID = "w" + strconv.Itoa(l.n)
	l.events = append(l.events, e)
	if len(l.events) > keep {
		l.events = slices.Delete(l.events, 0, keep/10)
	}
}

// Visible are the events that the log shows at now, in its order.
func (l *Log) Visible(now time.Time) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Event
	for _, e := range l.events {
		if !e.Seen.After(now) {
			all = append(all, e)
		}
	}
	if l.Faults.Reversed {
		slices.Reverse(all)
	}
	return all
}
