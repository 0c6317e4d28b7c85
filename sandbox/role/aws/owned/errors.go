package owned

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
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

// IsRefused tells whether AWS refused for authorization.
func IsRefused(err error) bool { return slices.Contains(refusals, code(err)) }

// IsMissing tells whether IAM has no such object.
func IsMissing(err error) bool {
	var missing *types.NoSuchEntityException
	return errors.As(err, &missing)
}

// Explain says what was being done, why it did not work, and what to try next.
func (a *Account) Explain(doing, permission string, err error) error {
	next := ""
	switch c := code(err); {
	case IsRefused(err):
		next = fmt.Sprintf("; the operator %s needs %s", a.Operator, permission)
	case c == "LimitExceeded":
		next = "; a quota of IAM is used up: remove what is not needed (`whittle clean --purge`) or ask AWS to raise it"
	case c == "Throttling" || c == "ThrottlingException" || c == "RequestLimitExceeded":
		next = "; IAM throttles this account: try again in a minute"
	case c == "ExpiredToken" || c == "ExpiredTokenException" || c == "InvalidClientTokenId":
		next = "; renew the operator's credentials and run again"
	}
	return fmt.Errorf("%s: %w%s", doing, err, next)
}
