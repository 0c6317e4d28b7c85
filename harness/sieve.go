package harness

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/question"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A refusal that names no permission may be about several. The held request tells which
// of them it needs: it is repeated under a role without some of them, as [decide.Sift]
// says. Each test waits until the role is in force, since a grant that is not yet would
// look like one that does not help. One that is still in force although it was taken away
// lets the request through without need; the verification then puts it back.

// sieve is the questions about one refused request. An arbiter has one at a
// time: two would spoil each other's answers.
type sieve struct {
	owner question.Key // the request
	all   []grant.Grant
	tests []decide.Test
	next  int           // the test that is under way; all are made: len(tests)
	done  chan struct{} // closed when there is nothing more to ask
}

// out is what the test under way leaves out; nothing when all are made.
func (s *sieve) out() []grant.Grant {
	if s.next >= len(s.tests) {
		return nil
	}
	return s.tests[s.next].Out
}

// sift grants the candidates of an opaque refusal by way of a sieve. It returns
// when the request is to be repeated.
func (a *arbiter) sift(ctx context.Context, x refusal.Exchange, class string, dec decide.Decision) error {
	key := question.KeyOf(x)
	a.mu.Lock()
	s := a.sieve
	switch {
	case s == nil:
		s = &sieve{owner: key, all: dec.Grants, tests: decide.Sift(dec.Grants, dec.Known), done: make(chan struct{})}
		a.sieve = s
		entries := entriesOf(dec, class)
		a.mu.Unlock()
		if err := a.writeGrants(journal.KindIntent, dec.Grants, entries); err != nil {
			a.endSieve(s)
			return err
		}
		a.mu.Lock()
		for g, e := range entries {
			a.entries[g] = least(a.entries, e)
		}
		a.mu.Unlock()
		a.alone(ctx, key)
		a.mu.Lock()
	case s.owner != key:
		a.mu.Unlock()
		select {
		case <-s.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	default:
		a.answered(s)
	}
	// What a refusal has named in the meantime is needed, whoever asked.
	for len(s.out()) > 0 && !slices.ContainsFunc(s.out(), func(g grant.Grant) bool { return a.entries[g].Guess }) {
		a.answered(s)
	}
	last := len(s.out()) == 0
	a.mu.Unlock()
	if err := a.leaveOut(ctx, s); err != nil {
		a.endSieve(s)
		return err
	}
	if last {
		return a.settled(s, class)
	}
	return nil
}

// besideTime is how long the questions about one request and the others wait for each
// other. The clients that were tried bear twice that, and more.
const besideTime = 20 * time.Second

// While questions are asked the role holds guesses, and what another request needs of
// these it would not be refused. So the others wait: one that is refused is sent again
// when the questions are over, and they begin when none is under way that was refused
// before. Where that takes longer, a verification has to find out what is missing.

// returned notes that a request has come back that was to be sent again.
func (a *arbiter) returned(x refusal.Exchange) {
	key := question.KeyOf(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.again[key]--; a.again[key] <= 0 {
		delete(a.again, key)
	}
}

// beside has a refused request wait, before it is sent again, for the questions about
// another one.
func (a *arbiter) beside(ctx context.Context, x refusal.Exchange) {
	key := question.KeyOf(x)
	end := time.NewTimer(besideTime)
	defer end.Stop()
	for over := false; ; {
		a.mu.Lock()
		s := a.sieve
		if over || s == nil || s.owner == key {
			a.again[key]++
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		select {
		case <-s.done:
		case <-end.C:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
}

// alone waits until no other request is under way that was refused before.
func (a *arbiter) alone(ctx context.Context, owner question.Key) {
	others := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for key := range a.again {
			if key != owner {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(besideTime); others() && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(batchQuiet)
	}
}

// asked tells whether the questions under way are about the request, or about
// what its refusal may be about: what they leave out is then not just missing.
func (a *arbiter) asked(x refusal.Exchange, dec decide.Decision) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sieve
	if s == nil || len(dec.Grants) < 2 {
		return false
	}
	return s.owner == question.KeyOf(x) || slices.ContainsFunc(dec.Grants, func(g grant.Grant) bool { return slices.Contains(s.out(), g) })
}

// answered notes that the test under way was refused. a.mu is held.
func (a *arbiter) answered(s *sieve) {
	a.needed(s.tests[s.next].Refused)
	s.next++
}

// needed notes what a test has shown to be needed. a.mu is held.
func (a *arbiter) needed(grants []grant.Grant) {
	for _, g := range grants {
		if e := a.entries[g]; e.Guess {
			e.Necessity, e.Guess = Observed, false
			a.entries[g] = e
		}
	}
}

// leaveOut brings the role of the test under way into force.
func (a *arbiter) leaveOut(ctx context.Context, s *sieve) error {
	a.putting <- struct{}{}
	defer func() { <-a.putting }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	a.mu.Lock()
	set := a.role.With(s.all...)
	for _, g := range s.out() {
		if a.entries[g].Guess {
			set = set.Without(g)
		}
	}
	a.mu.Unlock()
	bring := a.identity.Role.Settle
	if role, ok := a.identity.Role.(Swapper); ok {
		bring = role.Swap
	}
	if err := bring(ctx, set); err != nil {
		return a.fail(fmt.Errorf("grant %s: %w", join(s.all), err))
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.role = set
	for _, g := range s.all {
		a.since[g] = now
	}
	return nil
}

// passedOn takes the end of the request that a sieve is about: let through, or
// given up.
func (a *arbiter) passedOn(x refusal.Exchange, class string, through bool) {
	a.mu.Lock()
	s := a.sieve
	if s == nil || s.owner != question.KeyOf(x) {
		a.mu.Unlock()
		return
	}
	if through && s.next < len(s.tests) {
		a.needed(s.tests[s.next].Passed)
		for _, g := range s.out() {
			if !a.role.Has(g) {
				delete(a.entries, g)
			}
		}
	}
	a.mu.Unlock()
	if !through { // nothing was learnt of the rest: it is granted, and assumed
		s.next = len(s.tests)
		if err := a.leaveOut(context.Background(), s); err != nil {
			a.endSieve(s)
			return
		}
	}
	_ = a.settled(s, class)
}

// settled ends the questions and writes down what is granted.
func (a *arbiter) settled(s *sieve, class string) error {
	a.mu.Lock()
	var grants []grant.Grant
	entries := map[grant.Grant]Entry{}
	for _, g := range s.all {
		if e, ok := a.entries[g]; ok && a.role.Has(g) {
			grants = append(grants, g)
			entries[g] = e
		}
	}
	a.mu.Unlock()
	a.endSieve(s)
	return a.writeGrants(journal.KindGranted, grants, entries)
}

func (a *arbiter) endSieve(s *sieve) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sieve == s {
		a.sieve = nil
		close(s.done)
	}
}
