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
	"maps"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/policy/jsontree"
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
// understood in full must not be evaluated. Errors hold a [*jsontree.Error],
// which says where. Undoing the URL encoding in which IAM returns documents is
// the caller's.
func Parse(data []byte) (Document, error) {
	d, err := parse(data)
	if err != nil {
		return Document{}, fmt.Errorf("policy document: %w", err)
	}
	return d, nil
}

func parse(data []byte) (Document, error) {
	root, err := jsontree.Parse(data)
	if err != nil {
		return Document{}, err
	}
	elements, err := members(root)
	if err != nil {
		return Document{}, err
	}
	var d Document
	seen := false
	for _, e := range elements {
		switch e.Key {
		case "Version":
			if d.Version, err = str(e.Value); err == nil && d.Version != Version2012 && d.Version != Version2008 {
				err = fmt.Errorf("%q is none of %q and %q", d.Version, Version2012, Version2008)
			}
		case "Id":
			d.ID, err = str(e.Value)
		case "Statement":
			seen = true
			d.Statements, err = parseStatements(e.Value)
		default:
			err = errors.New("unknown element; IAM knows Version, Id and Statement here")
		}
		if err != nil {
			return Document{}, jsontree.Place(e.At, fmt.Errorf("%s: %w", e.Key, err))
		}
	}
	if !seen {
		return Document{}, jsontree.Place(root.At, errors.New("has no Statement"))
	}
	return d, nil
}

// parseStatements reads a statement or a list of them (grammar). An empty
// list is taken: it allows nothing, and a role that holds nothing is written so.
func parseStatements(n jsontree.Node) ([]Statement, error) {
	items := []jsontree.Node{n}
	if n.Kind == jsontree.List {
		items = n.Items
	}
	var list []Statement
	for i, item := range items {
		s, err := parseStatement(item)
		if err != nil {
			return nil, jsontree.Place(item.At, fmt.Errorf("%s: %w", s.Place(i), err))
		}
		list = append(list, s)
	}
	return list, nil
}

func parseStatement(n jsontree.Node) (Statement, error) {
	elements, err := members(n)
	if err != nil {
		return Statement{}, err
	}
	var s Statement
	for _, e := range elements {
		switch e.Key {
		case "Sid":
			s.Sid, err = str(e.Value)
		case "Effect":
			s.Effect, err = str(e.Value)
		case "Principal":
			s.Principal, err = parsePrincipal(e.Value)
		case "NotPrincipal":
			s.NotPrincipal, err = parsePrincipal(e.Value)
		case "Action":
			s.Action, err = parseList(e.Value, checkAction)
		case "NotAction":
			s.NotAction, err = parseList(e.Value, checkAction)
		case "Resource":
			s.Resource, err = parseList(e.Value, checkResource)
		case "NotResource":
			s.NotResource, err = parseList(e.Value, checkResource)
		case "Condition":
			s.Condition, err = parseCondition(e.Value)
		default:
			err = errors.New("unknown element; a statement has Sid, Effect, Principal, Action, Resource, Condition and the Not forms of them")
		}
		if err != nil {
			return s, jsontree.Place(e.At, fmt.Errorf("%s: %w", e.Key, err))
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

func parseList(n jsontree.Node, check func(string) error) ([]string, error) {
	return oneOrMore(n, func(n jsontree.Node) (string, error) {
		v, err := str(n)
		if err == nil {
			err = check(v)
		}
		return v, err
	})
}

// parsePrincipal reads "*" or an object of principal types (elements_principal).
func parsePrincipal(n jsontree.Node) (map[string][]string, error) {
	if n.Kind == jsontree.String {
		if n.Text != "*" {
			return nil, fmt.Errorf(`%q is no principal: "*" or {"AWS": …}, {"Service": …}`, n.Text)
		}
		return map[string][]string{"*": {"*"}}, nil
	}
	types, err := members(n)
	if err != nil {
		return nil, err
	}
	if len(types) == 0 {
		return nil, errors.New("names nobody")
	}
	p := map[string][]string{}
	for _, t := range types {
		switch t.Key {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return nil, fmt.Errorf("%s: unknown type of principal; IAM knows AWS, Service, Federated and CanonicalUser", t.Key)
		}
		if p[t.Key], err = oneOrMore(t.Value, str); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Key, err)
		}
	}
	return p, nil
}

// parseCondition reads operator → key → values (elements_condition). An empty
// object is no condition.
func parseCondition(n jsontree.Node) (map[string]map[string][]string, error) {
	operators, err := members(n)
	if err != nil || len(operators) == 0 {
		return nil, err
	}
	c := map[string]map[string][]string{}
	for _, o := range operators {
		keys, err := members(o.Value)
		if err == nil && len(keys) == 0 {
			err = errors.New("tests no key")
		}
		if err != nil {
			return nil, jsontree.Place(o.At, fmt.Errorf("%s: %w", o.Key, err))
		}
		c[o.Key] = map[string][]string{}
		for _, k := range keys {
			if c[o.Key][k.Key], err = oneOrMore(k.Value, scalar); err != nil {
				return nil, jsontree.Place(k.At, fmt.Errorf("%s: %s: %w", o.Key, k.Key, err))
			}
		}
	}
	return c, nil
}

// members are an object's. Each key may be there once: the grammar says so, and
// of two readers of a document one would see the first, one the last.
func members(n jsontree.Node) ([]jsontree.Member, error) {
	if n.Kind != jsontree.Object {
		return nil, jsontree.Place(n.At, errors.New("is not an object"))
	}
	seen := map[string]bool{}
	for _, m := range n.Members {
		if seen[m.Key] {
			return nil, jsontree.Place(m.At, fmt.Errorf("%s: is there twice", m.Key))
		}
		seen[m.Key] = true
	}
	return n.Members, nil
}

// oneOrMore reads a value or a list of at least one.
func oneOrMore(n jsontree.Node, one func(jsontree.Node) (string, error)) ([]string, error) {
	items := []jsontree.Node{n}
	if n.Kind == jsontree.List {
		items = n.Items
	}
	if len(items) == 0 {
		return nil, errors.New("is an empty list")
	}
	list := make([]string, len(items))
	for i, item := range items {
		var err error
		if list[i], err = one(item); err != nil {
			return nil, jsontree.Place(item.At, err)
		}
	}
	return list, nil
}

func str(n jsontree.Node) (string, error) {
	if n.Kind != jsontree.String {
		return "", jsontree.Place(n.At, fmt.Errorf("%.40s is not a string", n.Raw))
	}
	return n.Text, nil
}

// scalar is a condition's value: a string, a boolean or a number (grammar).
func scalar(n jsontree.Node) (string, error) {
	switch n.Kind {
	case jsontree.String:
		return n.Text, nil
	case jsontree.Bool, jsontree.Number:
		return n.Raw, nil
	}
	return "", fmt.Errorf("%.40s is not a string, boolean or number", n.Raw)
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
