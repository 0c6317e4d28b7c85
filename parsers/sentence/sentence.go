// Package sentence finds the sentences of a refusal in a text: a cloud's reader
// gives the forms that its services use, each an expression with what to make
// of it, and this package looks for them in their order. It knows no cloud.
package sentence

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Sentence is what one sentence of a refusal says.
type Sentence struct {
	Reason              refusal.Reason
	Permission          string
	Resource, Principal string
	// Blocker is what stands in the way, as [refusal.Denial] has it.
	Blocker string
	// Candidates are permissions that an opaque sentence points at.
	Candidates []string
	// From and To are where it stands in the text.
	From, To int
}

// Denial makes a denial of a sentence that was found in text.
func (s Sentence) Denial(cloud refusal.Cloud, text string) refusal.Denial {
	return refusal.Denial{
		Cloud: cloud, Reason: s.Reason, Permission: s.Permission, Candidates: s.Candidates,
		Resource: s.Resource, Principal: s.Principal, Blocker: s.Blocker, Evidence: excerpt.Clip(text[s.From:s.To]),
	}
}

// Match is where a form's expression matched: At is as FindStringSubmatchIndex
// gives it.
type Match struct {
	Text string
	At   []int
}

// Sub gives the text of a group, "" if it took no part.
func (m Match) Sub(i int) string {
	if 2*i+1 >= len(m.At) || m.At[2*i] < 0 {
		return ""
	}
	return m.Text[m.At[2*i]:m.At[2*i+1]]
}

// From and To are where the match stands in the text.
func (m Match) From() int { return m.At[0] }

// To is where the match ends.
func (m Match) To() int { return m.At[1] }

// Rest is the text behind the match.
func (m Match) Rest() string { return m.Text[m.At[1]:] }

// context is how much of the text before a match is looked at, in bytes.
const context = 400

// Before is the end of the text before the match.
func (m Match) Before() string { return m.Text[max(0, m.At[0]-context):m.At[0]] }

// Form is one kind of sentence.
type Form struct {
	// Hints are texts of which one must be there for the expression to be tried
	// at all.
	Hints []string
	Re    *expr.Regexp
	// Core, where there is one, matches within everything that Re matches and
	// costs less to find: it begins with plain text. Re is then tried around
	// each of its matches alone, on at most Back bytes before it and Ahead behind.
	Core        *expr.Regexp
	Back, Ahead int
	// Read gives the sentences of a match, none if it is none after all. One
	// without a To stands where the match does.
	Read func(Match) []Sentence
	// Reach is how far from it, in bytes, a sentence that says more may stand:
	// see [Near].
	Reach int
}

// Find finds the sentences of the forms in a text, in the order in which they
// stand in it. Where two would overlap, the one of the earlier form wins.
func Find(forms []Form, text string) []Sentence {
	var found []Sentence
	each(forms, text, func(_ Form, s Sentence) {
		if !overlaps(found, s) {
			found = append(found, s)
		}
	})
	sort.SliceStable(found, func(i, j int) bool { return found[i].From < found[j].From })
	return found
}

// Near finds those sentences of the forms that have nothing better nearby: no
// sentence of said, and none of an earlier form, within a form's reach. A
// refusal that names no permission mostly introduces one that does. What a form's
// expression matches must hold one of its hints; said is in the order of the text.
func Near(forms []Form, text string, said []Sentence) []Sentence {
	var found []Sentence
	var open []Form
	for _, f := range forms {
		if f.open(text, said) {
			open = append(open, f)
		}
	}
	each(open, text, func(f Form, s Sentence) {
		if !near(said, s, f.Reach) && !near(found, s, f.Reach) {
			found = append(found, s)
		}
	})
	return found
}

func each(forms []Form, text string, got func(Form, Sentence)) {
	for _, f := range forms {
		if !f.mayBe(text) {
			continue
		}
		for _, at := range f.matches(text) {
			for _, s := range f.Read(Match{text, at}) {
				if s.To == 0 {
					s.From, s.To = at[0], at[1]
				}
				got(f, s)
			}
		}
	}
}

func (f Form) mayBe(text string) bool {
	for _, h := range f.Hints {
		if strings.Contains(text, h) {
			return true
		}
	}
	return false
}

// matches gives where the form's expression matches.
func (f Form) matches(text string) [][]int {
	if f.Core == nil {
		return f.Re.FindAllStringSubmatchIndex(text, -1)
	}
	var all [][]int
	done := 0
	for _, c := range f.Core.FindAllStringIndex(text, -1) {
		if c[0] < done {
			continue
		}
		from := max(done, c[0]-f.Back)
		for from > done && from < c[0] && text[from-1] > ' ' {
			from++ // a word is whole or not there
		}
		at := f.Re.FindStringSubmatchIndex(text[from:min(len(text), c[1]+f.Ahead)])
		if at == nil {
			continue
		}
		for i := range at {
			if at[i] >= 0 {
				at[i] += from
			}
		}
		done = at[1]
		all = append(all, at)
	}
	return all
}

// open tells whether one of the form's hints stands where no sentence of said is
// within its reach: else nothing that it matches is kept.
func (f Form) open(text string, said []Sentence) bool {
	for _, h := range f.Hints {
		next := 0 // of said
		for at := 0; ; {
			i := strings.Index(text[at:], h)
			if i < 0 {
				break
			}
			i += at
			for next < len(said) && said[next].To+f.Reach <= i {
				next++
			}
			if next == len(said) || i < said[next].From-f.Reach {
				return true
			}
			at = i + len(h)
		}
	}
	return false
}

// overlaps tells whether s stands where a sentence of an earlier form does.
// Several permissions of one sentence stand in the same place.
func overlaps(found []Sentence, s Sentence) bool {
	for _, f := range found {
		if s.From < f.To && f.From < s.To && (s.From != f.From || s.To != f.To || s.Permission == f.Permission && s.Resource == f.Resource) {
			return true
		}
	}
	return false
}

func near(said []Sentence, s Sentence, reach int) bool {
	for _, o := range said {
		if o.From < s.To+reach && s.From < o.To+reach {
			return true
		}
	}
	return false
}

// Sources gives the expressions of forms, for whoever must know by which words their
// sentences are found.
func Sources(lists ...[]Form) []string {
	var all []string
	for _, list := range lists {
		for _, f := range list {
			all = append(all, f.Re.String())
		}
	}
	return all
}

// Denials makes denials of the sentences of a text, said and opaque, in the order in
// which they stand in it. For an opaque one about is asked what the tool says that it
// was about, and which candidates that gives; they count where the sentence has none.
func Denials(cloud refusal.Cloud, text string, said, opaque []Sentence, about func(Sentence) (candidates []string, c refusal.Call)) []refusal.Denial {
	all := slices.Concat(said, opaque)
	sort.SliceStable(all, func(i, j int) bool { return all[i].From < all[j].From })
	var denials []refusal.Denial
	for _, s := range all {
		d := s.Denial(cloud, text)
		if s.Reason == refusal.OpaqueDenial {
			var candidates []string
			if candidates, d.Call = about(s); len(d.Candidates) == 0 {
				d.Candidates = candidates
			}
		}
		denials = append(denials, d)
	}
	return excerpt.Merge(denials)
}

// reach is how far from a message the request that it answers may be printed, in bytes.
const reach = 600

// Around finds what an expression matches around the part of a text between from and
// to, the nearest first.
func Around(re *expr.Regexp, text string, from, to int) []Match {
	start := max(0, from-reach)
	near := text[start:min(len(text), to+reach)]
	var all []Match
	for _, at := range re.FindAllStringSubmatchIndex(near, -1) {
		all = append(all, Match{near, at})
	}
	away := func(m Match) int { return max(from-(start+m.To()), start+m.From()-to, 0) }
	slices.SortStableFunc(all, func(a, b Match) int { return cmp.Compare(away(a), away(b)) })
	return all
}

// Plainly reads a sentence that says nothing but its reason and blocker.
func Plainly(r refusal.Reason, blocker string) func(Match) []Sentence {
	return func(Match) []Sentence { return []Sentence{{Reason: r, Blocker: blocker}} }
}
