package aws

import (
	"fmt"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/aws/canary"
	"github.com/whittle-iam/whittle/sandbox/role/aws/content"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
)

// The errors that a caller may tell apart; each says what it means where it is
// declared.
type (
	// ForeignError: an object is in the way that Whittle did not make.
	ForeignError = owned.ForeignError
	// TooLargeError: a set does not fit into what a role can hold.
	TooLargeError = content.TooLargeError
	// UnsettledError: the cloud did not come to show what a role holds.
	UnsettledError = canary.UnsettledError
)

// DeniedError says that a policy denies a request explicitly.
type DeniedError struct{ Grant grant.Grant }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("%s: explicitly denied by a policy, so that a grant does not help; look for a service control policy, a boundary or a deny statement", e.Grant)
}

// Is makes it a harness.ErrExplicitDeny.
func (e *DeniedError) Is(target error) bool { return target == harness.ErrExplicitDeny }
