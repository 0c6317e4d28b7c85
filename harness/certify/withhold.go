package certify

import (
	"maps"
	"slices"
)

// Why a class is unsure.
const (
	notAsked = "no request of the class came again"
	noToken  = "the step failed, and none of its errors shows the refusal"
	waited   = "the tool asked again and again, and its errors do not show it"
	notSame  = "the step succeeded with another outcome"
	byItself = "the step failed by itself, again and again"
)

const (
	// idleRuns is how often a step may fail before anything was refused.
	idleRuns = 3
	// repeats is how often a question is asked again whose run failed without
	// showing anything: it may have failed by itself.
	repeats = 1
)

// Questions asks about request classes by withholding them: all that are open
// at once. What the tool's errors show to be needed is let through in the next
// run, which gets further. With a tool that names its errors one by one that
// takes at most as many runs as the longest chain of classes has members, and
// two more: one that passes, and one for a run that shows nothing.
type Questions struct {
	order    []string
	found    map[string]Finding[string]
	runs     int
	weak     map[string]bool // shown once by what may be no error
	repeated int             // questions that were asked again
	idle     int             // runs that failed before anything was refused
	done     bool
}

// Ask makes the questions about the classes. Those that are not asked about
// belong to nobody's question and are let through.
func Ask(classes []string) *Questions {
	q := &Questions{found: map[string]Finding[string]{}, weak: map[string]bool{}}
	for _, c := range classes {
		if _, ok := q.found[c]; !ok {
			q.order = append(q.order, c)
			q.found[c] = Finding[string]{}
		}
	}
	return q
}

// Next gives the classes to withhold in the next run; more is false when there
// is nothing left to ask.
func (q *Questions) Next() (withhold []string, more bool) {
	if q.done {
		return nil, false
	}
	for _, c := range q.order {
		if q.found[c].Verdict == Open {
			withhold = append(withhold, c)
		}
	}
	return withhold, len(withhold) > 0
}

// Runs is how many runs were answered.
func (q *Questions) Runs() int { return q.runs }

// Answer takes the run in which the classes of [Questions.Next] were withheld.
func (q *Questions) Answer(r Run[string]) {
	q.runs++
	refused := delivered(r)
	if r.OK {
		q.passed(r, refused)
		return
	}
	needed, beside := shown(r)
	for c, err := range needed {
		if weakly(r, c) && !q.weak[c] {
			q.weak[c] = true
			continue
		}
		q.found[c] = Finding[string]{Verdict: Needed, Error: err, Beside: without(beside, c), Swallowed: slices.Contains(beside, c)}
	}
	// What the tool waits for costs as much in every run to come.
	q.unsure(waitedFor(r), waited)
	switch {
	case len(needed) > 0:
		// Every need that is shown beside what is swallowed has to be asked about
		// again: it is swallowed once.
		q.unsure(beside, noToken)
	case len(refused) == 0: // it failed by itself
		if q.idle++; q.idle >= idleRuns {
			q.Stop(byItself)
		}
	case q.repeated < repeats: // it may have failed by itself
		q.repeated++
	default:
		q.unsure(refused, noToken)
	}
}

// passed takes a run that succeeded: it got to its end.
func (q *Questions) passed(r Run[string], refused []string) {
	lost := r.lost()
	for _, c := range q.order {
		switch {
		case q.found[c].Verdict != Open:
		case lost[c] != "":
			q.found[c] = Finding[string]{Verdict: Needed, Difference: lost[c]}
		case !slices.Contains(refused, c):
			q.found[c] = Finding[string]{Verdict: Unsure, Why: notAsked}
		case r.Difference != "" || len(lost) > 0:
			q.found[c] = Finding[string]{Verdict: Unsure, Why: notSame, Difference: r.Difference}
		default:
			q.found[c] = Finding[string]{Verdict: Spare}
		}
	}
	q.done = true
}

func (q *Questions) unsure(classes []string, why string) {
	for _, c := range classes {
		if q.found[c].Verdict == Open {
			q.found[c] = Finding[string]{Verdict: Unsure, Why: why}
		}
	}
}

// Stop ends the questions; what is open is unsure.
func (q *Questions) Stop(why string) {
	q.unsure(q.order, why)
	q.done = true
}

// Findings is what was found of each class, until now; what is to be asked still is
// open.
func (q *Questions) Findings() map[string]Finding[string] { return maps.Clone(q.found) }
