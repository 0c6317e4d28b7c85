// Package strictyaml reads a YAML file whose keys are all known, and gathers
// everything that is wrong with it, each with its place and the line itself, in
// the file's own words. It decides nothing about what the values mean.
//
// Decoding into Go types would lose where a thing stands, and speak of Go types.
package strictyaml

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxSize is the most that a file may hold, in bytes: ten times what
// anyone writes by hand, and little enough for any nesting to be read.
const maxSize = 256 << 10

// Node is a value of the file.
type Node = ast.Node

// Reader reads one file. What is wrong is gathered, see [Reader.Err]: methods
// that read a value give the zero value for one that is wrong.
type Reader struct {
	*source
	vocabulary []Words
	errs       []*Error
	anchors    map[string]ast.Node
}

// Words are the keys that may stand in one place of the file.
type Words struct {
	Keys  []string
	Where string // "a key of a step"
}

// New makes a reader of a file's text. The vocabulary is all the keys of the
// file: it tells where a misplaced one belongs, and what in a file that cannot
// be read is a key and what may be a secret.
func New(file string, data []byte, vocabulary []Words) *Reader {
	return &Reader{source: newSource(file, data), vocabulary: vocabulary}
}

// Err is what was found wrong, in the order of the file: nil, an [*Error], or
// several joined.
func (r *Reader) Err() error { return join(r.errs) }

// Mistakes is how many things were found wrong so far.
func (r *Reader) Mistakes() int { return len(r.errs) }

// WrongAt tells whether something in the line was found wrong already: what
// follows from it need not be said.
func (r *Reader) WrongAt(at Place) bool {
	return slices.ContainsFunc(r.errs, func(e *Error) bool { return e.Line == at.Line })
}

// Place is where a value stands, from 1. Col counts characters.
type Place struct{ Line, Col int }

// Open reads the YAML itself and gives its root: nil for an empty file, and for
// one that is not YAML.
func (r *Reader) Open() (root Node) {
	if r.size > maxSize {
		r.Fail(Place{1, 1}, "the file has %d KiB, and %d is the most", r.size>>10, maxSize>>10)
		return nil
	}
	// What the reader cannot stand must not end the program: the file is wrong.
	defer func() {
		if p := recover(); p != nil {
			root = nil
			r.Fail(Place{1, 1}, "not YAML: the reader gave up on it (%v)", p)
		}
	}()
	file, err := parser.ParseBytes([]byte(strings.Join(r.lines, "\n")+"\n"), 0)
	if err != nil {
		r.syntax(err)
		return nil
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) == 0 {
		return nil
	}
	if len(docs) > 1 {
		r.Fail(placeOf(docs[1]), "a second document: the file holds one")
	}
	r.anchors = make(map[string]ast.Node)
	ast.Walk(anchorsIn(r.anchors), docs[0])
	return docs[0]
}

// anchorsIn gathers the anchored values of a tree.
type anchorsIn map[string]ast.Node

func (m anchorsIn) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil {
		m[a.Name.String()] = a.Value
	}
	return m
}

var keyTwice = regexp.MustCompile(`^mapping key ("[^"]*") already defined at \[(\d+):\d+\]$`)

// syntax restates an error of the YAML reader.
func (r *Reader) syntax(err error) {
	at, msg := Place{1, 1}, "not YAML"
	var ye yaml.Error
	if errors.As(err, &ye) {
		at, msg = placeOfToken(ye.GetToken()), "not YAML: "+ye.GetMessage()
		if m := keyTwice.FindStringSubmatch(ye.GetMessage()); m != nil {
			msg = fmt.Sprintf("%s stands twice: it is in line %s already", m[1], m[2])
		}
	}
	line := ""
	if at.Line >= 1 && at.Line <= len(r.lines) {
		line = r.lines[at.Line-1]
	}
	switch {
	case strings.Contains(line, "\t"):
		msg += " (YAML is indented with spaces, not with tabs)"
	case strings.Contains(line, "*"):
		msg += " (a value that begins with * must be in quotes)"
	}
	// Nobody knows what is a value and what is not in a file that cannot be
	// read, so what follows an unknown key is not shown.
	if i := r.unknownKeyEnd(line); i > 0 {
		r.masks = append(r.masks, span{line: at.Line, col: i + 1})
	}
	r.Fail(at, "%s", msg)
}

var keyLike = regexp.MustCompile(`([^\s{}\[\],:"']+)["']?\s*[:=]\s*`)

// unknownKeyEnd is the number of characters before the value of the first key
// in the line that is not one of the file's, 0 if there is none. A line that
// has no key at all may be the rest of a value.
func (r *Reader) unknownKeyEnd(line string) int {
	found := keyLike.FindAllStringSubmatchIndex(line, -1)
	if len(found) == 0 {
		return len(line) - len(strings.TrimLeft(line, " \t-")) + 1
	}
	var known []string
	for _, w := range r.vocabulary {
		known = append(known, w.Keys...)
	}
	for _, m := range found {
		key := line[m[2]:m[3]]
		if !slices.Contains(known, key) && Nearest(key, known) == "" {
			return len([]rune(line[:m[1]]))
		}
	}
	return 0
}

// Fail notes that something is wrong at a place.
func (r *Reader) Fail(at Place, format string, args ...any) {
	r.errs = append(r.errs, r.at(at.Line, at.Col, format, args...))
}

// value is what a node stands for: without its anchor and tag, an alias
// replaced by what it names.
func (r *Reader) value(n ast.Node) ast.Node {
	for range 100 { // an alias can name itself
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		case *ast.AliasNode:
			n = r.anchors[v.Value.String()]
		default:
			return n
		}
	}
	return nil
}

// Entry is one key of a map with its value.
type Entry struct {
	Key   string
	At    Place // of the key
	value ast.Node
}

// entries lists a map's keys; what says whose map it is, wants what it takes.
func (r *Reader) entries(n ast.Node, at Place, what, wants string) ([]Entry, bool) {
	var values []*ast.MappingValueNode
	switch v := r.value(n).(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	default:
		r.Fail(r.In(n, at), "%s takes %s, not %s", what, wants, r.Kind(n))
		return nil, false
	}
	var entries []Entry
	for _, v := range values {
		at := placeOf(v.Key)
		switch k := v.Key.(type) {
		case *ast.StringNode:
			entries = append(entries, Entry{k.Value, at, v.Value})
		case *ast.MergeKeyNode:
			r.Fail(at, "<< is not used here: write the keys out, or give a whole value an anchor")
		case ast.ScalarNode:
			entries = append(entries, Entry{k.GetToken().Value, at, v.Value})
		default:
			r.Fail(at, "a key is a word")
		}
	}
	return entries, true
}

// Fields reads a map whose keys are known, each by its function. It gives where
// the keys are that it found.
func (r *Reader) Fields(n ast.Node, at Place, what, wants string, keys []string, read map[string]func(ast.Node, Place)) map[string]Place {
	entries, ok := r.entries(n, at, what, wants)
	if !ok {
		return nil
	}
	found := make(map[string]Place)
	for _, e := range entries {
		if _, ok := found[e.Key]; ok { // an anchor can hide it from the YAML reader
			r.Fail(e.At, "%q stands twice", e.Key)
			continue
		}
		f, ok := read[e.Key]
		if !ok {
			r.Fail(e.At, "unknown key %q%s", e.Key, r.hint(e.Key, keys))
			continue
		}
		found[e.Key] = e.At
		f(e.value, e.At)
	}
	return found
}

// hint says what may have been meant by an unknown key.
func (r *Reader) hint(key string, keys []string) string {
	if n := Nearest(key, keys); n != "" {
		return fmt.Sprintf(" (did you mean %q?)", n)
	}
	for _, other := range r.vocabulary {
		if slices.Contains(other.Keys, key) {
			return fmt.Sprintf(" (it is %s; here may stand: %s)", other.Where, strings.Join(keys, ", "))
		}
	}
	return fmt.Sprintf(" (here may stand: %s)", strings.Join(keys, ", "))
}

// Text reads a text that is not empty. What looks like a number is one unless
// it is in quotes.
func (r *Reader) Text(n ast.Node, at Place, key string) string {
	s, ok := r.TextOf(n)
	switch {
	case !ok && r.Kind(n) == "nothing":
		r.Fail(r.In(n, at), "%q has no value", key)
	case !ok:
		r.Fail(r.In(n, at), "%q takes a text, not %s%s", key, r.Kind(n), quotes(r.value(n)))
	case s == "":
		r.Fail(r.In(n, at), "%q is empty", key)
	case strings.ContainsRune(s, 0):
		r.Fail(r.In(n, at), "%q holds a NUL character", key)
	}
	return s
}

// quotes says how to make a text of a number.
func quotes(n ast.Node) string {
	if s, ok := n.(ast.ScalarNode); ok && n.Type() != ast.NullType {
		return fmt.Sprintf(": write \"%s\"", s.GetToken().Value)
	}
	return ""
}

// TextOf is a value that is a text; false if it is none.
func (r *Reader) TextOf(n ast.Node) (string, bool) {
	switch v := r.value(n).(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	}
	return "", false
}

// Written reads a text, or a number or truth value as it is written.
func (r *Reader) Written(n ast.Node) (string, bool) {
	if s, ok := r.TextOf(n); ok {
		return s, true
	}
	switch v := r.value(n).(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.GetToken().Value, true
	}
	return "", false
}

// OneOf reads a text that is one of a few.
func (r *Reader) OneOf(n ast.Node, at Place, key string, values []string) string {
	had := len(r.errs)
	s := r.Text(n, at, key)
	if len(r.errs) > had || slices.Contains(values, s) {
		return s
	}
	if m := Nearest(s, values); m != "" {
		r.Fail(r.In(n, at), "%q cannot be %q (did you mean %q?)", key, s, m)
	} else {
		r.Fail(r.In(n, at), "%q cannot be %q; it is %s", key, s, strings.Join(values, " or "))
	}
	return s
}

// Boolean reads true or false.
func (r *Reader) Boolean(n ast.Node, at Place, key string) bool {
	if b, ok := r.value(n).(*ast.BoolNode); ok {
		return b.Value
	}
	r.Fail(r.In(n, at), "%q takes true or false, not %s", key, r.Kind(n))
	return false
}

// List gives a list's values; false if it is none.
func (r *Reader) List(n Node) ([]Node, bool) {
	seq, ok := r.value(n).(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	return seq.Values, true
}

// Item is one text of a list.
type Item struct {
	Text string
	At   Place
}

// Texts reads a list of texts. One text alone is a list of one where alone is
// set; what numbers and truth values say is taken as it is written where
// asWritten is set.
func (r *Reader) Texts(n ast.Node, at Place, key string, alone, asWritten bool) []Item {
	seq, ok := r.value(n).(*ast.SequenceNode)
	if !ok {
		if alone {
			if _, ok := r.TextOf(n); ok {
				return []Item{{r.Text(n, at, key), r.In(n, at)}}
			}
			r.Fail(r.In(n, at), "%q takes a text or a list of texts, not %s%s", key, r.Kind(n), quotes(r.value(n)))
			return nil
		}
		r.Fail(r.In(n, at), "%q takes a list, not %s: write %s: […]", key, r.Kind(n), key)
		return nil
	}
	var items []Item
	for _, v := range seq.Values {
		at := r.In(v, at)
		if s, ok := r.Written(v); ok && asWritten {
			items = append(items, Item{s, at})
			continue
		}
		items = append(items, Item{r.Text(v, at, key), at})
	}
	return items
}

// Variables reads a map of names to values. The values are masked in errors.
func (r *Reader) Variables(n ast.Node, at Place, key string) []Entry {
	r.maskAll(n)
	entries, _ := r.entries(n, at, fmt.Sprintf("%q", key), "a map of names to values")
	return entries
}

// Variable reads the value of one of [Reader.Variables].
func (r *Reader) Variable(e Entry, key string) string {
	s, ok := r.Written(e.value)
	if !ok {
		r.Fail(r.In(e.value, e.At), "%s in %q takes a text, a number, true or false, not %s: write it as a text, in quotes", e.Key, key, r.Kind(e.value))
	}
	if strings.ContainsRune(s, 0) {
		r.Fail(e.At, "%s in %q holds a NUL character", e.Key, key)
	}
	return s
}

// maskAll keeps every scalar below n out of errors.
func (r *Reader) maskAll(n ast.Node) {
	switch v := r.value(n).(type) {
	case *ast.MappingNode:
		for _, m := range v.Values {
			r.maskAll(m.Value)
		}
	case *ast.MappingValueNode:
		r.maskAll(v.Value)
	case *ast.SequenceNode:
		for _, s := range v.Values {
			r.maskAll(s)
		}
	case *ast.LiteralNode:
		p := placeOf(v)
		r.mask(p.Line, p.Col, v.GetToken().Value+"\n"+strings.TrimSuffix(v.Value.GetToken().Origin, "\n"))
	case ast.ScalarNode:
		if v.Type() != ast.NullType {
			p := placeOf(v)
			r.mask(p.Line, p.Col, v.GetToken().Origin)
		}
	}
}

// Kind is what a value is, in the file's words.
func (r *Reader) Kind(n ast.Node) string {
	switch r.value(n).(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "nothing"
}

// In is where a value stands: where it is used, not where its anchor is.
// For a value left out it is the key's place.
func (r *Reader) In(n ast.Node, key Place) Place {
	switch v := n.(type) {
	case nil:
		return key
	case *ast.NullNode:
		return key
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return placeOfToken(v.GetToken())
	}
	return placeOf(n)
}

// placeOf is where a node begins.
func placeOf(n ast.Node) Place {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 { // its own token is a colon
			return placeOf(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return placeOf(v.Key)
	}
	if n == nil {
		return Place{1, 1}
	}
	return placeOfToken(n.GetToken())
}

func placeOfToken(t *token.Token) Place {
	if t == nil || t.Position == nil {
		return Place{1, 1}
	}
	return Place{t.Position.Line, t.Position.Column}
}
