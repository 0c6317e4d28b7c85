package hold

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Retries tells whether the client is known to try again by itself
// when it is told 503: the AWS SDKs are, in their standard and their legacy
// retry modes, for every operation.
func Retries(cloud refusal.Cloud, userAgent string) bool {
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

// TryAgain makes an AWS service's own "try again" of its refusal: status 503
// in the refusal's protocol, under its request id.
func TryAgain(host string, header http.Header, body []byte) (http.Header, []byte) {
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
