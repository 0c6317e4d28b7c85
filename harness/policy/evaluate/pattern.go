package evaluate

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/harness/policy"
)

// token is one element of a pattern: a character, or a wildcard.
type token struct {
	kind tokenKind
	char rune
}

type tokenKind uint8

const (
	char   tokenKind = iota // this character
	anyOne                  // "?": one character
	anyRun                  // "*": any run of characters
	segOne                  // "?" that does not match a colon
	segRun                  // "*" that does not match a colon
)

// pattern is a string with wildcards and policy variables read.
type pattern []token

// request is a [Request] made ready for many comparisons.
type request struct {
	Request
	context map[string][]string // keys in lower case: they are case-insensitive (elements_condition)
}

// read makes a pattern of text. Variables are replaced if the document's
// version has them; the values put in are plain characters, so that nobody's
// name or tag can be a wildcard. With wild, "*" and "?" are wildcards. ok is
// false if a variable has no value in this request: such a pattern is equal
// to nothing (policies_variables, "Policy variables with no value").
func (r request) read(text, version string, wild bool) (p pattern, ok bool, err error) {
	ok = true
	for text != "" {
		if version == policy.Version2012 && strings.HasPrefix(text, "${") {
			end := variableEnd(text)
			if end < 0 {
				return nil, false, fmt.Errorf("policy variable %q has no end", text)
			}
			value, found, err := r.variable(text[2:end])
			if err != nil {
				return nil, false, err
			}
			ok = ok && found
			p = append(p, plain(value)...)
			text = text[end+1:]
			continue
		}
		c, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case wild && c == '*':
			p = append(p, token{kind: anyRun})
		case wild && c == '?':
			p = append(p, token{kind: anyOne})
		default:
			p = append(p, token{char: c})
		}
	}
	return p, ok, nil
}

// variableEnd finds the brace that ends the variable at the start of text. A
// quoted default may hold braces.
func variableEnd(text string) int {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case text[i] == '}' && !quoted:
			return i
		}
	}
	return -1
}

func plain(s string) pattern {
	var p pattern
	for _, c := range s {
		p = append(p, token{char: c})
	}
	return p
}

// variable gives a policy variable's value. "*", "?" and "$" stand for
// themselves; "key, 'default'" gives the default where the key has no value
// (policies_variables).
func (r request) variable(name string) (value string, found bool, err error) {
	switch name {
	case "*", "?", "$":
		return name, true, nil
	}
	key, fallback, hasDefault := strings.Cut(name, ",")
	key, fallback = strings.TrimSpace(key), strings.TrimSpace(fallback)
	if key == "" || hasDefault && (len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'') {
		return "", false, fmt.Errorf("policy variable ${%s} is neither ${key} nor ${key, 'default'}", name)
	}
	values := r.context[strings.ToLower(key)]
	switch {
	case len(values) == 1:
		return values[0], true, nil
	case len(values) > 1:
		return "", false, fmt.Errorf("policy variable ${%s} has %d values in this request; only a key of one value can be a variable", key, len(values))
	case hasDefault:
		return fallback[1 : len(fallback)-1], true, nil
	}
	return "", false, nil
}

// text gives a pattern without wildcards back as a string.
func (p pattern) text() string {
	var b strings.Builder
	for _, t := range p {
		b.WriteRune(t.char)
	}
	return b.String()
}

// segments makes wildcards keep to their segment of an ARN, as
// elements_resource says: they stand for characters of a segment, and a "*"
// that ends one may go on beyond the colon. The sixth part, the resource, may
// hold colons of its own (a log group's name, an object's key), and is one
// segment here.
func (p pattern) segments() pattern {
	out := make(pattern, len(p))
	copy(out, p)
	colons := 0
	for i, t := range p {
		switch {
		case t.kind == char && t.char == ':':
			colons++
		case colons >= 5:
			return out
		case t.kind == anyOne:
			out[i].kind = segOne
		case t.kind == anyRun && i+1 < len(p) && !(p[i+1].kind == char && p[i+1].char == ':'):
			out[i].kind = segRun
		}
	}
	return out
}

// parts splits a pattern at its first five colons, those that a variable
// brought included.
func (p pattern) parts() []pattern {
	var parts []pattern
	start := 0
	for i, t := range p {
		if t.kind == char && t.char == ':' && len(parts) < 5 {
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	return append(parts, p[start:])
}

// match tells whether the pattern stands for the whole of s. It takes time in
// proportion to both lengths, whatever the wildcards.
func (p pattern) match(s string) bool {
	have := []rune(s)
	for len(p) > 0 && p[0].kind == char { // most differ, or end, before the first wildcard
		if len(have) == 0 || have[0] != p[0].char {
			return false
		}
		p, have = p[1:], have[1:]
	}
	if len(p) == 0 {
		return len(have) == 0
	}
	// at[i]: the first i tokens stand for what was read so far.
	at := make([]bool, len(p)+1)
	at[0] = true
	p.skipRuns(at)
	for _, c := range have {
		alive := false
		for i := len(p) - 1; i >= 0; i-- { // downwards: at[i] is still the old one
			t := p[i]
			stay := at[i+1] && (t.kind == anyRun || t.kind == segRun && c != ':')
			step := at[i] && (t.kind == char && t.char == c || t.kind == anyOne || t.kind == segOne && c != ':' ||
				t.kind == anyRun || t.kind == segRun && c != ':')
			at[i+1] = stay || step
			alive = alive || at[i+1]
		}
		at[0] = false
		if !alive {
			return false
		}
		p.skipRuns(at)
	}
	return at[len(p)]
}

// skipRuns lets every "*" stand for nothing.
func (p pattern) skipRuns(at []bool) {
	for i, t := range p {
		if at[i] && (t.kind == anyRun || t.kind == segRun) {
			at[i+1] = true
		}
	}
}
