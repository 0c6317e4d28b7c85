// Package jsontree reads JSON and keeps where each value stands, so that what is
// wrong with a document can be said with its line. It holds every key of an
// object, in order, one that is there twice as well: what that means is the
// reader's to say.
package jsontree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Kind is what a value is.
type Kind byte

// The kinds of JSON values.
const (
	Object Kind = '{'
	List   Kind = '['
	String Kind = '"'
	Number Kind = '0'
	Bool   Kind = 't'
	Null   Kind = 'n'
)

// Node is one value.
type Node struct {
	At      int    // its first byte in the document
	Raw     string // as it was written
	Kind    Kind
	Text    string   // of a String, its characters
	Members []Member // of an Object
	Items   []Node   // of a List
}

// Member is a key of an object, and its value.
type Member struct {
	Key   string
	At    int // the key's first byte
	Value Node
}

// Error is what is wrong at a byte of the document.
type Error struct {
	At  int
	Err error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Place gives err the place at, unless a part of it has one: the innermost
// tells most.
func Place(at int, err error) error {
	if err == nil || errors.As(err, new(*Error)) {
		return err
	}
	return &Error{At: at, Err: err}
}

// Line is the line, from 1, in which the byte at stands.
func Line(data []byte, at int) int {
	return 1 + bytes.Count(data[:min(max(at, 0), len(data))], []byte("\n"))
}

// Parse reads one JSON document; errors are [*Error].
func Parse(data []byte) (Node, error) {
	// encoding/json would replace what is not UTF-8, and so change a name.
	if !utf8.Valid(data) {
		return Node{}, &Error{Err: errors.New("not UTF-8 text")}
	}
	// After this every token is there and is where it may be, and nothing is
	// nested too deep.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return Node{}, syntax(data, err)
	}
	p := &parser{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	n, err := p.value()
	if err != nil {
		return Node{}, syntax(data, err)
	}
	return n, nil
}

func syntax(data []byte, err error) error {
	var e *json.SyntaxError
	switch {
	case !errors.As(err, &e):
		return &Error{Err: fmt.Errorf("not JSON: %w", err)}
	case strings.Contains(e.Error(), "after top-level value"):
		return &Error{At: int(e.Offset) - 1, Err: errors.New("has text after its end")}
	case strings.Contains(e.Error(), "unexpected end"):
		end := len(bytes.TrimRight(data, " \t\r\n"))
		return &Error{At: end, Err: fmt.Errorf("not JSON: %w: %w", e, io.ErrUnexpectedEOF)}
	}
	return &Error{At: int(e.Offset) - 1, Err: fmt.Errorf("not JSON: %w", e)}
}

type parser struct {
	data []byte
	dec  *json.Decoder
}

// token is the next token and where it starts.
func (p *parser) token() (json.Token, int, error) {
	at := int(p.dec.InputOffset())
	for at < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[at]) >= 0 {
		at++
	}
	t, err := p.dec.Token()
	return t, at, err
}

func (p *parser) value() (Node, error) {
	t, at, err := p.token()
	if err != nil {
		return Node{}, err
	}
	n := Node{At: at}
	switch t := t.(type) {
	case json.Delim:
		n.Kind = Kind(t)
		for err == nil && p.dec.More() {
			if n.Kind == List {
				var item Node
				item, err = p.value()
				n.Items = append(n.Items, item)
				continue
			}
			var m Member
			m, err = p.member()
			n.Members = append(n.Members, m)
		}
		if err == nil {
			_, _, err = p.token() // what closes it
		}
	case string:
		n.Kind, n.Text = String, t
	case json.Number:
		n.Kind = Number
	case bool:
		n.Kind = Bool
	default:
		n.Kind = Null
	}
	n.Raw = string(p.data[at:p.dec.InputOffset()])
	return n, err
}

func (p *parser) member() (Member, error) {
	t, at, err := p.token()
	if err != nil {
		return Member{}, err
	}
	key, _ := t.(string) // an object's keys are
	v, err := p.value()
	return Member{Key: key, At: at, Value: v}, err
}
