// Package propagation keeps an embedded cloud's views of who may do what. A cloud
// takes a while until a change is in force, be it a grant or a revocation; until
// then it decides by the view before.
package propagation

import (
	"sync"
	"time"
)

// Timeline keeps the views of the recent past. It has one when it has been reset.
type Timeline[View any] struct {
	// Delay is how long a change takes; 0 is at once.
	Delay time.Duration

	mu    sync.Mutex
	views []dated[View] // in order of time
}

type dated[View any] struct {
	at   time.Time
	view View
}

// Add puts in a view that was made by a change at the given time.
func (t *Timeline[View]) Add(at time.Time, v View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.views = append(t.views, dated[View]{at, v})
}

// Reset forgets the past: v is in force at once.
func (t *Timeline[View]) Reset(v View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.views = []dated[View]{{view: v}}
}

// InForce is the view that decides at the given time, which never goes back.
func (t *Timeline[View]) InForce(now time.Time) View {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.views) > 1 && !t.views[1].at.Add(t.Delay).After(now) {
		t.views = t.views[1:]
	}
	return t.views[0].view
}

// Latest is the view that will be in force in the end.
func (t *Timeline[View]) Latest() View {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.views[len(t.views)-1].view
}
