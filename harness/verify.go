package harness

import (
	"context"
	"fmt"
	"slices"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// maxVerifications bounds how often a grant is put back and the lifecycle
// verified again.
const maxVerifications = 5

// removeAssumed settles what was granted for a refusal that named nothing:
// each such grant is really taken away and the step run from where it started.
// If it does as well, the grant goes. Without snapshots a step cannot be run
// alone, and the grants stay, assumed.
func (l *loop) removeAssumed(ctx context.Context) error {
	if l.World == nil {
		return nil
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		for _, e := range slices.Clone(r.Entries) {
			if e.Necessity != Assumed {
				continue
			}
			needed, err := l.needs(ctx, r, e)
			if err != nil {
				return err
			}
			j := slices.Index(r.Entries, e)
			found := "the step fails without it, so it stays"
			if needed {
				r.Entries[j].Necessity = Certified
			} else {
				// A guess that was wrong is not optional: nothing ever refused it.
				found = "the step does as well without it, so it goes"
				r.Entries = slices.Delete(r.Entries, j, j+1)
			}
			note := journal.Event{Kind: journal.KindNote, Step: r.Step.Name, Pass: passRemove, Grants: []grant.Grant{e.Grant},
				Text: e.Grant.Permission + " was only assumed: " + found}
			if err := l.Journal.Append(note); err != nil {
				return err
			}
		}
	}
	return nil
}

// needs runs the step without e. A run that fails on a refusal shows that e is
// needed; one that fails otherwise shows nothing, and is an error.
func (l *loop) needs(ctx context.Context, r *StepResult, e Entry) (bool, error) {
	step := r.Step
	if err := l.restore(ctx, snapshotBefore(step.Name)); err != nil {
		return false, err
	}
	less := r.Set().Without(e.Grant)
	if err := l.settle(ctx, map[string]grant.Set{step.Name: less}); err != nil {
		return false, err
	}
	arb := l.newArbiter(ctx, step, passRemove, watch, l.identities[step.Name], less)
	out, err := l.attempt(ctx, step, arb, 1)
	if err != nil {
		return false, err
	}
	r.Verify += out.Duration
	if out.OK {
		return false, nil
	}
	for _, d := range arb.delivered {
		if slices.Contains(d.grants, e.Grant) {
			return true, nil
		}
	}
	return false, &FailedError{Step: step.Name, As: "without " + e.Grant.String(), Diagnostics: out.Diagnostics, Output: out.Output}
}

// verify runs the lifecycle under the final roles, with nothing held, granted
// or answered by Whittle. Only if every step passes is the result verified. A
// refusal that fails a step puts its grant back, and all is verified again.
func (l *loop) verify(ctx context.Context) error {
	for range maxVerifications {
		again, err := l.verifyOnce(ctx)
		if err != nil {
			return err
		}
		if !again {
			l.result.Verified = true
			return l.Journal.Append(journal.Event{Kind: journal.KindVerify, Pass: passVerify, OK: true})
		}
	}
	return fmt.Errorf("not verified: every one of %d runs under the final roles was refused something new", maxVerifications)
}

func (l *loop) verifyOnce(ctx context.Context) (again bool, err error) {
	if err := l.restore(ctx, snapshotStart); err != nil {
		return false, err
	}
	final := map[string]grant.Set{}
	for _, r := range l.result.Steps {
		final[r.Step.Name] = r.Set()
	}
	if err := l.settle(ctx, final); err != nil {
		return false, err
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		arb := l.newArbiter(ctx, r.Step, passVerify, watch, l.identities[r.Step.Name], r.Set())
		out, err := l.attempt(ctx, r.Step, arb, 1)
		if err != nil {
			return false, err
		}
		r.Verify += out.Duration
		if out.OK {
			continue
		}
		back := putBack(r.Set(), arb.delivered, arb.rules)
		if len(back) == 0 && slices.ContainsFunc(arb.delivered, func(d refused) bool { return len(d.grants) > 0 && !d.missing }) {
			return true, nil // refused what the role holds: the canary was ahead of it
		}
		if len(back) == 0 {
			return false, &FailedError{Step: r.Step.Name, As: "its final role", Diagnostics: out.Diagnostics, Output: out.Output, Notes: l.explain(r.Step.Name, arb, out)}
		}
		for _, e := range back {
			if err := arb.write(journal.Event{Kind: journal.KindPutBack, Grants: []grant.Grant{e.Grant}, Class: e.Class, Necessity: string(e.Necessity)}); err != nil {
				return false, err
			}
		}
		r.Entries = mergeEntries(r.Entries, back)
		r.Optional = slices.DeleteFunc(r.Optional, func(o Entry) bool {
			return slices.ContainsFunc(back, func(b Entry) bool { return b.Grant == o.Grant })
		})
		return true, nil
	}
	return false, nil
}

// putBack lists the grants that a failed verification was refused for. The
// wire showed each refused and the step failed: certified.
func putBack(held grant.Set, delivered []refused, rules Rules) []Entry {
	var back []Entry
	for _, d := range delivered {
		for _, g := range d.grants {
			if !held.Has(g) && rules.allow(g.Permission) == nil {
				back = append(back, Entry{Grant: g, Necessity: Certified, Class: d.class})
			}
		}
	}
	return back
}

func mergeEntries(a, b []Entry) []Entry {
	all := map[grant.Grant]Entry{}
	for _, e := range slices.Concat(a, b) {
		all[e.Grant] = e
	}
	return sorted(all)
}
