// Package certify decides what to ask of a step next, to learn which of its
// grants it needs: which request classes to withhold ([Questions]), and which
// grants to take away in earnest ([Removal]). It is pure: it is told how a run
// ended and says what the next one is to be.
//
// What a run shows rests on tokens. Every refusal that is made on purpose
// carries one of its own; only where the token turns up in an error of the tool
// is the refusal known to be what the tool failed of. A refusal whose token is
// in no error was swallowed: the tool may do as well without, or may have gone
// another way that is closed to it in the same run. So one error shows one need
// (the last of the refusals in it), and it shows it only as far as what was
// swallowed in the same run is not needed in the end: see [Finding.Beside].
package certify

import (
	"fmt"
	"slices"
	"strings"
)

// Verdict is what is known of a class or a grant.
type Verdict string

const (
	// Open: not known yet.
	Open Verdict = ""
	// Needed: the tool failed of the refusal, by its own words.
	Needed Verdict = "needed"
	// Spare: refused, and the step did as well; or, for a grant, taken away, and
	// the step did as well.
	Spare Verdict = "spare"
	// Unsure: no run showed either.
	Unsure Verdict = "unsure"
)

// Finding is what was found of one class or grant.
type Finding[K comparable] struct {
	Verdict Verdict
	// Error is the tool's error that showed the need.
	Error string
	// Difference is what the step's outcome lacks without it, where the step does
	// not fail.
	Difference string
	// Beside lists what was refused and swallowed in the run that showed the
	// need. If one of those is needed too, the need has not been shown yet: the
	// tool may have done without this one, had it got the other.
	Beside []K
	// Swallowed: the need was shown in a run in which it was refused and swallowed
	// as well. Whatever else is asked about in such a run is shown beside it.
	Swallowed bool
	// Why says of what is unsure why it is.
	Why string
}

// Reply is one refusal that was given on purpose.
type Reply[K comparable] struct {
	// Of is the class that was withheld, or the grant that the refusal is about.
	Of K
	// Request is the same for the same request sent again.
	Request string
	// Error names the tool's error that shows the reply's token, empty if none
	// does. Replies with the same name are in one error.
	Error string
	// Weak: what shows the token may be no error (a warning of a tool that failed
	// of something else). It counts when it has been seen twice.
	Weak bool
	// Lost is the change that the refused request would have made. A step that
	// succeeds all the same has ended otherwise for want of this alone.
	Lost string
}

// Run is how a run of the step ended.
type Run[K comparable] struct {
	// OK: the step succeeded.
	OK bool
	// Stopped: it did not come to its own end.
	Stopped bool
	// Difference tells how the outcome of a step that succeeded differs from what
	// it should be, besides what the replies say was lost; empty if it does not.
	Difference string
	// Replies are the refusals that were given on purpose, in their order.
	Replies []Reply[K]
}

// lost gives what a step that succeeded has not changed for want of each.
func (r Run[K]) lost() map[K]string {
	all := map[K]string{}
	for _, p := range r.Replies {
		if r.OK && p.Lost != "" && all[p.Of] == "" {
			all[p.Of] = p.Lost
		}
	}
	return all
}

// String says what the run shows.
func (r Run[K]) String() string {
	needed, beside := shown(r)
	var b strings.Builder
	var lost []string
	for _, what := range r.lost() {
		lost = append(lost, what)
	}
	slices.Sort(lost)
	switch {
	case len(lost) > 0:
		b.WriteString("the step ended otherwise: " + strings.Join(slices.Compact(lost), ", "))
		if r.Difference != "" {
			b.WriteString(", " + r.Difference)
		}
	case r.OK && r.Difference != "":
		b.WriteString("the step ended otherwise: " + r.Difference)
	case r.OK:
		b.WriteString("the step did as well")
	default:
		b.WriteString("the step failed")
	}
	list := func(what string, items []string) {
		if len(items) > 0 {
			slices.Sort(items)
			b.WriteString("; " + what + ": " + strings.Join(items, ", "))
		}
	}
	var names []string
	for k, err := range needed {
		names = append(names, fmt.Sprintf("%v (%s)", k, err))
	}
	list("needed", names)
	names = nil
	for _, k := range beside {
		names = append(names, fmt.Sprint(k))
	}
	list("refused besides", names)
	return b.String()
}

// shown reads a run: what each error shows to be needed, and what was refused
// besides. A request that was refused, sent again at once, and is in an error
// then was only retried.
func shown[K comparable](r Run[K]) (needed map[K]string, beside []K) {
	needed = map[K]string{}
	if r.OK {
		return needed, delivered(r)
	}
	last := map[string]K{} // by error
	for _, p := range r.Replies {
		if p.Error != "" {
			last[p.Error] = p.Of
		}
	}
	fatal := func(p Reply[K]) bool { return p.Error != "" && last[p.Error] == p.Of }
	for i, p := range r.Replies {
		switch {
		case fatal(p):
			if old, ok := needed[p.Of]; !ok || p.Error < old {
				needed[p.Of] = p.Error
			}
		case p.Error == "" && retried(r.Replies[i:], fatal):
		case !slices.Contains(beside, p.Of):
			beside = append(beside, p.Of)
		}
	}
	return needed, beside
}

// retried tells whether the first of the replies was followed by the same request,
// and by nothing else, until one that is in an error.
func retried[K comparable](replies []Reply[K], fatal func(Reply[K]) bool) bool {
	for _, p := range replies[1:] {
		if p.Of != replies[0].Of || p.Request != replies[0].Request {
			return false
		}
		if fatal(p) {
			return true
		}
	}
	return false
}

// weakly tells whether every reply that shows k to be needed is weak.
func weakly[K comparable](r Run[K], k K) bool {
	return !slices.ContainsFunc(r.Replies, func(p Reply[K]) bool { return p.Of == k && p.Error != "" && !p.Weak })
}

// insistent is how often the same refused request must come in a run for the
// tool to count as waiting for it.
const insistent = 3

// waitedFor gives what the tool asked for again and again.
func waitedFor[K comparable](r Run[K]) (all []K) {
	type sent struct {
		of      K
		request string
	}
	times := map[sent]int{}
	for _, p := range r.Replies {
		if times[sent{p.Of, p.Request}]++; times[sent{p.Of, p.Request}] == insistent && !slices.Contains(all, p.Of) {
			all = append(all, p.Of)
		}
	}
	return all
}

// without is all but one.
func without[K comparable](all []K, one K) []K {
	var rest []K
	for _, k := range all {
		if k != one {
			rest = append(rest, k)
		}
	}
	return rest
}

// delivered lists what was refused, each once, in order.
func delivered[K comparable](r Run[K]) []K {
	var all []K
	for _, p := range r.Replies {
		if !slices.Contains(all, p.Of) {
			all = append(all, p.Of)
		}
	}
	return all
}
