package audit

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/journal"
)

// Slack is how far an entry's time may lie outside of what it belongs to:
// CloudTrail's times are whole seconds, and two clocks are never one.
const Slack = 2 * time.Second

// Identity is the kind of the journal's object that says whom a step runs as.
const Identity = "identity"

// window is one run of a step.
type window struct {
	step, pass string
	principal  string
	from, to   time.Time // to is zero where the run never ended
	ok         bool
}

// off is how far a time lies outside of the window; 0 is within it.
func (w window) off(t time.Time) time.Duration {
	switch {
	case t.Before(w.from):
		return w.from.Sub(t)
	case !w.to.IsZero() && t.After(w.to):
		return t.Sub(w.to)
	}
	return 0
}

// windows reads from a journal when which step ran as whom, in order.
func windows(events []journal.Event) []window {
	var all []window
	open := map[string]int{} // by pass and step
	for _, e := range events {
		key := e.Pass + " " + e.Step
		switch e.Kind {
		case journal.KindAttempt:
			w := window{step: e.Step, pass: e.Pass, from: e.Time}
			if e.Object != nil && e.Object.Kind == Identity {
				w.principal = e.Object.ID
			}
			open[key] = len(all)
			all = append(all, w)
		case journal.KindAttemptEnd:
			if i, ok := open[key]; ok {
				all[i].to, all[i].ok = e.Time, e.OK
				delete(open, key)
			}
		}
	}
	return all
}

// Span is the time that a run's steps took, by its journal, and the identities that
// they ran as, each once: whose entries there can be, and when.
func Span(events []journal.Event) (from, to time.Time, principals []string) {
	for _, w := range windows(events) {
		if from.IsZero() || w.from.Before(from) {
			from = w.from
		}
		for _, t := range []time.Time{w.from, w.to} {
			if t.After(to) {
				to = t
			}
		}
		if w.principal != "" && !slices.Contains(principals, w.principal) {
			principals = append(principals, w.principal)
		}
	}
	if from.IsZero() {
		return from, to, nil
	}
	slices.Sort(principals)
	return from.Add(-Slack), to.Add(Slack), principals
}

// canaryKeys are the access keys that a run had for its own calls.
func canaryKeys(events []journal.Event) map[string]bool {
	keys := map[string]bool{}
	for _, e := range events {
		if e.Kind == journal.KindObject && e.Object != nil && e.Object.Kind == CanaryKey {
			keys[e.Object.ID] = true
		}
	}
	return keys
}

// wire is what the proxy saw of one step in one pass.
type wire struct {
	denied map[string]string // permission, in lower case → class
	seen   map[string][]int  // class → the statuses that it was answered with
	told   bool              // seen is known
}

func (w *wire) deny(permission, class string) {
	if permission != "" && w.denied[strings.ToLower(permission)] == "" {
		w.denied[strings.ToLower(permission)] = class
	}
}

// places are what a record has in the place of where it was found, and what can stand
// there in a class.
var places = strings.NewReplacer(regexp.QuoteMeta("{region}"), `[a-z0-9-]+`, regexp.QuoteMeta("{account}"), `[0-9]{12}`,
	regexp.QuoteMeta("{project}"), `[^/ ]+`, regexp.QuoteMeta("{subscription}"), `[^/ ]+`)

// used tells whether a request of a record's class was on the wire.
func (w *wire) used(class string) bool {
	if _, ok := w.seen[class]; ok {
		return true
	}
	quoted := regexp.QuoteMeta(class)
	pattern := places.Replace(quoted)
	if pattern == quoted {
		return false
	}
	re, err := regexp.Compile("^" + pattern + "$")
	if err != nil {
		return false // a record's text; quoted, it is none
	}
	for c := range w.seen {
		if re.MatchString(c) {
			return true
		}
	}
	return false
}

// wires gathers what a journal says of the wire, by pass and step.
func wires(events []journal.Event) map[[2]string]*wire {
	all := map[[2]string]*wire{}
	for _, e := range events {
		if e.Step == "" {
			continue
		}
		key := [2]string{e.Pass, e.Step}
		w := all[key]
		if w == nil {
			w = &wire{denied: map[string]string{}, seen: map[string][]int{}}
			all[key] = w
		}
		switch e.Kind {
		case journal.KindRefused, journal.KindDelivered:
			if e.Denial != nil {
				w.deny(e.Denial.Permission, e.Class)
				for _, c := range e.Denial.Candidates {
					w.deny(c, e.Class)
				}
			}
		case journal.KindIntent:
			for _, g := range e.Grants { // what an opaque refusal was taken for
				w.deny(g.Permission, e.Class)
			}
		case journal.KindSeen:
			w.told = true
			w.seen[e.Class] = append(w.seen[e.Class], e.Status)
		}
	}
	return all
}
