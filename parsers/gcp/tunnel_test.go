package gcp

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A tunnel is refused by the end of its WebSocket, which names nothing: what it
// is about, the request says.
func TestTunnel(t *testing.T) {
	denied := []refusal.Denial{{Cloud: refusal.GCP, Reason: refusal.OpaqueDenial, Candidates: []string{"iap.tunnelInstances.accessViaIAP"}, Evidence: "not authorized"}}
	const tunnel = "https://tunnel.cloudproxy.app/v4/connect?project=p&zone=z&instance=i&interface=nic0&port=22"
	for _, tt := range []struct {
		url    string
		status int
		body   string
		want   []refusal.Denial
		err    error
	}{
		{url: tunnel, status: 101, body: "\x0f\xc1not authorized", want: denied},
		{url: "https://mtls.tunnel.cloudproxy.app/v4/connect?port=22", status: 101, body: "\x0f\xc1not authorized", want: denied},
		{url: tunnel, status: 101},
		{url: tunnel, status: 101, body: "\x0f\xcfFailed to lookup instance"}, // 4047
		{url: tunnel, status: 101, body: "\x0f"},
		{url: tunnel, status: 401, want: []refusal.Denial{{Cloud: refusal.GCP, Reason: refusal.BadCredentials}}},
		{url: "https://tunnel.cloudproxy.app/v4/reconnect?sid=s", status: 101, body: "\x0f\xc1not authorized"},
		{url: "https://compute.googleapis.com/v4/connect", status: 101, body: "\x0f\xc1not authorized"},
		{url: "https://x.cloudproxy.app/v4/connect", status: 403, body: "\x0f\xc1not authorized", err: ErrUnread},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		x := refusal.Exchange{Method: http.MethodGet, URL: u, Status: tt.status, ReplyBody: []byte(tt.body)}
		got, err := Read(x)
		if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
			t.Errorf("%s %d %q: %v (-want +got)\n%s", tt.url, tt.status, tt.body, err, diff)
		}
	}
	u, err := url.Parse(tunnel)
	if err != nil {
		t.Fatal(err)
	}
	if got := Class(refusal.Exchange{Method: http.MethodGet, URL: u}); got != "GET tunnel.cloudproxy.app/v4/connect" {
		t.Errorf("the class is %s", got)
	}
}
