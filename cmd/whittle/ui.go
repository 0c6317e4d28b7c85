package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/report"
)

// Everything that a person reads while a command runs is printed here, to
// stderr. No capitalized initials and no full stop at the end of a line.

// printError prints an error and what its maker knows to try next.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "whittle: %s\n", lines(err.Error()))
	hints := hintsOf(err)
	if len(hints) == 0 {
		hints = fileHints(err)
	}
	for _, h := range hints {
		fmt.Fprintf(w, "  hint: %s\n", strings.ReplaceAll(lines(h), "\n", "\n  "))
	}
}

// lines is a text of several lines with what a terminal would obey written out: names
// and excerpts in it are what files, tools and clouds say.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i, l := range all {
		all[i] = report.Visible(l)
	}
	return strings.Join(all, "\n")
}

// fileHints says what to try of a file that the system refuses, where the error itself
// says nothing.
func fileHints(err error) []string {
	var file *fs.PathError
	switch {
	case !errors.As(err, &file):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if at, werr := os.Getwd(); werr == nil && !filepath.IsAbs(file.Path) {
			return []string{"correct the name: it is looked for in " + at}
		}
		return []string{"correct the name"}
	case errors.Is(err, fs.ErrPermission):
		return []string{"let this user read and write it, or name another"}
	case errors.Is(err, syscall.EISDIR):
		return []string{"it is a folder: name a file in it"}
	}
	return nil
}

// hintsOf gathers the hints of an error and of all that it wraps.
func hintsOf(err error) []string {
	var hints []string
	if h, ok := err.(interface{ Hints() []string }); ok {
		hints = append(hints, h.Hints()...)
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			hints = append(hints, hintsOf(inner)...)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			hints = append(hints, hintsOf(inner)...)
		}
	}
	return hints
}

// progress shows a run as it goes: a line for every finished step, and on a
// terminal a status line for what is going on now. It is fed with the
// journal's events.
type progress struct {
	out   io.Writer
	width int // of the longest step's name

	turn sync.Mutex    // guards bars and bar, and is not held while they work
	bars *mpb.Progress // nil when the output is no terminal
	bar  *mpb.Bar

	mu    sync.Mutex
	at    map[string]*where // where each pass is; a reference can run beside another
	pass  string            // the one that the status line shows
	doing string
}

// where is where a pass is.
type where struct {
	step    string
	since   time.Time
	granted int
	runs    int
	// seen is what the client was refused in this run, on the wire.
	seen []string
}

// newProgress writes to w; the status line is there only if w is a terminal
// that can rewrite it.
func newProgress(w io.Writer, steps []lifecycle.Step) *progress {
	p := &progress{out: w, at: map[string]*where{}}
	for _, s := range steps {
		p.width = max(p.width, len(s.Name))
	}
	p.spin()
	return p
}

// spin shows the status line, if there is a terminal to show it on.
func (p *progress) spin() {
	kind := os.Getenv("TERM")
	f, ok := p.out.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) || kind == "" || kind == "dumb" {
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	p.bars = mpb.New(mpb.WithOutput(p.out), mpb.WithRefreshRate(150*time.Millisecond))
	p.bar = p.bars.New(0, mpb.SpinnerStyle("⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏").PositionLeft(),
		mpb.BarWidth(1), mpb.BarRemoveOnComplete(), mpb.AppendDecorators(decor.Any(p.status)))
}

func (p *progress) status(decor.Statistics) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.in(p.pass)
	if at.step == "" {
		return " " + p.doing
	}
	s := fmt.Sprintf(" %-9s %-*s %4.0fs", p.pass, p.width, at.step, time.Since(at.since).Seconds())
	if at.granted > 0 {
		s += fmt.Sprintf("  %d granted", at.granted)
	}
	if p.doing != "" {
		s += "  " + p.doing
	}
	return s
}

// line prints a finished line above the status line.
func (p *progress) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...) + "\n"
	p.turn.Lock()
	bars := p.bars
	p.turn.Unlock()
	if bars == nil {
		io.WriteString(p.out, text)
		return
	}
	bars.Write([]byte(text))
}

// now says what is going on, for the status line only.
func (p *progress) now(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = fmt.Sprintf(format, args...)
}

// event takes over one event of the journal.
func (p *progress) event(e journal.Event) {
	p.mu.Lock()
	at := p.in(e.Pass)
	switch e.Kind {
	case journal.KindAttempt:
		if e.Step != at.step || e.Pass != p.pass && e.Pass != journal.PassReference {
			*at = where{step: e.Step, since: time.Now()}
		}
		at.runs++
		at.seen = nil
		p.look(e.Pass, "")
	case journal.KindGranted:
		at.granted += len(e.Grants)
	case journal.KindDelivered:
		if name := lacked(e); e.Pass == journal.PassGrow && !slices.Contains(at.seen, name) {
			at.seen = append(at.seen, name)
		}
	case journal.KindNote:
		if e.Step == "" {
			*at = where{}
			p.look(e.Pass, e.Text)
		}
	}
	lines := []string{p.lineOf(e)}
	if e.Kind == journal.KindAttemptEnd && e.Pass == journal.PassGrow && !e.OK && len(at.seen) > 0 {
		// A tool can swallow what it was refused, and fail of what came of it.
		lines = append(lines, fmt.Sprintf("%-9s  %-*s refused on the wire: %s", e.Pass, p.width, e.Step, strings.Join(at.seen, ", ")))
	}
	p.mu.Unlock()
	for _, line := range lines {
		if line != "" {
			p.line("%s", line)
		}
	}
}

// lacked names what a refusal that reached the client was about.
func lacked(e journal.Event) string {
	switch d := e.Denial; {
	case d.Permission != "":
		return d.Permission
	case len(d.Candidates) > 0:
		return d.Candidates[0] + "?"
	}
	return e.Class
}

// in is where a pass is.
func (p *progress) in(pass string) *where {
	if p.at[pass] == nil {
		p.at[pass] = new(where)
	}
	return p.at[pass]
}

// look lets the status line show a pass, unless that is a reference which runs
// beside another.
func (p *progress) look(pass, doing string) {
	if pass == journal.PassReference && p.pass != "" && p.pass != pass {
		return
	}
	p.pass, p.doing = pass, doing
}

func (p *progress) lineOf(e journal.Event) string {
	at := p.in(e.Pass)
	took := time.Since(at.since).Seconds()
	switch e.Kind {
	case journal.KindNote:
		if e.Pass == journal.PassCertify && e.Step == "" && e.Text != "" && strings.HasPrefix(e.Text, "certifying") {
			return e.Text
		}
		if e.Pass == journal.PassRemove && len(e.Grants) > 0 { // what is known of a grant, and not of a run
			return fmt.Sprintf("%-9s  %-*s %s", e.Pass, p.width, e.Step, e.Text)
		}
	case journal.KindAttemptEnd:
		switch {
		case e.Pass == journal.PassRemove || e.Pass == journal.PassCertify: // the step's end says what they showed
		case e.Pass != journal.PassGrow && e.OK:
			return fmt.Sprintf("%-9s  %-*s ok      %6.1fs", e.Pass, p.width, e.Step, took)
		case e.Pass == journal.PassGrow && !e.OK:
			return fmt.Sprintf("%-9s  %-*s run %d failed: %s; %d granted so far", e.Pass, p.width, e.Step, e.Attempt, firstLine(e.Text), at.granted)
		case !e.OK:
			return fmt.Sprintf("%-9s  %-*s failed: %s", e.Pass, p.width, e.Step, firstLine(e.Text))
		}
	case journal.KindStepEnd:
		if e.Pass == journal.PassCertify {
			return fmt.Sprintf("%-9s  %-*s ok      %s", e.Pass, p.width, e.Step, e.Text)
		}
		if e.OK {
			return fmt.Sprintf("%-9s  %-*s ok      %6.1fs  %s, %d granted", e.Pass, p.width, e.Step, took, count(at.runs, "run"), at.granted)
		}
	case journal.KindPutBack:
		return fmt.Sprintf("%-9s  %-*s put back %s", e.Pass, p.width, e.Step, e.Grants[0])
	}
	return ""
}

// close takes the status line away; spin brings it back.
func (p *progress) close() {
	p.turn.Lock()
	bars, bar := p.bars, p.bar
	p.bars, p.bar = nil, nil
	p.turn.Unlock()
	if bars == nil {
		return
	}
	bar.Abort(true)
	bars.Wait()
}

// firstLine is the first line of a tool's error, cut to what a line can hold.
func firstLine(s string) string {
	const most = 100
	line, _, _ := strings.Cut(s, "\n")
	if r := []rune(line); len(r) > most {
		return string(r[:most]) + "…"
	}
	return line
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// told is a journal whose events also reach the progress display.
type told struct {
	inner interface{ Append(journal.Event) error }
	show  func(journal.Event)
}

// Append implements harness.Journal.
func (t told) Append(e journal.Event) error {
	kept := e
	if e.Kind == journal.KindAttemptEnd {
		kept.Text = "" // the tool's own words can quote a secret
	}
	if err := t.inner.Append(kept); err != nil {
		return err
	}
	t.show(e)
	return nil
}

// printJSON prints a result for programs.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
