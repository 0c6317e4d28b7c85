package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/report"
)

// The curve's place, in the units of its viewBox.
const (
	curveWidth, curveHeight  = 900.0, 300.0
	left, right, top, bottom = 46.0, 14.0, 12.0, 46.0
)

// curve is the growth as a picture: numbers only, so that the template has nothing
// to compute.
type curve struct {
	Path   string // the line
	Area   string // what is below it
	Bands  []band
	Xs, Ys []tick
	Base   float64 // y of the axis
	Left   float64
	Right  float64
	Top    float64
	Total  int
	Took   string
}

type band struct {
	X, Width, Height float64
	Odd              bool
	Label            string // empty where there is no room for it
	LabelX           float64
	Says             string
}

type tick struct {
	At    float64
	Label string
}

// draw lays a growth out. It gives nil for nil.
func draw(g *report.Growth) *curve {
	if g == nil {
		return nil
	}
	took := max(g.Took, time.Second)
	x := func(d time.Duration) float64 {
		return left + (curveWidth-left-right)*float64(d)/float64(took)
	}
	most := max(g.Total, 1)
	y := func(n int) float64 {
		return curveHeight - bottom - (curveHeight-bottom-top)*float64(n)/float64(most)
	}
	c := &curve{Base: y(0), Left: left, Right: curveWidth - right, Top: top, Total: g.Total, Took: g.Took.Round(time.Second).String()}
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", x(0), y(0))
	for _, p := range g.Points {
		fmt.Fprintf(&path, "H%.1fV%.1f", x(p.At), y(p.Granted))
	}
	fmt.Fprintf(&path, "H%.1f", x(took))
	c.Path = path.String()
	c.Area = c.Path + fmt.Sprintf("V%.1fH%.1fZ", y(0), x(0))
	end := 0.0
	for i, s := range g.Spans {
		b := band{X: x(s.From), Width: max(x(s.To)-x(s.From), 1), Height: curveHeight - bottom - top, Odd: i%2 == 1}
		b.Says = fmt.Sprintf("%s: %s in %s", s.Step, count(s.Granted, "grant"), (s.To - s.From).Round(100*time.Millisecond))
		// About 6 units a letter: what does not fit is told by the title and by the
		// table of steps.
		if width := 6 * float64(len(s.Step)); width <= b.Width && b.X >= end {
			b.Label, b.LabelX = s.Step, b.X+b.Width/2
			end = b.X + b.Width
		}
		c.Bands = append(c.Bands, b)
	}
	for n, step := 0, nice(most, 5); n <= most; n += step {
		c.Ys = append(c.Ys, tick{y(n), fmt.Sprint(n)})
	}
	seconds := int(took / time.Second)
	for n, step := 0, niceSeconds(seconds, 8); n <= seconds; n += step {
		c.Xs = append(c.Xs, tick{x(time.Duration(n) * time.Second), clock(n)})
	}
	return c
}

// nice is a step of 1, 2 or 5 times a power of ten that divides most in about n.
func nice(most, n int) int {
	for step := 1; ; step *= 10 {
		for _, m := range []int{1, 2, 5} {
			if step*m*n >= most {
				return step * m
			}
		}
	}
}

func niceSeconds(most, n int) int {
	for _, step := range []int{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600} {
		if step*n >= most {
			return step
		}
	}
	return 3600 * nice(most/3600+1, n)
}

// clock writes seconds as minutes and seconds.
func clock(s int) string { return fmt.Sprintf("%d:%02d", s/60, s%60) }
