package conn

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

func TestHandoff(t *testing.T) {
	h := NewHandoff(&net.TCPAddr{Port: 1})
	near, far := net.Pipe()
	defer near.Close()
	passed := make(chan error, 1)
	go func() { passed <- h.Pass(far) }()
	if got, err := h.Accept(); err != nil || got != far {
		t.Errorf("accepted %v, %v", got, err)
	}
	if err := <-passed; err != nil {
		t.Error(err)
	}
	h.Close()
	h.Close() // twice does no harm
	if _, err := h.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed, it accepts with %v", err)
	}
	// What nobody takes any more is closed.
	if err := h.Pass(far); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed, it passes with %v", err)
	}
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other end reads %v", err)
	}
}

// Bytes that were read ahead come first, and the end of the context ends both.
func TestSplice(t *testing.T) {
	client, clientSide := net.Pipe()
	upstream, upstreamSide := net.Pipe()
	ahead := &Buffered{Conn: clientSide, In: bufio.NewReader(io.MultiReader(strings.NewReader("early "), clientSide))}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Splice(ctx, ahead, upstreamSide)
	}()
	go io.WriteString(client, "late")
	got := make([]byte, 10)
	if _, err := io.ReadFull(upstream, got); err != nil || string(got) != "early late" {
		t.Errorf("upstream got %q, %v", got, err)
	}
	cancel()
	<-done
	for _, c := range []net.Conn{client, upstream} {
		if _, err := c.Read(got); err == nil {
			t.Error("a connection outlives the context")
		}
	}
}
