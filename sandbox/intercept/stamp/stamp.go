// Package stamp puts a token into a refused reply, so that whatever the client
// prints of it shows which reply it was: into the request ids, in headers and
// body, and at the end of the error's messages.
//
// Nothing else changes: codes, types, statuses and reasons are what a client
// decides by, and of a message the beginning stays as it is. Checksums of the
// body are made anew or left out. The package does no I/O.
package stamp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Reply puts the token into a reply of the cloud and returns its new header and
// body; header and body themselves stay as they are. The body must be whole and
// without a content encoding that the header does not name; it may be empty. ok
// is false where there was no place for the token, or where it is none that
// every protocol can carry: 1 to 64 letters, digits and hyphens.
func Reply(cloud refusal.Cloud, header http.Header, body []byte, token string) (h http.Header, b []byte, ok bool) {
	if !sound(token) {
		return header, body, false
	}
	h = header.Clone()
	if h == nil {
		h = http.Header{}
	}
	ok = headers(cloud, h, token)
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return h, body, ok // nothing that can be read
	}
	b, inside := stamped(cloud, h, body, token)
	if inside && len(b) > 0 {
		checksums(h, b)
	}
	return h, b, ok || inside
}

// sound tells whether a token needs no escaping anywhere.
func sound(token string) bool {
	if token == "" || len(token) > 64 {
		return false
	}
	for _, c := range []byte(token) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return true
}

// ids are the headers with which the clouds name a request to whoever has to ask
// about it. Sources: the AWS SDKs' request id middleware, S3 API Reference
// ("Common response headers"), Azure Resource Manager's common API details,
// Microsoft Graph's error responses, Cloud Storage's response headers.
var ids = []string{
	"X-Amzn-Requestid", "X-Amz-Requestid", "X-Amz-Request-Id", "X-Amz-Id-2",
	"X-Ms-Request-Id", "Request-Id",
	"X-Goog-Request-Id", "X-Guploader-Uploadid",
	"X-Request-Id",
}

// messages are the headers that hold a message.
var messages = []string{"Grpc-Message", "X-Amzn-Errormessage"}

// headers puts the token into the headers.
func headers(cloud refusal.Cloud, h http.Header, token string) (ok bool) {
	set := func(name string) {
		h[name] = []string{token}
		ok = true
	}
	for _, name := range ids {
		if len(h[name]) > 0 {
			set(name)
		}
	}
	if cloud == refusal.AWS && h.Get("X-Amzn-Requestid") == "" && h.Get("X-Amz-Requestid") == "" && h.Get("X-Amz-Request-Id") == "" {
		// Whichever of them the service's client reads, it shows.
		set("X-Amzn-Requestid")
		set("X-Amz-Request-Id")
	}
	for _, name := range messages {
		if text := h.Get(name); text != "" {
			set(name)
			h[name] = []string{text + refusal.Mark(token)}
		}
	}
	if h.Get("Grpc-Status") != "" && h.Get("Grpc-Message") == "" {
		set("Grpc-Message")
		h["Grpc-Message"] = []string{strings.TrimSpace(refusal.Mark(token))}
	}
	if details := h.Get("Grpc-Status-Details-Bin"); details != "" {
		// It holds the message once more, and clients prefer it.
		h.Del("Grpc-Status-Details-Bin")
		if text, read := statusDetails(details, token); read {
			set("Grpc-Status-Details-Bin")
			h["Grpc-Status-Details-Bin"] = []string{text}
		}
	}
	return ok
}

// statusDetails puts the token into a google.rpc.Status in base64.
func statusDetails(text, token string) (string, bool) {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	var s status.Status
	if err != nil || proto.Unmarshal(data, &s) != nil {
		return "", false
	}
	s.Message += refusal.Mark(token)
	if data, err = proto.Marshal(&s); err != nil {
		return "", false
	}
	return base64.RawStdEncoding.EncodeToString(data), true
}

// checksums makes the checksums of the body anew that can be, and takes away
// the others.
func checksums(h http.Header, body []byte) {
	if h.Get("X-Amz-Crc32") != "" { // DynamoDB's, in decimal
		h.Set("X-Amz-Crc32", fmt.Sprint(crc32.ChecksumIEEE(body)))
	}
	for name := range h {
		switch {
		case name == "Content-Md5", name == "Digest", name == "Content-Digest", name == "Repr-Digest", name == "X-Goog-Hash",
			strings.HasPrefix(name, "X-Amz-Checksum-"):
			delete(h, name)
		}
	}
}

// stamped is the body with the token in it, by its form.
func stamped(cloud refusal.Cloud, h http.Header, body []byte, token string) ([]byte, bool) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	text := bytes.TrimLeft(bytes.TrimPrefix(body, bom), " \t\r\n")
	switch {
	case len(text) == 0:
		return body, false
	case kind == "application/cbor":
		return cborMap(body, token)
	case kind != "text/html" && text[0] == '<':
		if b, ok := elements(body, token); ok {
			return b, true
		}
	case text[0] == '{' || text[0] == '[':
		if b, ok := members(cloud, body, token, 0); ok {
			return b, true
		}
	}
	if kind != "text/html" && kind != "text/plain" && kind != "" || !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		return body, false
	}
	if kind != "text/html" && (text[0] == '<' || text[0] == '{' || text[0] == '[') {
		return body, false // a document must stay one
	}
	end := len(bytes.TrimRight(body, " \t\r\n"))
	return splice(body, []edit{{end, end, refusal.Mark(token)}}), true
}

var bom = []byte("\xef\xbb\xbf")

// edit is a part of a body that is replaced.
type edit struct {
	from, to int
	text     string
}

// splice makes the edits, which are in order and do not overlap.
func splice(body []byte, edits []edit) []byte {
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, body[at:e.from]...), e.text...)
		at = e.to
	}
	return append(out, body[at:]...)
}
