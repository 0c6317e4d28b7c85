package azure

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// ForeignError says that a role is in the way that Whittle did not make for this
// stack, and so does not touch.
type ForeignError struct{ Name, Stack string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("role definition %s: exists and its description does not say that whittle made it for this identity of stack %s; delete it, or choose another stack name", e.Name, e.Stack)
}

// ResourceError says that a grant is on no scope of the subscription.
type ResourceError struct {
	Grant        grant.Grant
	Subscription string
}

func (e *ResourceError) Error() string {
	return fmt.Sprintf("%s: a role is assigned on subscription %s or on an id below it; grant it on *", e.Grant, e.Subscription)
}

// TooLargeError says that a set does not fit into a custom role.
type TooLargeError struct {
	Identity, Scope string
	Actions         int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("role of %s on %s: %d actions are more than the %d that whittle puts into one", e.Identity, e.Scope, e.Actions, maxActions)
}

// UnsettledError says that the cloud did not come to show what a role holds.
type UnsettledError = settle.UnsettledError

func status(err error) int {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e.StatusCode
	}
	return 0
}

func code(err error) string {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e.ErrorCode
	}
	return ""
}

// isTransient tells whether an error may go away by itself.
func isTransient(err error) bool { return settle.Transient(status(err)) }

// explain says what was being done, why it did not work, and what to try next.
func (p *Pool) explain(doing, permission string, err error) error {
	next := ""
	switch status(err) {
	case http.StatusForbidden:
		next = "; the operator needs " + permission
	case http.StatusTooManyRequests:
		next = "; requests are throttled: try again in a minute"
	case http.StatusUnauthorized:
		next = "; renew the operator's credentials with `az login` and run again"
	}
	return fmt.Errorf("%s: %w%s", doing, err, next)
}
