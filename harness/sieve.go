package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/question"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A refusal that names no permission may be about several. The held request
// tells which of them it needs: it is repeated under the role with all of them
// but one, which is then needed if the request is refused once more; and so on.
// The first test that lets the request through shows that what it left out is
// not needed, and ends the questions: what was not asked about until then stays
// assumed, and is really removed later.
//
// So the likely ones are asked about one by one. Then come those that are seldom
// needed, and alternatives of which at most one is: the fewer a test keeps, the
// earlier it is made. Each test waits until the role is in force, since a grant
// that is not yet would look like one that does not help. One that is still in
// force although it was taken away lets the request through without need; the
// verification then puts it back.

// sieve is the questions about one refused request. An arbiter has one at a
// time: two would spoil each other's answers.
type sieve struct {
	owner question.Key // the request
	all   []grant.Grant
	tests []sieveTest
	next  int           // the test that is under way; all are made: len(tests)
	done  chan struct{} // closed when there is nothing more to ask
}

// sieveTest is one question.
type sieveTest struct {
	out []grant.Grant // what it leaves out
	// refused is what is shown to be needed if it is refused once more, passed
	// what is if it is let through.
	refused, passed []grant.Grant
}

// likelihood is what a candidate is known as.
type likelihood struct {
	seldom grant.Set // what most such requests do without
	either grant.Set // of these at most one is needed
}

// newSieve orders the questions about grants.
func newSieve(owner question.Key, grants []grant.Grant, known likelihood) *sieve {
	s := &sieve{owner: owner, all: grants, done: make(chan struct{})}
	var either []grant.Grant
	var kinds []string // permissions of what is seldom needed
	seldom := map[string][]grant.Grant{}
	for _, g := range grants {
		switch {
		case known.either.Has(g):
			either = append(either, g)
		case known.seldom.Has(g):
			if seldom[g.Permission] == nil {
				kinds = append(kinds, g.Permission)
			}
			seldom[g.Permission] = append(seldom[g.Permission], g)
		default:
			s.tests = append(s.tests, sieveTest{out: []grant.Grant{g}, refused: []grant.Grant{g}})
		}
	}
	for _, kept := range subsets(kinds) {
		var out, kindsKept []grant.Grant
		for _, kind := range kinds {
			if slices.Contains(kept, kind) {
				kindsKept = append(kindsKept, seldom[kind]...)
			} else {
				out = append(out, seldom[kind]...)
			}
		}
		if len(kindsKept) != 1 {
			kindsKept = nil // not known of each
		}
		s.test(append(slices.Clone(out), either...), kindsKept)
		for i, g := range either {
			rest := slices.Delete(slices.Clone(either), i, i+1)
			s.test(append(slices.Clone(out), rest...), append(slices.Clone(kindsKept), g))
		}
	}
	return s
}

// test adds a question, unless it leaves out nothing.
func (s *sieve) test(out, passed []grant.Grant) {
	if len(out) > 0 {
		s.tests = append(s.tests, sieveTest{out: out, passed: passed})
	}
}

// subsets lists those of kinds, the smallest first; of many kinds none and all.
func subsets(kinds []string) [][]string {
	if len(kinds) > 3 {
		return [][]string{nil, kinds}
	}
	var all [][]string
	for mask := range 1 << len(kinds) {
		var one []string
		for i, k := range kinds {
			if mask&(1<<i) != 0 {
				one = append(one, k)
			}
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b []string) int { return len(a) - len(b) })
	return all
}

// out is what the test under way leaves out; nothing when all are made.
func (s *sieve) out() []grant.Grant {
	if s.next >= len(s.tests) {
		return nil
	}
	return s.tests[s.next].out
}

// sift grants the candidates of an opaque refusal by way of a sieve. It returns
// when the request is to be repeated.
func (a *arbiter) sift(ctx context.Context, x refusal.Exchange, class string, dec decision) error {
	key := question.KeyOf(x)
	a.mu.Lock()
	s := a.sieve
	switch {
	case s == nil:
		s = newSieve(key, dec.grants, dec.known)
		a.sieve = s
		entries := entriesOf(dec, class)
		a.mu.Unlock()
		if err := a.writeGrants(journal.KindIntent, dec.grants, entries); err != nil {
			a.endSieve(s)
			return err
		}
		a.mu.Lock()
		for g, e := range entries {
			a.entries[g] = least(a.entries, e)
		}
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

// asked tells whether the questions under way are about the request, or about
// what its refusal may be about: what they leave out is then not just missing.
func (a *arbiter) asked(x refusal.Exchange, dec decision) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sieve
	if s == nil || len(dec.grants) < 2 {
		return false
	}
	return s.owner == question.KeyOf(x) || slices.ContainsFunc(dec.grants, func(g grant.Grant) bool { return slices.Contains(s.out(), g) })
}

// answered notes that the test under way was refused. a.mu is held.
func (a *arbiter) answered(s *sieve) {
	a.needed(s.tests[s.next].refused)
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
	a.putting.Lock()
	defer a.putting.Unlock()
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
		a.needed(s.tests[s.next].passed)
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

// knownRoles replaces the candidate to pass any role on by those to pass on the
// roles that the lifecycle is known to pass on, if there are any; of several,
// the request is about one at most.
func knownRoles(candidates []catalog.Candidate, known grant.Set) (all []catalog.Candidate, either []string) {
	for _, c := range candidates {
		var roles []string
		if c.Permission == "iam:PassRole" && strings.HasSuffix(c.Resource, ":role/*") {
			for g := range known.All() {
				if g.Permission == c.Permission && g.Resource != c.Resource {
					roles = append(roles, g.Resource)
				}
			}
		}
		if len(roles) == 0 {
			all = append(all, c)
			continue
		}
		for _, r := range roles {
			one := c
			one.Resource = r
			all = append(all, one)
		}
		if len(roles) > 1 {
			either = append(either, roles...)
		}
	}
	return all, either
}
