package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	auditaws "github.com/whittle-iam/whittle/sandbox/audit/aws"
	"github.com/whittle-iam/whittle/sandbox/audit/azure"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
	rolegcp "github.com/whittle-iam/whittle/sandbox/role/gcp"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// operated is a pool, of what its operator can be asked before anything is made; L is
// what earlier runs have left.
type operated[L any] interface {
	Target(context.Context) (guard.Target, error)
	Lacks(context.Context, grant.Set) ([]string, error)
	Left(context.Context) (L, error)
}

// askOperator checks who the operator is, the target's mark, and the rights: what is
// needed, and more of what no set can hold. What else there is to ask, he is asked
// with them: ok tells whether he can be, and left what of the stack is there.
func askOperator[L any](ctx context.Context, d *diagnosis, c examination, who string, p operated[L], more int) (left L, ok bool) {
	d.add(checkOK, "operator", "", "%s", who)
	t, err := p.Target(ctx)
	d.target(t, err, c.named)
	needs, _ := operatorNeeds(c.lc)
	lacks, err := p.Lacks(ctx, needs)
	if err != nil {
		d.failed("rights", err)
		return left, false
	}
	d.lacking(lacks, needs.Len()+more)
	if len(lacks) > 0 {
		return left, false
	}
	if left, err = p.Left(ctx); err != nil {
		d.failed("leftovers", err)
		return left, false
	}
	return left, true
}

// room tells whether a place has room for what a probe makes more of something, written
// as by how. Of a quota that is not known, most is 0.
func (d *diagnosis) room(place, what string, there, most, fresh int, how string) {
	makes := fmt.Sprintf(how, fresh)
	switch {
	case most == 0:
		d.add(checkWarn, "quota", "", "%s has %d %s, and a probe makes %s: the quota is not known", place, there, what, makes)
	case there+fresh > most:
		d.add(checkFail, "quota", "delete some, or ask for more", "%s has %d %s, and a probe makes %s: the quota is %d unless it was raised", place, there, what, makes, most)
	default:
		d.add(checkOK, "quota", "", "%d %s of %d; a probe makes %s", there, what, most, makes)
	}
}

func (o onGCP) examine(ctx context.Context, d *diagnosis, c examination) {
	d.clock(ctx, o.plain, "https://cloudresourcemanager.googleapis.com/")
	p, err := rolegcp.Open(ctx, o.config(c.poolConfig))
	if err != nil {
		d.failed("operator", err)
		return
	}
	left, ok := askOperator(ctx, d, c, p.Operator(), p, 0)
	if !ok {
		return
	}
	var texts []string
	if n := len(left.Accounts) + len(left.Roles); n > 0 {
		texts = append(texts, fmt.Sprintf("%s and %s of this stack", count(len(left.Accounts), "service account"), count(len(left.Roles), "role")))
	}
	if len(left.Bound) > 0 {
		texts = append(texts, "still bound: "+strings.Join(left.Bound, ", "))
	}
	d.left(strings.Join(texts, "; "))
	if around, err := p.Around(ctx, left.Accounts); err != nil {
		d.failed("bindings", err)
	} else {
		d.around(around, len(left.Accounts))
	}
	if len(left.Deleted) > 0 {
		d.add(checkOK, "deleted roles", "", "%s of this stack are deleted softly, and are brought back: an id cannot be used anew for weeks", count(len(left.Deleted), "role"))
	}
	for _, q := range []struct {
		what       string
		there, max int
	}{{"custom roles", left.AllRoles, rolegcp.MaxRoles}, {"service accounts", left.AllAccounts, rolegcp.MaxAccounts}} {
		d.room("the project", q.what, q.there, q.max, len(c.names()), "up to %d")
	}
	var off []string
	for _, kind := range []string{"ADMIN_READ", "DATA_READ", "DATA_WRITE"} {
		if !slices.Contains(left.Audited, kind) {
			off = append(off, kind)
		}
	}
	if len(off) == 0 {
		d.add(checkOK, "audit logs", "", "Data Access logs are on for all services")
	} else {
		d.add(checkWarn, "audit logs", "turn them on for allServices in the project's policy (auditConfigs), if the lifecycle says audit: true: they are off in a new project, and cost money",
			"Data Access logs are off (%s): the log shows no reads", strings.Join(off, ", "))
	}
}

// around says what gives the probe identities rights besides their roles, and where that
// is not known.
func (d *diagnosis) around(a rolegcp.Around, accounts int) {
	unknown := ""
	if len(a.Unknown) > 0 {
		unknown = "; not known: " + strings.Join(a.Unknown, ", ")
	}
	if len(a.Bound) > 0 {
		d.add(checkWarn, "bindings", "take them away, or probe elsewhere: what an identity does through them is not in the record, and is an error with audit: true",
			"besides their roles the probe identities have: %s%s", strings.Join(a.Bound, ", "), unknown)
		return
	}
	text := "none takes in the probe identities besides their roles"
	if accounts == 0 {
		text = "none takes in every service account, and no probe identity is there yet"
	}
	if a.Above > 0 {
		text += ", on the project or on what is above it"
	}
	d.add(checkOK, "bindings", "", "%s%s", text, unknown)
}

func (o onAWS) examine(ctx context.Context, d *diagnosis, c examination) {
	client := &http.Client{}
	d.clock(ctx, client, "https://sts."+o.sdk.Region+".amazonaws.com/")
	p, err := roleaws.Open(ctx, o.config(c.poolConfig))
	if err != nil {
		d.failed("operator", err)
		return
	}
	if err := rightAccount(c.lc.File, c.lc.Sandbox, p.Account()); err != nil {
		d.failed("operator", err)
		return
	}
	left, ok := askOperator(ctx, d, c, p.Operator(), p, 0)
	if !ok {
		return
	}
	text := ""
	if len(left.Roles)+len(left.Policies) > 0 {
		text = fmt.Sprintf("%s and %s that are attached to nothing, of this stack", count(len(left.Roles), "role"), plural(len(left.Policies), "policy", "policies"))
	}
	d.left(text)
	if q, err := p.Quotas(ctx); err != nil {
		d.failed("quota", err)
	} else {
		n := len(c.names())
		d.room("the account", "roles", q.Roles, q.MaxRoles, n, "up to %d")
		// A role has an inline policy, and managed ones only where it is large.
		d.room("the account", "managed policies", q.Policies, q.MaxPolicies, n, "up to %d")
		if most := max(q.MaxAttached, 1); most < policy.AttachLimit {
			d.add(checkWarn, "quota", "", "a role may have %d managed policies: one that needs more than that many fails", most)
		} else {
			d.add(checkOK, "quota", "", "a role may have %d managed policies; Whittle uses up to %d", most, policy.AttachLimit)
		}
	}
	d.add(checkOK, "audit logs", "", "CloudTrail's event history is always on: management events, and no data events")
	if t := c.lc.Trail; t.Bucket != "" {
		switch n, err := auditaws.New(o.sdk, auditaws.Trail(t)).Delivered(ctx, p.Account(), time.Now().Add(-24*time.Hour)); {
		case err != nil:
			d.failed("trail", err)
		case n == 0:
			d.add(checkWarn, "trail", "say the trail's own prefix, what stands before AWSLogs, in audit: {trail: s3://…}", "the trail in s3://%s has delivered no file of account %s in %s since yesterday", t.Bucket, p.Account(), o.sdk.Region)
		default:
			d.add(checkOK, "trail", "", "the trail in s3://%s has delivered %s since yesterday", t.Bucket, count(n, "file"))
		}
	}
}

func (o onAzure) examine(ctx context.Context, d *diagnosis, c examination) {
	client := o.http
	if client == nil {
		client = &http.Client{}
	}
	d.clock(ctx, client, "https://management.azure.com/")
	p, err := roleazure.Open(ctx, o.config(c.poolConfig))
	if err != nil {
		d.failed("operator", err)
		return
	}
	who, err := p.Operator(ctx)
	if err != nil {
		d.failed("operator", err)
		return
	}
	left, ok := askOperator(ctx, d, c, who, p, 1)
	if !ok {
		return
	}
	text := ""
	if len(left.Applications)+len(left.Roles) > 0 {
		text = fmt.Sprintf("%s with %s, and %s of this stack", count(len(left.Applications), "application"), count(left.Secrets, "secret"), count(len(left.Roles), "role"))
	}
	d.left(text)
	if q, err := p.Quotas(ctx); err != nil {
		d.failed("quota", err)
	} else {
		n, of := len(c.names()), "custom roles that the operator sees in the directory,"
		if !q.Whole {
			of = "custom roles that can be assigned in the subscription (those of the rest of the directory cannot be seen),"
		}
		const each = "%d or more, for each step one on each scope"
		d.room("the directory", of, q.Roles, roleazure.MaxRoles, n, each)
		d.room("the subscription", "role assignments", q.Assignments, roleazure.MaxAssignments, n, each)
	}
	d.add(checkOK, "audit logs", "", "the Activity Log is always on, without reads; an event takes %s to %s", azure.Usual, azure.Latest)
}
