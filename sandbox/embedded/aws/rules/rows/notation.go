package rows

import (
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// What follows is the notation of the rows' cells.
//
//	expr        = alternative {"|" alternative}    the first that has a value
//	alternative = term {"&" term}                  joined
//	term        = "*" | ( 'text' | @name | path | names(path) ) {":" function}
//	resource    = "*" | type "(" expr {"," expr} ")" ["?"]
//	condition   = ["!"] expr | expr "=" text | expr "!=" text
//	setting     = key "=" expr | tags(path,key,value[,prefix,keys]) | entries(path[,prefix,keys]) | keys(path)

// Expr gives the values of its first alternative that has any.
type Expr []Alternative

// Alternative is the joined values of its terms.
type Alternative []Term

// Term is one source of values.
type Term struct {
	Kind  byte   // '*', '\'' text, '@' name, 'p' path or 'n' the names under a path
	Text  string // the text, or the name
	At    params.Path
	Calls []Call
}

// Call is one function of a term.
type Call struct{ Name, Arg string }

// functions are what a term may be passed through; package rules applies them.
var functions = map[string]bool{
	"last": true, "rel": true, "arn": true, "queue": true, "key": true, "alias": true, "fact": true, "named": true,
	"copy": true, "role": true, "host": true, "task": true, "of": true, "escaped": true, "bucket": true, "image": true, "revision": true,
	"kind": true, "cmk": true, "topic": true, "group": true, "bus": true, "machine": true, "parameter": true, "document": true, "setting": true, "after": true,
}

func parseExpr(s string) (Expr, error) {
	var e Expr
	for _, choice := range strings.Split(s, "|") {
		var a Alternative
		for _, text := range strings.Split(choice, "&") {
			t, err := parseTerm(text)
			if err != nil {
				return nil, err
			}
			a = append(a, t)
		}
		e = append(e, a)
	}
	return e, nil
}

func parseTerm(s string) (Term, error) {
	switch {
	case s == "":
		return Term{}, fmt.Errorf("an empty term")
	case s == "*":
		return Term{Kind: '*'}, nil
	}
	var t Term
	parts := strings.Split(s, ":")
	if s[0] == '\'' {
		text, calls, ok := strings.Cut(s[1:], "'")
		if !ok || calls != "" && calls[0] != ':' {
			return Term{}, fmt.Errorf("text without its end: %s", s)
		}
		parts = strings.Split(calls, ":")
		t = Term{Kind: '\'', Text: text}
	} else {
		t = Term{Kind: 'p', Text: parts[0], At: params.ParsePath(parts[0])}
	}
	if inner, ok := strings.CutPrefix(parts[0], "names("); ok {
		t.Kind, t.At = 'n', params.ParsePath(strings.TrimSuffix(inner, ")"))
	}
	if s[0] == '@' {
		switch parts[0] {
		case "@account", "@region", "@partition", "@user", "@operation", "@auth", "@body-hash", "@object":
			t.Kind, t.Text = '@', parts[0][1:]
		default:
			return Term{}, fmt.Errorf("unknown name %s", parts[0])
		}
	}
	for _, f := range parts[1:] {
		name, arg, _ := strings.Cut(strings.TrimSuffix(f, ")"), "(")
		if !functions[name] {
			return Term{}, fmt.Errorf("unknown function %q", name)
		}
		if (name == "fact" || name == "named") && !facts[Fact(arg)] {
			return Term{}, fmt.Errorf("unknown fact %q", arg)
		}
		t.Calls = append(t.Calls, Call{name, arg})
	}
	return t, nil
}

// Resource is a resource cell: type(expr,…), or "*" without a type.
type Resource struct {
	Kind     string
	Args     []Expr
	Optional bool // without a value there is no need
}

func parseResource(s string) (Resource, error) {
	if s == "*" {
		return Resource{}, nil
	}
	var r Resource
	s, r.Optional = strings.CutSuffix(s, "?")
	kind, rest, ok := strings.Cut(s, "(")
	if !ok || !strings.HasSuffix(rest, ")") || kind == "" {
		return Resource{}, fmt.Errorf("resource %q is not of the form type(parameter)", s)
	}
	r.Kind = kind
	// Functions have brackets of their own: only the outermost commas part.
	for _, arg := range splitOutside(strings.TrimSuffix(rest, ")"), ',') {
		e, err := parseExpr(arg)
		if err != nil {
			return Resource{}, fmt.Errorf("resource %q: %w", s, err)
		}
		r.Args = append(r.Args, e)
	}
	return r, nil
}

func splitOutside(s string, sep rune) []string {
	var (
		parts []string
		depth int
		start int
	)
	for i, c := range s {
		switch c {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case sep:
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, s[start:])
}

// Condition is one word of a when cell; all must hold.
type Condition struct {
	Left Expr
	Op   string // "has", "hasn't", "=", "!="
	Text string
}

func parseConditions(s string) ([]Condition, error) {
	if s == "-" {
		return nil, nil
	}
	var all []Condition
	for _, word := range strings.Fields(s) {
		c := Condition{Op: "has"}
		left := word
		if l, r, ok := cutOutside(word, "!="); ok {
			left, c.Op, c.Text = l, "!=", r
		} else if l, r, ok := cutOutside(word, "="); ok {
			left, c.Op, c.Text = l, "=", r
		} else if strings.HasPrefix(word, "!") {
			left, c.Op = word[1:], "hasn't"
		}
		var err error
		if c.Left, err = parseExpr(left); err != nil {
			return nil, fmt.Errorf("condition %q: %w", word, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// cutOutside cuts s at the first sep that is outside square brackets.
func cutOutside(s, sep string) (before, after string, found bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		}
		if depth == 0 && strings.HasPrefix(s[i:], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

// Setting is one condition key, or a family of them.
type Setting struct {
	Kind        string      // "=", "tags", "entries", "keys"
	Key         string      // of "=", or the prefix of a family
	Keys        string      // the key that lists the family's names
	At          params.Path // of a family
	Name, Value string      // the fields of a tag
	Is          Expr        // of "="
}

func parseSettings(s string) ([]Setting, error) {
	if s == "-" {
		return nil, nil
	}
	var all []Setting
	for _, word := range strings.Fields(s) {
		var one Setting
		if kind, rest, ok := strings.Cut(word, "("); ok && (kind == "tags" || kind == "entries" || kind == "keys") {
			one.Kind = kind
			args := splitOutside(strings.TrimSuffix(rest, ")"), ',')
			one.At = params.ParsePath(args[0])
			one.Key, one.Keys = "aws:RequestTag/", "aws:TagKeys"
			switch {
			case kind == "tags" && (len(args) == 3 || len(args) == 5):
				one.Name, one.Value = args[1], args[2]
				if len(args) == 5 {
					one.Key, one.Keys = args[3], args[4]
				}
			case kind == "entries" && len(args) == 1, kind == "keys" && len(args) == 1:
			case kind == "entries" && len(args) == 3:
				one.Key, one.Keys = args[1], args[2]
			default:
				return nil, fmt.Errorf("setting %q has the wrong number of parts", word)
			}
			all = append(all, one)
			continue
		}
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("setting %q is not of the form key=expression", word)
		}
		e, err := parseExpr(value)
		if err != nil {
			return nil, fmt.Errorf("setting %q: %w", word, err)
		}
		one.Kind, one.Key, one.Is = "=", key, e
		all = append(all, one)
	}
	return all, nil
}

// Template is text with {expr} in it.
type Template []Expr

// parseTemplate reads "role {RoleName}".
func parseTemplate(s string) (Template, error) {
	var t Template
	for s != "" {
		text, rest, ok := strings.Cut(s, "{")
		if text != "" {
			t = append(t, Expr{{{Kind: '\'', Text: text}}})
		}
		if !ok {
			break
		}
		inner, after, ok := strings.Cut(rest, "}")
		if !ok {
			return nil, fmt.Errorf("template %q: an open bracket", s)
		}
		e, err := parseExpr(inner)
		if err != nil {
			return nil, fmt.Errorf("template %q: %w", s, err)
		}
		t = append(t, e)
		s = after
	}
	return t, nil
}
