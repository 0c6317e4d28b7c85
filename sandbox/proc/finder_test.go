package proc

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func find(prefix string, pieces ...string) (found []string) {
	f := NewFinder(prefix, func(text string) { found = append(found, text) })
	for _, p := range pieces {
		_, _ = f.Write([]byte(p))
	}
	_ = f.Close()
	return found
}

func TestFinder(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100)
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil}, {"tok", nil}, {"no to-ken", nil},
		{"a tok-1", []string{"tok-1"}},
		{"a tok-1 " + long, []string{("tok-1 " + long)[:Ahead]}},
		{"tok-tok-1", []string{"tok-tok-1", "tok-1"}},
		{"tok-\n    12", []string{"tok-12"}},
		{"│ Error: to\r\n│ k-12", []string{"tok-12"}},
		{"\x1b[31mto\x1b[0;1mk-\x1b[K1\x1b[0m2", []string{"tok-12"}},
		{"\x1bMtok-1", []string{"tok-1"}},
		{"tok-1\nnext", []string{"tok-1next"}},
		{strings.Repeat("y", 20<<10) + "tok-1", []string{"tok-1"}},
	} {
		if got := find("tok-", test.text); !slices.Equal(got, test.want) {
			t.Errorf("%.60q: got %q, want %q", test.text, got, test.want)
		}
	}
}

// However the output is cut into writes, what was written as a word is found, in
// its order, and little is kept.
func TestFinderCuts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want []string
		for i := range rapid.IntRange(0, 5).Draw(t, "words") {
			word := fmt.Sprintf("tok-%04d", i)
			want = append(want, word)
			text.WriteString(rapid.StringMatching(`[a-z \n|-]{0,90}`).Draw(t, "noise"))
			at := rapid.IntRange(0, len(word)).Draw(t, "wrap")
			text.WriteString(word[:at] + rapid.SampledFrom([]string{"", "\n", "\r\n│ ", "\x1b[1m", "\n    | "}).Draw(t, "break") + word[at:])
		}
		var got []string
		f := NewFinder("tok-", func(s string) { got = append(got, s[:min(8, len(s))]) })
		for rest := text.String(); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			_, _ = f.Write([]byte(rest[:n]))
			rest = rest[n:]
			if len(f.buf) > Ahead+len(f.prefix) {
				t.Fatalf("%d bytes are kept", len(f.buf))
			}
		}
		_ = f.Close()
		got = slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(want, s) })
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", text.String(), got, want)
		}
	})
}
