// Package aws makes and fills the probe identities of AWS: an IAM role for
// each, whose content is a [grant.Set], with credentials that a child process
// fetches from a loopback endpoint.
//
// It drives the real API (IAM and STS, and a few harmless reads as canaries)
// through the SDK, on a real account and on the embedded sandbox alike. It does
// not decide what a role should hold, and never changes a role or policy that
// does not carry its tags.
package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
)

// path keeps what Whittle makes apart: an operator's own policy can be bounded
// to role/whittle/* and policy/whittle/*.
const path = "/whittle/"

// The tags on every role and policy that Whittle makes.
const (
	tagManaged  = "whittle:managed"  // always "true"
	tagStack    = "whittle:stack"    // whose it is
	tagIdentity = "whittle:identity" // which identity of the stack
	tagRun      = "whittle:run"      // the run that made it
)

// The kinds of objects that [Config].Announce is told of.
const (
	KindRole   = "aws:iam:role"
	KindPolicy = "aws:iam:policy"
)

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
	// Announce is called before an object is made, with its ARN, so that it is
	// on disk before it is in the cloud. Its error stops the making. May be nil.
	Announce func(kind, id string) error
	// Poll says how to wait for IAM, which is eventually consistent.
	Poll Poll
	// Attachments is how many managed policies a role may have attached; 0
	// means IAM's default, 10.
	Attachments int
	// Log may be nil.
	Log *slog.Logger
}

// Poll says how to wait until a change has reached every place.
type Poll struct {
	// Initial is the time between the first two looks, and between those that
	// confirm; 0 means 200 ms. Max is where growing waits end; 0 means 5 s.
	Initial, Max time.Duration
	// Limit ends a wait without success; 0 means 3 minutes. IAM names no upper
	// bound; seconds are usual, minutes have been reported.
	Limit time.Duration
	// InARow is how many looks in a row must agree; 0 means 3. IAM's answers
	// come from many places, and each learns of a change in its own time.
	InARow int
}

func (p Poll) orDefault() Poll {
	if p.Initial <= 0 {
		p.Initial = 200 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 5 * time.Second
	}
	if p.Limit <= 0 {
		p.Limit = 3 * time.Minute
	}
	if p.InARow <= 0 {
		p.InARow = 3
	}
	return p
}

// Pool holds the probe identities of one stack. It implements [harness.Pool]
// and [harness.Decoder], and can be used from many goroutines.
type Pool struct {
	cfg       Config
	iam       *iam.Client
	sts       *sts.Client
	partition string // "aws", "aws-cn", "aws-us-gov"
	account   string
	operator  string // the operator's ARN, as STS has it
	trusted   string // the principal that may assume the roles
	server    server

	mu      sync.Mutex
	members map[string]*member
}

var (
	_ harness.Pool    = (*Pool)(nil)
	_ harness.Decoder = (*Pool)(nil)
)

// member is one identity of the pool.
type member struct {
	mu          sync.Mutex // held while the identity is made
	ready       bool
	arn         string
	role        *role
	credentials *credentials
}

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
	cfg.Poll = cfg.Poll.orDefault()
	if cfg.SDK.Retryer == nil {
		cfg.SDK = cfg.SDK.Copy()
		cfg.SDK.Retryer = func() awssdk.Retryer {
			// IAM throttles an account early, and refuses changes of one role at once.
			return retry.AddWithErrorCodes(retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 8 }), "ConcurrentModification")
		}
	}
	p := &Pool{cfg: cfg, iam: iam.NewFromConfig(cfg.SDK), sts: sts.NewFromConfig(cfg.SDK), members: map[string]*member{}}

	who, err := p.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask who the operator is: %w; check the operator's credentials with `aws sts get-caller-identity`", err)
	}
	p.operator, p.account = awssdk.ToString(who.Arn), awssdk.ToString(who.Account)
	if p.trusted, err = p.trustee(ctx); err != nil {
		return nil, err
	}
	p.partition = strings.Split(p.operator, ":")[1]
	return p, nil
}

// Account is the number of the operator's account.
func (p *Pool) Account() string { return p.account }

// Region is the region that child processes are told to use.
func (p *Pool) Region() string { return p.cfg.SDK.Region }

// Operator is the operator's ARN.
func (p *Pool) Operator() string { return p.operator }

// trustee is the operator as a trust policy names it: a user is itself, the
// root is the account, and a session is its role, since a session's ARN does
// not outlive it (IAM user guide, elements_principal).
func (p *Pool) trustee(ctx context.Context) (string, error) {
	parts := strings.SplitN(p.operator, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return "", fmt.Errorf("operator %q: not an ARN", p.operator)
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch kind {
	case "root", "user":
		return p.operator, nil
	case "assumed-role":
		name, _, _ = strings.Cut(name, "/")
		// The role's path is not in the session's ARN, but must be in the trust
		// policy (roles of IAM Identity Center have one).
		r, err := p.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		if isRefused(err) {
			return strings.Join([]string{"arn", parts[1], "iam", "", parts[4], "role/" + name}, ":"), nil
		}
		if err != nil {
			return "", p.explain("read the operator's own role "+name, "iam:GetRole", err)
		}
		return awssdk.ToString(r.Role.Arn), nil
	}
	return "", fmt.Errorf("operator %s: cannot manage IAM; use a user or a role", p.operator)
}

// Acquire gets or makes the role of the identity called name and waits until
// it can be assumed. A role of that name without Whittle's tags, or of another
// stack, is a [ForeignError].
func (p *Pool) Acquire(ctx context.Context, name string) (harness.Identity, error) {
	p.mu.Lock()
	m := p.members[name]
	if m == nil {
		m = &member{}
		p.members[name] = m
	}
	p.mu.Unlock()

	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ready {
		if err := p.make(ctx, name, m); err != nil {
			return harness.Identity{}, fmt.Errorf("identity %s: %w", name, err)
		}
		m.ready = true
	}
	return harness.Identity{Name: name, Principal: m.arn, Role: m.role, Credentials: m.credentials}, nil
}

func (p *Pool) make(ctx context.Context, name string, m *member) error {
	roleName := slug(p.cfg.Prefix+name, 64)
	arn, err := p.ensureRole(ctx, roleName, name)
	if err != nil {
		return err
	}
	creds, err := newCredentials(p, name, arn)
	if err != nil {
		return err
	}
	p.mu.Lock() // Release reads them
	m.arn, m.credentials = arn, creds
	m.role = p.newRole(roleName, name, creds)
	p.mu.Unlock()
	return creds.await(ctx)
}

// ensureRole gives the ARN of the role, making it if it is not there.
func (p *Pool) ensureRole(ctx context.Context, roleName, identity string) (string, error) {
	trust := policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{
		Effect: policy.EffectAllow, Principal: map[string][]string{"AWS": {p.trusted}}, Action: []string{"sts:AssumeRole"},
	}}}
	document, _ := trust.MarshalJSON()
	text := string(document)

	got, err := p.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &roleName})
	if isMissing(err) {
		if err := p.announce(KindRole, p.arn("role", roleName)); err != nil {
			return "", err
		}
		made, err := p.iam.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: &roleName, Path: awssdk.String(path), AssumeRolePolicyDocument: &text,
			Description:        awssdk.String("probe identity made by whittle; emptied by whittle clean"),
			MaxSessionDuration: awssdk.Int32(int32(sessionLength / time.Second)),
			Tags:               p.tags(identity),
		})
		var exists *types.EntityAlreadyExistsException
		if !errors.As(err, &exists) {
			if err != nil {
				return "", p.explain("create role "+roleName, "iam:CreateRole and iam:TagRole", err)
			}
			p.cfg.Log.Info("made role", "role", awssdk.ToString(made.Role.Arn))
			return awssdk.ToString(made.Role.Arn), nil
		}
		// Made by another run in this moment, or the reading was stale.
		got, err = p.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &roleName})
		if err != nil {
			return "", p.explain("read role "+roleName, "iam:GetRole", err)
		}
	} else if err != nil {
		return "", p.explain("read role "+roleName, "iam:GetRole", err)
	}
	arn := awssdk.ToString(got.Role.Arn)
	if !p.ours(got.Role.Tags, identity) {
		return "", &ForeignError{Kind: "role", ARN: arn, Stack: p.cfg.Stack}
	}
	if sameDocument(awssdk.ToString(got.Role.AssumeRolePolicyDocument), trust) {
		return arn, nil
	}
	// Made by another operator, or changed by hand: only this operator may
	// assume it now.
	_, err = p.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &roleName, PolicyDocument: &text})
	if err != nil {
		return "", p.explain("set the trust policy of role "+roleName, "iam:UpdateAssumeRolePolicy", err)
	}
	return arn, nil
}

// Release empties the roles of all identities acquired and stops the
// credentials server. It goes on past errors and joins them; with a context
// that has ended nothing can be emptied, so after an interrupt give it another.
func (p *Pool) Release(ctx context.Context) error {
	p.mu.Lock()
	roles := map[string]*role{}
	for name, m := range p.members {
		if m.role != nil {
			roles[name] = m.role
		}
	}
	p.members = map[string]*member{}
	p.mu.Unlock()

	var all []error
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		if err := roles[name].Put(ctx, grant.Set{}); err != nil && !isMissing(err) { // one that is gone holds nothing
			all = append(all, fmt.Errorf("identity %s: release: %w", name, err))
		}
	}
	return errors.Join(append(all, p.server.close())...)
}

// Decode asks STS what an encoded authorization message (EC2's) was about. A
// message that tells of an explicit deny is a [DeniedError]: a grant would not
// help.
func (p *Pool) Decode(ctx context.Context, encoded string) (grant.Grant, error) {
	out, err := p.sts.DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: &encoded})
	if err != nil {
		return grant.Grant{}, p.explain("decode an authorization message", "sts:DecodeAuthorizationMessage", err)
	}
	return readDecoded(awssdk.ToString(out.DecodedMessage))
}

// actionName is what a permission can look like; anything else in a decoded
// message is not one that may be granted.
var actionName = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9]+$`)

// readDecoded reads what DecodeAuthorizationMessage gives (STS API reference).
func readDecoded(text string) (grant.Grant, error) {
	var m struct {
		Allowed      bool
		ExplicitDeny bool
		Context      struct{ Action, Resource string }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return grant.Grant{}, fmt.Errorf("decoded authorization message: %w", err)
	}
	g := grant.Grant{Permission: m.Context.Action, Resource: m.Context.Resource}
	if g.Resource == "" {
		g.Resource = "*"
	}
	switch {
	case m.Allowed:
		return grant.Grant{}, errors.New("decoded authorization message: tells of a request that was allowed")
	case !actionName.MatchString(g.Permission):
		return grant.Grant{}, fmt.Errorf("decoded authorization message: names no action but %q", g.Permission)
	case g.Resource != "*" && !strings.HasPrefix(g.Resource, "arn:"), strings.ContainsAny(g.Resource, "*?") && g.Resource != "*":
		// A wildcard would be granted as one.
		return grant.Grant{}, fmt.Errorf("decoded authorization message: names no resource but %q", g.Resource)
	case m.ExplicitDeny:
		return grant.Grant{}, &DeniedError{Grant: g}
	}
	return g, nil
}

func (p *Pool) announce(kind, id string) error {
	if p.cfg.Announce == nil {
		return nil
	}
	if err := p.cfg.Announce(kind, id); err != nil {
		return fmt.Errorf("announce %s: %w", id, err)
	}
	return nil
}

func (p *Pool) arn(kind, name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:%s%s%s", p.partition, p.account, kind, path, name)
}

func (p *Pool) tags(identity string) []types.Tag {
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	return []types.Tag{
		tag(tagManaged, "true"), tag(tagStack, slug(p.cfg.Stack, 128)), tag(tagIdentity, slug(identity, 128)), tag(tagRun, slug(p.cfg.RunID, 128)),
	}
}

// ours tells whether the tags say that Whittle made it for this stack, and for
// the identity, unless that is empty.
func (p *Pool) ours(tags []types.Tag, identity string) bool {
	have := map[string]string{}
	for _, t := range tags {
		have[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	return have[tagManaged] == "true" && have[tagStack] == slug(p.cfg.Stack, 128) &&
		(identity == "" || have[tagIdentity] == slug(identity, 128))
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

// slug makes s fit for names and tags of IAM, at most n bytes long. Case is
// folded, since role names that differ in case only are one name to IAM. What
// had to be changed gets a hash of the whole, so that two never become one.
func slug(s string, n int) string {
	b := []byte(strings.ToLower(s))
	for i, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			b[i] = '-'
		}
	}
	if string(b) == s && len(b) <= n {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	hash := "-" + hex.EncodeToString(sum[:5])
	return string(b[:min(len(b), n-len(hash))]) + hash
}
