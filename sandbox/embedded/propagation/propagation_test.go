package propagation

import (
	"testing"
	"time"
)

func TestTimeline(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1000+int64(s), 0) }
	views := []string{"first", "second", "third"}
	for _, test := range []struct {
		name  string
		delay time.Duration
		at    []int // when the next views came
		now   int
		want  int
	}{
		{"nothing changed", 3 * time.Second, nil, 9, 0},
		{"too soon", 3 * time.Second, []int{0}, 2, 0},
		{"in force", 3 * time.Second, []int{0}, 3, 1},
		{"the first of two", 3 * time.Second, []int{0, 2}, 4, 1},
		{"both", 3 * time.Second, []int{0, 2}, 5, 2},
		{"at once", 0, []int{0, 0}, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			line := Timeline[string]{Delay: test.delay}
			line.Reset(views[0])
			for i, s := range test.at {
				line.Add(at(s), views[i+1])
			}
			for range 2 { // asking changes nothing
				if got := line.InForce(at(test.now)); got != views[test.want] {
					t.Error("another view is in force")
				}
			}
			if line.Latest() != views[len(test.at)] {
				t.Error("the latest is another")
			}
			line.Reset(views[0])
			if line.InForce(at(0)) != views[0] || line.Latest() != views[0] {
				t.Error("the past is not forgotten")
			}
		})
	}
}
