package harness

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/decide"
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

// What a decision stops for; see package decide.
type (
	// BlockedError: something stands in the way that no grant to the role moves.
	BlockedError = decide.BlockedError
	// ForbiddenError: the lifecycle's own rules forbid a grant that a step needs.
	ForbiddenError = decide.ForbiddenError
	// UnreadError: a refusal that nobody could read.
	UnreadError = decide.UnreadError
)

func join(grants []grant.Grant) string {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = g.String()
	}
	return strings.Join(names, ", ")
}
