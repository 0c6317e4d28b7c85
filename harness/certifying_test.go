package harness_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

func certifying(c *cloud, j *memory) harness.Config {
	conf := config(c, j)
	conf.Certify = harness.Fast
	return conf
}

// necessities lists a step's grants by how well they are known.
func necessities(r harness.StepResult) map[harness.Necessity][]string {
	all := map[harness.Necessity][]string{}
	for _, e := range slices.Concat(r.Entries, r.Optional) {
		all[e.Necessity] = append(all[e.Necessity], e.Grant.Permission)
	}
	return all
}

func TestCertifiesEachGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := &cloud{steps: stack()}, &memory{}
		got, err := harness.Run(t.Context(), certifying(c, j))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []grant.Set{applySet, destroySet} {
			r := got.Steps[i]
			if !r.Set().Equal(want) || len(necessities(r)[harness.Certified]) != want.Len() {
				t.Errorf("%s: %v, want %v, all certified", r.Step.Name, r.Entries, want)
			}
			if most := r.Proof.Chain + 2; r.Proof.Withheld > most || r.Proof.Removed != 0 {
				t.Errorf("%s: %s", r.Step.Name, r.Proof)
			}
		}
		// The apply asks for its three calls one after another, with CreateRole
		// beside the second.
		if p := got.Steps[0].Proof; p.Questions != 4 || p.Chain != 3 || p.Withheld != 3 {
			t.Errorf("apply: %s, want 4 questions, a chain of 3 and as many runs", p)
		}
		for step, puts := range c.during {
			if slices.Min(puts) != slices.Max(puts) {
				t.Errorf("%s: a role was changed while requests were withheld: %v", step, puts)
			}
		}
		if len(c.during) != 2 {
			t.Errorf("requests were withheld in %d steps, want 2", len(c.during))
		}
	})
}

// TestResumeAsksAsBefore: wherever certifying was interrupted, the steps that were
// through are not asked about again, and the others by withholding.
func TestResumeAsksAsBefore(t *testing.T) {
	spare := ec2("DescribeAvailabilityZones", "*")
	spare.optional = true
	calls := stack()
	calls["apply"] = append([][]call{{spare}}, calls["apply"]...)
	run := func(j *memory, known map[string]harness.Known) (got harness.Result, err error) {
		synctest.Test(t, func(t *testing.T) {
			conf := certifying(&cloud{steps: calls}, j)
			conf.Known = known
			got, err = harness.Run(t.Context(), conf)
		})
		return got, err
	}
	clean := &memory{}
	want, err := run(clean, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for n, e := range clean.events {
		if e.Pass != journal.PassCertify && e.Pass != journal.PassRemove {
			continue
		}
		if e.Kind == journal.KindFound {
			found[e.Step] += len(e.Grants)
		}
		j := &memory{failAt: n + 2} // the event after it
		if _, err := run(j, nil); err == nil {
			t.Fatalf("append %d failed and nobody said so", n+2)
		}
		got, err := run(&memory{}, harness.KnownOf(j.events))
		if err != nil {
			t.Fatalf("append %d: resumed: %v", n+2, err)
		}
		for i, r := range got.Steps {
			if diff := cmp.Diff(necessities(want.Steps[i]), necessities(r)); diff != "" {
				t.Errorf("append %d: resumed: %s (-want +got):\n%s", n+2, r.Step.Name, diff)
			}
			asked := want.Steps[i].Proof.Withheld
			if found[r.Step.Name] == len(r.Entries) {
				asked = 0
			}
			if len(r.Optional) == 0 && (r.Proof.Withheld != asked || r.Proof.Removed != want.Steps[i].Proof.Removed) {
				t.Errorf("append %d: resumed: %s: %s, want %d runs withholding", n+2, r.Step.Name, r.Proof, asked)
			}
		}
	}
}

// TestTakesAwayWhatIsSwallowed: what a tool does without is listed, not granted.
func TestTakesAwayWhatIsSwallowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spare := ec2("DescribeAvailabilityZones", "*")
		spare.optional = true
		calls := stack()
		calls["apply"] = append([][]call{{spare}}, calls["apply"]...)
		c, j := &cloud{steps: calls}, &memory{}
		got, err := harness.Run(t.Context(), certifying(c, j))
		if err != nil {
			t.Fatal(err)
		}
		r := got.Steps[0]
		if !got.Verified || !r.Set().Equal(applySet) || len(r.Optional) != 1 || r.Optional[0].Grant.Permission != spare.action {
			t.Errorf("verified %t, kept %v, optional %v", got.Verified, r.Entries, r.Optional)
		}
	})
}

// TestKeepsWhatChangesTheOutcome: a tool that goes on without a thing it was to
// make has not done as well.
func TestKeepsWhatChangesTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tags := call{action: "ec2:CreateTags", resource: subnets, optional: true}
		calls := stack()
		calls["apply"] = append(calls["apply"], []call{tags})
		c, j := &cloud{steps: calls}, &memory{}
		got, err := harness.Run(t.Context(), certifying(c, j))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got.Steps[0].Entries {
			isTags := e.Grant == grant.Grant{Permission: "ec2:CreateTags", Resource: subnets}
			if isTags != (e.Difference != "") || isTags != (e.Necessity == harness.Observed) {
				t.Errorf("%v", e)
			}
		}
		if n := len(got.Steps[0].Entries); n != applySet.Len()+1 {
			t.Errorf("%d grants, want %d", n, applySet.Len()+1)
		}
	})
}

// TestKeepsWhatLeadsToAChange: a tool that may not see a thing leaves it alone, and
// has not done as well.
func TestKeepsWhatLeadsToAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drop := ec2("DeleteKeyPair", "*")
		look := ec2("DescribeKeyPairs", "*")
		look.optional, look.then = true, &drop
		calls := stack()
		calls["destroy"] = append(calls["destroy"], []call{look})
		c, j := &cloud{steps: calls}, &memory{}
		got, err := harness.Run(t.Context(), certifying(c, j))
		if err != nil {
			t.Fatal(err)
		}
		r := got.Steps[1]
		for _, want := range []string{look.action, drop.action} {
			i := slices.IndexFunc(r.Entries, func(e harness.Entry) bool { return e.Grant.Permission == want })
			if i < 0 || !strings.Contains(r.Entries[i].Difference, "DeleteKeyPair") {
				t.Errorf("%s: %v, optional %v", want, r.Entries, r.Optional)
			}
		}
	})
}

// TestBudget: at its end the run stops, and what was not asked is observed.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := &cloud{steps: stack()}, &memory{}
		conf := certifying(c, j)
		conf.Budget.Runs = 3 // one for the destroy, which costs least and comes first
		got, err := harness.Run(t.Context(), conf)
		if err != nil {
			t.Fatal(err)
		}
		known := necessities(got.Steps[0])
		if !got.Verified || len(known[harness.Certified]) != 4 || len(known[harness.Observed]) != 1 || !got.Steps[0].Proof.Short {
			t.Errorf("apply: %v, %s", known, got.Steps[0].Proof)
		}
		if known := necessities(got.Steps[1]); len(known[harness.Certified]) != 2 || got.Steps[1].Proof.Short {
			t.Errorf("destroy: %v, %s", known, got.Steps[1].Proof)
		}
	})
}

// world draws a lifecycle with what makes certifying hard in it.
func planted(r *rand.Rand) map[string][][]call {
	ops := strings.Fields("DescribeVpcs DescribeSubnets DescribeImages DescribeInstances DescribeVolumes DescribeSnapshots DescribeKeyPairs DescribeRouteTables DescribeHosts DescribeTags")
	draw := func() call { return ec2(ops[r.IntN(len(ops))], "*") }
	steps := map[string][][]call{}
	for _, name := range []string{"apply", "replan", "update", "destroy"} {
		for range 1 + r.IntN(4) {
			var side []call
			for range 1 + r.IntN(3) {
				c := draw()
				switch r.IntN(9) {
				case 0:
					c.optional = true
				case 1:
					c.lost = true
				case 2: // either of two will do
					other := draw()
					c.instead = &other
				case 3: // the first time it does not matter
					steps[name] = append(steps[name], []call{{action: c.action, resource: "*", optional: true}})
				case 4: // ten at once
					for i := range 9 {
						c.also = append(c.also, grant.Grant{Permission: fmt.Sprintf("ec2:DescribeThing%d", i), Resource: "*"})
					}
				case 5:
					c.masked = true
				}
				side = append(side, c)
			}
			steps[name] = append(steps[name], side)
		}
	}
	return steps
}

// does tells whether a step made of the calls does with the set.
func does(calls [][]call, set grant.Set) bool {
	var passes func(one call) bool
	passes = func(one call) bool {
		for _, g := range append([]grant.Grant{{Permission: one.action, Resource: one.resource}}, one.also...) {
			if !set.Has(g) {
				return one.optional || one.instead != nil && passes(*one.instead)
			}
		}
		return true
	}
	for _, side := range calls {
		for _, one := range side {
			if !passes(one) {
				return false
			}
		}
	}
	return true
}

// TestPlantedTruths: of a hundred lifecycles with permissions that are optional,
// have an alternative, are needed the second time only, show only in a later
// step, come ten at once, or are refused as 404, and a tool that fails by itself
// in one run of twenty, every step ends with a set that does and of which nothing
// can be taken away.
func TestPlantedTruths(t *testing.T) {
	grants, certified, putBack := 0, 0, 0
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 6))
			c, j := &cloud{steps: planted(r)}, &memory{}
			conf := certifying(c, j)
			conf.Lifecycle.Steps = []lifecycle.Step{
				{Name: "apply", Phase: lifecycle.Init, Command: []string{"apply"}},
				{Name: "replan", Phase: lifecycle.Ongoing, Command: []string{"replan"}},
				{Name: "update", Phase: lifecycle.Ongoing, Command: []string{"update"}},
				{Name: "destroy", Phase: lifecycle.Teardown, Command: []string{"destroy"}},
			}
			// By itself only once growth is through: a step that fails there, and
			// nothing was refused, ends the run.
			c.flaky = func() bool {
				return slices.ContainsFunc(j.events, func(e journal.Event) bool { return e.Pass == journal.PassCertify }) && r.IntN(20) == 0
			}
			got, err := harness.Run(t.Context(), conf)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, s := range got.Steps {
				calls, set := c.steps[s.Step.Name], s.Set()
				if !does(calls, set) {
					t.Errorf("seed %d: %s does not do with %v", seed, s.Step.Name, set.Permissions())
				}
				for _, e := range s.Entries {
					grants++
					if e.Necessity == harness.Certified {
						certified++
					}
					if less := set.Without(e.Grant); does(calls, less) {
						t.Errorf("seed %d: %s: %s is %s and can be taken away", seed, s.Step.Name, e.Grant, e.Necessity)
					}
				}
				putBack += s.Proof.PutBack
			}
		})
	}
	t.Logf("%d grants, %d certified, %d put back", grants, certified, putBack)
	if certified != grants {
		t.Errorf("%d of %d grants are not certified", grants-certified, grants)
	}
}

// resets counts what was taken back.
type resets struct{ of []string }

func (r *resets) Reset(_ context.Context, s lifecycle.Step) error {
	r.of = append(r.of, s.Name)
	return nil
}

// TestFullWithoutSnapshots: a step that can be taken back is certified where it
// has grown, and what it makes is there when the next one begins; one that cannot
// stays observed.
func TestFullWithoutSnapshots(t *testing.T) {
	for _, depth := range []harness.Depth{harness.Fast, harness.Full} {
		synctest.Test(t, func(t *testing.T) {
			c, j, back := &cloud{steps: stack()}, &memory{}, &resets{}
			conf := certifying(c, j)
			conf.World, conf.Certify, conf.Resetter = nil, depth, back
			conf.Lifecycle.Steps[0].Reset = []string{"undo"}
			got, err := harness.Run(t.Context(), conf)
			if err != nil {
				t.Fatal(err)
			}
			apply, destroy := necessities(got.Steps[0]), necessities(got.Steps[1])
			want := map[harness.Depth]harness.Necessity{harness.Fast: harness.Observed, harness.Full: harness.Certified}[depth]
			if !got.Verified || len(apply[want]) != applySet.Len() || len(destroy[harness.Observed]) != destroySet.Len() {
				t.Errorf("%s: apply %v, destroy %v", depth, apply, destroy)
			}
			// Before each run but the first of all, and before the one that leaves
			// what the next step needs.
			if n := len(back.of); depth == harness.Fast && n != 0 || depth == harness.Full && n != got.Steps[0].Proof.Withheld+1 {
				t.Errorf("%s: taken back %d times, for %s", depth, n, got.Steps[0].Proof)
			}
			last := ""
			for _, e := range j.events {
				if e.Kind == journal.KindAttempt && e.Step == "destroy" && e.Pass == journal.PassGrow {
					break
				}
				if e.Kind == journal.KindAttemptEnd && e.Step == "apply" {
					last = fmt.Sprint(e.OK)
				}
			}
			if last != "true" {
				t.Errorf("%s: the step before destroy ended with ok %s", depth, last)
			}
		})
	}
}
