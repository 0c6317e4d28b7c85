package harness

import (
	"context"
	"fmt"
	"slices"

	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// maxVerifications bounds how often a grant is put back and the lifecycle
// verified again.
const maxVerifications = 5

// maxFlukes is how often a verification is run again because a step failed of
// which nothing was refused.
const maxFlukes = 4

// verify settles what was only assumed, and then runs the lifecycle under the
// final roles, with nothing held, granted or answered by Whittle. Only if every
// step passes is the result verified. A refusal that fails a step puts its
// grant back, and all is verified again.
func (l *loop) verify(ctx context.Context) error {
	var last error
	for range maxVerifications + maxFlukes {
		if err := l.removeAssumed(ctx); err != nil {
			return err
		}
		again, err := l.verifyOnce(ctx)
		if again == nil && err == nil {
			l.result.Verified = true
			return l.Journal.Append(journal.Event{Kind: journal.KindVerify, Pass: passVerify, OK: true})
		}
		if err != nil {
			return err
		}
		last = again
	}
	return fmt.Errorf("not verified in %d runs under the final roles: %w", maxVerifications, last)
}

// removeAssumed settles what was granted without a refusal that named it, or
// was never seen to let its request through: each such grant is really taken
// away and the step run from where it started. If it does as well, the grant
// goes. Where all grants are certified that has been done already. Without snapshots a step cannot be run alone, and the grants stay,
// assumed.
func (l *loop) removeAssumed(ctx context.Context) error {
	if l.World == nil || l.Certify != None {
		return nil
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		for _, e := range slices.Clone(r.Entries) {
			if e.Necessity != Assumed || l.kept(r.Step.Name, e.Grant) {
				continue
			}
			found, err := l.needs(ctx, r, e)
			if err != nil {
				return err
			}
			j := slices.Index(r.Entries, e)
			switch found {
			case fails:
				r.Entries[j].Necessity = Observed
			case passes:
				r.Entries = slices.Delete(r.Entries, j, j+1)
				// A guess that was wrong is not optional: nothing refused it.
				if !e.Guess {
					e.Necessity = Optional
					r.Optional = append(r.Optional, e)
				}
			}
			note := journal.Event{Kind: journal.KindNote, Step: r.Step.Name, Pass: passRemove, Grants: []grant.Grant{e.Grant},
				Text: e.Grant.Permission + " was only assumed: " + string(found)}
			if err := l.Journal.Append(note); err != nil {
				return err
			}
		}
	}
	return nil
}

// removal is what a run without a grant showed.
type removal string

const (
	passes       removal = "the step does as well without it, so it goes"
	fails        removal = "the step fails without it, so it stays"
	inconclusive removal = "the run without it failed for another reason, so it stays, assumed"
)

// removals is how often a run that shows nothing is repeated.
const removals = 2

// needs runs the step without e. Only a run that fails on a refusal of e shows
// that it may be needed; the tool may have failed by itself in it, and so it is
// no more than observed.
func (l *loop) needs(ctx context.Context, r *StepResult, e Entry) (removal, error) {
	step := r.Step
	less := r.Set().Without(e.Grant)
	for n := range removals {
		if err := l.restore(ctx, snapshotBefore(step.Name)); err != nil {
			return "", err
		}
		if err := l.settle(ctx, passRemove, map[string]grant.Set{step.Name: less}); err != nil {
			return "", err
		}
		arb := l.newArbiter(ctx, step, passRemove, watch, l.identities[step.Name], less)
		out, err := l.attempt(ctx, step, arb, n+1)
		if err != nil {
			return "", err
		}
		if out.OK {
			return passes, nil
		}
		if slices.ContainsFunc(arb.delivered, func(d refused) bool { return slices.Contains(d.Grants, e.Grant) }) {
			return fails, nil
		}
	}
	return inconclusive, nil
}

// verifyOnce runs all steps under their final roles. Again is why the roles
// must be verified once more.
func (l *loop) verifyOnce(ctx context.Context) (again, err error) {
	if err := l.restore(ctx, snapshotStart); err != nil {
		return nil, err
	}
	final := map[string]grant.Set{}
	for _, r := range l.result.Steps {
		final[r.Step.Name] = r.Set()
	}
	if err := l.settle(ctx, passVerify, final); err != nil {
		return nil, err
	}
	if err := l.plant(ctx, final); err != nil {
		return nil, err
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		if err := l.bindMade(ctx, passVerify, r.Step.Name, r.Set()); err != nil {
			return nil, err
		}
		arb := l.newArbiter(ctx, r.Step, passVerify, watch, l.identities[r.Step.Name], r.Set())
		out, err := l.attempt(ctx, r.Step, arb, 1)
		if err != nil {
			return nil, err
		}
		r.Verify += out.Duration
		if out.OK {
			continue
		}
		back, late, stopped := putBack(r.Set(), arb.delivered, l.stubborn)
		switch {
		case len(back) > 0:
			return l.putBack(r, arb, back)
		case late != nil: // the canary was ahead of it, or one of its other candidates is missing
			l.stubborn[late.class] = true
			return &StuckError{Step: r.Step.Name, Class: late.class, Denial: late.denial, Grants: late.Grants, Waited: out.Duration}, nil
		case stopped != nil:
			return nil, named(stopped, r.Step.Name, "") // of the class that it has
		}
		if l.World != nil && l.flukes < maxFlukes && len(arb.delivered) == 0 {
			l.flukes++ // nothing was refused: a tool can fail by itself
			return fmt.Errorf("step %s failed by itself", r.Step.Name), nil
		}
		return nil, &FailedError{Step: r.Step.Name, How: "under its final role", Diagnostics: out.Diagnostics, Output: out.Output, Notes: l.explain(r.Step.Name, arb, out)}
	}
	return nil, l.tryDecoys(ctx)
}

// putBack sorts what a failed verification was refused: what to put back, a
// refusal of what the role holds, and one that growth could not help. What is put
// back was refused, and the step failed: that it failed of this, and not of
// another refusal in the same run, or by itself, one run does not show. So it is
// observed, and assumed where the refusal named none. A refusal that named none,
// and part of whose candidates the role holds, may only be late; one of a stubborn
// class was so already, and is about the others.
func putBack(held grant.Set, delivered []refused, stubborn map[string]bool) (back []Entry, late *refused, stopped error) {
	for _, d := range delivered {
		switch d.Action {
		case decide.Stop:
			stopped = named(d.Why, "", d.class)
		case decide.Wait:
			late = &d
		case decide.Add:
			others := d.Without(held).Grants
			if len(others) < len(d.Grants) && !stubborn[d.class] {
				late = &d
				continue
			}
			for _, g := range others {
				e := Entry{Grant: g, Necessity: Observed, Class: d.class}
				if len(d.Grants) > 1 {
					e.Necessity, e.Guess = Assumed, true
				}
				back = append(back, e)
			}
		}
	}
	return back, late, stopped
}

func (l *loop) putBack(r *StepResult, arb *arbiter, back []Entry) (again, err error) {
	for _, e := range back {
		if err := arb.write(journal.Event{Kind: journal.KindPutBack, Grants: []grant.Grant{e.Grant}, Class: e.Class, Necessity: string(e.Necessity)}); err != nil {
			return nil, err
		}
	}
	l.otherwise(r, back)
	back = l.renamed(back)
	r.Proof.PutBack += len(back)
	r.Entries = undoubled(mergeEntries(r.Entries, back))
	r.Optional = slices.DeleteFunc(r.Optional, func(o Entry) bool {
		return slices.ContainsFunc(back, func(b Entry) bool { return b.Grant == o.Grant })
	})
	return fmt.Errorf("step %s was refused %s", r.Step.Name, join(setOf(back).Slice())), nil
}

func mergeEntries(a, b []Entry) []Entry {
	all := map[grant.Grant]Entry{}
	for _, e := range slices.Concat(a, b) {
		all[e.Grant] = e
	}
	return sorted(all)
}
