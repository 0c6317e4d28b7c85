package gcp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// ForeignError says that an object is in the way that Whittle did not make for
// this stack, and so does not touch.
type ForeignError struct {
	Kind  string // "role" or "service account"
	Name  string
	Stack string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s %s: exists and its description does not say that whittle made it for this identity of stack %s; delete it, or choose another stack name", e.Kind, e.Name, e.Stack)
}

// ResourceError says that a grant is on less than the project. A custom role is
// bound on the project, and would give more than was asked for.
type ResourceError struct {
	Grant   grant.Grant
	Project string
}

func (e *ResourceError) Error() string {
	return fmt.Sprintf("%s: a custom role holds on all of project %s; grant it on *", e.Grant, e.Project)
}

// TooLargeError says that a set does not fit into a custom role.
type TooLargeError struct {
	Role        string
	Permissions int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("role %s: %d permissions are more than the %d that a custom role can hold", e.Role, e.Permissions, maxPermissions)
}

// UnsettledError says that the cloud did not come to show what a role holds.
type UnsettledError = settle.UnsettledError

func code(err error) int {
	var e *googleapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func isMissing(err error) bool  { return code(err) == http.StatusNotFound }
func isConflict(err error) bool { return code(err) == http.StatusConflict }
func isRefused(err error) bool  { return code(err) == http.StatusForbidden }

// isTransient tells whether an error may go away by itself.
func isTransient(err error) bool { return settle.Transient(code(err)) }

// isNew tells whether a policy was refused since it names an account that was
// just made.
func isNew(err error) bool {
	return code(err) == http.StatusBadRequest && strings.Contains(err.Error(), "does not exist")
}

// explain says what was being done, why it did not work, and what to try next.
func (p *Pool) explain(doing, permission string, err error) error {
	next := ""
	switch code(err) {
	case http.StatusForbidden:
		next = fmt.Sprintf("; the operator %s needs %s", p.operator, permission)
	case http.StatusTooManyRequests:
		next = "; a quota is used up: try again in a minute"
	case http.StatusUnauthorized:
		next = "; renew the operator's credentials and run again"
	}
	return fmt.Errorf("%s: %w%s", doing, err, next)
}
