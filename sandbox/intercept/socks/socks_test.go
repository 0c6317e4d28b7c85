package socks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// start serves connections to a peer in memory that says the address it was
// asked for, and then what it hears.
func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", User: "whittle", Password: "secret", Log: slog.New(slog.DiscardHandler),
		Connect: func(_ context.Context, addr string) (net.Conn, error) {
			if addr == "192.0.2.1:23" {
				return nil, errors.New("nobody is there")
			}
			near, far := net.Pipe()
			go func() { // ends with the connection
				defer far.Close()
				if _, err := io.WriteString(far, addr+"\n"); err == nil {
					_, _ = io.Copy(far, far)
				}
			}()
			return near, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The client that Packer uses.
func TestClient(t *testing.T) {
	s := start(t)
	dial := func(password, addr string) (net.Conn, error) {
		t.Helper()
		var auth *proxy.Auth
		if password != "" {
			auth = &proxy.Auth{User: "whittle", Password: password}
		}
		d, err := proxy.SOCKS5("tcp", s.Addr().String(), auth, proxy.Direct)
		if err != nil {
			t.Fatal(err)
		}
		return d.Dial("tcp", addr)
	}
	for _, addr := range []string{"34.64.1.2:22", "[2001:db8::1]:22", "node.example:65535"} {
		c, err := dial("secret", addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Error(err)
		}
		want := addr + "\nhello"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", addr, got, err)
		}
		c.Close()
	}
	for why, try := range map[string][2]string{"a wrong password": {"wrong", "34.64.1.2:22"}, "no password": {"", "34.64.1.2:22"}, "nobody there": {"secret", "192.0.2.1:23"}} {
		if c, err := dial(try[0], try[1]); err == nil {
			c.Close()
			t.Errorf("%s: connected", why)
		}
	}
}

// Whatever a client sends: it gets no further than it may, and the server goes
// on.
func TestProtocol(t *testing.T) {
	s := start(t)
	login := "\x05\x01\x02\x01\x07whittle\x06secret"
	for sent, want := range map[string]string{
		"\x04\x01":                              "",
		"GET / HTTP/1.1\r\n\r\n":                "",
		"\x05\x01\x00":                          "\x05\xff",
		"\x05\x00":                              "\x05\xff",
		"\x05\x02\x00\x02\x01\x01a\x01b":        "\x05\x02\x01\x01",
		"\x05\x01\x02\x02\x07whittle\x06secret": "\x05\x02\x01\x01",
		login + "\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x16": "\x05\x02\x01\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00",
		login + "\x05\x01\x00\x09":                         "\x05\x02\x01\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00",
		login + "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x17": "\x05\x02\x01\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00",
		login + "\x05\x01\x00\x03\xff":                     "\x05\x02\x01\x00",
	} {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Error(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("%q: %v", sent, err)
		}
		got, _ := io.ReadAll(c) // a reset is an end as well
		if !bytes.Equal(got, []byte(want)) {
			t.Errorf("%q: answered %q, want %q", sent, got, want)
		}
		c.Close()
	}
}
