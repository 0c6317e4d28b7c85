// Package tunnel is the server's side of Identity-Aware Proxy's TCP forwarding:
// a WebSocket whose messages carry the bytes of one connection to an instance.
//
// Whether somebody may have a tunnel it does not know. Source: the client's side
// in gcloud (api_lib/compute/iap_tunnel_websocket.py and
// iap_tunnel_websocket_utils.py), since the protocol is not documented.
package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/coder/websocket"
)

const (
	// Host is where tunnels are asked for; with client certificates below "mtls.".
	Host = "tunnel.cloudproxy.app"
	// Protocol is the subprotocol of the WebSocket.
	Protocol = "relay.tunnel.cloudproxy.app"

	connectPath = "/v4/connect"
	// maxData is the most that one message carries, in bytes.
	maxData = 16384
)

// Tags of messages: what follows is said behind each.
const (
	tagSession = 1 // length (4 bytes), the session's name
	tagData    = 4 // length (4 bytes), bytes of the connection
	tagAck     = 7 // how many bytes have come in all (8 bytes)
)

// Closing says why there is no tunnel: a code and a reason of a WebSocket's end.
type Closing struct {
	Code   int
	Reason string
}

// How a tunnel is refused. Source: the comment on these codes in Packer's
// googlecompute plugin (step_start_tunnel.go), what gcloud makes of 4003
// (iap_tunnel_websocket.py), and outputs of gcloud in its issues #37 and #195.
var (
	NotAuthorized = Closing{4033, "not authorized"}
	NoInstance    = Closing{4047, "Failed to lookup instance"}
	NoBackend     = Closing{4003, "failed to connect to backend"}
)

// IsHost tells whether a host is the service's.
func IsHost(host string) bool { return host == Host || host == "mtls."+Host }

// Target is where a tunnel leads.
type Target struct{ Project, Zone, Instance, Port string }

// ErrUnknown is a request that is none for a tunnel to an instance: the service
// also leads to other hosts, and takes a broken tunnel up again.
var ErrUnknown = errors.New("not a request for a tunnel to an instance")

// Read reads a request.
func Read(r *http.Request) (Target, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodGet || r.URL.Path != connectPath {
		return Target{}, ErrUnknown
	}
	t := Target{q.Get("project"), q.Get("zone"), q.Get("instance"), q.Get("port")}
	port, err := strconv.ParseUint(t.Port, 10, 16)
	if err != nil || port == 0 || t.Project == "" || t.Zone == "" || t.Instance == "" || q.Get("interface") == "" {
		return Target{}, ErrUnknown
	}
	return t, nil
}

// Refuse takes the WebSocket and closes it at once, as the service refuses.
func Refuse(w http.ResponseWriter, r *http.Request, c Closing) error {
	ws, err := accept(w, r)
	if err != nil {
		return err
	}
	return ws.Close(websocket.StatusCode(c.Code), c.Reason)
}

func accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	// gcloud says that it comes from "bot:iap-tunneler". No browser comes here.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Protocol}, InsecureSkipVerify: true})
	if err != nil {
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	ws.SetReadLimit(maxData + 6)
	return ws, nil
}

// Relay takes the WebSocket and carries the bytes of a connection over it, until
// one side ends or ctx does. It closes the connection.
func Relay(ctx context.Context, w http.ResponseWriter, r *http.Request, session string, backend net.Conn) error {
	defer backend.Close()
	ws, err := accept(w, r)
	if err != nil {
		return err
	}
	defer ws.CloseNow() //nolint:errcheck // it was closed before, or is broken
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { backend.Close() })
	defer stop()
	if err := ws.Write(ctx, websocket.MessageBinary, frame(tagSession, []byte(session))); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { // ends when the WebSocket does, by CloseNow at the latest
		err := upward(ctx, ws, backend)
		cancel()
		done <- err
	}()
	err = downward(ctx, ws, backend)
	if err == nil {
		err = ws.Close(websocket.StatusNormalClosure, "")
	}
	cancel()
	ws.CloseNow() //nolint:errcheck // it was closed before, or is broken
	<-done
	return err
}

func frame(tag uint16, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 6+len(data)), tag)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
}

// downward carries what the instance says to the client, until the instance has
// ended.
func downward(ctx context.Context, ws *websocket.Conn, backend net.Conn) error {
	b := make([]byte, maxData)
	for {
		n, err := backend.Read(b)
		if n > 0 {
			if err := ws.Write(ctx, websocket.MessageBinary, frame(tagData, b[:n])); err != nil {
				return err
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

// upward carries what the client says to the instance, and tells the client how
// much has come.
func upward(ctx context.Context, ws *websocket.Conn, backend net.Conn) error {
	var total uint64
	for {
		kind, message, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageBinary || len(message) < 2 {
			return ws.Close(websocket.StatusUnsupportedData, "")
		}
		switch tag, rest := binary.BigEndian.Uint16(message), message[2:]; tag {
		case tagData:
			if len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) != uint64(len(rest)-4) {
				return ws.Close(websocket.StatusUnsupportedData, "")
			}
			if _, err := backend.Write(rest[4:]); err != nil {
				return err
			}
			total += uint64(len(rest) - 4)
			ack := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, tagAck), total)
			if err := ws.Write(ctx, websocket.MessageBinary, ack); err != nil {
				return err
			}
		case tagAck: // nothing is kept for sending it again
		default:
			return ws.Close(websocket.StatusUnsupportedData, "")
		}
	}
}
