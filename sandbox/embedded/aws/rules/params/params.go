// Package params holds a request's parameters in one notation, whatever the
// protocol that they came by: places such as Tag.1.Key, and the paths by which
// the gate's rows look for them.
package params

import (
	"slices"
	"strconv"
	"strings"
)

// Step is one part of a parameter's place: a name, or an index in a list.
type Step struct {
	Name  string
	Index bool
}

// Field is one parameter: its place and its value. A query's
// "Tag.1.Key=a", a JSON body's {"Tag":[{"Key":"a"}]} and the same in XML come
// to the same place.
type Field struct {
	At    []Step
	Value string
}

// Params are a request's parameters.
type Params struct {
	Fields []Field
}

// Named is the place under these names.
func Named(names ...string) []Step {
	at := make([]Step, len(names))
	for i, n := range names {
		at[i] = Step{Name: n}
	}
	return at
}

// Add puts in a value under these names.
func (p *Params) Add(value string, names ...string) {
	p.Fields = append(p.Fields, Field{Named(names...), value})
}

// First gives the first value of each top-level parameter.
func (p Params) First() map[string]string {
	m := map[string]string{}
	for _, f := range p.Fields {
		if len(f.At) == 1 {
			if _, ok := m[f.At[0].Name]; !ok {
				m[f.At[0].Name] = f.Value
			}
		}
	}
	return m
}

// part is one part of a path in a row.
type part struct {
	Name string // "#" is any index; a trailing * is any end of the name
	// where, for an index, is a field of the element that must have the value
	// is ("#[ResourceType=vpc]").
	where, is string
}

// Path is where a row looks for a parameter: "Tag.#.Key".
type Path []part

// ParsePath reads a path as a row writes it.
func ParsePath(s string) Path {
	var p Path
	for _, name := range strings.Split(s, ".") {
		at := part{Name: name}
		if n, cond, ok := strings.Cut(name, "["); ok {
			at.Name = n
			at.where, at.is, _ = strings.Cut(strings.TrimSuffix(cond, "]"), "=")
		}
		p = append(p, at)
	}
	return p
}

// Values gives all values at the path that are not empty, in the request's
// order. An index that the path does not mention is passed over: XML does not
// tell a list of one from a single element.
func (p Params) Values(at Path) []string {
	var found []string
	for _, f := range p.Fields {
		if f.Value != "" && p.matches(at, f.At, nil) {
			found = append(found, f.Value)
		}
	}
	return found
}

// matches tells whether the field's place at matches the pattern; before holds
// the steps already passed.
func (p Params) matches(pattern Path, at, before []Step) bool {
	switch {
	case len(pattern) == 0:
		return !slices.ContainsFunc(at, func(s Step) bool { return !s.Index })
	case len(at) == 0:
		return false
	case at[0].Index:
		next := append(before[:len(before):len(before)], at[0])
		if pattern[0].Name != "#" {
			return p.matches(pattern, at[1:], next)
		}
		if pattern[0].where != "" && p.At(append(next[:len(next):len(next)], Step{Name: pattern[0].where})) != pattern[0].is {
			return false
		}
		return p.matches(pattern[1:], at[1:], next)
	case fits(pattern[0].Name, at[0].Name):
		return p.matches(pattern[1:], at[1:], append(before[:len(before):len(before)], at[0]))
	}
	return false
}

func fits(pattern, name string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return pattern == name
}

// At gives the value at exactly this place, indexes of one element aside.
func (p Params) At(place []Step) string {
	for _, f := range p.Fields {
		if samePlace(f.At, place) {
			return f.Value
		}
	}
	return ""
}

// samePlace compares two places; an index where the other has none is passed
// over at the end of a list of single elements (XML).
func samePlace(a, b []Step) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			a, b = a[1:], b[1:]
		case a[0].Index && !b[0].Index:
			a = a[1:]
		case b[0].Index && !a[0].Index:
			b = b[1:]
		default:
			return false
		}
	}
	for len(a) > 0 && a[0].Index {
		a = a[1:]
	}
	for len(b) > 0 && b[0].Index {
		b = b[1:]
	}
	return len(a) == 0 && len(b) == 0
}

// Pair is a tag or a map's entry.
type Pair struct{ Key, Value string }

// Pairs gives the tags under a list's path: key and value name the element's
// fields.
func (p Params) Pairs(base Path, key, value string) []Pair {
	var found []Pair
	for _, f := range p.Fields {
		n := len(f.At)
		for n > 0 && f.At[n-1].Index {
			n--
		}
		if n == 0 || f.At[n-1].Name != key || !p.matches(base, f.At[:n-1], nil) {
			continue
		}
		place := append(f.At[:n-1:n-1], Step{Name: value})
		found = append(found, Pair{f.Value, p.At(place)})
	}
	return found
}

// Entries gives a JSON map's entries.
func (p Params) Entries(base Path) []Pair {
	var found []Pair
	for _, f := range p.Fields {
		if n := len(f.At) - 1; n > 0 && !f.At[n].Index && p.matches(base, f.At[:n], nil) {
			found = append(found, Pair{f.At[n].Name, f.Value})
		}
	}
	return found
}

// Names gives the names in the map at the path, each once.
func (p Params) Names(base Path) []string {
	var found []string
	for _, f := range p.Fields {
		for n := 1; n < len(f.At); n++ {
			if !f.At[n].Index && p.matches(base, f.At[:n], nil) {
				if !slices.Contains(found, f.At[n].Name) {
					found = append(found, f.At[n].Name)
				}
				break
			}
		}
	}
	return found
}

// Elements gives, for each element of the list at the path, its fields with
// the element's own place replaced by "item".
func (p Params) Elements(base Path) [][]Field {
	var (
		order []string
		by    = map[string][]Field{}
	)
	for _, f := range p.Fields {
		for n := 1; n < len(f.At); n++ {
			if !f.At[n-1].Index || !p.matches(base, f.At[:n], nil) {
				continue
			}
			id := strconv.Itoa(n) + "/" + placeID(f.At[:n])
			if _, ok := by[id]; !ok {
				order = append(order, id)
			}
			by[id] = append(by[id], Field{append(Named("item"), f.At[n:]...), f.Value})
			break
		}
	}
	all := make([][]Field, len(order))
	for i, id := range order {
		all[i] = by[id]
	}
	return all
}

func placeID(at []Step) string {
	var b strings.Builder
	for _, s := range at {
		b.WriteString(strconv.Quote(s.Name))
	}
	return b.String()
}
