package pool

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// However many ask for an identity at once, it is made once.
func TestMadeOnce(t *testing.T) {
	var members Members[int]
	var made atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			got, err := members.Acquire("step", func(hold func(int)) error {
				made.Add(1)
				hold(7)
				return nil
			})
			if err != nil || got != 7 {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
}

// An identity whose making failed is made again when it is asked for; what had been
// made of it by then is undone, and what nothing was made of is not.
func TestMakingFails(t *testing.T) {
	var members Members[string]
	late := errors.New("no token")
	if _, err := members.Acquire("half", func(hold func(string)) error { hold("first"); return late }); !errors.Is(err, late) || err.Error() != "identity half: no token" {
		t.Fatalf("error %v", err)
	}
	if _, err := members.Acquire("none", func(func(string)) error { return late }); !errors.Is(err, late) {
		t.Fatalf("error %v", err)
	}
	undone := func() (names []string) {
		t.Helper()
		if err := members.Release(func(is string) error { names = append(names, is); return nil }); err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := undone(); !slices.Equal(got, []string{"first"}) {
		t.Errorf("undone %q", got)
	}
	if got := undone(); got != nil {
		t.Errorf("undone once more: %q", got)
	}
	if _, err := members.Acquire("half", func(hold func(string)) error { hold("first"); return late }); err == nil {
		t.Fatal("no error")
	}
	if got, err := members.Acquire("half", func(hold func(string)) error { hold("second"); return nil }); got != "second" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if got := undone(); !slices.Equal(got, []string{"second"}) {
		t.Errorf("undone %q", got)
	}
}

// Every way of undoing is taken for every identity, whatever fails, in the order of
// the names.
func TestRelease(t *testing.T) {
	var members Members[string]
	for _, name := range []string{"b", "a"} {
		if _, err := members.Acquire(name, func(hold func(string)) error { hold(name); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var did []string
	way := func(of string) func(string) error {
		return func(name string) error { did = append(did, of+name); return errors.New("cannot " + of + name) }
	}
	err := members.Release(way("empty "), way("unbind "))
	want := "identity a: release: cannot empty a\nidentity a: release: cannot unbind a\nidentity b: release: cannot empty b\nidentity b: release: cannot unbind b"
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	if want := []string{"empty a", "unbind a", "empty b", "unbind b"}; !slices.Equal(did, want) {
		t.Errorf("did %q", did)
	}
}

func TestAnnounce(t *testing.T) {
	if err := Announce(nil).Tell("kind", "id"); err != nil {
		t.Error(err)
	}
	full := errors.New("disk full")
	if err := Announce(func(kind, id string) error { return full }).Tell("kind", "id"); !errors.Is(err, full) || err.Error() != "announce id: disk full" {
		t.Errorf("error %v", err)
	}
}

func TestNote(t *testing.T) {
	var r Report
	r.Note("failed", true, errors.New("no"))
	r.Note("gone", true, nil)
	r.Note("there", false, nil)
	if !slices.Equal(r.Deleted, []string{"gone"}) || !slices.Equal(r.Emptied, []string{"there"}) {
		t.Errorf("%+v", r)
	}
}
