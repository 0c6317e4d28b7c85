package harness

import (
	"slices"
	"testing"
	"time"
)

// A tool is at work on a resource from when it says so until it says that it is through.
func TestWorkingAt(t *testing.T) {
	at := func(seconds int) time.Time { return time.Date(2026, 1, 1, 0, 0, seconds, 0, time.UTC) }
	span := func(address string, from, to int) Span {
		s := Span{Address: address, From: at(from)}
		if to > 0 {
			s.To = at(to)
		}
		return s
	}
	for _, c := range []struct {
		name  string
		spans []Span
		want  []string
	}{
		{"nothing was", []Span{span("a", 1, 4), span("b", 6, 9)}, nil},
		{"one was", []Span{span("a", 1, 4), span("b", 4, 9)}, []string{"b"}},
		{"one never ended", []Span{span("a", 1, 0)}, []string{"a"}},
		{"one began at the time", []Span{span("a", 5, 9), span("b", 1, 5)}, []string{"a", "b"}},
		{"twice", []Span{span("a", 1, 9), span("a", 2, 8)}, []string{"a"}},
	} {
		if got := workingAt(at(5), c.spans); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
