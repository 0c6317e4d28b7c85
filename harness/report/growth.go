package report

import (
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
)

// Growth is how the roles grew, over the time that it took. The time between an
// interruption and the resumption is left out.
type Growth struct {
	Points []Point // in order of time
	Spans  []Span  // the steps, in the order in which they began
	Took   time.Duration
	Total  int // grants, a grant of two steps twice
}

// Point is how many grants there were from a moment on.
type Point struct {
	At      time.Duration
	Granted int
}

// Span is a step's growth.
type Span struct {
	Step     string
	From, To time.Duration
	Granted  int // of the step
}

// growth reads the curve from a journal. It is nil where nothing grew.
func growth(events []journal.Event, steps []Step) *Growth {
	g := new(Growth)
	var start, last time.Time
	var idle time.Duration
	held := make(map[string]map[grant.Grant]bool)
	spans := make(map[string]*Span)
	var order []string
	for _, e := range events {
		if e.Kind == journal.KindRun && !last.IsZero() && e.Time.After(last) {
			idle += e.Time.Sub(last) // nothing ran
		}
		last = e.Time
		known := slices.ContainsFunc(steps, func(s Step) bool { return s.Name == Visible(e.Step) })
		if e.Pass != journal.PassGrow || !known {
			continue
		}
		if start.IsZero() {
			start = e.Time.Add(-idle)
		}
		at := max(e.Time.Sub(start)-idle, 0)
		s := spans[e.Step]
		if s == nil {
			s = &Span{Step: Visible(e.Step), From: at}
			spans[e.Step] = s
			order = append(order, e.Step)
			held[e.Step] = make(map[grant.Grant]bool)
		}
		s.To = max(s.To, at)
		g.Took = max(g.Took, at)
		if e.Kind != journal.KindGranted {
			continue
		}
		for _, granted := range e.Grants {
			if !held[e.Step][granted] {
				held[e.Step][granted] = true
				s.Granted++
				g.Total++
			}
		}
		g.Points = append(g.Points, Point{at, g.Total})
	}
	for _, name := range order {
		g.Spans = append(g.Spans, *spans[name])
	}
	if g.Total == 0 {
		return nil
	}
	return g
}
