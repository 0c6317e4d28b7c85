package iam

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// attributes are what a condition can ask about.
type attributes struct {
	resource Resource
	now      time.Time
}

// evaluate gives the value of a condition: comparisons of resource.name, .type
// and .service with ==, != and in, their startsWith, endsWith, contains,
// matches and extract, comparisons of request.time with timestamp("…"), joined
// by &&, ||, ! and parentheses. Anything else is an error. Source: IAM,
// "Attribute reference for IAM Conditions".
func evaluate(expression string, a attributes) (bool, error) {
	p := &cel{attributes: a}
	rest := expression
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			break
		}
		m := celToken.FindString(rest)
		if m == "" {
			return false, fmt.Errorf("cannot read %q", rest)
		}
		p.tokens = append(p.tokens, m)
		rest = rest[len(m):]
	}
	v, err := p.or()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not expected", p.tokens[p.at])
	}
	b, ok := v.(bool)
	if err == nil && !ok {
		err = errors.New("the value is not a boolean")
	}
	return b, err
}

var celToken = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|&&|\|\||==|!=|<=|>=|[!<>().,\[\]]|[A-Za-z_][A-Za-z0-9_]*)`)

type cel struct {
	attributes
	tokens []string
	at     int
}

func (p *cel) take(words ...string) (string, bool) {
	if p.at < len(p.tokens) {
		for _, w := range words {
			if p.tokens[p.at] == w {
				p.at++
				return w, true
			}
		}
	}
	return "", false
}

func (p *cel) need(word string) error {
	if _, ok := p.take(word); !ok {
		return fmt.Errorf("%q is missing", word)
	}
	return nil
}

// Both sides are always read, so that what cannot be evaluated is an error
// wherever it stands.
func (p *cel) or() (any, error)  { return p.joined("||", p.and) }
func (p *cel) and() (any, error) { return p.joined("&&", p.relation) }

func (p *cel) joined(op string, operand func() (any, error)) (any, error) {
	left, err := operand()
	for err == nil {
		if _, ok := p.take(op); !ok {
			return left, nil
		}
		var right any
		if right, err = operand(); err != nil {
			break
		}
		a, okA := left.(bool)
		b, okB := right.(bool)
		if !okA || !okB {
			return nil, fmt.Errorf("%s needs booleans", op)
		}
		left = a && b
		if op == "||" {
			left = a || b
		}
	}
	return nil, err
}

func (p *cel) relation() (any, error) {
	if _, ok := p.take("!"); ok {
		v, err := p.relation()
		b, isBool := v.(bool)
		if err == nil && !isBool {
			err = errors.New("! needs a boolean")
		}
		return !b, err
	}
	left, err := p.value()
	if err != nil {
		return nil, err
	}
	op, ok := p.take("==", "!=", "<", "<=", ">", ">=", "in")
	if !ok {
		return left, nil
	}
	right, err := p.value()
	if err != nil {
		return nil, err
	}
	switch l := left.(type) {
	case string:
		switch r := right.(type) {
		case string:
			if op == "==" || op == "!=" {
				return (l == r) == (op == "=="), nil
			}
		case []any:
			if op == "in" {
				for _, item := range r {
					if item == left {
						return true, nil
					}
				}
				return false, nil
			}
		}
	case time.Time:
		if r, ok := right.(time.Time); ok {
			c := l.Compare(r)
			switch op {
			case "<":
				return c < 0, nil
			case "<=":
				return c <= 0, nil
			case ">":
				return c > 0, nil
			case ">=":
				return c >= 0, nil
			case "==", "!=":
				return (c == 0) == (op == "=="), nil
			}
		}
	}
	return nil, fmt.Errorf("%T %s %T is not supported", left, op, right)
}

func (p *cel) value() (any, error) {
	v, err := p.primary()
	for err == nil {
		if _, ok := p.take("."); !ok {
			return v, nil
		}
		if p.at >= len(p.tokens) {
			return nil, errors.New("a name is missing after the dot")
		}
		name := p.tokens[p.at]
		p.at++
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%q of a %T is not supported", name, v)
		}
		var arg string
		if arg, err = p.argument(); err == nil {
			v, err = method(s, name, arg)
		}
	}
	return nil, err
}

func (p *cel) argument() (string, error) {
	if err := p.need("("); err != nil {
		return "", err
	}
	v, err := p.value()
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("an argument of type %T is not supported", v)
	}
	return s, p.need(")")
}

func method(s, name, arg string) (any, error) {
	switch name {
	case "startsWith":
		return strings.HasPrefix(s, arg), nil
	case "endsWith":
		return strings.HasSuffix(s, arg), nil
	case "contains":
		return strings.Contains(s, arg), nil
	case "matches":
		re, err := regexp.Compile(arg)
		if err != nil {
			return nil, err
		}
		return re.MatchString(s), nil
	case "extract":
		open, closed := strings.IndexByte(arg, '{'), strings.LastIndexByte(arg, '}')
		if open < 0 || closed < open {
			return nil, fmt.Errorf("extract: %q has no variable", arg)
		}
		_, after, ok := strings.Cut(s, arg[:open])
		if !ok {
			return "", nil
		}
		if suffix := arg[closed+1:]; suffix != "" {
			if after, _, ok = strings.Cut(after, suffix); !ok {
				return "", nil
			}
		}
		return after, nil
	}
	return nil, fmt.Errorf("function %q is not supported", name)
}

func (p *cel) primary() (any, error) {
	if p.at >= len(p.tokens) {
		return nil, errors.New("the expression is not complete")
	}
	t := p.tokens[p.at]
	p.at++
	switch {
	case t == "(":
		v, err := p.or()
		if err == nil {
			err = p.need(")")
		}
		return v, err
	case t == "[":
		var list []any
		for {
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			if _, ok := p.take(","); !ok {
				return list, p.need("]")
			}
		}
	case t[0] == '"' || t[0] == '\'':
		if strings.Contains(t, `\`) {
			return nil, errors.New("escapes in a string are not supported")
		}
		return t[1 : len(t)-1], nil
	case t == "true" || t == "false":
		return t == "true", nil
	case t == "timestamp":
		s, err := p.argument()
		if err != nil {
			return nil, err
		}
		return time.Parse(time.RFC3339, s)
	case t == "resource" || t == "request":
		if err := p.need("."); err != nil {
			return nil, err
		}
		name, ok := p.take("name", "type", "service", "time")
		switch {
		case !ok:
		case t == "request" && name == "time":
			return p.now, nil
		case t == "resource" && name == "name":
			return p.resource.Name, nil
		case t == "resource" && name == "type":
			return p.resource.Type, nil
		case t == "resource" && name == "service":
			service, _, _ := strings.Cut(p.resource.Type, "/")
			return service, nil
		}
		return nil, fmt.Errorf("an attribute of %s is not supported", t)
	}
	return nil, fmt.Errorf("%q is not supported", t)
}
