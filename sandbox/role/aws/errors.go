package aws

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
)

// ForeignError says that an object is in the way that Whittle did not make for
// this stack, and so does not touch.
type ForeignError struct {
	Kind  string // "role" or "policy"
	ARN   string
	Stack string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s %s: exists and is not tagged %s=true, %s=%s for this identity; rename it, or choose another stack name", e.Kind, e.ARN, tagManaged, tagStack, e.Stack)
}

// DeniedError says that a policy denies a request explicitly.
type DeniedError struct{ Grant grant.Grant }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("%s: explicitly denied by a policy, so that a grant does not help; look for a service control policy, a boundary or a deny statement", e.Grant)
}

// Is makes it a harness.ErrExplicitDeny.
func (e *DeniedError) Is(target error) bool { return target == harness.ErrExplicitDeny }

// TooLargeError says that a set does not fit into what a role can hold.
type TooLargeError struct {
	Role   string
	Grants int
	// Size is the set's length as one document, Capacity what the role's
	// documents may hold together, both in characters without whitespace.
	Size, Capacity int
	// Attachments is how many managed policies were counted on.
	Attachments int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("role %s: %d grants take %d characters, and its policies hold %d (one inline, %d managed); widen resources with a ceiling, divide the step, or ask AWS to raise the quota of attached policies",
		e.Role, e.Grants, e.Size, e.Capacity, e.Attachments)
}

// UnsettledError says that the cloud did not come to show what a role holds.
type UnsettledError struct {
	Role   string
	Canary string // the permission that was looked at
	Want   string // "refused" or "allowed"
	Seen   string // the last reply
	Waited time.Duration
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("role %s: %s should be %s, and after %s is not: last seen: %s; look for other policies on the role, a boundary or a service control policy",
		e.Role, e.Canary, e.Want, e.Waited.Round(time.Second), e.Seen)
}

// refusals are the error codes with which AWS refuses for authorization (EC2,
// IAM and STS query, JSON services).
var refusals = []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "AuthorizationError"}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func isRefused(err error) bool { return slices.Contains(refusals, code(err)) }

func isMissing(err error) bool {
	var missing *types.NoSuchEntityException
	return errors.As(err, &missing)
}

// explain says what was being done, why it did not work, and what to try next.
func (p *Pool) explain(doing, permission string, err error) error {
	next := ""
	switch c := code(err); {
	case isRefused(err):
		next = fmt.Sprintf("; the operator %s needs %s", p.operator, permission)
	case c == "LimitExceeded":
		next = "; a quota of IAM is used up: remove what is not needed (`whittle clean --purge`) or ask AWS to raise it"
	case c == "Throttling" || c == "ThrottlingException" || c == "RequestLimitExceeded":
		next = "; IAM throttles this account: try again in a minute"
	case c == "ExpiredToken" || c == "ExpiredTokenException" || c == "InvalidClientTokenId":
		next = "; renew the operator's credentials and run again"
	}
	return fmt.Errorf("%s: %w%s", doing, err, next)
}
