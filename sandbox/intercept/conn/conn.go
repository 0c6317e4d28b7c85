// Package conn is what the proxy does with connections apart from what goes over
// them: pass one from a server to another, read on where bytes were read ahead,
// join two.
package conn

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Handoff is a listener whose connections are passed to it.
type Handoff struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewHandoff makes one that says that it listens on addr.
func NewHandoff(addr net.Addr) *Handoff {
	return &Handoff{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Pass gives c to whoever accepts, or closes it if nobody will any more.
func (h *Handoff) Pass(c net.Conn) error {
	select {
	case h.conns <- c:
		return nil
	case <-h.done:
		c.Close()
		return net.ErrClosed
	}
}

// Accept waits for a connection that is passed.
func (h *Handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Pass.
func (h *Handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is the address that NewHandoff was given.
func (h *Handoff) Addr() net.Addr { return h.addr }

// Buffered is a connection of which some bytes were read ahead.
type Buffered struct {
	net.Conn
	// In holds the bytes that were read ahead, and reads on from Conn.
	In *bufio.Reader
}

// Read reads from In.
func (c *Buffered) Read(b []byte) (int, error) { return c.In.Read(b) }

// CloseWrite hands the end of one direction on.
func (c *Buffered) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Splice copies both ways until both directions have ended. An end is passed
// on as a half-close where the connection knows one; an error, or the
// end of ctx, ends both.
func Splice(ctx context.Context, a, b io.ReadWriteCloser) {
	stop := context.AfterFunc(ctx, func() {
		a.Close()
		b.Close()
	})
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pour(a, b)
	}()
	pour(b, a)
	<-done
}

// pour copies from src to dst and hands the end on.
func pour(dst, src io.ReadWriteCloser) {
	_, err := io.Copy(dst, src)
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		if half.CloseWrite() == nil {
			return
		}
	}
	dst.Close()
	src.Close()
}
