package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Error is something wrong in a record's file.
type Error struct {
	File      string
	Line, Col int // from 1; Col counts bytes
	Msg       string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg) }

// Hints says what to try of a file that ends too early.
func (e *Error) Hints() []string {
	if strings.HasSuffix(e.Msg, "unexpected end of JSON input") {
		return []string{"the file is cut off: take it from version control again, or write it anew with whittle probe"}
	}
	return nil
}

// Read reads the record at path. Everything that is not as it should be (an
// unknown key, a wrong type, a grant that stands twice, another version) is an
// [*Error].
func Read(path string) (Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Record{}, fmt.Errorf("read the record: %w", err)
	}
	return Parse(path, data)
}

// Parse is Read on what is in the file; file is its name for errors.
func Parse(file string, data []byte) (Record, error) {
	p := &parser{file: file, data: data}
	r, err := p.record()
	if err != nil {
		return Record{}, err
	}
	return r.canonical(), nil
}

// parser reads JSON by hand, since encoding/json can tell neither where an
// unknown key stands nor that a key stands twice.
type parser struct {
	file string
	data []byte
	dec  *json.Decoder
	err  *Error // the first one
}

// fail notes the error; the first one counts.
func (p *parser) fail(offset int, format string, args ...any) {
	if p.err != nil {
		return
	}
	before := p.data[:min(max(offset, 0), len(p.data))]
	p.err = &Error{
		File: p.file,
		Line: 1 + bytes.Count(before, []byte("\n")),
		Col:  len(before) - bytes.LastIndexByte(before, '\n'),
		Msg:  fmt.Sprintf(format, args...),
	}
}

func (p *parser) record() (Record, error) {
	var syntax *json.SyntaxError
	// After this, every token is there and is where it may be.
	if err := json.Unmarshal(p.data, new(json.RawMessage)); errors.As(err, &syntax) {
		p.fail(int(syntax.Offset)-1, "not JSON: %s", syntax.Error())
		return Record{}, p.err
	} else if err != nil {
		p.fail(0, "not JSON: %v", err)
		return Record{}, p.err
	}
	p.dec = json.NewDecoder(bytes.NewReader(p.data))
	p.dec.UseNumber()

	var r Record
	p.object("the record", []string{"version", "cloud", "sandbox", "verified", "inputs", "steps"}, nil, map[string]func(string){
		"version": func(key string) {
			at := p.next()
			if r.Version = p.integer(key); p.err == nil && r.Version != Version {
				p.fail(at, "version %d of the record, and this whittle reads version %d: use the whittle that wrote it, or probe again", r.Version, Version)
			}
		},
		"cloud":    func(key string) { r.Cloud = p.oneOf(key, clouds) },
		"sandbox":  func(key string) { r.Sandbox = p.text(key) },
		"verified": func(key string) { r.Verified = p.boolean(key) },
		"inputs": func(string) {
			p.object("inputs", []string{"digest", "tools"}, nil, map[string]func(string){
				"digest": func(key string) { r.Inputs.Digest = p.textOrNone(key) },
				"tools":  func(string) { r.Inputs.Tools = p.texts("tools") },
			})
		},
		"steps": func(key string) {
			names := make(map[string]bool)
			p.list(key, func() {
				at := p.next()
				s := p.step()
				if names[s.Name] {
					p.fail(at, "the step %q stands twice", s.Name)
				}
				names[s.Name] = true
				r.Steps = append(r.Steps, s)
			})
		},
	})
	if p.err != nil {
		return Record{}, p.err
	}
	return r, nil
}

func (p *parser) step() Step {
	var s Step
	p.object("a step", []string{"name", "phase", "runs", "grants"}, []string{"role", "digest", "optional"}, map[string]func(string){
		"name":     func(key string) { s.Name = p.text(key) },
		"phase":    func(key string) { s.Phase = p.oneOf(key, phases) },
		"role":     func(key string) { s.Role = p.text(key) },
		"digest":   func(key string) { s.Digest = p.text(key) },
		"runs":     func(key string) { s.Runs = p.integer(key) },
		"grants":   func(key string) { s.Grants = p.entries(key, []string{"resource", "necessity"}, necessities) },
		"optional": func(key string) { s.Optional = p.entries(key, nil, []string{optional}) },
	})
	return s
}

// entries reads a list of entries that must have a permission and the required
// keys, and whose necessity is one of the given.
func (p *parser) entries(key string, required, necessities []string) []Entry {
	var entries []Entry
	seen := make(map[Entry]bool)
	p.list(key, func() {
		at := p.next()
		var e Entry
		others := []string{"resource", "condition", "necessity", "request", "purpose", "flag"}
		if len(required) > 0 {
			others = append(others, "difference")
		}
		others = slices.DeleteFunc(others, func(k string) bool { return slices.Contains(required, k) })
		p.object("a grant", append([]string{"permission"}, required...), others, map[string]func(string){
			"permission": func(key string) { e.Permission = p.text(key) },
			"resource":   func(key string) { e.Resource = p.text(key) },
			"condition":  func(key string) { e.Condition = p.condition(key) },
			"necessity":  func(key string) { e.Necessity = p.oneOf(key, necessities) },
			"request":    func(key string) { e.Request = p.text(key) },
			"purpose":    func(key string) { e.Purpose = p.text(key) },
			"flag":       func(key string) { e.Flag = p.text(key) },
			"difference": func(key string) { e.Difference = p.text(key) },
		})
		id := Entry{Permission: e.Permission, Resource: e.Resource, Condition: e.Condition}
		if seen[id] {
			p.fail(at, "%s stands twice", e.Grant())
		}
		seen[id] = true
		entries = append(entries, e)
	})
	return entries
}

// next is where the next token starts.
func (p *parser) next() int {
	at := int(p.dec.InputOffset())
	for at < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[at]) >= 0 {
		at++
	}
	return at
}

// token is the next token and where it starts. Errors cannot be: the syntax
// was checked.
func (p *parser) token() (json.Token, int) {
	at := p.next()
	t, err := p.dec.Token()
	if err != nil {
		p.fail(at, "not JSON: %v", err)
	}
	return t, at
}

// object reads an object's keys with the given functions, each key once, those
// that are required each.
func (p *parser) object(what string, required, others []string, read map[string]func(key string)) {
	t, at := p.token()
	if t != json.Delim('{') {
		p.fail(at, "%s is an object, {…}, not %s", what, kind(t))
		return
	}
	seen := make(map[string]bool)
	for p.err == nil && p.dec.More() {
		t, at := p.token()
		key, _ := t.(string)
		switch {
		case seen[key]:
			p.fail(at, "%q stands twice", key)
		case read[key] == nil:
			p.fail(at, "unknown key %q; %s has %s", key, what, strings.Join(slices.Concat(required, others), ", "))
		default:
			seen[key] = true
			read[key](key)
		}
	}
	for _, key := range required {
		if !seen[key] {
			p.fail(at, "%s has no %q", what, key)
		}
	}
	if p.err == nil {
		p.token() // the closing brace
	}
}

func (p *parser) list(key string, each func()) {
	t, at := p.token()
	if t != json.Delim('[') {
		p.fail(at, "%q is a list, […], not %s", key, kind(t))
		return
	}
	for p.err == nil && p.dec.More() {
		each()
	}
	if p.err == nil {
		p.token() // the closing bracket
	}
}

// texts reads an object of texts.
func (p *parser) texts(what string) map[string]string {
	t, at := p.token()
	if t != json.Delim('{') {
		p.fail(at, "%q is an object, {…}, not %s", what, kind(t))
		return nil
	}
	texts := make(map[string]string)
	for p.err == nil && p.dec.More() {
		t, at := p.token()
		key, _ := t.(string)
		if _, ok := texts[key]; ok {
			p.fail(at, "%q stands twice", key)
		}
		texts[key] = p.textOrNone(key)
	}
	if p.err == nil {
		p.token() // the closing brace
	}
	return texts
}

// text reads a text that is not empty: what is not known is left out.
func (p *parser) text(key string) string {
	at := p.next()
	s := p.textOrNone(key)
	if s == "" {
		p.fail(at, "%q is empty", key)
	}
	return s
}

// condition reads an object that says when a grant holds.
func (p *parser) condition(key string) string {
	at := p.next()
	var raw json.RawMessage
	if err := p.dec.Decode(&raw); err != nil {
		p.fail(at, "%q: %v", key, err)
		return ""
	}
	c, err := grant.ParseCondition(string(raw))
	if err != nil {
		p.fail(at, "%q: %v", key, err)
	}
	return c.String()
}

func (p *parser) textOrNone(key string) string {
	t, at := p.token()
	s, ok := t.(string)
	if !ok {
		p.fail(at, "%q is a text, not %s", key, kind(t))
	}
	return s
}

func (p *parser) oneOf(key string, values []string) string {
	at := p.next()
	s := p.text(key)
	if p.err == nil && !slices.Contains(values, s) {
		p.fail(at, "%q is %s, not %q", key, strings.Join(values, " or "), s)
	}
	return s
}

func (p *parser) boolean(key string) bool {
	t, at := p.token()
	b, ok := t.(bool)
	if !ok {
		p.fail(at, "%q is true or false, not %s", key, kind(t))
	}
	return b
}

func (p *parser) integer(key string) int {
	t, at := p.token()
	n, ok := t.(json.Number)
	i, err := strconv.Atoi(string(n))
	switch {
	case !ok:
		p.fail(at, "%q is a whole number, not %s", key, kind(t))
	case err != nil || i < 0:
		p.fail(at, "%q is a whole number from 0, not %s", key, n)
	}
	return i
}

// kind is what a token is, in words.
func kind(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return "a list"
		}
		return "an object"
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return strconv.FormatBool(t)
	}
	return "null"
}
