package compare

import (
	"regexp"
	"strings"
)

// matches tells whether a permission's pattern, in which "*" stands for any
// characters and "?" for one, stands for the whole of s.
func matches(pattern, s string) bool {
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// token is an element of a resource: of the role file's, in which wildcards are
// patterns, or of the record's, in which they are unknown text.
type token struct {
	kind kind
	char rune
	key  string // of a hole
}

type kind uint8

const (
	char   kind = iota
	one         // "?"
	run         // "*"
	segOne      // "?" that does not match a colon
	segRun      // "*" that does not match a colon
	hole        // {key}: the same text wherever it stands, which one is not known
	blank       // <…>: for whoever uses the role file to fill in
	open        // a policy variable, whose value is known with the request
)

// blanks are what authors leave to be filled in.
var blanks = regexp.MustCompile(`^<[A-Za-z0-9_. -]+>`)

var holes = regexp.MustCompile(`^\{([a-z][a-z0-9_]{0,39})\}`)

// tokens takes a resource apart. Escapes and variables are read where variables
// says so, blanks where theirs says so: in a role file, not in a record.
func tokens(s string, variables, theirs bool) []token {
	var list []token
	for s != "" {
		if variables && strings.HasPrefix(s, "${") {
			if end := strings.IndexByte(s, '}'); end > 0 {
				switch inside := s[2:end]; inside {
				case "*", "?", "$":
					list = append(list, token{char: rune(inside[0])})
				default:
					list = append(list, token{kind: open})
				}
				s = s[end+1:]
				continue
			}
		}
		if m := holes.FindStringSubmatch(s); m != nil {
			list = append(list, token{kind: hole, key: m[1]})
			s = s[len(m[0]):]
			continue
		}
		if m := blanks.FindString(s); m != "" && theirs {
			list = append(list, token{kind: blank})
			s = s[len(m):]
			continue
		}
		var c rune
		for _, c = range s {
			break
		}
		switch c {
		case '*':
			list = append(list, token{kind: run})
		case '?':
			list = append(list, token{kind: one})
		default:
			list = append(list, token{char: c})
		}
		s = s[len(string(c)):]
	}
	return list
}

// segments makes wildcards keep to their segment of an ARN. A "*" that ends one
// may go on beyond the colon (reference_policies_elements_resource; package
// evaluate has it so): that is left to patterns with fewer segments than an ARN
// has. In one that has them all, it would let a name with colons in it pass for
// the segments that follow.
func segments(p []token) []token {
	colons, all := 0, 0
	for _, t := range p {
		if t.kind == char && t.char == ':' {
			all++
		}
	}
	for i, t := range p {
		ends := i+1 == len(p) || p[i+1].kind == char && p[i+1].char == ':'
		switch {
		case t.kind == char && t.char == ':':
			colons++
		case colons >= 5:
			return p
		case t.kind == one:
			p[i].kind = segOne
		case t.kind == run && i+1 < len(p) && (!ends || all >= 5):
			p[i].kind = segRun
		}
	}
	return p
}

// covers tells whether pattern stands for every resource that the record's can
// be: what is unknown in it (an id that the cloud makes up, a name that is yours to
// say) is matched by nothing but a wildcard, or by the same {key}.
func covers(pattern, resource []token) bool { return walk(pattern, resource, false) }

// meets tells whether pattern stands for some resource that the record's can be.
func meets(pattern, resource []token) bool { return walk(pattern, resource, true) }

// takes tells whether p, of a pattern, can stand for r, of a resource: for all that
// it can be, or, if loose, for some of it.
func takes(p, r token, loose bool) bool {
	switch r.kind {
	case char:
		switch p.kind {
		case char:
			return p.char == r.char
		case one, run:
			return true
		case segOne, segRun, blank:
			return r.char != ':'
		case hole, open:
			return loose && r.char != ':'
		}
	case one:
		return loose || p.kind == one || p.kind == segOne || repeats(p, false)
	case hole:
		return p.kind == hole && p.key == r.key || repeats(p, loose)
	case run:
		return repeats(p, loose)
	}
	return false
}

// repeats tells whether a token of a pattern can stand for any number of
// characters, none included. What is open can, for all that is known.
func repeats(p token, loose bool) bool {
	return p.kind == run || p.kind == segRun || p.kind == blank || loose && p.kind == open
}

// passes tells whether r, of a resource, can be text that p stands for, and more.
// A name has no colon and no slash in it.
func passes(p, r token) bool {
	return r.kind == run || p.kind != char || p.char != ':' && p.char != '/'
}

// walk reads the resource along the pattern. It takes time in proportion to both
// lengths at most, whatever the wildcards.
func walk(pattern, resource []token, loose bool) bool {
	for len(pattern) > 0 && len(resource) > 0 && pattern[0].kind == char && resource[0].kind == char { // most differ here
		if pattern[0].char != resource[0].char {
			return false
		}
		pattern, resource = pattern[1:], resource[1:]
	}
	for n, m := len(pattern), len(resource); n > 0 && m > 0 && pattern[n-1].kind == char && resource[m-1].kind == char; n, m = n-1, m-1 { // or here
		if pattern[n-1].char != resource[m-1].char {
			return false
		}
		pattern, resource = pattern[:n-1], resource[:m-1]
	}
	// at[i]: the first i tokens stand for what was read so far. It is false below
	// low and above high.
	var room [64]bool
	at := room[:]
	if len(pattern) >= len(room) {
		at = make([]bool, len(pattern)+1)
	}
	at[0] = true
	low, high := 0, 0
	skip := func() { // let what repeats stand for nothing
		for i := low; i <= high && i < len(pattern); i++ {
			if at[i] && repeats(pattern[i], loose) {
				at[i+1] = true
				high = max(high, i+1)
			}
		}
	}
	skip()
	for _, r := range resource {
		through := loose && (r.kind == run || r.kind == hole)
		top := -1
		for i := min(high, len(pattern)-1); i >= low-1 && i >= 0; i-- { // downwards: at[i] is still the old one
			p := pattern[i]
			can := takes(p, r, loose)
			stays := at[i+1] && (through || can && (repeats(p, loose) || loose && p.kind == hole))
			at[i+1] = stays || at[i] && can
			if at[i+1] && top < 0 {
				top = i + 1
			}
		}
		at[0] = at[0] && through
		if at[0] && top < 0 {
			top = 0
		}
		if top < 0 {
			return false
		}
		high = top
		for low < high && !at[low] {
			low++
		}
		if through {
			for i := low; i <= high && i < len(pattern); i++ {
				if at[i] && passes(pattern[i], r) {
					at[i+1] = true
					high = max(high, i+1)
				}
			}
		}
		skip()
	}
	return at[len(pattern)]
}
