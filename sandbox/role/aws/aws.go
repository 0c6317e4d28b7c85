// Package aws makes and fills the probe identities of AWS: an IAM role for
// each, whose content is a [grant.Set], with credentials that a child process
// fetches from a loopback endpoint.
//
// It drives the real API (IAM and STS, and a few harmless reads as canaries)
// through the SDK, on a real account and on the embedded sandbox alike. It does
// not decide what a role should hold, and never changes a role or policy that
// does not carry its tags.
//
// Below it: owned says what in the account is Whittle's, content writes what a
// role holds, canary shows when that is in force, endpoint serves the
// credentials.
package aws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/sandbox/role/aws/canary"
	"github.com/whittle-iam/whittle/sandbox/role/aws/content"
	"github.com/whittle-iam/whittle/sandbox/role/aws/endpoint"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
	"github.com/whittle-iam/whittle/sandbox/role/pool"
)

// The kinds of objects that [Config].Announce is told of.
const (
	KindRole   = owned.KindRole
	KindPolicy = owned.KindPolicy
	// KindCanaryKey is the id of an access key with which the pool itself acts as an
	// identity, to see whether its role is in force; announced before it is used.
	KindCanaryKey = "aws:sts:canary-key"
)

// Poll says how to wait until a change has reached every place.
type Poll = canary.Poll

// Config says on whose behalf and under which names a [Pool] works.
type Config struct {
	// SDK is the operator's: credentials, region, and an HTTPClient that leads
	// to the real cloud or the embedded sandbox. Region must be set.
	SDK awssdk.Config
	// Stack is whose roles these are; it becomes a tag. Required.
	Stack string
	// Prefix starts every role's name; empty means "whittle-", the stack, "-".
	Prefix string
	// RunID becomes a tag and the name of the sessions.
	RunID string
	// Announce is told of each object, by its ARN, before it is made. May be nil.
	Announce pool.Announce
	// Poll says how to wait for IAM, which is eventually consistent.
	Poll Poll
	// Attachments is how many managed policies a role may have attached; 0
	// means IAM's default, 10.
	Attachments int
	// Log may be nil.
	Log *slog.Logger
}

// Pool holds the probe identities of one stack. It implements [harness.Pool]
// and [harness.Decoder], and can be used from many goroutines.
type Pool struct {
	cfg     Config
	own     owned.Account
	sts     *sts.Client
	trusted string // the principal that may assume the roles
	server  endpoint.Server

	members pool.Members[member]
}

var (
	_ harness.Pool    = (*Pool)(nil)
	_ harness.Decoder = (*Pool)(nil)
)

// member is one identity of the pool.
type member struct {
	arn         string
	role        *role
	credentials *credentials
}

// role is the custom role of one identity.
type role struct {
	*content.Role
	settler canary.Settler
}

var (
	_ harness.Role    = (*role)(nil)
	_ harness.Swapper = (*role)(nil)
)

// Settle implements [harness.Role]; see [canary.Settler].
func (r *role) Settle(ctx context.Context, s grant.Set) error { return r.settler.Settle(ctx, s) }

// Swap implements [harness.Swapper]; see [canary.Settler].
func (r *role) Swap(ctx context.Context, s grant.Set) error { return r.settler.Swap(ctx, s) }

// Open asks who the operator is and makes an empty pool. It changes nothing.
func Open(ctx context.Context, cfg Config) (*Pool, error) {
	if cfg.Stack == "" {
		return nil, errors.New("aws roles: no stack named; roles are kept apart by it")
	}
	if cfg.SDK.Region == "" {
		return nil, errors.New("aws roles: no region; set sandbox.region in whittle.yaml or AWS_REGION")
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "whittle-" + cfg.Stack + "-"
	}
	if cfg.Attachments <= 0 {
		cfg.Attachments = policy.AttachLimit
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Poll = cfg.Poll.Or(canary.Usual())
	if cfg.SDK.Retryer == nil {
		cfg.SDK = cfg.SDK.Copy()
		cfg.SDK.Retryer = func() awssdk.Retryer {
			// IAM throttles an account early, and refuses changes of one role at once.
			return retry.AddWithErrorCodes(retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 8 }), "ConcurrentModification")
		}
	}
	p := &Pool{
		cfg: cfg, sts: sts.NewFromConfig(cfg.SDK), server: endpoint.Server{Log: cfg.Log},
		own: owned.Account{IAM: iam.NewFromConfig(cfg.SDK), Stack: cfg.Stack, Run: cfg.RunID, Announce: cfg.Announce},
	}

	who, err := p.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask who the operator is: %w; check the operator's credentials with `aws sts get-caller-identity`", err)
	}
	p.own.Operator, p.own.Number = awssdk.ToString(who.Arn), awssdk.ToString(who.Account)
	if p.trusted, err = p.trustee(ctx); err != nil {
		return nil, err
	}
	p.own.Partition = strings.Split(p.own.Operator, ":")[1]
	return p, nil
}

// Account is the number of the operator's account.
func (p *Pool) Account() string { return p.own.Number }

// Region is the region that child processes are told to use.
func (p *Pool) Region() string { return p.cfg.SDK.Region }

// Operator is the operator's ARN.
func (p *Pool) Operator() string { return p.own.Operator }

// Target is the account, with its alias, for [guard.Check].
func (p *Pool) Target(ctx context.Context) (guard.Target, error) {
	t := guard.Target{Kind: "account", Name: p.own.Number}
	pages := iam.NewListAccountAliasesPaginator(p.own.IAM, &iam.ListAccountAliasesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return t, p.own.Explain("read the alias of account "+t.Name, "iam:ListAccountAliases", err)
		}
		t.Aliases = append(t.Aliases, page.AccountAliases...)
	}
	return t, nil
}

// Makes names what [Pool.Acquire] makes for an identity, where it is not there.
// The content of a role that grows large goes into policies beside it.
func (p *Pool) Makes(identity string) []string {
	return []string{p.own.ARN("role", p.roleName(identity))}
}

func (p *Pool) roleName(identity string) string { return owned.Slug(p.cfg.Prefix+identity, 64) }

// trustee is the operator as a trust policy names it: a user is itself, the
// root is the account, and a session is its role, since a session's ARN does
// not outlive it (IAM user guide, elements_principal).
func (p *Pool) trustee(ctx context.Context) (string, error) {
	parts := strings.SplitN(p.own.Operator, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return "", fmt.Errorf("operator %q: not an ARN", p.own.Operator)
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch kind {
	case "root", "user":
		return p.own.Operator, nil
	case "assumed-role":
		name, _, _ = strings.Cut(name, "/")
		// The role's path is not in the session's ARN, but must be in the trust
		// policy (roles of IAM Identity Center have one).
		r, err := p.own.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		if owned.IsRefused(err) {
			return strings.Join([]string{"arn", parts[1], "iam", "", parts[4], "role/" + name}, ":"), nil
		}
		if err != nil {
			return "", p.own.Explain("read the operator's own role "+name, "iam:GetRole", err)
		}
		return awssdk.ToString(r.Role.Arn), nil
	}
	return "", fmt.Errorf("operator %s: cannot manage IAM; use a user or a role", p.own.Operator)
}

// Acquire gets or makes the role of the identity called name and waits until
// it can be assumed. A role of that name without Whittle's tags, or of another
// stack, is a [ForeignError].
func (p *Pool) Acquire(ctx context.Context, name string) (harness.Identity, error) {
	m, err := p.members.Acquire(name, func(hold func(member)) error { return p.make(ctx, name, hold) })
	if err != nil {
		return harness.Identity{}, err
	}
	return harness.Identity{Name: name, Principal: m.arn, Role: m.role, Credentials: m.credentials}, nil
}

func (p *Pool) make(ctx context.Context, name string, hold func(member)) error {
	roleName := p.roleName(name)
	arn, err := p.ensureRole(ctx, roleName, name)
	if err != nil {
		return err
	}
	creds, err := newCredentials(p, name, arn)
	if err != nil {
		return err
	}
	// The canaries have a session of their own, which no step is given: by its key the
	// account's log tells their calls from the step's.
	looks := &credentials{pool: p, name: name, arn: arn, session: "whittle-canary-", kind: KindCanaryKey, issued: map[string]bool{}}
	held := p.content(roleName, name)
	hold(member{arn, &role{held, canary.Settler{Role: roleName, Put: held.Put, SDK: p.as(looks), Poll: p.cfg.Poll, Log: p.cfg.Log}}, creds})
	return errors.Join(creds.await(ctx), looks.await(ctx))
}

// content is what a role holds.
func (p *Pool) content(roleName, identity string) *content.Role {
	return content.Of(content.Options{Account: &p.own, Name: roleName, Identity: identity, Attachments: p.cfg.Attachments, Log: p.cfg.Log})
}

// as is the SDK's configuration for calls of an identity.
func (p *Pool) as(c *credentials) awssdk.Config {
	cfg := p.cfg.SDK.Copy()
	cfg.Credentials = c
	return cfg
}

// ensureRole gives the ARN of the role, making it if it is not there.
func (p *Pool) ensureRole(ctx context.Context, roleName, identity string) (string, error) {
	trust := policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{
		Effect: policy.EffectAllow, Principal: map[string][]string{"AWS": {p.trusted}}, Action: []string{"sts:AssumeRole"},
	}}}
	document, _ := trust.MarshalJSON()
	text := string(document)

	got, err := p.own.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &roleName})
	if owned.IsMissing(err) {
		if err := p.own.Announce.Tell(KindRole, p.own.ARN("role", roleName)); err != nil {
			return "", err
		}
		made, err := p.own.IAM.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: &roleName, Path: awssdk.String(owned.Path), AssumeRolePolicyDocument: &text,
			Description:        awssdk.String("probe identity made by whittle; emptied by whittle clean"),
			MaxSessionDuration: awssdk.Int32(int32(sessionLength / time.Second)),
			Tags:               p.own.Tags(identity),
		})
		var exists *types.EntityAlreadyExistsException
		if !errors.As(err, &exists) {
			if err != nil {
				return "", p.own.Explain("create role "+roleName, "iam:CreateRole and iam:TagRole", err)
			}
			p.cfg.Log.Info("made role", "role", awssdk.ToString(made.Role.Arn))
			return awssdk.ToString(made.Role.Arn), nil
		}
		// Made by another run in this moment, or the reading was stale.
		got, err = p.own.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &roleName})
		if err != nil {
			return "", p.own.Explain("read role "+roleName, "iam:GetRole", err)
		}
	} else if err != nil {
		return "", p.own.Explain("read role "+roleName, "iam:GetRole", err)
	}
	arn := awssdk.ToString(got.Role.Arn)
	if !p.own.Owns(got.Role.Tags, identity) {
		return "", &ForeignError{Kind: "role", ARN: arn, Stack: p.cfg.Stack}
	}
	if sameDocument(awssdk.ToString(got.Role.AssumeRolePolicyDocument), trust) {
		return arn, nil
	}
	// Made by another operator, or changed by hand: only this operator may
	// assume it now.
	_, err = p.own.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &roleName, PolicyDocument: &text})
	if err != nil {
		return "", p.own.Explain("set the trust policy of role "+roleName, "iam:UpdateAssumeRolePolicy", err)
	}
	return arn, nil
}

// Release empties the roles of all identities acquired and stops the
// credentials server. It goes on past errors and joins them; with a context
// that has ended nothing can be emptied, so after an interrupt give it another.
func (p *Pool) Release(ctx context.Context) error {
	err := p.members.Release(func(m member) error {
		if err := m.role.Put(ctx, grant.Set{}); !owned.IsMissing(err) { // one that is gone holds nothing
			return err
		}
		return nil
	})
	return errors.Join(err, p.server.Close())
}

// sameDocument compares a document as IAM returns it, URL-encoded, with d.
func sameDocument(encoded string, d policy.Document) bool {
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return false
	}
	have, err := policy.Parse([]byte(text))
	return err == nil && string(have.Print()) == string(d.Print())
}
