// Package azure makes and fills the probe identities of Azure: an application
// with a service principal for each, and a custom role for each scope that
// something is granted on, assigned there and nowhere else, whose content is
// what a [grant.Set] holds on that scope, actions and data actions apart.
//
// It drives the real API (Resource Manager through armauthorization, Microsoft
// Graph, Entra ID) on a real subscription and on the embedded sandbox alike. It
// does not decide what a role should hold. It takes away no assignment but those
// it made, whoever they are of, and changes no application and no role that does
// not carry its mark.
package azure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
	"github.com/whittle-iam/whittle/sandbox/role/pool"
	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// The kinds of objects that [Config].Announce is told of.
const (
	KindApplication = "azure:entra:application"
	KindRole        = "azure:authorization:roleDefinition"
	KindAssignment  = "azure:authorization:roleAssignment"
)

// Config says on whose behalf and under which names a [Pool] works.
type Config struct {
	// Credential is the operator's. Required.
	Credential azcore.TokenCredential
	// HTTP leads to the real cloud or the embedded sandbox and shows no
	// credential. Nil means one to the real cloud.
	HTTP *http.Client
	// Subscription is the id of the subscription. Required.
	Subscription string
	// Stack is whose identities these are; it becomes part of their mark.
	// Required, at most 63 characters.
	Stack string
	// RunID is written into the description of what is made.
	RunID string
	// Announce is told of each object before it is made. May be nil.
	Announce pool.Announce
	// Poll says how to wait for what is eventually consistent.
	Poll Poll
	// Log may be nil.
	Log *slog.Logger
}

// Poll says how to wait until a change has reached every place.
type Poll = settle.Poll

// usual is how it is waited where nothing is said: a change of a role assignment can
// take 10 minutes ("Troubleshoot Azure RBAC").
var usual = Poll{Initial: time.Second, Max: 10 * time.Second, Limit: 10 * time.Minute, InARow: 3}

// Pool holds the probe identities of one stack. It implements [harness.Pool],
// and can be used from many goroutines.
type Pool struct {
	cfg         Config
	tenant      string
	tags        map[string]string // the subscription's, when the pool was opened
	options     azcore.ClientOptions
	definitions *armauthorization.RoleDefinitionsClient
	assignments *armauthorization.RoleAssignmentsClient
	providers   *armauthorization.ProviderOperationsMetadataClient
	graph       runtime.Pipeline
	manager     runtime.Pipeline

	members pool.Members[member]

	actions actions
}

var (
	_ harness.Pool   = (*Pool)(nil)
	_ harness.Scoper = (*Pool)(nil)
)

// member is one identity of the pool.
type member struct {
	role        *role
	credentials *Credentials
}

// Open looks for the subscription and makes an empty pool. It changes nothing.
func Open(ctx context.Context, cfg Config) (*Pool, error) {
	switch {
	case cfg.Stack == "" || len(cfg.Stack) > 63:
		return nil, errors.New("azure roles: no stack of 1 to 63 characters named; identities are kept apart by it")
	case cfg.Subscription == "":
		return nil, errors.New("azure roles: no subscription; set sandbox.subscription in whittle.yaml")
	case cfg.Credential == nil:
		return nil, errors.New("azure roles: no credentials of the operator; log in with `az login`")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	cfg.Poll = cfg.Poll.Or(usual)
	p := &Pool{cfg: cfg, options: azcore.ClientOptions{Transport: cfg.HTTP}}
	options := &arm.ClientOptions{ClientOptions: p.options, DisableRPRegistration: true}
	var err [3]error
	p.definitions, err[0] = armauthorization.NewRoleDefinitionsClient(cfg.Credential, options)
	p.assignments, err[1] = armauthorization.NewRoleAssignmentsClient(cfg.Subscription, cfg.Credential, options)
	p.providers, err[2] = armauthorization.NewProviderOperationsMetadataClient(cfg.Credential, options)
	if err := errors.Join(err[:]...); err != nil {
		return nil, fmt.Errorf("azure roles: %w", err)
	}
	p.graph = runtime.NewPipeline("whittle", "", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(cfg.Credential, []string{graphScope}, nil)},
	}, &p.options)
	var subscription struct {
		Tenant string            `json:"tenantId"`
		Tags   map[string]string `json:"tags"`
	}
	p.manager = runtime.NewPipeline("whittle", "", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(cfg.Credential, []string{managerScope}, nil)},
	}, &p.options)
	if e := call(ctx, p.manager, http.MethodGet, managerHost+p.scope()+"?api-version=2022-12-01", nil, &subscription); e != nil {
		return nil, p.explain("read subscription "+cfg.Subscription, "Microsoft.Resources/subscriptions/read", e)
	}
	p.tenant, p.tags = subscription.Tenant, subscription.Tags
	return p, nil
}

// Account is the id of the subscription.
func (p *Pool) Account() string { return p.cfg.Subscription }

// Target is the subscription, with the tags that it had when the pool was opened,
// for [guard.Check].
func (p *Pool) Target(context.Context) (guard.Target, error) {
	return guard.Target{Kind: "subscription", Name: p.cfg.Subscription, Labels: p.tags}, nil
}

// Makes names what [Pool.Acquire] and the role's first grant make for an
// identity, where it is not there.
func (p *Pool) Makes(identity string) []string {
	return []string{
		"the application and service principal " + p.name(identity) + ", with a secret that is taken away at the end",
		"the custom role " + p.role(identity, p.scope()) + ", assigned to it on " + p.scope(),
	}
}

func (p *Pool) scope() string { return "/subscriptions/" + p.cfg.Subscription }

// Acquire gets or makes the application and the service principal of the
// identity called name, gives it a secret of this run, and waits until it gets a
// token for it. What its roles last held it holds.
func (p *Pool) Acquire(ctx context.Context, name string) (harness.Identity, error) {
	m, err := p.members.Acquire(name, func(hold func(member)) error { return p.make(ctx, name, hold) })
	if err != nil {
		return harness.Identity{}, err
	}
	return harness.Identity{Name: name, Principal: m.role.principal, Role: m.role, Credentials: m.credentials}, nil
}

func (p *Pool) make(ctx context.Context, name string, hold func(member)) error {
	app, err := p.ensureApplication(ctx, name)
	if err != nil {
		return err
	}
	principal, err := p.ensurePrincipal(ctx, app)
	if err != nil {
		return err
	}
	if err := p.ownedAlone(ctx, "application", "applications", app.ID, p.name(name)); err != nil {
		return err
	}
	if err := p.ownedAlone(ctx, "service principal", "servicePrincipals", principal, p.name(name)); err != nil {
		return err
	}
	r := &role{pool: p, identity: name, principal: principal}
	if err := r.find(ctx); err != nil {
		return err
	}
	key, secret, err := p.addPassword(ctx, app)
	if err != nil {
		return err
	}
	c, err := newCredentials(p, app, principal, key, secret)
	if err != nil {
		return err
	}
	r.as = c
	hold(member{r, c})
	return c.await(ctx)
}

// Release takes away the assignments of all identities acquired that Whittle
// made, and their secrets. It goes on past errors and joins them; with a context
// that has ended nothing can be done, so after an interrupt give it another.
func (p *Pool) Release(ctx context.Context) error {
	return p.members.Release(func(m member) error {
		return m.role.empty(ctx)
	}, func(m member) error {
		return p.removePassword(ctx, m.credentials.app, m.credentials.key)
	})
}

func sameID(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}
