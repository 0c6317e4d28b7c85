// Package greeting reads the first frame of a WebSocket whose server speaks
// first: such a server refuses by closing it at once, after it has taken it.
// Source: RFC 6455, section 5.2.
package greeting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// opClose is the kind of a frame that ends the connection.
const opClose = 8

// Read reads as much of the first frame as tells whether it is the end. Closed
// is then what the end says, a code of two bytes and a reason; nil means that it
// is none. The connection that it gives has everything that was read before it.
func Read(from io.ReadWriteCloser) (closed []byte, c io.ReadWriteCloser, err error) {
	head := make([]byte, 2, 2+125)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, from, err
	}
	// A server masks nothing, and the end has no more than 125 bytes.
	if size := int(head[1]); head[0]&0x8f == 0x80|opClose && size >= 2 && size <= 125 {
		head = head[:2+size]
		if _, err := io.ReadFull(from, head[2:]); err != nil {
			return nil, from, err
		}
		closed = head[2:]
	}
	return closed, &replayed{io.MultiReader(bytes.NewReader(head), from), from}, nil
}

// Code is the code that an end says, 0 if it says none.
func Code(closed []byte) int {
	if len(closed) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(closed))
}

// replayed is a connection of which something was read ahead.
type replayed struct {
	io.Reader
	inner io.ReadWriteCloser
}

func (r *replayed) Write(p []byte) (int, error) { return r.inner.Write(p) }
func (r *replayed) Close() error                { return r.inner.Close() }

// CloseWrite hands the end of one direction on.
func (r *replayed) CloseWrite() error {
	if half, ok := r.inner.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
