package forward

import (
	"io"
	"net/http"
	"sync"
)

// Copier writes replies, with buffers that it keeps. The zero value is ready.
type Copier struct {
	buffers sync.Pool // of *[]byte
}

// Reply writes resp with the given body to the client as it came. What is
// written is also given to seen, if that is not nil. An error means that the
// client has not got the whole reply.
func (c *Copier) Reply(w http.ResponseWriter, resp *http.Response, body io.Reader, seen func([]byte)) error {
	header := w.Header()
	for name, values := range Header(resp.Header) {
		header[name] = values
	}
	for _, name := range []string{"Content-Type", "Date"} {
		if _, ok := header[name]; !ok {
			header[name] = nil // keeps net/http from making one up
		}
	}
	announced := make(map[string]bool, len(resp.Trailer))
	for name := range resp.Trailer {
		announced[name] = true
		header.Add("Trailer", name)
	}
	w.WriteHeader(resp.StatusCode)
	flush := http.NewResponseController(w).Flush
	// A reply of unknown length may be a stream of which the client needs every
	// piece at once, its start included. Trailers need it unfinished as well.
	stream := resp.ContentLength < 0 || len(resp.Trailer) > 0
	if stream {
		if err := flush(); err != nil {
			return err
		}
	}
	if err := c.copy(w, body, seen, stream, flush); err != nil {
		return err
	}
	for name, values := range resp.Trailer {
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		header[name] = values
	}
	return nil
}

func (c *Copier) copy(w io.Writer, body io.Reader, seen func([]byte), stream bool, flush func() error) error {
	buffer, ok := c.buffers.Get().(*[]byte)
	if !ok {
		b := make([]byte, 32<<10)
		buffer = &b
	}
	defer c.buffers.Put(buffer)
	for {
		n, err := body.Read(*buffer)
		if n > 0 {
			piece := (*buffer)[:n]
			if seen != nil {
				seen(piece)
			}
			if _, err := w.Write(piece); err != nil {
				return err
			}
			if stream {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
