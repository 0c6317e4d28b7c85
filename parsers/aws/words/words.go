// Package words reads what AWS says when it refuses: the error codes, and the
// sentence in which it names who may not do what.
package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// codes holds the error codes whose meaning is sure. Sources: "Common Errors"
// of the query services' API references, "Error codes" of the EC2 API
// Reference, "Error responses" of the S3 API Reference, the retry
// specification of the AWS SDKs for the throttling codes.
var codes = map[string]refusal.Reason{
	"AccessDenied":                 refusal.MissingPermission,
	"AccessDeniedException":        refusal.MissingPermission,
	"AccessDeniedFault":            refusal.MissingPermission,
	"UnauthorizedOperation":        refusal.MissingPermission,
	"Client.UnauthorizedOperation": refusal.MissingPermission,
	"AuthorizationError":           refusal.MissingPermission,
	"AuthorizationErrorException":  refusal.MissingPermission,
	"AuthorizationException":       refusal.MissingPermission,
	"NotAuthorized":                refusal.MissingPermission,
	"NotAuthorizedException":       refusal.MissingPermission,
	"UnauthorizedException":        refusal.MissingPermission,
	"UnauthorizedAccess":           refusal.MissingPermission,
	"UnauthorizedAccessException":  refusal.MissingPermission,
	"ForbiddenException":           refusal.MissingPermission,
	"Forbidden":                    refusal.MissingPermission,
	"KMS.AccessDeniedException":    refusal.MissingPermission, // Lambda, SQS, SNS for the key behind them
	"KMSAccessDeniedException":     refusal.MissingPermission,
	"KMSAccessDenied":              refusal.MissingPermission,
	"KmsAccessDenied":              refusal.MissingPermission,

	// S3: AWS has shut the object, bucket or account; nobody can grant it.
	"AllAccessDisabled": refusal.ExplicitDeny,
	"AccountProblem":    refusal.ExplicitDeny,

	"AuthFailure":                         refusal.BadCredentials,
	"ExpiredToken":                        refusal.BadCredentials,
	"ExpiredTokenException":               refusal.BadCredentials,
	"IncompleteSignature":                 refusal.BadCredentials,
	"IncompleteSignatureException":        refusal.BadCredentials,
	"InvalidAccessKeyId":                  refusal.BadCredentials,
	"InvalidClientTokenId":                refusal.BadCredentials,
	"InvalidSecurity":                     refusal.BadCredentials,
	"InvalidSignatureException":           refusal.BadCredentials,
	"InvalidToken":                        refusal.BadCredentials,
	"MissingAuthenticationToken":          refusal.BadCredentials,
	"MissingAuthenticationTokenException": refusal.BadCredentials,
	"MissingSecurityHeader":               refusal.BadCredentials,
	"RequestExpired":                      refusal.BadCredentials,
	"RequestTimeTooSkewed":                refusal.BadCredentials,
	"SignatureDoesNotMatch":               refusal.BadCredentials,
	"TokenRefreshRequired":                refusal.BadCredentials,
	"UnrecognizedClientException":         refusal.BadCredentials,

	"BandwidthLimitExceeded":                 refusal.QuotaOrRate,
	"EC2ThrottledException":                  refusal.QuotaOrRate,
	"LimitExceededException":                 refusal.QuotaOrRate,
	"PriorRequestNotComplete":                refusal.QuotaOrRate,
	"ProvisionedThroughputExceededException": refusal.QuotaOrRate,
	"RequestLimitExceeded":                   refusal.QuotaOrRate,
	"RequestThrottled":                       refusal.QuotaOrRate,
	"RequestThrottledException":              refusal.QuotaOrRate,
	"ServiceQuotaExceededException":          refusal.QuotaOrRate,
	"SlowDown":                               refusal.QuotaOrRate,
	"ThrottledException":                     refusal.QuotaOrRate,
	"Throttling":                             refusal.QuotaOrRate,
	"ThrottlingException":                    refusal.QuotaOrRate,
	"TooManyBuckets":                         refusal.QuotaOrRate,
	"TooManyRequestsException":               refusal.QuotaOrRate,

	"NotSignedUp":                   refusal.APIDisabled,
	"OptInRequired":                 refusal.APIDisabled,
	"RegionDisabledException":       refusal.APIDisabled,
	"SubscriptionRequiredException": refusal.APIDisabled,

	// Replies that carry status 403 without being a matter of authorization.
	"CrossLocationLoggingProhibited": refusal.NotAuthorization,
	"InvalidObjectState":             refusal.NotAuthorization,
	"InvalidPayer":                   refusal.NotAuthorization,
	"RequestTorrentOfBucketError":    refusal.NotAuthorization,
}

// unauthenticated begin the messages with which S3 says AccessDenied of a
// request whose signature it did not take, in lower case: it is late or early,
// or signed for something else (S3 API Reference, "Authenticating Requests",
// and the policy's expiration and conditions of a browser's POST).
var unauthenticated = []string{
	"request has expired",
	"request is not yet valid",
	"aws authentication requires a valid date or x-amz-date header",
	"there were headers present in the request which were not signed",
	"invalid according to policy",
	"anonymous ",
}

// Unauthenticated tells whether S3's message to AccessDenied says that the
// request was not authenticated.
func Unauthenticated(message string) bool {
	m := strings.ToLower(strings.TrimSpace(message))
	for _, begin := range unauthenticated {
		if strings.HasPrefix(m, begin) {
			return true
		}
	}
	return false
}

// ReasonOf gives what a code is sure to mean, "" for any other. For the codes
// of a refusal it gives MissingPermission, which the message then settles.
func ReasonOf(code string) refusal.Reason {
	if r, ok := codes[code]; ok {
		return r
	}
	// EC2, IAM and ELB name each quota: VpcLimitExceeded, LimitExceeded,
	// AddressLimitExceeded, VcpuLimitExceeded.
	if strings.HasSuffix(code, "LimitExceeded") || strings.HasSuffix(code, "QuotaExceeded") || strings.HasSuffix(code, "QuotaExceededException") {
		return refusal.QuotaOrRate
	}
	return ""
}
