package command

import (
	"bytes"
	"fmt"
	"regexp"
)

// maxLine is as much of a line as is looked at, in bytes.
const maxLine = 64 << 10

// watch waits for a line that matches. Its streams must not be written to at
// the same time.
type watch struct {
	pattern *regexp.Regexp // nil: nothing is waited for
	found   func()         // called once, at the first match
	seen    bool
}

func newWatch(pattern string, found func()) (*watch, error) {
	w := &watch{found: found}
	if pattern == "" {
		return w, nil
	}
	var err error
	if w.pattern, err = regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("succeeds_when: output: %w", err)
	}
	return w, nil
}

func (w *watch) line(b []byte) {
	if w.pattern == nil || w.seen || !w.pattern.Match(bytes.TrimSuffix(b, []byte("\r"))) {
		return
	}
	w.seen = true
	w.found()
}

// stream cuts one stream of output into lines.
func (w *watch) stream() *stream { return &stream{w: w} }

type stream struct {
	w       *watch
	partial []byte
}

func (s *stream) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		s.partial = append(s.partial, line[:min(len(line), maxLine-len(s.partial))]...)
		if whole {
			s.w.line(s.partial)
			s.partial = s.partial[:0]
		}
		rest = after
	}
	return len(p), nil
}

// close looks at a last line that had no end.
func (s *stream) close() {
	if len(s.partial) > 0 {
		s.w.line(s.partial)
		s.partial = nil
	}
}
