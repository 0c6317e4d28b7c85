package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"

	"golang.org/x/net/proxy"
)

// awsMetadata6 holds the IPv6 addresses of the instance metadata service, the
// time service and EKS's credentials.
// Source: EC2 User Guide, "Instance metadata service", fd00:ec2::254.
var awsMetadata6 = netip.MustParsePrefix("fd00:ec2::/32")

// errMetadata refuses what would reach the host machine's own role.
var errMetadata = errors.New("the host machine's metadata and credential services are closed to a step")

// isMetadata tells whether host is, or may be, the address of a metadata or
// credential service of the machine that Whittle runs on: all of these are
// link-local.
func isMetadata(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap().WithZone("")
		return ip.IsLinkLocalUnicast() || awsMetadata6.Contains(ip)
	}
	name, _ := canonicalHost(host)
	return name == "metadata.google.internal" || name == "instance-data.ec2.internal"
}

// guard is a net.Dialer.Control that keeps names which resolve to such an
// address from being dialled.
func guard(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err == nil && isMetadata(host) {
		return errMetadata
	}
	return nil
}

// tunnel serves a CONNECT to a host that is not opened: bytes go to and fro,
// unseen, until both sides have ended.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, addr string) {
	upstream, err := p.dialThrough(r.Context(), addr)
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
	p.splice(client, upstream)
}

// splice copies both ways until both directions have ended. An end is passed
// on as a half-close where the connection knows one; an error, or the proxy's
// own end, ends both.
func (p *Proxy) splice(a, b io.ReadWriteCloser) {
	stop := context.AfterFunc(p.ctx, func() {
		a.Close()
		b.Close()
	})
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pour(a, b)
	}()
	pour(b, a)
	<-done
}

// pour copies from src to dst and hands the end on.
func pour(dst, src io.ReadWriteCloser) {
	_, err := io.Copy(dst, src)
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		if half.CloseWrite() == nil {
			return
		}
	}
	dst.Close()
	src.Close()
}

// dialThrough connects to addr, through the upstream proxy if there is one.
func (p *Proxy) dialThrough(ctx context.Context, addr string) (net.Conn, error) {
	via, err := p.upstreamProxy(&http.Request{
		Method: http.MethodConnect, Host: addr, URL: &url.URL{Scheme: "https", Host: addr}, Header: http.Header{},
	})
	if err != nil {
		return nil, err
	}
	if via == nil {
		return p.dial(ctx, "tcp", addr)
	}
	switch via.Scheme {
	case "http", "https":
		return p.dialConnect(ctx, via, addr)
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if u := via.User; u != nil {
			password, _ := u.Password()
			auth = &proxy.Auth{User: u.Username(), Password: password}
		}
		d, err := proxy.SOCKS5("tcp", hostPort(via, "1080"), auth, dialFunc(p.dial))
		if err != nil {
			return nil, fmt.Errorf("upstream proxy %s: %w", via.Host, err)
		}
		conn, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("upstream proxy %s: %w", via.Host, err)
		}
		return conn, nil
	}
	return nil, fmt.Errorf("upstream proxy %s: scheme %q is not supported; use http, https or socks5", via.Host, via.Scheme)
}

// dialConnect connects to addr through an HTTP proxy.
func (p *Proxy) dialConnect(ctx context.Context, via *url.URL, addr string) (_ net.Conn, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("upstream proxy %s: %w", via.Host, err)
		}
	}()
	port := "80"
	if via.Scheme == "https" {
		port = "443"
	}
	conn, err := p.dial(ctx, "tcp", hostPort(via, port))
	if err != nil {
		return nil, err
	}
	raw := conn
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	defer func() {
		if err != nil {
			conn.Close()
			if ctx.Err() != nil {
				err = ctx.Err()
			}
		}
	}()
	if via.Scheme == "https" {
		config := p.upstreamTLS()
		config.ServerName = via.Hostname()
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": nil}}
	if via.User != nil {
		password, _ := via.User.Password()
		req.SetBasicAuth(via.User.Username(), password)
		req.Header["Proxy-Authorization"] = req.Header["Authorization"]
		delete(req.Header, "Authorization")
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("CONNECT %s: %s", addr, resp.Status)
	}
	return &bufferedConn{Conn: conn, in: in}, nil
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

// bufferedConn is a connection of which some bytes were read ahead.
type bufferedConn struct {
	net.Conn
	in *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.in.Read(b) }

// CloseWrite hands the end of one direction on.
func (c *bufferedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
