// Package socks speaks SOCKS5 with clients that know no other kind of proxy, as
// Packer's SSH does: version 5 with a user name and a password, and CONNECT
// alone. Source: RFC 1928, RFC 1929.
//
// Where a connection leads is not its business: it asks whoever started it.
package socks

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/intercept/conn"
)

// patience is how long a client may take to say where it wants to.
const patience = time.Minute

// Config says how a [Server] works. All fields are required.
type Config struct {
	// Listen is the loopback address to listen on; port 0 is a free one.
	Listen string
	// User and Password are what a client must show; not longer than 255 bytes.
	User, Password string
	// Connect makes the connections to host:port.
	Connect func(ctx context.Context, addr string) (net.Conn, error)
	// Log gets what goes wrong.
	Log *slog.Logger
}

// Server is a running SOCKS server. Make one with [Start].
type Server struct {
	c        Config
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// Start serves until Close, or until ctx ends: then connections are cut.
func Start(ctx context.Context, c Config) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("socks: %w", err)
	}
	s := &Server{c: c, listener: l}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.work.Go(s.accept)
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// Close cuts all connections. Nothing runs after it.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.work.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("socks: %w", err)
	}
	return nil
}

func (s *Server) accept() {
	stop := context.AfterFunc(s.ctx, func() { s.listener.Close() })
	defer stop()
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.work.Go(func() {
			defer client.Close()
			if err := s.serve(client); err != nil && s.ctx.Err() == nil {
				s.c.Log.Debug("socks", "error", err)
			}
		})
	}
}

// What a reply says. Source: RFC 1928, section 6.
const (
	granted       = 0
	unreachable   = 4
	notSupported  = 7
	unknownFamily = 8
)

func (s *Server) serve(client net.Conn) error {
	stop := context.AfterFunc(s.ctx, func() { client.Close() })
	defer stop()
	if err := client.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := s.login(client); err != nil {
		return err
	}
	addr, failure, err := destination(client)
	if err != nil {
		if failure != granted {
			_ = reply(client, failure) // a client that is gone needs no answer
		}
		return err
	}
	upstream, err := s.c.Connect(s.ctx, addr)
	if err != nil {
		_ = reply(client, unreachable)
		return fmt.Errorf("connect to %s: %w", addr, err)
	}
	defer upstream.Close()
	if err := errors.Join(reply(client, granted), client.SetDeadline(time.Time{})); err != nil {
		return err
	}
	conn.Splice(s.ctx, client, upstream)
	return nil
}

// login asks for user name and password, and nothing else will do.
func (s *Server) login(c net.Conn) error {
	head, err := read(c, 2)
	if err != nil {
		return err
	}
	if head[0] != 5 {
		return fmt.Errorf("version %d of the protocol", head[0])
	}
	methods, err := read(c, int(head[1]))
	if err != nil {
		return err
	}
	const byPassword, none = 2, 0xff
	found := false
	for _, m := range methods {
		found = found || m == byPassword
	}
	if !found {
		_, _ = c.Write([]byte{5, none})
		return errors.New("the client offers no password")
	}
	if _, err := c.Write([]byte{5, byPassword}); err != nil {
		return err
	}
	if head, err = read(c, 1); err != nil {
		return err
	}
	user, err := text(c)
	if err != nil {
		return err
	}
	password, err := text(c)
	if err != nil {
		return err
	}
	given, want := user+":"+password, s.c.User+":"+s.c.Password
	if head[0] != 1 || subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		_, _ = c.Write([]byte{1, 1})
		return errors.New("wrong user name or password")
	}
	_, err = c.Write([]byte{1, 0})
	return err
}

// destination reads where the client wants to. Failure is what to reply where
// there is an error, if anything.
func destination(c net.Conn) (addr string, failure byte, err error) {
	head, err := read(c, 4)
	if err != nil {
		return "", 0, err
	}
	var host string
	switch family := head[3]; family {
	case 1, 4:
		raw, err := read(c, map[byte]int{1: 4, 4: 16}[family])
		if err != nil {
			return "", 0, err
		}
		ip, _ := netip.AddrFromSlice(raw)
		host = ip.String()
	case 3:
		if host, err = text(c); err != nil {
			return "", 0, err
		}
	default:
		return "", unknownFamily, fmt.Errorf("addresses of kind %d", family)
	}
	port, err := read(c, 2)
	if err != nil {
		return "", 0, err
	}
	if head[0] != 5 || head[1] != 1 {
		return "", notSupported, fmt.Errorf("command %d of version %d", head[1], head[0])
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))), 0, nil
}

// reply tells the client how it went. The address that a reply has is of no use
// to a CONNECT.
func reply(c net.Conn, code byte) error {
	_, err := c.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
	return err
}

func read(c net.Conn, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	return b, err
}

// text reads a text that its length stands before.
func text(c net.Conn) (string, error) {
	n, err := read(c, 1)
	if err != nil {
		return "", err
	}
	b, err := read(c, int(n[0]))
	return string(b), err
}
