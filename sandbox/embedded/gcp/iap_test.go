package gcp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/crypto/ssh"
	"google.golang.org/api/compute/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// tunnelTo asks for a tunnel, as gcloud does.
func tunnelTo(t *testing.T, g *gcp.Gate, token, path string, query url.Values) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	ws, resp, err := websocket.Dial(t.Context(), s.URL+path+"?"+query.Encode(), &websocket.DialOptions{
		Host: "tunnel.cloudproxy.app", HTTPHeader: header, Subprotocols: []string{"relay.tunnel.cloudproxy.app"}})
	if ws != nil {
		t.Cleanup(func() { ws.CloseNow() })
	}
	return ws, resp, err
}

func tunnelQuery(instance, port string) url.Values {
	return url.Values{"project": {project}, "zone": {sshZone}, "instance": {instance}, "interface": {"nic0"}, "port": {port}, "newWebsocket": {"True"}}
}

// tunnelConn is the client's side of a tunnel.
type tunnelConn struct {
	net.Conn // nil: what is not below is not called
	ws       *websocket.Conn
	ctx      context.Context
	rest     []byte
	sent     uint64
	acked    uint64
}

func (c *tunnelConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		_, m, err := c.ws.Read(c.ctx)
		if err != nil {
			return 0, err
		}
		switch binary.BigEndian.Uint16(m) {
		case 4:
			c.rest = m[6:]
		case 7:
			c.acked = binary.BigEndian.Uint64(m[2:])
		default:
			return 0, errors.New("another tag")
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *tunnelConn) Write(p []byte) (int, error) {
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, 4), uint32(len(p)))
	c.sent += uint64(len(p))
	return len(p), c.ws.Write(c.ctx, websocket.MessageBinary, append(b, p...))
}

func (c *tunnelConn) Close() error                     { return c.ws.CloseNow() }
func (c *tunnelConn) SetDeadline(time.Time) error      { return nil }
func (c *tunnelConn) SetReadDeadline(time.Time) error  { return nil }
func (c *tunnelConn) SetWriteDeadline(time.Time) error { return nil }
func (c *tunnelConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *tunnelConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// Who may not, is told so by the end of the WebSocket, be there an instance or
// not; who may, reaches the instance's SSH.
func TestTunnel(t *testing.T) {
	g, c, _ := sshSandbox(t)
	key, text := newKey(t)
	sshInstance(t, c, "node", map[string]string{"ssh-keys": sshUser + ":" + text})
	_, token := principal(t, g, "compute.instances.get")

	closes := func(token, instance, port string, code websocket.StatusCode, reason string) {
		t.Helper()
		ws, _, err := tunnelTo(t, g, token, "/v4/connect", tunnelQuery(instance, port))
		if err != nil {
			t.Fatal(err)
		}
		var end websocket.CloseError
		if _, _, err = ws.Read(t.Context()); !errors.As(err, &end) || end.Code != code || end.Reason != reason {
			t.Errorf("%s:%s ended with %v, want %d %s", instance, port, err, code, reason)
		}
	}
	closes(token, "node", "22", 4033, "not authorized")
	closes(token, "none", "22", 4033, "not authorized")
	grant(t, c, "iap.tunnelInstances.accessViaIAP")
	closes(token, "none", "22", 4047, "Failed to lookup instance")
	closes(token, "node", "80", 4003, "failed to connect to backend")

	ws, _, err := tunnelTo(t, g, token, "/v4/connect", tunnelQuery("node", "22"))
	if err != nil {
		t.Fatal(err)
	}
	if ws.Subprotocol() != "relay.tunnel.cloudproxy.app" {
		t.Errorf("the protocol is %q", ws.Subprotocol())
	}
	_, first, err := ws.Read(t.Context())
	if err != nil || binary.BigEndian.Uint16(first) != 1 || int(binary.BigEndian.Uint32(first[2:])) != len(first)-6 || len(first) == 6 {
		t.Fatalf("the first message is %q, %v", first, err)
	}
	link := &tunnelConn{ws: ws, ctx: t.Context()}
	sc, channels, requests, err := ssh.NewClientConn(link, "node", &ssh.ClientConfig{User: sshUser, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(sc, channels, requests)
	if got := output(t, client, "hostname"); got != "node\n" {
		t.Errorf("it said %q", got)
	}
	// The instance's end is the tunnel's.
	must[*compute.Operation](t)(c.compute.Instances.Stop(project, sshZone, "node").Do())
	if err := client.Wait(); err == nil {
		t.Error("the connection goes on where the instance was stopped")
	}
	if link.acked == 0 || link.acked > link.sent {
		t.Errorf("%d bytes were acknowledged of %d", link.acked, link.sent)
	}
	closes(token, "node", "22", 4047, "Failed to lookup instance")
}

// What is no request for a tunnel to an instance is not let through.
func TestTunnelUnknown(t *testing.T) {
	g, _, _ := sshSandbox(t)
	status := func(token, path string, query url.Values) int {
		t.Helper()
		_, resp, err := tunnelTo(t, g, token, path, query)
		if err == nil || resp == nil {
			t.Fatalf("%s: %v", path, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if got := status("", "/v4/connect", tunnelQuery("node", "22")); got != 401 {
		t.Errorf("without a token: %d", got)
	}
	if got := status(g.Operator(), "/v4/reconnect", url.Values{"sid": {"x"}, "ack": {"0"}}); got != 501 {
		t.Errorf("to take a tunnel up again: %d", got)
	}
	host := tunnelQuery("", "22")
	host.Set("host", "10.0.0.2")
	if got := status(g.Operator(), "/v4/connect", host); got != 501 {
		t.Errorf("to a host: %d", got)
	}
	if n := len(g.Ledger().Unknown()); n != 2 {
		t.Errorf("%d unknown requests", n)
	}
}
