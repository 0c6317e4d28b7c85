package harness

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/certify"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/harness/question"
	"github.com/whittle-iam/whittle/parsers"
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
	runs int
	took time.Duration // of these runs
}

func (s *spending) left() bool {
	return (s.Runs == 0 || s.runs < s.Runs) && (s.Time == 0 || s.took < s.Time)
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
	if err := l.announce(); err != nil {
		return err
	}
	for _, r := range l.dearestLast() {
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

// dearestLast gives the steps in the order in which they are certified: the
// lifecycle's, or under a budget the one that costs least first, so that one dear
// step does not leave the others nothing.
func (l *loop) dearestLast() []*StepResult {
	var steps []*StepResult
	for i := range l.result.Steps {
		steps = append(steps, &l.result.Steps[i])
	}
	slices.SortStableFunc(steps, func(a, b *StepResult) int {
		runsA, timeA := l.estimate(*a)
		runsB, timeB := l.estimate(*b)
		switch {
		case l.Budget.Time > 0:
			return cmp.Compare(timeA, timeB)
		case l.Budget.Runs > 0:
			return cmp.Compare(runsA, runsB)
		}
		return 0
	})
	return steps
}

// estimate is how many runs certifying a step takes at most, about, and how long:
// a run for each change of a role, which several refusals at once can share, and two.
func (l *loop) estimate(r StepResult) (runs int, took time.Duration) {
	n := l.unproven(r)
	if n == 0 {
		return 0, 0
	}
	runs = min(r.Changes, n) + 2
	return runs, time.Duration(runs) * r.Grow / time.Duration(max(1, r.Runs))
}

// String says in a line what it took.
func (p Proof) String() string {
	count := func(n int, noun string) string {
		if n != 1 {
			noun += "s"
		}
		return fmt.Sprintf("%d %s", n, noun)
	}
	s := fmt.Sprintf("%s, a chain of %d, %s withholding, %s without grants, %.1fs",
		count(p.Questions, "question"), p.Chain, count(p.Withheld, "run"), count(p.Removed, "run"), p.Time.Seconds())
	if p.Short {
		s += "; the budget is used up"
	}
	return s
}

// announce says how many runs are ahead, from what growth showed.
func (l *loop) announce() error {
	runs, took := 0, time.Duration(0)
	for _, r := range l.result.Steps {
		n, t := l.estimate(r)
		runs, took = runs+n, took+t
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

// unproven is how many of a step's grants are to be certified still.
func (l *loop) unproven(r StepResult) (n int) {
	for _, e := range r.Entries {
		if !e.proven() && !l.kept(r.Step.Name, e.Grant) {
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
	before := slices.Clone(r.Entries)
	w := withholding{all: l.questions(r), seen: map[string]bool{}, swallowed: map[string]bool{}}
	ask := slices.DeleteFunc(slices.Clone(w.all), func(q *question.Question) bool { return r.settled(q) })
	r.Proof.Questions = len(ask)
	found, err := l.withhold(ctx, r, w, ask)
	if err != nil {
		return err
	}
	doubt := take(r, ask, found, nil)
	for _, e := range before {
		if e.Necessity == Certified {
			delete(doubt, e.Grant) // by an interrupted run, which left it in no doubt
		}
	}
	var suspects []grant.Grant
	for _, e := range r.Entries {
		if !e.proven() && !l.kept(r.Step.Name, e.Grant) {
			suspects = append(suspects, e.Grant)
		}
	}
	if err := l.remove(ctx, r, suspects, doubt); err != nil {
		return err
	}
	if err := l.dispel(ctx, r, w, doubt); err != nil {
		return err
	}
	return l.writeFound(r, before)
}

// writeFound journals what was found of a step's grants, when nothing of it is in
// doubt any more.
func (l *loop) writeFound(r *StepResult, before []Entry) error {
	for _, e := range slices.Concat(r.Entries, r.Optional) {
		if slices.Contains(before, e) || e.Necessity == Assumed {
			continue
		}
		found := journal.Event{Kind: journal.KindFound, Step: r.Step.Name, Pass: passCertify, Grants: []grant.Grant{e.Grant}, Class: e.Class, Necessity: string(e.Necessity), Text: e.Difference}
		if err := l.Journal.Append(found); err != nil {
			return err
		}
	}
	return nil
}

// withholding is the questions of a step, and what has come of them until now.
type withholding struct {
	all  []*question.Question
	seen map[string]bool // came up in a run
	// swallowed once in the run that showed it to be needed: it puts in doubt what
	// is asked about together with it.
	swallowed map[string]bool
}

// withhold asks some of a step's questions; the requests of the others are let
// through.
func (l *loop) withhold(ctx context.Context, r *StepResult, step withholding, ask []*question.Question) (map[string]certify.Finding[string], error) {
	if len(ask) == 0 {
		return nil, nil
	}
	byName := map[string]*question.Question{}
	var names []string
	for _, q := range ask {
		byName[q.Name] = q
		names = append(names, q.Name)
	}
	// The role is in the snapshot, so that none changes while requests are withheld.
	if err := l.put(ctx, r, passCertify, r.Set()); err != nil {
		return nil, err
	}
	if err := l.save(ctx, snapshotWithheld); err != nil {
		return nil, err
	}
	asking := certify.Ask(names)
	for first := true; ; first = false {
		names, more := asking.Next()
		if !more {
			break
		}
		if !l.spent.left() {
			r.Proof.Short = true
			asking.Stop("the budget is used up")
			break
		}
		w := &withholder{issued: l.identities[r.Step.Name].Credentials.Issued, all: step.all, open: map[string]bool{}}
		for _, name := range names {
			w.open[name] = true
		}
		r.Proof.Withheld++
		if !first {
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
		lost := func(name string) string { return change(byName[name].Class, byName[name].Grants.Slice()...) }
		link, unchanged := false, map[string]bool{}
		for _, g := range given {
			link = link || !step.seen[g.of[0]]
			step.seen[g.of[0]] = true
			if lost(g.of[0]) != "" {
				unchanged[byName[g.of[0]].Class] = true
			}
		}
		if link {
			r.Proof.Chain++
		}
		run := read(r.Step, out, l.difference(r, out, unchanged), given, lost)
		asking.Answer(run)
		if err := l.tell(r, passCertify, len(names), run.String()); err != nil {
			return nil, err
		}
	}
	found := asking.Findings()
	for name, f := range found {
		step.swallowed[name] = step.swallowed[name] || f.Swallowed
	}
	return found, nil
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
	began := time.Now()
	defer func() { l.spent.took += time.Since(began) }()
	l.spent.runs++
	step := r.Step
	// A run in which nothing is refused on purpose takes what it takes.
	if most := slack*l.took[step.Name] + grace; w != nil && (step.Timeout == 0 || step.Timeout > most) {
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
	if err != nil {
		return out, err
	}
	arb.mu.Lock()
	l.tried = arb.calls
	l.late = slices.ContainsFunc(arb.delivered, func(d refused) bool { return d.Action == decide.Wait && !d.meant })
	arb.mu.Unlock()
	masked, strange := l.masked(r, arb)
	if m, ok := w.(*marker); ok {
		m.masked = masked
	}
	// What the tool failed of may be that, and not what the lifecycle excuses.
	if out.Excused && strange {
		out.OK = false
	}
	return out, nil
}

// take notes what the questions have shown, and beside what. A grant is certified
// by any class that the step failed of, and stays so unless it is in old doubt.
func take(r *StepResult, qs []*question.Question, found map[string]certify.Finding[string], old doubts) doubts {
	byName := map[string]*question.Question{}
	for _, q := range qs {
		byName[q.Name] = q
	}
	for _, q := range qs {
		if f := found[q.Name]; f.Verdict == certify.Needed && f.Difference != "" {
			for g := range q.Grants.All() {
				if _, ok := old[g]; ok || !certified(r, g) {
					conclude(r, g, Observed, f.Difference)
				}
			}
		}
	}
	doubt, sure := doubts{}, map[grant.Grant]bool{}
	for _, q := range qs {
		f := found[q.Name]
		if f.Verdict != certify.Needed || f.Difference != "" {
			continue
		}
		var beside []grant.Set
		for _, b := range f.Beside {
			beside = append(beside, byName[b].Grants)
		}
		for g := range q.Grants.All() {
			conclude(r, g, Certified, "")
			if len(beside) == 0 {
				sure[g] = true
			} else if _, ok := doubt[g]; !ok {
				doubt[g] = beside
			}
		}
	}
	maps.DeleteFunc(doubt, func(g grant.Grant, _ []grant.Set) bool { return sure[g] })
	return doubt
}

// conclude notes what was found of a grant of the step.
func conclude(r *StepResult, g grant.Grant, n Necessity, difference string) {
	i := slices.IndexFunc(r.Entries, func(e Entry) bool { return e.Grant == g })
	if i < 0 {
		return
	}
	e := &r.Entries[i]
	guess := e.Guess
	e.Necessity, e.Difference = n, difference
	switch n {
	case Certified:
		e.Guess = false
	case Optional:
		gone := *e
		r.Entries = slices.Delete(r.Entries, i, i+1)
		if !guess { // a guess that was wrong is not optional: nothing refused it
			r.Optional = append(r.Optional, gone)
		}
	}
}

// mostLate is how many runs of a step are made again because the role was not in
// force yet.
const mostLate = 10

// remove takes the suspects away in earnest, and notes beside what their need was
// shown.
func (l *loop) remove(ctx context.Context, r *StepResult, suspects []grant.Grant, doubt doubts) error {
	if len(suspects) == 0 {
		return nil
	}
	rm := certify.Remove(suspects)
	whole, lates := r.Set(), 0
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
			return err
		}
		m := &marker{about: l.missing(r, less, out)}
		r.Proof.Removed++
		// What is asked about alone may take its time: how it ends is the answer.
		end, err := l.trial(ctx, r, passRemove, r.Proof.Removed, less, m, rm.Asking() > 1)
		if err != nil {
			return err
		}
		if l.late && !end.OK {
			// It was refused what its role holds: the canary was ahead, and what the
			// step failed of shows nothing of what was taken away.
			if lates++; lates > mostLate {
				rm.Stop("what the role holds was refused all the same: it was not in force yet")
				break
			}
			if err := l.tell(r, passRemove, len(out), "the role was not in force yet"); err != nil {
				return err
			}
			continue
		}
		m.mu.Lock()
		given := m.given
		m.mu.Unlock()
		for _, g := range m.masked { // which carry no token
			if slices.Contains(out, g) && !slices.ContainsFunc(given, func(p marked) bool { return slices.Contains(p.of, g) }) {
				given = append(given, marked{of: []grant.Grant{g}})
			}
		}
		lost := func(g grant.Grant) string { return change(classOf(r, g), g) }
		unchanged := map[string]bool{}
		var unclear string // of several that a refusal may be about
		for _, p := range given {
			for _, g := range p.of {
				switch what := lost(g); {
				case what == "":
				case len(p.of) == 1:
					unchanged[classOf(r, g)] = true
				case end.OK:
					unclear = what
				}
			}
		}
		run := read(r.Step, end, cmp.Or(l.difference(r, end, unchanged), unclear), given, lost)
		rm.Answer(run)
		if err := l.tell(r, passRemove, len(out), run.String()); err != nil {
			return err
		}
	}
	all := rm.Findings()
	for _, g := range suspects {
		delete(doubt, g)
		switch f := all[g]; f.Verdict {
		case certify.Spare:
			conclude(r, g, Optional, "")
		case certify.Needed:
			n := Certified
			if f.Difference != "" {
				n = Observed
			}
			conclude(r, g, n, f.Difference)
			for _, b := range f.Beside {
				doubt[g] = append(doubt[g], grant.Of(b))
			}
		default:
			// What was certified was so beside what may be needed, too.
			if certified(r, g) {
				conclude(r, g, Observed, "")
			}
			note := journal.Event{Kind: journal.KindNote, Step: r.Step.Name, Pass: passRemove, Grants: []grant.Grant{g}, Text: g.Permission + ": not certified: " + f.Why}
			if err := l.Journal.Append(note); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing gives what a refusal is about, of what was taken away.
func (l *loop) missing(r *StepResult, less grant.Set, out []grant.Grant) func(refusal.Exchange) []grant.Grant {
	return func(x refusal.Exchange) []grant.Grant {
		arb := l.newArbiter(context.Background(), r.Step, passRemove, watch, l.identities[r.Step.Name], less)
		if !arb.identity.Credentials.Issued(x.Credential) {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), putTimeout)
		defer cancel()
		denials, _ := arb.denials(ctx, x)
		var all []grant.Grant
		for _, d := range denials {
			if d.Reason == refusal.OpaqueDenial {
				// Which candidates it has follows from what is held; growth has found
				// out what requests of its class need.
				for _, o := range out {
					if classOf(r, o) == parsers.Class(x) && !slices.Contains(all, o) {
						all = append(all, o)
					}
				}
			}
			for _, g := range arb.decide(x, d).Grants {
				g = place.Unnamed(g, l.names)
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
	return a.Permission == b.Permission && (a.Condition == "" || a.Condition == b.Condition) && (a.Resource == b.Resource || catalog.Match(a.Resource, b.Resource))
}

// masked gives the grants whose request was answered as it never was while they
// were held, with an error that does not say that it is a refusal. Strange tells
// that there was such an answer, whatever it was about.
func (l *loop) masked(r *StepResult, arb *arbiter) (grants []grant.Grant, strange bool) {
	arb.mu.Lock()
	defer arb.mu.Unlock()
	before := l.grown[r.Step.Name].calls
	if before == nil {
		return nil, false
	}
	for class, statuses := range arb.calls {
		for status := range statuses {
			if status < 400 || before[class][status] > 0 {
				continue
			}
			strange = true
			for _, e := range r.Entries {
				if e.Class == class && !slices.Contains(grants, e.Grant) {
					grants = append(grants, e.Grant)
				}
			}
		}
	}
	slices.SortFunc(grants, grant.Compare)
	return grants, strange
}

func certified(r *StepResult, g grant.Grant) bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Grant == g && e.Necessity == Certified })
}

// classOf is the class of the requests that were refused without the grant.
func classOf(r *StepResult, g grant.Grant) string {
	if i := slices.IndexFunc(r.Entries, func(e Entry) bool { return e.Grant == g }); i >= 0 {
		return r.Entries[i].Class
	}
	return ""
}
