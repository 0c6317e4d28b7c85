package intercept

import (
	"io"
	"net/http"
	"net/url"

	"github.com/whittle-iam/whittle/sandbox/intercept/conn"
	"github.com/whittle-iam/whittle/sandbox/intercept/forward"
	"github.com/whittle-iam/whittle/sandbox/intercept/outside"
)

// servePlain forwards a request for an http:// URL. It is never opened to the
// arbiter: over plain HTTP anybody could have answered.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	host := r.URL.Hostname()
	if outside.IsMetadata(host) {
		p.log.Warn("refused", "host", host, "error", outside.ErrMetadata)
		say(w, http.StatusForbidden, outside.ErrMetadata.Error())
		return
	}
	via, err := p.way.Via(&http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Scheme: "http", Host: r.URL.Host}, Header: http.Header{}})
	if err != nil {
		p.unreachable(w, r, r.URL.Host, err)
		return
	}
	absolute := via != nil && (via.Scheme == "http" || via.Scheme == "https")
	out := forward.Request(r.Context(), r, "http", r.URL.Host, absolute)
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
	if err := p.replies.Reply(w, resp, resp.Body, nil); err != nil {
		abort()
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
	header := forward.Header(resp.Header)
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
	conn.Splice(p.ctx, &conn.Buffered{Conn: client, In: rw.Reader}, upstream)
}

// tunnel serves a CONNECT to a host that is not opened: bytes go to and fro,
// unseen, until both sides have ended.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, addr string) {
	upstream, err := p.way.Connect(r.Context(), addr)
	if err != nil {
		p.unreachable(w, r, addr, err)
		return
	}
	defer upstream.Close()
	client, err := p.hijack(w)
	if err != nil {
		p.log.Warn("tunnel", "host", addr, "error", err)
		return
	}
	defer client.Close()
	conn.Splice(p.ctx, client, upstream)
}
