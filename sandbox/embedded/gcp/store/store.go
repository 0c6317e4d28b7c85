// Package store keeps the state of the embedded GCP sandbox: resources as JSON
// objects, and the bytes of uploads, by name. Nothing in it is ever changed in
// place, so that a snapshot costs no more than its names.
package store

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Object is a resource. What is in the store must not be changed: take a
// [Clone] and put that in.
type Object = map[string]any

// entry is what has a name.
type entry struct {
	object Object
	blob   []byte
}

// Snapshot is the state of one moment. It is immutable.
type Snapshot struct {
	entries map[string]entry
	serial  uint64
}

// Store is the state. Its zero value is empty. Requests change it one after
// the other, by [Store.Do]; snapshots can be taken at any time.
type Store struct {
	mu  sync.Mutex
	now Snapshot
}

// Snapshot keeps the state as it is.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot{maps.Clone(s.now.entries), s.now.serial}
}

// Restore brings back a snapshot, which can be used again.
func (s *Store) Restore(to Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = Snapshot{maps.Clone(to.entries), to.serial}
}

// Do runs one request. What it changes is there when it returns without an
// error; else nothing is.
func (s *Store) Do(f func(*Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &Tx{base: s.now, changed: map[string]*entry{}, serial: s.now.serial}
	if err := f(tx); err != nil {
		return err
	}
	if s.now.entries == nil {
		s.now.entries = map[string]entry{}
	}
	for key, e := range tx.changed {
		if e == nil {
			delete(s.now.entries, key)
		} else {
			s.now.entries[key] = *e
		}
	}
	s.now.serial = tx.serial
	return nil
}

// Tx is the state as one request sees and changes it.
type Tx struct {
	base    Snapshot
	changed map[string]*entry // nil: deleted
	serial  uint64
}

func (tx *Tx) entry(key string) (entry, bool) {
	if e, ok := tx.changed[key]; ok {
		if e == nil {
			return entry{}, false
		}
		return *e, true
	}
	e, ok := tx.base.entries[key]
	return e, ok
}

// Get finds a resource. It must not be changed.
func (tx *Tx) Get(key string) (Object, bool) {
	e, ok := tx.entry(key)
	return e.object, ok
}

// Put makes or replaces a resource.
func (tx *Tx) Put(key string, o Object) {
	e, _ := tx.entry(key)
	tx.changed[key] = &entry{object: o, blob: e.blob}
}

// Blob finds the bytes that belong to a name. They must not be changed.
func (tx *Tx) Blob(key string) ([]byte, bool) {
	e, ok := tx.entry(key)
	return e.blob, ok
}

// PutBlob keeps a resource and the bytes that belong to it.
func (tx *Tx) PutBlob(key string, o Object, blob []byte) {
	tx.changed[key] = &entry{object: o, blob: blob}
}

// Delete removes a name, with its bytes.
func (tx *Tx) Delete(key string) { tx.changed[key] = nil }

// Scan gives the resources whose names begin with prefix, in order of name.
// The request may change the state meanwhile.
func (tx *Tx) Scan(prefix string) iter.Seq2[string, Object] {
	var keys []string
	for key := range tx.base.entries {
		if _, again := tx.changed[key]; !again && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	for key, e := range tx.changed {
		if e != nil && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return func(yield func(string, Object) bool) {
		for _, key := range keys {
			if o, ok := tx.Get(key); ok && !yield(key, o) {
				return
			}
		}
	}
}

// Changed tells whether the request has changed any name that passes.
func (tx *Tx) Changed(pass func(key string) bool) bool {
	for key := range tx.changed {
		if pass(key) {
			return true
		}
	}
	return false
}

// Serial gives a number that was not given before.
func (tx *Tx) Serial() uint64 {
	tx.serial++
	return tx.serial
}

// ID gives a number of 19 digits, as the cloud numbers its resources, that was
// not given before: the serial number, scattered by an invertible function.
func (tx *Tx) ID() uint64 {
	const low = 1_000_000_000_000_000_000
	x := tx.Serial()
	x *= 0x9e3779b97f4a7c15
	x ^= x >> 32
	return low + x%(8*low)
}

// Clone copies an object, all the way down.
func Clone(o Object) Object {
	if o == nil {
		return nil
	}
	return clone(o).(Object)
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, value := range v {
			c[key] = clone(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, value := range v {
			c[i] = clone(value)
		}
		return c
	}
	return v
}
