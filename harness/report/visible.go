package report

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/whittle-iam/whittle/harness/record"
)

// Visible is s with whatever changes how a text looks, and cannot be seen itself,
// written out: control characters, and those that turn the direction of writing
// round. A line break is a space.
func Visible(s string) string {
	plain := func(r rune) bool { return r != unicode.ReplacementChar && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case plain(r):
			b.WriteRune(r)
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case r == unicode.ReplacementChar:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

// visible is a record with all its texts visible.
func visible(rec record.Record) record.Record {
	out := rec
	out.Cloud, out.Sandbox, out.Inputs.Digest = Visible(rec.Cloud), Visible(rec.Sandbox), Visible(rec.Inputs.Digest)
	out.Inputs.Tools = make(map[string]string)
	for name, v := range rec.Inputs.Tools {
		out.Inputs.Tools[Visible(name)] = Visible(v)
	}
	out.Steps = nil
	for _, s := range rec.Steps {
		s.Name, s.Phase, s.Role = Visible(s.Name), Visible(s.Phase), Visible(s.Role)
		s.Grants, s.Optional = visibleEntries(s.Grants), visibleEntries(s.Optional)
		out.Steps = append(out.Steps, s)
	}
	return out
}

func visibleEntries(entries []record.Entry) []record.Entry {
	var out []record.Entry
	for _, e := range entries {
		for _, text := range []*string{&e.Permission, &e.Resource, &e.Condition, &e.Necessity, &e.Request, &e.Purpose, &e.Flag, &e.Difference} {
			*text = Visible(*text)
		}
		out = append(out, e)
	}
	return out
}
