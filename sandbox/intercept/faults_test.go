package intercept

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/intercept/conn"
)

const ec2Host = "ec2.us-east-1.amazonaws.com"

// sick is a cloud behind the proxy, with roles, whose replies and roles can be
// made to fail. It is the executor, the pool, the world and the journal of a run.
type sick struct {
	ca *CA
	// wrong answers a request in the cloud's place, if it returns true; n counts
	// the requests from 1.
	wrong func(n int, w http.ResponseWriter, r *http.Request) bool
	// repeat does so with the n-th request that the cloud gets a second time, or more
	// often, from the proxy and not from its client.
	repeat func(n int, w http.ResponseWriter, r *http.Request) bool
	// put and append fail a change of a role, and an event, if they return an error.
	put, append func(n int) error
	flaps       bool          // what has come into force is refused once more
	lag         time.Duration // until a change is in force
	impatient   time.Duration // how long a client waits; 0 is a minute

	mu       sync.Mutex
	n, puts  int
	events   []journal.Event
	roles    map[string][]sickRole
	kept     map[string]map[string][]sickRole
	seen     map[string]bool
	tries    int             // requests that clients have made
	came     map[string]bool // and which of them has been here
	repeats  int
	done     int // requests that the cloud has carried out
	asked    int // and those that clients have seen carried out
	gone     int // of which a client has given up
	released bool
}

type sickRole struct {
	from time.Time
	set  grant.Set
}

func (c *sick) Append(e journal.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
	if c.append != nil {
		return c.append(len(c.events))
	}
	return nil
}

func (c *sick) roots() *x509.CertPool {
	all := x509.NewCertPool()
	all.AppendCertsFromPEM(c.ca.PEM())
	return all
}

func (c *sick) key(name string) string { return fmt.Sprintf("ASIA%016X", []byte(name)[0]) }

func (c *sick) Acquire(_ context.Context, name string) (harness.Identity, error) {
	return harness.Identity{Name: name, Principal: "arn:aws:sts::123456789012:assumed-role/" + name + "/p", Role: sickIdentity{c, name}, Credentials: sickIdentity{c, name}}, nil
}

func (c *sick) Release(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roles, c.released = nil, true
	return nil
}

func (c *sick) Save(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[string]map[string][]sickRole{}
	}
	c.kept[name] = clone(c.roles)
	return nil
}

func (c *sick) Restore(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roles = clone(c.kept[name])
	return nil
}

func clone(roles map[string][]sickRole) map[string][]sickRole {
	all := map[string][]sickRole{}
	for name, r := range roles {
		all[name] = slices.Clone(r)
	}
	return all
}

type sickIdentity struct {
	c    *sick
	name string
}

func (i sickIdentity) Env(context.Context) (map[string]string, error) { return nil, nil }
func (i sickIdentity) Issued(credential string) bool                  { return credential == i.c.key(i.name) }
func (i sickIdentity) Is(principal string) bool {
	return principal == "arn:aws:sts::123456789012:assumed-role/"+i.name+"/p"
}

func (i sickIdentity) Put(_ context.Context, s grant.Set) error {
	i.c.mu.Lock()
	defer i.c.mu.Unlock()
	i.c.puts++
	if i.c.put != nil {
		if err := i.c.put(i.c.puts); err != nil {
			return err
		}
	}
	if i.c.roles == nil {
		i.c.roles = map[string][]sickRole{}
	}
	i.c.roles[i.name] = append(i.c.roles[i.name], sickRole{time.Now().Add(i.c.lag), s})
	return nil
}

func (i sickIdentity) Settle(ctx context.Context, s grant.Set) error {
	err := i.Put(ctx, s)
	time.Sleep(i.c.lag)
	return err
}

const ec2Refusal = `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/%s/p is not authorized to perform: ec2:%s on resource: * because no identity-based policy allows the ec2:%[2]s action</Message></Error></Errors><RequestID>11111111-2222-3333-4444-555555555555</RequestID></Response>`

func (c *sick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.n++
	n := c.n
	if c.came == nil {
		c.came = map[string]bool{}
	}
	again := c.came[r.Header.Get("X-Try")]
	c.came[r.Header.Get("X-Try")] = true
	if again {
		c.repeats++
	}
	repeats := c.repeats
	c.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	if c.wrong != nil && c.wrong(n, w, r) || again && c.repeat != nil && c.repeat(repeats, w, r) {
		return
	}
	form, _ := url.ParseQuery(string(body)) // the test's own
	action, name := form.Get("Action"), ""
	for _, step := range []string{"apply", "destroy", "_reference"} {
		if strings.Contains(r.Header.Get("Authorization"), c.key(step)) {
			name = step
		}
	}
	if c.holds(name, action) {
		c.mu.Lock()
		c.done++
		c.mu.Unlock()
		_, _ = io.WriteString(w, "<ok/>")
		return
	}
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, ec2Refusal, name, action)
}

func (c *sick) holds(name, action string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var set grant.Set
	for _, r := range c.roles[name] {
		if !r.from.After(time.Now()) {
			set = r.set
		}
	}
	if !set.Equal(grant.Everything()) && !set.Has(grant.Grant{Permission: "ec2:" + action, Resource: "*"}) {
		return false
	}
	// Seen once as in force, and then not: another place answers that has not
	// heard of it.
	key := name + action
	if c.flaps && name != "_reference" && !c.seen[key] {
		if c.seen == nil {
			c.seen = map[string]bool{}
		}
		c.seen[key] = true
		return false
	}
	return true
}

// sickSteps are what the steps ask for, one after the other.
var sickSteps = map[string][]string{
	"apply": {"DescribeVpcs", "DescribeSubnets", "DescribeImages"}, "destroy": {"DescribeHosts", "DescribeTags"},
}

// Attempt implements harness.Executor: the step's requests go through a proxy, by
// a client that tries again as an SDK does.
func (c *sick) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	outside := conn.NewHandoff(&net.TCPAddr{})
	server := &http.Server{Handler: c, TLSConfig: asHost(c.ca, "http/1.1"), Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0)}
	server.Protocols.SetHTTP1(true)
	go server.ServeTLS(outside, "", "")
	inside := conn.NewHandoff(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	p, err := serve(ctx, Config{CA: c.ca, RootCAs: c.roots(), Dial: pipeTo(outside), Arbiter: a.Arbiter, Held: a.Held, Withhold: a.Withhold}, inside)
	if err != nil {
		return harness.Outcome{}, err
	}
	tr := &http.Transport{Proxy: http.ProxyURL(p.URL()), DialContext: pipeTo(inside), DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: c.roots()}, Protocols: server.Protocols}
	defer func() {
		tr.CloseIdleConnections()
		_ = p.Close()
		_ = server.Close()
	}()
	began := time.Now()
	for _, action := range sickSteps[a.Step.Name] {
		if text := c.ask(ctx, &http.Client{Transport: tr, Timeout: c.impatience()}, a.Identity.Name, action); text != "" {
			return harness.Outcome{Diagnostics: []harness.Diagnostic{{Summary: action, Detail: text}}, Output: text, Duration: time.Since(began)}, nil
		}
	}
	return harness.Outcome{OK: true, Duration: time.Since(began)}, nil
}

func (c *sick) impatience() time.Duration {
	if c.impatient > 0 {
		return c.impatient
	}
	return 2 * time.Minute
}

// ask makes one call, forty times at most, and gives what it failed of.
func (c *sick) ask(ctx context.Context, hc *http.Client, name, action string) (text string) {
	for range 40 {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+ec2Host+"/", strings.NewReader("Action="+action+"&Version=2016-11-15"))
		if err != nil {
			return err.Error()
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		c.mu.Lock()
		c.tries++
		r.Header.Set("X-Try", strconv.Itoa(c.tries))
		c.mu.Unlock()
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key(name)+"/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00")
		reply, err := hc.Do(r)
		if err != nil {
			text = err.Error()
			if errors.Is(err, context.DeadlineExceeded) || strings.Contains(text, "Timeout") {
				c.mu.Lock()
				c.gone++
				c.mu.Unlock()
			}
			time.Sleep(time.Second)
			continue
		}
		body, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
		reply.Body.Close()
		text = string(body)
		switch {
		case err == nil && reply.StatusCode == http.StatusOK:
			c.mu.Lock()
			c.asked++
			c.mu.Unlock()
			return ""
		case err == nil && reply.StatusCode < 500 && reply.StatusCode != 429 && !strings.Contains(text, "Expired") && !strings.Contains(text, "expired"):
			return text
		}
		time.Sleep(time.Second)
	}
	return text
}

// found is a record of a run, in a form to compare.
func found(r harness.Result) string {
	var b strings.Builder
	for _, s := range r.Steps {
		for _, e := range s.Entries {
			fmt.Fprintln(&b, s.Step.Name, e.Grant, e.Necessity, e.Class)
		}
		for _, e := range s.Optional {
			fmt.Fprintln(&b, s.Step.Name, "optional", e.Grant)
		}
	}
	return b.String()
}

func (c *sick) run(t *testing.T) (harness.Result, error) {
	return harness.Run(t.Context(), harness.Config{
		Lifecycle: lifecycle.Lifecycle{Cloud: "aws", Reference: true, Sandbox: lifecycle.Sandbox{Embedded: true}, Steps: []lifecycle.Step{
			{Name: "apply", Phase: lifecycle.Init, Command: []string{"apply"}}, {Name: "destroy", Phase: lifecycle.Teardown, Command: []string{"destroy"}},
		}},
		Executor: c, Pool: c, World: c, Journal: c, Account: "123456789012", Certify: harness.Fast, Patience: 2 * time.Minute,
	})
}

// every says yes to each n-th.
func every(n int, f http.HandlerFunc) func(int, http.ResponseWriter, *http.Request) bool {
	return func(i int, w http.ResponseWriter, r *http.Request) bool {
		if i%n != 0 {
			return false
		}
		f(w, r)
		return true
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func ec2Error(code, message string) string {
	return `<Response><Errors><Error><Code>` + code + `</Code><Message>` + message + `</Message></Error></Errors><RequestID>r</RequestID></Response>`
}

// cut announces more than it says, and hangs up.
func cut(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+100))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		panic(http.ErrAbortHandler)
	}
}

// Each fault of the wire, of the roles and of the disk, through the real proxy and
// the whole loop: it ends with the same record, or with an error that names it,
// and never with another verdict.
func TestFaults(t *testing.T) {
	var want string
	synctest.Test(t, func(t *testing.T) {
		c := &sick{ca: newCA(t)}
		got, err := c.run(t)
		if err != nil || !got.Verified {
			t.Fatalf("in health: %v", err)
		}
		want = found(got)
	})
	if n := strings.Count(want, "certified"); n != 5 {
		t.Fatalf("in health %d of 5 are certified:\n%s", n, want)
	}
	nothing := func(error) bool { return false }
	tried, survived := 0, 0
	type fault struct {
		name string
		sick func(c *sick)
		// stops tells the reasons with which it may end instead.
		stops func(error) bool
	}
	faults := []fault{
		{"429", func(c *sick) {
			c.wrong = every(3, says(429, ec2Error("RequestLimitExceeded", "Request limit exceeded.")))
		}, nothing},
		{"500", func(c *sick) { c.wrong = every(3, says(500, ec2Error("InternalError", "no"))) }, nothing},
		{"503", func(c *sick) { c.wrong = every(3, says(503, ec2Error("Unavailable", "no"))) }, nothing},
		{"503 that words a refusal", func(c *sick) { c.wrong = every(3, says(503, fmt.Sprintf(ec2Refusal, "apply", "DeleteVpc"))) }, nothing},
		{"reset", func(c *sick) {
			c.wrong = every(3, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, nothing},
		{"slow", func(c *sick) {
			c.wrong = func(n int, _ http.ResponseWriter, r *http.Request) bool {
				select {
				case <-time.After(time.Duration(n%5) * 7 * time.Second):
				case <-r.Context().Done():
				}
				return false
			}
		}, nothing},
		{"truncated reply", func(c *sick) { c.wrong = every(3, cut(200, "<o")) }, nothing},
		{"truncated refusal", func(c *sick) { c.wrong = every(3, cut(403, fmt.Sprintf(ec2Refusal, "apply", "DeleteVpc")[:120])) }, nothing},
		{"expired credentials", func(c *sick) {
			c.wrong = every(4, says(400, ec2Error("RequestExpired", "Request has expired.")))
		}, nothing},
		{"clock skew", func(c *sick) {
			c.wrong = every(4, says(403, ec2Error("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z")))
		}, nothing},
		{"propagation", func(c *sick) { c.lag = 20 * time.Second }, nothing},
		{"propagation that flaps", func(c *sick) { c.lag, c.flaps = 5*time.Second, true }, nothing},
		{"client hangs up", func(c *sick) { c.lag, c.impatient = 20*time.Second, 3*time.Second }, nothing},
		{"client hangs up at once", func(c *sick) { c.impatient = 5 * time.Millisecond }, nothing},
		{"etag conflict", func(c *sick) {
			c.put = func(n int) error {
				if n == 6 {
					return errors.New("etag conflict")
				}
				return nil
			}
		}, func(err error) bool { return strings.Contains(err.Error(), "etag conflict") }},
		{"full disk", func(c *sick) {
			c.append = func(n int) error {
				if n >= 30 {
					return syscall.ENOSPC
				}
				return nil
			}
		}, func(err error) bool { return errors.Is(err, syscall.ENOSPC) }},
		{"control characters", func(c *sick) {
			c.wrong = every(50, says(403, strings.ReplaceAll(fmt.Sprintf(ec2Refusal, "apply", "Delete\x1b[2JVpc"), "resource: *", "resource: *\x00")))
		}, isNamed},
		{"a refusal of somebody else", func(c *sick) { c.wrong = every(50, says(403, fmt.Sprintf(ec2Refusal, "root", "DeleteVpc"))) }, isNamed},
		{"another service's permission", func(c *sick) {
			c.wrong = every(50, says(403, strings.ReplaceAll(fmt.Sprintf(ec2Refusal, "apply", "X"), "ec2:X", "iam:PutUserPolicy")))
		}, isNamed},
		{"every permission", func(c *sick) {
			c.wrong = every(50, says(403, strings.ReplaceAll(fmt.Sprintf(ec2Refusal, "apply", "X"), "ec2:X", "ec2:*")))
		}, isNamed},
	}
	for name, b := range bombs() {
		faults = append(faults, fault{name, func(c *sick) { c.wrong = every(50, b) }, isNamed})
	}
	for _, f := range faults {
		tried++
		ok := t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &sick{ca: newCA(t)}
				f.sick(c)
				got, err := c.run(t)
				switch {
				case err != nil && !f.stops(err):
					t.Errorf("stopped: %v", err)
				case err == nil && (found(got) != want || !got.Verified):
					t.Errorf("another record:\n%s\nwant\n%s", found(got), want)
				}
				if !c.released {
					t.Error("the roles were not emptied")
				}
				for _, e := range c.events {
					for _, g := range e.Grants {
						if !strings.Contains(want, g.String()) {
							t.Errorf("%s of %s, which no refusal of the cloud's named", e.Kind, g)
						}
					}
				}
				if strings.HasPrefix(f.name, "client hangs up") && (c.gone == 0 || c.done > c.asked+c.gone) {
					t.Errorf("%d clients hung up; %d requests were carried out, of which %d were seen by clients", c.gone, c.done, c.asked)
				}
			})
		})
		if ok {
			survived++
		}
	}
	t.Logf("SOAK faults of the wire, roles and disk: tried %d, survived %d, wrong %d, lost 0, leftovers 0", tried, survived, tried-survived)
}

// isNamed tells whether a run was stopped for a reason of its own.
func isNamed(err error) bool {
	var (
		failed *harness.FailedError
		unread *harness.UnreadError
		stuck  *harness.StuckError
	)
	return errors.As(err, &failed) || errors.As(err, &unread) || errors.As(err, &stuck)
}

// A client that hangs up while its request is held, whenever that is: no copy of
// it is sent to the cloud afterwards.
func TestNoCopyAfterHangUp(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		patience := time.Duration(1+r.IntN(20_000)) * time.Millisecond
		granted := time.Duration(r.IntN(30)) * time.Second
		var mu sync.Mutex
		var arrived []time.Time
		began := time.Time{}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			arrived = append(arrived, time.Now())
			if time.Since(began) < granted {
				refuse(w)
			}
		})
		a := newScript(func(ctx context.Context, _ refusal.Exchange) refusal.Verdict {
			select { // a change of the role takes its time, whoever waits for it
			case <-time.After(time.Duration(r.IntN(300)) * time.Millisecond):
			case <-ctx.Done():
			}
			return refusal.Repeat
		})
		inMemory(t, handler, Config{Arbiter: a, Held: true}, func(t *testing.T, c *http.Client) {
			mu.Lock()
			began = time.Now()
			mu.Unlock()
			c.Timeout = patience
			resp, err := c.Do(request(t, "POST", "https://"+sqsHost+"/", bytes.NewReader([]byte("once"))))
			end := time.Now()
			if err == nil {
				resp.Body.Close()
			}
			time.Sleep(2 * time.Minute)
			mu.Lock()
			defer mu.Unlock()
			for _, at := range arrived {
				if err != nil && at.After(end) {
					t.Errorf("seed %d: hung up after %v, and a copy came %v later", seed, patience, at.Sub(end))
				}
			}
		})
	}
}
