package intercept

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const tunnelURL = "https://tunnel.cloudproxy.app/v4/connect?project=p&port=22&zone=z&instance=i&interface=nic0"

// tunnelCloud refuses tunnels by closing them, the first refusals times, and then
// sends back what it gets.
func tunnelCloud(t *testing.T, refusals int32) cloud {
	t.Helper()
	var asked atomic.Int32
	return startCloud(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer ws.CloseNow()
		if asked.Add(1) <= refusals {
			ws.Close(4033, "not authorized")
			return
		}
		if err := ws.Write(r.Context(), websocket.MessageText, []byte("welcome")); err != nil {
			return
		}
		for {
			kind, text, err := ws.Read(context.WithoutCancel(r.Context()))
			if err != nil || ws.Write(context.WithoutCancel(r.Context()), kind, text) != nil {
				return
			}
		}
	}))
}

func talk(t *testing.T, p *Proxy) error {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), tunnelURL, &websocket.DialOptions{HTTPClient: client(t, p, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	for _, text := range []string{"welcome", "one", "two"} {
		if text != "welcome" {
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
				return err
			}
		}
		_, got, err := ws.Read(t.Context())
		if err != nil {
			return err
		}
		if string(got) != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	return ws.Close(websocket.StatusNormalClosure, "")
}

// A tunnel that is closed at once was refused as a whole: it is asked for again
// and the client sees none of it.
func TestTunnelHeld(t *testing.T) {
	a := newScript(always(refusal.Repeat))
	p := start(t, tunnelCloud(t, 2), Config{Arbiter: a, Held: true})
	if err := talk(t, p); err != nil {
		t.Errorf("the client saw %v", err)
	}
	end := a.last(t)
	if end.repeats != 2 || end.Status != 101 || len(end.ReplyBody) != 0 {
		t.Errorf("it ended with %d after %d repeats and %q", end.Status, end.repeats, end.ReplyBody)
	}
	if n, _ := a.told(); n != 2 {
		t.Fatalf("%d refusals", n)
	}
	for _, x := range a.refused {
		if x.Status != 101 || string(x.ReplyBody) != "\x0f\xc1not authorized" || x.URL.Query().Get("project") != "p" {
			t.Errorf("told of %d %q %s", x.Status, x.ReplyBody, x.URL)
		}
	}
}

// Delivered, it is the cloud's own refusal, and the arbiter is told at the end.
func TestTunnelDelivered(t *testing.T) {
	for name, config := range map[string]Config{"not held": {}, "held, and delivered": {Held: true}} {
		t.Run(name, func(t *testing.T) {
			a := newScript(always(refusal.Deliver))
			config.Arbiter = a
			p := start(t, tunnelCloud(t, 1), config)
			if err := talk(t, p); websocket.CloseStatus(err) != 4033 {
				t.Errorf("the client saw %v", err)
			}
			if end := a.last(t); end.Status != 101 || string(end.ReplyBody) != "\x0f\xc1not authorized" || end.repeats != 0 {
				t.Errorf("it ended with %d %q after %d repeats", end.Status, end.ReplyBody, end.repeats)
			}
			if err := talk(t, p); err != nil {
				t.Errorf("then the client saw %v", err)
			}
		})
	}
}

// Who hangs up while a tunnel is held is not waited for.
func TestTunnelGivenUp(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	a := newScript(func(context.Context, refusal.Exchange) refusal.Verdict {
		hangUp()
		return refusal.Repeat
	})
	p := start(t, tunnelCloud(t, 1<<30), Config{Arbiter: a, Held: true})
	r := request(t, http.MethodGet, tunnelURL, nil).WithContext(ctx)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(name, value)
	}
	if resp, err := client(t, p, false).Do(r); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		t.Error("there was a reply")
	}
	a.last(t)
}
