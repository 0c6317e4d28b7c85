package intercept

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept/conn"
)

// inMemory runs test with a client of a proxy before handler, all of them in
// one bubble of virtual time and joined by pipes.
func inMemory(t *testing.T, handler http.Handler, config Config, test func(t *testing.T, c *http.Client)) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t)
		outside := conn.NewHandoff(&net.TCPAddr{})
		server := &http.Server{Handler: handler, TLSConfig: asHost(ca, "http/1.1"), Protocols: new(http.Protocols)}
		server.Protocols.SetHTTP1(true)
		go server.ServeTLS(outside, "", "")
		inside := conn.NewHandoff(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})

		config.CA, config.RootCAs, config.Dial = newCA(t), pool(t, ca), pipeTo(outside)
		p, err := serve(t.Context(), config, inside)
		if err != nil {
			t.Fatal(err)
		}
		hc := client(t, p, false)
		tr := hc.Transport.(*http.Transport)
		tr.DialContext = pipeTo(inside)
		test(t, hc)
		tr.CloseIdleConnections()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
		// The bubble's end checks that no goroutine is left.
	})
}

func pipeTo(l *conn.Handoff) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		return near, l.Pass(far)
	}
}

func TestHoldIsSpent(t *testing.T) {
	const xmlDenied = `<?xml version="1.0"?><ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>6b1f-1</RequestId></ErrorResponse>`
	for _, tt := range []struct {
		name, client string
		hold, last   time.Duration // the hold, and when the last repeat may start
		status       int
		code         string
	}{
		{"terraform", goClient, 100 * time.Second, 90 * time.Second, 503, "ServiceUnavailable"},
		{"botocore", pythonClient, 45 * time.Second, 35 * time.Second, 503, "ServiceUnavailable"},
		{"unknown client", "curl/8.5.0", 45 * time.Second, 35 * time.Second, 403, "AccessDenied"},
		{"no user agent", "", 45 * time.Second, 35 * time.Second, 403, "AccessDenied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sent []time.Time
			a := newScript(always(refusal.Repeat))
			inMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent = append(sent, time.Now())
				w.Header().Set("Content-Type", "text/xml")
				w.Header().Set("X-Amzn-Requestid", "6b1f-1")
				w.WriteHeader(403)
				io.WriteString(w, xmlDenied)
			}), Config{Arbiter: a, Held: true}, func(t *testing.T, c *http.Client) {
				r := request(t, "POST", "https://iam.amazonaws.com/", strings.NewReader("Action=CreateRole"))
				r.Header.Set("User-Agent", tt.client)
				begin := time.Now()
				resp, body := do(t, c, r)
				took := time.Since(begin)
				if took > tt.hold || took < tt.last-4*time.Second {
					t.Errorf("held for %v of %v", took, tt.hold)
				}
				if at := sent[len(sent)-1].Sub(begin); at > tt.last {
					t.Errorf("a repeat started at %v, the last may at %v", at, tt.last)
				}
				if first := sent[1].Sub(sent[0]); first < 15*time.Millisecond || first > 50*time.Millisecond {
					t.Errorf("the first repeat came after %v", first)
				}
				for i := 1; i < len(sent); i++ {
					if gap := sent[i].Sub(sent[i-1]); gap > 3*time.Second+time.Millisecond {
						t.Errorf("repeat %d came after %v", i, gap)
					}
				}
				var e struct {
					Error     struct{ Code string }
					RequestID string `xml:"RequestId"`
				}
				if err := xml.Unmarshal([]byte(body), &e); err != nil {
					t.Error(err)
				}
				if resp.StatusCode != tt.status || e.Error.Code != tt.code || e.RequestID != "6b1f-1" {
					t.Errorf("got %d %q", resp.StatusCode, body)
				}
				seen := a.last(t)
				refused, observed := a.told()
				if observed != 1 || seen.Status != tt.status || string(seen.ReplyBody) != body || seen.repeats != len(sent)-1 || refused != len(sent) {
					t.Errorf("observed %d times, status %d, %d repeats of %d requests", observed, seen.Status, seen.repeats, len(sent))
				}
				if string(seen.Body) != "Action=CreateRole" {
					t.Errorf("observed body %q", seen.Body)
				}
			})
		})
	}
}

// A grant that takes its time to be in force is not seen by the client.
func TestPropagationIsWaitedFor(t *testing.T) {
	var granted time.Time
	a := newScript(func(context.Context, refusal.Exchange) refusal.Verdict {
		if granted.IsZero() {
			time.Sleep(200 * time.Millisecond) // the role is changed
			granted = time.Now()
		}
		return refusal.Repeat
	})
	inMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if granted.IsZero() || time.Since(granted) < 8*time.Second {
			refuse(w)
			return
		}
		io.Copy(w, r.Body)
	}), Config{Arbiter: a, Held: true}, func(t *testing.T, c *http.Client) {
		resp, body := do(t, c, request(t, "POST", "https://"+sqsHost+"/", strings.NewReader("hello")))
		if resp.StatusCode != 200 || body != "hello" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
		if seen := a.last(t); seen.Status != 200 || seen.repeats < 4 {
			t.Errorf("observed %d after %d repeats", seen.Status, seen.repeats)
		}
	})
}

// The arbiter's time is bounded by the hold, and a client that hangs up while
// it is held ends the repeats.
func TestHoldEndsWithClientAndArbiter(t *testing.T) {
	var requests atomic.Int64
	refusing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		refuse(w)
	})
	t.Run("arbiter", func(t *testing.T) {
		a := newScript(func(ctx context.Context, _ refusal.Exchange) refusal.Verdict {
			<-ctx.Done()
			return refusal.Deliver
		})
		inMemory(t, refusing, Config{Arbiter: a, Held: true, Hold: func(string) time.Duration { return 8 * time.Second }}, func(t *testing.T, c *http.Client) {
			begin := time.Now()
			resp, body := do(t, c, request(t, "GET", "https://"+sqsHost+"/", nil))
			if took := time.Since(begin); took != 8*time.Second || resp.StatusCode != 403 || body != denied {
				t.Errorf("got %d %q after %v", resp.StatusCode, body, took)
			}
		})
	})
	t.Run("client", func(t *testing.T) {
		requests.Store(0)
		a := newScript(always(refusal.Repeat))
		inMemory(t, refusing, Config{Arbiter: a, Held: true}, func(t *testing.T, c *http.Client) {
			c.Timeout = 20 * time.Second
			_, err := c.Do(request(t, "GET", "https://"+sqsHost+"/", nil))
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("got %v, want a timeout", err)
			}
			before := requests.Load()
			time.Sleep(time.Minute)
			if after := requests.Load(); after != before {
				t.Errorf("%d repeats after the client hung up", after-before)
			}
			if seen := a.last(t); seen.Status != 0 {
				t.Errorf("observed %d", seen.Status)
			}
		})
	})
	t.Run("short hold keeps a quarter in reserve", func(t *testing.T) {
		a := newScript(always(refusal.Repeat))
		inMemory(t, refusing, Config{Arbiter: a, Held: true, Hold: func(string) time.Duration { return 8 * time.Second }}, func(t *testing.T, c *http.Client) {
			begin := time.Now()
			do(t, c, request(t, "GET", "https://"+sqsHost+"/", nil))
			if took := time.Since(begin); took > 6*time.Second || took < 3*time.Second {
				t.Errorf("held for %v", took)
			}
		})
	})
}

// Close gives requests that are being answered two seconds, and no more.
func TestCloseIsGracefulThenHard(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		ok    bool
	}{{"in time", time.Second, true}, {"too long", time.Hour, false}} {
		t.Run(tt.name, func(t *testing.T) {
			var p *Proxy
			synctest.Test(t, func(t *testing.T) {
				inside, outside := conn.NewHandoff(&net.TCPAddr{}), conn.NewHandoff(&net.TCPAddr{})
				ca := newCA(t)
				server := &http.Server{TLSConfig: asHost(ca, "http/1.1"), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(tt.takes):
					case <-r.Context().Done():
					}
				})}
				go server.ServeTLS(outside, "", "")
				var err error
				if p, err = serve(t.Context(), Config{CA: newCA(t), RootCAs: pool(t, ca), Dial: pipeTo(outside)}, inside); err != nil {
					t.Fatal(err)
				}
				hc := client(t, p, false)
				hc.Transport.(*http.Transport).DialContext = pipeTo(inside)
				result := make(chan error)
				go func() {
					resp, err := hc.Do(request(t, "GET", "https://"+sqsHost+"/", nil))
					if err == nil {
						resp.Body.Close()
					}
					result <- err
				}()
				synctest.Wait()
				begin := time.Now()
				go func() {
					if err := p.Close(); err != nil {
						t.Error(err)
					}
				}()
				if err := <-result; (err == nil) != tt.ok {
					t.Errorf("the request ended with %v", err)
				}
				if took := time.Since(begin); took > grace {
					t.Errorf("Close took %v", took)
				}
				hc.CloseIdleConnections()
				server.Close()
			})
		})
	}
}

// A body that needs a file past 1 MiB and cannot have one goes through, and is
// not repeated.
func TestNoRoomForBody(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	c := startCloud(t, digest(1, -1))
	a := newScript(always(refusal.Repeat))
	p := start(t, c, Config{Arbiter: a, Held: true})
	hc := client(t, p, false)
	for _, tt := range []struct{ size, status int }{{2 << 20, 403}, {2 << 20, 200}, {1 << 20, 200}} {
		if resp, _ := do(t, hc, request(t, "PUT", "https://"+s3Host+"/key", bytes.NewReader(pattern(tt.size)))); resp.StatusCode != tt.status {
			t.Errorf("%d bytes: %d, want %d", tt.size, resp.StatusCode, tt.status)
		}
	}
}
