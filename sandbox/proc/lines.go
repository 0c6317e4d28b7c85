package proc

import "bytes"

// MaxLine is the longest line that [Lines] puts together, in bytes. A diagnostic
// that quotes a whole document can be long.
const MaxLine = 4 << 20

// Lines cuts what is written to it into lines. It is for one writer at a time, and
// never fails: terraform-exec stops reading a pipe when the writer behind it fails,
// and the child would block on it.
type Lines struct {
	// Line takes a line without its end, which it must not keep.
	Line func(line []byte)
	// Long takes instead what is longer than [MaxLine], as it comes.
	Long func(part []byte)

	partial []byte
}

// Write implements [io.Writer].
func (l *Lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		l.partial = append(l.partial, line...)
		if whole {
			l.Line(l.partial)
			l.partial = l.partial[:0]
		} else if len(l.partial) > MaxLine {
			l.Long(l.partial)
			l.partial = l.partial[:0]
		}
		rest = after
	}
	return len(p), nil
}

// End gives a last line that had no end.
func (l *Lines) End() {
	if len(l.partial) > 0 {
		l.Line(l.partial)
		l.partial = nil
	}
}
