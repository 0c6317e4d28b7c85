package canary

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// What one answer shows: a refusal that no policy of the role could change is
// no evidence, and neither is an answer that is not about authorization.
func TestSighted(t *testing.T) {
	answer := func(status int, code, message string) error {
		return fmt.Errorf("operation: %w", &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: code, Message: message},
		})
	}
	const who = "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: sqs:listqueues on resource: * "
	for _, tt := range []struct {
		name string
		err  error
		want sight
	}{
		{"let through", nil, let},
		{"refused", answer(403, "AccessDenied", who+"because no identity-based policy allows the sqs:listqueues action"), refused},
		{"refused, no reason named", answer(400, "AccessDeniedException", "no"), refused},
		{"refused by a boundary", answer(403, "AccessDenied", who+"because no permissions boundary allows the sqs:listqueues action"), useless},
		{"denied by an organization", answer(403, "AccessDenied", who+"with an explicit deny in a service control policy"), useless},
		{"not known yet", answer(403, "InvalidClientTokenId", "no such key"), unclear},
		{"throttled", answer(400, "ThrottlingException", "slow down"), unclear},
		{"broken", answer(500, "InternalFailure", "oh"), unclear},
		{"not there", answer(501, "NotImplemented", "no such operation"), useless},
		{"another error", answer(400, "ValidationError", "what"), useless},
		{"no answer", errors.New("connection reset"), unclear},
	} {
		if got := sighted(tt.err); got != tt.want || Refused(tt.err) != (tt.want == refused) {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}
