// Package outside is the proxy's way to the network: requests and connections go
// out by it, through an upstream proxy if there is one, over verified TLS, and
// never to the metadata and credential services of the machine itself.
package outside

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"

	"github.com/whittle-iam/whittle/sandbox/intercept/conn"
)

// patience is how long a connection, and its TLS handshake, may take.
const patience = 30 * time.Second

// Way leads out. The zero value goes straight and trusts the system's roots.
type Way struct {
	// Dial makes the connections; nil is a net.Dialer that refuses the
	// machine's own metadata service.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Roots is what certificates are verified against; nil is the system's.
	Roots *x509.CertPool
	// Proxy names the upstream proxy for a request; nil uses none.
	Proxy func(*http.Request) (*url.URL, error)
}

func (w Way) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.Dial != nil {
		return w.Dial(ctx, network, addr)
	}
	return (&net.Dialer{Timeout: patience, KeepAlive: 30 * time.Second, Control: guard}).DialContext(ctx, network, addr)
}

// Transport is the way of whole requests, to which it adds nothing.
func (w Way) Transport(http2 bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(http2)
	t := &http.Transport{
		DialContext:     w.dial,
		TLSClientConfig: w.tls(),
		Protocols:       protocols,
		// Accept-Encoding is often signed: it goes as it came, and so does the
		// reply's encoding.
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		// No API of a cloud sends as much. A reply with more is an error.
		MaxResponseHeaderBytes: 1 << 20,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    patience,
		ExpectContinueTimeout:  time.Second,
	}
	if w.Proxy != nil {
		t.Proxy = w.Proxy
	}
	return t
}

func (w Way) tls() *tls.Config {
	return &tls.Config{RootCAs: w.Roots, MinVersion: tls.VersionTLS12}
}

// Via is the upstream proxy for a request, nil if it goes straight.
func (w Way) Via(r *http.Request) (*url.URL, error) {
	if w.Proxy == nil {
		return nil, nil
	}
	via, err := w.Proxy(r)
	if err != nil {
		return nil, fmt.Errorf("upstream proxy: %w", err)
	}
	return via, nil
}

// Connect connects to addr, through the upstream proxy if there is one.
func (w Way) Connect(ctx context.Context, addr string) (net.Conn, error) {
	via, err := w.Via(&http.Request{
		Method: http.MethodConnect, Host: addr, URL: &url.URL{Scheme: "https", Host: addr}, Header: http.Header{},
	})
	if err != nil {
		return nil, err
	}
	if via == nil {
		return w.dial(ctx, "tcp", addr)
	}
	switch via.Scheme {
	case "http", "https":
		return w.connectBy(ctx, via, addr)
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if u := via.User; u != nil {
			password, _ := u.Password()
			auth = &proxy.Auth{User: u.Username(), Password: password}
		}
		d, err := proxy.SOCKS5("tcp", hostPort(via, "1080"), auth, dialFunc(w.dial))
		if err != nil {
			return nil, fmt.Errorf("upstream proxy %s: %w", via.Host, err)
		}
		link, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("upstream proxy %s: %w", via.Host, err)
		}
		return link, nil
	}
	return nil, fmt.Errorf("upstream proxy %s: scheme %q is not supported; use http, https or socks5", via.Host, via.Scheme)
}

// connectBy connects to addr through an HTTP proxy.
func (w Way) connectBy(ctx context.Context, via *url.URL, addr string) (_ net.Conn, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("upstream proxy %s: %w", via.Host, err)
		}
	}()
	port := "80"
	if via.Scheme == "https" {
		port = "443"
	}
	link, err := w.dial(ctx, "tcp", hostPort(via, port))
	if err != nil {
		return nil, err
	}
	raw := link
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	defer func() {
		if err != nil {
			link.Close()
			if ctx.Err() != nil {
				err = ctx.Err()
			}
		}
	}()
	if via.Scheme == "https" {
		config := w.tls()
		config.ServerName = via.Hostname()
		secure := tls.Client(link, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		link = secure
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": nil}}
	if via.User != nil {
		password, _ := via.User.Password()
		req.SetBasicAuth(via.User.Username(), password)
		req.Header["Proxy-Authorization"] = req.Header["Authorization"]
		delete(req.Header, "Authorization")
	}
	if err := req.Write(link); err != nil {
		return nil, err
	}
	in := bufio.NewReader(link)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("CONNECT %s: %s", addr, resp.Status)
	}
	return &conn.Buffered{Conn: link, In: in}, nil
}

func hostPort(u *url.URL, port string) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// dialFunc is a dial function as a dialer.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Dial is needed to be a proxy.Dialer; DialContext is what is called.
func (d dialFunc) Dial(network, addr string) (net.Conn, error) {
	return d(context.Background(), network, addr)
}

// DialContext is the function.
func (d dialFunc) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}
