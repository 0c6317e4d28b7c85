package plain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sort"
	"unicode/utf16"
	"unicode/utf8"
)

// The bounds of Scan, in bytes. A refusal with what belongs to it, the verb
// before and the resource's address behind, is far shorter than these.
const (
	chunk  = 256 << 10 // read at once
	before = 8 << 10   // most that is looked at before a hit
	behind = 16 << 10  // most that is looked at behind it
	most   = 64 << 10  // most of one piece that is its own

	linesBefore, linesBehind = 12, 40
)

// Piece is a stretch of plain text around one or more places where a refusal may
// stand.
type Piece struct {
	Text  string
	marks []mark
	// What of the raw text is the piece's own; the rest is there to be read
	// with it, and is another piece's.
	from, to int
}

// Own tells whether what stands at the offset of Text is this piece's, and not
// one's that overlaps it.
func (p Piece) Own(offset int) bool {
	i := sort.Search(len(p.marks), func(i int) bool { return p.marks[i].clean > offset }) - 1
	raw := offset
	if i >= 0 {
		raw = p.marks[i].raw + offset - p.marks[i].clean
	}
	return raw >= p.from && raw < p.to
}

// Whole gives a text as one piece, whatever stands in it.
func Whole(text string) Piece {
	p := Piece{to: len(text)}
	p.Text, p.marks = clean(text)
	return p
}

// Scan reads r to its end and gives every piece of its plain text that holds one
// of the words to yield, in order. It needs less than 2 MiB whatever r holds: a
// line of any length, no line breaks at all, NUL bytes, invalid UTF-8. UTF-16 is
// read where a byte order mark says so. Words match in any case of ASCII.
func Scan(r io.Reader, words Words, yield func(Piece) error) error {
	r, err := decode(r)
	if err != nil {
		return err
	}
	s := scanner{words: words, yield: yield, buf: make([]byte, 0, before+most+behind+chunk)}
	for {
		n, err := io.ReadFull(r, s.buf[len(s.buf):min(cap(s.buf), len(s.buf)+chunk)])
		s.buf = s.buf[:len(s.buf)+n]
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		s.uncolour(n)
		if err := s.pieces(end); err != nil || end {
			return err
		}
	}
}

type scanner struct {
	words Words
	yield func(Piece) error
	buf   []byte
	seen  int // what of buf was searched, and belongs to pieces that were given
	kept  int // the end of buf that has its colours taken off
}

// uncolour takes colour and control characters off the bytes that were added, so
// that none of it hides a word. A sequence that is cut by the buffer's end stays
// there; Clean takes it.
func (s *scanner) uncolour(added int) {
	from := len(s.buf) - added
	fresh := s.buf[from:]
	n := control(fresh)
	if n == len(fresh) {
		return
	}
	out := fresh[:n]
	for i := n; i < len(fresh); {
		if fresh[i] == 0x1b {
			i += sequence(fresh[i:])
		} else {
			i++
		}
		n := control(fresh[i:])
		out = append(out, fresh[i:i+n]...)
		i += n
	}
	s.buf = s.buf[:from+len(out)]
}

// control gives the offset of the first control character that is no space, the
// length of b without one. It looks at eight bytes at a time.
func control(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		del := v ^ 0x7f*ones
		// A byte below 0x20, or 0x7f: the borrow of the one before it can only
		// make a byte look so that is not.
		if (v-0x20*ones)&^v&highs|(del-ones)&^del&highs == 0 {
			continue
		}
		for k, c := range b[i : i+8] {
			if isControl(c) {
				return i + k
			}
		}
	}
	for ; i < len(b); i++ {
		if isControl(b[i]) {
			return i
		}
	}
	return len(b)
}

func isControl(c byte) bool {
	return c < 0x20 && c != '\n' && c != '\t' && c != '\r' || c == 0x7f
}

// pieces gives the pieces of the buffer that are whole, and keeps the rest.
func (s *scanner) pieces(end bool) error {
	limit := len(s.buf)
	if !end {
		limit -= behind
	}
	for s.seen < limit {
		hit := s.words.find(s.buf[s.seen:])
		if hit < 0 || s.seen+hit >= limit {
			s.seen = limit
			break
		}
		first := s.seen + hit
		from := s.back(first, max(0, first-before))
		to := s.forth(first)
		last, forced := first, false
		for {
			more := s.words.find(s.buf[last+1 : to])
			if more < 0 {
				break
			}
			if at := last + 1 + more; at >= limit || at-first > most {
				forced = true
				to = s.forth(min(at, limit))
				last = at
				break
			}
			last += 1 + more
			to = s.forth(last)
		}
		p := Piece{from: max(0, s.owned(first)-from), to: to - from}
		next := to
		if forced {
			next = s.back(last, max(s.seen+1, last-before))
			if next <= first {
				next = last
			}
			p.to = next - from
		}
		p.Text, p.marks = clean(string(s.buf[from:to]))
		if err := s.yield(p); err != nil {
			return err
		}
		s.seen = next
		s.kept = next
	}
	if drop := min(s.seen-before, len(s.buf)); drop > 0 {
		s.buf = append(s.buf[:0], s.buf[drop:]...)
		s.seen -= drop
		s.kept = max(0, s.kept-drop)
	}
	return nil
}

// owned is where the piece with its first hit there begins to be its own: where
// the piece before ended, if that was cut.
func (s *scanner) owned(first int) int {
	if s.kept > 0 && first-s.kept < before {
		return s.kept
	}
	return 0
}

// back is the start of the line some lines before i, at least from.
func (s *scanner) back(i, from int) int {
	for n := 0; n <= linesBefore; n++ {
		j := bytes.LastIndexByte(s.buf[from:i], '\n')
		if j < 0 {
			return from
		}
		i = from + j
	}
	return i + 1
}

// forth is the end of the line some lines behind i.
func (s *scanner) forth(i int) int {
	end := min(len(s.buf), i+behind)
	for n := 0; n <= linesBehind; n++ {
		j := bytes.IndexByte(s.buf[i:end], '\n')
		if j < 0 {
			return end
		}
		i += j + 1
	}
	return i
}

// decode gives UTF-8: what PowerShell redirects into a file is UTF-16.
func decode(r io.Reader) (io.Reader, error) {
	var bom [2]byte
	n, err := io.ReadFull(r, bom[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	switch string(bom[:n]) {
	case "\xff\xfe":
		return &utf16Reader{r: r, order: binary.LittleEndian}, nil
	case "\xfe\xff":
		return &utf16Reader{r: r, order: binary.BigEndian}, nil
	}
	return io.MultiReader(bytes.NewReader(bom[:n]), r), nil
}

type utf16Reader struct {
	r     io.Reader
	order binary.ByteOrder
	out   []byte
	high  rune // half of a pair that waits for the other
}

// Read implements io.Reader.
func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(u.out) == 0 {
		var in [32 << 10]byte
		n, err := io.ReadFull(u.r, in[:])
		if n < 2 && err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			return 0, err
		}
		u.out = u.out[:0]
		for i := 0; i+1 < n; i += 2 {
			c := rune(u.order.Uint16(in[i:]))
			switch {
			case u.high != 0:
				c, u.high = utf16.DecodeRune(u.high, c), 0
			case c >= 0xd800 && c < 0xdc00:
				u.high = c
				continue
			}
			u.out = utf8.AppendRune(u.out, c)
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}
