package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Error is something wrong in a file.
type Error struct {
	File string
	// Line and Col are where, from 1. Col counts characters.
	Line, Col int
	// Msg says what is wrong in the file's own words, and what to write instead.
	Msg string
	// Source is the line, with the values of variables masked: they may be
	// secrets.
	Source string

	caret int // where the caret goes in Source, from 1
}

// Error gives "file:line:col: message", and below it the line with a caret.
func (e *Error) Error() string {
	head := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
	if strings.TrimSpace(e.Source) == "" {
		return head
	}
	line, caret := window([]rune(e.Source), e.caret-1)
	return fmt.Sprintf("%s\n    %s\n    %s^", head, string(line), strings.Repeat(" ", caret))
}

// maxWidth is the most of a line that an error shows, in characters.
const maxWidth = 120

// window is the part of a line around the caret that fits a terminal, with
// what would move the caret or do something to the terminal replaced.
func window(line []rune, caret int) ([]rune, int) {
	line = slices.Clone(line)
	for i, r := range line {
		line[i] = printable(r)
	}
	caret = min(max(caret, 0), len(line))
	from := 0
	if caret > maxWidth*3/4 {
		from = caret - maxWidth/2
	}
	to := min(from+maxWidth, len(line))
	shown := line[from:to]
	if from > 0 {
		shown[0] = '…'
	}
	if to < len(line) {
		shown[len(shown)-1] = '…'
	}
	return shown, caret - from
}

// printable is r, or what stands for it where a terminal might obey it.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return unicode.ReplacementChar
	}
	return r
}

// join makes one error of several, in the order of the file.
func join(errs []*Error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return errors.Join(all...)
}

// span is a part of a line that an error must not show.
type span struct {
	line     int // from 1
	col, end int // characters, from 1; end is behind the last; 0 means to the line's end
}

// source is the text of a file, as errors show it.
type source struct {
	file  string
	size  int // in bytes
	lines []string
	masks []span
}

func newSource(file string, data []byte) *source {
	text := strings.TrimPrefix(string(data), "\uFEFF")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	// A line end closes the last line: there is none behind it to point at.
	text = strings.TrimSuffix(text, "\n")
	return &source{file: file, size: len(data), lines: strings.Split(text, "\n")}
}

// at makes an error. A place outside the file, as the YAML reader gives for
// what is missing at its end, is moved to the nearest one inside.
func (s *source) at(line, col int, format string, args ...any) *Error {
	if line > len(s.lines) {
		line, col = len(s.lines), len([]rune(s.lines[len(s.lines)-1]))+1
	}
	if line < 1 {
		line, col = 1, 1
	}
	col = min(max(col, 1), len([]rune(s.lines[line-1]))+1)
	text, caret := s.masked(line, col)
	return &Error{File: s.file, Line: line, Col: col, Msg: strings.Map(printable, fmt.Sprintf(format, args...)), Source: text, caret: caret}
}

// mask hides a value that starts at the given place and is written as origin.
func (s *source) mask(line, col int, origin string) {
	first, rest, more := strings.Cut(strings.TrimSpace(origin), "\n")
	if !more {
		s.masks = append(s.masks, span{line, col, col + len([]rune(first))})
		return
	}
	s.masks = append(s.masks, span{line: line, col: col})
	for i := range strings.Count(rest, "\n") + 1 {
		s.masks = append(s.masks, span{line: line + 1 + i, col: 1})
	}
}

// masked is a line with what must not be shown replaced, and where col is in
// that.
func (s *source) masked(line, col int) (string, int) {
	text := []rune(s.lines[line-1])
	var spans []span
	for _, m := range s.masks {
		if m.line == line {
			spans = append(spans, m)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(b.col, a.col) }) // the last first
	for _, m := range spans {
		from, to := min(m.col-1, len(text)), len(text)
		if m.end > 0 {
			to = min(m.end-1, len(text))
		}
		if to <= from {
			continue
		}
		text = slices.Replace(text, from, to, '…')
		switch { // the place moves with what is before it
		case col-1 >= to:
			col -= to - from - 1
		case col-1 > from:
			col = from + 1
		}
	}
	return string(text), col
}
