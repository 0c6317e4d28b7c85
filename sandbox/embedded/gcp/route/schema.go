package route

import (
	"maps"
	"slices"
	"strings"
)

// Kind is what sort of value a field has.
type Kind byte

// The kinds of values. A Long is a 64-bit number, which JSON writes as a string.
const (
	Any    Kind = 'a'
	String Kind = 's'
	Bool   Kind = 'b'
	Number Kind = 'n'
	Long   Kind = 'i'
	Object Kind = '@'
	List   Kind = '['
	Map    Kind = '{'
)

// Type is the type of a field, a list's element or a map's value.
type Type struct {
	Kind Kind
	Ref  string // the schema of an Object
	Of   *Type  // of a List's elements or a Map's values
}

// Field is one field of a schema.
type Field struct {
	Name string
	Type Type
	// OutputOnly fields are the service's to set; what a client sends is
	// ignored.
	OutputOnly bool
	// Value is the constant value of a "kind".
	Value string
}

// Schema is the shape of a request, reply or resource.
type Schema struct {
	Name   string
	Fields map[string]Field
	Open   bool // takes any other field
}

func parseSchema(name, text string) *Schema {
	s := &Schema{Name: name, Fields: map[string]Field{}}
	for _, f := range strings.Fields(text) {
		key, code, _ := strings.Cut(f, ":")
		if key == "*" {
			s.Open = true
			continue
		}
		code, value, _ := strings.Cut(code, "=")
		code, output := strings.CutSuffix(code, "!")
		s.Fields[key] = Field{Name: key, Type: parseType(code), OutputOnly: output, Value: value}
	}
	return s
}

func parseType(code string) Type {
	if rest, ok := strings.CutPrefix(code, "[]"); ok {
		of := parseType(rest)
		return Type{Kind: List, Of: &of}
	}
	if rest, ok := strings.CutPrefix(code, "{}"); ok {
		of := parseType(rest)
		return Type{Kind: Map, Of: &of}
	}
	if rest, ok := strings.CutPrefix(code, "@"); ok {
		return Type{Kind: Object, Ref: rest}
	}
	if code == "any" {
		return Type{Kind: Any}
	}
	return Type{Kind: Kind(code[0])}
}

// Schema finds a schema, nil when the service has none of that name.
func (s *Service) Schema(name string) *Schema { return s.schemas[name] }

// Has tells whether the schema has a field.
func (s *Schema) Has(name string) bool {
	if s == nil {
		return false
	}
	_, ok := s.Fields[name]
	return ok
}

// Constant is the schema's "kind", empty when it has none.
func (s *Schema) Constant() string {
	if s == nil {
		return ""
	}
	return s.Fields["kind"].Value
}

// Items is the field of a list's reply that has the resources, and their
// schema's name; in an aggregated list it is a map.
func (s *Schema) Items() (field string, item string, ok bool) {
	if s == nil {
		return "", "", false
	}
	names := slices.Sorted(maps.Keys(s.Fields))
	if s.Has("items") {
		names = []string{"items"}
	}
	for _, name := range names {
		t := s.Fields[name].Type
		if (t.Kind == List || t.Kind == Map) && t.Of.Kind == Object {
			return name, t.Of.Ref, true
		}
	}
	return "", "", false
}
