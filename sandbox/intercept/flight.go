package intercept

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept/bearer"
	"github.com/whittle-iam/whittle/sandbox/intercept/endpoint"
	"github.com/whittle-iam/whittle/sandbox/intercept/exchange"
	"github.com/whittle-iam/whittle/sandbox/intercept/forward"
	"github.com/whittle-iam/whittle/sandbox/intercept/greeting"
	"github.com/whittle-iam/whittle/sandbox/intercept/hold"
	"github.com/whittle-iam/whittle/sandbox/intercept/spool"
)

// keepMost is how much of a body is kept for sending it again, in bytes.
const keepMost = 16 << 20

// serveInner serves the requests within opened connections.
func (p *Proxy) serveInner(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		say(w, http.StatusServiceUnavailable, "the proxy is closing")
		return
	}
	defer p.leave()
	host, _ := r.Context().Value(hostKey{}).(string)
	cloud, ok := endpoint.Of(host)
	if !ok || !sameHost(r.Host, host) {
		// What a host says is trusted because its certificate was verified; a
		// request for another host over the same connection is not that
		// host's.
		say(w, http.StatusMisdirectedRequest, "this connection was opened for "+host)
		return
	}
	if r.Method == http.MethodConnect {
		say(w, http.StatusMethodNotAllowed, "CONNECT within a connection to "+host)
		return
	}
	f := &flight{p: p, w: w, r: r, host: host, cloud: cloud, start: time.Now(), seen: exchange.Of(r, host)}
	if p.token != nil && (cloud == refusal.GCP || cloud == refusal.Azure) {
		if f.tokenGiven() {
			return
		}
		if f.bearer = bearer.Shown(r, p.token.Placeholder()); f.bearer {
			f.seen.Credential = p.token.Placeholder()
		}
	}
	f.serve()
}

// sameHost tells whether a request's Host names the host, in canonical form,
// that its connection was opened for.
func sameHost(given, host string) bool {
	name, ok := endpoint.Canonical(strings.TrimSuffix(given, ":443"))
	return ok && name == host
}

// flight is one request to an opened host, from its receipt to the last byte
// of its reply.
type flight struct {
	p     *Proxy
	w     http.ResponseWriter
	r     *http.Request
	host  string
	cloud refusal.Cloud
	start time.Time
	// bearer tells that the request shows the placeholder of the proxy's token.
	bearer bool

	body *spool.Spool // nil without a body
	// trailers are the announced ones' names. The request's own map is written
	// by whoever reads the end of the body.
	trailers []string

	// closed is what a WebSocket said that was closed at once, nil for all else.
	closed []byte

	seen    refusal.Exchange
	repeats int
}

func (f *flight) serve() {
	if f.r.ContentLength != 0 && f.r.Body != http.NoBody {
		// What is kept without a hold is for net/http alone, which sends a
		// request again when an idle connection turns out to be closed.
		limit := int64(spool.InMemory)
		if f.p.held {
			limit = keepMost
		}
		f.body = spool.New(f.r.Body, f.r.ContentLength, limit)
		for name := range f.r.Trailer {
			f.trailers = append(f.trailers, name)
		}
		defer f.body.Close()
	}
	defer f.observed()

	ctx := f.r.Context()
	if f.p.withhold != nil && f.withheld(ctx) {
		return
	}
	wait := hold.New(f.start, f.p.hold(f.r.UserAgent()))
	for {
		resp, err := f.send(ctx)
		if err != nil {
			f.unreachable(err)
			return
		}
		if err := f.greet(ctx, resp); err != nil {
			resp.Body.Close()
			f.unreachable(err)
			return
		}
		refused := resp.StatusCode >= 400 && resp.StatusCode <= 499 || f.closed != nil
		if !refused || f.p.arbiter == nil && f.p.withhold == nil {
			f.deliver(resp, resp.Body)
			return
		}
		head, whole, err := f.closed, false, error(nil)
		if f.closed == nil {
			head, whole, err = readHead(resp.Body)
		}
		if err != nil {
			resp.Body.Close()
			f.unreachable(err)
			return
		}
		if f.verdict(ctx, wait, resp, head) == refusal.Deliver {
			f.refused(resp, head, whole)
			return
		}
		if !wait.Next(ctx) {
			if f.closed == nil && ctx.Err() == nil && hold.Retries(f.cloud, f.r.UserAgent()) {
				resp.Body.Close()
				f.tryAgain(resp, head)
			} else {
				f.refused(resp, head, whole)
			}
			return
		}
		resp.Body.Close()
		f.repeats++
	}
}

// send sends the request, once more if need be, and returns the reply's start.
func (f *flight) send(ctx context.Context) (*http.Response, error) {
	out := forward.Request(ctx, f.r, "https", f.host, false)
	if f.body != nil {
		if f.r.ContentLength < 0 {
			out.Trailer = make(http.Header) // filled when the body has ended
			for _, name := range f.trailers {
				out.Trailer[name] = nil
			}
		}
		out.Body = f.reader(out)
		out.GetBody = func() (io.ReadCloser, error) {
			if !f.body.Replayable() {
				return nil, spool.ErrNotKept
			}
			return f.reader(out), nil
		}
	}
	if f.bearer {
		placeholder := f.p.token.Placeholder()
		token, err := f.p.token.Bearer(ctx, f.host)
		if err != nil {
			return nil, &tokenError{err}
		}
		bearer.Put(out, placeholder, token)
	}
	transport := f.p.http1
	if f.r.ProtoMajor > 1 {
		transport = f.p.http2
	}
	return transport.RoundTrip(out)
}

// reader is the body from its start. When it ends, out gets the trailers that
// came after it.
func (f *flight) reader(out *http.Request) io.ReadCloser {
	return &trailing{ReadCloser: f.body.Reader(), end: func() {
		if out.Trailer != nil {
			maps.Copy(out.Trailer, f.r.Trailer)
		}
	}}
}

// trailing calls end before the reader's end is reported.
type trailing struct {
	io.ReadCloser
	end func()
}

func (t *trailing) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF && t.end != nil {
		t.end()
		t.end = nil
	}
	return n, err
}

// greet waits for the first words of a WebSocket whose server speaks first: if
// they are its last, nothing was done, and the request was refused as a whole.
func (f *flight) greet(ctx context.Context, resp *http.Response) error {
	f.closed = nil
	link, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.StatusCode != http.StatusSwitchingProtocols || !endpoint.Greets(f.host) {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { link.Close() })
	defer stop()
	closed, link, err := greeting.Read(link)
	if err != nil {
		return fmt.Errorf("first message of the WebSocket: %w", err)
	}
	f.closed, resp.Body = closed, link
	return nil
}

// verdict asks the arbiter what becomes of a refused reply; what cannot be
// repeated is delivered whatever it says.
func (f *flight) verdict(ctx context.Context, h *hold.Hold, resp *http.Response, head []byte) refusal.Verdict {
	if f.p.arbiter == nil {
		return refusal.Deliver
	}
	ctx, cancel := context.WithDeadline(ctx, h.End)
	defer cancel()
	v := f.p.arbiter.Refused(ctx, exchange.WithReply(f.exchange(), resp.StatusCode, resp.Header, head))
	if !f.p.held {
		return refusal.Deliver
	}
	if v == refusal.Repeat && f.body != nil && !f.body.Replayable() {
		f.p.log.Info("refused request cannot be repeated: its body was not kept",
			"exchange", f.seen, "error", f.body.Warning())
		return refusal.Deliver
	}
	return v
}

// exchange is the request as far as it is known.
func (f *flight) exchange() refusal.Exchange {
	if f.body == nil {
		return f.seen
	}
	return exchange.WithRequestBody(f.seen, f.body.Head())
}

// deliver gives the reply to the client and remembers its start.
func (f *flight) deliver(resp *http.Response, body io.Reader) {
	defer resp.Body.Close()
	if f.r.Context().Err() != nil {
		abort() // nobody is there to get it
	}
	f.seen = exchange.WithReply(f.seen, resp.StatusCode, resp.Header, f.closed)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		f.p.switchProtocols(f.w, resp)
		return
	}
	var start []byte
	err := f.p.replies.Reply(f.w, resp, body, func(piece []byte) {
		start = append(start, piece[:min(len(piece), refusal.MaxBody-len(start))]...)
	})
	f.seen = exchange.WithReply(f.seen, resp.StatusCode, resp.Header, start)
	if err != nil {
		abort()
	}
}

// tryAgain tells the client to send the request again, in place of a refusal
// that the arbiter wanted repeated when the hold was spent.
func (f *flight) tryAgain(refused *http.Response, head []byte) {
	header, body := hold.TryAgain(f.host, refused.Header, exchange.Decode(refused.Header.Get("Content-Encoding"), head))
	f.answer(http.StatusServiceUnavailable, header, body)
}

// unreachable says that the host did not answer, or that the client is gone.
func (f *flight) unreachable(cause error) {
	if f.r.Context().Err() != nil {
		abort()
	}
	f.p.log.Warn("unreachable", "host", f.host, "error", cause)
	text := "cannot reach " + f.host + ": " + cause.Error()
	if e := (*tokenError)(nil); errors.As(cause, &e) {
		text = cause.Error()
	}
	f.answer(http.StatusBadGateway, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, []byte("whittle: "+text+"\n"))
}

// tokenError says that there is no token to put in.
type tokenError struct{ cause error }

func (e *tokenError) Error() string { return "no access token for the step: " + e.cause.Error() }
func (e *tokenError) Unwrap() error { return e.cause }

// maxForm is the largest request for a token that is read, in bytes.
const maxForm = 64 << 10

// tokenGiven answers who asks for an access token and shows the placeholder for
// it: what the client gets is the placeholder. Other requests it leaves as they
// are.
func (f *flight) tokenGiven() bool {
	placeholder := f.p.token.Placeholder()
	var reply []byte
	switch {
	case bearer.Refreshes(f.r, f.host) && f.r.Body != nil:
		form, err := io.ReadAll(io.LimitReader(f.r.Body, maxForm))
		if err != nil {
			f.unreachable(err)
			return true
		}
		var ok bool
		if reply, ok = bearer.Refreshed(form, f.host, placeholder); !ok {
			f.r.Body = replaced{io.MultiReader(bytes.NewReader(form), f.r.Body), f.r.Body}
			return false
		}
	case bearer.Registers(f.r, f.host) && bearer.Shown(f.r, placeholder):
		reply = bearer.Registered(placeholder, time.Now())
	default:
		return false
	}
	defer f.observed()
	f.answer(http.StatusOK, http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"no-store"}}, reply)
	return true
}

// replaced is a body that reads from somewhere else.
type replaced struct {
	io.Reader
	io.Closer
}

// answer gives the client a reply of the proxy's own.
func (f *flight) answer(status int, header http.Header, body []byte) {
	f.seen = exchange.WithReply(f.seen, status, header, body)
	for name, values := range header {
		f.w.Header()[name] = values
	}
	f.w.WriteHeader(status)
	if f.r.Method != http.MethodHead {
		// A client that is gone needs no answer.
		_, _ = f.w.Write(body)
	}
}

// observed tells the arbiter how the request ended.
func (f *flight) observed() {
	f.seen = f.exchange()
	f.p.log.Debug("request", "exchange", f.seen, "repeats", f.repeats, "duration", time.Since(f.start))
	if f.p.arbiter != nil {
		f.p.arbiter.Observed(f.seen, f.repeats)
	}
}

// readHead reads up to refusal.MaxBody bytes of a refused reply; whole tells
// whether that was all.
func readHead(body io.Reader) (head []byte, whole bool, err error) {
	head, err = io.ReadAll(io.LimitReader(body, refusal.MaxBody))
	return head, len(head) < refusal.MaxBody, err
}

// rest is the reply's body with the part that was read put back.
func rest(head []byte, whole bool, body io.Reader) io.Reader {
	if whole {
		return bytes.NewReader(head)
	}
	return io.MultiReader(bytes.NewReader(head), body)
}
