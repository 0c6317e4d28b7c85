// Package excerpt keeps the part of an input that a denial was read from, and
// makes one denial of what a tool or a reply says several times.
package excerpt

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Max bounds, in bytes, what a denial keeps of the input it was read from.
const Max = 2 << 10

// Clip takes the space around s away and cuts it at Max, between two
// characters. What it gives is a part of s.
func Clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= Max {
		return s
	}
	end := Max
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end])
}

// Merge makes one denial of those that say the same: the first one stays. A
// denial that names less than another of the same permission, no resource or
// no principal, says the same as that one; so does one of a blocker that names
// no permission.
func Merge(denials []refusal.Denial) []refusal.Denial {
	var kept []refusal.Denial
next:
	for _, d := range denials {
		for i, k := range kept {
			switch {
			case !alike(k, d):
			case covers(k, d):
				continue next
			case covers(d, k):
				kept[i] = d
				continue next
			}
		}
		kept = append(kept, d)
	}
	return unique(kept)
}

// unique takes away what became equal to an earlier one in the merging.
func unique(denials []refusal.Denial) []refusal.Denial {
	for i := 0; i < len(denials); i++ {
		for j := len(denials) - 1; j > i; j-- {
			if alike(denials[i], denials[j]) && covers(denials[i], denials[j]) {
				denials = append(denials[:j], denials[j+1:]...)
			}
		}
	}
	return denials
}

func alike(a, b refusal.Denial) bool {
	return a.Cloud == b.Cloud && a.Reason == b.Reason && a.Blocker == b.Blocker && a.Partial == b.Partial &&
		(a.Permission == b.Permission || a.Reason == refusal.ExplicitDeny)
}

// covers tells whether a says all that b says.
func covers(a, b refusal.Denial) bool {
	return (b.Permission == "" || a.Permission == b.Permission) && (b.Resource == "" || a.Resource == b.Resource) && (b.Principal == "" || a.Principal == b.Principal) &&
		(len(b.Candidates) == 0 || slices.Equal(a.Candidates, b.Candidates)) && (b.Call == refusal.Call{} || a.Call == b.Call)
}
