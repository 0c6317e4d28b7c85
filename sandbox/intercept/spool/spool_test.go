package spool

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// Readers that read turn by turn, in pieces of any size, all get the whole body
// as long as it is within the limit, in memory and in the file.
func TestReadersGetTheSame(t *testing.T) {
	long := pattern(2*InMemory + 7)
	rapid.Check(t, func(t *rapid.T) {
		body := long[:rapid.SampledFrom([]int{0, 1, InMemory - 1, InMemory, InMemory + 1, len(long)}).Draw(t, "size")]
		length := rapid.SampledFrom([]int64{-1, int64(len(body))}).Draw(t, "length")
		s := New(bytes.NewReader(body), length, 4*InMemory)
		defer s.Close()
		var got [3][]byte
		var readers [3]io.ReadCloser
		for i := range readers {
			readers[i] = s.Reader()
		}
		for open := 3; open > 0; {
			i := rapid.IntRange(0, 2).Draw(t, "reader")
			if readers[i] == nil {
				i = (i + 1) % 3
			}
			if readers[i] == nil {
				i = (i + 1) % 3
			}
			piece := make([]byte, rapid.SampledFrom([]int{1, 100, 300_000, 2 << 20}).Draw(t, "piece")+len(body)/16)
			n, err := readers[i].Read(piece)
			got[i] = append(got[i], piece[:n]...)
			if err == io.EOF {
				readers[i], open = nil, open-1
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for i := range got {
			if !bytes.Equal(got[i], body) {
				t.Fatalf("reader %d got %d bytes, not the body's %d", i, len(got[i]), len(body))
			}
		}
		if !s.Replayable() || !bytes.Equal(s.Head(), body[:min(len(body), refusal.MaxBody)]) {
			t.Fatal("the body is not kept")
		}
	})
}

// Past the limit the first reader gets everything and a second one nothing.
func TestLongBodyIsNotKept(t *testing.T) {
	body := pattern(1000)
	for name, length := range map[string]int64{"said": 1000, "not said": -1} {
		t.Run(name, func(t *testing.T) {
			s := New(bytes.NewReader(body), length, 999)
			defer s.Close()
			if got, err := io.ReadAll(s.Reader()); err != nil || !bytes.Equal(got, body) {
				t.Fatalf("the first reader got %d bytes, %v", len(got), err)
			}
			if s.Replayable() {
				t.Error("it passes as kept")
			}
			if _, err := io.ReadAll(s.Reader()); !errors.Is(err, ErrNotKept) {
				t.Errorf("the second reader got %v", err)
			}
			if !bytes.Equal(s.Head(), body) || s.Warning() != nil {
				t.Errorf("%d bytes of its start, %v", len(s.Head()), s.Warning())
			}
		})
	}
}

func TestBrokenBodyIsNotReplayed(t *testing.T) {
	broken := errors.New("broken")
	s := New(io.MultiReader(bytes.NewReader(pattern(10)), iotest.ErrReader(broken)), -1, 999)
	defer s.Close()
	if _, err := io.ReadAll(s.Reader()); !errors.Is(err, broken) || s.Replayable() {
		t.Errorf("got %v, replayable %v", err, s.Replayable())
	}
}

// What Fill took is there for the one reader of a body that is not kept, and of a
// stream it takes what came, losing nothing of what comes later.
func TestFill(t *testing.T) {
	long := pattern(2 * InMemory)
	for name, length := range map[string]int64{"said": int64(len(long)), "not said": -1} {
		s := New(bytes.NewReader(long), length, InMemory)
		s.Fill(t.Context(), time.Hour)
		if !bytes.Equal(s.Head(), long[:refusal.MaxBody]) {
			t.Errorf("%s: the head has %d bytes", name, len(s.Head()))
		}
		if got, err := io.ReadAll(iotest.HalfReader(s.Reader())); err != nil || !bytes.Equal(got, long) {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
		if s.Replayable() {
			t.Errorf("%s: it passes as kept", name)
		}
		if _, err := io.ReadAll(s.Reader()); !errors.Is(err, ErrNotKept) {
			t.Errorf("%s: the second reader got %v", name, err)
		}
		s.Close()
	}
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		s := New(in, -1, InMemory)
		defer s.Close()
		go func() {
			out.Write([]byte("first"))
			time.Sleep(time.Minute)
			out.Write([]byte(", second"))
			out.CloseWithError(iotest.ErrTimeout)
		}()
		begin := time.Now()
		s.Fill(t.Context(), time.Second)
		if took := time.Since(begin); took != time.Second || string(s.Head()) != "first" {
			t.Errorf("after %v: %q", took, s.Head())
		}
		time.Sleep(2 * time.Minute)
		if got, err := io.ReadAll(s.Reader()); string(got) != "first, second" || !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("got %q, %v", got, err)
		}
		s.Fill(t.Context(), time.Hour) // it has ended
	})
}
