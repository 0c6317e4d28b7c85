package harness

import (
	"slices"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/place"
)

// renamed replaces generated names by a pattern of what they begin with:
// another run makes other names, and a set with this one's could neither be
// verified nor give the same bytes. A name is replaced only in the resource's
// own part, and only one that the tool's state says was made up.
func (l *loop) renamed(entries []Entry) []Entry {
	if len(l.names) == 0 {
		return entries
	}
	all := map[grant.Grant]Entry{}
	for _, e := range entries {
		e.Grant = place.Unnamed(e.Grant, l.names)
		if held, ok := all[e.Grant]; !ok || e.Necessity != Assumed || held.Necessity == Assumed {
			all[e.Grant] = e
		}
	}
	return sorted(all)
}

// current is the step's entries with the names written as their prefix, but for
// those of an interrupted run under names that it made up and never came to tell
// of: this run has made others, and what it needs under them covers those. What
// that run certified under a prefix holds for the names of this one: its growth
// cannot begin with a pattern, and grants each anew.
func (l *loop) current(r *StepResult) []Entry {
	var patterns []grant.Grant
	for _, e := range r.Entries {
		if g := place.Unnamed(e.Grant, l.names); g != e.Grant {
			patterns = append(patterns, g)
		}
	}
	known := map[grant.Grant]Entry{}
	for _, k := range l.Known[r.Step.Name].Entries {
		known[k.Grant] = k
	}
	entries := slices.DeleteFunc(l.renamed(r.Entries), func(e Entry) bool {
		_, old := known[e.Grant]
		return old && slices.ContainsFunc(patterns, func(p grant.Grant) bool { return p != e.Grant && covers(p, e.Grant) })
	})
	for i, e := range entries {
		if k := known[e.Grant]; k.proven() {
			entries[i].Necessity, entries[i].Difference, entries[i].Guess = k.Necessity, k.Difference, false
		}
	}
	return entries
}

// otherwise notes names that a verification has otherwise than growth had them: a
// permission is held on one and refused on the other, which the cloud has made the end
// of up.
func (l *loop) otherwise(r *StepResult, back []Entry) {
	if !l.place.OnAccounts() {
		return
	}
	learned := false
	for _, b := range back {
		for _, e := range r.Entries {
			if names, prefix := place.MadeUp(b.Grant, e.Grant); prefix != "" {
				l.names[names[0]], l.names[names[1]], learned = prefix, prefix, true
			}
		}
	}
	if !learned {
		return
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		r.Entries, r.Optional = l.renamed(r.Entries), l.renamed(r.Optional)
		r.Addresses = l.readdressed(r.Addresses)
	}
}
