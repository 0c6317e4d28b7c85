package account

import (
	"sync"
	"time"
)

// Timeline keeps the views of the recent past. The cloud takes a while until a
// change of IAM is in force, be it a grant or a revocation; until then it
// decides by the view before.
type Timeline struct {
	// Delay is how long a change takes; 0 is at once.
	Delay time.Duration

	mu    sync.Mutex
	views []dated // in order of time
}

type dated struct {
	at   time.Time
	view *View
}

// Add puts in a view that was made by a change at the given time.
func (t *Timeline) Add(at time.Time, v *View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.views = append(t.views, dated{at, v})
}

// Reset forgets the past: v is in force at once.
func (t *Timeline) Reset(v *View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.views = []dated{{view: v}}
}

// InForce is the view that decides at the given time.
func (t *Timeline) InForce(now time.Time) *View {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.views) > 1 && !t.views[1].at.Add(t.Delay).After(now) {
		t.views = t.views[1:]
	}
	return t.views[0].view
}

// Latest is the view that will be in force in the end.
func (t *Timeline) Latest() *View {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.views[len(t.views)-1].view
}
