package harness

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// ErrNotReleased: the roles could not be emptied.
var ErrNotReleased = errors.New("the roles could not be emptied and may still hold grants; whittle clean empties them")

// FailedError: a step failed, and not for lack of authorization.
type FailedError struct {
	Step        string
	How         string // under what role, when not the one under growth
	Diagnostics []Diagnostic
	Output      string   // the end of what the tool printed
	Notes       []string // what the wire showed that may explain it
}

func (e *FailedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "step %s failed", e.Step)
	if e.How != "" {
		b.WriteString(" " + e.How)
	}
	b.WriteString(", and not for a missing permission")
	for _, d := range e.Diagnostics {
		b.WriteString("\n  ")
		if d.Address != "" {
			b.WriteString(d.Address + ": ")
		}
		b.WriteString(d.Summary)
		if d.Detail != "" {
			b.WriteString("\n    " + strings.ReplaceAll(strings.TrimSpace(d.Detail), "\n", "\n    "))
		}
	}
	if len(e.Diagnostics) == 0 && e.Output != "" {
		b.WriteString("; the end of its output:\n    " + strings.ReplaceAll(strings.TrimSpace(e.Output), "\n", "\n    "))
	}
	return b.String()
}

// Hints gives what the wire showed.
func (e *FailedError) Hints() []string { return e.Notes }

// StuckError: a denial outlived its grant and the wait for it.
type StuckError struct {
	Step   string
	Class  string // the request class that is still refused
	Denial refusal.Denial
	Grants []grant.Grant // what was granted for it
	Waited time.Duration // since it was granted
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("step %s is stuck: %s is still refused %s after %s was granted: %s",
		e.Step, e.Class, e.Waited.Round(time.Second), join(e.Grants), e.Denial.Evidence)
}

// Hints says what to look at.
func (e *StuckError) Hints() []string {
	return []string{
		"something other than the role may say no: a policy on the resource, an organization policy, a permissions boundary",
		"if the cloud is only slow, wait longer with --patience",
	}
}

// BlockedError: something stands in the way that no grant to the role moves.
type BlockedError struct {
	Step   string
	Denial refusal.Denial
}

func (e *BlockedError) Error() string {
	by := e.Denial.Blocker
	if by == "" {
		by = string(e.Denial.Reason)
	}
	return fmt.Sprintf("step %s is blocked by %s: %s", e.Step, by, e.Denial.Evidence)
}

// Hints says whom to ask.
func (e *BlockedError) Hints() []string {
	return []string{"no grant to the role helps; ask whoever keeps that policy, or run in a sandbox account where it is not in force"}
}

// ForbiddenError: the lifecycle's own rules forbid a grant that a step needs.
type ForbiddenError struct {
	Step       string
	Permission string
	Class      string // of the request that was refused without it
	Rule       string
	Hint       string
}

func (e *ForbiddenError) Error() string {
	request := ""
	if e.Class != "" {
		request = " for the request " + e.Class
	}
	return fmt.Sprintf("step %s needs %s%s, which %s in whittle.yaml does not allow", e.Step, e.Permission, request, e.Rule)
}

// Hints says which line to change.
func (e *ForbiddenError) Hints() []string { return []string{e.Hint} }

// UnreadError: a refusal that nobody could read.
type UnreadError struct {
	Step   string
	Class  string
	Denial refusal.Denial
	Err    error // the parser's
}

func (e *UnreadError) Error() string {
	msg := fmt.Sprintf("step %s: a refusal of %s names no permission, and none is known for it", e.Step, e.Class)
	if e.Err != nil {
		return msg + ": " + e.Err.Error()
	}
	return msg + ": " + e.Denial.Evidence
}

// Unwrap gives the parser's error.
func (e *UnreadError) Unwrap() error { return e.Err }

// Hints says how to go on.
func (e *UnreadError) Hints() []string {
	if e.Denial.Cloud == refusal.Azure && strings.Contains(e.Class, " graph.microsoft.com/") {
		return []string{"Microsoft Graph goes by application permissions of the directory, which no role of a subscription holds: see the method's page, and give the probe identity's application one outside Whittle"}
	}
	return []string{"the journal names the request; please report the refusal with it"}
}

func join(grants []grant.Grant) string {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = g.String()
	}
	return strings.Join(names, ", ")
}
