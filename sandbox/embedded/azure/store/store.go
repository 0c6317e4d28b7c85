// Package store keeps the objects of the embedded Azure sandbox: everything it
// knows, each object by a key whose case does not count.
//
// It knows nothing of what an object is. It is not safe for use from many
// goroutines: whoever has it answers one request at a time.
package store

import (
	"maps"
	"slices"
	"strings"
)

// Object is a JSON object. Beside what JSON has it may hold bytes.
type Object = map[string]any

// Store is a set of objects. Its zero value is not ready: see [New].
type Store struct{ objects map[string]Object }

// New makes an empty store.
func New() *Store { return &Store{map[string]Object{}} }

// Snapshot is a store as it was.
type Snapshot struct{ objects map[string]Object }

func key(k string) string { return strings.ToLower(strings.TrimRight(k, "/")) }

// Get gives a copy of an object.
func (s *Store) Get(k string) (Object, bool) {
	o, ok := s.objects[key(k)]
	return Clone(o), ok
}

// Has tells whether there is an object.
func (s *Store) Has(k string) bool { _, ok := s.objects[key(k)]; return ok }

// Put keeps a copy of an object.
func (s *Store) Put(k string, o Object) { s.objects[key(k)] = Clone(o) }

// Delete forgets an object.
func (s *Store) Delete(k string) { delete(s.objects, key(k)) }

// Below lists the keys that begin with prefix, in order; prefix is taken as it
// is, with its last slash.
func (s *Store) Below(prefix string) []string {
	prefix = strings.ToLower(prefix)
	var found []string
	for k := range s.objects {
		if strings.HasPrefix(k, prefix) {
			found = append(found, k)
		}
	}
	slices.Sort(found)
	return found
}

// Snapshot keeps the store as it is. Objects are never changed once they are in
// it, so the map is all there is to copy.
func (s *Store) Snapshot() Snapshot { return Snapshot{maps.Clone(s.objects)} }

// Restore brings back what Snapshot kept; it can be repeated.
func (s *Store) Restore(from Snapshot) { s.objects = maps.Clone(from.objects) }

// Clone copies an object, all that is in it included.
func Clone(o Object) Object {
	if o == nil {
		return nil
	}
	return clone(o).(Object)
}

func clone(v any) any {
	switch v := v.(type) {
	case Object:
		m := make(Object, len(v))
		for k, e := range v {
			m[k] = clone(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = clone(e)
		}
		return l
	case []byte:
		return slices.Clone(v)
	}
	return v
}

// At gives what lies at a path of names in an object, nil if nothing does. Case
// does not count: Resource Manager takes a body's names in any.
func At(o Object, path ...string) any {
	var v any = o
	for _, name := range path {
		m, ok := v.(Object)
		if !ok {
			return nil
		}
		if found, there := m[name]; there {
			v = found
			continue
		}
		v = nil
		for k, e := range m {
			if strings.EqualFold(k, name) {
				v = e
			}
		}
	}
	return v
}

// Text is the text at a path, "" if there is none.
func Text(o Object, path ...string) string {
	s, _ := At(o, path...).(string)
	return s
}

// Child gives the object called name in o, and makes it if there is none.
func Child(o Object, name string) Object {
	if m, ok := At(o, name).(Object); ok {
		return m
	}
	m := Object{}
	o[name] = m
	return m
}

// Default puts v where o has nothing, or an empty text, which clients write for
// nothing.
func Default(o Object, name string, v any) {
	if have := At(o, name); have == nil || have == "" {
		o[name] = v
	}
}

// Merge changes o by a patch: objects are merged, null takes away, everything
// else is replaced (RFC 7396, as Resource Manager's PATCH).
func Merge(o, patch Object) {
	for k, v := range patch {
		name := k
		for have := range o {
			if strings.EqualFold(have, k) {
				name = have
			}
		}
		switch v := v.(type) {
		case nil:
			delete(o, name)
		case Object:
			inner, ok := o[name].(Object)
			if !ok {
				inner = Object{}
			}
			Merge(inner, v)
			o[name] = inner
		default:
			o[name] = clone(v)
		}
	}
}
