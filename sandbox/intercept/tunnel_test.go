package intercept

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept/outside"
)

// What is not in the endpoint table is tunnelled: the client sees the host's
// own certificate, and the arbiter nothing.
func TestTunnel(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }))
	defer s.Close()
	a := newScript(always(refusal.Repeat))
	p := start(t, cloud{}, Config{Arbiter: a, Held: true, Dial: new(net.Dialer).DialContext})
	hc := client(t, p, false)
	hc.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	resp, _ := do(t, hc, request(t, "GET", s.URL, nil))
	if !resp.TLS.PeerCertificates[0].Equal(s.Certificate()) {
		t.Error("the client saw another certificate than the host's")
	}
	if resp.StatusCode != 403 {
		t.Errorf("got %d", resp.StatusCode)
	}
	if refused, observed := a.told(); refused+observed != 0 {
		t.Error("the arbiter was told of a tunnel")
	}
}

// An endpoint's host on another port is nobody's API, and tunnelled.
func TestOtherPortIsTunnelled(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") }))
	defer s.Close()
	p := start(t, cloud{}, Config{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}})
	conn := connect(t, p, sqsHost+":8443")
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	if got, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(got), "plain") {
		t.Errorf("got %q, %v", got, err)
	}
}

// The end of one direction is passed on while the other goes on.
func TestTunnelHalfClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(conn) // until the client's end
		conn.Write(bytes.ToUpper(all))
	}()
	p := start(t, cloud{}, Config{Dial: new(net.Dialer).DialContext})
	conn := connect(t, p, l.Addr().String())
	defer conn.Close()
	body := bytes.Repeat([]byte("half"), 1<<18)
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, bytes.ToUpper(body)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// A client may send its first bytes before it has read the answer to CONNECT.
func TestEarlyBytes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	p := start(t, cloud{}, Config{Dial: new(net.Dialer).DialContext})
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, p.secret)
	addr := l.Addr().String()
	io.WriteString(conn, "CONNECT "+addr+" HTTP/1.1\r\nHost: "+addr+"\r\nProxy-Authorization: "+r.Header.Get("Authorization")+"\r\n\r\nearly")
	want := "HTTP/1.1 200 Connection established\r\n\r\nearly"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPlainHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Proxy-Authorization", "X-Forwarded-For", "Via", "Accept-Encoding"} {
			if v, ok := r.Header[name]; ok {
				t.Errorf("%s: %q arrived", name, v)
			}
		}
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(403)
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(b))
	}))
	defer s.Close()
	a := newScript(always(refusal.Repeat))
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "s3.amazonaws.com:80" {
			addr = s.Listener.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	behind := start(t, cloud{}, Config{Dial: dial})
	for name, p := range map[string]*Proxy{
		"direct":         start(t, cloud{}, Config{Arbiter: a, Held: true, Dial: dial}),
		"upstream proxy": start(t, cloud{}, Config{Arbiter: a, Held: true, Dial: dial, UpstreamProxy: http.ProxyURL(behind.URL())}),
	} {
		for _, host := range []string{s.URL, "http://s3.amazonaws.com"} {
			resp, got := do(t, client(t, p, false), request(t, "POST", host+"/a%2Fb?c={}", strings.NewReader("body")))
			if resp.StatusCode != 403 || got != "POST /a%2Fb?c={} body" {
				t.Errorf("%s: %s: %d %q", name, host, resp.StatusCode, got)
			}
		}
	}
	if refused, observed := a.told(); refused+observed != 0 {
		t.Error("the arbiter was told of a plain request")
	}
}

// The host machine's own role is out of a step's reach.
func TestMetadataIsRefused(t *testing.T) {
	dialled := atomic.Bool{}
	p := start(t, cloud{}, Config{Dial: func(context.Context, string, string) (net.Conn, error) {
		dialled.Store(true)
		return nil, io.EOF
	}})
	hc := client(t, p, false)
	for _, host := range []string{
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]", "[fe80::1]",
		"[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "metadata.google.internal", "METADATA.google.internal.",
	} {
		resp, _ := do(t, hc, request(t, "GET", "http://"+host+"/latest/meta-data/", nil))
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
		if _, err := hc.Do(request(t, "GET", "https://"+host+"/", nil)); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("CONNECT %s: %v", host, err)
		}
	}
	if dialled.Load() {
		t.Error("an address was dialled")
	}
	// A name that resolves to one is stopped at the dial.
	real := start(t, cloud{ca: newCA(t)}, Config{Dial: (&net.Dialer{Control: func(_, _ string, _ syscall.RawConn) error { return outside.ErrMetadata }}).DialContext})
	if resp, _ := do(t, client(t, real, false), request(t, "GET", "http://127.0.0.1:9/", nil)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a name for it: %d", resp.StatusCode)
	}
}

// Two proxies in a row: opened hosts and tunnels both go through the second.
func TestUpstreamProxy(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		c := startCloud(t, digest(1, -1))
		other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "other") }))
		defer other.Close()

		// The second opens cloud hosts as well: the first must believe its CA.
		second := newScript(always(refusal.Deliver))
		behind := start(t, c, Config{Arbiter: second, Held: true})
		var through atomic.Int64
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != behind.addr {
				t.Errorf("%s was dialled past the upstream proxy", addr)
			}
			through.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		first := newScript(always(refusal.Repeat))
		p := start(t, cloud{}, Config{
			Arbiter: first, Held: true, Dial: dial, RootCAs: pool(t, behind.ca), UpstreamProxy: http.ProxyURL(behind.URL()),
		})
		resp, got := do(t, client(t, p, h2), request(t, "PUT", "https://"+s3Host+"/key", strings.NewReader("body")))
		if resp.StatusCode != 200 || got != digestOf([]byte("body"), nil) {
			t.Errorf("got %d %q", resp.StatusCode, got)
		}
		if n := first.last(t).repeats; n != 1 {
			t.Errorf("%d repeats", n)
		}
		if refused, _ := second.told(); refused != 1 {
			t.Errorf("the second proxy saw %d refusals", refused)
		}
		hc := client(t, p, false)
		hc.Transport.(*http.Transport).TLSClientConfig = other.Client().Transport.(*http.Transport).TLSClientConfig
		if _, got := do(t, hc, request(t, "GET", other.URL, nil)); got != "other" {
			t.Errorf("tunnel: %q", got)
		}

		wrong := behind.URL()
		wrong.User = url.UserPassword("whittle", "not the secret")
		p = start(t, cloud{}, Config{Dial: dial, UpstreamProxy: http.ProxyURL(wrong)})
		resp, got = do(t, client(t, p, h2), request(t, "GET", "https://"+s3Host+"/", nil))
		if resp.StatusCode != 502 || !strings.Contains(got, "Proxy Authentication Required") || strings.Contains(got, "not the secret") {
			t.Errorf("refused by the upstream proxy: %d %q", resp.StatusCode, got)
		}
		if through.Load() == 0 {
			t.Error("nothing went through the upstream proxy")
		}
	})
}

// The upstream proxy may be reached over TLS, or speak SOCKS.
func TestUpstreamProxySchemes(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	ca := newCA(t)
	behind := start(t, cloud{}, Config{Dial: new(net.Dialer).DialContext})
	l, err := tls.Listen("tcp", "127.0.0.1:0", asHost(ca))
	if err != nil {
		t.Fatal(err)
	}
	secure := &http.Server{Handler: behind}
	go secure.Serve(l)
	defer secure.Close()
	socks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socks.Close()
	go serveSOCKS(socks, echo.Addr().String())

	overTLS := *behind.URL()
	overTLS.Scheme, overTLS.Host = "https", "proxy.s3.amazonaws.com:443" // a name that the test's CA may sign for
	for _, u := range []*url.URL{&overTLS, {Scheme: "socks5", Host: socks.Addr().String(), User: url.UserPassword("u", "p")}} {
		p := start(t, cloud{}, Config{RootCAs: pool(t, ca), UpstreamProxy: http.ProxyURL(u), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == overTLS.Host {
				addr = l.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
		conn := connect(t, p, echo.Addr().String())
		io.WriteString(conn, "hello")
		got := make([]byte, 5)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", u.Scheme, got, err)
		}
		conn.Close()
	}
	p := start(t, cloud{}, Config{UpstreamProxy: http.ProxyURL(&url.URL{Scheme: "ftp", Host: "x"})})
	if _, err := client(t, p, false).Do(request(t, "GET", "https://registry.example.com/", nil)); err == nil {
		t.Error("an upstream proxy of scheme ftp is taken")
	}
}

// serveSOCKS is as much of SOCKS 5 (RFC 1928, 1929) as the test needs.
func serveSOCKS(l net.Listener, to string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			b := make([]byte, 300)
			io.ReadFull(conn, b[:2])
			io.ReadFull(conn, b[:b[1]])
			conn.Write([]byte{5, 2})
			io.ReadFull(conn, b[:5]) // version, 1, "u", 1, "p"
			conn.Write([]byte{1, 0})
			io.ReadFull(conn, b[:10]) // CONNECT to an IPv4 address
			out, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer out.Close()
			conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
			go io.Copy(out, conn)
			io.Copy(conn, out)
		}()
	}
}
