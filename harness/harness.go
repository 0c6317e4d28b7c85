// Package harness is the loop: it grows a role per step in flight, reruns
// where the wire cannot show what is missing, removes what was only assumed
// and verifies what is left. It declares the small interfaces it needs (see
// ports.go) and knows no cloud and no process.
//
// The passes, each over the whole lifecycle and each from the same start:
//
//	reference  every step as administrator: the outcome and the calls to compare with
//	grow       every step from an empty role: what is refused is granted, the same request repeated
//	certify    single steps while requests are refused on purpose
//	remove     single steps without what was not shown to be needed
//	verify     every step under its final role, nothing held, nothing granted
//
// A decision of what to grant is a pure function (package decide); the arbiter
// (arbiter.go) carries it out for the many requests of one attempt. What to
// refuse on purpose is package certify's decision; package question turns requests
// into its questions, and certifying.go runs the steps. On what is granted is
// package place's.
package harness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/harness/question"
)

// Strategy is how a role grows.
type Strategy string

const (
	// InFlight holds a refused request back, grants what it lacks, and sends
	// it again.
	InFlight Strategy = "in-flight"
	// Shrink begins with the roles of Config.Start, grows what they lack in
	// flight, and takes away what is not needed.
	Shrink Strategy = "shrink"
	// Rerun is the classic loop: deliver the refusal, let the step fail, grant
	// what was refused and run the step again, where it stopped.
	Rerun Strategy = "rerun"
)

// The passes over a lifecycle, as the journal names them.
const (
	passReference = journal.PassReference
	passGrow      = journal.PassGrow
	passCertify   = journal.PassCertify
	passRemove    = journal.PassRemove
	passVerify    = journal.PassVerify
)

// DefaultPatience is how long a denial may outlive its grant. Google names 7
// minutes and longer for a policy change to arrive (IAM, "Access change
// propagation"), the longest of the clouds' own figures short of hours.
const DefaultPatience = 8 * time.Minute

// Journal keeps every event before its effect; see package journal.
type Journal interface {
	Append(e journal.Event) error
}

// Config is what [Run] needs.
type Config struct {
	Lifecycle lifecycle.Lifecycle
	Executor  Executor
	Pool      Pool
	Journal   Journal
	// World brings back the start before each pass. Without it a lifecycle
	// must tear down what it makes.
	World World
	// Beside is where the reference runs while the roles grow; nil means that it
	// runs before them, in the same sandbox.
	Beside *Beside
	// Resetter takes a step's work back, so that it can be run again where there is
	// no World. It is used with Certify: Full only, and may be nil.
	Resetter Resetter
	// Account is the account or project that the identities live in.
	Account string
	// Strategy is InFlight unless set.
	Strategy Strategy
	// Patience is how long a denial may outlive its grant before the step is
	// stuck; DefaultPatience unless set.
	Patience time.Duration
	// Certify is how far to go to prove that nothing can be taken away; None
	// unless set.
	Certify Depth
	// Budget bounds what certifying costs.
	Budget Budget
	// Decoys are made before a verification and asked for after it; nil leaves that out.
	Decoys Decoys
	// SkipVerify leaves out the verification; the result is not verified.
	SkipVerify bool
	// Known is what an interrupted run already found, by step.
	Known map[string]Known
	// Start is what each step's role begins with, by step: what is needed of it is
	// found by taking it away. Nil is nothing.
	Start map[string]grant.Set
	// Kept says that what the roles begin with stays as it is: only what growth adds
	// is asked about.
	Kept bool
	// VerifyGrown leaves out the verification where growth added nothing to what
	// the roles began with: every step has then run under its final role.
	VerifyGrown bool
	// Seen journals the requests of the reference and of the verification, for a log of
	// the cloud's to be held against.
	Seen bool
	// Log may be nil.
	Log *slog.Logger
}

// Known is what an interrupted run's journal says of one step.
type Known struct {
	Entries []Entry
	// Done tells whether the step had converged, in how many Runs.
	Done bool
	Runs int
}

// Necessity is how well it is known that a grant is needed.
type Necessity string

const (
	// Certified: the wire showed a request refused without the grant, and the
	// step failed for that refusal.
	Certified Necessity = "certified"
	// Observed: refused without the grant, let through with it.
	Observed Necessity = "observed"
	// Assumed: granted without a refusal that named it.
	Assumed Necessity = "assumed"
	// Optional: refused, and the step does as well without it.
	Optional Necessity = "optional"
)

// Entry is a grant with what is known of it.
type Entry struct {
	Grant     grant.Grant
	Necessity Necessity
	// Class is the request class that was refused without the grant.
	Class string
	// Guess marks one of several grants that were made together for a refusal
	// that named none.
	Guess bool
	// Difference is what the step's outcome lacks without the grant, where the
	// step does not fail.
	Difference string
}

// proven tells whether certifying is through with it: the step fails without it, or
// what it leaves is not the same.
func (e Entry) proven() bool { return e.Necessity == Certified || e.Difference != "" }

// StepResult is what was found for one step.
type StepResult struct {
	Step lifecycle.Step
	// Entries is the step's converged set, in the order of its grants.
	Entries []Entry
	// Optional lists what was refused and is not needed.
	Optional []Entry
	// Runs is how many runs growth took.
	Runs int
	// Changes is how often growth changed the step's role: what was refused at the
	// same time went into one change.
	Changes int
	// Proof tells how the grants were certified.
	Proof Proof
	// Addresses are the resources, as the tool calls them, that it was at work on
	// when growth was refused a grant for the first time, the likeliest first. A tool
	// that does not say what it is at has none.
	Addresses map[grant.Grant][]string
	// Refusals is how many refused replies no client saw: each was held,
	// granted and repeated.
	Refusals int
	// Reference, Grow and Verify are the wall times of the step in each pass,
	// all of its runs together; 0 for a pass that was left out.
	Reference, Grow, Verify time.Duration
}

// Set is the step's converged set of grants.
func (r StepResult) Set() grant.Set {
	grants := make([]grant.Grant, len(r.Entries))
	for i, e := range r.Entries {
		grants[i] = e.Grant
	}
	return grant.Of(grants...)
}

// Result is what [Run] found.
type Result struct {
	Steps    []StepResult
	Verified bool
	// Trials are the requests for decoys under the final roles.
	Trials []Trial
	// Whole are the permissions that hold on all of the project though the lifecycle
	// asks for a narrower scope.
	Whole []Whole
	// Tools holds the versions of the tools that ran.
	Tools map[string]string
}

// loop is one run; its fields but the configuration are the run's findings.
type loop struct {
	Config
	identities map[string]Identity      // by step name
	calls      map[string]calls         // the reference's calls, by step name
	referred   map[string]left          // what the reference left, by step name
	grown      map[string]left          // what growth's last run left, by step name
	tried      calls                    // of the last trial
	late       bool                     // it was refused what its role holds
	took       map[string]time.Duration // growth's last run, by step name
	facts      map[string]string        // what growth has left until now
	wanted     map[string]map[question.Key]*question.Wanting
	spent      spending
	flukes     int               // verifications that failed for no refusal
	stubborn   map[string]bool   // request classes that were refused in a verification though part of what they may need was held
	names      map[string]string // generated names → their prefix
	beside     *beside           // while the reference runs beside
	paths      place.Paths
	passed     grant.Set              // grants of iam:PassRole that were found
	owned      map[string]*place.Tags // by step name
	place      *place.Ground
	result     Result
}

// Run finds the least set of grants for every step of the lifecycle. On an
// error the result holds what was found until then. The roles are empty when
// it returns, or the error wraps ErrNotReleased.
func Run(ctx context.Context, c Config) (result Result, err error) {
	if c.Strategy == "" {
		c.Strategy = InFlight
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	if c.Certify == "" {
		c.Certify = None
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := newLoop(c)
	l.spent = spending{Budget: c.Budget}
	if err := l.checkRepeatable(); err != nil {
		return l.result, err
	}

	defer func() {
		// A cancelled run leaves no role that holds anything.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if rerr := c.Pool.Release(ctx); rerr != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", ErrNotReleased, rerr))
		} else if jerr := c.Journal.Append(journal.Event{Kind: journal.KindReleased}); jerr != nil {
			err = errors.Join(err, jerr)
		}
		l.result.Whole = l.whole()
		result = l.result
	}()
	return l.result, l.run(ctx)
}

func newLoop(c Config) *loop {
	l := &loop{Config: c, identities: map[string]Identity{}, calls: map[string]calls{}, names: map[string]string{}, owned: map[string]*place.Tags{},
		referred: map[string]left{}, grown: map[string]left{}, took: map[string]time.Duration{}, facts: map[string]string{}, stubborn: map[string]bool{}, wanted: map[string]map[question.Key]*question.Wanting{}}
	l.result.Tools = map[string]string{}
	for _, s := range c.Lifecycle.Steps {
		l.result.Steps = append(l.result.Steps, StepResult{Step: s})
	}
	return l
}

// checkRepeatable refuses what would make a pass start where another ended.
func (l *loop) checkRepeatable() error {
	if l.World != nil || l.SkipVerify && !l.Lifecycle.Reference {
		return nil
	}
	for _, s := range l.Lifecycle.Steps {
		if s.Phase == lifecycle.Teardown {
			return nil
		}
	}
	return errors.New("the lifecycle runs more than once, this cloud has no snapshots, and no step of phase teardown takes down what the others make: add one, or leave out the reference (reference: false) and the verification (--no-verify)")
}

func (l *loop) run(ctx context.Context) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	if err := l.save(ctx, snapshotStart); err != nil {
		return err
	}
	var err error
	if l.place, err = l.placing(ctx); err != nil {
		return err
	}
	grow := l.growAll
	// Without snapshots a reference would tear down what an interrupted run made.
	if l.Lifecycle.Reference && l.Beside != nil {
		grow = l.growBeside
	} else if l.Lifecycle.Reference && (l.World != nil || len(l.Known) == 0) {
		if err := l.reference(ctx); err != nil {
			return err
		}
		if err := l.restore(ctx, snapshotStart); err != nil {
			return err
		}
	}
	if err := grow(ctx); err != nil {
		return err
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		r.Entries, r.Optional = l.current(r), l.renamed(r.Optional)
		r.Addresses = l.readdressed(r.Addresses)
	}
	if err := l.certifyAll(ctx); err != nil {
		return err
	}
	if l.SkipVerify || l.VerifyGrown && !l.grewAny() {
		return nil
	}
	return l.verify(ctx)
}

// grewAny tells whether a role holds, or a client was refused, what it did not
// begin with.
func (l *loop) grewAny() bool {
	return slices.ContainsFunc(l.result.Steps, func(r StepResult) bool {
		return len(r.Optional) > 0 || !r.Set().Equal(l.Start[r.Step.Name])
	})
}

// kept tells whether a grant of a step is not to be asked about.
func (l *loop) kept(step string, g grant.Grant) bool { return l.Kept && l.Start[step].Has(g) }

// Start is the name of the snapshot that every pass starts from. All identities
// are in it, and nothing else of the run's.
const Start = "start"

const snapshotStart = Start

// referenceIdentity is the pool's name for the administrator of the reference
// pass. It is never used for anything else, so that no step's identity has
// ever held what it must not.
const referenceIdentity = "_reference" // no step is called so

// IdentityNames are the names of the identities that a run acquires; beside says
// that its reference runs elsewhere.
func IdentityNames(lc lifecycle.Lifecycle, beside bool) []string {
	var names []string
	if lc.Reference && !beside {
		names = append(names, referenceIdentity)
	}
	for _, s := range lc.Steps {
		names = append(names, s.Name)
	}
	return names
}

// acquire makes all identities before the first snapshot, so that they are in it.
func (l *loop) acquire(ctx context.Context) error {
	for _, name := range IdentityNames(l.Lifecycle, l.Beside != nil) {
		id, err := l.Pool.Acquire(ctx, name)
		if err != nil {
			return fmt.Errorf("step %s: probe identity: %w", name, err)
		}
		l.identities[name] = id
	}
	return nil
}

// settle brings roles into force, side by side: on a real cloud each takes as
// long as its propagation does.
func (l *loop) settle(ctx context.Context, pass string, sets map[string]grant.Set) error {
	note := journal.Event{Kind: journal.KindNote, Pass: pass, Text: "bringing roles into force"}
	if err := l.Journal.Append(note); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for name, set := range sets {
		g.Go(func() error {
			if err := l.identities[name].Role.Settle(ctx, set); err != nil {
				return fmt.Errorf("step %s: settle the role: %w", name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// reference runs the lifecycle as administrator.
func (l *loop) reference(ctx context.Context) error {
	if err := l.settle(ctx, passReference, map[string]grant.Set{referenceIdentity: l.administrator()}); err != nil {
		return err
	}
	for i, s := range l.Lifecycle.Steps {
		arb := l.newArbiter(ctx, s, passReference, watch, l.identities[referenceIdentity], grant.Set{})
		out, err := l.attempt(ctx, s, arb, 1)
		if err != nil {
			return err
		}
		l.result.Steps[i].Reference = out.Duration
		l.calls[s.Name] = arb.calls
		l.referred[s.Name] = left{facts: out.Facts, calls: arb.calls}
		if !out.OK {
			for _, d := range arb.delivered {
				if _, ok := d.Why.(*BlockedError); ok {
					return named(d.Why, s.Name, d.class)
				}
			}
			return &FailedError{Step: s.Name, How: "even as administrator", Diagnostics: out.Diagnostics, Output: out.Output}
		}
	}
	return l.settle(ctx, passReference, map[string]grant.Set{referenceIdentity: {}})
}

// administrator is what the reference may do: everything, but on a real cloud
// nothing above the ceiling.
func (l *loop) administrator() grant.Set {
	if l.Lifecycle.Sandbox.Embedded || len(l.Lifecycle.Ceiling) == 0 {
		return grant.Everything()
	}
	var grants []grant.Grant
	for _, pattern := range l.Lifecycle.Ceiling {
		grants = append(grants, grant.Grant{Permission: pattern, Resource: "*"})
	}
	return grant.Of(grants...)
}

// attempt runs the step once under the arbiter and journals its start and end.
func (l *loop) attempt(ctx context.Context, s lifecycle.Step, arb *arbiter, n int) (Outcome, error) {
	start := journal.Event{Kind: journal.KindAttempt, Step: s.Name, Pass: arb.pass, Attempt: n,
		Object: &journal.Object{Kind: "identity", ID: arb.identity.Principal}}
	if err := l.Journal.Append(start); err != nil {
		return Outcome{}, err
	}
	if arb.pass == passVerify && (arb.mode != watch || arb.withhold != nil) {
		return Outcome{}, fmt.Errorf("step %s: a verification was about to hold or to answer requests itself: this is a fault of Whittle's", s.Name)
	}
	a := Attempt{Step: s, Identity: arb.identity, Arbiter: arb, Held: arb.mode == hold, Withhold: arb.withhold}
	if arb.vain != nil {
		a.Stop = arb.vain.stop
	}
	a.Disposable = arb.withhold != nil && l.World != nil
	out, err := l.Executor.Attempt(ctx, a)
	if err != nil {
		return out, fmt.Errorf("step %s: %w", s.Name, err)
	}
	if err := ctx.Err(); err != nil {
		return out, err
	}
	if err := arb.failure(); err != nil {
		return out, fmt.Errorf("step %s: %w", s.Name, err)
	}
	for name, version := range out.Tools {
		l.result.Tools[name] = version
	}
	maps.Copy(l.names, out.Generated)
	out = inexcusable(out, arb)
	end := journal.Event{Kind: journal.KindAttemptEnd, Step: s.Name, Pass: arb.pass, Attempt: n, OK: out.OK}
	if !out.OK && len(out.Diagnostics) > 0 {
		end.Text = out.Diagnostics[0].Summary
	}
	if err := l.seen(arb, n); err != nil {
		return out, err
	}
	return out, l.Journal.Append(end)
}

// seen journals what the wire saw of a run that is over, where somebody will hold
// the cloud's own log against it: of the reference, of growth and of a verification.
func (l *loop) seen(arb *arbiter, n int) error {
	if !l.Seen || !slices.Contains([]string{passReference, passGrow, passVerify}, arb.pass) {
		return nil
	}
	arb.mu.Lock()
	calls := maps.Clone(arb.calls)
	arb.mu.Unlock()
	for _, class := range slices.Sorted(maps.Keys(calls)) {
		for _, status := range slices.Sorted(maps.Keys(calls[class])) {
			e := journal.Event{Kind: journal.KindSeen, Attempt: n, Class: class, Status: status, Repeats: calls[class][status]}
			if err := arb.write(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// inexcusable makes a failure of a success that is the lifecycle's word alone
// where the tool was refused something: what it failed of may be that.
func inexcusable(out Outcome, arb *arbiter) Outcome {
	arb.mu.Lock()
	defer arb.mu.Unlock()
	if !out.OK || !out.Excused || len(arb.delivered) == 0 {
		return out
	}
	out.OK, out.Excused, out.Stopped = false, false, true // it is not known how it would have ended
	out.Diagnostics = append(out.Diagnostics, Diagnostic{
		Summary: "refused, so that succeeds_when cannot excuse it: " + arb.delivered[0].class,
	})
	return out
}

func (l *loop) save(ctx context.Context, name string) error {
	if l.World == nil {
		return nil
	}
	if err := l.World.Save(ctx, name); err != nil {
		return fmt.Errorf("snapshot %s: %w", name, err)
	}
	return nil
}

func (l *loop) restore(ctx context.Context, name string) error {
	if l.World == nil {
		return nil
	}
	if err := l.World.Restore(ctx, name); err != nil {
		return fmt.Errorf("restore snapshot %s: %w", name, err)
	}
	return nil
}
