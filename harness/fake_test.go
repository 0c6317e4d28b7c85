package harness_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// call is one request of a simulated step and what the cloud checks for it.
type call struct {
	action   string // "ec2:CreateVpc": sent to that service as that operation
	resource string
	also     []grant.Grant // further grants that are checked, after the first
	opaque   bool          // refused by S3 with nothing but "Access Denied", by Auto Scaling for what its template needs
	form     string        // further parameters
	deny     string        // refused whatever is granted, by this
	optional bool          // the step does as well when it is refused
	foreign  bool          // made with a credential that is not the identity's
	as       string        // the principal that the refusal names, if another
	stubborn bool          // refused for its first grant whatever is granted
	lost     bool          // the tool's error does not quote the refusal
	instead  *call         // made when this one is refused
	then     *call         // made when this one is let through
	masked   bool          // answered with 404 when it is refused
	header   http.Header
	later    time.Duration // it is sent again so much later than others
}

// cloud simulates identities, their roles, the delay until a role is in force,
// and steps as lists of calls.
type cloud struct {
	steps       map[string][][]call // by step name: calls of an inner list run side by side
	broken      map[string]string   // step name to the error it ends with, whatever is granted
	flaky       func() bool         // whether a run fails by itself; nil never
	prints      map[string]string   // step name to what it prints when it fails
	propagation time.Duration
	storm       *storm // what goes wrong; nil for nothing

	mu       sync.Mutex
	roles    map[string][]inForce
	puts     int
	failPut  int // the how-manieth Put fails, from 1; 0 never
	attempts int
	// during is how often roles had been changed when a request was withheld, by
	// step name.
	during   map[string][]int
	held     int // refusals that the client did not see
	seen     int // refusals that it saw
	released bool
	saved    []string
	kept     map[string]map[string][]inForce // the roles are saved with all else
	restored []string
}

type inForce struct {
	from time.Time
	set  grant.Set
}

func (c *cloud) Acquire(_ context.Context, name string) (harness.Identity, error) {
	return harness.Identity{Name: name, Principal: "arn:aws:sts::123456789012:assumed-role/" + name + "/probe", Role: role{c, name}, Credentials: keys(name)}, nil
}

func (c *cloud) Release(context.Context) error {
	if err := c.storm.killed(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.roles {
		c.roles[name] = nil
	}
	c.released = true
	return nil
}

func (c *cloud) Save(_ context.Context, name string) error {
	if err := c.storm.killed(); err != nil {
		return err
	}
	c.saved = append(c.saved, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[string]map[string][]inForce{}
	}
	c.kept[name] = maps.Clone(c.roles)
	return nil
}

func (c *cloud) Restore(_ context.Context, name string) error {
	if err := c.storm.killed(); err != nil {
		return err
	}
	c.restored = append(c.restored, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.kept[name]; ok {
		c.roles = maps.Clone(kept)
	}
	return nil
}

type keys string

func (k keys) Env(context.Context) (map[string]string, error) { return nil, nil }
func (k keys) Issued(credential string) bool                  { return credential == string(k) }
func (k keys) Is(principal string) bool {
	return principal == "arn:aws:sts::123456789012:assumed-role/"+string(k)+"/probe"
}

type role struct {
	cloud *cloud
	name  string
}

func (r role) Put(_ context.Context, s grant.Set) error {
	c := r.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.storm.killed(); err != nil {
		return err
	}
	c.puts++
	if err := c.storm.put(); err != nil {
		return err
	}
	if c.puts == c.failPut {
		return errors.New("throttled for ever")
	}
	if c.roles == nil {
		c.roles = map[string][]inForce{}
	}
	c.roles[r.name] = append(c.roles[r.name], inForce{time.Now().Add(c.propagation), s})
	return nil
}

func (r role) Settle(ctx context.Context, s grant.Set) error {
	err := r.Put(ctx, s)
	time.Sleep(r.cloud.storm.settling(r.cloud.propagation))
	return err
}

// holds tells whether the role now in force allows g.
func (c *cloud) holds(name string, g grant.Grant) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var set grant.Set
	for _, f := range c.roles[name] {
		if c.storm.inForce(f.from, set, f.set) {
			set = f.set
		}
	}
	if c.storm.flaps(name, g) {
		return false
	}
	return set.Has(g) || set.Equal(grant.Everything())
}

// Attempt runs a step's calls until one fails, repeating a refused one as the
// proxy does.
func (c *cloud) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	began := time.Now()
	fail := func(text string) (harness.Outcome, error) {
		return harness.Outcome{Diagnostics: []harness.Diagnostic{{Summary: text}}, Output: c.prints[a.Step.Name], Duration: time.Since(began)}, ctx.Err()
	}
	c.mu.Lock()
	c.attempts++
	attempt := c.attempts
	flake := c.flaky != nil && c.flaky()
	c.mu.Unlock()
	if flake {
		return fail("connection reset by peer")
	}
	for row, side := range c.steps[a.Step.Name] {
		results := make([]error, len(side))
		var wg sync.WaitGroup
		for i, one := range side {
			wg.Go(func() {
				if c.storm != nil { // one after another, so that a seed's run can be repeated
					time.Sleep(time.Duration(i) * 137 * time.Microsecond)
				}
				results[i] = c.do(context.WithValue(ctx, causeKey{}, fmt.Sprintf("%d %d %d", attempt, row, i)), a, one)
			})
		}
		wg.Wait()
		var failed []harness.Diagnostic
		for i, err := range results {
			if err != nil && !side[i].optional {
				failed = append(failed, harness.Diagnostic{Summary: err.Error(), Address: side[i].action + " " + side[i].resource})
			}
		}
		if len(failed) > 0 {
			out, err := fail("")
			out.Diagnostics = failed
			return out, err
		}
	}
	if text := c.broken[a.Step.Name]; text != "" {
		return fail(text)
	}
	return harness.Outcome{OK: true, Duration: time.Since(began)}, ctx.Err()
}

func (c *cloud) do(ctx context.Context, a harness.Attempt, one call) error {
	for repeats := 0; ; repeats++ {
		x := one.exchange(a.Identity)
		if a.Withhold != nil {
			if reply, token, ok := a.Withhold.Withheld(x); ok {
				x.Token = token
				x.Status, x.Reply, x.ReplyBody = reply.Status, reply.Reply, stamped(reply.ReplyBody, token)
				a.Arbiter.Observed(x, 0)
				c.mu.Lock()
				if c.during == nil {
					c.during = map[string][]int{}
				}
				c.during[a.Step.Name] = append(c.during[a.Step.Name], c.puts)
				c.mu.Unlock()
				return c.refused(ctx, a, one, x)
			}
		}
		if reply, hit := c.storm.reply(causeOf(ctx)); hit {
			if err := c.unwell(ctx, a, x, reply, repeats); err != nil {
				return err
			}
			repeats = -1 // the tool asks again, and that is a request of its own
			continue
		}
		missing, refused := c.missing(a.Identity.Name, one)
		if !refused {
			x.Status, x.ReplyBody = 200, nil
			a.Arbiter.Observed(x, repeats)
			if repeats > 0 {
				c.mu.Lock()
				c.held++
				c.mu.Unlock()
			}
			if one.then != nil {
				return c.do(ctx, a, *one.then)
			}
			return nil
		}
		one.refuse(&x, a.Identity.Principal, missing)
		if c.storm.hangsUp(causeOf(ctx)) && a.Held {
			// The client gives up while its refusal is being dealt with, and asks again.
			gone, leave := context.WithTimeout(ctx, c.storm.moment(causeOf(ctx)))
			a.Arbiter.Refused(gone, x)
			leave()
			x.Status, x.Reply, x.ReplyBody = 0, nil, nil
			a.Arbiter.Observed(x, repeats)
			repeats = -1
			time.Sleep(time.Second)
			continue
		}
		if !a.Held || a.Arbiter.Refused(ctx, x) == refusal.Deliver {
			if a.Withhold != nil {
				if token, ok := a.Withhold.Marked(x); ok {
					x.ReplyBody, x.Token = stamped(x.ReplyBody, token), token
				}
			}
			a.Arbiter.Observed(x, repeats)
			c.mu.Lock()
			c.seen++
			c.mu.Unlock()
			return c.refused(ctx, a, one, x)
		}
		select {
		case <-time.After(c.storm.pause() + one.later):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refused is what the tool makes of a refusal.
func (c *cloud) refused(ctx context.Context, a harness.Attempt, one call, x refusal.Exchange) error {
	switch {
	case one.instead != nil:
		return c.do(ctx, a, *one.instead)
	case one.lost:
		return errors.New("timed out")
	}
	return fmt.Errorf("%s: %s", one.action, x.ReplyBody)
}

// stamped is a refusal with a token in its request id.
func stamped(body []byte, token string) []byte {
	s := strings.Replace(string(body), "<RequestID>r", "<RequestID>"+token, 1)
	return []byte(strings.Replace(s, "<RequestId>r", "<RequestId>"+token, 1))
}

func (c *cloud) missing(identity string, one call) (grant.Grant, bool) {
	if one.deny != "" || one.stubborn {
		return grant.Grant{Permission: one.action, Resource: one.resource}, true
	}
	for _, g := range append([]grant.Grant{{Permission: one.action, Resource: one.resource}}, one.also...) {
		if !c.holds(identity, g) {
			return g, true
		}
	}
	return grant.Grant{}, false
}

func (one call) exchange(id harness.Identity) refusal.Exchange {
	service, operation, _ := strings.Cut(one.action, ":")
	x := refusal.Exchange{Method: "POST", Header: one.header.Clone(), Credential: id.Name, Reply: http.Header{}}
	if x.Header == nil {
		x.Header = http.Header{}
	}
	if one.foreign {
		x.Credential = "somebody-else"
	}
	if service == "s3" {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(one.resource, "arn:aws:s3:::"), "/")
		x.Method = map[string]string{"PutObject": "PUT", "CreateBucket": "PUT", "GetObject": "GET"}[operation]
		x.URL = &url.URL{Scheme: "https", Host: bucket + ".s3.us-east-1.amazonaws.com", Path: "/" + key}
		return x
	}
	host := service + ".us-east-1.amazonaws.com"
	if service == "iam" {
		host = "iam.amazonaws.com"
	}
	x.URL = &url.URL{Scheme: "https", Host: host, Path: "/"}
	x.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	x.Body = []byte("Action=" + operation + "&Version=2016-11-15" + one.form)
	return x
}

func (one call) refuse(x *refusal.Exchange, principal string, g grant.Grant) {
	if one.masked {
		x.Status = http.StatusNotFound
		return
	}
	x.Status = http.StatusForbidden
	x.Reply.Set("Content-Type", "text/xml")
	if one.opaque && strings.HasPrefix(one.action, "autoscaling:") && g.Permission != one.action {
		x.ReplyBody = []byte(`<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>You are not authorized to use launch template: lt-1</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
		return
	}
	if one.opaque && !strings.HasPrefix(one.action, "autoscaling:") {
		x.ReplyBody = []byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>R</RequestId><HostId>H</HostId></Error>`)
		return
	}
	if one.as != "" {
		principal = one.as
	}
	why := "because no identity-based policy allows the " + g.Permission + " action"
	if one.deny != "" {
		why = "with an explicit deny in " + one.deny
	}
	x.ReplyBody = fmt.Appendf(nil, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: %s is not authorized to perform: %s on resource: %s %s</Message></Error></Errors><RequestID>r</RequestID></Response>`,
		principal, g.Permission, g.Resource, why)
	if strings.HasPrefix(one.action, "iam:") || strings.HasPrefix(one.action, "autoscaling:") {
		x.ReplyBody = fmt.Appendf(nil, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: %s is not authorized to perform: %s on resource: %s %s</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
			principal, g.Permission, g.Resource, why)
	}
}

// memory is a journal in memory.
type memory struct {
	mu     sync.Mutex
	events []journal.Event
	failAt int // the how-manieth Append fails, from 1; 0 never
	storm  *storm
}

func (m *memory) Append(e journal.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.storm.append(len(m.events) + 1); err != nil {
		return err
	}
	if len(m.events)+1 == m.failAt {
		m.failAt = 0
		return errors.New("disk full")
	}
	m.events = append(m.events, e)
	return nil
}
