package intercept

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const (
	holdShort = 45 * time.Second
	holdLong  = 100 * time.Second
)

// DefaultHold is how long a client with this User-Agent is kept waiting for a
// reply. botocore's reads time out after 60 s; the AWS SDKs for Go and
// Google's Go clients set no limit of their own, and their callers wait longer
// than the 100 s given here.
func DefaultHold(userAgent string) time.Duration {
	ua := strings.ToLower(userAgent)
	// botocore first: what wraps it may name other things, too.
	for _, name := range []string{"botocore", "boto3", "aws-cli"} {
		if strings.Contains(ua, name) {
			return holdShort
		}
	}
	for _, name := range []string{"aws-sdk-go", "terraform", "opentofu", "google-api-go-client", "gcloud-golang", "grpc-go"} {
		if strings.Contains(ua, name) {
			return holdLong
		}
	}
	return holdShort
}

// hold is the time that one request may be held, and the waits within it.
type hold struct {
	end  time.Time // the client has its reply by then
	last time.Time // no repeat starts after it
	wait *backoff.ExponentialBackOff
}

func newHold(start time.Time, d time.Duration) *hold {
	// A repeat needs time for its own answer before the client gives up.
	reserve := 10 * time.Second
	if d < 4*reserve {
		reserve = d / 4
	}
	return &hold{
		end:  start.Add(d),
		last: start.Add(d - reserve),
		wait: backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(125*time.Millisecond),
			backoff.WithMultiplier(1.5),
			backoff.WithRandomizationFactor(0.2),
			// With the randomization on top no wait is longer than 3 s.
			backoff.WithMaxInterval(2500*time.Millisecond),
			backoff.WithMaxElapsedTime(0), // last ends it
		),
	}
}

// Next waits before the next repeat; false means that none may start any more
// or that ctx ended.
func (h *hold) Next(ctx context.Context) bool {
	d := h.wait.NextBackOff()
	if time.Now().Add(d).After(h.last) {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retriesUnavailable tells whether the client is known to try again by itself
// when it is told 503: the AWS SDKs are, in their standard and their legacy
// retry modes, for every operation.
func retriesUnavailable(cloud refusal.Cloud, userAgent string) bool {
	if cloud != refusal.AWS {
		return false
	}
	ua := strings.ToLower(userAgent)
	for _, name := range []string{"aws-sdk-", "botocore", "boto3", "aws-cli", "apn/"} {
		if strings.Contains(ua, name) {
			return true
		}
	}
	return false
}

// heldOut is what the client is told when the hold is spent. A person may read
// it, if the client's own retries are spent too.
const heldOut = "Whittle held this request while its permission was granted, and the grant is not in force yet. Please try again."

// tryAgain makes an AWS service's own "try again" of its refusal: status 503
// in the refusal's protocol, under its request id.
func tryAgain(host string, header http.Header, body []byte) (http.Header, []byte) {
	code := "ServiceUnavailable"
	if isS3(host) {
		code = "SlowDown"
	}
	h := make(http.Header)
	for name, values := range header {
		switch {
		case isRequestID(name), name == "Content-Type", name == "Date", name == "Server":
			h[name] = values
		}
	}
	// The services that speak JSON name the error in a header, too, and those
	// that once spoke the query protocol in another one.
	if header.Get("X-Amzn-Errortype") != "" {
		h.Set("X-Amzn-Errortype", code)
	}
	if header.Get("X-Amzn-Query-Error") != "" {
		h.Set("X-Amzn-Query-Error", code+";Receiver")
	}
	id := requestID(header)
	trimmed := bytes.TrimSpace(body)
	switch contentType := header.Get("Content-Type"); {
	case len(trimmed) == 0: // the reply to a HEAD, or one without a body
		h.Del("Content-Type")
		return h, nil
	case strings.Contains(contentType, "cbor"):
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
		return h, cborError(code, heldOut)
	case trimmed[0] == '{':
		// A struct of strings always marshals.
		out, _ := json.Marshal(struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}{code, heldOut})
		return h, out
	case trimmed[0] == '<':
		return h, xmlError(rootElement(trimmed), code, heldOut, id)
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		return h, []byte(code + ": " + heldOut + "\n")
	}
}

// xmlError prints an error in the form whose root element is root: Error is
// that of Amazon S3, Response that of EC2, everything else that of the query
// protocol (ErrorResponse).
func xmlError(root, code, message, id string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	element := func(name, text string) {
		b.WriteString("<" + name + ">")
		// Writing to memory does not fail.
		_ = xml.EscapeText(&b, []byte(text))
		b.WriteString("</" + name + ">")
	}
	switch root {
	case "Error":
		b.WriteString("<Error>")
		element("Code", code)
		element("Message", message)
		element("RequestId", id)
		b.WriteString("</Error>")
	case "Response":
		b.WriteString("<Response><Errors><Error>")
		element("Code", code)
		element("Message", message)
		b.WriteString("</Error></Errors>")
		element("RequestID", id)
		b.WriteString("</Response>")
	default:
		b.WriteString("<ErrorResponse><Error>")
		element("Type", "Receiver")
		element("Code", code)
		element("Message", message)
		b.WriteString("</Error>")
		element("RequestId", id)
		b.WriteString("</ErrorResponse>")
	}
	return b.Bytes()
}

func rootElement(body []byte) string {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return ""
		}
		if e, ok := t.(xml.StartElement); ok {
			return e.Name.Local
		}
	}
}

// cborError is {"__type": code, "message": message} in CBOR (RFC 8949).
func cborError(code, message string) []byte {
	text := func(b []byte, s string) []byte {
		const major = 3 << 5
		switch n := len(s); {
		case n < 24:
			b = append(b, major|byte(n))
		case n < 1<<8:
			b = append(b, major|24, byte(n))
		default:
			b = append(b, major|25, byte(n>>8), byte(n))
		}
		return append(b, s...)
	}
	b := []byte{5<<5 | 2} // a map of two
	b = text(text(b, "__type"), code)
	return text(text(b, "message"), message)
}

func isRequestID(name string) bool {
	switch name {
	case "X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Id-2", "X-Amzn-Trace-Id":
		return true
	}
	return false
}

func requestID(h http.Header) string {
	if id := h.Get("X-Amzn-Requestid"); id != "" {
		return id
	}
	return h.Get("X-Amz-Request-Id")
}

// isS3 tells whether host, an opened one, is Amazon S3's.
func isS3(host string) bool {
	for _, label := range strings.Split(host, ".") {
		if label == "s3" || strings.HasPrefix(label, "s3-") || strings.HasPrefix(label, "s3express") {
			return true
		}
	}
	return false
}
