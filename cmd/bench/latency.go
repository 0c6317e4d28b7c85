package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept"
)

// latencyHost is a host of the endpoint table; nothing is sent to it.
const latencyHost = "sqs.us-east-1.amazonaws.com"

// latency compares a request through whittle's proxy, which opens its TLS and
// shows it to an arbiter, with one through a bare CONNECT proxy, turn by turn.
func latency(ctx context.Context, n int) ([]figure, error) {
	cert, roots, err := certificateFor(latencyHost)
	if err != nil {
		return nil, err
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/jobs"}`)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	defer server.Close()
	toServer := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}

	ca, err := intercept.NewCA()
	if err != nil {
		return nil, err
	}
	proxy, err := intercept.Start(ctx, intercept.Config{CA: ca, Arbiter: nobody{}, Held: true, Dial: toServer, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	bare, err := startBare(ctx, toServer)
	if err != nil {
		return nil, err
	}
	defer bare.Close()

	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(ca.PEM())
	opened := clientThrough(proxy.URL(), &tls.Config{RootCAs: trust})
	tunnelled := clientThrough(&url.URL{Scheme: "http", Host: bare.Addr().String()}, &tls.Config{RootCAs: roots})

	var with, without []time.Duration
	for i := range n + 100 {
		a, err := timed(ctx, opened)
		if err != nil {
			return nil, fmt.Errorf("through whittle: %w", err)
		}
		b, err := timed(ctx, tunnelled)
		if err != nil {
			return nil, fmt.Errorf("through the bare proxy: %w", err)
		}
		if i >= 100 { // the first ones open connections
			with, without = append(with, a), append(without, b)
		}
	}
	slices.Sort(with)
	slices.Sort(without)
	at := func(d []time.Duration, p float64) float64 {
		return float64(d[int(p*float64(len(d)-1))].Microseconds()) / 1000
	}
	note := fmt.Sprintf("%d requests each, turn by turn; whittle's proxy minus a bare CONNECT proxy", n)
	return []figure{
		{"latency_added_p50", at(with, .5) - at(without, .5), "ms", note},
		{"latency_added_p99", at(with, .99) - at(without, .99), "ms", note},
		{"latency_bare_p50", at(without, .5), "ms", "the bare proxy alone"},
		{"latency_bare_p99", at(without, .99), "ms", "the bare proxy alone"},
	}, nil
}

// certificateFor makes a certificate for the host, and a pool that trusts it.
func certificateFor(host string) (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}

func timed(ctx context.Context, c *http.Client) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+latencyHost+"/", http.NoBody)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return time.Since(began), errors.Join(err, resp.Body.Close())
}

func clientThrough(proxy *url.URL, t *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: t, ForceAttemptHTTP2: false}}
}

// nobody is an arbiter that is never asked to do anything.
type nobody struct{}

func (nobody) Refused(context.Context, refusal.Exchange) refusal.Verdict { return refusal.Deliver }
func (nobody) Observed(refusal.Exchange, int)                            {}

// startBare is the least a CONNECT proxy can do.
func startBare(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error)) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up, err := dial(r.Context(), "tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer up.Close()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, conn); up.Close() }()
		_, _ = io.Copy(conn, up)
	})
	go func() {
		_ = (&http.Server{Handler: h, BaseContext: func(net.Listener) context.Context { return ctx }}).Serve(l)
	}()
	return l, nil
}
