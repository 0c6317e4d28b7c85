package harness_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// show logs what was found.
func show(t *testing.T, got harness.Result, err error) {
	t.Logf("err=%v verified=%t", err, got.Verified)
	for _, s := range got.Steps {
		t.Logf("%s: %v; %s", s.Step.Name, necessities(s), s.Proof)
	}
}

// lone probes a lifecycle of one step.
func lone(t *testing.T, name string, calls map[string][][]call, wrap func(*cloud, *harness.Config)) (harness.Result, *memory) {
	var res harness.Result
	j := &memory{}
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{steps: calls}
		conf := certifying(c, j)
		conf.Lifecycle.Steps = steps()[:1]
		if wrap != nil {
			wrap(c, &conf)
		}
		got, err := harness.Run(t.Context(), conf)
		show(t, got, err)
		res = got
	})
	return res, j
}

// minimal fails if a step does not do with what it has, or if something is
// certified that it does without.
func minimal(t *testing.T, calls [][]call, s harness.StepResult) {
	set := s.Set()
	if !does(calls, set) {
		t.Errorf("does not do with %v", set.Permissions())
	}
	for _, e := range s.Entries {
		if e.Necessity == harness.Certified && does(calls, set.Without(e.Grant)) {
			t.Errorf("%s is %s and can be taken away", e.Grant.Permission, e.Necessity)
		}
	}
}

// two alternatives each way.
func TestTrapMutual(t *testing.T) {
	a, b := ec2("DescribeVpcs", "*"), ec2("DescribeSubnets", "*")
	one, two := a, b
	one.instead, two.instead = &b, &a
	calls := map[string][][]call{"apply": {{one, two}}}
	got, _ := lone(t, "mutual", calls, nil)
	minimal(t, calls["apply"], got.Steps[0])
}

// rerun + opaque.
func TestTrapOpaque(t *testing.T) {
	group := "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/workers"
	for _, st := range []harness.Strategy{harness.InFlight, harness.Rerun} {
		t.Run(string(st), func(t *testing.T) {
			run := func(kind string) grant.Grant {
				return grant.Grant{Permission: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:123456789012:" + kind + "/*"}
			}
			needs := []grant.Grant{run("instance"), run("subnet")}
			create := call{action: "autoscaling:CreateAutoScalingGroup", resource: group, also: needs, opaque: true,
				form: "&AutoScalingGroupName=workers&LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0"}
			calls := map[string][][]call{"apply": {{create}}}
			got, _ := lone(t, "opaque", calls, func(c *cloud, conf *harness.Config) { conf.Strategy = st })
			minimal(t, calls["apply"], got.Steps[0])
		})
	}
}

// tardy makes the step take long when it gets far enough, and honours its timeout.
type tardy struct {
	*cloud
	long time.Duration
}

func (s tardy) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	began := time.Now()
	out, err := s.cloud.Attempt(ctx, a)
	if err != nil || !out.OK {
		return out, err
	}
	if a.Step.Timeout != 0 && s.long > a.Step.Timeout {
		time.Sleep(a.Step.Timeout)
		return harness.Outcome{Diagnostics: []harness.Diagnostic{{Summary: "stopped: its timeout is over"}}, Duration: time.Since(began)}, nil
	}
	time.Sleep(s.long)
	out.Duration = time.Since(began)
	return out, nil
}

// short failing runs before one long one.
func TestTrapTimeout(t *testing.T) {
	var calls [][]call
	for _, op := range []string{"DescribeVpcs", "DescribeSubnets", "DescribeImages", "DescribeInstances", "DescribeVolumes"} {
		calls = append(calls, []call{ec2(op, "*")})
	}
	spare := ec2("DescribeHosts", "*")
	spare.optional = true
	calls = append(calls, []call{spare})
	// needed and in flight: Rerun keeps optional out, so the spare one is in the start
	steps := map[string][][]call{"apply": calls}
	for _, st := range []harness.Strategy{harness.Rerun} {
		got, _ := lone(t, "timeout", steps, func(c *cloud, conf *harness.Config) {
			conf.Executor = tardy{c, 30 * time.Minute}
			conf.Strategy = st
			conf.Start = map[string]grant.Set{"apply": grant.Of(grant.Grant{Permission: "ec2:DescribeHosts", Resource: "*"})}
		})
		minimal(t, calls, got.Steps[0])
	}
}

// resume in place.
func TestTrapResumeInPlace(t *testing.T) {
	spare := ec2("DescribeHosts", "*")
	spare.optional = true
	calls := [][]call{{ec2("DescribeVpcs", "*")}, {spare}}
	steps := map[string][][]call{"apply": calls}
	got, j := lone(t, "resume", steps, func(c *cloud, conf *harness.Config) {
		conf.Executor = tardy{c, 10 * time.Minute}
		conf.World, conf.Certify, conf.Resetter = nil, harness.Full, &resets{}
		conf.Lifecycle.Reference, conf.SkipVerify = false, true
		conf.Lifecycle.Steps[0].Reset = []string{"undo"}
		conf.Known = map[string]harness.Known{"apply": {Done: true, Runs: 1, Entries: []harness.Entry{
			{Grant: grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"}, Necessity: harness.Observed, Class: "x"},
			{Grant: grant.Grant{Permission: "ec2:DescribeHosts", Resource: "*"}, Necessity: harness.Observed, Class: "y"},
		}}}
	})
	minimal(t, calls, got.Steps[0])
	for _, e := range j.events {
		t.Log(e.Kind, e.Pass, e.OK, e.Necessity, e.Text)
	}
}

// requests of one class that differ from run to run.
type nonce struct {
	*cloud
	n *int
}

func (s nonce) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	*s.n++
	for _, side := range s.cloud.steps[a.Step.Name] {
		for i := range side {
			if side[i].form != "" {
				side[i].form = fmt.Sprintf("&Tagged=%t&ClientToken=%d", len(side[i].also) > 0, *s.n)
			}
		}
	}
	return s.cloud.Attempt(ctx, a)
}

func TestTrapClass(t *testing.T) {
	one := call{action: "ec2:DescribeVpcs", resource: "*", form: "&x"}
	two := call{action: "ec2:DescribeVpcs", resource: "*", form: "&x", optional: true, also: []grant.Grant{{Permission: "ec2:DescribeAddresses", Resource: "*"}}}
	calls := map[string][][]call{"apply": {{one}, {two}}}
	got, _ := lone(t, "class", calls, func(c *cloud, conf *harness.Config) { conf.Executor = nonce{c, new(int)} })
	minimal(t, calls["apply"], got.Steps[0])
}

// warns of X on stderr, then waits in vain for Y, which it does without after a minute.
type warner struct{ *cloud }

func (w warner) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	began := time.Now()
	var out harness.Outcome
	note := &noting{a.Withhold, nil}
	if a.Withhold != nil {
		a.Withhold = note
	}
	_ = w.cloud.do(ctx, a, ec2("DescribeHosts", "*")) // "warning: …" on stderr
	if len(note.tokens) > 0 {
		out.Tokens = append(out.Tokens, harness.Token{Text: note.tokens[0], Stream: "stderr"})
	}
	for range 12 {
		if w.cloud.do(ctx, a, ec2("DescribeTags", "*")) == nil {
			break
		}
		select {
		case <-a.Stop:
			out.Diagnostics = []harness.Diagnostic{{Summary: "stopped: it did nothing but ask again"}}
			out.Duration = time.Since(began)
			return out, nil
		case <-time.After(5 * time.Second):
		}
	}
	out.OK, out.Duration = true, time.Since(began)
	return out, nil
}

type exchange = refusal.Exchange

type noting struct {
	harness.Withholder
	tokens []string
}

func (n *noting) Withheld(x exchange) (exchange, string, bool) {
	r, tok, ok := n.Withholder.Withheld(x)
	if ok {
		n.tokens = append(n.tokens, tok)
	}
	return r, tok, ok
}
func (n *noting) Marked(x exchange) (string, bool) {
	tok, ok := n.Withholder.Marked(x)
	if ok {
		n.tokens = append(n.tokens, tok)
	}
	return tok, ok
}

func TestTrapVain(t *testing.T) {
	a, b := ec2("DescribeHosts", "*"), ec2("DescribeTags", "*")
	a.optional, b.optional = true, true
	calls := map[string][][]call{"apply": {{a}, {b}}}
	got, j := lone(t, "vain", calls, func(c *cloud, conf *harness.Config) { conf.Executor = warner{c} })
	minimal(t, calls["apply"], got.Steps[0])
	for _, e := range j.events {
		if e.Kind == journal.KindNote {
			t.Log(e.Pass, e.Text)
		}
	}
}

// interrupted before the doubt is settled.
func TestTrapInterrupted(t *testing.T) {
	a, b := ec2("DescribeVpcs", "*"), ec2("DescribeSubnets", "*")
	one := a
	one.instead = &b
	// tries Vpcs, else Subnets; and later needs Vpcs itself: Subnets is spare.
	early := b
	early.optional = true
	calls := map[string][][]call{"apply": {{early}, {one}, {a}}}
	var known map[grant.Grant]harness.Entry
	_, j := lone(t, "interrupted", calls, nil)
	known = map[grant.Grant]harness.Entry{}
	for _, e := range j.events {
		if e.Kind == journal.KindAttempt && e.Pass == journal.PassRemove {
			break
		}
		if e.Kind == journal.KindIntent || e.Kind == journal.KindFound {
			for _, g := range e.Grants {
				known[g] = harness.Entry{Grant: g, Necessity: harness.Necessity(e.Necessity), Class: e.Class}
			}
		}
	}
	t.Log("in the journal when interrupted:", known)
	var entries []harness.Entry
	for _, e := range known {
		entries = append(entries, e)
	}
	got, _ := lone(t, "resumed", calls, func(c *cloud, conf *harness.Config) {
		conf.Known = map[string]harness.Known{"apply": {Entries: entries}}
	})
	minimal(t, calls["apply"], got.Steps[0])
}

// succeeds_when takes any failure.
func TestTrapExcused(t *testing.T) {
	spare := ec2("DescribeHosts", "*")
	spare.optional = true
	calls := map[string][][]call{"apply": {{ec2("DescribeVpcs", "*")}, {spare}}}
	got, _ := lone(t, "excused", calls, func(c *cloud, conf *harness.Config) {
		c.broken = map[string]string{"apply": "too many retries waiting for SSH"}
		conf.Executor = excusing{c}
	})
	minimal(t, calls["apply"], got.Steps[0])
}

// resumed after the budget ended, without snapshots: what earlier steps made is gone.
type needsMade struct {
	*cloud
	made *bool
}

func (n needsMade) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	out, err := n.cloud.Attempt(ctx, a)
	switch a.Step.Name {
	case "apply":
		*n.made = *n.made || out.OK
	case "use":
		if out.OK && !*n.made {
			return harness.Outcome{Diagnostics: []harness.Diagnostic{{Summary: "no such image"}}}, nil
		}
	case "destroy":
		*n.made = false
	}
	return out, err
}

func TestTrapResumeShort(t *testing.T) {
	j := &memory{}
	synctest.Test(t, func(t *testing.T) {
		calls := map[string][][]call{"apply": {{ec2("CreateImage", "*")}}, "use": {{ec2("DescribeVpcs", "*")}, {ec2("DescribeHosts", "*")}}, "destroy": {{ec2("DeleteVpc", vpcs)}}}
		made := false
		run := func(known map[string]harness.Known, budget int) (harness.Result, error) {
			c := &cloud{steps: calls}
			conf := certifying(c, j)
			conf.Executor = needsMade{c, &made}
			conf.World, conf.Certify, conf.Resetter = nil, harness.Full, &resets{}
			conf.Lifecycle.Reference = false
			st := steps()
			use := st[0]
			use.Name, use.Command, use.Reset = "use", []string{"use"}, []string{"undo"}
			conf.Lifecycle.Steps = append(st[:1:1], use, st[1])
			conf.Known, conf.Budget.Runs = known, budget
			return harness.Run(t.Context(), conf)
		}
		got, err := run(nil, 1)
		show(t, got, err)
		known := map[string]harness.Known{}
		for _, s := range got.Steps {
			known[s.Step.Name] = harness.Known{Entries: s.Entries, Done: true, Runs: 1}
		}
		got, err = run(known, 0)
		show(t, got, err)
		if err != nil {
			t.Error(err)
		}
	})
}

// the run that leaves the step's work for the next one fails by itself, once.
func TestTrapFlakyInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, j := &cloud{steps: stack()}, &memory{}
		conf := certifying(c, j)
		conf.World, conf.Certify, conf.Resetter = nil, harness.Full, &resets{}
		conf.Lifecycle.Steps[0].Reset = []string{"undo"}
		conf.Lifecycle.Reference = false
		c.flaky = func() bool { return c.attempts == 5 } // growth, three runs withholding, and the last
		got, err := harness.Run(t.Context(), conf)
		show(t, got, err)
		if err != nil {
			t.Error(err)
		}
	})
}

// a command warns of what it does without, on stderr, and fails by itself once.
type warns struct {
	*cloud
	n *int
}

func (w warns) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	note := &noting{a.Withhold, nil}
	if a.Withhold != nil {
		a.Withhold = note
		*w.n++
	}
	_ = w.cloud.do(ctx, a, ec2("DescribeHosts", "*"))
	if a.Withhold != nil && *w.n == 1 {
		out := harness.Outcome{Diagnostics: []harness.Diagnostic{{Summary: "make ended with exit code 2", Detail: "connection reset by peer"}}}
		if len(note.tokens) > 0 {
			out.Tokens = []harness.Token{{Text: note.tokens[0], Stream: "stderr"}}
		}
		return out, nil
	}
	return harness.Outcome{OK: true}, nil
}

func TestTrapWarnsAndFails(t *testing.T) {
	a := ec2("DescribeHosts", "*")
	a.optional = true
	calls := map[string][][]call{"apply": {{a}}}
	got, _ := lone(t, "warns", calls, func(c *cloud, conf *harness.Config) {
		conf.Executor = warns{c, new(int)}
		conf.Lifecycle.Steps[0].Command = []string{"make"}
	})
	minimal(t, calls["apply"], got.Steps[0])
}

// as above, and the two send requests that are not the same.
func TestTrapMutualApart(t *testing.T) {
	v := func(op, form string) call { return call{action: "ec2:" + op, resource: "*", form: form} }
	one, two := v("DescribeVpcs", "&n=1"), v("DescribeSubnets", "&n=2")
	oneElse, twoElse := v("DescribeSubnets", "&n=1"), v("DescribeVpcs", "&n=2")
	one.instead, two.instead = &oneElse, &twoElse
	calls := map[string][][]call{"apply": {{one, two}}}
	got, j := lone(t, "mutual", calls, nil)
	minimal(t, calls["apply"], got.Steps[0])
	for _, e := range j.events {
		if e.Kind == journal.KindNote {
			t.Log(e.Pass, e.Text)
		}
	}
}

// masked, start, excused.
func TestTrapExcusedMasked(t *testing.T) {
	m := ec2("DescribeImages", "*")
	m.masked = true
	calls := map[string][][]call{"apply": {{m}, {ec2("DescribeVpcs", "*")}}}
	got, _ := lone(t, "excused masked", calls, func(c *cloud, conf *harness.Config) {
		c.broken = map[string]string{"apply": "too many retries waiting for SSH"}
		conf.Executor = excusing{c}
		conf.Start = map[string]grant.Set{"apply": grant.Of(grant.Grant{Permission: "ec2:DescribeImages", Resource: "*"}, grant.Grant{Permission: "ec2:DescribeVpcs", Resource: "*"})}
	})
	minimal(t, calls["apply"], got.Steps[0])
}

// the step polls something that answers 404 for 40 s as a rule.
type polls struct{ *cloud }

func (p polls) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	began := time.Now()
	for i := range 9 {
		x := ec2("DescribeImages", "*").exchange(a.Identity)
		x.Status = 404
		if i == 8 {
			x.Status = 200
		}
		a.Arbiter.Observed(x, 0)
		select {
		case <-a.Stop:
			return harness.Outcome{Diagnostics: []harness.Diagnostic{{Summary: "stopped"}}, Duration: time.Since(began)}, nil
		case <-time.After(5 * time.Second):
		}
	}
	out, err := p.cloud.Attempt(ctx, a)
	out.Duration = time.Since(began)
	return out, err
}

func TestTrapPolls(t *testing.T) {
	var calls [][]call
	for _, op := range []string{"DescribeVpcs", "DescribeSubnets", "DescribeInstances", "DescribeVolumes"} {
		calls = append(calls, []call{ec2(op, "*")})
	}
	got, _ := lone(t, "polls", map[string][][]call{"apply": calls}, func(c *cloud, conf *harness.Config) { conf.Executor = polls{c} })
	minimal(t, calls, got.Steps[0])
}

// Of many that fail the step at once, each was seen beside two that are swallowed
// first and fatal later: without these, they are asked about together.
func TestDoubtTogether(t *testing.T) {
	early := func(op string) call { c := ec2(op, "*"); c.optional = true; return c }
	many := []call{}
	for i := range 8 {
		many = append(many, ec2(fmt.Sprintf("CreateThing%d", i), "*"))
	}
	calls := map[string][][]call{"apply": {{early("DescribeVpcs"), early("DescribeSubnets")}, many, {ec2("DescribeVpcs", "*")}, {ec2("DescribeSubnets", "*")}}}
	got, _ := lone(t, "together", calls, nil)
	minimal(t, calls["apply"], got.Steps[0])
	s := got.Steps[0]
	for _, e := range s.Entries {
		if e.Necessity != harness.Certified {
			t.Errorf("%s is %s", e.Grant.Permission, e.Necessity)
		}
	}
	if s.Proof.Removed > 4 {
		t.Errorf("%d runs without grants for 10 grants, want 4 at most", s.Proof.Removed)
	}
}

// What an interrupted run has certified stays so where the budget of the resumed one
// ends before a doubt about what is asked with it is settled.
func TestBudgetKeepsWhatIsCertified(t *testing.T) {
	tag := grant.Grant{Permission: "ec2:CreateTags", Resource: "*"}
	look := ec2("DescribeVpcs", "*")
	early := look
	early.optional = true
	vpc := ec2("CreateVpc", "*")
	vpc.also = []grant.Grant{tag}
	calls := map[string][][]call{"apply": {{early}, {vpc}, {look}}}
	got, _ := lone(t, "known", calls, func(_ *cloud, conf *harness.Config) {
		conf.Budget.Runs = 1
		conf.Known = map[string]harness.Known{"apply": {Entries: []harness.Entry{
			{Grant: grant.Grant{Permission: vpc.action, Resource: vpc.resource}, Necessity: harness.Certified},
			{Grant: tag, Necessity: harness.Observed},
			{Grant: grant.Grant{Permission: look.action, Resource: look.resource}, Necessity: harness.Observed},
		}}}
	})
	known := necessities(got.Steps[0])
	if !got.Steps[0].Proof.Short || !slices.Equal(known[harness.Certified], []string{vpc.action}) || len(known[harness.Observed]) != 2 {
		t.Errorf("%v, %s: want %s certified still, and nothing else", known, got.Steps[0].Proof, vpc.action)
	}
}
