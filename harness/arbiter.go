package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/harness/question"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A batch is one change of the role. It waits for more denials until none has
// come for batchQuiet, and batchWindow at most. While the cloud takes the change,
// the next batch gathers.
const (
	batchQuiet  = 10 * time.Millisecond
	batchWindow = 50 * time.Millisecond
)

// putTimeout bounds one change of a role, its SDK's retries included.
const putTimeout = time.Minute

// mode is what an arbiter does about refusals.
type mode int

const (
	// watch writes down what is refused and delivers it.
	watch mode = iota
	// collect delivers what is refused, for the loop to grant before a rerun.
	collect
	// hold grants what is refused and has the request repeated.
	hold
)

// calls counts the replies of each request class by status.
type calls map[string]map[int]int

// refused is a refusal that reached the client.
type refused struct {
	class  string
	denial refusal.Denial
	// decision is what growth would have done about it with the role as it was.
	decide.Decision
	// meant: it carries a token, and is about what was taken away.
	meant bool
}

// arbiter decides what becomes of the refusals of one attempt.
type arbiter struct {
	step     lifecycle.Step
	pass     string
	mode     mode
	identity Identity
	rules    decide.Rules
	owned    *place.Tags
	place    *place.Ground
	account  string
	patience time.Duration
	journal  Journal
	decoder  Decoder // may be nil
	paths    *place.Paths
	passed   grant.Set // the roles that earlier steps pass on, as grants of iam:PassRole
	// done is closed when the run is interrupted: the step may finish the calls
	// it is at, but its role grows no more.
	done <-chan struct{}

	putting chan struct{} // holds one: one change of the role at a time

	mu        sync.Mutex           // guards all below
	again     map[question.Key]int // requests that were refused and are under way again
	role      grant.Set            // what the role holds
	since     map[grant.Grant]time.Time
	next      *batch // collects until its window ends
	entries   map[grant.Grant]Entry
	through   map[string]bool // request classes that were let through
	held      int             // refusals that no client saw
	delivered []refused
	stops     []error // why growth could not go on
	broken    error   // the journal or the role could not be written
	calls     calls
	sieve     *sieve // the questions about one opaque refusal; nil when there are none
	wanting   map[question.Key]*question.Wanting
	strange   map[string]refusal.Exchange // a request of each class that got an error which is no refusal
	changes   int                         // how often the role was changed
	sightings map[grant.Grant]sighting    // the first refusal for each grant of growth

	// withhold is what the attempt asks about, set before it begins.
	withhold Withholder
	// vain ends the attempt when it gets nowhere; it may be nil.
	vain *vain
}

// batch is one change of the role that several denials wait for.
type batch struct {
	entries map[grant.Grant]Entry
	joined  int // denials
	done    chan struct{}
	err     error // set before done is closed
}

func (l *loop) newArbiter(ctx context.Context, s lifecycle.Step, pass string, m mode, id Identity, role grant.Set) *arbiter {
	decoder, _ := l.Pool.(Decoder)
	return &arbiter{
		step: s, pass: pass, mode: m, identity: id,
		rules:   l.rules(s),
		owned:   l.ownership(s),
		place:   l.place,
		account: l.Account, patience: l.Patience, journal: l.Journal, decoder: decoder, paths: &l.paths, passed: l.passed, done: ctx.Done(),
		putting: make(chan struct{}, 1), again: map[question.Key]int{},
		role: role, since: map[grant.Grant]time.Time{}, entries: map[grant.Grant]Entry{}, through: map[string]bool{}, calls: calls{}, wanting: map[question.Key]*question.Wanting{}, strange: map[string]refusal.Exchange{}, sightings: map[grant.Grant]sighting{},
	}
}

// rules are the bounds of growth for a step.
func (l *loop) rules(s lifecycle.Step) decide.Rules {
	return decide.Rules{
		Ceiling:   l.Lifecycle.Ceiling,
		Approve:   l.Lifecycle.Approve,
		ReadOnly:  s.ReadOnly,
		Rehearsal: l.Lifecycle.Sandbox.Embedded,
		Scope:     l.Lifecycle.ScopeOrDefault(),
	}
}

// Refused implements [Arbiter].
func (a *arbiter) Refused(ctx context.Context, x refusal.Exchange) refusal.Verdict {
	if a.mode != hold || !a.identity.Credentials.Issued(x.Credential) || a.ended() {
		return refusal.Deliver
	}
	a.returned(x)
	verdict := refusal.Deliver
	denials, _ := a.denials(ctx, x)
	for _, d := range denials {
		if d.Partial {
			return refusal.Deliver
		}
		switch dec := a.decide(x, d); dec.Action {
		case decide.Ignore:
		case decide.Stop:
			a.stopped(x, dec.Why)
			return refusal.Deliver
		case decide.Wait:
			if err := a.overdue(x, d, dec.Grants); err != nil {
				if dec.Why != nil {
					err = dec.Why
				}
				a.stopped(x, err)
				return refusal.Deliver
			}
			a.alsoFor(entriesOf(dec, parsers.Class(x)))
			a.wants(x, dec.Grants)
			verdict = refusal.Repeat
		case decide.Add:
			if err := a.write(journal.Event{Kind: journal.KindRefused, Denial: &d, Class: parsers.Class(x), Status: x.Status}); err != nil {
				return refusal.Deliver
			}
			a.wants(x, dec.Grants)
			a.sighted(x, dec.Grants)
			asked := a.asked(x, dec)
			if len(dec.Grants) > 1 && !asked { // what is held already has not helped
				dec = dec.Without(a.holds())
			}
			if len(dec.Grants) > 1 {
				if err := a.sift(ctx, x, parsers.Class(x), dec); err != nil {
					return refusal.Deliver
				}
				verdict = refusal.Repeat
				continue
			}
			if err := a.add(ctx, entriesOf(dec, parsers.Class(x))); err != nil {
				return refusal.Deliver
			}
			verdict = refusal.Repeat
		}
	}
	if verdict == refusal.Repeat {
		a.beside(ctx, x)
	}
	return verdict
}

// Observed implements [Arbiter].
func (a *arbiter) Observed(x refusal.Exchange, repeats int) {
	class := parsers.Class(x)
	a.count(class, x.Status)
	if a.vain != nil {
		a.vain.saw(question.KeyOf(x), x.Token != "")
	}
	if !a.identity.Credentials.Issued(x.Credential) {
		return
	}
	a.returned(x)
	// No request is left to hang on: its reply is with the client.
	ctx, cancel := context.WithTimeout(context.Background(), putTimeout)
	defer cancel()
	denials, readable := a.denials(ctx, x)
	for _, d := range denials {
		dec := a.decide(x, d)
		if dec.Action == decide.Ignore {
			continue
		}
		a.mu.Lock()
		a.delivered = append(a.delivered, refused{class, d, dec, x.Token != ""})
		if dec.Action == decide.Add && a.mode != watch {
			for g, e := range entriesOf(dec, class) {
				if !a.role.Has(g) {
					a.entries[g] = least(a.entries, e)
				}
			}
		}
		a.mu.Unlock()
		if a.mode != watch && !d.Partial && (dec.Action == decide.Add || dec.Action == decide.Wait) {
			a.wants(x, dec.Grants)
		}
		// A whole refusal that was held has been through Refused already.
		if dec.Action == decide.Stop && (a.mode == collect || a.mode == hold && x.Status < 400) {
			a.stopped(x, dec.Why)
		}
		_ = a.write(journal.Event{Kind: journal.KindDelivered, Denial: &d, Class: class, Status: x.Status, Repeats: repeats})
	}
	a.passedOn(x, class, readable && len(denials) == 0 && answered(x.Status))
	// An error that is no refusal (404, say) has passed authorization. A client
	// that hung up (status 0) and a service that failed have shown nothing.
	if !readable || len(denials) > 0 || !answered(x.Status) {
		return
	}
	a.mu.Lock()
	if x.Status >= 400 {
		a.strange[class] = x
	}
	a.through[class] = true
	if repeats > 0 {
		a.held++
	}
	a.mu.Unlock()
	if repeats > 0 {
		_ = a.write(journal.Event{Kind: journal.KindLetThrough, Class: class, Status: x.Status, Repeats: repeats})
	}
}

// answered tells whether a reply that refuses nothing shows that its request
// has passed authorization: every one of the service's own does, and the change
// to another protocol.
func answered(status int) bool {
	return status == http.StatusSwitchingProtocols || status >= 200 && status < 500
}

// holds is what the role holds.
func (a *arbiter) holds() grant.Set {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.role
}

// alsoFor notes that what was granted already was refused to other requests too.
func (a *arbiter) alsoFor(entries map[grant.Grant]Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for g, e := range entries {
		if _, ok := a.entries[g]; ok {
			a.entries[g] = least(a.entries, e)
		}
	}
}

// denials reads what an exchange refuses. What nobody can read is not readable,
// and ends up in stops, to be shown if the step fails. A service that failed
// refuses nothing, whatever it says.
func (a *arbiter) denials(ctx context.Context, x refusal.Exchange) (denials []refusal.Denial, readable bool) {
	if x.Status >= 500 {
		return nil, true
	}
	denials, err := parsers.FromExchange(x)
	if err != nil {
		a.stopped(x, &UnreadError{Err: err})
		return nil, false
	}
	for i, d := range denials {
		denials[i] = a.place.Located(ctx, x, d)
		if d.Reason != refusal.OpaqueDenial || d.Encoded == "" || a.decoder == nil {
			continue
		}
		switch g, err := a.decoder.Decode(ctx, d.Encoded); {
		case errors.Is(err, ErrExplicitDeny):
			denials[i].Reason, denials[i].Blocker = refusal.ExplicitDeny, "an explicit deny"
		case err != nil:
			// The request itself still has candidates.
			_ = a.write(journal.Event{Kind: journal.KindNote, Text: "decode authorization message: " + err.Error()})
		case parsers.Fits(x, g.Permission):
			denials[i].Reason, denials[i].Permission, denials[i].Resource = refusal.MissingPermission, g.Permission, g.Resource
		}
	}
	return denials, true
}

// decide applies [decide.Of] to the role as it is now.
func (a *arbiter) decide(x refusal.Exchange, d refusal.Denial) decide.Decision {
	// A denial of somebody else says nothing about this identity's role.
	if d.Principal != "" && !a.identity.Credentials.Is(d.Principal) {
		return decide.Decision{Action: decide.Ignore}
	}
	if there, other := place.Elsewhere(d, a.account); other {
		d.Blocker = "the allow policy of project " + there + ", where no role of project " + a.account + " counts"
		if d.Cloud == refusal.Azure {
			d.Blocker = "the scope " + there + ", where no role of subscription " + a.account + " counts"
		}
		return decide.Decision{Action: decide.Stop, Why: &BlockedError{Denial: d}}
	}
	d = a.paths.Complete(d)
	candidates := catalog.Candidates(x.Method, x.URL, x.Header, x.Body, a.account)
	if d.Cloud == refusal.Azure { // what an action is called follows from the request
		for _, p := range d.Candidates {
			candidates = append(candidates, catalog.Candidate{Permission: p, Resource: a.place.Candidate(d), Escalates: catalog.Risk(p) != ""})
		}
	}
	a.mu.Lock()
	candidates, either := decide.KnownRoles(candidates, a.passed.Union(a.role))
	a.mu.Unlock()
	carries := place.CarriesWildcard(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.owned != nil {
		candidates = place.ThroughOthers(candidates, a.role, d)
	}
	rules := a.shown(x)
	dec := decide.Of(a.role, d, candidates, carries, rules)
	if dec.Action == decide.Wait && a.owned.Lack(dec.Grants, a.inForce) {
		dec = decide.Of(a.role, d, candidates, carries, rules)
	}
	for _, g := range dec.Grants {
		if slices.Contains(either, g.Resource) {
			dec.Known.Either = dec.Known.Either.With(g)
		}
	}
	return dec
}

// least gives the better of e and what is there for its grant: the one that a
// refusal named before a guess, then the one with the least request class, since
// which of two requests came first is chance.
func least(there map[grant.Grant]Entry, e Entry) Entry {
	old, ok := there[e.Grant]
	switch {
	case !ok || old.Guess && !e.Guess:
		return e
	case e.Guess && !old.Guess || old.Class <= e.Class:
		return old
	default:
		return e
	}
}

func entriesOf(d decide.Decision, class string) map[grant.Grant]Entry {
	n := Observed
	if len(d.Grants) > 1 { // any of them may be what is lacking
		n = Assumed
	}
	entries := make(map[grant.Grant]Entry, len(d.Grants))
	for _, g := range d.Grants {
		entries[g] = Entry{Grant: g, Necessity: n, Class: class, Guess: n == Assumed}
	}
	return entries
}

// add grants the entries together with whatever else is refused within the
// batch window, and returns when the cloud has taken the change. The caller
// that opens a batch carries it out; the others wait for it.
func (a *arbiter) add(ctx context.Context, entries map[grant.Grant]Entry) error {
	a.mu.Lock()
	b, leads := a.next, false
	if b == nil {
		b, leads = &batch{entries: map[grant.Grant]Entry{}, done: make(chan struct{})}, true
		a.next = b
	}
	for g, e := range entries {
		b.entries[g] = least(b.entries, e)
	}
	b.joined++
	a.mu.Unlock()

	if leads {
		a.gather(b)
		// Others wait for this batch: the leader's client may hang up without
		// taking theirs with it.
		a.carryOut(context.WithoutCancel(ctx), b)
		return b.err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gather waits until a batch is worth carrying out.
func (a *arbiter) gather(b *batch) {
	end := time.Now().Add(batchWindow)
	for before := 0; time.Now().Before(end); {
		a.mu.Lock()
		joined := b.joined
		a.mu.Unlock()
		if joined == before {
			return
		}
		before = joined
		time.Sleep(batchQuiet)
	}
}

// carryOut closes the batch, writes down what will be granted, grants it, and
// writes down that it was.
func (a *arbiter) carryOut(ctx context.Context, b *batch) {
	a.putting <- struct{}{}
	defer func() { <-a.putting }()
	defer close(b.done)
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()

	a.mu.Lock()
	a.next = nil
	role := a.role
	var grants []grant.Grant
	for g := range b.entries {
		if !role.Has(g) {
			grants = append(grants, g)
		}
	}
	a.mu.Unlock()
	if len(grants) == 0 {
		return // the batch before this one granted it all
	}

	set := role.With(grants...)
	grants = grant.Of(grants...).Slice()
	if b.err = a.writeGrants(journal.KindIntent, grants, b.entries); b.err != nil {
		return
	}
	if err := a.identity.Role.Put(ctx, set); err != nil {
		b.err = a.fail(fmt.Errorf("grant %s: %w", join(grants), err))
		return
	}
	now := time.Now()
	a.mu.Lock()
	a.role = set
	a.changes++
	for _, g := range grants {
		a.since[g] = now
		a.entries[g] = b.entries[g]
	}
	a.mu.Unlock()
	b.err = a.writeGrants(journal.KindGranted, grants, b.entries)
}

// writeGrants journals grants, one event for each necessity and class, so that
// a resumed run knows what this one did.
func (a *arbiter) writeGrants(kind journal.Kind, grants []grant.Grant, entries map[grant.Grant]Entry) error {
	for _, g := range grants {
		e := entries[g]
		if err := a.write(journal.Event{Kind: kind, Grants: []grant.Grant{g}, Class: e.Class, Necessity: string(e.Necessity)}); err != nil {
			return err
		}
	}
	return nil
}

// overdue tells whether a denial has outlived its grants by the patience.
func (a *arbiter) overdue(x refusal.Exchange, d refusal.Denial, grants []grant.Grant) error {
	waited := time.Since(a.lastGrant(grants))
	if waited > a.patience {
		return &StuckError{Class: parsers.Class(x), Denial: d, Grants: grants, Waited: waited}
	}
	return nil
}

// named puts the step's name, and the request class, into an error that a
// decision made without knowing them. No class leaves the one that is there.
func named(why error, step, class string) error {
	switch e := why.(type) {
	case *StuckError:
		e.Step = step
	case *BlockedError:
		e.Step = step
	case *ForbiddenError:
		e.Step, e.Class = step, cmp.Or(class, e.Class)
	case *UnreadError:
		e.Step, e.Class = step, cmp.Or(class, e.Class)
	}
	return why
}

// stopped keeps why growth could not go on, with the step and the class.
func (a *arbiter) stopped(x refusal.Exchange, why error) {
	class := parsers.Class(x)
	why = named(why, a.step.Name, class)
	a.mu.Lock()
	a.stops = append(a.stops, why)
	a.mu.Unlock()
	_ = a.write(journal.Event{Kind: journal.KindNote, Class: class, Status: x.Status, Text: why.Error()})
}

// write journals an event of this attempt; a journal that cannot be written
// ends the attempt, since nothing may be granted without it.
func (a *arbiter) write(e journal.Event) error {
	e.Step, e.Pass = a.step.Name, a.pass
	if err := a.journal.Append(e); err != nil {
		return a.fail(err)
	}
	return nil
}

func (a *arbiter) fail(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = errors.Join(a.broken, err)
	return err
}

// failure is why the attempt counts for nothing, if it does.
func (a *arbiter) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// ended tells whether the run is interrupted.
func (a *arbiter) ended() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func (a *arbiter) count(class string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls[class] == nil {
		a.calls[class] = map[int]int{}
	}
	a.calls[class][status]++
}
