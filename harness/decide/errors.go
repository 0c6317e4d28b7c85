package decide

import (
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

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
