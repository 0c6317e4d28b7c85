package intercept

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// BenchmarkRequest measures a whole request through this proxy and through a
// bare httputil.ReverseProxy between the same client and the same server, both
// with TLS on either side. Besides the mean it reports the 50th and 99th
// percentile of the latency in microseconds.
func BenchmarkRequest(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		io.WriteString(w, `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/q"}`)
	})
	for _, h2 := range []bool{false, true} {
		for _, size := range []int{200, 1 << 20} {
			name := fmt.Sprintf("http%d/%d", 1+btoi(h2), size)
			b.Run("intercept/"+name, func(b *testing.B) {
				c := startCloud(b, handler)
				a := &script{verdict: always(refusal.Deliver)}
				p := start(b, c, Config{Arbiter: a, Held: true})
				measure(b, client(b, p, h2), size)
			})
			b.Run("bare/"+name, func(b *testing.B) {
				c := startCloud(b, handler)
				measure(b, bareClient(b, c, h2), size)
			})
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// bareClient goes through a reverse proxy that does nothing but forward.
func bareClient(b testing.TB, c cloud, h2 bool) *http.Client {
	to := &url.URL{Scheme: "https", Host: sqsHost}
	out := &http.Transport{
		DialContext: c.dial, TLSClientConfig: &tls.Config{RootCAs: pool(b, c.ca)}, ForceAttemptHTTP2: h2,
		DisableCompression: true, MaxIdleConnsPerHost: 64,
	}
	b.Cleanup(out.CloseIdleConnections)
	ca := newCA(b)
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: out,
	})
	front.EnableHTTP2 = h2
	front.TLS = asHost(ca)
	front.StartTLS()
	b.Cleanup(front.Close)
	in := &http.Transport{
		DialContext:     cloud{addr: front.Listener.Addr().String()}.dial,
		TLSClientConfig: &tls.Config{RootCAs: pool(b, ca)}, ForceAttemptHTTP2: h2,
		DisableCompression: true, MaxIdleConnsPerHost: 100,
	}
	b.Cleanup(in.CloseIdleConnections)
	return &http.Client{Transport: in}
}

func measure(b *testing.B, c *http.Client, size int) {
	body := pattern(size)
	took := make([]time.Duration, 0, b.N)
	send := func() {
		begin := time.Now()
		r := request(b, "POST", "https://"+sqsHost+"/", bytes.NewReader(body))
		r.Header.Set("X-Amz-Target", "AmazonSQS.CreateQueue")
		if resp, _ := do(b, c, r); resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
		took = append(took, time.Since(begin))
	}
	send() // connects
	took = took[:0]
	b.SetBytes(int64(size))
	for b.Loop() {
		send()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkConnect measures CONNECT and both TLS handshakes.
func BenchmarkConnect(b *testing.B) {
	c := startCloud(b, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	p := start(b, c, Config{})
	config := &tls.Config{ServerName: sqsHost, RootCAs: pool(b, p.ca)}
	for b.Loop() {
		var conn net.Conn = connect(b, p, sqsHost+":443")
		secure := tls.Client(conn, config)
		if err := secure.Handshake(); err != nil {
			b.Fatal(err)
		}
		secure.Close()
	}
}
