// Package expr holds regular expressions for tables that few programs need all
// of: each is compiled when it is first used, and a text is searched for the
// words that a match must hold before the expression is tried on it. What it
// finds is what regexp finds.
package expr

import (
	"regexp"
	"strings"
	"sync"
)

// Regexp is a regular expression (see [regexp.Regexp] for its methods). It is
// safe for use by several goroutines.
type Regexp struct {
	re   func() *regexp.Regexp
	need func() need
}

// New makes the expression of a source. It does not look at it: one that is
// wrong panics when it is first used.
func New(source string) *Regexp {
	return &Regexp{
		re:   sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(source) }),
		need: sync.OnceValue(func() need { return needOf(source) }),
	}
}

// String gives the source.
func (r *Regexp) String() string { return r.re().String() }

// MatchString implements the method of [regexp.Regexp].
func (r *Regexp) MatchString(s string) bool { return r.re().MatchString(s) }

// FindString implements the method of [regexp.Regexp].
func (r *Regexp) FindString(s string) string { return r.re().FindString(s) }

// FindStringIndex implements the method of [regexp.Regexp].
func (r *Regexp) FindStringIndex(s string) []int { return r.re().FindStringIndex(s) }

// FindStringSubmatch implements the method of [regexp.Regexp].
func (r *Regexp) FindStringSubmatch(s string) []string { return r.re().FindStringSubmatch(s) }

// FindStringSubmatchIndex implements the method of [regexp.Regexp].
func (r *Regexp) FindStringSubmatchIndex(s string) []int { return r.re().FindStringSubmatchIndex(s) }

// Split implements the method of [regexp.Regexp].
func (r *Regexp) Split(s string, n int) []string { return r.re().Split(s, n) }

// ReplaceAllString implements the method of [regexp.Regexp].
func (r *Regexp) ReplaceAllString(s, by string) string { return r.re().ReplaceAllString(s, by) }

// FindAllSubmatch implements the method of [regexp.Regexp].
func (r *Regexp) FindAllSubmatch(b []byte, n int) [][][]byte { return r.re().FindAllSubmatch(b, n) }

// FindAllStringIndex implements the method of [regexp.Regexp].
func (r *Regexp) FindAllStringIndex(s string, n int) [][]int {
	if !r.need().in(s) {
		return nil
	}
	return r.re().FindAllStringIndex(s, n)
}

// FindAllStringSubmatch implements the method of [regexp.Regexp].
func (r *Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	if !r.need().in(s) {
		return nil
	}
	return r.re().FindAllStringSubmatch(s, n)
}

// FindAllStringSubmatchIndex implements the method of [regexp.Regexp].
func (r *Regexp) FindAllStringSubmatchIndex(s string, n int) [][]int {
	if !r.need().in(s) {
		return nil
	}
	return r.re().FindAllStringSubmatchIndex(s, n)
}

// need is what every match of an expression holds: of each set of texts, one.
type need []set

type set struct {
	any []string
	// folded says that any is in lower case and that the case does not matter.
	folded bool
}

func (n need) in(s string) bool {
	lower := ""
	for _, set := range n {
		text := s
		if set.folded {
			if lower == "" {
				lower = fold(s)
			}
			text = lower
		}
		if !set.in(text) {
			return false
		}
	}
	return true
}

func (set set) in(s string) bool {
	for _, a := range set.any {
		if strings.Contains(s, a) {
			return true
		}
	}
	return false
}

// fold gives the lower case of what regexp takes for equal without regard to
// case, as far as it can be equal to ASCII: the long s and the Kelvin sign are
// (the latter has its lower case in ASCII).
func fold(s string) string { return strings.ToLower(strings.ReplaceAll(s, "ſ", "s")) }
