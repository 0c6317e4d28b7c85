package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// schemes are the two names of one way to sign, by what the Authorization header
// begins with. Source: Cloud Storage, "Signatures"; "Simple migration from
// Amazon S3".
var schemes = map[string]struct{ prefix, end, header string }{
	"GOOG4-HMAC-SHA256": {"GOOG4", "goog4_request", "X-Goog-"},
	"AWS4-HMAC-SHA256":  {"AWS4", "aws4_request", "X-Amz-"},
}

// Signed tells whether a request is signed with an HMAC key.
func Signed(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	_, ok := schemes[scheme]
	return ok
}

var errSignature = errors.New("signature")

// Signer finds the service account whose HMAC key has signed a request.
func Signer(tx *store.Tx, p api.Project, r *http.Request, body []byte, now time.Time) (email string, err error) {
	id, signed, err := parseAuthorization(r)
	if err != nil {
		return "", wire.New(400, "The Authorization header is malformed: %v", err).With("AuthorizationHeaderMalformed")
	}
	secret, email, ok := secretOf(tx, p, id)
	if !ok {
		return "", wire.New(403, "The Access Key Id you provided does not exist in our records.").With("InvalidAccessKeyId")
	}
	if signed.at.Before(now.Add(-15*time.Minute)) || signed.at.After(now.Add(15*time.Minute)) {
		return "", wire.New(403, "The difference between the request time and the current time is too large.").With("RequestTimeTooSkewed")
	}
	sum := sha256.Sum256(body)
	if signed.payload == "" {
		signed.payload = hex.EncodeToString(sum[:])
	}
	if strings.HasPrefix(signed.payload, "STREAMING-") {
		return "", wire.New(400, "Signed payloads in chunks are not supported.").With("NotImplemented")
	}
	if signed.payload != "UNSIGNED-PAYLOAD" && signed.payload != hex.EncodeToString(sum[:]) {
		return "", wire.New(400, "The provided content SHA-256 does not match what was computed.").With("XAmzContentSHA256Mismatch")
	}
	if !hmac.Equal([]byte(signed.signature), []byte(signed.compute(r, secret))) {
		return "", wire.New(403, "Access denied.").With("SignatureDoesNotMatch")
	}
	return email, nil
}

type signed struct {
	algorithm, scope, signature, payload string
	headers                              []string
	at                                   time.Time
}

func parseAuthorization(r *http.Request) (id string, s signed, err error) {
	algorithm, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	scheme, ok := schemes[algorithm]
	if !ok {
		return "", s, errSignature
	}
	s.algorithm = algorithm
	for _, field := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			id, s.scope, _ = strings.Cut(value, "/")
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.signature = value
		}
	}
	if strings.Count(s.scope, "/") != 3 || !strings.HasSuffix(s.scope, "/"+scheme.end) || s.signature == "" || !slices.Contains(s.headers, "host") {
		return "", s, errSignature
	}
	s.at, err = time.Parse("20060102T150405Z", r.Header.Get(scheme.header+"Date"))
	if err == nil && !strings.HasPrefix(s.scope, s.at.Format("20060102")+"/") {
		err = errors.New("the date is not that of the credential")
	}
	s.payload = r.Header.Get(scheme.header + "Content-Sha256")
	return id, s, err
}

func (s signed) compute(r *http.Request, secret string) string {
	var headers strings.Builder
	for _, name := range s.headers {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	canonical := strings.Join([]string{r.Method, escapePath(r.URL.Path), canonicalQuery(r.URL.Query()), headers.String(), strings.Join(s.headers, ";"), s.payload}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{s.algorithm, s.at.Format("20060102T150405Z"), s.scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte(schemes[s.algorithm].prefix + secret)
	for _, part := range strings.Split(s.scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) //nolint:errcheck // a hash never fails
	return h.Sum(nil)
}

// escape leaves only what RFC 3986 calls unreserved.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}

func escapePath(path string) string { return strings.ReplaceAll(escape(path), "%2F", "/") }

func canonicalQuery(q url.Values) string {
	var parts []string
	for key, values := range q {
		for _, v := range values {
			parts = append(parts, escape(key)+"="+escape(v))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}
