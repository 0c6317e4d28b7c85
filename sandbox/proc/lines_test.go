package proc

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However the text is cut into pieces, the lines are the same.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringOf(rapid.SampledFrom([]rune("ab\n\r ")))).Draw(t, "pieces")
		var got []string
		l := Lines{Line: func(line []byte) { got = append(got, string(line)) }, Long: func([]byte) { t.Fatal("too long?") }}
		for _, p := range pieces {
			if n, err := l.Write([]byte(p)); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		l.End()
		var want []string
		for line := range strings.Lines(strings.Join(pieces, "")) {
			want = append(want, strings.TrimSuffix(line, "\n"))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// What is too long for a line is not lost, and not kept either.
func TestLongLine(t *testing.T) {
	var long, lines int
	l := Lines{Line: func(line []byte) { lines += len(line) }, Long: func(part []byte) { long += len(part) }}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range 10 {
		_, _ = l.Write(piece)
	}
	_, _ = l.Write([]byte("\nshort"))
	l.End()
	if long+lines != 10<<20+len("short") || long < MaxLine || cap(l.partial) > 2*MaxLine {
		t.Errorf("%d bytes of long lines, %d of others", long, lines)
	}
}
