package intercept

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// outgoing is the request that is sent on for r: to the host of connection
// name to, with r's own path, query, Host and header values byte for byte.
// Only what belongs to the connection to the client is not passed on. Absolute
// makes the request target an absolute URL, as a proxy for plain HTTP wants it.
//
// Three differences stay, none of which a signature of AWS covers: a header's
// name may change its case, the end of the body may be framed differently on
// HTTP/2, and a client's Expect over HTTP/2 is answered here.
func outgoing(ctx context.Context, r *http.Request, scheme, to string, absolute bool) *http.Request {
	out := &http.Request{
		Method: r.Method,
		URL:    target(r, scheme, to, absolute),
		Host:   r.Host,
		Header: endToEnd(r.Header),
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
	if upgrade := upgradeOf(r.Header); upgrade != "" {
		out.Header.Set("Connection", "Upgrade")
		out.Header.Set("Upgrade", upgrade)
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
var hopByHop = names(`
	Connection Keep-Alive Proxy-Connection Proxy-Authenticate Proxy-Authorization
	Te Trailer Transfer-Encoding Upgrade
`)

// endToEnd copies the headers that are meant for the other end.
func endToEnd(h http.Header) http.Header {
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

// upgradeOf is the protocol that the headers ask or agree to change to.
func upgradeOf(h http.Header) string {
	if !hasToken(h["Connection"], "Upgrade") {
		return ""
	}
	return h.Get("Upgrade")
}

// sameHost tells whether a request's Host names the host, in canonical form,
// that its connection was opened for.
func sameHost(given, host string) bool {
	name, ok := canonicalHost(strings.TrimSuffix(given, ":443"))
	return ok && name == host
}

// servePlain forwards a request for an http:// URL. It is never opened to the
// arbiter: over plain HTTP anybody could have answered.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	host := r.URL.Hostname()
	if isMetadata(host) {
		p.log.Warn("refused", "host", host, "error", errMetadata)
		say(w, http.StatusForbidden, errMetadata.Error())
		return
	}
	via, err := p.upstreamProxy(&http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Scheme: "http", Host: r.URL.Host}, Header: http.Header{}})
	if err != nil {
		p.unreachable(w, r, r.URL.Host, err)
		return
	}
	absolute := via != nil && (via.Scheme == "http" || via.Scheme == "https")
	out := outgoing(r.Context(), r, "http", r.URL.Host, absolute)
	if r.ContentLength != 0 {
		out.Body = r.Body
		out.Trailer = r.Trailer
	}
	resp, err := p.http1.RoundTrip(out)
	if err != nil {
		p.unreachable(w, r, r.URL.Host, err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		p.switchProtocols(w, resp)
		return
	}
	if err := p.deliver(w, resp, resp.Body, nil); err != nil {
		abort()
	}
}

// deliver writes resp with the given body to the client as it came. What is
// written is also given to seen, if that is not nil. An error means that the
// client has not got the whole reply.
func (p *Proxy) deliver(w http.ResponseWriter, resp *http.Response, body io.Reader, seen func([]byte)) error {
	header := w.Header()
	for name, values := range endToEnd(resp.Header) {
		header[name] = values
	}
	for _, name := range []string{"Content-Type", "Date"} {
		if _, ok := header[name]; !ok {
			header[name] = nil // keeps net/http from making one up
		}
	}
	announced := make(map[string]bool, len(resp.Trailer))
	for name := range resp.Trailer {
		announced[name] = true
		header.Add("Trailer", name)
	}
	w.WriteHeader(resp.StatusCode)
	flush := http.NewResponseController(w).Flush
	// A reply of unknown length may be a stream of which the client needs every
	// piece at once, its start included. Trailers need it unfinished as well.
	stream := resp.ContentLength < 0 || len(resp.Trailer) > 0
	if stream {
		if err := flush(); err != nil {
			return err
		}
	}
	if err := p.copy(w, body, seen, stream, flush); err != nil {
		return err
	}
	for name, values := range resp.Trailer {
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		header[name] = values
	}
	return nil
}

func (p *Proxy) copy(w io.Writer, body io.Reader, seen func([]byte), stream bool, flush func() error) error {
	buffer := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buffer)
	for {
		n, err := body.Read(*buffer)
		if n > 0 {
			piece := (*buffer)[:n]
			if seen != nil {
				seen(piece)
			}
			if _, err := w.Write(piece); err != nil {
				return err
			}
			if stream {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// switchProtocols gives both connections to each other after a 101.
func (p *Proxy) switchProtocols(w http.ResponseWriter, resp *http.Response) {
	upstream, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		say(w, http.StatusBadGateway, "the host changed protocols in a way that cannot be passed on")
		return
	}
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.log.Warn("change of protocol", "error", err)
		abort()
	}
	defer client.Close()
	header := endToEnd(resp.Header)
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", resp.Header.Get("Upgrade"))
	_, err = io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\n")
	if err == nil {
		err = header.Write(rw)
	}
	if err == nil {
		_, err = io.WriteString(rw, "\r\n")
	}
	if err == nil {
		err = rw.Flush()
	}
	if err != nil {
		return
	}
	p.splice(&bufferedConn{Conn: client, in: rw.Reader}, upstream)
}
