package aws

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/sts"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// refusal is a need that is not met, and why.
type refusal struct {
	need   rules.Need
	reason account.Reason
}

// refused finds the first need that is not met, nil when all are. A partial
// call is decided item by item, later.
func (g *Gate) refused(ctx context.Context, r *request) (*refusal, error) {
	if r.call.Free || r.call.Partial {
		return nil, nil
	}
	for _, need := range r.call.Needs {
		reason, err := g.decide(ctx, r, need)
		if err != nil {
			return nil, err
		}
		if reason != account.Granted {
			return &refusal{need, reason}, nil
		}
	}
	return nil, nil
}

// decide tells whether one need is met. With the gate open everything is, but
// what cannot be evaluated is still an error.
func (g *Gate) decide(ctx context.Context, r *request, need rules.Need) (account.Reason, error) {
	resource, err := g.attached(ctx, r, need)
	if err != nil {
		return 0, fmt.Errorf("policy of %s: %w", need.Resource, err)
	}
	keys := map[string][]string{}
	if r.view.Mentions(r.who, resource, "resourcetag/") {
		service, _, _ := strings.Cut(need.Action, ":")
		for k, v := range g.book.Tags(ctx, need.Resource) {
			keys["aws:ResourceTag/"+k] = []string{v}
			keys[service+":ResourceTag/"+k] = []string{v}
		}
	}
	for k, v := range r.facts {
		keys[k] = v
	}
	for k, v := range need.Context {
		keys[k] = v
	}
	reason, err := r.view.Decide(r.who, evaluate.Request{Action: need.Action, Resource: need.Resource, Context: keys}, resource)
	if err == nil && g.o.Open {
		return account.Granted, nil
	}
	return reason, err
}

// attached is the policy of what the need is about.
func (g *Gate) attached(ctx context.Context, r *request, need rules.Need) (*account.Resource, error) {
	role, isRole := strings.CutPrefix(need.Resource, "arn:"+r.scope.Partition+":iam::"+g.o.Account+":role/")
	if r.call.Service == "sts" && isRole {
		// A role that is not there, or not yet in force, trusts nobody: AWS does
		// not tell it from one that trusts others.
		none := &account.Resource{Trust: true, Rules: true}
		e := r.view.Roles[role[strings.LastIndexByte(role, '/')+1:]]
		if e == nil || e.ARN != need.Resource {
			return none, nil
		}
		trust, err := e.Trust()
		return &trust, err
	}
	if part := strings.SplitN(need.Resource, ":", 4); len(part) < 4 || !strings.HasPrefix(need.Action, part[2]+":") {
		return nil, nil // a policy speaks of its own service's actions: of a key, not of kinesis:StartStreamEncryption
	}
	return g.book.Policy(ctx, need.Resource)
}

// context holds the global condition keys. Source: "AWS global condition
// context keys", IAM User Guide.
func (g *Gate) context(r *request) map[string][]string {
	keys := r.view.Context(r.who, g.o.Account)
	now := time.Now().UTC()
	keys["aws:CurrentTime"] = []string{now.Format(time.RFC3339)}
	keys["aws:EpochTime"] = []string{strconv.FormatInt(now.Unix(), 10)}
	keys["aws:RequestedRegion"] = []string{r.claim.Region}
	keys["aws:SecureTransport"] = []string{"true"}
	if agent := r.UserAgent(); agent != "" {
		keys["aws:UserAgent"] = []string{agent}
	}
	if referer := r.Referer(); referer != "" {
		keys["aws:referer"] = []string{referer}
	}
	if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		keys["aws:SourceIp"] = []string{ip}
	}
	return keys
}

// refuse says no in the service's own form.
func (g *Gate) refuse(w http.ResponseWriter, r *request, no refusal) {
	g.ledger.Add(r.name(), true)
	r.refused, r.told = true, r.said(no)
	f := g.word(r, no)
	if r.call.Service == "ec2" {
		var err error
		if f.Encoded, err = g.sts.Sealer.Seal(sts.Message{
			Explicit: no.reason.Explicit(), Who: r.who, Action: no.need.Action, Resource: no.need.Resource, Conditions: no.need.Context,
		}); err != nil {
			g.broken(w, r, err)
			return
		}
	}
	style := wire.StyleOf(r.claim.Service, r.Request)
	wire.Write(w, r.Request, r.claim.Service, f.Error(style, g.o.Forms))
}

func (g *Gate) word(r *request, no refusal) wire.Refusal {
	return wire.Refusal{
		Service: r.claim.Service, Operation: r.call.Operation, Principal: r.who.ARN, Action: no.need.Action,
		Resource: no.need.Resource, Shown: no.need.Shown, Policy: no.reason.Policy(), Explicit: no.reason.Explicit(),
	}
}
