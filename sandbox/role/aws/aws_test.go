package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
)

func staticOperator(context.Context) (awssdk.Credentials, error) {
	return awssdk.Credentials{AccessKeyID: "OPERATOR", SecretAccessKey: "secret"}, nil
}

func open(t testing.TB, f *fake) *Pool {
	t.Helper()
	p, err := Open(t.Context(), f.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Release(context.Background()); err != nil && f.fail == nil {
			t.Errorf("release: %v", err)
		}
	})
	return p
}

func acquire(t testing.TB, p *Pool, name string) harness.Identity {
	t.Helper()
	id, err := p.Acquire(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// many is a set of long grants, some 460 characters each: 22 fill the inline
// policy, 13 a managed one.
func many(from, to int) grant.Set {
	var g []grant.Grant
	for i := from; i < to; i++ {
		g = append(g, grant.Grant{Permission: fmt.Sprintf("ec2:Action%04d", i), Resource: fmt.Sprintf("arn:aws:s3:::bucket/%0360d", i)})
	}
	return grant.Of(g...)
}

func TestAcquire(t *testing.T) {
	f := newFake()
	var announced []string
	cfg := f.config()
	cfg.Announce = func(kind, id string) error {
		if kind == KindRole && len(f.roles) > 0 {
			t.Error("announced after it was made")
		}
		if kind == KindCanaryKey && f.sessions[id] != "whittle-shop-apply" {
			t.Errorf("key %s is of role %q", id, f.sessions[id])
		}
		announced = append(announced, kind+" "+id)
		return nil
	}
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if p.Account() != fakeAccount || p.Region() != "eu-west-1" || p.Operator() != fakeOperator {
		t.Errorf("account %s, region %s, operator %s", p.Account(), p.Region(), p.Operator())
	}
	id := acquire(t, p, "apply")
	const arn = "arn:aws:iam::123456789012:role/whittle/whittle-shop-apply"
	if id.Principal != arn || id.Name != "apply" {
		t.Errorf("identity %+v", id)
	}
	// The canaries' key is another than those that a step gets, and is announced: by it
	// their calls are told from the step's.
	if diff := cmp.Diff([]string{"aws:iam:role " + arn, "aws:sts:canary-key ASIA1"}, announced); diff != "" {
		t.Error(diff)
	}
	if c := id.Credentials.(*credentials); !c.Issued("ASIA0") || c.Issued("ASIA1") {
		t.Error("a step gets the canaries' key, or not its own")
	}
	r := f.roles["whittle-shop-apply"]
	if want := (map[string]string{"whittle:managed": "true", "whittle:stack": "shop", "whittle:identity": "apply", "whittle:run": owned.Slug("Run 1", 64)}); !maps.Equal(r.tags, want) {
		t.Errorf("tags %v", r.tags)
	}
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ops/operator"},"Action":"sts:AssumeRole"}]}`
	if r.trust != trust {
		t.Errorf("trust %s", r.trust)
	}
	f.calls = nil
	if again := acquire(t, p, "apply"); again != id || len(f.calls) != 0 {
		t.Errorf("acquired again: %+v after %v", again, f.calls)
	}

	// Another run finds the role and what it holds, and takes it over.
	if err := id.Role.Put(t.Context(), many(0, 2)); err != nil {
		t.Fatal(err)
	}
	f.caller = "arn:aws:iam::123456789012:user/other"
	other := acquire(t, open(t, f), "apply")
	if other.Principal != arn || !f.holds("whittle-shop-apply").Equal(many(0, 2)) {
		t.Errorf("second run: %+v, holds %v", other, f.holds("whittle-shop-apply"))
	}
	if !strings.Contains(r.trust, "user/other") || strings.Contains(r.trust, "operator") {
		t.Errorf("trust of the second operator: %s", r.trust)
	}
}

// Whose trust a role gets: never more than the operator's own principal.
func TestTrustee(t *testing.T) {
	f := newFake()
	f.roles["Deploy"] = &fakeRole{name: "Deploy", arn: "arn:aws:iam::123456789012:role/sso/Deploy"}
	for operator, want := range map[string]string{
		"arn:aws:iam::123456789012:user/bob":                  "arn:aws:iam::123456789012:user/bob",
		"arn:aws:iam::123456789012:root":                      "arn:aws:iam::123456789012:root",
		"arn:aws:sts::123456789012:assumed-role/Deploy/me@x":  "arn:aws:iam::123456789012:role/sso/Deploy",
		"arn:aws:sts::123456789012:federated-user/bob":        "",
		"arn:aws:sts::123456789012:assumed-role/Gone/session": "",
		"nobody": "",
	} {
		f.caller = operator
		p, err := Open(t.Context(), f.config())
		if want == "" {
			if err == nil {
				t.Errorf("%s: opened, trusting %s", operator, p.trusted)
			}
			continue
		}
		if err != nil || p.trusted != want {
			t.Errorf("%s: %v, %v", operator, p, err)
		}
	}
	// Who may not read its own role is taken to have no path.
	f.caller = "arn:aws:sts::123456789012:assumed-role/Deploy/s"
	f.fail = func(_ int, action string, _ bool) *fakeError {
		if action == "GetRole" {
			return &fakeError{403, "AccessDenied", "no"}
		}
		return nil
	}
	if p, err := Open(t.Context(), f.config()); err != nil || p.trusted != "arn:aws:iam::123456789012:role/Deploy" {
		t.Errorf("unreadable role: %v, %v", p, err)
	}
}

func TestForeignIsNotTouched(t *testing.T) {
	for name, tags := range map[string]map[string]string{
		"untagged":       {},
		"another stack":  {"whittle:managed": "true", "whittle:stack": "other", "whittle:identity": "apply"},
		"another tool":   {"whittle:stack": "shop", "whittle:identity": "apply"},
		"other identity": {"whittle:managed": "true", "whittle:stack": "shop", "whittle:identity": "app"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			r := &fakeRole{name: "whittle-shop-apply", arn: "arn:aws:iam::123456789012:role/x", trust: "{}", tags: tags, inline: map[string]string{"own": `{"Statement":[]}`}}
			f.roles[r.name] = r
			p := open(t, f)
			_, err := p.Acquire(t.Context(), "apply")
			if foreign := (*ForeignError)(nil); !errors.As(err, &foreign) || foreign.ARN != r.arn {
				t.Errorf("got %v", err)
			}
			if _, err := Clean(t.Context(), f.config(), true); err != nil {
				t.Error(err)
			}
			if name != "other identity" && (f.roles[r.name] != r || r.trust != "{}" || len(r.inline) != 1) {
				t.Errorf("it was touched: %+v", r)
			}
		})
	}
	f := newFake()
	p := open(t, f)
	id := acquire(t, p, "apply")
	f.policies["arn:aws:iam::123456789012:policy/whittle/whittle-shop-apply-1"] = &fakePolicy{versions: []string{`{"Statement":[]}`}, live: []int{0}}
	err := id.Role.Put(t.Context(), many(0, 30))
	if foreign := (*ForeignError)(nil); !errors.As(err, &foreign) || foreign.Kind != "policy" {
		t.Errorf("got %v", err)
	}
}

func TestAcquireErrors(t *testing.T) {
	f := newFake()
	cfg := f.config()
	boom := errors.New("disk full")
	cfg.Announce = func(string, string) error { return boom }
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Acquire(t.Context(), "apply"); !errors.Is(err, boom) || len(f.roles) != 0 {
		t.Errorf("not announced: %v, roles %v", err, f.roles)
	}
	for _, tt := range []struct {
		action, code string
		want         []string
	}{
		{"GetRole", "AccessDenied", []string{"read role whittle-shop-apply", "needs iam:GetRole", fakeOperator}},
		{"CreateRole", "AccessDenied", []string{"create role whittle-shop-apply", "needs iam:CreateRole and iam:TagRole"}},
		{"CreateRole", "LimitExceeded", []string{"a quota of IAM", "whittle clean --purge"}},
		{"CreateRole", "Throttling", []string{"try again in a minute"}},
		{"AssumeRole", "ExpiredToken", []string{"assume role", "renew the operator's credentials"}},
	} {
		f := newFake()
		f.fail = func(_ int, action string, after bool) *fakeError {
			if action == tt.action && !after {
				return &fakeError{400, tt.code, "no"}
			}
			return nil
		}
		_, err := open(t, f).Acquire(t.Context(), "apply")
		for _, w := range append(tt.want, "identity apply: ") {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s %s: %v does not say %q", tt.action, tt.code, err, w)
			}
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("tells a secret: %v", err)
		}
	}
	if _, err := Open(t.Context(), Config{Stack: "s"}); err == nil {
		t.Error("opened without a region")
	}
}

// The SDK's own retries ride out throttling.
func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		left := map[string]int{}
		f.fail = func(_ int, action string, after bool) *fakeError {
			if left[action]++; left[action] <= 6 && !after {
				return &fakeError{400, []string{"Throttling", "ConcurrentModification"}[left[action]%2], "slow down"}
			}
			return nil
		}
		cfg := f.config()
		cfg.SDK.Retryer = nil
		p, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		id := acquire(t, p, "apply")
		if err := id.Role.Put(t.Context(), many(0, 3)); err != nil {
			t.Fatal(err)
		}
		if got := f.holds("whittle-shop-apply"); !got.Equal(many(0, 3)) {
			t.Errorf("holds %v", got.Slice())
		}
	})
}

func TestPutForms(t *testing.T) {
	f := newFake()
	p := open(t, f)
	id := acquire(t, p, "apply")
	r := f.roles["whittle-shop-apply"]
	for _, tt := range []struct {
		n, inline, managed int
	}{{0, 0, 0}, {5, 1, 0}, {40, 1, 2}, {100, 1, 6}, {99, 1, 6}, {3, 1, 0}, {40, 1, 2}, {0, 0, 0}} {
		// By hand or by another tool: not what Put was told, so gone after.
		r.inline["handmade"] = string(policy.FromSet(many(9000, 9001)).Print())
		f.policies["arn:aws:iam::aws:policy/AdministratorAccess"] = &fakePolicy{versions: []string{string(policy.FromSet(grant.Everything()).Print())}, live: []int{0}}
		r.attached = append(r.attached, "arn:aws:iam::aws:policy/AdministratorAccess")

		if err := id.Role.Put(t.Context(), many(0, tt.n)); err != nil {
			t.Fatalf("%d grants: %v", tt.n, err)
		}
		if got := f.holds(r.name); !got.Equal(many(0, tt.n)) {
			t.Errorf("%d grants: holds %d", tt.n, got.Len())
		}
		if len(r.inline) != tt.inline || len(r.attached) != tt.managed || len(f.policies) != 1+len(r.attached) {
			t.Errorf("%d grants: %d inline, %d attached of %d policies", tt.n, len(r.inline), len(r.attached), len(f.policies))
		}
	}
	f.calls = nil
	big := many(0, 200)
	err := id.Role.Put(t.Context(), big)
	if large := (*TooLargeError)(nil); !errors.As(err, &large) || large.Size != policy.FromSet(big).Size() || large.Capacity != 10*6144+10240 || large.Grants != 200 {
		t.Errorf("too large: %v", err)
	} else if !strings.Contains(err.Error(), "71680") {
		t.Errorf("says no numbers: %v", err)
	}
	for _, c := range f.calls {
		if !strings.HasPrefix(c, "List") && !strings.HasPrefix(c, "Get") {
			t.Errorf("too large, and still %s", c)
		}
	}
}

// At no moment does the role hold more than old and new together, or less than
// what both have; also where a call fails, or its reply is lost, and the whole
// is repeated; and a snapshot may come back at any time.
func TestPutTransitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		p, err := Open(context.Background(), f.config())
		if err != nil {
			t.Fatal(err)
		}
		id, err := p.Acquire(context.Background(), "apply")
		if err != nil {
			t.Fatal(err)
		}
		const name = "whittle-shop-apply"
		var lower, upper grant.Set
		f.wrote = func(_ string, holds grant.Set) {
			if !holds.SubsetOf(upper) {
				t.Fatalf("holds %d grants beyond old and new, after %v", holds.Minus(upper).Len(), f.calls)
			}
			if !lower.SubsetOf(holds) {
				t.Fatalf("lost %d grants that old and new have, after %v", lower.Minus(holds).Len(), f.calls)
			}
		}
		old := grant.Set{}
		var saved *fake
		for range rapid.IntRange(1, 3).Draw(t, "puts") {
			if rapid.IntRange(0, 4).Draw(t, "restore") == 0 && saved != nil {
				f.roles, f.policies = saved.copy()
				old = f.holds(name)
			}
			if rapid.IntRange(0, 2).Draw(t, "save") == 0 {
				saved = &fake{}
				saved.roles, saved.policies = f.copy()
			}
			from := rapid.IntRange(0, 60).Draw(t, "from")
			s := many(from, from+rapid.SampledFrom([]int{0, 1, 15, 25, 45, 70}).Draw(t, "size"))
			if rapid.Bool().Draw(t, "grow") && old.Len() < 60 {
				s = s.Union(old)
			}
			lower, upper = s.Minus(s.Minus(old)), s.Union(old)
			if fails := rapid.IntRange(0, 25).Draw(t, "fails at"); fails > 0 {
				at, after := len(f.calls)+fails, rapid.Bool().Draw(t, "after")
				f.fail = func(n int, _ string, a bool) *fakeError {
					if n == at && a == after {
						return &fakeError{500, "ServiceFailure", "crash"}
					}
					return nil
				}
			}
			if err := id.Role.Put(context.Background(), s); err != nil {
				f.fail = nil
				if rapid.Bool().Draw(t, "new process") {
					if p, err = Open(context.Background(), f.config()); err != nil {
						t.Fatal(err)
					}
					if id, err = p.Acquire(context.Background(), "apply"); err != nil {
						t.Fatal(err)
					}
				}
				if err := id.Role.Put(context.Background(), s); err != nil {
					t.Fatalf("repeated: %v", err)
				}
			}
			f.fail = nil
			if got := f.holds(name); !got.Equal(s) {
				t.Fatalf("holds %d grants, want %d", got.Len(), s.Len())
			}
			for arn, p := range f.policies {
				if len(p.live) > policy.VersionLimit {
					t.Fatalf("%s has %d versions", arn, len(p.live))
				}
			}
			old = s
		}
	})
}

func (f *fake) copy() (map[string]*fakeRole, map[string]*fakePolicy) {
	roles, policies := map[string]*fakeRole{}, map[string]*fakePolicy{}
	for n, r := range f.roles {
		c := *r
		c.inline, c.attached = maps.Clone(r.inline), slices.Clone(r.attached)
		roles[n] = &c
	}
	for n, p := range f.policies {
		c := *p
		c.versions, c.live = slices.Clone(p.versions), slices.Clone(p.live)
		policies[n] = &c
	}
	return roles, policies
}

// IAM's lists and reads may be older than the last change, and what this
// process did must not be forgotten for it.
func TestPutBesideStaleReads(t *testing.T) {
	f := newFake()
	id := acquire(t, open(t, f), "apply")
	for i, s := range []grant.Set{many(0, 40), many(0, 39), many(0, 40), many(0, 39), many(0, 100), {}, many(0, 40), many(0, 1)} {
		if err := id.Role.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if got := f.holds("whittle-shop-apply"); !got.Equal(s) {
			t.Errorf("put %d: holds %d grants, want %d", i, got.Len(), s.Len())
		}
		f.stale = true
	}
	f.stale = false
}

func TestSettle(t *testing.T) {
	for name, tt := range map[string]struct {
		set   grant.Set
		delay time.Duration
	}{
		"at once":       {many(0, 3), 0},
		"slow":          {many(0, 3), 20 * time.Second},
		"empty":         {grant.Set{}, 20 * time.Second},
		"everything":    {grant.Everything(), 20 * time.Second},
		"first canary":  {grant.Of(grant.Grant{Permission: "sqs:*", Resource: "*"}), 7 * time.Second},
		"managed too":   {many(0, 30), 7 * time.Second},
		"several parts": {grant.Of(grant.Grant{Permission: "*", Resource: "arn:aws:s3:::a"}, grant.Grant{Permission: "iam:*", Resource: "*"}), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.delay = tt.delay
				cfg := f.config()
				cfg.Poll = Poll{}
				p, err := Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				id := acquire(t, p, "apply")
				for _, s := range []grant.Set{grant.Everything(), many(2, 5)} {
					// What was in force before must not be taken for s.
					if err := id.Role.Put(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					if err := id.Role.Settle(t.Context(), tt.set); err != nil {
						t.Fatal(err)
					}
					// In force now at the slow place, and nothing else. (Several in a
					// row, places taken in turn: the slow one was among them.)
					f.mu.Lock()
					key := slices.Collect(maps.Keys(f.sessions))[0]
					for _, probe := range []string{"ec2:Action0001", "s3:GetObject", "sqs:ListQueues", "kms:ListAliases", "iam:GetAccountSummary"} {
						want := allows(t, tt.set, probe)
						for range 2 {
							if got := f.authorize(key, probe) == nil; got != want {
								t.Errorf("%s after settling: allowed %v, want %v", probe, got, want)
							}
						}
					}
					f.mu.Unlock()
					if got := f.holds("whittle-shop-apply"); !got.Equal(tt.set) {
						t.Errorf("holds %v", got.Slice())
					}
				}
			})
		})
	}
}

func allows(t *testing.T, s grant.Set, permission string) bool {
	t.Helper()
	d, err := evaluate.Documents([]policy.Document{policy.FromSet(s)}, evaluate.Request{Action: permission, Resource: "*"})
	if err != nil {
		t.Fatal(err)
	}
	return d == evaluate.Allow
}

func TestSettleFails(t *testing.T) {
	t.Run("never refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.delay = time.Hour // the old policy stays in force
			p := open(t, f)
			id := func() harness.Identity {
				f.delay = 0
				defer func() { f.delay = time.Hour }()
				return acquire(t, p, "apply")
			}()
			if err := id.Role.Put(t.Context(), grant.Everything()); err != nil {
				t.Fatal(err)
			}
			f.roles["whittle-shop-apply"].history[0] = moment{time.Time{}, []string{string(policy.FromSet(grant.Everything()).Print())}}
			err := id.Role.Settle(t.Context(), many(0, 1))
			u := (*UnsettledError)(nil)
			if !errors.As(err, &u) || u.Want != "refused" || u.Canary != "sqs:ListQueues" || u.Seen != "let through" || u.Waited < 4*time.Second {
				t.Errorf("got %v", err)
			}
			if got := f.holds("whittle-shop-apply"); got.Len() != 0 {
				t.Errorf("holds %v", got.Slice())
			}
		})
	})
	t.Run("never allowed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			p := open(t, f)
			id := acquire(t, p, "apply")
			f.delay = time.Hour
			err := id.Role.Settle(t.Context(), many(0, 1))
			u := (*UnsettledError)(nil)
			if !errors.As(err, &u) || u.Want != "allowed" || !strings.Contains(u.Seen, "no identity-based policy") {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("canceled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			p := open(t, f)
			id := acquire(t, p, "apply")
			f.delay = time.Hour
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := id.Role.Settle(ctx, many(0, 1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	})
	// A canary that an organization forbids is refused whatever the role holds:
	// its refusal is no evidence, and another is taken.
	t.Run("forbidden canary", func(t *testing.T) {
		f := newFake()
		f.denied["sqs:ListQueues"] = "with an explicit deny in a service control policy"
		f.denied["kms:ListAliases"] = "because no permissions boundary allows the kms:ListAliases action"
		id := acquire(t, open(t, f), "apply")
		if err := id.Role.Settle(t.Context(), many(0, 1)); err != nil {
			t.Fatal(err)
		}
		f.denied["iam:GetAccountSummary"] = "with an explicit deny in a service control policy"
		f.denied["iam:ListAccountAliases"] = f.denied["iam:GetAccountSummary"]
		if err := id.Role.Settle(t.Context(), many(0, 1)); err == nil || !strings.Contains(err.Error(), "no canary can be used") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("every canary in part", func(t *testing.T) {
		id := acquire(t, open(t, newFake()), "apply")
		if err := id.Role.Settle(t.Context(), grant.Of(grant.Grant{Permission: "*", Resource: "arn:aws:s3:::a"})); err == nil {
			t.Error("settled")
		}
	})
}

func fetch(t *testing.T, method string, env map[string]string, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestCredentials(t *testing.T) {
	f := newFake()
	p := open(t, f)
	a, b := acquire(t, p, "plan/all"), acquire(t, p, "apply")
	env, err := a.Credentials.Env(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.Credentials.Env(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		if env[k] != want {
			t.Errorf("%s is %q", k, env[k])
		}
	}
	token := env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	if len(token) != 64 || token == other["AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
		t.Errorf("token %q", token)
	}
	for k, v := range env {
		if strings.Contains(v, "secret") || strings.Contains(v, "ASIA") {
			t.Errorf("%s holds a key: %s", k, v)
		}
	}

	// As the SDK in the child does it.
	provider := endpointcreds.New(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], func(o *endpointcreds.Options) { o.AuthorizationToken, o.Retryer = token, awssdk.NopRetryer{} })
	got, err := provider.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.SecretAccessKey != "secret" || got.SessionToken != "token" || !got.CanExpire || time.Until(got.Expires) < freshLength {
		t.Errorf("got %+v", got)
	}
	session := strings.Replace(strings.Replace(a.Principal, ":iam:", ":sts:", 1), "role/whittle/", "assumed-role/", 1) + "/any"
	for principal, want := range map[string]bool{
		a.Principal: true, session: true, b.Principal: false, "": true, "AROAEXAMPLE:any": true,
		strings.Replace(session, "123456789012", "210987654321", 1): false,
		strings.Replace(session, "/any", "-other/any", 1):           false,
	} {
		if a.Credentials.Is(principal) != want {
			t.Errorf("%s is %s: %t", a.Principal, principal, !want)
		}
	}
	if !a.Credentials.Issued(got.AccessKeyID) || b.Credentials.Issued(got.AccessKeyID) || a.Credentials.Issued("OPERATOR") || a.Credentials.Issued("") {
		t.Errorf("issued %s", got.AccessKeyID)
	}

	for name, status := range map[string]int{"": 403, "x": 403, token + "x": 403, other["AWS_CONTAINER_AUTHORIZATION_TOKEN"]: 403, "Bearer " + token: 403} {
		if got, body := fetch(t, http.MethodGet, env, name); got != status || strings.Contains(body, "secret") {
			t.Errorf("with token %q: %d %s", name, got, body)
		}
	}
	if got, body := fetch(t, http.MethodPost, env, token); got != 405 || strings.Contains(body, "secret") {
		t.Errorf("POST: %d %s", got, body)
	}
	nowhere := maps.Clone(env)
	nowhere["AWS_CONTAINER_CREDENTIALS_FULL_URI"] += "x"
	if got, _ := fetch(t, http.MethodGet, nowhere, token); got != 403 {
		t.Errorf("unknown identity: %d", got)
	}
	if err := p.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Retrieve(t.Context()); err == nil {
		t.Error("the endpoint outlives the pool")
	}
}

// A step longer than a session gets new keys in time, and the old ones stay
// known as the identity's.
func TestCredentialsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := acquire(t, open(t, f), "apply").Credentials.(*credentials)
		seen := map[string]bool{}
		for range 100 {
			got, err := c.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.Expires); left < freshLength-time.Minute {
				t.Fatalf("handed out with %v left", left)
			}
			seen[got.AccessKeyID] = true
			time.Sleep(5 * time.Minute)
		}
		if len(seen) < 8 || len(seen) > 17 {
			t.Errorf("%d sessions in 500 minutes", len(seen))
		}
		for id := range seen {
			if !c.Issued(id) {
				t.Errorf("%s is not known", id)
			}
		}
	})
}

func TestReleaseGoesOn(t *testing.T) {
	f := newFake()
	p := open(t, f)
	for _, n := range []string{"a", "b", "c"} {
		if err := acquire(t, p, n).Role.Put(t.Context(), many(0, 2)); err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	f.fail = func(_ int, action string, after bool) *fakeError {
		if action == "DeleteRolePolicy" && !after && failed == 0 {
			failed++
			return &fakeError{500, "ServiceFailure", "no"}
		}
		return nil
	}
	if err := p.Release(t.Context()); err == nil || !strings.Contains(err.Error(), "identity a: release") {
		t.Errorf("got %v", err)
	}
	for n, want := range map[string]int{"a": 2, "b": 0, "c": 0} {
		if got := f.holds("whittle-shop-" + n).Len(); got != want {
			t.Errorf("%s holds %d", n, got)
		}
	}
	f.fail = nil
}

func TestClean(t *testing.T) {
	f := newFake()
	p := open(t, f)
	for _, n := range []string{"a", "b"} {
		if err := acquire(t, p, n).Role.Put(t.Context(), many(0, 30)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := f.config()
	cfg.Stack = "other"
	other, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := acquire(t, other, "a").Role.Put(t.Context(), many(0, 30)); err != nil {
		t.Fatal(err)
	}
	// Left by a crash: made, and never attached.
	const orphan = "arn:aws:iam::123456789012:policy/whittle/whittle-shop-z-1"
	f.policies[orphan] = &fakePolicy{versions: []string{`{"Statement":[]}`}, live: []int{0}, tags: map[string]string{"whittle:managed": "true", "whittle:stack": "shop"}}
	kept := len(f.roles["whittle-other-a"].attached)

	report, err := Clean(t.Context(), f.config(), false)
	if err != nil {
		t.Fatal(err)
	}
	want := Report{Emptied: []string{"arn:aws:iam::123456789012:role/whittle/whittle-shop-a", "arn:aws:iam::123456789012:role/whittle/whittle-shop-b"}, Deleted: []string{orphan}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	if f.holds("whittle-shop-a").Len() != 0 || f.holds("whittle-other-a").Len() != 30 || len(f.policies) != kept {
		t.Errorf("a holds %d, the other stack %d, %d policies", f.holds("whittle-shop-a").Len(), f.holds("whittle-other-a").Len(), len(f.policies))
	}
	report, err = Clean(t.Context(), f.config(), true)
	if err != nil || len(report.Deleted) != 2 || len(f.roles) != 1 {
		t.Errorf("purge: %+v, %v; left %v", report, err, slices.Collect(maps.Keys(f.roles)))
	}
	if report, err = Clean(t.Context(), f.config(), true); err != nil || len(report.Deleted)+len(report.Emptied) != 0 {
		t.Errorf("again: %+v, %v", report, err)
	}
}

func TestDecode(t *testing.T) {
	f := newFake()
	p := open(t, f)
	msg := func(s string) string {
		return `{"allowed":false,"explicitDeny":false,"matchedStatements":{"items":[]},"context":{"principal":{"id":"A","arn":"arn:aws:sts::123456789012:assumed-role/x/s"},` + s + `,"conditions":{"items":[]}}}`
	}
	got, err := p.Decode(t.Context(), msg(`"action":"ec2:CreateVpc","resource":"arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1"`))
	if want := (grant.Grant{Permission: "ec2:CreateVpc", Resource: "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1"}); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := p.Decode(t.Context(), msg(`"action":"ec2:DescribeVpcs"`)); err != nil || got.Resource != "*" {
		t.Errorf("without resource: %v, %v", got, err)
	}
	deny := strings.Replace(msg(`"action":"ec2:CreateVpc","resource":"*"`), `"explicitDeny":false`, `"explicitDeny":true`, 1)
	if d := (*DeniedError)(nil); func() bool { _, err := p.Decode(t.Context(), deny); return !errors.As(err, &d) }() || d.Grant.Permission != "ec2:CreateVpc" {
		t.Errorf("explicit deny: %v", d)
	}
	for _, bad := range []string{"", "{}", "[]", msg(`"action":"*"`), msg(`"action":"ec2:*"`), msg(`"action":"ec2:CreateVpc","resource":"arn:aws:ec2:*:*:vpc/*"`),
		msg(`"action":"ec2:CreateVpc","resource":"vpc-1"`), strings.Replace(msg(`"action":"ec2:CreateVpc"`), `"allowed":false`, `"allowed":true`, 1)} {
		if got, err := p.Decode(t.Context(), bad); err == nil || got != (grant.Grant{}) {
			t.Errorf("%s: got %v, %v", bad, got, err)
		}
	}
}

// Many changes at once end in one of them, whole.
func TestConcurrentPuts(t *testing.T) {
	f := newFake()
	id := acquire(t, open(t, f), "apply")
	done := make(chan error)
	for i := range 8 {
		go func() { done <- id.Role.Put(context.Background(), many(i*10, i*10+rand.IntN(60))) }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := id.Role.Put(t.Context(), many(0, 1)); err != nil || !f.holds("whittle-shop-apply").Equal(many(0, 1)) {
		t.Errorf("in the end: %v, %v", f.holds("whittle-shop-apply").Slice(), err)
	}
}
