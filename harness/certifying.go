package harness

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/certify"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Depth is how far a run goes to prove that nothing can be taken away.
type Depth string

const (
	// None: what was refused and let through counts as observed.
	None Depth = "none"
	// Fast: each step is run again from a snapshot, without what it may not need.
	Fast Depth = "fast"
	// Full is Fast, and where the cloud has no snapshots too, by each step's own
	// reset.
	Full Depth = "full"
)

// Budget bounds what certifying costs, over all steps; 0 is no bound.
type Budget struct {
	Runs int
	Time time.Duration
}

// spending is a budget in use.
type spending struct {
	Budget
	runs  int
	began time.Time
}

func (s *spending) left() bool {
	return (s.Runs == 0 || s.runs < s.Runs) && (s.Time == 0 || time.Since(s.began) < s.Time)
}

// Proof tells how a step's grants were certified.
type Proof struct {
	// Questions is how many request classes were asked about, each with the
	// grants that its refusals named.
	Questions int
	// Withheld is how many runs withheld requests, Removed how many were made
	// without some of the grants.
	Withheld, Removed int
	// Chain is the length of the longest chain of questions that the runs showed:
	// each was asked only when the one before it had been let through.
	Chain int
	// PutBack is how many grants the verification gave back.
	PutBack int
	// Time is the wall time of all these runs.
	Time time.Duration
	// Short is set where the budget ended before everything was asked.
	Short bool
}

// slack and grace bound a run in which something is refused: a tool can wait
// long for what it is refused to see.
const (
	slack = 3
	grace = time.Minute
)

// certifyAll proves of every step's grants which it needs. Without snapshots a
// step is certified where it has grown, or not at all: see certifyInPlace.
func (l *loop) certifyAll(ctx context.Context) error {
	if l.Certify == None || l.World == nil {
		return nil
	}
	l.spent.began = time.Now()
	if err := l.announce(); err != nil {
		return err
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		began := time.Now()
		if err := l.certifyStep(ctx, r); err != nil {
			return err
		}
		if err := l.certifiedStep(r, began); err != nil {
			return err
		}
	}
	return nil
}

// String says in a line what it took.
func (p Proof) String() string {
	s := fmt.Sprintf("%d questions, a chain of %d, %d runs withholding, %d runs without grants, %.1fs",
		p.Questions, p.Chain, p.Withheld, p.Removed, p.Time.Seconds())
	if p.Short {
		s += "; the budget is used up"
	}
	return s
}

// announce says how many runs are ahead, from what growth showed: at most one
// for each change of a role, which several refusals at once can share, and two.
func (l *loop) announce() error {
	runs, took := 0, time.Duration(0)
	for _, r := range l.result.Steps {
		if n := l.unproven(r); n > 0 {
			most := min(r.Changes, n) + 2
			runs += most
			took += time.Duration(most) * r.Grow / time.Duration(max(1, r.Runs))
		}
	}
	bound := ""
	if l.Budget.Runs > 0 {
		bound += fmt.Sprintf(", of which %d are allowed", l.Budget.Runs)
	}
	if l.Budget.Time > 0 {
		bound += fmt.Sprintf(", in %s", l.Budget.Time)
	}
	return l.Journal.Append(journal.Event{Kind: journal.KindNote, Pass: passCertify,
		Text: fmt.Sprintf("certifying takes at most about %d runs of single steps and %s%s", runs, took.Round(time.Second), bound)})
}

// unproven is how many of a step's grants are not certified.
func (l *loop) unproven(r StepResult) (n int) {
	for _, e := range r.Entries {
		if e.Necessity != Certified {
			n++
		}
	}
	return n
}

// certifiedStep writes down that a step is through.
func (l *loop) certifiedStep(r *StepResult, began time.Time) error {
	r.Proof.Time = time.Since(began)
	return l.Journal.Append(journal.Event{Kind: journal.KindStepEnd, Step: r.Step.Name, Pass: passCertify, OK: true, Text: r.Proof.String()})
}

// certifyStep asks first by withholding, which changes no role, and settles
// what that has not shown by taking grants away.
func (l *loop) certifyStep(ctx context.Context, r *StepResult) error {
	if l.unproven(*r) == 0 {
		return nil
	}
	if !l.spent.left() {
		r.Proof.Short = true
		return nil
	}
	qs := questions(l.wanted[r.Step.Name], r.Set(), func(s string) string { return unnamed(s, l.names) })
	found, err := l.withhold(ctx, r, qs)
	if err != nil {
		return err
	}
	if err := l.take(r, qs, found); err != nil {
		return err
	}
	var suspects []grant.Grant
	for _, e := range r.Entries {
		if e.Necessity != Certified {
			suspects = append(suspects, e.Grant)
		}
	}
	// What was needed beside something that turned out to be needed too is asked
	// again. Each round has less beside what it is about.
	for range 4 {
		again, err := l.remove(ctx, r, suspects)
		if err != nil {
			return err
		}
		if suspects = append(again, doubtful(r, qs, found)...); len(suspects) == 0 {
			break
		}
		found = nil
	}
	return nil
}

// withhold asks the questions.
func (l *loop) withhold(ctx context.Context, r *StepResult, qs []*question) (map[string]certify.Finding[string], error) {
	r.Proof.Questions = len(qs)
	if len(qs) == 0 {
		return nil, nil
	}
	byName := map[string]*question{}
	var names []string
	for _, q := range qs {
		byName[q.name] = q
		names = append(names, q.name)
	}
	// The role is in the snapshot, so that none changes while requests are withheld.
	if err := l.put(ctx, r, passCertify, r.Set()); err != nil {
		return nil, err
	}
	if err := l.save(ctx, snapshotWithheld); err != nil {
		return nil, err
	}
	asking := certify.Ask(names)
	seen := map[string]bool{} // questions that came up
	for {
		names, more := asking.Next()
		if !more {
			break
		}
		if !l.spent.left() {
			r.Proof.Short = true
			asking.Stop("the budget is used up")
			break
		}
		w := &withholder{issued: l.identities[r.Step.Name].Credentials.Issued}
		for _, name := range names {
			w.open = append(w.open, byName[name])
		}
		r.Proof.Withheld++
		if r.Proof.Withheld > 1 {
			if err := l.back(ctx, r, snapshotWithheld); err != nil {
				return nil, err
			}
		}
		out, err := l.trial(ctx, r, passCertify, r.Proof.Withheld, r.Set(), w, true)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		given := w.given
		w.mu.Unlock()
		var writes []*question
		link := false
		for _, g := range given {
			link = link || !seen[g.of[0]]
			seen[g.of[0]] = true
			writes = append(writes, byName[g.of[0]])
		}
		if link {
			r.Proof.Chain++
		}
		run := read(r.Step, out, l.difference(r, out, writes), given)
		asking.Answer(run)
		if err := l.tell(r, passCertify, len(names), run.String()); err != nil {
			return nil, err
		}
	}
	return asking.Findings(), nil
}

// snapshotWithheld is the start of a step whose requests are withheld.
const snapshotWithheld = "withheld"

// put brings a role into force where the step begins: with the world its role is
// as it was, too.
func (l *loop) put(ctx context.Context, r *StepResult, pass string, set grant.Set) error {
	if err := l.back(ctx, r, snapshotBefore(r.Step.Name)); err != nil {
		return err
	}
	return l.settle(ctx, pass, map[string]grant.Set{r.Step.Name: set})
}

// tell writes down what a run showed in which so many things were asked about.
func (l *loop) tell(r *StepResult, pass string, asked int, showed string) error {
	return l.Journal.Append(journal.Event{Kind: journal.KindNote, Step: r.Step.Name, Pass: pass, Text: fmt.Sprintf("asked about %d: %s", asked, showed)})
}

// trial runs the step once, for a bounded time. With short it ends sooner when the
// tool does nothing but ask again for what it was refused.
func (l *loop) trial(ctx context.Context, r *StepResult, pass string, n int, set grant.Set, w Withholder, short bool) (Outcome, error) {
	l.spent.runs++
	step := r.Step
	most := slack*r.Grow/time.Duration(max(1, r.Runs)) + grace
	if step.Timeout == 0 || step.Timeout > most {
		step.Timeout = most
	}
	arb := l.newArbiter(ctx, step, pass, watch, l.identities[step.Name], set)
	if w != nil {
		arb.withhold = w
	}
	if short {
		arb.vain = newVain()
		defer arb.vain.end()
	}
	out, err := l.attempt(ctx, step, arb, n)
	if m, ok := w.(*marker); ok && err == nil {
		m.masked = l.masked(r, arb)
	}
	return out, err
}

// take notes what the questions have shown. A grant is certified by any class
// that the step failed of.
func (l *loop) take(r *StepResult, qs []*question, found map[string]certify.Finding[string]) error {
	for _, q := range qs {
		f := found[q.name]
		if f.Verdict != certify.Needed {
			continue
		}
		for g := range q.grants.All() {
			if err := l.conclude(r, g, Certified, q.class, f.Error, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// conclude writes down what was found of a grant of the step.
func (l *loop) conclude(r *StepResult, g grant.Grant, n Necessity, class, why, difference string) error {
	i := slices.IndexFunc(r.Entries, func(e Entry) bool { return e.Grant == g })
	if i < 0 || r.Entries[i].Necessity == n && difference == "" {
		return nil
	}
	e := &r.Entries[i]
	e.Necessity, e.Difference = n, difference
	if n == Certified {
		e.Guess = false
	}
	if class != "" && e.Class == "" {
		e.Class = class
	}
	found := journal.Event{Kind: journal.KindFound, Step: r.Step.Name, Pass: passCertify, Grants: []grant.Grant{g}, Class: e.Class, Necessity: string(n), Text: why}
	if n == Optional {
		gone := *e
		r.Entries = slices.Delete(r.Entries, i, i+1)
		if !gone.Guess { // a guess that was wrong is not optional: nothing refused it
			r.Optional = append(r.Optional, gone)
		}
	}
	return l.Journal.Append(found)
}

// remove takes the suspects away in earnest, and gives those that have to be
// asked about again.
func (l *loop) remove(ctx context.Context, r *StepResult, suspects []grant.Grant) (again []grant.Grant, err error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	rm := certify.Remove(suspects)
	whole := r.Set()
	for {
		out, more := rm.Next()
		if !more {
			break
		}
		if !l.spent.left() {
			r.Proof.Short = true
			rm.Stop("the budget is used up")
			break
		}
		less := whole.Without(out...)
		if err := l.put(ctx, r, passRemove, less); err != nil {
			return nil, err
		}
		m := &marker{about: l.missing(r, less, out)}
		r.Proof.Removed++
		// What is asked about alone may take its time: how it ends is the answer.
		end, err := l.trial(ctx, r, passRemove, r.Proof.Removed, less, m, rm.Asking() > 1)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		given := m.given
		m.mu.Unlock()
		for _, g := range m.masked { // which carry no token
			if slices.Contains(out, g) && !slices.ContainsFunc(given, func(p marked) bool { return slices.Contains(p.of, g) }) {
				given = append(given, marked{of: []grant.Grant{g}})
			}
		}
		run := read(r.Step, end, l.difference(r, end, refusedOf(r, given)), given)
		rm.Answer(run)
		if err := l.tell(r, passRemove, len(out), run.String()); err != nil {
			return nil, err
		}
	}
	all := rm.Findings()
	for _, g := range suspects {
		switch f := all[g]; f.Verdict {
		case certify.Spare:
			err = l.conclude(r, g, Optional, "", "the step does as well without it", "")
		case certify.Needed:
			n, why := Certified, f.Error
			if f.Error == "" {
				why = "the step fails without it, each time"
			}
			if f.Difference != "" {
				n, why = Observed, f.Difference
			}
			err = l.conclude(r, g, n, "", why, f.Difference)
		default:
			// What is certified already was so beside what may be needed too.
			if i := slices.IndexFunc(r.Entries, func(e Entry) bool { return e.Grant == g && e.Necessity == Certified }); i >= 0 {
				if err := l.conclude(r, g, Observed, "", f.Why, ""); err != nil {
					return nil, err
				}
			}
			note := journal.Event{Kind: journal.KindNote, Step: r.Step.Name, Pass: passRemove, Grants: []grant.Grant{g}, Text: g.Permission + ": not certified: " + f.Why}
			err = l.Journal.Append(note)
		}
		if err != nil {
			return nil, err
		}
	}
	return certify.Doubtful(all), nil
}

// missing gives what a refusal is about, of what was taken away.
func (l *loop) missing(r *StepResult, less grant.Set, out []grant.Grant) func(refusal.Exchange) []grant.Grant {
	return func(x refusal.Exchange) []grant.Grant {
		arb := l.newArbiter(context.Background(), r.Step, passRemove, watch, l.identities[r.Step.Name], less)
		if !arb.identity.Credentials.Issued(x.Credential) {
			return nil
		}
		denials, _ := arb.denials(context.Background(), x)
		var all []grant.Grant
		for _, d := range denials {
			for _, g := range arb.decide(x, d).grants {
				g.Resource = unnamed(g.Resource, l.names)
				for _, o := range out {
					if covers(o, g) && !slices.Contains(all, o) {
						all = append(all, o)
					}
				}
			}
		}
		return all
	}
}

// covers tells whether having a means having b.
func covers(a, b grant.Grant) bool {
	return a.Permission == b.Permission && (a.Resource == b.Resource || catalog.Match(a.Resource, b.Resource))
}

// masked gives the grants whose request was answered as it never was while they
// were held, with an error that does not say that it is a refusal.
func (l *loop) masked(r *StepResult, arb *arbiter) (grants []grant.Grant) {
	arb.mu.Lock()
	defer arb.mu.Unlock()
	before := l.grown[r.Step.Name].calls
	if before == nil {
		return nil
	}
	for class, statuses := range arb.calls {
		for status := range statuses {
			if status < 400 || before[class][status] > 0 {
				continue
			}
			for _, e := range r.Entries {
				if e.Class == class && !slices.Contains(grants, e.Grant) {
					grants = append(grants, e.Grant)
				}
			}
		}
	}
	slices.SortFunc(grants, grant.Compare)
	return grants
}

// refusedOf gives what refusals were about as questions, for what the requests
// would have changed.
func refusedOf(r *StepResult, replies []marked) (qs []*question) {
	for _, p := range replies {
		for _, g := range p.of {
			q := &question{grants: grant.Of(g)}
			if i := slices.IndexFunc(r.Entries, func(e Entry) bool { return e.Grant == g }); i >= 0 {
				q.class = r.Entries[i].Class
			}
			qs = append(qs, q)
		}
	}
	return qs
}

// doubtful gives the certified grants whose need was shown only beside the
// refusal of a class that the step may send now: all that it needs was kept.
func doubtful(r *StepResult, qs []*question, found map[string]certify.Finding[string]) (grants []grant.Grant) {
	set := r.Set()
	byName := map[string]*question{}
	for _, q := range qs {
		byName[q.name] = q
	}
	sure := map[grant.Grant]bool{}
	var doubt []grant.Grant
	for _, q := range qs {
		f := found[q.name]
		if f.Verdict != certify.Needed {
			continue
		}
		shaky := slices.ContainsFunc(f.Beside, func(b string) bool { return byName[b].grants.SubsetOf(set) })
		for g := range q.grants.All() {
			if shaky {
				doubt = append(doubt, g)
			} else {
				sure[g] = true
			}
		}
	}
	for g := range grant.Of(doubt...).All() {
		if !sure[g] {
			grants = append(grants, g)
		}
	}
	return grants
}
