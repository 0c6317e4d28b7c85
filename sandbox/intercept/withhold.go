package intercept

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept/exchange"
	"github.com/whittle-iam/whittle/sandbox/intercept/forward"
	"github.com/whittle-iam/whittle/sandbox/intercept/stamp"
)

// streamTime is how long the start of a body of unknown length is waited for,
// before it is decided whether its request is withheld.
const streamTime = time.Second

// withheld asks whether the request is to be withheld, and if so answers it with
// the reply that it is given. The cloud never sees it.
func (f *flight) withheld(ctx context.Context) bool {
	if f.body != nil {
		f.body.Fill(ctx, streamTime)
	}
	recorded, token, ok := f.p.withhold.Withheld(f.exchange())
	if !ok {
		return false
	}
	header, body, err := withheldReply(f.cloud, recorded, token)
	if err != nil {
		f.p.log.Error("request is sent although it was to be withheld", "exchange", f.seen, "error", err)
		return false
	}
	if f.body != nil && !f.drained(ctx) && f.r.ProtoMajor == 1 {
		// What the client has not sent yet is not waited for, which net/http
		// would before the reply; and the connection is of no more use.
		if err := http.NewResponseController(f.w).EnableFullDuplex(); err != nil {
			f.p.log.Warn("stream is withheld", "exchange", f.seen, "error", err)
		}
		header.Set("Connection", "close")
	}
	if _, there := header["Content-Type"]; !there {
		header["Content-Type"] = nil // keeps net/http from making one up
	}
	f.seen.Token = token
	f.answer(recorded.Status, header, body)
	return true
}

// drained takes the rest of a body that goes nowhere: a client that is still
// sending might not read its reply. Of a stream it takes what comes without a
// pause of streamTime, since its client may be waiting for the reply before it
// sends more; false means that there may be more. The read that waits for it then
// ends with the request, as the server closes the body.
func (f *flight) drained(ctx context.Context) bool {
	var count counter
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(&count, f.body.Reader())
		done <- err
	}()
	pause := time.NewTicker(streamTime)
	defer pause.Stop()
	for before := int64(-1); ; {
		select {
		case err := <-done:
			if err != nil {
				abort() // the client is gone
			}
			return true
		case <-pause.C:
			now := count.n.Load()
			if now == before && f.r.ContentLength < 0 {
				return false
			}
			before = now
		case <-ctx.Done():
			abort()
		}
	}
}

// counter counts what is written to it.
type counter struct{ n atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// withheldReply makes the reply to a withheld request from the recorded one. An
// error says that it cannot be used.
func withheldReply(cloud refusal.Cloud, x refusal.Exchange, token string) (http.Header, []byte, error) {
	if x.Status < 200 || x.Status > 599 {
		return nil, nil, errors.New("the recorded reply has status " + strconv.Itoa(x.Status))
	}
	if x.Token != "" {
		return nil, nil, errors.New("the recorded reply has the token of another one")
	}
	if len(x.ReplyBody) >= refusal.MaxBody {
		return nil, nil, errors.New("the recorded reply was too long to be kept whole")
	}
	header := forward.Header(x.Reply)
	for name, values := range header {
		if len(values) == 1 && values[0] == exchange.Redacted {
			delete(header, name) // a name without its value says something else
		}
	}
	// A date of the past would have the AWS SDKs correct their clocks. The body is
	// recorded without its encoding.
	for _, name := range []string{"Date", "Content-Length", "Content-Encoding", "Age"} {
		header.Del(name)
	}
	header, body, ok := stamp.Reply(cloud, header, x.ReplyBody, token)
	if !ok {
		return nil, nil, errors.New("the recorded reply has no place for a token")
	}
	return header, body, nil
}

// refused delivers a refusal of the cloud's own, with a token in it if one is
// wanted. Head is the start of its body, or all of it.
func (f *flight) refused(resp *http.Response, head []byte, whole bool) {
	if f.closed != nil {
		f.deliver(resp, resp.Body) // what was read of it was put back, and it has no place for a token
		return
	}
	if f.p.withhold == nil {
		f.deliver(resp, rest(head, whole, resp.Body))
		return
	}
	// What is not known whole cannot be marked, and nobody need wait for a token.
	plain := exchange.Decode(resp.Header.Get("Content-Encoding"), head)
	if !whole || len(plain) >= refusal.MaxBody {
		f.p.log.Warn("refusal is delivered without a token: it is too long", "exchange", f.seen, "status", resp.StatusCode)
		f.deliver(resp, rest(head, whole, resp.Body))
		return
	}
	token, ok := f.p.withhold.Marked(exchange.WithReply(f.exchange(), resp.StatusCode, resp.Header, head))
	if !ok {
		f.deliver(resp, bytes.NewReader(head))
		return
	}
	header := resp.Header.Clone()
	if !bytes.Equal(plain, head) {
		header.Del("Content-Encoding")
	}
	header, body, ok := stamp.Reply(f.cloud, header, plain, token)
	if !ok {
		f.p.log.Warn("refusal is delivered without a token: it has no place for one", "exchange", f.seen, "status", resp.StatusCode)
		f.deliver(resp, bytes.NewReader(head))
		return
	}
	if header.Get("Content-Length") != "" && f.r.Method != http.MethodHead {
		header.Set("Content-Length", strconv.Itoa(len(body)))
		resp.ContentLength = int64(len(body))
	}
	resp.Header = header
	f.seen.Token = token
	f.deliver(resp, bytes.NewReader(body))
}
