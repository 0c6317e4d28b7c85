// Package sigv4 verifies the signatures of AWS requests, version 4: in the
// Authorization header and in a presigned URL.
//
// It signs the received request again with the SDK's own signer and the secret
// that belongs to the access key, over exactly the headers that the client
// signed, and compares. It does not say what a failure looks like on the wire.
// SigV4A (X-Amz-Region-Set) and the old version 2 are not read: [Parse] calls
// them malformed.
//
// Source: "AWS Signature Version 4 for API requests", IAM User Guide, and
// "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference.
package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// unsigned stands for the hash of a payload that is not signed.
	unsigned = "UNSIGNED-PAYLOAD"
)

// What can be wrong with a signature. The gate gives each the name that the
// request's service has for it.
var (
	// ErrUnsigned: the request carries no signature.
	ErrUnsigned = errors.New("the request is not signed")
	// ErrMalformed: it carries one that cannot be read.
	ErrMalformed = errors.New("the signature cannot be read")
	// ErrSkewed: it was signed at another time than now.
	ErrSkewed = errors.New("the request's time is too far from the service's")
	// ErrExpired: a presigned URL is past its time.
	ErrExpired = errors.New("the presigned request has expired")
	// ErrMismatch: the secret, or the request, is another than was signed.
	ErrMismatch = errors.New("the signature does not match")
	// ErrPayload: the body has another hash than the header says.
	ErrPayload = errors.New("the payload's hash does not match")
)

// Claim is what a request says of its signer. Nothing in it is verified.
type Claim struct {
	AccessKeyID string
	// Token is the session token, empty for a long-term key.
	Token   string
	Region  string
	Service string
	Time    time.Time
	// Presigned tells that the signature is in the URL.
	Presigned bool

	expires   time.Duration // of a presigned URL
	headers   []string      // the signed ones, lower case, sorted
	signature string
	payload   string // X-Amz-Content-Sha256, empty when not sent
}

// Parse reads the claim of a request. The errors are ErrUnsigned and
// ErrMalformed.
func Parse(r *http.Request) (Claim, error) {
	header := r.Header.Get("Authorization")
	query := r.URL.Query()
	switch {
	case header != "" && query.Has("X-Amz-Signature"):
		return Claim{}, fmt.Errorf("%w: it is signed twice, in the header and in the URL", ErrMalformed)
	case header != "":
		return parseHeader(r, header)
	case query.Has("X-Amz-Signature") || query.Has("X-Amz-Credential"):
		return parseQuery(r, query)
	}
	return Claim{}, ErrUnsigned
}

func parseHeader(r *http.Request, header string) (Claim, error) {
	name, rest, _ := strings.Cut(header, " ")
	if name != algorithm {
		return Claim{}, fmt.Errorf("%w: algorithm %.40q, want %s", ErrMalformed, name, algorithm)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[key] = value
	}
	at := r.Header.Get("X-Amz-Date")
	if at == "" {
		if d, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			at = d.UTC().Format(timeFormat)
		}
	}
	c := Claim{Token: r.Header.Get("X-Amz-Security-Token"), payload: r.Header.Get("X-Amz-Content-Sha256")}
	return c.fill(parts["Credential"], at, parts["SignedHeaders"], parts["Signature"])
}

func parseQuery(r *http.Request, query url.Values) (Claim, error) {
	if name := query.Get("X-Amz-Algorithm"); name != algorithm {
		return Claim{}, fmt.Errorf("%w: algorithm %.40q, want %s", ErrMalformed, name, algorithm)
	}
	c := Claim{Token: query.Get("X-Amz-Security-Token"), Presigned: true, expires: 15 * time.Minute}
	if c.payload = r.Header.Get("X-Amz-Content-Sha256"); c.payload == "" {
		c.payload = query.Get("X-Amz-Content-Sha256")
	}
	if query.Has("X-Amz-Expires") {
		seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
		if err != nil || seconds < 0 || seconds > 7*24*3600 {
			return Claim{}, fmt.Errorf("%w: X-Amz-Expires must be from 0 to 604800 seconds", ErrMalformed)
		}
		c.expires = time.Duration(seconds) * time.Second
	}
	return c.fill(query.Get("X-Amz-Credential"), query.Get("X-Amz-Date"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"))
}

func (c Claim) fill(credential, at, headers, signature string) (Claim, error) {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || slices.Contains(scope, "") || scope[4] != "aws4_request" {
		return Claim{}, fmt.Errorf("%w: the credential must be KEY/DATE/REGION/SERVICE/aws4_request", ErrMalformed)
	}
	var err error
	if c.Time, err = time.Parse(timeFormat, at); err != nil {
		return Claim{}, fmt.Errorf("%w: no date in the form %s", ErrMalformed, timeFormat)
	}
	if c.Time.Format("20060102") != scope[1] {
		return Claim{}, fmt.Errorf("%w: the credential's date is not the request's", ErrMalformed)
	}
	c.AccessKeyID, c.Region, c.Service = scope[0], scope[2], scope[3]
	c.headers = strings.Split(headers, ";")
	if !slices.Contains(c.headers, "host") {
		return Claim{}, fmt.Errorf("%w: the host header is not signed", ErrMalformed)
	}
	if c.signature = signature; signature == "" {
		return Claim{}, fmt.Errorf("%w: there is no signature", ErrMalformed)
	}
	return c, nil
}

// Skew is how far a request's time may be from the service's: 15 minutes for
// S3 and SQS, 5 for the others.
func (c Claim) Skew() time.Duration {
	if c.Service == "s3" || c.Service == "sqs" {
		return 15 * time.Minute
	}
	return 5 * time.Minute
}

// Verify tells whether the request was signed with the secret, at about now. It
// changes neither the request nor its body, which is the whole of it as it came
// over the wire.
func (c Claim) Verify(ctx context.Context, r *http.Request, body []byte, secret string, now time.Time) error {
	switch age := now.Sub(c.Time); {
	case c.Presigned && age > c.expires:
		return ErrExpired
	case age < -c.Skew(), !c.Presigned && age > c.Skew():
		return ErrSkewed
	}
	payload, err := c.hash(body)
	if err != nil {
		return err
	}
	again, err := c.sign(ctx, r, payload, secret)
	if err != nil {
		return fmt.Errorf("sign again: %w", err)
	}
	if !hmac.Equal([]byte(again), []byte(c.signature)) {
		return ErrMismatch
	}
	return nil
}

// hash is what stands for the body in what was signed. Only S3 takes the
// client's word for it; the others hash what they received.
func (c Claim) hash(body []byte) (string, error) {
	sum := sha256.Sum256(body)
	actual := hex.EncodeToString(sum[:])
	switch {
	case c.Service != "s3":
		return actual, nil
	case c.payload == "" && c.Presigned:
		return unsigned, nil
	case c.payload == unsigned, strings.HasPrefix(c.payload, "STREAMING-"):
		return c.payload, nil
	case c.payload != actual:
		return "", ErrPayload
	}
	return actual, nil
}

// sign makes the signature that the request should have.
func (c Claim) sign(ctx context.Context, r *http.Request, payload, secret string) (string, error) {
	u := *r.URL
	u.Scheme, u.Host = "https", r.Host
	again := &http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: http.Header{}}
	for _, name := range c.headers {
		key := textproto.CanonicalMIMEHeaderKey(name)
		switch values, sent := r.Header[key]; {
		case name == "host":
		case name == "content-length":
			again.ContentLength = r.ContentLength
		case !sent:
			return "", ErrMismatch // signed, but lost on the way
		default:
			again.Header[key] = slices.Clone(values)
		}
	}
	credentials := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: secret}
	options := func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = c.Service == "s3" // S3 alone does not escape the path twice
		o.DisableHeaderHoisting = true               // what was a header when it was signed stays one
		o.DisableSessionToken = true                 // it is in the header or query as it came
	}
	if !c.Presigned {
		if err := v4.NewSigner().SignHTTP(ctx, credentials, again, payload, c.Service, c.Region, c.Time, options); err != nil {
			return "", err
		}
		_, signature, _ := strings.Cut(again.Header.Get("Authorization"), "Signature=")
		return signature, nil
	}
	query := u.Query()
	for _, key := range []string{"X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Credential", "X-Amz-SignedHeaders"} {
		query.Del(key)
	}
	u.RawQuery = query.Encode()
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, again, payload, c.Service, c.Region, c.Time, options)
	if err != nil {
		return "", err
	}
	_, signature, _ := strings.Cut(signed, "X-Amz-Signature=")
	return signature, nil
}

// Streaming tells whether the body is in aws-chunked form.
func (c Claim) Streaming() bool { return strings.HasPrefix(c.payload, "STREAMING-") }
