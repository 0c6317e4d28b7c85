// Package intercept is the run's certificate authority and the proxy through
// which a step reaches the network: TLS to the clouds' own API hosts is opened,
// refused replies are held back and the same request is sent again for as long
// as an [Arbiter] wants it; everything else is tunnelled.
//
// It decides nothing itself. What a refusal means, and whether a request is to
// be repeated, the Arbiter says; which hosts are opened, the endpoint table
// ([Endpoint]). It reads no credentials but the public identifier of the one
// that a request was signed with, and keeps to the bytes of what was signed:
// requests leave with the path, query and header values that they came with. The
// one thing that it puts in is a [Token], where a request shows its placeholder.
//
// A request's way: [Proxy.ServeHTTP] (proxy credentials) → connect → TLS with a
// leaf of the run CA → serveInner (flight.go) → the cloud, over verified TLS.
//
// What needs no proxy to be said is in packages of its own: which hosts are
// opened (endpoint), the run CA (authority), how a request is passed on
// (forward), given its token (bearer), kept for a repeat (spool), described without secrets (exchange) and
// held (hold), how a reply is marked (stamp), the way out (outside), and connections (conn).
package intercept

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept/authority"
	"github.com/whittle-iam/whittle/sandbox/intercept/bearer"
	"github.com/whittle-iam/whittle/sandbox/intercept/conn"
	"github.com/whittle-iam/whittle/sandbox/intercept/endpoint"
	"github.com/whittle-iam/whittle/sandbox/intercept/forward"
	"github.com/whittle-iam/whittle/sandbox/intercept/hold"
	"github.com/whittle-iam/whittle/sandbox/intercept/outside"
)

const (
	// user is the name in the proxy's credentials; the password is random.
	user = "whittle"
	// grace is how long Close lets requests end by themselves.
	grace = 2 * time.Second
	// flushTime is how long the last bytes of a reply may take after its handler
	// has ended: net/http writes them then.
	flushTime = 200 * time.Millisecond
	// handshakeTime is how long a client may take for its TLS handshake.
	handshakeTime = 30 * time.Second
	// maxConfigs bounds the kept configurations: a step that speaks to ever new
	// buckets must not grow them without end.
	maxConfigs = 1024
)

// CA is the certificate authority of one run.
type CA = authority.CA

// NewCA makes a certificate authority with a fresh key. What it signs is good
// for the hosts of the endpoint table's domains only.
func NewCA() (*CA, error) { return authority.New(endpoint.Domains()) }

// Endpoint tells which cloud's API host is, if it is one that is opened (see
// [endpoint.Of]).
func Endpoint(host string) (refusal.Cloud, bool) { return endpoint.Of(host) }

// DefaultHold is how long a client with this User-Agent is kept waiting for a
// reply (see [hold.Default]).
func DefaultHold(userAgent string) time.Duration { return hold.Default(userAgent) }

// Arbiter decides what becomes of a refused reply. It is called from many
// goroutines.
type Arbiter interface {
	// Refused is called for every reply with a status from 400 to 499. Its
	// context ends with the request's hold, and when the client hangs up.
	Refused(ctx context.Context, x refusal.Exchange) refusal.Verdict
	// Observed is called once for every request to an opened host, after its
	// last reply went to the client. Status is what the client got, and 0 if it
	// got nothing. Repeats is how many times the request was sent again.
	Observed(x refusal.Exchange, repeats int)
}

// Withholder answers requests in the cloud's place, and marks the cloud's own
// refusals. It is called from many goroutines.
type Withholder interface {
	// Withheld is called once for every request to an opened host, before it is
	// sent; x has no reply yet, and of a stream's body only what came at once. If
	// ok, the request is not sent: the client gets reply with the token in it.
	Withheld(x refusal.Exchange) (reply refusal.Exchange, token string, ok bool)
	// Marked is called for every reply of the cloud with a status from 400 to 499
	// that is about to be delivered. If ok, the token is put into it.
	Marked(x refusal.Exchange) (token string, ok bool)
}

// Token is a live access token that no client holds: see [bearer.Source].
type Token = bearer.Source

// Config says how a [Proxy] works.
type Config struct {
	// CA signs the certificates of opened hosts. It is required.
	CA *CA
	// Arbiter is asked about refusals; nil delivers every reply.
	Arbiter Arbiter
	// Held lets refused replies be held and their requests be repeated.
	// Without it the arbiter is told of refusals and its verdict is ignored.
	Held bool
	// Withhold answers requests in the cloud's place; nil sends them all, and
	// delivers every reply as it is. Observed is told of the token that a reply
	// was given, and of none where it had no place for one.
	Withhold Withholder
	// Token is put into the requests to Google's and Azure's APIs that show its placeholder;
	// nil puts nothing in anywhere.
	Token Token
	// Dial makes the connections to the outside; nil is a net.Dialer that
	// refuses the machine's own metadata service.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// RootCAs is what upstream certificates are verified against; nil is the
	// system's. There is no way not to verify them.
	RootCAs *x509.CertPool
	// UpstreamProxy names the proxy to use for a request, as
	// http.ProxyFromEnvironment does; nil uses none. Its schemes are http,
	// https and socks5.
	UpstreamProxy func(*http.Request) (*url.URL, error)
	// Hold is how long a client with the given User-Agent may be kept waiting
	// for its reply; nil is DefaultHold.
	Hold func(userAgent string) time.Duration
	// Listen is the loopback address to listen on; empty is a free port of
	// 127.0.0.1.
	Listen string
	// Log gets what goes wrong, and at level debug every request; nil discards.
	Log *slog.Logger
}

// Proxy is a running proxy. Make one with [Start].
type Proxy struct {
	ca       *CA
	arbiter  Arbiter
	held     bool
	withhold Withholder
	token    Token
	hold     func(string) time.Duration
	way      outside.Way
	log      *slog.Logger
	secret   string
	addr     string

	// ctx is the life of the proxy: requests and tunnels end with it.
	ctx    context.Context
	cancel context.CancelFunc

	front *http.Server  // speaks to clients as a proxy
	inner *http.Server  // speaks to clients as the cloud, within opened TLS
	door  *conn.Handoff // from front to inner

	// A request that came over HTTP/1.1 leaves over HTTP/1.1, so that its
	// framing stays what the client made; one over HTTP/2 leaves over HTTP/2 if
	// the host speaks it.
	http1, http2 *http.Transport

	replies forward.Copier

	serving sync.WaitGroup // the two Serve calls
	conns   sync.WaitGroup // connections that the servers hold
	once    sync.Once

	mu      sync.Mutex
	closing bool
	active  int           // handlers that run
	idle    chan struct{} // closed when closing and active is 0
	configs map[string]*tls.Config
	open    map[net.Conn]bool // what conns counts
}

// Start listens on a free port of the loopback interface and serves until
// Close, or until ctx ends: then requests and tunnels are cut.
func Start(ctx context.Context, c Config) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(c.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("proxy: listen: %w", err)
	}
	p, err := serve(ctx, c, l)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return p, nil
}

// serve is Start on a listener of the caller's.
func serve(ctx context.Context, c Config, l net.Listener) (*Proxy, error) {
	if c.CA == nil {
		return nil, errors.New("no certificate authority; make one with NewCA")
	}
	p := &Proxy{
		ca: c.CA, arbiter: c.Arbiter, held: c.Held && c.Arbiter != nil, withhold: c.Withhold, token: c.Token, hold: c.Hold, log: c.Log,
		way:     outside.Way{Dial: c.Dial, Roots: c.RootCAs, Proxy: c.UpstreamProxy},
		secret:  rand.Text(),
		addr:    l.Addr().String(),
		door:    conn.NewHandoff(l.Addr()),
		idle:    make(chan struct{}),
		configs: make(map[string]*tls.Config),
		open:    make(map[net.Conn]bool),
	}
	if p.hold == nil {
		p.hold = DefaultHold
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.http1, p.http2 = p.way.Transport(false), p.way.Transport(true)
	p.ctx, p.cancel = context.WithCancel(ctx)

	base := func(net.Listener) context.Context { return p.ctx }
	errorLog := slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)
	p.front = &http.Server{
		Handler: p, BaseContext: base, ConnState: p.connState, ErrorLog: errorLog,
		ReadHeaderTimeout: time.Minute,
	}
	p.inner = &http.Server{
		Handler: http.HandlerFunc(p.serveInner), BaseContext: base, ConnState: p.connState, ErrorLog: errorLog,
		ConnContext: withHost,
		// The configuration says that HTTP/2 is served; handshakes are made
		// before connections get here.
		TLSConfig: &tls.Config{NextProtos: []string{"h2", "http/1.1"}},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 1000, // held requests take a stream each
			// One upload that waits for the cloud must not take the whole
			// connection's window from the others.
			MaxReceiveBufferPerConnection: 32 << 20,
			MaxReceiveBufferPerStream:     1 << 20,
		},
	}
	p.serving.Go(func() { p.ended(p.front.Serve(l)) })
	p.serving.Go(func() { p.ended(p.inner.Serve(p.door)) })
	return p, nil
}

func (p *Proxy) ended(err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		p.log.Error("proxy stopped", "error", err)
	}
}

// URL is what a client's HTTPS_PROXY must be. It holds the run's secret.
func (p *Proxy) URL() *url.URL {
	return &url.URL{Scheme: "http", User: url.UserPassword(user, p.secret), Host: p.addr}
}

// Close lets the requests that are being answered end for up to two seconds,
// then cuts what is left. After it the arbiter is not called any more, and
// nothing of the proxy runs.
func (p *Proxy) Close() error {
	var err error
	p.once.Do(func() { err = p.close() })
	return err
}

func (p *Proxy) close() error {
	p.mu.Lock()
	p.closing = true
	if p.active == 0 {
		close(p.idle)
	}
	p.mu.Unlock()
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-p.idle:
		p.flush()
	case <-patience.C:
	case <-p.ctx.Done():
	}
	p.cancel()
	err := errors.Join(p.front.Close(), p.inner.Close())
	p.serving.Wait()
	// A connection that was accepted while its server closed is not known to
	// that server's Close.
	p.mu.Lock()
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	<-p.idle
	p.conns.Wait()
	p.http1.CloseIdleConnections()
	p.http2.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("proxy: close: %w", err)
	}
	return nil
}

// flush waits until the replies of handlers that have ended are with the
// client. Connections that stay open all the same (HTTP/2 takes its time to say
// goodbye) are not waited for.
func (p *Proxy) flush() {
	ctx, cancel := context.WithTimeout(p.ctx, flushTime)
	defer cancel()
	var both sync.WaitGroup
	for _, s := range []*http.Server{p.front, p.inner} {
		both.Go(func() { _ = s.Shutdown(ctx) }) // Close is next, and says what is wrong
	}
	both.Wait()
}

// enter counts a handler in; false means that the proxy is closing.
func (p *Proxy) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.active++
	return true
}

func (p *Proxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active--; p.active == 0 && p.closing {
		close(p.idle)
	}
}

func (p *Proxy) connState(c net.Conn, s http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s {
	case http.StateNew:
		p.conns.Add(1)
		p.open[c] = true
	case http.StateHijacked, http.StateClosed:
		delete(p.open, c)
		p.conns.Done()
	}
}

// ServeHTTP serves the proxy's own protocol: CONNECT, and plain requests with
// an absolute URL.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		say(w, http.StatusServiceUnavailable, "the proxy is closing")
		return
	}
	defer p.leave()
	if !p.authorized(r) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="whittle"`)
		say(w, http.StatusProxyAuthRequired, "this proxy serves one run of Whittle and needs that run's credentials")
		return
	}
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.Scheme == "http" && r.URL.Host != "":
		p.servePlain(w, r)
	case r.URL.Scheme != "":
		say(w, http.StatusBadRequest, "only http:// URLs can be asked for; use CONNECT for others")
	default:
		say(w, http.StatusBadRequest, "this is a proxy: set HTTPS_PROXY to its address")
	}
}

func (p *Proxy) authorized(r *http.Request) bool {
	scheme, encoded, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
	given, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	return err == nil && strings.EqualFold(scheme, "Basic") &&
		subtle.ConstantTimeCompare(given, []byte(user+":"+p.secret)) == 1
}

// connect serves CONNECT: opens the hosts of the endpoint table on port 443
// and tunnels the others.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port == "" {
		say(w, http.StatusBadRequest, "CONNECT needs a host and a port")
		return
	}
	if outside.IsMetadata(host) {
		p.log.Warn("refused", "host", host, "error", outside.ErrMetadata)
		say(w, http.StatusForbidden, outside.ErrMetadata.Error())
		return
	}
	if _, ok := endpoint.Of(host); !ok || port != "443" {
		p.tunnel(w, r, r.Host)
		return
	}
	name, _ := endpoint.Canonical(host)
	config, err := p.leafConfig(name)
	if err != nil {
		p.log.Error("open", "host", name, "error", err)
		say(w, http.StatusInternalServerError, err.Error())
		return
	}
	client, err := p.hijack(w)
	if err != nil {
		p.log.Warn("open", "host", name, "error", err)
		return
	}
	secure := tls.Server(&openedConn{Conn: client, host: name}, config)
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTime)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		client.Close()
		// A client that comes to look and goes again is nothing to tell.
		if !errors.Is(err, io.EOF) && p.ctx.Err() == nil {
			p.log.Warn("client did not accept the run's certificate; it may pin certificates or not know the run CA",
				"host", name, "error", err)
		}
		return
	}
	// A door that is closed has closed the connection: the proxy ends.
	_ = p.door.Pass(secure)
}

// leafConfig is the TLS configuration under which the proxy is host. It is
// kept, so that clients can resume sessions.
func (p *Proxy) leafConfig(host string) (*tls.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.configs[host]; c != nil {
		return c, nil
	}
	leaf, err := p.ca.Leaf(host)
	if err != nil {
		return nil, err
	}
	if len(p.configs) >= maxConfigs {
		clear(p.configs)
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{*leaf},
		NextProtos:   []string{"h2", "http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}
	p.configs[host] = c
	return c, nil
}

// hijack takes the client's connection over and tells the client that it is
// connected.
func (p *Proxy) hijack(w http.ResponseWriter) (net.Conn, error) {
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the client's connection: %w", err)
	}
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		client.Close()
		return nil, fmt.Errorf("answer CONNECT: %w", err)
	}
	if rw.Reader.Buffered() == 0 {
		return client, nil
	}
	return &conn.Buffered{Conn: client, In: bufio.NewReader(io.MultiReader(
		io.LimitReader(rw.Reader, int64(rw.Reader.Buffered())), client))}, nil
}

// say answers with the proxy's own words.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = io.WriteString(w, "whittle: "+text+"\n")
}

// unreachable answers that host cannot be reached.
func (p *Proxy) unreachable(w http.ResponseWriter, r *http.Request, host string, cause error) {
	if r.Context().Err() != nil {
		abort()
	}
	p.log.Warn("unreachable", "host", host, "error", cause)
	if errors.Is(cause, outside.ErrMetadata) {
		say(w, http.StatusForbidden, outside.ErrMetadata.Error())
		return
	}
	say(w, http.StatusBadGateway, fmt.Sprintf("cannot reach %s: %v", host, cause))
}

// abort ends the handler so that the client sees a broken reply, not one that
// looks whole. It is net/http's own way for that, on HTTP/1 and HTTP/2 alike,
// and the server that called the handler recovers it in silence.
func abort() { panic(http.ErrAbortHandler) }

// openedConn is the client's side of an opened connection.
type openedConn struct {
	net.Conn
	host string // in canonical form
}

type hostKey struct{}

// withHost gives requests the host that their connection was opened for.
func withHost(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		if opened, ok := secure.NetConn().(*openedConn); ok {
			return context.WithValue(ctx, hostKey{}, opened.host)
		}
	}
	return ctx
}
