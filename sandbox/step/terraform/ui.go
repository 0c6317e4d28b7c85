package terraform

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/whittle-iam/whittle/sandbox/proc"
)

// Kind is what happened to a resource.
type Kind string

// The kinds of progress.
const (
	Planned Kind = "planned" // Terraform intends it
	Start   Kind = "start"   // it has begun
	Running Kind = "running" // it still goes on
	Done    Kind = "done"    // it ended well
	Errored Kind = "errored" // it failed
)

// Progress is one thing that happened to one resource.
type Progress struct {
	Kind    Kind
	Address string // "module.net.aws_vpc.main[0]"
	// Action is Terraform's word: "create", "update", "delete", "read", …, or
	// "refresh" for the reading of what is in the state.
	Action string
	// Elapsed is the time since Start, in whole seconds.
	Elapsed time.Duration
}

// Span is when Terraform was at work on a resource, by its own clock.
type Span struct {
	Address  string
	From, To time.Time // To is zero where it never said that it was through
}

// maxErrors is how many errors of a run are kept.
const maxErrors = 1000

// reader takes what Terraform prints. Its Write takes the JSON lines of
// stdout, and never fails.
type reader struct {
	mu       sync.Mutex
	progress func(Progress)
	lines    proc.Lines
	errors   []Diagnostic
	planned  facts // what a plan says it would do
	spans    []Span
	open     map[string]int // address and action → the span that goes on
	output   *proc.Tail
	errTail  *proc.Tail
}

func newReader(progress func(Progress)) *reader {
	if progress == nil {
		progress = func(Progress) {}
	}
	r := &reader{progress: progress, planned: facts{}, open: map[string]int{}, output: proc.NewTail(proc.DefaultTail), errTail: proc.NewTail(proc.DefaultTail / 4)}
	r.lines = proc.Lines{Line: r.line, Long: func(b []byte) { _, _ = r.output.Write(b) }}
	return r
}

// stderr is where Terraform's stderr goes.
func (r *reader) stderr() io.Writer { return io.MultiWriter(r.output, r.errTail) }

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.Write(p)
}

// close reads a last line that had no end.
func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines.End()
}

func (r *reader) line(b []byte) {
	e := parseLine(b)
	if e.text != "" {
		_, _ = io.WriteString(r.output, e.text+"\n")
	}
	// init tells of a broken configuration twice.
	if e.diagnostic != nil && len(r.errors) < maxErrors && !slices.Contains(r.errors, *e.diagnostic) {
		r.errors = append(r.errors, *e.diagnostic)
	}
	if e.line != nil {
		r.planned.plan(*e.line)
	}
	if e.progress != nil {
		r.span(*e.progress, e.at)
		r.progress(*e.progress)
	}
}

// span keeps when something was begun and ended.
func (r *reader) span(p Progress, at time.Time) {
	key := p.Address + " " + p.Action
	switch p.Kind {
	case Start:
		r.open[key] = len(r.spans)
		r.spans = append(r.spans, Span{Address: p.Address, From: at})
	case Done, Errored:
		if i, ok := r.open[key]; ok {
			r.spans[i].To = at
			delete(r.open, key)
		}
	}
}

// event is one line, read.
type event struct {
	text       string // what people should see of it
	progress   *Progress
	diagnostic *Diagnostic // only errors; warnings are in the text
	line       *uiLine     // one that says what is planned
	at         time.Time   // of a progress
}

// uiLine is one line of Terraform's machine-readable UI, as far as it is used
// here (https://developer.hashicorp.com/terraform/internals/machine-readable-ui).
type uiLine struct {
	Message    string             `json:"@message"`
	Time       time.Time          `json:"@timestamp"`
	Type       string             `json:"type"`
	Diagnostic *tfjson.Diagnostic `json:"diagnostic"`
	Change     *uiHook            `json:"change"`
	Hook       *uiHook            `json:"hook"`
	Changes    *uiChanges         `json:"changes"`
	Outputs    map[string]struct {
		Action    string          `json:"action"`
		Value     json.RawMessage `json:"value"`
		Sensitive bool            `json:"sensitive"`
	} `json:"outputs"`
}

type uiChanges struct {
	Add    int `json:"add"`
	Change int `json:"change"`
	Remove int `json:"remove"`
	Import int `json:"import"`
}

type uiHook struct {
	Resource struct {
		Addr string `json:"addr"`
	} `json:"resource"`
	Action  string  `json:"action"`
	Elapsed float64 `json:"elapsed_seconds"`
}

// parseLine reads one line. What it does not know it gives back whole, as text.
func parseLine(b []byte) event {
	raw := strings.ToValidUTF8(strings.TrimRight(string(b), "\r\n"), "\uFFFD")
	var l uiLine
	if json.Unmarshal(b, &l) != nil || l.Type == "" {
		return event{text: raw}
	}
	switch l.Type {
	case "diagnostic":
		return diagnosticEvent(l, raw)
	case "planned_change":
		e := hookEvent(l, l.Change, Planned, raw)
		e.line = &l
		return e
	case "apply_start", "ephemeral_op_start":
		return hookEvent(l, l.Hook, Start, raw)
	case "apply_progress", "ephemeral_op_progress":
		return hookEvent(l, l.Hook, Running, raw)
	case "apply_complete", "ephemeral_op_complete":
		return hookEvent(l, l.Hook, Done, raw)
	case "apply_errored", "ephemeral_op_errored":
		return hookEvent(l, l.Hook, Errored, raw)
	case "refresh_start", "refresh_complete":
		if l.Hook != nil && l.Hook.Action == "" {
			l.Hook.Action = "refresh"
		}
		kind := Start
		if l.Type == "refresh_complete" {
			kind = Done
		}
		return hookEvent(l, l.Hook, kind, raw)
	case "change_summary", "outputs": // the latter carries values: the message only counts them
		return event{text: l.Message, line: &l}
	case "version", "log", "init_output", "resource_drift",
		"provision_start", "provision_progress", "provision_complete", "provision_errored":
		return event{text: l.Message}
	default:
		return event{text: raw}
	}
}

func hookEvent(l uiLine, h *uiHook, kind Kind, raw string) event {
	if h == nil || h.Resource.Addr == "" {
		return event{text: raw}
	}
	return event{text: l.Message, at: l.Time, progress: &Progress{
		Kind: kind, Address: h.Resource.Addr, Action: h.Action,
		Elapsed: time.Duration(h.Elapsed * float64(time.Second)),
	}}
}

func diagnosticEvent(l uiLine, raw string) event {
	d := l.Diagnostic
	if d == nil {
		return event{text: raw}
	}
	e := event{text: l.Message}
	if d.Detail != "" {
		e.text += "\n" + d.Detail
	}
	// An error by the line's own word; what has no severity is no warning.
	if d.Severity != tfjson.DiagnosticSeverityWarning {
		e.diagnostic = &Diagnostic{Summary: d.Summary, Detail: d.Detail, Address: d.Address}
	}
	return e
}
