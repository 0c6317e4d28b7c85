package generic

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// Filter tells which resources a list's filter keeps.
type Filter func(store.Object) bool

// ParseFilter reads a filter expression: comparisons with =, !=, <, <=, >, >=,
// ":" (has) and Compute Engine's "eq" and "ne" (a whole match of a regular
// expression), joined by AND, OR, NOT and parentheses; side by side means AND.
// Sources: AIP-160; Compute Engine API, "filter" of instances.list.
func ParseFilter(text string) (Filter, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	if len(tokens) == 0 {
		return func(store.Object) bool { return true }, nil
	}
	f, err := p.or()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not expected", p.tokens[p.at].text)
	}
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w", text, err)
	}
	return f, nil
}

type token struct {
	text   string
	quoted bool
}

var lexer = regexp.MustCompile(`^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(!=|<=|>=|[=<>:()])|([^\s"'=<>!:()]+))`)

func tokenize(text string) (list []token, err error) {
	rest := strings.TrimSpace(text)
	for rest != "" {
		m := lexer.FindStringSubmatchIndex(rest)
		if m == nil {
			return nil, fmt.Errorf("filter %q: cannot read %q", text, rest)
		}
		t := token{text: rest[m[0]:m[1]]}
		for group := 1; group <= 2; group++ {
			if m[2*group] >= 0 {
				t = token{strings.ReplaceAll(rest[m[2*group]:m[2*group+1]], `\`, ""), true}
			}
		}
		list = append(list, t)
		rest = strings.TrimSpace(rest[m[1]:])
	}
	return list, nil
}

type parser struct {
	tokens []token
	at     int
}

func (p *parser) peek(words ...string) bool {
	if p.at >= len(p.tokens) || p.tokens[p.at].quoted {
		return false
	}
	for _, w := range words {
		if p.tokens[p.at].text == w {
			return true
		}
	}
	return false
}

func (p *parser) or() (Filter, error) {
	left, err := p.and()
	for err == nil && p.peek("OR") {
		p.at++
		a := left
		var b Filter
		if b, err = p.and(); err == nil {
			left = func(o store.Object) bool { return a(o) || b(o) }
		}
	}
	return left, err
}

func (p *parser) and() (Filter, error) {
	left, err := p.not()
	for err == nil && p.at < len(p.tokens) && !p.peek("OR", ")") {
		if p.peek("AND") {
			p.at++
		}
		a := left
		var b Filter
		if b, err = p.not(); err == nil {
			left = func(o store.Object) bool { return a(o) && b(o) }
		}
	}
	return left, err
}

func (p *parser) not() (Filter, error) {
	if p.peek("NOT", "-") {
		p.at++
		f, err := p.not()
		return func(o store.Object) bool { return !f(o) }, err
	}
	if p.peek("(") {
		p.at++
		f, err := p.or()
		if err == nil && !p.peek(")") {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		p.at++
		return f, err
	}
	return p.comparison()
}

func (p *parser) comparison() (Filter, error) {
	if p.at+2 >= len(p.tokens) {
		return nil, fmt.Errorf("a comparison is not complete")
	}
	path, op, value := p.tokens[p.at].text, p.tokens[p.at+1].text, p.tokens[p.at+2].text
	p.at += 2
	if !p.peek("(") {
		p.at++
		return compare(path, op, value)
	}
	// One of several values: f=(a OR b). Source: Logging query language, "Comparison
	// operators".
	var any []Filter
	for p.at++; ; p.at++ {
		if p.at >= len(p.tokens) {
			return nil, fmt.Errorf("a parenthesis is not closed")
		}
		f, err := compare(path, op, p.tokens[p.at].text)
		if err != nil {
			return nil, err
		}
		any = append(any, f)
		p.at++
		if p.peek(")") {
			p.at++
			return func(o store.Object) bool {
				return slices.ContainsFunc(any, func(f Filter) bool { return f(o) })
			}, nil
		}
		if !p.peek("OR") {
			return nil, fmt.Errorf("values are joined by OR alone here")
		}
	}
}

func compare(path, op, value string) (Filter, error) {
	switch op {
	case "=":
		return each(path, func(s string) bool { return wildcard(value, s) }), nil
	case "!=":
		return not(each(path, func(s string) bool { return wildcard(value, s) })), nil
	case ":":
		return func(o store.Object) bool {
			if m := api.Object(o, path); m != nil {
				_, ok := m[value]
				return ok || value == "*"
			}
			return each(path, func(s string) bool {
				return value == "*" || strings.Contains(strings.ToLower(s), strings.ToLower(strings.Trim(value, "*")))
			})(o)
		}, nil
	case "eq", "ne":
		re, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return nil, err
		}
		f := each(path, re.MatchString)
		if op == "ne" {
			f = not(f)
		}
		return f, nil
	case "<", "<=", ">", ">=":
		return each(path, func(s string) bool {
			c := strings.Compare(s, value)
			if a, err := time.Parse(time.RFC3339Nano, s); err == nil {
				if b, err := time.Parse(time.RFC3339Nano, value); err == nil {
					c = a.Compare(b)
				}
			}
			if a, err := strconv.ParseFloat(s, 64); err == nil {
				if b, err := strconv.ParseFloat(value, 64); err == nil {
					c = 0
					if a < b {
						c = -1
					} else if a > b {
						c = 1
					}
				}
			}
			return c < 0 && op[0] == '<' || c > 0 && op[0] == '>' || c == 0 && len(op) == 2
		}), nil
	}
	return nil, fmt.Errorf("there is no operator %q", op)
}

func not(f Filter) Filter { return func(o store.Object) bool { return !f(o) } }

// each tells whether a field's value, or one of its values, passes.
func each(path string, pass func(string) bool) Filter {
	return func(o store.Object) bool {
		return within(o, strings.Split(path, "."), pass)
	}
}

// within looks a path up, in each element of the lists that are on it.
func within(v any, path []string, pass func(string) bool) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return within(item, path, pass) })
	}
	if len(path) == 0 {
		if v == nil {
			return pass("")
		}
		return pass(fmt.Sprint(v))
	}
	m, ok := v.(store.Object)
	if !ok {
		return pass("")
	}
	return within(m[path[0]], path[1:], pass)
}

func wildcard(pattern, s string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == s
	}
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	ok, _ := regexp.MatchString("^"+strings.Join(parts, ".*")+"$", s)
	return ok
}
