package wire

// Fault is what can be wrong with a request before it is authorized.
type Fault int

// The faults.
const (
	Unsigned Fault = iota
	Malformed
	UnknownKey
	Mismatch
	Skewed
	Expired // the session
	PresignExpired
	Payload
	Unimplemented
	Broken // the sandbox's own fault
	Invalid
)

// sender is a fault in the form of a service.
type sender struct {
	status        int
	code, message string
}

const (
	invalidToken = "The security token included in the request is invalid."
	mismatch     = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	mismatchS3   = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	ec2Auth      = "AWS was not able to validate the provided access credentials"
	expired      = "The security token included in the request is expired"
)

// faults by style. Sources: "Common errors" in the IAM, STS, KMS and SQS API
// references, "Error codes" in the Amazon EC2 API reference, "Error responses"
// in the Amazon S3 API reference. A missing style is as Query.
var faults = map[Fault]map[Style]sender{
	Unsigned: {
		Query: {403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		EC2:   {401, "AuthFailure", ec2Auth},
		JSON:  {400, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		REST:  {403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		S3:    {403, "AccessDenied", "Access Denied"},
	},
	Malformed: {
		Query: {400, "IncompleteSignature", "Authorization header is malformed"},
		EC2:   {400, "AuthFailure", ec2Auth},
		JSON:  {400, "IncompleteSignatureException", "Authorization header is malformed"},
		REST:  {403, "IncompleteSignatureException", "Authorization header is malformed"},
		S3:    {400, "AuthorizationHeaderMalformed", "The authorization header is malformed"},
	},
	UnknownKey: {
		Query: {403, "InvalidClientTokenId", invalidToken},
		EC2:   {401, "AuthFailure", ec2Auth},
		JSON:  {400, "UnrecognizedClientException", invalidToken},
		REST:  {403, "UnrecognizedClientException", invalidToken},
		S3:    {403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
	},
	Mismatch: {
		Query: {403, "SignatureDoesNotMatch", mismatch},
		EC2:   {401, "AuthFailure", ec2Auth},
		JSON:  {400, "InvalidSignatureException", mismatch},
		REST:  {403, "InvalidSignatureException", mismatch},
		S3:    {403, "SignatureDoesNotMatch", mismatchS3},
	},
	Skewed: {
		Query: {403, "SignatureDoesNotMatch", "Signature expired or not yet current: the request's time is too far from the service's"},
		EC2:   {400, "RequestExpired", "Request has expired."},
		JSON:  {400, "InvalidSignatureException", "Signature expired or not yet current: the request's time is too far from the service's"},
		REST:  {403, "InvalidSignatureException", "Signature expired or not yet current: the request's time is too far from the service's"},
		S3:    {403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
	},
	Expired: {
		Query: {403, "ExpiredToken", expired},
		EC2:   {400, "RequestExpired", "Request has expired."},
		JSON:  {400, "ExpiredTokenException", expired},
		REST:  {403, "ExpiredTokenException", expired},
		S3:    {400, "ExpiredToken", "The provided token has expired."},
	},
	PresignExpired: {
		Query: {403, "SignatureDoesNotMatch", "Signature expired"},
		EC2:   {400, "RequestExpired", "Request has expired."},
		S3:    {403, "AccessDenied", "Request has expired"},
	},
	Payload: {
		Query: {403, "SignatureDoesNotMatch", mismatch},
		S3:    {400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."},
	},
	// The sandbox's own. No service answers so, which is the point: nobody must
	// take it for an answer of the cloud, and no client retries a 501: a 500 that
	// stays one costs minutes.
	Unimplemented: {Query: {501, "NotImplemented", ""}},
	Broken:        {Query: {501, "InternalFailure", ""}},
	Invalid:       {Query: {400, "ValidationError", ""}, S3: {400, "InvalidRequest", ""}, EC2: {400, "InvalidParameterValue", ""}, JSON: {400, "ValidationException", ""}},
}

// Of is a fault in a style's form. Message replaces the usual one, if any.
func Of(f Fault, s Style, message string) Error {
	base := s
	if s == SQS || s == CBOR {
		base = JSON
	}
	found, ok := faults[f][base]
	if !ok {
		found = faults[f][Query]
	}
	e := Error{Status: found.status, Code: found.code, Message: found.message}
	if (s == SQS || s == CBOR) && e.Status == 400 && f != Invalid {
		e.Status = 403 // as it was in SQS's query protocol
		e.QueryCode = faults[f][Query].code
	}
	if message != "" {
		e.Message = message
	}
	return e
}
