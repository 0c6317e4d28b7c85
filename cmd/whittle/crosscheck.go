package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/report"
)

// auditFile is where a run's folder keeps what the audit log said, so that late
// entries can be added to it.
const auditFile = "audit.json"

// auditLog is the cloud's own log, as the operator reads it.
type auditLog interface {
	// Read gives the entries of the principals from one time to another.
	Read(ctx context.Context, principals []string, from, to time.Time) ([]audit.Entry, error)
	// Others gives what else than its own role gives each principal rights.
	Others(ctx context.Context, principals []string) (map[string][]audit.Binding, error)
}

// witness is an operator who can read the audit log. Of how long an entry takes the
// service says what is usual, soon, and the most, late. Of a trail, on AWS, the files
// are read as well.
type witness interface {
	witness(trail lifecycle.Trail) (log auditLog, soon, late time.Duration)
}

// heard is what a run's folder keeps of the audit log.
type heard struct {
	Entries []audit.Entry              `json:"entries"`
	Others  map[string][]audit.Binding `json:"others,omitempty"`
}

func readHeard(dir string) (h heard, err error) {
	data, err := os.ReadFile(filepath.Join(dir, auditFile))
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		return h, fmt.Errorf("%s: %w; remove the file, and take the entries in again", filepath.Join(dir, auditFile), err)
	}
	return h, nil
}

func (h heard) write(dir string) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, auditFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep what the audit log said: %w", err)
	}
	return nil
}

// crossCheck holds the audit log against a run.
type crossCheck struct {
	cloud string
	log   auditLog      // nil: there is none to ask
	soon  time.Duration // before that much has passed, the log can lack anything
	wait  time.Duration // for entries that are late
	poll  time.Duration // between two questions
	say   func(format string, args ...any)
	now   func(format string, args ...any) // the status line
}

// patience is how long to wait for the log, and how often to look: on an embedded
// sandbox entries are there at once, or as late as a test has them.
func (c *crossCheck) patience(p *place, soon, late, asked time.Duration) {
	c.soon, c.wait, c.poll = soon, late, 10*time.Second
	if !p.real() {
		c.soon, c.wait, c.poll = 200*time.Millisecond, time.Second, 50*time.Millisecond
	}
	if asked >= 0 {
		c.wait = asked
	}
}

// run asks the log until it has all that the run should have left in it, or the time
// is over, and keeps what it said in dir. It adds to what is known in h.
func (c crossCheck) run(ctx context.Context, dir string, steps []record.Step, h heard) (audit.Report, error) {
	events, err := readJournal(filepath.Join(dir, journal.FileName))
	if err != nil {
		return audit.Report{}, err
	}
	what := audit.Run{Cloud: c.cloud, Steps: steps, Events: events, Others: h.Others}
	from, to, principals := audit.Span(events)
	if c.log == nil || len(principals) == 0 {
		return audit.Check(what, h.Entries), nil
	}
	var end time.Time // from the first answer on
	for {
		// What services do in a step's name comes after it.
		got, err := c.log.Read(ctx, principals, from, latest(to, time.Now()))
		if err != nil {
			return audit.Report{}, err
		}
		h.Entries, _ = audit.Once(slices.Concat(h.Entries, got))
		found := audit.Check(what, h.Entries)
		found.Doubled = len(got) - len(once(got))
		if end.IsZero() {
			if end = time.Now().Add(c.wait); !found.Complete() && c.wait > 0 {
				c.say("audit: the log is not complete yet; waiting for it, %s at most", c.wait)
			}
		}
		// A log that lacks nothing we know of can still lack what we do not.
		left, early := time.Until(end), c.soon-time.Since(to.Add(-audit.Slack))
		if left <= 0 && early > 0 {
			c.say("audit: the log was asked %s before its entries are usually there; whittle audit takes in late ones", early.Round(time.Second/10))
		}
		if found.Complete() && early <= 0 || left <= 0 {
			return found, h.write(dir)
		}
		c.now("audit: waiting for the log, %s at most; %s missing", left.Round(time.Second), plural(len(found.Of(audit.Missing, audit.Silent)), "entry", "entries"))
		select {
		case <-ctx.Done():
			return found, errors.Join(ctx.Err(), h.write(dir))
		case <-time.After(min(c.poll, left)):
		}
	}
}

func once(entries []audit.Entry) []audit.Entry {
	all, _ := audit.Once(entries)
	return all
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// uncleanError: an identity did what its role does not hold.
type uncleanError struct{ findings []audit.Finding }

func (e *uncleanError) Error() string {
	var b strings.Builder
	b.WriteString("the probe identity was not clean: the audit log shows what its role does not grant")
	for _, f := range e.findings {
		fmt.Fprintf(&b, "\n  step %s: %s, through %s", f.Step, report.Visible(f.Permission), through(f))
	}
	return b.String()
}

// through names the binding of an unclean finding.
func through(f audit.Finding) string {
	if f.Binding != "" {
		return report.Visible(f.Binding)
	}
	on := f.Resource
	if on == "" {
		on = "the resource"
	}
	return "a binding that was not found beside the role: look at the policy of " + report.Visible(on) + ", and above the account"
}

// Hints says what can be done about it.
func (e *uncleanError) Hints() []string {
	return []string{"take that binding away and probe again: the record lacks what the identity had by it"}
}

// unclean is the error that a report comes to, if it does.
func unclean(r audit.Report) error {
	if f := r.Of(audit.Unclean); len(f) > 0 {
		return &uncleanError{f}
	}
	return nil
}

// told is what a finding says, in a line.
func tell(f audit.Finding) string {
	name := report.Visible(f.Permission)
	if f.Derived {
		name += " (by the event's name)"
	}
	request := ""
	if f.Request != "" {
		request = ", for " + report.Visible(f.Request)
	}
	times := ""
	if f.Times > 1 {
		times = fmt.Sprintf(", %d times", f.Times)
	}
	by := ", as " + report.Visible(f.Principal)
	switch f.Kind {
	case audit.Unclean:
		return name + ": done, and not granted: through " + through(f) + request + times
	case audit.Explains:
		return name + ": refused in the run that failed" + request + by + times
	case audit.Later:
		what := "done"
		if f.Refused {
			what = "refused, and no client was told"
		}
		return name + ": " + what + " by " + report.Visible(f.Via) + ", later, in its name" + request + by + times
	case audit.Unseen:
		if f.Masked != "" {
			return name + ": refused, and the wire showed " + report.Visible(f.Masked) + by + times
		}
		return name + ": refused, and the wire showed no refusal: the request went past the proxy, or hides it" + request + by + times
	case audit.Swallowed:
		return name + ": refused, and no client reported it" + request + by + times
	case audit.Unexercised:
		return name + ": granted, and the verified run did not use it: certify it again" + request
	case audit.Silent:
		return fmt.Sprintf("the log has nothing of it: %s cannot be checked", count(f.Times, "grant"))
	}
	return name + ": used on the wire, and the log has no entry of it: late, or lost" + request
}

// explainedError is the failure of a step with what the audit log says of it.
type explainedError struct {
	error
	hints []string
}

func (e *explainedError) Unwrap() error   { return e.error }
func (e *explainedError) Hints() []string { return e.hints }

// explain adds to the failure of a run what the log has of it.
func (c crossCheck) explain(ctx context.Context, dir string, why error, h heard) error {
	var failed *harness.FailedError
	if !errors.As(why, &failed) {
		return why
	}
	found, err := c.run(ctx, dir, nil, h)
	if err != nil {
		return errors.Join(why, err)
	}
	var hints []string
	for _, f := range found.Of(audit.Explains, audit.Later, audit.Unseen) {
		if f.Step == failed.Step && f.Refused {
			hints = append(hints, "audit log: "+tell(f))
		}
	}
	if hints == nil {
		hints = []string{"audit log: nothing was refused in that run, as far as the log shows; `whittle audit` takes in late entries"}
	}
	return &explainedError{why, hints}
}

// spaced begins no attempt in the second in which the last one ended. CloudTrail's times
// are whole seconds, and an event must be of one run and not of the one before it.
type spaced struct {
	harness.Executor
	ended time.Time
}

// Attempt implements harness.Executor.
func (s *spaced) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	select {
	case <-ctx.Done():
		return harness.Outcome{}, ctx.Err()
	case <-time.After(time.Until(s.ended.Truncate(time.Second).Add(time.Second))):
	}
	defer func() { s.ended = time.Now() }()
	return s.Executor.Attempt(ctx, a)
}

// watched remembers what gives the identities rights, before they are released: that
// takes away what binds them.
type watched struct {
	harness.Pool
	before func(context.Context)
}

func (w watched) Release(ctx context.Context) error {
	w.before(ctx)
	return w.Pool.Release(ctx)
}

// watchedDecoder is watched, of a pool that decodes too.
type watchedDecoder struct {
	watched
	harness.Decoder
}

// watch wraps a pool so that before is called before it is released.
func watch(pool harness.Pool, before func(context.Context)) harness.Pool {
	w := watched{pool, before}
	if d, ok := pool.(harness.Decoder); ok {
		return watchedDecoder{w, d}
	}
	return w
}
