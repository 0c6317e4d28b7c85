// Package policy reads and writes AWS IAM policy documents.
//
// It goes both ways between a [grant.Set] and a document without adding or
// losing anything, and measures documents against IAM's quotas. What documents
// allow is decided by package evaluate, below.
//
// It does no I/O and holds no table of what services and actions exist.
//
// Rules are cited by page of the IAM user guide: "elements_resource" stands for
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html,
// "grammar" for reference_policies_grammar.html, and so on.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The versions of the policy language (elements_version). A document without
// a version is read as Version2008.
const (
	Version2012 = "2012-10-17"
	Version2008 = "2008-10-17"
)

// The effects a statement can have (elements_effect); they are case-sensitive.
const (
	EffectAllow = "Allow"
	EffectDeny  = "Deny"
)

// Document is one policy document.
type Document struct {
	// Version is Version2012, Version2008 or empty.
	Version string
	// ID is the document's optional "Id".
	ID         string
	Statements []Statement
}

// Statement is one statement of a document. Of each pair X and NotX at most
// one is set; a list that is set is never empty.
type Statement struct {
	Sid    string
	Effect string // EffectAllow or EffectDeny
	// Principal and NotPrincipal map "AWS", "Service", "Federated" and
	// "CanonicalUser" to who is meant. Everyone, "Principal": "*", is
	// {"*": {"*"}}. Only resource-based and trust policies have them.
	Principal    map[string][]string
	NotPrincipal map[string][]string
	Action       []string
	NotAction    []string
	// Resource and NotResource are both nil in a role's trust policy.
	Resource    []string
	NotResource []string
	// Condition maps operator to condition key to values. Booleans and numbers
	// of the document are kept as they were written.
	Condition map[string]map[string][]string
}

// Parse reads a document. It is strict: an element it does not know, one that
// is there twice, an empty list, both of a pair X and NotX, or an action or
// resource that cannot be one is an error, since a document that is not
// understood in full must not be evaluated. Undoing the URL encoding in which
// IAM returns documents is the caller's.
func Parse(data []byte) (Document, error) {
	d, err := parse(data)
	if err != nil {
		return Document{}, fmt.Errorf("policy document: %w", err)
	}
	return d, nil
}

func parse(data []byte) (Document, error) {
	// encoding/json would replace what is not UTF-8, and so change a name.
	if !utf8.Valid(data) {
		return Document{}, errors.New("not UTF-8 text")
	}
	elements, err := members(data)
	if err != nil {
		return Document{}, err
	}
	var d Document
	seen := false
	for _, e := range elements {
		switch e.key {
		case "Version":
			if d.Version, err = str(e.value); err == nil && d.Version != Version2012 && d.Version != Version2008 {
				err = fmt.Errorf("%q is none of %q and %q", d.Version, Version2012, Version2008)
			}
		case "Id":
			d.ID, err = str(e.value)
		case "Statement":
			seen = true
			d.Statements, err = parseStatements(e.value)
		default:
			err = errors.New("unknown element; IAM knows Version, Id and Statement here")
		}
		if err != nil {
			return Document{}, fmt.Errorf("%s: %w", e.key, err)
		}
	}
	if !seen {
		return Document{}, errors.New("has no Statement")
	}
	return d, nil
}

// parseStatements reads a statement or a list of them (grammar). An empty
// list is taken: it allows nothing, and a role that holds nothing is written so.
func parseStatements(raw json.RawMessage) ([]Statement, error) {
	items := []json.RawMessage{raw}
	if bytes.HasPrefix(raw, []byte("[")) {
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, err
		}
	}
	var list []Statement
	for i, item := range items {
		s, err := parseStatement(item)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Place(i), err)
		}
		list = append(list, s)
	}
	return list, nil
}

func parseStatement(raw json.RawMessage) (Statement, error) {
	elements, err := members(raw)
	if err != nil {
		return Statement{}, err
	}
	var s Statement
	for _, e := range elements {
		switch e.key {
		case "Sid":
			s.Sid, err = str(e.value)
		case "Effect":
			s.Effect, err = str(e.value)
		case "Principal":
			s.Principal, err = parsePrincipal(e.value)
		case "NotPrincipal":
			s.NotPrincipal, err = parsePrincipal(e.value)
		case "Action":
			s.Action, err = parseList(e.value, checkAction)
		case "NotAction":
			s.NotAction, err = parseList(e.value, checkAction)
		case "Resource":
			s.Resource, err = parseList(e.value, checkResource)
		case "NotResource":
			s.NotResource, err = parseList(e.value, checkResource)
		case "Condition":
			s.Condition, err = parseCondition(e.value)
		default:
			err = errors.New("unknown element; a statement has Sid, Effect, Principal, Action, Resource, Condition and the Not forms of them")
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", e.key, err)
		}
	}
	return s, s.check()
}

// check finds what a single element cannot show (grammar).
func (s Statement) check() error {
	switch {
	case s.Effect != EffectAllow && s.Effect != EffectDeny:
		return fmt.Errorf("effect is %q, not %q or %q", s.Effect, EffectAllow, EffectDeny)
	case s.Action == nil && s.NotAction == nil:
		return errors.New("has neither Action nor NotAction")
	case s.Action != nil && s.NotAction != nil:
		return errors.New("has both Action and NotAction; keep one")
	case s.Resource != nil && s.NotResource != nil:
		return errors.New("has both Resource and NotResource; keep one")
	case s.Principal != nil && s.NotPrincipal != nil:
		return errors.New("has both Principal and NotPrincipal; keep one")
	case s.NotPrincipal != nil && s.Effect != EffectDeny:
		// elements_notprincipal: not supported with Allow.
		return errors.New("has NotPrincipal with Allow, which IAM does not support; name the principals in Principal")
	}
	return nil
}

// checkAction: a vendor, a colon and a name, or everything (elements_action).
// A vendor cannot hold a wildcard, but for "*:*", which IAM takes too.
func checkAction(a string) error {
	if a == "*" || a == "*:*" {
		return nil
	}
	vendor, name, ok := strings.Cut(a, ":")
	if !ok || vendor == "" || name == "" || strings.ContainsAny(vendor, "*?$") {
		return fmt.Errorf("%q is no action: service:Name or *", a)
	}
	return nil
}

// checkResource: an ARN or everything (elements_resource). Variables may stand
// after the fifth colon only (policies_variables).
func checkResource(r string) error {
	if r != "*" && !strings.HasPrefix(r, "arn:") {
		return fmt.Errorf("%q is no resource: an ARN or *", r)
	}
	return nil
}

func parseList(raw json.RawMessage, check func(string) error) ([]string, error) {
	list, err := oneOrMore(raw, str)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if err := check(v); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parsePrincipal reads "*" or an object of principal types (elements_principal).
func parsePrincipal(raw json.RawMessage) (map[string][]string, error) {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		who, err := str(raw)
		if err == nil && who != "*" {
			err = fmt.Errorf(`%q is no principal: "*" or {"AWS": …}, {"Service": …}`, who)
		}
		if err != nil {
			return nil, err
		}
		return map[string][]string{"*": {"*"}}, nil
	}
	types, err := members(raw)
	if err != nil {
		return nil, err
	}
	if len(types) == 0 {
		return nil, errors.New("names nobody")
	}
	p := map[string][]string{}
	for _, t := range types {
		switch t.key {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return nil, fmt.Errorf("%s: unknown type of principal; IAM knows AWS, Service, Federated and CanonicalUser", t.key)
		}
		if p[t.key], err = oneOrMore(t.value, str); err != nil {
			return nil, fmt.Errorf("%s: %w", t.key, err)
		}
	}
	return p, nil
}

// parseCondition reads operator → key → values (elements_condition). An empty
// object is no condition.
func parseCondition(raw json.RawMessage) (map[string]map[string][]string, error) {
	operators, err := members(raw)
	if err != nil || len(operators) == 0 {
		return nil, err
	}
	c := map[string]map[string][]string{}
	for _, o := range operators {
		keys, err := members(o.value)
		if err == nil && len(keys) == 0 {
			err = errors.New("tests no key")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.key, err)
		}
		c[o.key] = map[string][]string{}
		for _, k := range keys {
			if c[o.key][k.key], err = oneOrMore(k.value, scalar); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", o.key, k.key, err)
			}
		}
	}
	return c, nil
}

type member struct {
	key   string
	value json.RawMessage
}

// members reads a JSON object. Each key may be there once: the grammar says so,
// and of two readers of a document one would see the first, one the last.
func members(raw []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if open != json.Delim('{') {
		return nil, errors.New("is not an object")
	}
	var list []member
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		name := key.(string) // an object's keys are strings, or Token fails
		if seen[name] {
			return nil, fmt.Errorf("%s: is there twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: not JSON: %w", name, err)
		}
		list = append(list, member{name, value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("has text after its end")
	}
	return list, nil
}

// oneOrMore reads a value or a list of at least one.
func oneOrMore(raw json.RawMessage, one func(json.RawMessage) (string, error)) ([]string, error) {
	if !bytes.HasPrefix(raw, []byte("[")) {
		v, err := one(raw)
		if err != nil {
			return nil, err
		}
		return []string{v}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, errors.New("is an empty list")
	}
	list := make([]string, len(items))
	for i, item := range items {
		var err error
		if list[i], err = one(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func str(raw json.RawMessage) (string, error) {
	var s string
	if !bytes.HasPrefix(raw, []byte(`"`)) {
		return "", fmt.Errorf("%.40s is not a string", raw)
	}
	err := json.Unmarshal(raw, &s)
	return s, err
}

// scalar is a condition's value: a string, a boolean or a number (grammar).
func scalar(raw json.RawMessage) (string, error) {
	switch c := raw[0]; {
	case c == '"':
		return str(raw)
	case c == 't', c == 'f', c == '-', '0' <= c && c <= '9':
		return string(raw), nil
	}
	return "", fmt.Errorf("%.40s is not a string, boolean or number", raw)
}

// Place names the statement in errors, as the one with index i in its document.
func (s Statement) Place(i int) string {
	if s.Sid != "" {
		return fmt.Sprintf("statement %d (%s)", i+1, s.Sid)
	}
	return fmt.Sprintf("statement %d", i+1)
}

// MarshalJSON writes the document without whitespace, with its elements in
// IAM's usual order: equal documents give equal bytes. A list of one is
// written as its element, which saves characters of the quota.
func (d Document) MarshalJSON() ([]byte, error) { return d.compact(), nil }

// Print writes the document for people: indented by two spaces, the same bytes
// each time, with a newline at its end.
func (d Document) Print() []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, d.compact(), "", "  ") // fails on invalid JSON only
	b.WriteByte('\n')
	return b.Bytes()
}

func (d Document) compact() []byte {
	var w writer
	w.open('{')
	if d.Version != "" {
		w.text("Version", d.Version)
	}
	if d.ID != "" {
		w.text("Id", d.ID)
	}
	w.key("Statement")
	w.open('[')
	for _, s := range d.Statements {
		w.sep()
		w.statement(s)
	}
	w.close(']')
	w.close('}')
	return w.Bytes()
}

// writer writes JSON by hand: encoding/json would spend six characters of the
// quota on each of <, > and &, and order a struct's fields but not a map's.
type writer struct {
	bytes.Buffer
	first bool
}

func (w *writer) open(c byte) { w.WriteByte(c); w.first = true }

func (w *writer) close(c byte) { w.WriteByte(c); w.first = false }

func (w *writer) sep() {
	if !w.first {
		w.WriteByte(',')
	}
	w.first = false
}

func (w *writer) key(k string) {
	w.sep()
	w.quote(k)
	w.WriteByte(':')
}

func (w *writer) quote(s string) {
	enc := json.NewEncoder(&w.Buffer)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       // a string can be encoded, a Buffer written
	w.Truncate(w.Len() - 1) // Encode ends with a newline
}

func (w *writer) text(key, value string) {
	w.key(key)
	w.quote(value)
}

func (w *writer) list(key string, values []string) {
	if values == nil {
		return
	}
	w.key(key)
	if len(values) == 1 {
		w.quote(values[0])
		return
	}
	w.open('[')
	for _, v := range values {
		w.sep()
		w.quote(v)
	}
	w.close(']')
}

func (w *writer) principal(key string, p map[string][]string) {
	if p == nil {
		return
	}
	if everyone := p["*"]; len(p) == 1 && len(everyone) == 1 && everyone[0] == "*" {
		w.text(key, "*")
		return
	}
	w.key(key)
	w.lists(p)
}

func (w *writer) lists(m map[string][]string) {
	w.open('{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.list(k, m[k])
	}
	w.close('}')
}

func (w *writer) statement(s Statement) {
	w.open('{')
	if s.Sid != "" {
		w.text("Sid", s.Sid)
	}
	w.text("Effect", s.Effect)
	w.principal("Principal", s.Principal)
	w.principal("NotPrincipal", s.NotPrincipal)
	w.list("Action", s.Action)
	w.list("NotAction", s.NotAction)
	w.list("Resource", s.Resource)
	w.list("NotResource", s.NotResource)
	if len(s.Condition) > 0 {
		w.key("Condition")
		w.open('{')
		for _, op := range slices.Sorted(maps.Keys(s.Condition)) {
			w.key(op)
			w.lists(s.Condition[op])
		}
		w.close('}')
	}
	w.close('}')
}
