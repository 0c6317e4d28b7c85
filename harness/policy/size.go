package policy

import (
	"fmt"
	"unicode"
)

// IAM's quotas for policies, in characters without whitespace, and in pieces
// (reference_iam-quotas).
const (
	// ManagedLimit is the most a customer managed policy may hold.
	ManagedLimit = 6144
	// InlineLimit is the most all inline policies of a role may hold together.
	InlineLimit = 10240
	// AttachLimit is how many managed policies a role may have attached, unless
	// the account's quota was raised.
	AttachLimit = 10
	// VersionLimit is how many versions of a managed policy IAM keeps.
	VersionLimit = 5
)

// Size is the document's length as IAM counts it against a quota: characters,
// without whitespace (reference_iam-quotas).
func (d Document) Size() int {
	n := 0
	for _, r := range string(d.compact()) {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// Split divides a document into documents of at most limit characters each
// (see [Document.Size]) that together say what it says, in its order. A
// statement too large for one is divided by its resources, then by its
// actions; never by a NotAction, NotResource or condition, whose parts say
// something else than the whole. What cannot be divided and does not fit is an
// error. A document that fits is given back as it is.
func Split(d Document, limit int) ([]Document, error) {
	if d.Size() <= limit {
		return []Document{d}, nil
	}
	var pieces []Statement
	for i, s := range d.Statements {
		parts, err := divide(d, s, limit)
		if err != nil {
			return nil, fmt.Errorf("policy document: %s: %w", s.Place(i), err)
		}
		pieces = append(pieces, parts...)
	}
	var out []Document
	empty := Document{Version: d.Version, ID: d.ID}.Size()
	used := 0
	for _, s := range pieces {
		size := d.with(s).Size() - empty
		if n := len(out); n > 0 && used+1+size <= limit { // a comma between two
			out[n-1].Statements = append(out[n-1].Statements, s)
			used += 1 + size
			continue
		}
		out = append(out, d.with(s))
		used = empty + size
	}
	return out, nil
}

// with is the document with s as its only statement.
func (d Document) with(s Statement) Document {
	return Document{Version: d.Version, ID: d.ID, Statements: []Statement{s}}
}

func divide(d Document, s Statement, limit int) ([]Statement, error) {
	size := d.with(s).Size()
	if size <= limit {
		return []Statement{s}, nil
	}
	first, second := s, s
	switch {
	case len(s.Resource) > 1:
		mid := len(s.Resource) / 2
		first.Resource, second.Resource = s.Resource[:mid:mid], s.Resource[mid:]
	case len(s.Action) > 1:
		mid := len(s.Action) / 2
		first.Action, second.Action = s.Action[:mid:mid], s.Action[mid:]
	default:
		return nil, fmt.Errorf("takes %d characters, cannot be divided, and %d is the limit; shorten it by hand", size, limit)
	}
	// A Sid must be unique in its document (elements_sid).
	first.Sid, second.Sid = "", ""
	a, err := divide(d, first, limit)
	if err != nil {
		return nil, err
	}
	b, err := divide(d, second, limit)
	if err != nil {
		return nil, err
	}
	return append(a, b...), nil
}
