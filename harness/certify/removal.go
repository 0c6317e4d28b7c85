package certify

import "slices"

// Why a grant is unsure.
const (
	tooLong   = "the step did not come to its end without it"
	unseen    = "the step fails without it, and nothing that was refused is about it"
	outOfRuns = "not asked: the runs were used up"
)

// confirm is how many runs without one grant must fail before it counts as
// needed, if no error of the tool shows its refusal: a step can fail by itself.
const confirm = 3

// patience is how often in a row a step whose refusals have been seen may fail of
// none.
const patience = 3 * confirm

// differs is how many runs without one grant must end otherwise, if no refused
// change says why: what a step leaves is compared where it was the same before.
const differs = 2

// Removal finds which of its suspects can be taken away, by taking them away:
// all at first, and what a run's errors show to be needed is given back. Where
// the errors show nothing, it looks for one that is needed by splitting, in
// groups that grow while they pass and shrink while they fail.
type Removal[K comparable] struct {
	pool  []K // not known yet
	hunt  []K // a group that the step failed without, or one that was refused in that run
	size  int // of the next group from the pool
	later []K // what the tool waits for, in vain: asked about alone, at the end
	fails int // runs without the only one of hunt that failed
	cut   int // of these, those that did not come to their own end
	idle  int // runs in which nothing was refused, in a row
	found map[K]Finding[K]
	weak  map[K]bool // shown once by what may be no error
	order []K
	runs  int
	// blind: refusals cannot be seen, so that a run in which nothing was refused
	// says as much as any other.
	blind bool
	seen  bool // refusals were
}

// Remove makes a Removal of the suspects. That the refusals of a step cannot be
// seen it finds out itself: it fails, again and again, of none.
func Remove[K comparable](suspects []K) *Removal[K] {
	r := &Removal[K]{found: map[K]Finding[K]{}, weak: map[K]bool{}}
	for _, k := range suspects {
		if _, ok := r.found[k]; !ok {
			r.found[k] = Finding[K]{}
			r.order = append(r.order, k)
		}
	}
	r.pool = slices.Clone(r.order)
	r.size = len(r.pool)
	return r
}

// Next gives all that the step is to be run without: what is known to be spare,
// and what the run is about. More is false when everything is known.
func (r *Removal[K]) Next() (out []K, more bool) {
	group := r.group()
	if len(group) == 0 {
		return nil, false
	}
	return append(r.spare(), group...), true
}

// Asking is how many suspects the next run is about.
func (r *Removal[K]) Asking() int { return len(r.group()) }

// Runs is how many runs were answered.
func (r *Removal[K]) Runs() int { return r.runs }

// group is what the next run is about.
func (r *Removal[K]) group() []K {
	switch {
	case len(r.hunt) == 1:
		return r.hunt
	case len(r.hunt) > 1:
		return r.hunt[:(len(r.hunt)+1)/2]
	case len(r.pool) == 0 && len(r.later) > 0:
		return r.later[:1]
	default:
		return r.pool[:min(len(r.pool), max(1, r.size))]
	}
}

func (r *Removal[K]) spare() []K {
	var all []K
	for _, k := range r.order {
		if r.found[k].Verdict == Spare {
			all = append(all, k)
		}
	}
	return all
}

// Answer takes the run without what [Removal.Next] gave.
func (r *Removal[K]) Answer(run Run[K]) {
	r.runs++
	group := slices.Clone(r.group())
	if r.lose(run) {
		return
	}
	if run.OK && run.Difference == "" {
		r.settle(group, Finding[K]{Verdict: Spare})
		r.fails, r.cut, r.idle = 0, 0, 0
		if r.size < len(r.pool) {
			r.size *= 2
		}
		return
	}
	late := r.putOff(group, run)
	needed, beside := shown(run)
	again := false
	for k := range needed {
		if weakly(run, k) && !r.weak[k] {
			r.weak[k], again = true, true
			delete(needed, k)
		}
	}
	if again && len(needed) == 0 {
		return
	}
	if !run.OK && len(needed) > 0 {
		r.idle = 0
		for k, err := range needed {
			if old, ok := r.found[k]; ok && old.Verdict != Needed {
				r.settle([]K{k}, Finding[K]{Verdict: Needed, Error: err, Beside: without(beside, k)})
			}
		}
		if !slices.ContainsFunc(group, func(k K) bool { _, ok := needed[k]; return ok }) {
			r.narrow(group, run) // what was spare is not, beside the group
		} else if len(r.hunt) > 0 && len(group) > 1 {
			r.pool, r.hunt, r.fails = append(r.hunt, r.pool...), nil, 0
		}
		return
	}
	switch refused := delivered(run); {
	case len(refused) > 0:
		r.idle, r.blind, r.seen = 0, false, true
	case !r.blind && !run.OK:
		most := confirm
		if r.seen {
			most = patience
		}
		if r.idle++; r.idle < most {
			return // it failed by itself
		}
		r.blind = true
	}
	if !late {
		r.narrow(group, run)
	}
}

// lose settles what a step that succeeded has lost, each by itself. The rest is
// asked about again, beside no loss.
func (r *Removal[K]) lose(run Run[K]) (any bool) {
	for k, what := range run.lost() {
		if old, ok := r.found[k]; ok && old.Verdict != Needed {
			r.settle([]K{k}, Finding[K]{Verdict: Needed, Difference: what})
			any = true
		}
	}
	if any {
		r.fails, r.cut, r.idle, r.blind = 0, 0, 0, false
	}
	return any
}

// putOff takes what the tool waits for out of a group: it costs as much in every
// run to come, and the run may have failed of nothing else.
func (r *Removal[K]) putOff(group []K, run Run[K]) (late bool) {
	if len(group) == 1 {
		return false
	}
	for _, k := range waitedFor(run) {
		if slices.Contains(group, k) {
			late = true
			r.later = append(r.later, k)
			r.pool, r.hunt = without(r.pool, k), without(r.hunt, k)
		}
	}
	return late
}

// narrow takes a run without the group that did not do as well and did not say
// why.
func (r *Removal[K]) narrow(group []K, run Run[K]) {
	var about, rest []K // refused in this run, and not
	refused := delivered(run)
	for _, k := range group {
		if slices.Contains(refused, k) {
			about = append(about, k)
		} else {
			rest = append(rest, k)
		}
	}
	if len(group) == 1 {
		r.alone(group[0], len(about) == 1, run)
		return
	}
	if len(r.hunt) > 0 { // the other half is as unknown as the pool
		r.pool = append(slices.Clone(r.hunt[len(group):]), r.pool...)
	} else {
		r.pool = slices.Clone(r.pool[len(group):])
	}
	r.fails, r.cut = 0, 0
	switch len(about) {
	case 0:
		about, rest = group, nil
	case 1: // the others were not missed: this run was without it alone
		r.fails = 1
	}
	r.pool = append(rest, r.pool...)
	r.hunt = about
	r.size = max(1, len(group)/2)
}

// alone takes a run without k alone that did not do as well.
func (r *Removal[K]) alone(k K, refused bool, run Run[K]) {
	if len(r.hunt) == 0 {
		r.hunt, r.pool, r.later = []K{k}, without(r.pool, k), without(r.later, k)
	}
	waits := slices.Contains(waitedFor(run), k)
	if run.Stopped && !waits {
		r.cut++
	}
	most := confirm
	if run.OK {
		most = differs
	}
	if r.fails++; r.fails < most && !waits {
		return
	}
	late := r.cut > 0 && !waits
	r.fails, r.cut = 0, 0
	f := Finding[K]{Verdict: Unsure, Why: unseen, Difference: run.Difference}
	switch {
	case late:
		f.Why = tooLong
	case refused || run.Difference != "":
		f.Verdict, f.Why = Needed, ""
	}
	r.settle([]K{k}, f)
}

// settle notes what was found, and asks no more about it.
func (r *Removal[K]) settle(ks []K, f Finding[K]) {
	for _, k := range ks {
		r.found[k] = f
	}
	isIn := func(k K) bool { return slices.Contains(ks, k) }
	r.pool = slices.DeleteFunc(slices.Clone(r.pool), isIn)
	r.hunt = slices.DeleteFunc(slices.Clone(r.hunt), isIn)
	r.later = slices.DeleteFunc(slices.Clone(r.later), isIn)
}

// Stop ends the removal; what is not known is unsure.
func (r *Removal[K]) Stop(why string) {
	for _, k := range slices.Concat(r.hunt, r.pool, r.later) {
		r.found[k] = Finding[K]{Verdict: Unsure, Why: why}
	}
	r.pool, r.hunt, r.later = nil, nil, nil
}

// Findings is what was found of each suspect, until now.
func (r *Removal[K]) Findings() map[K]Finding[K] {
	all := map[K]Finding[K]{}
	for k, f := range r.found {
		if f.Verdict == Open {
			f = Finding[K]{Verdict: Unsure, Why: outOfRuns}
		}
		all[k] = f
	}
	return all
}
