package expr

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	leastText = 4  // shorter texts stand everywhere
	mostSets  = 6  // of one expression
	mostAny   = 24 // of one set
)

// needOf reads from an expression what its matches hold (the idea is Russ Cox's,
// "Regular Expression Matching with a Trigram Index", 2012).
func needOf(source string) need {
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil // which compiling it will say
	}
	n := needed(re)
	// The longest texts are the rarest.
	slices.SortStableFunc(n, func(a, b set) int { return b.shortest() - a.shortest() })
	return n[:min(len(n), mostSets)]
}

func needed(re *syntax.Regexp) need {
	switch re.Op {
	case syntax.OpLiteral:
		text := string(re.Rune)
		folded := re.Flags&syntax.FoldCase != 0
		if folded {
			text = fold(text)
		}
		if len(text) < leastText || folded && !ascii(text) {
			return nil
		}
		return need{{[]string{text}, folded}}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needed(re.Sub[0])
		}
	case syntax.OpConcat:
		var n need
		for _, sub := range re.Sub {
			n = append(n, needed(sub)...)
		}
		return n
	case syntax.OpAlternate:
		var either set
		for i, sub := range re.Sub {
			n := needed(sub)
			if len(n) == 0 {
				return nil
			}
			best := slices.MaxFunc(n, func(a, b set) int { return a.shortest() - b.shortest() })
			if i > 0 && best.folded != either.folded {
				return nil
			}
			either.any, either.folded = append(either.any, best.any...), best.folded
		}
		if len(either.any) <= mostAny {
			return need{either}
		}
	}
	return nil
}

func (set set) shortest() int {
	n := len(set.any[0])
	for _, a := range set.any {
		n = min(n, len(a))
	}
	return n
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
