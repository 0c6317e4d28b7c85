package intercept

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const denied = `{"__type":"AccessDeniedException","message":"User: arn:aws:sts::123456789012:assumed-role/probe/x is not authorized to perform: sqs:CreateQueue"}`

// refuse answers 403 in the form of a JSON service.
func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", "6b1f-1")
	w.WriteHeader(http.StatusForbidden)
	io.WriteString(w, denied)
}

// digest answers with the length and hash of the request's body, and refuses
// the first n requests after having read take bytes of it (-1: all).
func digest(n int64, take int64) http.Handler {
	var count atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1) <= n {
			if take < 0 {
				io.Copy(io.Discard, r.Body)
			} else {
				io.CopyN(io.Discard, r.Body, take)
			}
			refuse(w)
			return
		}
		h := sha256.New()
		size, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%d %x %v %v", size, h.Sum(nil), err, r.Trailer)
	})
}

func digestOf(body []byte, trailer http.Header) string {
	return fmt.Sprintf("%d %x %v %v", len(body), sha256.Sum256(body), error(nil), trailer)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestUploadIsRepeated(t *testing.T) {
	for _, tt := range []struct {
		name    string
		size    int
		length  bool  // Content-Length is known
		take    int64 // what the cloud reads before it refuses
		repeats int
	}{
		{"small", 100, true, -1, 2},
		{"1 MiB", 1 << 20, true, -1, 2},
		{"1 MiB, refused at once", 1 << 20, true, 0, 2},
		{"5 MiB chunked", 5 << 20, false, -1, 2},
		{"5 MiB chunked, refused on the way", 5 << 20, false, 3 << 19, 2},
		{"16 MiB", 16 << 20, true, -1, 2},
		{"20 MiB", 20 << 20, true, -1, 0},
		{"20 MiB chunked", 20 << 20, false, -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, h2 bool) {
				c := startCloud(t, digest(2, tt.take))
				a := newScript(always(refusal.Repeat))
				p := start(t, c, Config{Arbiter: a, Held: true})
				body := pattern(tt.size)
				var src io.Reader = bytes.NewReader(body)
				if !tt.length {
					src = io.MultiReader(src)
				}
				resp, got := do(t, client(t, p, h2), request(t, "PUT", "https://"+s3Host+"/key", src))
				seen := a.last(t)
				if tt.repeats == 0 {
					if resp.StatusCode != http.StatusForbidden || got != denied {
						t.Errorf("got %d %q, want the refusal", resp.StatusCode, got)
					}
				} else if want := digestOf(body, nil); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if seen.repeats != tt.repeats || seen.Status != resp.StatusCode {
					t.Errorf("observed status %d after %d repeats, want %d after %d", seen.Status, seen.repeats, resp.StatusCode, tt.repeats)
				}
				if want := body[:min(len(body), refusal.MaxBody)]; !bytes.Equal(seen.Body, want) {
					t.Errorf("observed %d bytes of the body, want %d", len(seen.Body), len(want))
				}
			})
		})
	}
}

func TestTrailers(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		handler := digest(1, -1)
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "Grpc-Status")
			handler.ServeHTTP(w, r)
			w.Header().Set("Grpc-Status", "7")
			w.Header().Set(http.TrailerPrefix+"Unannounced", "yes")
		}))
		a := newScript(always(refusal.Repeat))
		p := start(t, c, Config{Arbiter: a, Held: true})
		// An upload in signed chunks is framed within the body; the checksum
		// in an HTTP trailer is what others send.
		body := []byte("5;chunk-signature=ad80c730\r\nhello\r\n0;chunk-signature=b6c6ea8a\r\nx-amz-checksum-crc32c:wdBDMA==\r\n\r\n")
		r := request(t, "PUT", "https://"+s3Host+"/key", io.MultiReader(bytes.NewReader(body)))
		r.Header.Set("Content-Encoding", "aws-chunked")
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
		r.Trailer = http.Header{"X-Checksum": {"abc"}}
		resp, got := do(t, client(t, p, h2), r)
		if want := digestOf(body, http.Header{"X-Checksum": {"abc"}}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		want := http.Header{"Grpc-Status": {"7"}, "Unannounced": {"yes"}}
		if diff := cmp.Diff(want, resp.Trailer); diff != "" {
			t.Error("reply's trailers:", diff)
		}
		if n := a.last(t).repeats; n != 1 {
			t.Errorf("%d repeats, want 1", n)
		}
	})
}

// A client that waits for 100 Continue gets it once the cloud wants the body,
// and a refusal before that without having sent it.
func TestExpectContinue(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		var reads, requests atomic.Int64
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 1 {
				refuse(w)
				return
			}
			if !h2 && r.Header.Get("Expect") != "100-continue" {
				t.Errorf("Expect is %q", r.Header.Get("Expect"))
			}
			b, _ := io.ReadAll(r.Body)
			w.Write(b)
		}))
		for _, tt := range []struct {
			verdict refusal.Verdict
			status  int
			body    string
		}{{refusal.Repeat, 200, "hello"}, {refusal.Deliver, 403, denied}} {
			requests.Store(0)
			reads.Store(0)
			p := start(t, c, Config{Arbiter: newScript(always(tt.verdict)), Held: true})
			r := request(t, "PUT", "https://"+s3Host+"/key", readerFunc(func(b []byte) (int, error) {
				if reads.Add(1) > 1 {
					return 0, io.EOF
				}
				return copy(b, "hello"), nil
			}))
			r.Header.Set("Expect", "100-continue")
			resp, got := do(t, client(t, p, h2), r)
			if resp.StatusCode != tt.status || got != tt.body {
				t.Errorf("verdict %d: got %d %q", tt.verdict, resp.StatusCode, got)
			}
			if tt.verdict == refusal.Deliver && !h2 && reads.Load() > 0 {
				t.Error("the client was asked for a body that the cloud did not want")
			}
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Two requests of one connection: one is held, the other goes on.
func TestHeldRequestHoldsNoOther(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/held" {
				refuse(w)
				return
			}
			io.WriteString(w, "through")
		}))
		asked, release := make(chan struct{}), make(chan struct{})
		p := start(t, c, Config{Held: true, Arbiter: newScript(func(ctx context.Context, x refusal.Exchange) refusal.Verdict {
			close(asked)
			<-release
			return refusal.Deliver
		})})
		hc := client(t, p, h2)
		var wg sync.WaitGroup
		wg.Go(func() {
			if resp, _ := do(t, hc, request(t, "GET", "https://"+sqsHost+"/held", nil)); resp.StatusCode != 403 {
				t.Errorf("held: %d", resp.StatusCode)
			}
		})
		<-asked
		for range 50 {
			wg.Go(func() {
				if _, got := do(t, hc, request(t, "GET", "https://"+sqsHost+"/other", nil)); got != "through" {
					t.Errorf("other: %q", got)
				}
			})
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			wg.Wait()
		}()
		// All others end while the first is held.
		for p.running() > 1 {
			runtime.Gosched()
		}
		close(release)
		<-done
	})
}

func (p *Proxy) running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active
}

func TestWithoutHoldVerdictIsIgnored(t *testing.T) {
	c := startCloud(t, digest(1, -1))
	a := newScript(always(refusal.Repeat))
	p := start(t, c, Config{Arbiter: a})
	resp, _ := do(t, client(t, p, true), request(t, "POST", "https://"+sqsHost+"/", strings.NewReader("x")))
	if seen := a.last(t); resp.StatusCode != 403 || seen.Status != 403 || seen.repeats != 0 || refusals(a) != 1 {
		t.Errorf("client got %d; observed %d after %d repeats; told of %d refusals", resp.StatusCode, seen.Status, seen.repeats, refusals(a))
	}
}

// A refusal longer than an Exchange carries is delivered whole.
func TestLongRefusalIsDeliveredWhole(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20<<10)
	for _, status := range []int{400, 403, 404, 499} {
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, long)
		}))
		a := newScript(always(refusal.Deliver))
		p := start(t, c, Config{Arbiter: a, Held: true})
		resp, got := do(t, client(t, p, false), request(t, "GET", "https://"+s3Host+"/", nil))
		if resp.StatusCode != status || got != long {
			t.Errorf("%d: got %d and %d bytes, want %d", status, resp.StatusCode, len(got), len(long))
		}
		if seen := a.last(t); len(seen.ReplyBody) != refusal.MaxBody || refusals(a) != 1 {
			t.Errorf("%d: observed %d bytes, %d refusals", status, len(seen.ReplyBody), refusals(a))
		}
	}
}

func TestOtherStatusesAreDelivered(t *testing.T) {
	for _, status := range []int{200, 204, 301, 304, 500, 503} {
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		a := newScript(always(refusal.Repeat))
		p := start(t, c, Config{Arbiter: a, Held: true})
		resp, _ := do(t, client(t, p, false), request(t, "GET", "https://"+s3Host+"/", nil))
		if seen := a.last(t); resp.StatusCode != status || seen.Status != status || refusals(a) != 0 {
			t.Errorf("got %d, observed %d, want %d; %d refusals", resp.StatusCode, seen.Status, status, refusals(a))
		}
	}
}

// A stream reaches the client piece by piece.
func TestStreamIsNotHeldBack(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		next := make(chan struct{})
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range 3 {
				fmt.Fprintf(w, "event %d\n", i)
				http.NewResponseController(w).Flush()
				<-next
			}
		}))
		a := newScript(always(refusal.Deliver))
		p := start(t, c, Config{Arbiter: a, Held: true})
		resp, err := client(t, p, h2).Do(request(t, "GET", "https://"+sqsHost+"/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			line, err := lines.ReadString('\n')
			if want := fmt.Sprintf("event %d\n", i); line != want || err != nil {
				t.Fatalf("got %q, %v", line, err)
			}
			next <- struct{}{}
		}
		if _, err := lines.ReadByte(); err != io.EOF {
			t.Error("end of stream:", err)
		}
		if got := string(a.last(t).ReplyBody); got != "event 0\nevent 1\nevent 2\n" {
			t.Errorf("observed %q", got)
		}
	})
}

// When a reply breaks off, the client must not take it for whole.
func TestBrokenReply(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		a := newScript(always(refusal.Deliver))
		p := start(t, c, Config{Arbiter: a, Held: true})
		resp, err := client(t, p, h2).Do(request(t, "GET", "https://"+sqsHost+"/", nil))
		if err == nil {
			defer resp.Body.Close()
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil {
			t.Error("the client took half a reply for a whole one")
		}
		if got := a.last(t); got.Status != 200 || string(got.ReplyBody) != "half" {
			t.Errorf("observed %d %q", got.Status, got.ReplyBody)
		}
	})
}

// When the client hangs up, the request to the cloud ends, and so does a hold.
func TestClientHangsUp(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		started, ended := make(chan struct{}, 1), make(chan struct{}, 1)
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refused" {
				refuse(w)
				return
			}
			started <- struct{}{}
			<-r.Context().Done()
			ended <- struct{}{}
		}))
		a := newScript(func(ctx context.Context, x refusal.Exchange) refusal.Verdict {
			started <- struct{}{}
			<-ctx.Done()
			return refusal.Repeat
		})
		p := start(t, c, Config{Arbiter: a, Held: true})
		for _, path := range []string{"/slow", "/refused"} {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-started
				cancel()
			}()
			resp, err := client(t, p, h2).Do(request(t, "GET", "https://"+sqsHost+path, nil).WithContext(ctx))
			if err == nil {
				resp.Body.Close()
				t.Fatal("the client got a reply")
			}
			if path == "/slow" {
				<-ended
			}
			if got := a.last(t); got.Status != 0 || got.repeats != 0 {
				t.Errorf("%s: observed status %d after %d repeats, want 0 and 0", path, got.Status, got.repeats)
			}
		}
	})
}

func TestProxyWantsCredentials(t *testing.T) {
	c := startCloud(t, digest(0, -1))
	p := start(t, c, Config{})
	plain := httptest.NewServer(digest(0, -1))
	defer plain.Close()
	bad := *p.URL()
	bad.User = url.UserPassword(user, "guess")
	none := *p.URL()
	none.User = nil
	for _, u := range []*url.URL{&bad, &none} {
		hc := client(t, p, false)
		hc.Transport.(*http.Transport).Proxy = http.ProxyURL(u)
		for _, host := range []string{sqsHost, "registry.example.com"} {
			if _, err := hc.Do(request(t, "GET", "https://"+host+"/", nil)); err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") {
				t.Errorf("CONNECT %s: %v", host, err)
			}
		}
		// net/http does not use a proxy for loopback hosts of its own accord,
		// but does when the proxy is given.
		resp, _ := do(t, hc, request(t, "GET", plain.URL, nil))
		if resp.StatusCode != http.StatusProxyAuthRequired || resp.Header.Get("Proxy-Authenticate") == "" {
			t.Errorf("plain: %d", resp.StatusCode)
		}
	}
	resp, err := http.Get("http://" + p.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusProxyAuthRequired {
		t.Errorf("asked as a server: %d", resp.StatusCode)
	}
}

func TestUntrustedUpstreamIsRefused(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		asked := false
		c := startCloud(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
		a := newScript(always(refusal.Repeat))
		p := start(t, c, Config{Arbiter: a, Held: true, RootCAs: pool(t, newCA(t))})
		resp, got := do(t, client(t, p, h2), request(t, "POST", "https://"+sqsHost+"/", strings.NewReader("x")))
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, sqsHost) || !strings.Contains(got, "unknown authority") {
			t.Errorf("got %d %q", resp.StatusCode, got)
		}
		if asked || refusals(a) != 0 {
			t.Error("the request reached a host that could not prove what it is")
		}
		if seen := a.last(t); seen.Status != http.StatusBadGateway {
			t.Errorf("observed %d", seen.Status)
		}
	})
}

func TestUnreachable(t *testing.T) {
	a := newScript(always(refusal.Repeat))
	p := start(t, cloud{}, Config{Arbiter: a, Held: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route to host")
	}})
	resp, got := do(t, client(t, p, false), request(t, "GET", "https://"+sqsHost+"/", nil))
	if resp.StatusCode != http.StatusBadGateway || got != "whittle: cannot reach "+sqsHost+": no route to host\n" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
	if _, err := client(t, p, false).Do(request(t, "GET", "https://registry.example.com/", nil)); err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
		t.Errorf("tunnel: %v", err)
	}
	resp, got = do(t, client(t, p, false), request(t, "GET", "http://plain.example.com/", nil))
	if resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, "plain.example.com") {
		t.Errorf("plain: %d %q", resp.StatusCode, got)
	}
}

// A request for another host does not pass as this one's.
func TestHostMustMatchConnection(t *testing.T) {
	overBoth(t, func(t *testing.T, h2 bool) {
		c := startCloud(t, digest(0, -1))
		a := newScript(always(refusal.Repeat))
		p := start(t, c, Config{Arbiter: a, Held: true})
		for host, want := range map[string]int{
			sqsHost: 200, sqsHost + ":443": 200, strings.ToUpper(sqsHost): 200,
			"sts.amazonaws.com": 421, "evil.example.com": 421, sqsHost + ":444": 421,
		} {
			r := request(t, "GET", "https://"+sqsHost+"/", nil)
			r.Host = host
			if resp, _ := do(t, client(t, p, h2), r); resp.StatusCode != want {
				t.Errorf("Host %s: %d, want %d", host, resp.StatusCode, want)
			}
		}
	})
}

func refusals(a *script) int {
	n, _ := a.told()
	return n
}

func TestWebSocketPasses(t *testing.T) {
	c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			t.Errorf("Upgrade is %q", r.Header.Get("Upgrade"))
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello ")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		io.WriteString(conn, line)
	}))
	a := newScript(always(refusal.Deliver))
	p := start(t, c, Config{Arbiter: a, Held: true})
	r := request(t, "GET", "https://ssmmessages.us-east-1.amazonaws.com/v1/data-channel", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	resp, err := client(t, p, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") != "x" {
		t.Fatal(resp.Status, resp.Header)
	}
	rw := resp.Body.(io.ReadWriteCloser)
	io.WriteString(rw, "world\n")
	got, _ := io.ReadAll(rw)
	rw.Close()
	if string(got) != "hello world\n" {
		t.Errorf("got %q", got)
	}
	if seen := a.last(t); seen.Status != 101 {
		t.Errorf("observed %d", seen.Status)
	}
}

// After Close nothing of the proxy is left, whatever was going on.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		reached := make(chan struct{}, 10)
		c := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/refused":
				refuse(w)
			case "/slow":
				reached <- struct{}{}
				<-r.Context().Done()
			}
		}))
		a := newScript(func(ctx context.Context, x refusal.Exchange) refusal.Verdict {
			reached <- struct{}{}
			<-ctx.Done()
			return refusal.Repeat
		})
		echo, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer echo.Close()
		ctx, cancel := context.WithCancel(t.Context())
		p, err := Start(ctx, Config{CA: newCA(t), Arbiter: a, Held: true, Dial: c.dial, RootCAs: pool(t, c.ca)})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, h2 := range []bool{false, true} {
			hc := client(t, p, h2)
			do(t, hc, request(t, "GET", "https://"+sqsHost+"/idle", nil)) // leaves an idle connection
			for _, path := range []string{"/refused", "/slow"} {
				wg.Go(func() {
					if resp, err := hc.Do(request(t, "GET", "https://"+sqsHost+path, nil)); err == nil {
						resp.Body.Close()
						t.Errorf("%s: got %d when the proxy closed", path, resp.StatusCode)
					}
				})
			}
		}
		tunnel := connect(t, p, echo.Addr().String())
		defer tunnel.Close()
		for range 4 {
			<-reached
		}
		cancel() // skips the time of grace
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		_, calls := a.told()
		if p.running() != 0 || calls != 6 {
			t.Errorf("%d handlers left, %d observations", p.running(), calls)
		}
		wg.Wait()
		if err := p.Close(); err != nil {
			t.Error("second Close:", err)
		}
		if _, err := net.Dial("tcp", p.addr); err == nil {
			t.Error("the proxy still listens")
		}
	}()
	// What net/http still has to end is ours as well, and ends soon.
	for deadline := time.Now().Add(time.Minute); ; {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(stacks, []byte("intercept.(*")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines: %d before, now:\n%s", before, stacks)
		}
		runtime.Gosched()
	}
}

// connect opens a tunnel through the proxy by hand.
func connect(t testing.TB, p *Proxy, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: "CONNECT", URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	r.SetBasicAuth(user, p.secret)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: %s\r\n\r\n", addr, addr, r.Header.Get("Authorization"))
	status := "HTTP/1.1 200 Connection established\r\n\r\n"
	got := make([]byte, len(status))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != status {
		t.Fatalf("CONNECT %s: %q, %v", addr, got, err)
	}
	return conn.(*net.TCPConn)
}
