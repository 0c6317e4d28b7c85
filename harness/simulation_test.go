package harness_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

var (
	simSeeds = flag.Int("sim-seeds", 300, "how many seeds of the simulation")
	simFrom  = flag.Int("sim-from", 0, "the first of them")
	simSeed  = flag.Int("sim-seed", -1, "only this seed, with what happened")
)

// keptSeeds are seeds that once failed; they are run each time.
const keptSeeds = "testdata/seeds.txt"

// weather draws what goes wrong in the runs of a seed: of each kind in some seeds
// only, so that one does not hide the other.
func weather(r *rand.Rand) *storm {
	s := &storm{seed: r.Uint64()}
	if r.IntN(2) == 0 {
		s.fault = 1 + r.IntN(60)
		for _, f := range everyFault {
			if r.IntN(2) == 0 {
				s.faults = append(s.faults, f)
			}
		}
	}
	if r.IntN(3) == 0 {
		s.hangup = r.IntN(300)
	}
	if r.IntN(3) == 0 {
		s.flap = r.IntN(100)
	}
	if r.IntN(2) == 0 {
		s.lag, s.ahead = time.Duration(r.IntN(30))*time.Second, r.IntN(3) == 0
	}
	switch r.IntN(6) {
	case 0:
		s.failed = 1 + r.IntN(30)
	case 1, 2:
		s.die = 2 + r.IntN(150)
	case 3:
		s.full = 2 + r.IntN(150)
	}
	return s
}

// tally is what all seeds came to.
type tally struct {
	survived, stopped, resumed int
	faults                     map[string]int
	wrong, lost, left          int
}

// A lifecycle drawn by a seed, in weather drawn by it: whatever comes, the run
// ends with the least set that does, or with a reason by its name. No grant is
// called certified or optional that is not; none is made that no refusal named;
// what an interrupted run's journal has is not asked for again; and no role holds
// anything when all is over.
func TestSimulation(t *testing.T) {
	seeds := keptOf(t)
	for i := range *simSeeds {
		seeds = append(seeds, *simFrom+i)
	}
	if *simSeed >= 0 {
		seeds = []int{*simSeed}
	}
	sum := tally{faults: map[string]int{}}
	for _, seed := range seeds {
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = simulate(t, seed, &sum) })
		for _, w := range wrong {
			t.Errorf("seed %d: %s", seed, w)
		}
		if len(wrong) > 0 {
			t.Logf("again: go test ./harness -run TestSimulation -sim-seed=%d -v; then add it to %s", seed, keptSeeds)
		}
	}
	kinds := 0
	for _, name := range slices.Sorted(maps.Keys(sum.faults)) {
		kinds += sum.faults[name]
	}
	t.Logf("%d seeds: %d faults of %d kinds; %d runs to the end, %d stopped by name, %d resumed; %d wrong verdicts, %d lost, %d leftovers",
		len(seeds), kinds, len(sum.faults), sum.survived, sum.stopped, sum.resumed, sum.wrong, sum.lost, sum.left)
	t.Logf("SOAK simulated faults: tried %d, survived %d, wrong %d, lost %d, leftovers %d", kinds, kinds-sum.wrong-sum.lost-sum.left, sum.wrong, sum.lost, sum.left)
	if *simSeed < 0 && len(seeds) > 100 && (len(sum.faults) < 13 || sum.survived < len(seeds)/3) {
		t.Errorf("too fair weather: %v", sum.faults)
	}
}

func keptOf(t *testing.T) []int {
	t.Helper()
	text, err := os.ReadFile(keptSeeds)
	if err != nil {
		t.Fatal(err)
	}
	var seeds []int
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, n)
	}
	return seeds
}

// simulate runs one seed and says what is wrong.
func simulate(t *testing.T, seed int, sum *tally) (wrong []string) {
	r := rand.New(rand.NewPCG(uint64(seed), 12))
	say := func(count *int, format string, args ...any) {
		*count++
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	s := weather(r)
	c := &cloud{steps: planted(r), propagation: time.Duration(r.IntN(20)) * time.Second, storm: s}
	depth := []harness.Depth{harness.None, harness.Fast}[r.IntN(2)]
	reference := r.IntN(4) > 0
	var events []journal.Event
	for try := 0; ; try++ {
		j := &memory{events: slices.Clone(events), storm: s}
		conf := certifying(c, j)
		conf.Certify, conf.Lifecycle.Reference, conf.Patience = depth, reference, 2*time.Minute
		conf.Lifecycle.Steps = []lifecycle.Step{
			{Name: "apply", Phase: lifecycle.Init, Command: []string{"apply"}},
			{Name: "replan", Phase: lifecycle.Ongoing, Command: []string{"replan"}},
			{Name: "update", Phase: lifecycle.Ongoing, Command: []string{"update"}},
			{Name: "destroy", Phase: lifecycle.Teardown, Command: []string{"destroy"}},
		}
		conf.Known = harness.KnownOf(events)
		if try > 0 {
			sum.resumed++
			if err := c.Restore(t.Context(), harness.Start); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*24*time.Hour)
		got, err := harness.Run(ctx, conf)
		cancel()
		for name, n := range s.hits {
			sum.faults[name] += n
		}
		s.hits = nil
		if *simSeed >= 0 {
			t.Logf("faults %d, hang-ups %d, flapping %d, lag %s (canary ahead: %t), conflict at %d, killed at %d, full at %d\ncertify %s, reference %t: %v", s.fault, s.hangup, s.flap, s.lag, s.ahead, s.failed, s.die, s.full, depth, reference, err)
			for _, e := range j.events[len(events):] {
				t.Logf("%s %s %s %s %v %v %s", e.Pass, e.Step, e.Kind, e.Class, e.Grants, e.OK, e.Text)
			}
		}
		// Of what is certified growth is made again, for its questions.
		if again := intendedTwice(events, j.events[len(events):]); again != "" && depth == harness.None {
			say(&sum.lost, "asked again for what the journal had: %s", again)
		}
		if w := outOfTurn(j.events); w != "" {
			say(&sum.wrong, "%s", w)
		}
		for _, w := range verdicts(c.steps, got, err == nil) {
			say(&sum.wrong, "%s", w)
		}
		if s.killed() == nil && !errors.Is(err, harness.ErrNotReleased) {
			if held := c.heldAtAll(); held != "" {
				say(&sum.left, "%s", held)
			}
		}
		if err == nil {
			sum.survived++
			if !got.Verified {
				say(&sum.wrong, "ended without an error, and not verified")
			}
			return wrong
		}
		if !named(err) {
			say(&sum.lost, "stopped without a name: %v", err)
			return wrong
		}
		if try == 4 {
			sum.stopped++
			if *simSeed >= 0 {
				t.Logf("stopped: reference %t, canary ahead %t: %v", reference, s.ahead, err)
			}
			return wrong
		}
		// Again, in fair weather.
		events = j.events
		c.storm, s = nil, &storm{seed: s.seed + 1, lag: s.lag, ahead: s.ahead}
		c.storm = s
	}
}

// named tells whether an error says what it comes from.
func named(err error) bool {
	var (
		failed    *harness.FailedError
		stuck     *harness.StuckError
		blocked   *harness.BlockedError
		forbidden *harness.ForbiddenError
		unread    *harness.UnreadError
	)
	return errors.Is(err, errKilled) || errors.Is(err, errFull) || errors.Is(err, errConflict) ||
		errors.As(err, &failed) || errors.As(err, &stuck) || errors.As(err, &blocked) || errors.As(err, &forbidden) || errors.As(err, &unread) ||
		strings.Contains(err.Error(), "failed by itself") || strings.Contains(err.Error(), "was refused")
}

// intendedTwice names a grant that was intended by an interrupted run, and then
// again by the one that went on.
func intendedTwice(before, after []journal.Event) string {
	type one struct {
		step string
		g    grant.Grant
	}
	had := map[one]bool{}
	for _, e := range before {
		for _, g := range e.Grants {
			if e.Kind == journal.KindIntent && e.Pass == journal.PassGrow {
				had[one{e.Step, g}] = true
			}
			if e.Kind == journal.KindFound && e.Necessity == string(harness.Optional) {
				delete(had, one{e.Step, g}) // growth may be refused it again
			}
		}
	}
	for _, e := range after {
		for _, g := range e.Grants {
			if e.Kind == journal.KindIntent && e.Pass == journal.PassGrow && had[one{e.Step, g}] {
				return e.Step + " " + g.String()
			}
		}
	}
	return ""
}

// outOfTurn names a grant that was made before it was written down as intended.
func outOfTurn(events []journal.Event) string {
	intended := map[string]bool{}
	for _, e := range events {
		for _, g := range e.Grants {
			key := e.Step + " " + g.String()
			switch e.Kind {
			case journal.KindIntent, journal.KindPutBack:
				intended[key] = true
			case journal.KindGranted:
				if !intended[key] {
					return "granted before it was intended: " + key
				}
			}
		}
	}
	return ""
}

// verdicts says what is wrong with what was found: a grant that nothing refused,
// one that is called certified or optional and is not, and, at the end of a run,
// a set that does not do.
func verdicts(steps map[string][][]call, got harness.Result, ended bool) (wrong []string) {
	for _, s := range got.Steps {
		calls, set := steps[s.Step.Name], s.Set()
		could := map[grant.Grant]bool{}
		var add func(one call)
		add = func(one call) {
			for _, g := range append([]grant.Grant{{Permission: one.action, Resource: one.resource}}, one.also...) {
				could[g] = true
			}
			for _, next := range []*call{one.instead, one.then} {
				if next != nil {
					add(*next)
				}
			}
		}
		for _, side := range calls {
			for _, one := range side {
				add(one)
			}
		}
		if ended && !does(calls, set) {
			wrong = append(wrong, fmt.Sprintf("%s does not do with %v; called optional: %v", s.Step.Name, set.Permissions(), s.Optional))
		}
		for _, e := range s.Entries {
			if !could[e.Grant] {
				wrong = append(wrong, fmt.Sprintf("%s holds %s, which nothing refused", s.Step.Name, e.Grant))
			}
			if ended && e.Necessity == harness.Certified && does(calls, set.Without(e.Grant)) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is certified and can be taken away", s.Step.Name, e.Grant))
			}
		}
	}
	return wrong
}

// heldAtAll names a role that holds something.
func (c *cloud) heldAtAll() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, forces := range c.roles {
		if len(forces) > 0 && forces[len(forces)-1].set.Len() > 0 {
			return "role " + name + " still holds " + fmt.Sprint(forces[len(forces)-1].set.Permissions())
		}
	}
	return ""
}
