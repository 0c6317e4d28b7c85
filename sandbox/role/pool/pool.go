// Package pool is what the pools of probe identities have alike, whatever the
// cloud: their identities by name, each made once, what is announced before it is
// made, and what a cleaning did. It makes no requests of its own, and knows no
// cloud.
package pool

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Members are the identities of a pool, by name; M is what a cloud keeps of one.
// The zero value holds none. It can be used from many goroutines.
type Members[M any] struct {
	mu   sync.Mutex
	held map[string]*member[M]
}

// member is one identity.
type member[M any] struct {
	making sync.Mutex // held while it is made
	ready  bool       // of making

	made bool // of Members.mu, as is what follows
	is   M
}

// Acquire gives the identity called name, and makes it where it is not ready. Who
// asks for one that is being made waits for it; one whose making failed is made
// again. Create tells what it has made by hold, once there is something that
// [Members.Release] can undo, though more may follow that fails.
func (m *Members[M]) Acquire(name string, create func(hold func(M)) error) (M, error) {
	m.mu.Lock()
	one := m.held[name]
	if one == nil {
		one = &member[M]{}
		if m.held == nil {
			m.held = map[string]*member[M]{}
		}
		m.held[name] = one
	}
	m.mu.Unlock()

	one.making.Lock()
	defer one.making.Unlock()
	if !one.ready {
		hold := func(is M) {
			m.mu.Lock()
			defer m.mu.Unlock()
			one.is, one.made = is, true
		}
		if err := create(hold); err != nil {
			var none M
			return none, fmt.Errorf("identity %s: %w", name, err)
		}
		one.ready = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return one.is, nil
}

// Release forgets all identities, and undoes each that was made, in the order of
// their names, by each of the given ways in their order. It goes on past errors and
// joins them.
func (m *Members[M]) Release(undo ...func(M) error) error {
	m.mu.Lock()
	made := map[string]M{}
	for name, one := range m.held {
		if one.made {
			made[name] = one.is
		}
	}
	m.held = nil
	m.mu.Unlock()

	var all []error
	for _, name := range slices.Sorted(maps.Keys(made)) {
		for _, way := range undo {
			if err := way(made[name]); err != nil {
				all = append(all, fmt.Errorf("identity %s: release: %w", name, err))
			}
		}
	}
	return errors.Join(all...)
}

// Announce is called before an object is made, with its kind and name, so that it is
// on disk before it is in the cloud. Its error stops the making. May be nil.
type Announce func(kind, id string) error

// Tell announces an object that is about to be made.
func (a Announce) Tell(kind, id string) error {
	if a == nil {
		return nil
	}
	if err := a(kind, id); err != nil {
		return fmt.Errorf("announce %s: %w", id, err)
	}
	return nil
}

// Report is what a cleaning did, by names.
type Report struct {
	// Emptied are the objects that hold nothing any more, and are still there.
	Emptied []string
	// Deleted are those that are gone.
	Deleted []string
}

// Note reports an object that was emptied and, where that was asked for, deleted; but
// not one that an error was met with.
func (r *Report) Note(name string, deleted bool, err error) {
	switch {
	case err != nil:
	case deleted:
		r.Deleted = append(r.Deleted, name)
	default:
		r.Emptied = append(r.Emptied, name)
	}
}
