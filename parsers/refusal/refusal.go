// Package refusal holds the words that every part of Whittle uses to speak of
// a cloud's "no": the exchange that carried it, the denial that a parser read
// from it, and the verdict of what to do with the reply.
//
// It does no I/O and imports the standard library only.
package refusal

import (
	"log/slog"
	"net/http"
	"net/url"
)

// MaxBody is the most of a request's or reply's body that an [Exchange]
// carries, in bytes. What lies beyond it is cut off.
const MaxBody = 64 << 10

// Cloud names a cloud provider.
type Cloud string

// The clouds that Whittle knows.
const (
	AWS   Cloud = "aws"
	GCP   Cloud = "gcp"
	Azure Cloud = "azure"
)

// Exchange is one request to a cloud's API with its reply, as seen on the
// wire. Credentials are removed before an Exchange is made: it can be kept and
// parsed, but not replayed.
type Exchange struct {
	Method string
	// URL holds the real scheme, host, path and query of the request.
	// Signatures and tokens in the query are replaced by "REDACTED".
	URL *url.URL
	// Header is the request's header without Authorization, cookies and
	// security tokens.
	Header http.Header
	// Body is the start of the request's body, at most MaxBody bytes.
	Body []byte
	// Credential identifies, without being secret itself, the credential that
	// the request was made with: an AWS access key ID, for one. It is empty
	// when the request carried none that could be read.
	Credential string

	Status int
	// Reply is the reply's header, without cookies.
	Reply http.Header
	// ReplyBody is the start of the reply's body after content decoding, at
	// most MaxBody bytes.
	ReplyBody []byte
	// Token is what the proxy put into the reply: into its request ids, and as
	// [Mark] into its messages. It is empty for a reply as the cloud gave it.
	Token string
}

// Mark is how a token stands at the end of a message.
func Mark(token string) string { return " (" + token + ")" }

// LogValue lists the fields that are safe to log; bodies and headers are not.
func (x Exchange) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("method", x.Method), slog.Int("status", x.Status)}
	if x.URL != nil {
		attrs = append(attrs, slog.String("host", x.URL.Host), slog.String("path", x.URL.Path))
	}
	return slog.GroupValue(attrs...)
}

// Reason says why a cloud or tool refused.
type Reason string

// The reasons. A parser gives every one but TransientPropagation, which only
// the arbiter can know: it is a denial of what was granted a moment ago.
const (
	// MissingPermission: the principal lacks a permission that the refusal
	// names (or that the request's operation names beyond doubt).
	MissingPermission Reason = "missing_permission"
	// OpaqueDenial: refused for authorization, but no permission is named.
	OpaqueDenial Reason = "opaque_denial"
	// ExplicitDeny: a deny, boundary, session policy or organization policy
	// stands in the way; granting to the role does not help. Blocker says what.
	ExplicitDeny Reason = "explicit_deny"
	// APIDisabled: the service is not enabled for the project or account.
	APIDisabled Reason = "api_disabled"
	// QuotaOrRate: throttled or out of quota.
	QuotaOrRate Reason = "quota_or_rate"
	// BadCredentials: the request was not authenticated.
	BadCredentials Reason = "bad_credentials"
	// NotAuthorization: an error that has nothing to do with authorization.
	NotAuthorization Reason = "not_authorization"
	// TransientPropagation: refused although granted; the grant has not
	// reached every place yet.
	TransientPropagation Reason = "transient_propagation"
)

// Denial is a refusal read by a parser.
type Denial struct {
	Cloud  Cloud  `json:"cloud"`
	Reason Reason `json:"reason"`
	// Permission is the missing permission in the cloud's own notation and
	// canonical case ("ec2:CreateVpc"), empty when the refusal names none.
	Permission string `json:"permission"`
	// Candidates are the permissions that an opaque denial may have been about,
	// the likeliest first. They are guesses: nothing is granted for one without
	// a catalog of its own behind it, and none is ever put into Permission.
	Candidates []string `json:"candidates,omitempty"`
	// Resource is the resource it is missing on, as the refusal names it;
	// empty or "*" when it names none.
	Resource string `json:"resource"`
	// Principal is who was refused, as the refusal names it.
	Principal string `json:"principal"`
	// Blocker names what stands in the way when a grant would not help:
	// "service control policy", "permissions boundary", "session policy",
	// "resource-based policy", …
	Blocker string `json:"blocker"`
	// Evidence is the part of the input that the denial was read from, a
	// substring of it.
	Evidence string `json:"evidence"`
	// Encoded is an authorization message that only the cloud can decode
	// (EC2's), without its introduction.
	Encoded string `json:"-"`
	// Partial marks a refusal of a part of the request only (one key of an S3
	// DeleteObjects): the request must not be repeated, since other parts of
	// it were done.
	Partial bool `json:"-"`
	// Call is the request that the text around an opaque denial names, for a
	// catalog to find candidates by. A parser of the wire leaves it empty: there
	// the exchange is at hand.
	Call Call `json:"-"`
}

// Call is a request as the output of a tool names it. What it does not name is
// empty; a Call with nothing in it names no request.
type Call struct {
	// Service and Operation are as the client library names them: "s3" or "S3"
	// and "PutBucketPolicy", "storage" and "objects.list", "GroupsClient" and
	// "CheckExistence".
	Service, Operation string
	// Method and URL are the request's own, where they are printed.
	Method, URL string
	// Type is the Terraform type of the resource that the tool was about
	// ("google_compute_network"), Verb what it did to it: "create", "read",
	// "update", "delete" or "list". Noun is what the tool calls the resource in
	// its own words, where it says no type ("S3 bucket policy").
	Type, Verb, Noun string
}

// Verdict is what becomes of a refused reply.
type Verdict int

const (
	// Deliver gives the reply to the client as it is.
	Deliver Verdict = iota
	// Repeat holds the reply back and sends the same request again.
	Repeat
)
