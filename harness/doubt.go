package harness

import (
	"context"
	"slices"

	"github.com/whittle-iam/whittle/harness/certify"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/question"
)

// doubts tells of certified grants beside what their need was shown: whatever was
// refused and swallowed in the same run, each with all that it needs. If the step
// may do one of these now, the need has not been shown.
type doubts map[grant.Grant][]grant.Set

// of gives the step's grants that are in doubt.
func (d doubts) of(r *StepResult) (shaky []grant.Grant) {
	set := r.Set()
	for g, beside := range d {
		if set.Has(g) && slices.ContainsFunc(beside, func(b grant.Set) bool { return b.SubsetOf(set) }) {
			shaky = append(shaky, g)
		}
	}
	slices.SortFunc(shaky, grant.Compare)
	return shaky
}

// conflicts are, by grant, those beside whose refusal its need was seen: to be asked
// about at another time.
type conflicts map[grant.Grant]grant.Set

func (c conflicts) note(d doubts) {
	for g, beside := range d {
		for _, b := range beside {
			c[g] = c[g].Union(b)
		}
	}
}

// group gives those of the suspects that are in no conflict with each other, the
// first among them. A group of which one is in doubt beside another is not made
// again, so that in the end each is asked about, at worst alone.
func (c conflicts) group(suspects []grant.Grant) (group []grant.Grant) {
	for _, g := range suspects {
		if !slices.ContainsFunc(group, func(m grant.Grant) bool { return c[g].Has(m) || c[m].Has(g) }) {
			group = append(group, g)
		}
	}
	return group
}

// questions gives those of qs about the suspects, as many as are in no conflict with
// each other. What is known to put the others in doubt comes last, and alone.
func (c conflicts) questions(qs []*question.Question, suspects []grant.Grant, alone map[string]bool) (group []*question.Question) {
	var asked []grant.Grant
	qs = slices.Clone(qs)
	slices.SortStableFunc(qs, func(a, b *question.Question) int {
		switch {
		case alone[a.Name] == alone[b.Name]:
			return 0
		case alone[a.Name]:
			return 1
		}
		return -1
	})
	for _, q := range qs {
		about := slices.ContainsFunc(suspects, q.Grants.Has)
		apart := len(asked) == 0 || !alone[q.Name] && !alone[group[0].Name]
		for g := range q.Grants.All() {
			apart = apart && !slices.ContainsFunc(asked, func(m grant.Grant) bool { return c[g].Has(m) || c[m].Has(g) })
		}
		if about && apart {
			group = append(group, q)
			asked = append(asked, q.Grants.Slice()...)
		}
	}
	return group
}

// dispel asks about what is in doubt again, without what it was in doubt beside: by
// withholding, where one question is about all that a request needs, and what that
// does not show by taking it away.
func (l *loop) dispel(ctx context.Context, r *StepResult, w withholding, doubt doubts) error {
	apart := conflicts{}
	open := slices.Clone(w.all) // those that withholding may still answer
	for {
		suspects := doubt.of(r)
		if len(suspects) == 0 {
			return nil
		}
		if r.Proof.Short {
			for _, g := range suspects {
				conclude(r, g, Observed, "")
			}
			return nil
		}
		apart.note(doubt)
		again := apart.questions(open, suspects, w.swallowed)
		if len(again) == 0 {
			if err := l.remove(ctx, r, apart.group(suspects), doubt); err != nil {
				return err
			}
			continue
		}
		found, err := l.withhold(ctx, r, w, again)
		if err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(q *question.Question) bool {
			return slices.Contains(again, q) && (found[q.Name].Verdict != certify.Needed || found[q.Name].Difference != "")
		})
		doubt.again(take(r, again, found, doubt), again, found)
	}
}

// again takes what questions about what is in doubt have shown, and beside what.
func (d doubts) again(beside doubts, asked []*question.Question, found map[string]certify.Finding[string]) {
	for _, q := range asked {
		if found[q.Name].Verdict != certify.Needed {
			continue
		}
		for g := range q.Grants.All() {
			if b, still := beside[g]; !still {
				delete(d, g)
			} else if d[g] != nil {
				d[g] = b
			}
		}
	}
}
