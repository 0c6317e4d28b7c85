package content

import (
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
)

// limits are the sizes of a role's documents: slot 0 is the inline policy, the
// others are managed ones.
func limits(attachments int) []int {
	l := []int{policy.InlineLimit}
	for range attachments {
		l = append(l, policy.ManagedLimit)
	}
	return l
}

// pack spreads a set over slots. What a slot has already (have) and s still
// wants stays there: each slot can then be changed on its own, and at no moment
// does the role hold less than what is in both the old and the new set, or
// more than what is in either. Only where that does not fit, since earlier
// removals left the slots ragged, is everything packed anew.
func pack(s grant.Set, have []grant.Set, limits []int) ([]grant.Set, bool) {
	kept := make([]grant.Set, len(limits))
	rest := s
	for i := range kept {
		if i < len(have) {
			kept[i] = rest.Minus(rest.Minus(have[i])) // each grant in one slot
			if policy.FromSet(kept[i]).Size() > limits[i] {
				kept[i] = grant.Set{}
			}
			rest = rest.Minus(kept[i])
		}
	}
	if fill(kept, rest, limits) {
		return kept, true
	}
	fresh := make([]grant.Set, len(limits))
	return fresh, fill(fresh, s, limits)
}

// fill puts each grant into the first slot with room for it. Grants come
// sorted, so that those that share a statement come together.
func fill(slots []grant.Set, rest grant.Set, limits []int) bool {
	pending := rest.Slice()
	for i := range slots {
		slots[i], pending = fillSlot(slots[i], pending, limits[i])
	}
	return len(pending) == 0
}

// fillSlot adds as long a run of grants as fits, then tries what is after the
// first that did not; it gives back what is left over.
func fillSlot(slot grant.Set, pending []grant.Grant, limit int) (grant.Set, []grant.Grant) {
	var left []grant.Grant
	for len(pending) > 0 {
		// The longest run that fits, by halving: a document is measured a few
		// times and not once for each grant.
		fits, over := 0, len(pending)+1
		for over-fits > 1 {
			n := (fits + over) / 2
			if policy.FromSet(slot.With(pending[:n]...)).Size() <= limit {
				fits = n
			} else {
				over = n
			}
		}
		slot, pending = slot.With(pending[:fits]...), pending[fits:]
		if fits == 0 || len(pending) == 0 {
			left = append(left, pending...)
			break
		}
		left, pending = append(left, pending[0]), pending[1:]
	}
	return slot, left
}
