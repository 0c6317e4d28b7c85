package jsontree

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	text := "{\n \"a\": [1, true, null],\n \"b\" : {\"c\": \"\\u00fc,:\"}, \"a\": -1.5e3}"
	n, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if n.Kind != Object || len(n.Members) != 3 || n.Members[0].Key != "a" || n.Members[2].Key != "a" || n.Raw != text {
		t.Fatalf("%+v", n)
	}
	list := n.Members[0].Value
	if list.Kind != List || list.Items[0].Kind != Number || list.Items[1].Kind != Bool || list.Items[2].Kind != Null || list.Items[1].Raw != "true" {
		t.Errorf("%+v", list)
	}
	inner := n.Members[1].Value.Members[0]
	if inner.Value.Text != "ü,:" || Line([]byte(text), inner.At) != 3 || text[inner.At:inner.At+3] != `"c"` || text[inner.Value.At] != '"' {
		t.Errorf("%+v", inner)
	}
	if raw := n.Members[2].Value.Raw; raw != "-1.5e3" {
		t.Errorf("%q", raw)
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		text string
		line int
		cut  bool
	}{
		{"", 1, true}, {"{\n\"a\": [\n\n", 2, true}, {"{\n\"a\" 1}", 2, false}, {"{}\n{}", 2, false}, {"\"\xff\"", 1, false}, {"[1,\n]", 2, false},
	} {
		n, err := Parse([]byte(tt.text))
		var e *Error
		if !errors.As(err, &e) || Line([]byte(tt.text), e.At) != tt.line || errors.Is(err, io.ErrUnexpectedEOF) != tt.cut || n.Kind != 0 {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
}

func TestPlace(t *testing.T) {
	inner := Place(7, errors.New("x"))
	var e *Error
	if err := Place(1, errors.Join(inner)); !errors.As(err, &e) || e.At != 7 {
		t.Errorf("the outer place won: %v", err)
	}
	if Place(1, nil) != nil {
		t.Error("no error has a place")
	}
}

// value is a node as encoding/json reads it.
func value(n Node) any {
	switch n.Kind {
	case Object:
		m := map[string]any{}
		for _, x := range n.Members {
			m[x.Key] = value(x.Value) // the last of two counts, as there
		}
		return m
	case List:
		l := []any{}
		for _, x := range n.Items {
			l = append(l, value(x))
		}
		return l
	case String:
		return n.Text
	case Bool:
		return n.Raw == "true"
	case Number:
		return json.Number(n.Raw)
	}
	return nil
}

// FuzzParse: it reads what encoding/json reads, and as it does.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a": [1, "b", {"c": null, "c": true}], "": -0.5}`))
	f.Add([]byte("[[], {}, \"\\ud800\"]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse(data)
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("%v has no place", err)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := value(n); !reflect.DeepEqual(got, want) {
			t.Fatalf("%#v, want %#v", got, want)
		}
	})
}
