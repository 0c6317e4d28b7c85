package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// FuzzExcerpt holds the laws of this package: what Clip gives is a part of the
// input, short, and no worse text than it; Merge gives nothing that was not put
// in, covers everything that was, and has nothing to do the second time.
func FuzzExcerpt(f *testing.F) {
	f.Add("a b", []byte("abcabc"))
	f.Add(strings.Repeat("é", Max), []byte("\x00\x01\x10\x11\x40\x41\x80\xff"))
	f.Fuzz(func(t *testing.T, text string, picks []byte) {
		got := Clip(text)
		if !strings.Contains(text, got) || len(got) > Max || utf8.ValidString(text) && !utf8.ValidString(got) || Clip(got) != got {
			t.Errorf("Clip(%q) = %q", text, got)
		}
		if len(picks) > 64 {
			return
		}
		// A byte chooses a denial out of few values, so that many are alike.
		word := func(n byte) string { return []string{"", "a", "b", "c"}[n&3] }
		var in []refusal.Denial
		for _, b := range picks {
			d := refusal.Denial{Permission: word(b), Resource: word(b >> 2), Principal: word(b >> 4), Reason: refusal.MissingPermission}
			switch b >> 6 {
			case 1:
				d.Reason, d.Blocker = refusal.ExplicitDeny, word(b>>1)
			case 2:
				d.Reason, d.Permission = refusal.OpaqueDenial, ""
				d.Candidates = strings.Fields(word(b) + " " + word(b>>3))
			case 3:
				d.Partial, d.Call.Operation = true, word(b>>1)
			}
			in = append(in, d)
		}
		out := Merge(in)
		for _, d := range out {
			if !contains(in, func(i refusal.Denial) bool { return cmp.Equal(i, d) }) {
				t.Errorf("Merge(%+v) gives %+v", in, d)
			}
		}
		for _, i := range in {
			if !contains(out, func(d refusal.Denial) bool { return alike(d, i) && covers(d, i) }) {
				t.Errorf("Merge(%+v) = %+v, which does not cover %+v", in, out, i)
			}
		}
		if diff := cmp.Diff(out, Merge(out)); diff != "" {
			t.Errorf("Merge twice of %+v: %s", in, diff)
		}
	})
}

func contains(all []refusal.Denial, is func(refusal.Denial) bool) bool {
	for _, d := range all {
		if is(d) {
			return true
		}
	}
	return false
}
