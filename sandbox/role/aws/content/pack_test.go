package content

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
)

// many is a set of long grants, some 460 characters each.
func many(from, to int) grant.Set {
	var g []grant.Grant
	for i := from; i < to; i++ {
		g = append(g, grant.Grant{Permission: fmt.Sprintf("ec2:Action%04d", i), Resource: fmt.Sprintf("arn:aws:s3:::bucket/%0360d", i)})
	}
	return grant.Of(g...)
}

func TestPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := []int{rapid.IntRange(500, 3000).Draw(t, "first"), 1500, 1500}
		s, old := many(0, rapid.IntRange(0, 12).Draw(t, "new")), many(rapid.IntRange(0, 6).Draw(t, "from"), 9)
		have, ok := pack(old, nil, limits)
		if !ok {
			return
		}
		slots, ok := pack(s, have, limits)
		_, fits := pack(s, nil, limits)
		if ok != fits && fits {
			t.Fatal("fits anew and not beside the old")
		}
		if !ok {
			return
		}
		total, all := 0, grant.Set{}
		for i, slot := range slots {
			total, all = total+slot.Len(), all.Union(slot)
			if slot.Len() > 0 && policy.FromSet(slot).Size() > limits[i] {
				t.Fatalf("slot %d is over its limit", i)
			}
		}
		if !all.Equal(s) || total != s.Len() {
			t.Fatalf("packed %d grants as %d", s.Len(), total)
		}
	})
}
