// Package forward passes requests and replies on as they came: the same path,
// query and header values, to the byte, without what belongs to one connection
// only. What a client signed stays what it signed.
package forward

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Request is the request that is sent on for r: to the host of connection
// name to, with r's own path, query, Host and header values byte for byte.
// Only what belongs to the connection to the client is not passed on. Absolute
// makes the request target an absolute URL, as a proxy for plain HTTP wants it.
//
// Three differences stay, none of which a signature of AWS covers: a header's
// name may change its case, the end of the body may be framed differently on
// HTTP/2, and a client's Expect over HTTP/2 is answered here.
func Request(ctx context.Context, r *http.Request, scheme, to string, absolute bool) *http.Request {
	out := &http.Request{
		Method: r.Method,
		URL:    target(r, scheme, to, absolute),
		Host:   r.Host,
		Header: Header(r.Header),
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength:    r.ContentLength,
		TransferEncoding: r.TransferEncoding,
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // keeps net/http from adding its own
	}
	if values, ok := r.Header["Te"]; ok && hasToken(values, "trailers") {
		out.Header.Set("Te", "trailers") // gRPC asks for it, and may be refused without
	}
	if protocol := upgrade(r.Header); protocol != "" {
		out.Header.Set("Connection", "Upgrade")
		out.Header.Set("Upgrade", protocol)
	}
	if r.ContentLength == 0 && r.Header.Get("Content-Length") == "0" {
		// This makes net/http write the zero for methods other than GET and
		// HEAD, where it may have been signed.
		out.TransferEncoding = []string{"identity"}
		out.Body = http.NoBody
	}
	return out.WithContext(ctx)
}

// target is the URL whose request target on the wire is the bytes that r came
// with. net/http would else escape anew what it thinks should be escaped.
func target(r *http.Request, scheme, to string, absolute bool) *url.URL {
	raw := r.RequestURI
	if !strings.HasPrefix(raw, "/") && raw != "*" {
		raw = r.URL.RequestURI() // the client used the absolute form
		if _, rest, ok := strings.Cut(r.RequestURI, "://"); ok {
			if i := strings.IndexAny(rest, "/?"); i >= 0 {
				raw = rest[i:]
			}
			if !strings.HasPrefix(raw, "/") {
				raw = "/" + raw
			}
		}
	}
	path, query, hasQuery := strings.Cut(raw, "?")
	u := &url.URL{Scheme: scheme, Host: to, RawQuery: query, ForceQuery: hasQuery && query == ""}
	switch {
	case absolute:
		u.Opaque = "//" + r.Host + path
	case !strings.HasPrefix(path, "//"):
		u.Opaque = path
	default:
		// An opaque "//x" would be taken for a host. The path can be given in
		// its parsed form if that is printed as it was; else the absolute form,
		// which every server must understand, says the same.
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = plain, path
		}
		if u.EscapedPath() != path {
			u.Path, u.RawPath, u.Opaque = "", "", "//"+r.Host+path
		}
	}
	return u
}

// hopByHop are the headers of one connection (RFC 9110, section 7.6.1), with
// those that net/http makes itself from a request's or reply's fields.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// Header copies the headers that are meant for the other end.
func Header(h http.Header) http.Header {
	out := make(http.Header, len(h)+1)
	for name, values := range h {
		if !hopByHop[name] {
			out[name] = values
		}
	}
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			// Close and Keep-Alive are said about the connection, and the name
			// of a header that a server needs is not taken for one.
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if name != "Host" && name != "Authorization" && name != "Content-Length" && !strings.HasPrefix(name, "X-Amz-") {
				delete(out, name)
			}
		}
	}
	return out
}

func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for t := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// upgrade is the protocol that the headers ask or agree to change to.
func upgrade(h http.Header) string {
	if !hasToken(h["Connection"], "Upgrade") {
		return ""
	}
	return h.Get("Upgrade")
}
