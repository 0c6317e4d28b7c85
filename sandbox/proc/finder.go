package proc

import "bytes"

// Ahead is how much text a [Finder] gives from where its prefix begins, in bytes.
const Ahead = 64

// Finder is a writer that looks for a prefix in what is written to it, and calls
// Found with the text that begins there: Ahead bytes, or what there is until
// Close. It finds what terminal escapes stand in and what was wrapped into lines,
// with a margin of spaces and bars: it drops them all. Of what is written it keeps
// no more than Ahead bytes and the prefix. It never fails.
type Finder struct {
	prefix []byte
	found  func(text string)

	buf   []byte // what may still begin with the prefix
	state state
}

// state is where in the noise between the words a Finder is.
type state byte

const (
	inText   state = iota
	inMargin       // at the beginning of a line
	inEscape       // behind ESC
	inCSI          // behind ESC [
)

// NewFinder makes a Finder. The prefix must not be empty.
func NewFinder(prefix string, found func(text string)) *Finder {
	return &Finder{prefix: []byte(prefix), found: found, state: inMargin}
}

func (f *Finder) Write(p []byte) (int, error) {
	for _, c := range p {
		if f.keeps(c) {
			f.buf = append(f.buf, c)
			if len(f.buf) >= 8<<10 {
				f.search(false)
			}
		}
	}
	f.search(false)
	return len(p), nil
}

// keeps tells whether a byte is text.
func (f *Finder) keeps(c byte) bool {
	switch f.state {
	case inEscape:
		// ECMA-48: "[" begins a control sequence, anything else is one byte long.
		if f.state = inText; c == '[' {
			f.state = inCSI
		}
		return false
	case inCSI:
		if c >= 0x40 && c <= 0x7e { // its final byte
			f.state = inText
		}
		return false
	}
	switch {
	case c == 0x1b:
		f.state = inEscape
		return false
	case c == '\n' || c == '\r':
		f.state = inMargin
		return false
	case f.state == inMargin && (c == ' ' || c == '\t' || c == '|' || c >= 0x80): // bars are two or three bytes of UTF-8
		return false
	}
	f.state = inText
	return true
}

// search gives what has begun with the prefix and is long enough, or all of it at
// the end.
func (f *Finder) search(end bool) {
	rest := f.buf
	for {
		i := bytes.Index(rest, f.prefix)
		if i < 0 {
			// The prefix may have begun.
			rest = rest[max(0, len(rest)-len(f.prefix)+1):]
			break
		}
		rest = rest[i:]
		if len(rest) < Ahead && !end {
			break
		}
		f.found(string(rest[:min(len(rest), Ahead)]))
		rest = rest[len(f.prefix):]
	}
	f.buf = append(f.buf[:0], rest...)
}

// Close gives what stood at the end.
func (f *Finder) Close() error {
	f.search(true)
	f.buf = nil
	return nil
}
