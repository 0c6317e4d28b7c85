package intercept

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const (
	sqsHost = "sqs.us-east-1.amazonaws.com"
	s3Host  = "bucket.s3.us-east-1.amazonaws.com"
	// goClient and pythonClient are User-Agents as seen on the wire.
	goClient     = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0 aws-sdk-go-v2/1.36.3 os/linux"
	pythonClient = "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux"
)

func newCA(t testing.TB) *CA {
	t.Helper()
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func pool(t testing.TB, ca *CA) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.PEM()) {
		t.Fatal("no certificate in the CA's PEM")
	}
	return roots
}

// asHost serves TLS as whatever host of the endpoint table is asked for.
func asHost(ca *CA, protos ...string) *tls.Config {
	return &tls.Config{
		NextProtos: protos,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return ca.Leaf(h.ServerName)
		},
	}
}

// cloud is a server that stands for every cloud host.
type cloud struct {
	ca   *CA
	addr string
}

// startCloud serves handler over HTTP/1.1 and HTTP/2.
func startCloud(t testing.TB, handler http.Handler) cloud {
	t.Helper()
	ca := newCA(t)
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = asHost(ca)
	s.StartTLS()
	t.Cleanup(s.Close)
	return cloud{ca, s.Listener.Addr().String()}
}

// dial leads hosts of the endpoint table to the cloud, others where they are.
func (c cloud) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, _, _ := net.SplitHostPort(addr); isEndpoint(host) {
		addr = c.addr
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func isEndpoint(host string) bool {
	_, ok := Endpoint(host)
	return ok
}

// start starts a proxy before the cloud.
func start(t testing.TB, c cloud, config Config) *Proxy {
	t.Helper()
	if config.CA == nil {
		config.CA = newCA(t)
	}
	if config.Dial == nil {
		config.Dial = c.dial
	}
	if config.RootCAs == nil && c.ca != nil {
		config.RootCAs = pool(t, c.ca)
	}
	if config.Log == nil {
		config.Log = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	p, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// client goes through the proxy, over HTTP/2 or only over HTTP/1.1.
func client(t testing.TB, p *Proxy, h2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{
		Proxy:                 http.ProxyURL(p.URL()),
		TLSClientConfig:       &tls.Config{RootCAs: pool(t, p.ca)},
		Protocols:             new(http.Protocols),
		DisableCompression:    true,
		ExpectContinueTimeout: time.Minute,
		MaxIdleConnsPerHost:   100,
	}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// overBoth runs the test over HTTP/1.1 and HTTP/2.
func overBoth(t *testing.T, test func(t *testing.T, h2 bool)) {
	for name, h2 := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of their time they wait for a repeat
			test(t, h2)
		})
	}
}

// observation is one call of Observed.
type observation struct {
	refusal.Exchange
	repeats int
}

// script is an arbiter that answers with verdict and notes what it is told.
type script struct {
	verdict func(ctx context.Context, x refusal.Exchange) refusal.Verdict

	mu       sync.Mutex
	refused  []refusal.Exchange
	observed []observation
	changed  chan struct{} // gets a value for every Observed, if not nil
}

func always(v refusal.Verdict) func(context.Context, refusal.Exchange) refusal.Verdict {
	return func(context.Context, refusal.Exchange) refusal.Verdict { return v }
}

func (s *script) Refused(ctx context.Context, x refusal.Exchange) refusal.Verdict {
	s.mu.Lock()
	s.refused = append(s.refused, x)
	s.mu.Unlock()
	return s.verdict(ctx, x)
}

func (s *script) Observed(x refusal.Exchange, repeats int) {
	s.mu.Lock()
	s.observed = append(s.observed, observation{x, repeats})
	s.mu.Unlock()
	if s.changed != nil {
		s.changed <- struct{}{}
	}
}

func newScript(verdict func(context.Context, refusal.Exchange) refusal.Verdict) *script {
	return &script{verdict: verdict, changed: make(chan struct{}, 1000)}
}

// last waits for the next Observed and returns it.
func (s *script) last(t testing.TB) observation {
	t.Helper()
	select {
	case <-s.changed:
	case <-time.After(time.Minute):
		t.Fatal("the arbiter was never told how the request ended")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.observed[len(s.observed)-1]
}

// told is how many refusals and ends of requests the arbiter was told of.
func (s *script) told() (refused, observed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.refused), len(s.observed)
}

// request makes a request for the URL.
func request(t testing.TB, method, rawURL string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, rawURL, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do sends a request and reads the whole reply.
func do(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
