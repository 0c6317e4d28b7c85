package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/condition"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/harness/question"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// maxRuns bounds the runs of one step. The classic loop needs one per link of
// the longest chain of refusals; the limit is far above any seen, and only
// there so that a tool that invents names cannot run for ever.
const maxRuns = 200

// growAll grows every step's role from nothing, in the lifecycle's order.
func (l *loop) growAll(ctx context.Context) error {
	start := map[string]grant.Set{}
	for _, s := range l.Lifecycle.Steps {
		start[s.Name] = setOf(l.begin(s))
	}
	if err := l.settle(ctx, passGrow, start); err != nil {
		return err
	}
	for _, known := range l.Known {
		for _, e := range known.Entries {
			l.paths.Learn(e.Grant.Permission, e.Grant.Resource)
		}
	}
	for i := range l.result.Steps {
		if err := l.grow(ctx, &l.result.Steps[i]); err != nil {
			return err
		}
		if err := l.certifyInPlace(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// grow runs one step until it needs nothing more.
func (l *loop) grow(ctx context.Context, r *StepResult) error {
	step := r.Step
	known := l.Known[step.Name]
	entries := map[grant.Grant]Entry{}
	for _, e := range l.begin(step) {
		entries[e.Grant] = e
	}
	if known.Done && l.World == nil {
		// The real cloud still holds what the interrupted run made.
		r.Entries, r.Runs = sorted(entries), known.Runs
		return nil
	}
	if err := l.standing(ctx, step.Name); err != nil {
		return err
	}
	if err := l.bindMade(ctx, passGrow, step.Name, setOf(sorted(entries))); err != nil {
		return err
	}
	if err := l.save(ctx, snapshotBefore(step.Name)); err != nil {
		return err
	}
	m := hold
	if l.Strategy == Rerun {
		m = collect
	}
	pause := newPause()
	since := map[grant.Grant]time.Time{}
	through := map[string]bool{}
	var wanted []Entry // granted before the next run
	for r.Runs < maxRuns {
		set := setOf(sorted(entries))
		arb := l.newArbiter(ctx, step, passGrow, m, l.identities[step.Name], set)
		if r.Runs > 0 {
			if err := l.prepareRerun(ctx, arb, set, wanted); err != nil {
				return err
			}
		}
		for _, e := range wanted {
			since[e.Grant] = time.Now()
		}
		maps.Copy(arb.since, since)
		r.Runs++
		out, err := l.attempt(ctx, step, arb, r.Runs)
		r.Grow += out.Duration
		r.Refusals += arb.held
		maps.Copy(since, arb.since)
		wanted = afterRun(arb, entries)
		maps.Copy(through, arb.through)
		l.learn(step.Name, arb, out)
		maps.Copy(l.facts, out.Facts)
		r.Addresses = located(r.Addresses, arb, out.Spans, l.facts)
		r.Changes += arb.changes
		r.Entries = sorted(entries)
		if err != nil {
			return err
		}
		if out.OK && (m == collect || len(wanted) == 0) {
			// What the classic loop's step did without, it does not need. In
			// flight there is nothing of the kind: a refusal that could not be
			// held (a partial one) is granted and the step run again.
			r.Entries, r.Optional = undoubled(unproven(r.Entries, through)), done(arb, wanted)
			for _, e := range r.Entries {
				if e.Grant.Permission == "iam:PassRole" {
					l.passed = l.passed.With(e.Grant)
				}
			}
			return l.Journal.Append(journal.Event{Kind: journal.KindStepEnd, Step: step.Name, Pass: passGrow, OK: true})
		}
		if len(wanted) == 0 {
			wanted = l.hinted(out, arb.said(), setOf(r.Entries))
		}
		grew := false
		if len(wanted) == 0 {
			wanted, grew = l.maskedIn(step.Name, arb, setOf(r.Entries))
		}
		if len(wanted) == 0 && !grew {
			if err := l.giveUp(ctx, step.Name, arb, out, pause); err != nil {
				return errors.Join(err, l.Journal.Append(journal.Event{Kind: journal.KindStepEnd, Step: step.Name, Pass: passGrow}))
			}
			continue
		}
		pause.Reset()
		for _, e := range wanted {
			entries[e.Grant] = e
		}
	}
	return fmt.Errorf("step %s: not converged after %d runs", step.Name, maxRuns)
}

// learn keeps what a run of growth showed for certifying.
func (l *loop) learn(step string, arb *arbiter, out Outcome) {
	arb.mu.Lock()
	defer arb.mu.Unlock()
	if l.wanted[step] == nil {
		l.wanted[step] = map[question.Key]*question.Wanting{}
	}
	for key, w := range arb.wanting {
		if old, ok := l.wanted[step][key]; ok {
			w.Grants = w.Grants.Union(old.Grants)
		}
		l.wanted[step][key] = w
	}
	l.took[step] = out.Duration
	l.grown[step] = left{facts: out.Facts, calls: arb.calls}
}

// done lists what a step that passed did without: what the classic loop would
// have granted next, and what the rules forbid.
func done(arb *arbiter, wanted []Entry) []Entry {
	all := map[grant.Grant]Entry{}
	for _, e := range wanted {
		all[e.Grant] = e
	}
	for _, d := range arb.delivered {
		if _, ok := d.Why.(*ForbiddenError); !ok {
			continue
		}
		for _, g := range d.Grants {
			all[g] = least(all, Entry{Grant: g, Class: d.class})
		}
	}
	optional := sorted(all)
	for i := range optional {
		optional[i].Necessity = Optional
	}
	return optional
}

// unproven marks as assumed what was granted for requests that were never seen
// to be let through: a client that hung up, say.
func unproven(entries []Entry, through map[string]bool) []Entry {
	for i, e := range entries {
		if e.Necessity == Observed && !through[e.Class] {
			entries[i].Necessity = Assumed
		}
	}
	return entries
}

// begin is what a step's role begins with: what an interrupted run found, and
// what the start gives. That is a guess, as nothing was refused for it.
func (l *loop) begin(s lifecycle.Step) []Entry {
	all := map[grant.Grant]Entry{}
	rules := l.rules(s)
	for g := range l.Start[s.Name].All() {
		if l.place.Anew(g) && !l.Kept {
			continue // refused, if it is needed, it is granted on less
		}
		if permissionName.MatchString(g.Permission) && rules.Allow(g.Permission) == nil {
			all[g] = Entry{Grant: g, Necessity: Assumed, Guess: true}
		}
	}
	if !l.asksAgain(s) {
		for _, e := range l.trusted(s, l.Known[s.Name].Entries) {
			all[e.Grant] = e
		}
	}
	return sorted(all)
}

// asksAgain tells whether a resumed run grows a step's role from the start again: the
// step is run anyway, and what it is refused are the questions of certifying, which
// the journal has not. What was certified stays so.
func (l *loop) asksAgain(s lifecycle.Step) bool {
	return l.Certify != None && l.World != nil && l.Strategy == InFlight && l.Start[s.Name].Len() == 0 &&
		slices.ContainsFunc(l.Known[s.Name].Entries, func(e Entry) bool { return !e.proven() })
}

// trusted gives those of an interrupted run's entries that growth itself could
// have granted. The journal lies where a step can write: what it says is
// subject to the same rules as a refusal is.
func (l *loop) trusted(s lifecycle.Step, known []Entry) []Entry {
	rules := l.rules(s)
	var entries []Entry
	for _, e := range known {
		if !permissionName.MatchString(e.Grant.Permission) || rules.Allow(e.Grant.Permission) != nil {
			continue
		}
		if l.Lifecycle.Conditions && e.Grant.Condition == "" && condition.Always(e.Grant.Permission) {
			continue // it is refused again, if it was, and then granted under its condition
		}
		if l.place.Wider(e.Grant) {
			continue // as well
		}
		if r, ok := place.Plain(e.Grant.Resource, false); ok && r == e.Grant.Resource {
			entries = append(entries, e)
		}
	}
	return entries
}

// permissionName is a single permission in any cloud's notation; a wildcard is
// none.
var permissionName = regexp.MustCompile(`^[A-Za-z0-9-]+[:./][A-Za-z0-9./-]+$`)

// prepareRerun grants what the last run wanted, intent first. In flight the
// step starts again from where it first did; the classic loop goes on in what
// the failed run left behind.
func (l *loop) prepareRerun(ctx context.Context, arb *arbiter, set grant.Set, wanted []Entry) error {
	all := map[grant.Grant]Entry{}
	var grants []grant.Grant
	for _, e := range wanted {
		all[e.Grant] = e
		grants = append(grants, e.Grant)
	}
	if err := arb.writeGrants(journal.KindIntent, grants, all); err != nil {
		return err
	}
	if arb.mode == hold {
		if err := l.restore(ctx, snapshotBefore(arb.step.Name)); err != nil {
			return err
		}
	}
	if err := arb.identity.Role.Put(ctx, set); err != nil {
		return fmt.Errorf("step %s: grant %s: %w", arb.step.Name, join(grants), err)
	}
	return arb.writeGrants(journal.KindGranted, grants, all)
}

func snapshotBefore(step string) string { return "before-" + step }

// afterRun takes over what was granted in flight, and gives what was refused
// in the client's sight and is not granted yet.
func afterRun(arb *arbiter, entries map[grant.Grant]Entry) (wanted []Entry) {
	arb.mu.Lock()
	defer arb.mu.Unlock()
	for g, e := range arb.entries {
		if arb.role.Has(g) {
			entries[g] = e
		} else {
			wanted = append(wanted, e)
		}
	}
	slices.SortFunc(wanted, func(a, b Entry) int { return grant.Compare(a.Grant, b.Grant) })
	return wanted
}

// hinted gives what the tool's output names as refused, if the lifecycle
// trusts it. A module can print anything: without "trust: output" it never
// grants.
func (l *loop) hinted(out Outcome, rules decide.Rules, held grant.Set) []Entry {
	if !l.Lifecycle.TrustOutput {
		return nil
	}
	var wanted []Entry
	for _, d := range parsers.FromOutput(spoken(out)) {
		if dec := decide.Of(held, d, nil, true, rules); dec.Action == decide.Add {
			for _, g := range dec.Grants {
				wanted = append(wanted, Entry{Grant: g, Necessity: Assumed, Class: "output of the tool"})
			}
		}
	}
	return wanted
}

// maskedIn gives what requests may have lacked that were answered with an error
// which the administrator never got, and which does not say that it is a refusal:
// a cloud can say 404 where it does not want to say that there is something. All
// of it is only assumed, and settled when the step is certified. Grew tells that
// nothing is left to grant for it, and that the role got it in this very run: the
// answer may be older.
func (l *loop) maskedIn(step string, arb *arbiter, held grant.Set) (wanted []Entry, grew bool) {
	arb.mu.Lock()
	strange, changed := maps.Clone(arb.strange), arb.changes > 0
	arb.mu.Unlock()
	if len(strange) == 0 {
		return nil, false
	}
	reference, ok := l.callsOf(step)
	if !ok {
		return nil, false
	}
	all := map[grant.Grant]Entry{}
	for class, x := range strange {
		if reference[class] == nil || reference[class][x.Status] > 0 {
			continue
		}
		opaque := refusal.Denial{Reason: refusal.OpaqueDenial}
		candidates := catalog.Candidates(x.Method, x.URL, x.Header, x.Body, arb.account)
		switch dec := decide.Of(held, opaque, candidates, place.CarriesWildcard(x), arb.shown(x)); dec.Action {
		case decide.Wait:
			grew = changed
		case decide.Add:
			for _, g := range dec.Without(held).Grants {
				all[g] = least(all, Entry{Grant: g, Necessity: Assumed, Class: class, Guess: len(dec.Grants) > 1})
			}
		}
	}
	return sorted(all), grew
}

// spoken is all that a tool said of its failure.
func spoken(out Outcome) string {
	var b strings.Builder
	for _, d := range out.Diagnostics {
		b.WriteString(d.Summary + "\n" + d.Detail + "\n")
	}
	return b.String() + out.Output
}

// giveUp says why a failed step cannot be grown further. If all that was
// refused is granted and merely not in force yet, it waits a little instead,
// and the step is to be run again.
func (l *loop) giveUp(ctx context.Context, step string, arb *arbiter, out Outcome, pause *backoff.ExponentialBackOff) error {
	arb.mu.Lock()
	stops, delivered := slices.Clone(arb.stops), slices.Clone(arb.delivered)
	arb.mu.Unlock()
	for _, err := range stops {
		if _, unread := err.(*UnreadError); !unread {
			return err
		}
	}
	again := false
	for _, d := range delivered {
		if d.Action != decide.Wait {
			continue
		}
		if waited := time.Since(arb.lastGrant(d.Grants)); waited > arb.patience {
			return &StuckError{Step: step, Class: d.class, Denial: d.denial, Grants: d.Grants, Waited: waited}
		}
		again = true
	}
	if again {
		select {
		case <-time.After(pause.NextBackOff()):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(stops) > 0 {
		return stops[0]
	}
	return &FailedError{Step: step, Diagnostics: out.Diagnostics, Output: out.Output, Notes: l.explain(step, arb, out)}
}

// lastGrant is when the newest of the grants was made. One that the attempt
// began with counts from the first time it is asked for.
func (a *arbiter) lastGrant(grants []grant.Grant) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	var last time.Time
	for _, g := range grants {
		if _, ok := a.since[g]; !ok {
			a.since[g] = time.Now()
		}
		if a.since[g].After(last) {
			last = a.since[g]
		}
	}
	return last
}

// newPause is the wait between reruns for a grant to come into force.
func newPause() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(time.Second),
		backoff.WithMaxInterval(30*time.Second),
		backoff.WithMaxElapsedTime(0)) // the patience bounds it
}

// explain lists what on the wire may account for a failure without a readable
// refusal: calls that the reference had answered otherwise, and refusals that
// the tool printed and nobody saw on the wire.
func (l *loop) explain(step string, arb *arbiter, out Outcome) []string {
	var notes []string
	ref, ok := l.callsOf(step)
	arb.mu.Lock()
	for _, class := range slices.Sorted(maps.Keys(arb.calls)) {
		for _, status := range slices.Sorted(maps.Keys(arb.calls[class])) {
			if status >= 400 && ok && ref[class] != nil && ref[class][status] == 0 {
				notes = append(notes, fmt.Sprintf("%s answered %d here, and never so for the administrator", class, status))
			}
		}
	}
	arb.mu.Unlock()
	for _, d := range parsers.FromOutput(spoken(out)) {
		if d.Reason == refusal.MissingPermission && d.Permission != "" {
			notes = append(notes, fmt.Sprintf("the tool's output speaks of %s, which no reply on the wire refused; output is not trusted unless whittle.yaml says trust: output", d.Permission))
		}
	}
	return notes
}

func setOf(entries []Entry) grant.Set { return StepResult{Entries: entries}.Set() }

func sorted(entries map[grant.Grant]Entry) []Entry {
	return slices.SortedFunc(maps.Values(entries), func(a, b Entry) int { return grant.Compare(a.Grant, b.Grant) })
}
