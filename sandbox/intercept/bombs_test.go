package intercept

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

var bombMiB = flag.Int64("bomb-mib", 64, "size of the long replies that bombs send, on the wire or unpacked, in MiB")

// most is how much memory this whole process (client, proxy, parsers and cloud) may
// take more for a bomb than for a request of its usual size, in bytes.
const most = 48 << 20

// bombs are what a hostile server answers with: each longer than what the proxy
// may keep of it. They send as they go and hold nothing themselves.
func bombs() map[string]http.HandlerFunc {
	long := *bombMiB << 20
	details := max(100_000, *bombMiB*100) // a million, where the others are 10 GiB
	// A member of gzip and its like, again and again, unpacks as one stream.
	var zeros, errors bytes.Buffer
	pack(&zeros, bytes.Repeat([]byte{0}, 64<<20))
	pack(&errors, []byte(strings.Repeat(oneError, 10_000)))
	repeat := func(w io.Writer, piece []byte, size int64) {
		for sent := int64(0); sent < size; sent += int64(len(piece)) {
			if _, err := w.Write(piece); err != nil {
				return // the client has had enough
			}
		}
	}
	piece := bytes.Repeat([]byte("A very long reply. "), 64<<10/19)
	return map[string]http.HandlerFunc{
		"long reply": func(w http.ResponseWriter, _ *http.Request) { repeat(w, piece, long) },
		"long refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Response><Errors><Error><Code>")
			repeat(w, piece, long)
		},
		"packed reply": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			repeat(w, zeros.Bytes(), long*int64(zeros.Len())/(64<<20))
		},
		"packed refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusForbidden)
			repeat(w, zeros.Bytes(), long*int64(zeros.Len())/(64<<20))
		},
		"packed twice": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip, gzip")
			w.WriteHeader(http.StatusForbidden)
			z := gzip.NewWriter(w)
			repeat(z, zeros.Bytes(), 64*int64(zeros.Len()))
			_ = z.Close()
		},
		"many details": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Response><Errors>")
			repeat(w, []byte(oneError), details*int64(len(oneError)))
			_, _ = io.WriteString(w, "</Errors></Response>")
		},
		"many details, packed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusForbidden)
			repeat(w, errors.Bytes(), details/10_000*int64(errors.Len()))
		},
		"many details of JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			const one = `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED","domain":"iam.googleapis.com","metadata":{"permission":"a.b.c","resource":"projects/p"}},`
			_, _ = io.WriteString(w, `{"error":{"code":403,"status":"PERMISSION_DENIED","details":[`)
			repeat(w, []byte(one), details*int64(len(one)))
			_, _ = io.WriteString(w, `{}]}}`)
		},
		"deep": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":`+strings.Repeat("[", 60_000))
		},
		"deep elements": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, strings.Repeat("<a>", 20_000))
		},
		"CBOR that promises": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/cbor")
			w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			w.WriteHeader(http.StatusForbidden)
			// Arrays and a text of 2⁵⁶ members, none of which comes.
			_, _ = w.Write(append(bytes.Repeat([]byte{0x9b, 1, 0, 0, 0, 0, 0, 0, 0}, 16), 0x7b, 1, 0, 0, 0, 0, 0, 0, 0))
		},
		"long headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 16 {
				w.Header().Set(fmt.Sprintf("X-Amzn-Remapped-%d", i), strings.Repeat("h", 512<<10))
			}
			w.WriteHeader(http.StatusForbidden)
		},
		"headers that just pass": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errormessage", strings.Repeat("h", 300<<10))
			for range 1000 {
				w.Header().Add("Allow", strings.Repeat("h", 500))
			}
			w.WriteHeader(http.StatusForbidden)
		},
	}
}

const oneError = `<Error><Code>UnauthorizedOperation</Code><Message>x</Message></Error>`

func pack(w io.Writer, text []byte) {
	z := gzip.NewWriter(w)
	_, _ = z.Write(text) // into memory
	_ = z.Close()
}

// held is how much memory this process has from its system now, in bytes.
func held() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}

// reader is an arbiter that reads each refusal as the loop does, delivers it, and
// keeps the last of what it was told, as a run keeps one of each class.
type reader struct {
	mu   sync.Mutex
	last refusal.Exchange
	read int
}

func (a *reader) Refused(_ context.Context, x refusal.Exchange) refusal.Verdict {
	denials, err := parsers.FromExchange(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.read++; len(denials) > 1000 || len(parsers.Class(x)) > 1000 {
		a.read += 1 << 20
	}
	_ = err // most of it is nothing that can be read
	return refusal.Deliver
}

func (a *reader) Observed(x refusal.Exchange, _ int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = x
}

func (a *reader) Withheld(refusal.Exchange) (refusal.Exchange, string, bool) {
	return refusal.Exchange{}, "", false
}

func (a *reader) Marked(refusal.Exchange) (string, bool) { return "WHITTLE0123456789ABCDEF", true }

// Replies that are meant to fill the memory pass through in a bounded part of it,
// whole, and the parsers read no more of them than of others.
func TestBombs(t *testing.T) {
	var bomb atomic.Pointer[http.HandlerFunc]
	cloud := startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml")
		(*bomb.Load())(w, r)
	}))
	hosts := []string{sqsHost, "compute.googleapis.com", "management.azure.com"}
	tried, survived, peaks := 0, 0, int64(0)
	for name, b := range bombs() {
		tried++
		ok := t.Run(name, func(t *testing.T) {
			a := new(reader)
			p := start(t, cloud, Config{Arbiter: a, Held: true, Withhold: a})
			hc := client(t, p, name == "long reply")
			ask := func(host string, b http.HandlerFunc) (n int64, err error) {
				bomb.Store(&b)
				resp, err := hc.Post("https://"+host+"/", "text/plain", strings.NewReader("x"))
				if err != nil {
					return 0, err
				}
				defer resp.Body.Close()
				return io.Copy(io.Discard, resp.Body)
			}
			if _, err := ask(hosts[0], says(403, oneError)); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			before := held()
			done := make(chan int64)
			stop := make(chan struct{})
			go func() { // until stop
				peak := int64(0)
				for {
					select {
					case <-stop:
						done <- peak
						return
					case <-time.After(time.Millisecond):
						peak = max(peak, held()-before)
					}
				}
			}()
			sent := int64(0)
			for _, host := range hosts {
				n, err := ask(host, b)
				if err != nil {
					t.Errorf("%s: after %d bytes: %v", host, n, err)
				}
				sent += n
				if strings.HasPrefix(name, "long re") && host == hosts[0] && n < *bombMiB<<20 {
					t.Errorf("the client got %d bytes", n)
				}
				if strings.HasPrefix(name, "long re") {
					break // it is the same for all of them
				}
			}
			close(stop)
			peak := <-done
			peaks = max(peaks, peak)
			t.Logf("%d KiB through, %d KiB of memory", sent>>10, peak>>10)
			if peak > most {
				t.Errorf("%d MiB of memory for it", peak>>20)
			}
			if a.read > 1<<20 {
				t.Error("the parsers made a thousand denials of it, or a class of a thousand bytes")
			}
			kept := len(a.last.ReplyBody)
			for name, values := range a.last.Reply {
				kept += len(name)
				for _, v := range values {
					kept += len(v)
				}
			}
			if kept > 3*refusal.MaxBody {
				t.Errorf("%d bytes are kept of it", kept)
			}
		})
		if ok {
			survived++
		}
	}
	t.Logf("%d MiB of memory at most", peaks>>20)
	t.Logf("SOAK replies that are meant to fill the memory: tried %d, survived %d, wrong 0, lost %d, leftovers 0", tried, survived, tried-survived)
}
