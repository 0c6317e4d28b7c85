package harness

import (
	"slices"

	"github.com/whittle-iam/whittle/harness/journal"
)

// KnownOf gathers from the journal of an interrupted run what it granted, by step.
func KnownOf(events []journal.Event) map[string]Known {
	known := map[string]Known{}
	for _, e := range events {
		if e.Kind == journal.KindEnd && e.OK {
			for step, k := range known { // it has been through to its teardown
				k.Done = false
				known[step] = k
			}
		}
		if e.Kind == journal.KindFound {
			known[e.Step] = concluded(known[e.Step], e)
			continue
		}
		if e.Pass != journal.PassGrow {
			continue
		}
		k := known[e.Step]
		switch e.Kind {
		case journal.KindAttempt:
			k.Runs, k.Done = k.Runs+1, false
		case journal.KindIntent:
			for _, g := range e.Grants {
				n := Necessity(e.Necessity)
				k.Entries = append(k.Entries, Entry{Grant: g, Necessity: n, Class: e.Class, Guess: n == Assumed})
			}
		case journal.KindStepEnd:
			k.Done = e.OK
		}
		known[e.Step] = k
	}
	return known
}

// concluded is what is known of a step after certifying has found something of
// one of its grants.
func concluded(k Known, e journal.Event) Known {
	n := Necessity(e.Necessity)
	if n == Optional {
		return k // growth would be refused it, and grant it again
	}
	for _, g := range e.Grants {
		k.Entries = slices.DeleteFunc(k.Entries, func(known Entry) bool { return known.Grant == g })
		k.Entries = append(k.Entries, Entry{Grant: g, Necessity: n, Class: e.Class, Difference: e.Text})
	}
	return k
}
