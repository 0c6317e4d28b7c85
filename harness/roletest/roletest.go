// Package roletest holds the tests that every [harness.Pool] must pass,
// whatever the cloud behind it.
//
// It knows no cloud: what to grant, and how to try whether it was, is given
// by the package under test.
package roletest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
)

// ErrRefused is what Suite.Act wraps when the cloud refused for authorization.
var ErrRefused = errors.New("refused")

// Suite is what the tests need to know of a cloud.
type Suite struct {
	// NewPool opens a pool. Pools opened in one test must lead to one cloud and
	// share their names, as two runs of Whittle do; Run releases them.
	NewPool func(t *testing.T) harness.Pool
	// Act does, as the identity and with what Credentials.Env gives, what the
	// grant is for. Nil means it was let through, an error that wraps
	// [ErrRefused] that it was refused; any other error fails the test.
	Act func(ctx context.Context, id harness.Identity, g grant.Grant) error
	// Grants are at least three that Act knows. None allows what another does.
	Grants []grant.Grant
	// Large is a set that the cloud takes only in several parts, if it has such;
	// it must not allow any of Grants.
	Large grant.Set
	// Patience is how long a Put may take to come into force. Settle gets none.
	Patience time.Duration
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if len(s.Grants) < 3 {
		t.Fatalf("the suite needs three grants, not %d", len(s.Grants))
	}
	for _, tt := range []struct {
		name string
		test func(*testing.T, Suite)
	}{
		{"Acquire", testAcquire},
		{"Put", testPut},
		{"PutLarge", testPutLarge},
		{"Settle", testSettle},
		{"Everything", testEverything},
		{"Apart", testApart},
		{"Credentials", testCredentials},
		{"Release", testRelease},
		{"Canceled", testCanceled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, s) })
	}
}

func (s Suite) open(t *testing.T) harness.Pool {
	t.Helper()
	p := s.NewPool(t)
	t.Cleanup(func() {
		if err := p.Release(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return p
}

func acquire(t *testing.T, p harness.Pool, name string) harness.Identity {
	t.Helper()
	id, err := p.Acquire(t.Context(), name)
	if err != nil {
		t.Fatalf("acquire %s: %v", name, err)
	}
	return id
}

func put(t *testing.T, id harness.Identity, s grant.Set) {
	t.Helper()
	if err := id.Role.Put(t.Context(), s); err != nil {
		t.Fatalf("put %d grants: %v", s.Len(), err)
	}
}

func settle(t *testing.T, id harness.Identity, s grant.Set) {
	t.Helper()
	if err := id.Role.Settle(t.Context(), s); err != nil {
		t.Fatalf("settle %d grants: %v", s.Len(), err)
	}
}

// shows tells how what the identity may do differs from the grants of want;
// nil means it does not.
func (s Suite) shows(t *testing.T, id harness.Identity, want grant.Set) error {
	t.Helper()
	for _, g := range s.Grants {
		err := s.Act(t.Context(), id, g)
		if err != nil && !errors.Is(err, ErrRefused) {
			t.Fatalf("identity %s: try %v: %v", id.Name, g, err)
		}
		if allowed := err == nil; allowed != want.Has(g) {
			return fmt.Errorf("identity %s: %v: allowed %v, want %v (%v)", id.Name, g, allowed, want.Has(g), err)
		}
	}
	return nil
}

// comes waits until the identity may do what want says.
func (s Suite) comes(t *testing.T, id harness.Identity, want grant.Set) {
	t.Helper()
	deadline := time.Now().Add(s.Patience)
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := s.shows(t, id, want)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", s.Patience, err)
		}
		time.Sleep(wait)
	}
}

// is looks at once.
func (s Suite) is(t *testing.T, id harness.Identity, want grant.Set) {
	t.Helper()
	if err := s.shows(t, id, want); err != nil {
		t.Error(err)
	}
}

func testAcquire(t *testing.T, s Suite) {
	p := s.open(t)
	id := acquire(t, p, "acquire")
	if id.Name != "acquire" || id.Principal == "" || id.Role == nil || id.Credentials == nil {
		t.Errorf("identity %+v", id)
	}
	if again := acquire(t, p, "acquire"); again.Principal != id.Principal {
		t.Errorf("acquired again: %s, then %s", id.Principal, again.Principal)
	}
	s.is(t, id, grant.Set{}) // just made: holds nothing

	// Another run gets the same, holding what it last held.
	one := grant.Of(s.Grants[0])
	settle(t, id, one)
	next := acquire(t, s.open(t), "acquire")
	if next.Principal != id.Principal {
		t.Errorf("another run: %s, then %s", id.Principal, next.Principal)
	}
	s.is(t, next, one)
}

func testPut(t *testing.T, s Suite) {
	id := acquire(t, s.open(t), "put")
	all := grant.Of(s.Grants...)
	for _, want := range []grant.Set{
		grant.Of(s.Grants[0]),
		all,
		all, // again: nothing changes
		all.Without(s.Grants[0]),
		grant.Of(s.Grants[0]), // neither subset nor superset of the last
		{},
		all,
		{},
	} {
		put(t, id, want)
		s.comes(t, id, want)
	}
}

func testPutLarge(t *testing.T, s Suite) {
	if s.Large.Len() == 0 {
		t.Skip("this cloud has no large sets")
	}
	id := acquire(t, s.open(t), "large")
	for _, want := range []grant.Set{
		s.Large.With(s.Grants...),
		s.Large.With(s.Grants[1]),
		grant.Of(s.Grants[1]),
		s.Large.With(s.Grants[0]),
		{},
	} {
		put(t, id, want)
		s.comes(t, id, want)
	}
}

func testSettle(t *testing.T, s Suite) {
	id := acquire(t, s.open(t), "settle")
	all := grant.Of(s.Grants...)
	for _, want := range []grant.Set{all, all.Without(s.Grants[0]), grant.Of(s.Grants[0]), {}, grant.Of(s.Grants[1])} {
		settle(t, id, want)
		s.is(t, id, want)
	}
}

func testEverything(t *testing.T, s Suite) {
	id := acquire(t, s.open(t), "everything")
	settle(t, id, grant.Everything())
	s.is(t, id, grant.Of(s.Grants...))
	settle(t, id, grant.Set{})
	s.is(t, id, grant.Set{})
}

func testApart(t *testing.T, s Suite) {
	p := s.open(t)
	a, b := acquire(t, p, "apart"), acquire(t, p, "apart-2")
	if a.Principal == b.Principal {
		t.Fatalf("both are %s", a.Principal)
	}
	one, two := grant.Of(s.Grants[0]), grant.Of(s.Grants[1])
	settle(t, a, one)
	settle(t, b, two)
	s.is(t, a, one)
	s.is(t, b, two)
}

func testCredentials(t *testing.T, s Suite) {
	p := s.open(t)
	id := acquire(t, p, "credentials")
	first, err := id.Credentials.Env(t.Context())
	if err != nil || len(first) == 0 {
		t.Fatalf("environment %d entries, %v", len(first), err)
	}
	if id.Credentials.Issued("") || id.Credentials.Issued("somebody-else") {
		t.Error("takes any credential for its own")
	}
}

func testRelease(t *testing.T, s Suite) {
	p := s.open(t)
	a, b := acquire(t, p, "release"), acquire(t, p, "release-2")
	settle(t, a, grant.Of(s.Grants...))
	put(t, b, grant.Of(s.Grants[0]))
	for range 2 { // a repeat is harmless
		if err := p.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	next := s.open(t)
	for _, name := range []string{"release", "release-2"} {
		s.comes(t, acquire(t, next, name), grant.Set{})
	}
}

func testCanceled(t *testing.T, s Suite) {
	p := s.open(t)
	id := acquire(t, p, "canceled")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := id.Role.Put(ctx, grant.Of(s.Grants[0])); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if err := id.Role.Settle(ctx, grant.Of(s.Grants[0])); !errors.Is(err, context.Canceled) {
		t.Errorf("settle: %v", err)
	}
	if _, err := p.Acquire(ctx, "canceled-2"); !errors.Is(err, context.Canceled) {
		t.Errorf("acquire: %v", err)
	}
	s.is(t, id, grant.Set{})
}
