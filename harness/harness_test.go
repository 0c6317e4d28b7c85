package harness_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

const (
	vpcs    = "arn:aws:ec2:us-east-1:123456789012:vpc/*"
	subnets = "arn:aws:ec2:us-east-1:123456789012:subnet/*"
	worker  = "arn:aws:iam::123456789012:role/worker"
)

func ec2(op, resource string) call { return call{action: "ec2:" + op, resource: resource} }

// stack is a lifecycle of an apply, which makes two things side by side, and a
// destroy.
func stack() map[string][][]call {
	return map[string][][]call{
		"apply": {
			{ec2("DescribeVpcs", "*")},
			{
				{action: "ec2:CreateVpc", resource: vpcs, also: []grant.Grant{{Permission: "ec2:CreateTags", Resource: vpcs}}},
				{action: "iam:CreateRole", resource: worker},
			},
			{ec2("CreateSubnet", subnets), ec2("DescribeVpcs", "*")},
		},
		"destroy": {{ec2("DeleteVpc", vpcs), {action: "iam:DeleteRole", resource: worker}}},
	}
}

func steps() []lifecycle.Step {
	return []lifecycle.Step{
		{Name: "apply", Phase: lifecycle.Init, Command: []string{"apply"}},
		{Name: "destroy", Phase: lifecycle.Teardown, Command: []string{"destroy"}},
	}
}

func config(c *cloud, j *memory) harness.Config {
	return harness.Config{
		Lifecycle: lifecycle.Lifecycle{Cloud: "aws", Reference: true, Sandbox: lifecycle.Sandbox{Embedded: true}, Steps: steps()},
		Executor:  c, Pool: c, World: c, Journal: j, Account: "123456789012",
	}
}

var applySet = grant.Of(
	grant.Grant{Permission: "ec2:CreateSubnet", Resource: subnets},
	grant.Grant{Permission: "ec2:CreateTags", Resource: vpcs},
	grant.Grant{Permission: "ec2:CreateVpc", Resource: vpcs},
	grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"},
	grant.Grant{Permission: "iam:CreateRole", Resource: worker},
)

var destroySet = grant.Of(
	grant.Grant{Permission: "ec2:DeleteVpc", Resource: vpcs},
	grant.Grant{Permission: "iam:DeleteRole", Resource: worker},
)

func TestInFlightTakesOneRunOfEachStep(t *testing.T) {
	for _, propagation := range []time.Duration{0, 3 * time.Second, 2 * time.Minute} {
		t.Run(propagation.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, j := &cloud{steps: stack(), propagation: propagation}, &memory{}
				got, err := harness.Run(t.Context(), config(c, j))
				if err != nil {
					t.Fatal(err)
				}
				if !got.Verified {
					t.Error("not verified")
				}
				for i, want := range []grant.Set{applySet, destroySet} {
					if diff := cmp.Diff(want.Slice(), got.Steps[i].Set().Slice()); diff != "" {
						t.Errorf("step %s (-want +got):\n%s", got.Steps[i].Step.Name, diff)
					}
					if got.Steps[i].Runs != 1 {
						t.Errorf("step %s took %d runs", got.Steps[i].Step.Name, got.Steps[i].Runs)
					}
				}
				if c.seen != 0 {
					t.Errorf("the client saw %d refusals", c.seen)
				}
				if !c.released {
					t.Error("the roles were not emptied")
				}
			})
		})
	}
}

// Every grant is on disk as an intent before the role changes.
func TestIntentIsJournaledBeforeTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := &cloud{steps: stack()}, &memory{}
		if _, err := harness.Run(t.Context(), config(c, j)); err != nil {
			t.Fatal(err)
		}
		intended := map[grant.Grant]bool{}
		granted := 0
		for _, e := range j.events {
			for _, g := range e.Grants {
				switch e.Kind {
				case journal.KindIntent:
					intended[g] = true
				case journal.KindGranted:
					granted++
					if !intended[g] {
						t.Errorf("granted before it was intended: %s", g)
					}
				}
			}
		}
		if want := applySet.Len() + destroySet.Len(); granted != want {
			t.Errorf("%d grants journaled, want %d", granted, want)
		}
	})
}

func TestDenialsOfOneMomentShareAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		side := []call{}
		for _, op := range []string{"CreateVpc", "CreateInternetGateway", "CreateRouteTable", "CreateSecurityGroup"} {
			side = append(side, ec2(op, "*"))
		}
		c := &cloud{steps: map[string][][]call{"apply": {side}}}
		cfg := config(c, &memory{})
		cfg.Lifecycle.Reference, cfg.SkipVerify = false, true
		cfg.Lifecycle.Steps = steps()[:1]
		if _, err := harness.Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if c.puts != 2 { // the empty start, and one change for all four
			t.Errorf("%d changes of the role, want 2", c.puts)
		}
	})
}

// late is an executor whose calls start one after the other, each a while after
// the one before it.
type late struct {
	*cloud
	apart time.Duration
}

func (l late) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, one := range l.steps[a.Step.Name][0] {
		wg.Go(func() { l.do(ctx, a, one) })
		time.Sleep(l.apart)
	}
	wg.Wait()
	return harness.Outcome{OK: true}, ctx.Err()
}

// A denial joins a batch that another came for less than 10 ms ago, but none is
// kept waiting for more than 50 ms.
func TestABatchEnds(t *testing.T) {
	for apart, want := range map[time.Duration]int{9 * time.Millisecond: 3, 20 * time.Millisecond: 1 + 12} {
		synctest.Test(t, func(t *testing.T) {
			side := []call{}
			for _, letter := range "ABCDEFGHIJKL" {
				side = append(side, ec2("Create"+string(letter), "*"))
			}
			c := &cloud{steps: map[string][][]call{"apply": {side}}}
			cfg := config(c, &memory{})
			cfg.Executor = late{c, apart}
			cfg.Lifecycle.Reference, cfg.SkipVerify = false, true
			cfg.Lifecycle.Steps = steps()[:1]
			if _, err := harness.Run(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if c.puts != want { // the empty start among them
				t.Errorf("denials %v apart: %d changes of the role, want %d", apart, c.puts, want)
			}
		})
	}
}

func TestRerunIsTheClassicLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := &cloud{steps: stack(), propagation: 3 * time.Second}, &memory{}
		cfg := config(c, j)
		cfg.Strategy = harness.Rerun
		got, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Verified || !got.Steps[0].Set().Equal(applySet) {
			t.Errorf("verified %t, apply %v", got.Verified, got.Steps[0].Set().Slice())
		}
		// Describe; both creates; the tag; the subnet; and the run that passes:
		// at least five, with more for grants not in force yet.
		if got.Steps[0].Runs < 5 {
			t.Errorf("apply took %d runs, want at least 5", got.Steps[0].Runs)
		}
		for _, name := range c.restored {
			if strings.HasPrefix(name, "before-") {
				t.Errorf("the classic loop restored %s; it goes on in what the failed run left", name)
			}
		}
	})
}

func TestHowAStepEnds(t *testing.T) {
	tests := []struct {
		name   string
		change func(*cloud, *harness.Config)
		want   func(error) bool
		text   string
	}{
		{
			name: "stuck",
			change: func(c *cloud, cfg *harness.Config) {
				c.propagation = time.Hour
				cfg.Lifecycle.Reference = false
				cfg.Patience = 10 * time.Second
			},
			want: is[*harness.StuckError], text: "ec2:DescribeVpcs",
		},
		{
			name: "blocked",
			change: func(c *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Reference = false
				c.steps["apply"][1][0].deny = "a service control policy"
			},
			want: is[*harness.BlockedError], text: "service control policy",
		},
		{
			name:   "blocked in the reference",
			change: func(c *cloud, _ *harness.Config) { c.steps["apply"][1][0].deny = "a service control policy" },
			want:   is[*harness.BlockedError], text: "service control policy",
		},
		{
			name: "refused as somebody else",
			change: func(c *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Reference = false
				c.steps["apply"][0][0].as = "arn:aws:iam::123456789012:user/somebody-else"
			},
			want: is[*harness.FailedError], text: "DescribeVpcs",
		},
		{
			name:   "failed even as administrator",
			change: func(c *cloud, _ *harness.Config) { c.broken = map[string]string{"destroy": "no such bucket"} },
			want:   is[*harness.FailedError], text: "no such bucket",
		},
		{
			name: "failed after growth",
			change: func(c *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Reference = false
				c.broken = map[string]string{"apply": "invalid CIDR"}
			},
			want: is[*harness.FailedError], text: "invalid CIDR",
		},
		{
			name:   "a plan that writes",
			change: func(_ *cloud, cfg *harness.Config) { cfg.Lifecycle.Steps[0].ReadOnly = true },
			want:   is[*harness.ForbiddenError], text: "for the request POST ", // which of two it names is chance
		},
		{
			name: "ceiling",
			change: func(_ *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Ceiling = []string{"ec2:*"}
			},
			want: is[*harness.ForbiddenError], text: "iam:CreateRole",
		},
		{
			name: "a real account needs approval for what escalates",
			change: func(c *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Sandbox = lifecycle.Sandbox{Account: "123456789012"}
				c.steps["apply"][1][1] = call{action: "iam:PutRolePolicy", resource: worker}
			},
			want: is[*harness.ForbiddenError], text: "iam:PutRolePolicy",
		},
		{
			name: "a foreign credential never grows the role",
			change: func(c *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Reference = false
				c.steps["apply"][0][0].foreign = true
			},
			want: is[*harness.FailedError], text: "DescribeVpcs",
		},
		{
			name: "what a module prints never grants",
			change: func(c *cloud, cfg *harness.Config) {
				cfg.Lifecycle.Reference = false
				c.broken = map[string]string{"apply": "User: arn:aws:sts::123456789012:assumed-role/apply/probe is not authorized to perform: iam:AttachRolePolicy on resource: " + worker + " because no identity-based policy allows the iam:AttachRolePolicy action"}
			},
			want: is[*harness.FailedError], text: "iam:AttachRolePolicy",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, j := &cloud{steps: stack()}, &memory{}
				cfg := config(c, j)
				tt.change(c, &cfg)
				got, err := harness.Run(t.Context(), cfg)
				if err == nil {
					t.Fatalf("no error; found %v", got.Steps[0].Set().Slice())
				}
				if !tt.want(err) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%T: %v; want it to speak of %q", err, err, tt.text)
				}
				if got.Verified {
					t.Error("verified")
				}
				if !c.released {
					t.Error("the roles were not emptied")
				}
			})
		})
	}
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// A bare Access Denied for a request that may have lacked several permissions:
// the held request itself shows which it needs.
func TestOpaqueCandidatesAreSifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		put := call{action: "s3:PutObject", resource: "arn:aws:s3:::artifacts/app.zip", opaque: true,
			header: http.Header{"X-Amz-Acl": {"private"}}}
		c, j := &cloud{steps: map[string][][]call{"apply": {{put}}}}, &memory{}
		cfg := config(c, j)
		cfg.Lifecycle.Steps = steps()[:1]
		got, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := grant.Of(grant.Grant{Permission: "s3:PutObject", Resource: "arn:aws:s3:::artifacts/app.zip"})
		if s := got.Steps[0]; !s.Set().Equal(want) || s.Entries[0].Necessity != harness.Observed || len(s.Optional) != 0 || s.Set().Len() != 1 {
			t.Errorf("entries %+v, optional %+v; want %v observed and nothing of the ACL", s.Entries, s.Optional, want.Slice())
		}
	})
}

// Of many candidates the request is asked about each in turn, and what the
// service refuses by name in between is granted too.
func TestManyOpaqueCandidatesAreSifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const group = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/herd"
		run := func(kind string) grant.Grant {
			return grant.Grant{Permission: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:123456789012:" + kind + "/*"}
		}
		needs := []grant.Grant{run("instance"), {Permission: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1::image/*"}, run("subnet"),
			run("network-interface"), run("security-group"), run("volume"), run("launch-template"),
			{Permission: "iam:PassRole", Resource: worker}}
		create := call{action: "autoscaling:CreateAutoScalingGroup", resource: group, also: needs, opaque: true,
			form: "&AutoScalingGroupName=herd&LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0"}
		pass := call{action: "iam:AddRoleToInstanceProfile", resource: "arn:aws:iam::123456789012:instance-profile/worker",
			also: []grant.Grant{{Permission: "iam:PassRole", Resource: worker}}, form: "&InstanceProfileName=worker&RoleName=worker"}
		c := &cloud{steps: map[string][][]call{"apply": {{pass}, {create}}}, propagation: time.Second}
		cfg := config(c, &memory{})
		cfg.Lifecycle.Steps = steps()[:1]
		got, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := grant.Of(append(needs, grant.Grant{Permission: create.action, Resource: group}, grant.Grant{Permission: pass.action, Resource: pass.resource})...)
		if diff := cmp.Diff(want.Slice(), got.Steps[0].Set().Slice()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, e := range got.Steps[0].Entries {
			if e.Necessity != harness.Observed {
				t.Errorf("%s is %s", e.Grant, e.Necessity)
			}
		}
	})
}

// What the role holds only while an opaque refusal is asked about lets no other request
// through that needs it too, whichever of them was refused first.
func TestGuessesAreNoGrants(t *testing.T) {
	on := func(kind string) string { return "arn:aws:ec2:us-east-1:123456789012:" + kind + "/*" }
	create := call{action: "autoscaling:CreateAutoScalingGroup", resource: "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/herd", opaque: true,
		also: []grant.Grant{{Permission: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1::image/*"}, {Permission: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/*"}},
		form: "&AutoScalingGroupName=herd&LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0"}
	for _, kind := range []string{"instance", "subnet", "network-interface", "security-group", "volume", "key-pair", "launch-template"} {
		create.also = append(create.also, grant.Grant{Permission: "ec2:RunInstances", Resource: on(kind)})
	}
	// A guess about the group, which does without it; another request does not.
	tags := grant.Grant{Permission: "ec2:CreateTags", Resource: on("volume")}
	volume := ec2("CreateVolume", "*")
	volume.also = []grant.Grant{tags}
	volume.later = 3 * time.Second
	after := func(n int, last call) call {
		for i := range n {
			one := ec2(fmt.Sprintf("DescribeThing%d", i), "*")
			next := last
			one.then = &next
			last = one
		}
		return last
	}
	for n := range 8 {
		t.Run(fmt.Sprintf("group %d, volume %d", n, 7-n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config(&cloud{steps: map[string][][]call{"apply": {{after(n, create), after(7-n, volume)}}}, propagation: time.Second}, &memory{})
				cfg.Lifecycle.Steps, cfg.SkipVerify = steps()[:1], true
				got, err := harness.Run(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				want := grant.Of(append(create.also, tags)...)
				for _, one := range []call{create, volume} {
					want = want.With(grant.Grant{Permission: one.action, Resource: one.resource})
				}
				for i := range max(n, 7-n) {
					want = want.With(grant.Grant{Permission: fmt.Sprintf("ec2:DescribeThing%d", i), Resource: "*"})
				}
				if diff := cmp.Diff(want.Slice(), got.Steps[0].Set().Slice()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A grant whose request was never let through is not observed to be needed: it
// is taken away again when the step does as well without it, and listed.
func TestWhatWasNeverLetThroughIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps := stack()
		steps["apply"] = append(steps["apply"], []call{{action: "ec2:DescribeImages", resource: "*", optional: true,
			also: []grant.Grant{{Permission: "ec2:DescribeRegions", Resource: "arn:aws:ec2:us-east-1:123456789012:vpc/never"}}, stubborn: true}})
		c := &cloud{steps: steps}
		cfg := config(c, &memory{})
		cfg.Lifecycle.Reference = false
		cfg.Patience = 5 * time.Second
		got, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s := got.Steps[0]; !s.Set().Equal(applySet) || len(s.Optional) != 1 || !got.Verified {
			t.Errorf("entries %v, optional %+v, verified %t", s.Set().Slice(), s.Optional, got.Verified)
		}
	})
}

// On a real cloud a resumed run neither repeats what is done nor tears it down
// for a reference.
func TestResumeWithoutSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &memory{}
		cfg := config(&cloud{steps: stack()}, j)
		cfg.World, cfg.SkipVerify = nil, true
		cfg.Known = map[string]harness.Known{"apply": {Done: true, Runs: 1, Entries: []harness.Entry{
			{Grant: grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"}, Necessity: harness.Observed},
			{Grant: grant.Grant{Permission: "*", Resource: "*"}, Necessity: harness.Observed},
		}}}
		got, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range j.events {
			if e.Kind == journal.KindAttempt && (e.Pass != journal.PassGrow || e.Step != "destroy") {
				t.Errorf("ran %s in pass %s", e.Step, e.Pass)
			}
		}
		if s := got.Steps[0]; s.Set().Len() != 1 || s.Runs != 1 {
			t.Errorf("apply: %v in %d runs; want what was known, and not everything", s.Set().Slice(), s.Runs)
		}
	})
}

// The journal or the role failing at any point ends the run with an error; a
// run that is told what the journal says then finds the same.
func TestACrashAnywhereLosesNothing(t *testing.T) {
	clean := &memory{}
	synctest.Test(t, func(t *testing.T) {
		if _, err := harness.Run(t.Context(), config(&cloud{steps: stack()}, clean)); err != nil {
			t.Fatal(err)
		}
	})
	for n := 1; n <= len(clean.events); n++ {
		synctest.Test(t, func(t *testing.T) {
			j := &memory{failAt: n}
			c := &cloud{steps: stack()}
			_, err := harness.Run(t.Context(), config(c, j))
			if err == nil {
				t.Fatalf("append %d failed and nobody said so", n)
			}
			if !c.released {
				t.Errorf("append %d failed: the roles were not emptied", n)
			}
			known := map[string]harness.Known{}
			for _, e := range j.events {
				if e.Kind == journal.KindIntent {
					k := known[e.Step]
					for _, g := range e.Grants {
						k.Entries = append(k.Entries, harness.Entry{Grant: g, Necessity: harness.Observed, Class: e.Class})
					}
					known[e.Step] = k
				}
			}
			cfg := config(&cloud{steps: stack()}, &memory{})
			cfg.Known = known
			got, err := harness.Run(t.Context(), cfg)
			if err != nil {
				t.Fatalf("append %d: resumed: %v", n, err)
			}
			if !got.Verified || !got.Steps[0].Set().Equal(applySet) || !got.Steps[1].Set().Equal(destroySet) {
				t.Errorf("append %d: resumed to %v and %v", n, got.Steps[0].Set().Slice(), got.Steps[1].Set().Slice())
			}
		})
	}
}

// Each change of a role failing ends the run by its name, with empty roles; a run that is told what the journal says then
// finds the same.
func TestEachChangeOfARoleFails(t *testing.T) {
	puts := 0
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{steps: stack()}
		if _, err := harness.Run(t.Context(), config(c, &memory{})); err != nil {
			t.Fatal(err)
		}
		puts = c.puts
	})
	if puts < 8 {
		t.Fatalf("only %d changes", puts)
	}
	for n := 1; n <= puts; n++ {
		synctest.Test(t, func(t *testing.T) {
			j := &memory{}
			c := &cloud{steps: stack(), failPut: n}
			if _, err := harness.Run(t.Context(), config(c, j)); err == nil || !strings.Contains(err.Error(), "throttled for ever") {
				t.Fatalf("change %d failed: %v", n, err)
			}
			if held := c.heldAtAll(); held != "" || !c.released {
				t.Errorf("change %d failed: released %t, %s", n, c.released, held)
			}
			again := &memory{}
			cfg := config(&cloud{steps: stack()}, again)
			cfg.Known = harness.KnownOf(j.events)
			got, err := harness.Run(t.Context(), cfg)
			if err != nil || !got.Verified || !got.Steps[0].Set().Equal(applySet) || !got.Steps[1].Set().Equal(destroySet) {
				t.Errorf("change %d failed: resumed to %v and %v, %v", n, got.Steps[0].Set().Slice(), got.Steps[1].Set().Slice(), err)
			}
			if twice := intendedTwice(j.events, again.events); twice != "" {
				t.Errorf("change %d failed: asked again for %s", n, twice)
			}
		})
	}
}

func TestARoleThatCannotBeChangedEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{steps: stack(), failPut: 4}
		cfg := config(c, &memory{})
		cfg.Lifecycle.Reference = false
		_, err := harness.Run(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "throttled for ever") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPassMustStartWhereTheLastOneDid(t *testing.T) {
	c := &cloud{steps: stack()}
	cfg := config(c, &memory{})
	cfg.World = nil
	cfg.Lifecycle.Steps = cfg.Lifecycle.Steps[:1]
	if _, err := harness.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "teardown") {
		t.Errorf("got %v; want an error that asks for a teardown step", err)
	}
}
