package greeting

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// link is a connection that says something and keeps what is said to it.
type link struct {
	io.Reader
	heard  bytes.Buffer
	closed bool
}

func (l *link) Write(p []byte) (int, error) { return l.heard.Write(p) }
func (l *link) Close() error                { l.closed = true; return nil }

func TestRead(t *testing.T) {
	end := func(code uint16, reason string) string {
		b := binary.BigEndian.AppendUint16([]byte{0x88, byte(2 + len(reason))}, code)
		return string(b) + reason
	}
	for _, tt := range []struct {
		sent, closed string
		code         int
		fails        bool
	}{
		{sent: end(4033, "not authorized"), closed: "\x0f\xc1not authorized", code: 4033},
		{sent: end(1000, "") + "more", closed: "\x03\xe8", code: 1000},
		{sent: "\x82\x06\x00\x01\x00\x00\x00\x00\x82\x01x"}, // a message
		{sent: "\x82\x7e\x01\x00" + string(make([]byte, 256))},
		{sent: "\x88\x00"},            // an end that says nothing
		{sent: "\x88\x7e\x00\x80xxx"}, // longer than an end may be
		{sent: "\x88\x82aaaa\x0f\xc1"},
		{sent: "\x08\x02\x0f\xc1"}, // not the whole of one
		{sent: "", fails: true},
		{sent: "\x88", fails: true},
		{sent: "\x88\x10\x0f", fails: true},
	} {
		l := &link{Reader: bytes.NewReader([]byte(tt.sent))}
		closed, c, err := Read(l)
		if (err != nil) != tt.fails || string(closed) != tt.closed || Code(closed) != tt.code {
			t.Errorf("%q: closed %q, code %d, error %v", tt.sent, closed, Code(closed), err)
			continue
		}
		if err != nil {
			continue
		}
		if rest, err := io.ReadAll(c); err != nil || string(rest) != tt.sent {
			t.Errorf("%q: then %q, %v", tt.sent, rest, err)
		}
		if _, err := c.Write([]byte("back")); err != nil || l.heard.String() != "back" || c.Close() != nil || !l.closed {
			t.Errorf("%q: the other direction is not the connection's", tt.sent)
		}
	}
}
