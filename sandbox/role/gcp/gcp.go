// Package gcp makes and fills the probe identities of Google Cloud: a service
// account for each, with a custom role of the project, bound to it on the
// project, whose content is a [grant.Set]. What holds under a condition only, or on one
// service account, is a custom role of its own for each such place.
//
// It drives the real API (IAM, Resource Manager and IAM Credentials) through
// Google's clients, on a real project and on the embedded sandbox alike. It does
// not decide what a role should hold. Of the project's policy, and of
// service accounts', it changes nothing but the bindings of its own accounts, and never an account or a role that does
// not carry its mark.
package gcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/oauth2/v2"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
	"github.com/whittle-iam/whittle/sandbox/role/pool"
	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// The kinds of objects that [Config].Announce is told of.
const (
	KindAccount = "gcp:iam:serviceAccount"
	KindRole    = "gcp:iam:role"
	KindBinding = "gcp:project:binding"
)

// Config says on whose behalf and under which names a [Pool] works.
type Config struct {
	// HTTP is the operator's: it shows his token with every request, and leads
	// to the real cloud or the embedded sandbox. Required.
	HTTP *http.Client
	// Plain leads to the same cloud and shows no token; the canaries use it with
	// a token of the identity. Nil means one to the real cloud.
	Plain *http.Client
	// Project is the id of the project. Required.
	Project string
	// Stack is whose identities these are; it becomes part of their mark.
	// Required, at most 63 characters.
	Stack string
	// Region is where a child's clients work unless told otherwise; empty says
	// nothing to them.
	Region string
	// Files is the folder for the credential files of child processes, which hold
	// no secret. It is made for the operator alone. Empty: there are none, and
	// clients find the credentials in the environment or not at all.
	Files string
	// RunID is written into the description of what is made.
	RunID string
	// Announce is told of each object before it is made. May be nil.
	Announce pool.Announce
	// Poll says how to wait for IAM, which is eventually consistent.
	Poll Poll
	// Log may be nil.
	Log *slog.Logger
}

// Poll says how to wait until a change has reached every place.
type Poll = settle.Poll

// usual is how it is waited where nothing is said: a change is in force "typically
// within 2 minutes", potentially 7 or more (IAM, "Access change propagation").
var usual = Poll{Initial: 500 * time.Millisecond, Max: 10 * time.Second, Limit: 7 * time.Minute, InARow: 3}

// Pool holds the probe identities of one stack. It implements [harness.Pool],
// and can be used from many goroutines.
type Pool struct {
	cfg      Config
	operator string            // as a policy names him
	number   string            // the project's
	labels   map[string]string // the project's, when the pool was opened
	iam      *iam.Service
	crm      *cloudresourcemanager.Service
	creds    *iamcredentials.Service

	policy sync.Mutex // one change of the project's policy at a time

	members pool.Members[member]
}

var _ harness.Pool = (*Pool)(nil)

// member is one identity of the pool.
type member struct {
	email       string
	role        *role
	credentials *Credentials
}

// Open asks who the operator is, looks for the project and makes an empty pool.
// It changes nothing.
func Open(ctx context.Context, cfg Config) (*Pool, error) {
	switch {
	case cfg.Stack == "" || len(cfg.Stack) > 63:
		return nil, errors.New("gcp roles: no stack of 1 to 63 characters named; identities are kept apart by it")
	case cfg.Project == "":
		return nil, errors.New("gcp roles: no project; set sandbox.project in whittle.yaml")
	case cfg.HTTP == nil:
		return nil, errors.New("gcp roles: no credentials of the operator; log in with `gcloud auth application-default login`")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Plain == nil {
		cfg.Plain = &http.Client{}
	}
	cfg.Poll = cfg.Poll.Or(usual)
	p := &Pool{cfg: cfg}
	client := option.WithHTTPClient(cfg.HTTP)
	var err [4]error
	var who *oauth2.Service
	p.iam, err[0] = iam.NewService(ctx, client)
	p.crm, err[1] = cloudresourcemanager.NewService(ctx, client)
	p.creds, err[2] = iamcredentials.NewService(ctx, client)
	who, err[3] = oauth2.NewService(ctx, client)
	if err := errors.Join(err[:]...); err != nil {
		return nil, fmt.Errorf("gcp roles: %w", err)
	}
	info, e := who.Userinfo.Get().Context(ctx).Do()
	if e != nil {
		return nil, fmt.Errorf("ask who the operator is: %w; check the operator's credentials with `gcloud auth application-default print-access-token`", e)
	}
	p.operator = "user:" + info.Email
	if strings.HasSuffix(info.Email, ".gserviceaccount.com") {
		p.operator = "serviceAccount:" + info.Email
	}
	project, e := p.crm.Projects.Get(cfg.Project).Context(ctx).Do()
	if e != nil {
		return nil, p.explain("read project "+cfg.Project, "resourcemanager.projects.get", e)
	}
	p.labels, p.number = project.Labels, strconv.FormatInt(project.ProjectNumber, 10)
	return p, nil
}

// Account is the id of the project.
func (p *Pool) Account() string { return p.cfg.Project }

// Number is the project's.
func (p *Pool) Number() string { return p.number }

// Operator is the operator as a policy names him.
func (p *Pool) Operator() string { return p.operator }

// Target is the project, with the labels that it had when the pool was opened,
// for [guard.Check].
func (p *Pool) Target(context.Context) (guard.Target, error) {
	return guard.Target{Kind: "project", Name: p.cfg.Project, Labels: p.labels}, nil
}

// Makes names what [Pool.Acquire] makes for an identity, where it is not there.
func (p *Pool) Makes(identity string) []string {
	account, role := p.id(identity)
	return []string{
		p.parent() + "/serviceAccounts/" + p.email(account),
		p.parent() + "/roles/" + role + ", bound to it on the project",
	}
}

func (p *Pool) email(account string) string {
	return account + "@" + p.cfg.Project + ".iam.gserviceaccount.com"
}

// Acquire gets or makes the service account and the custom role of the identity
// called name, binds one to the other on the project, and waits until a token
// of the account can be made. An account or role of that name without Whittle's
// mark, or of another stack, is a [ForeignError].
func (p *Pool) Acquire(ctx context.Context, name string) (harness.Identity, error) {
	m, err := p.members.Acquire(name, func(hold func(member)) error { return p.make(ctx, name, hold) })
	if err != nil {
		return harness.Identity{}, err
	}
	return harness.Identity{Name: name, Principal: "serviceAccount:" + m.email, Role: m.role, Credentials: m.credentials}, nil
}

func (p *Pool) make(ctx context.Context, name string, hold func(member)) error {
	email, err := p.ensureAccount(ctx, name)
	if err != nil {
		return err
	}
	_, base := p.id(name)
	id, err := p.ensureRole(ctx, base, owner{Identity: name})
	if err != nil {
		return err
	}
	left, err := p.leftParts(ctx, name)
	if err != nil {
		return err
	}
	r := &role{pool: p, name: id, identity: name, member: "serviceAccount:" + email, bound: left}
	c := newCredentials(p, name, email)
	r.as = c
	hold(member{email, r, c})
	if err := p.cfg.Announce.Tell(KindBinding, id+" "+r.member); err != nil {
		return err
	}
	if err := p.rebind(ctx, func(b *bindings) {
		b.add(id, r.member)
		r.owner = b.has(administrator, r.member) // a run that was killed left it
	}); err != nil {
		return err
	}
	return c.await(ctx)
}

// Release empties the roles of all identities acquired and takes their bindings
// away. It goes on past errors and joins them; with a context that has ended
// nothing can be done, so after an interrupt give it another.
func (p *Pool) Release(ctx context.Context) error {
	var members []string
	err := p.members.Release(func(m member) error {
		members = append(members, m.role.member)
		return m.role.unbind(ctx)
	}, func(m member) error {
		if err := m.role.fill(ctx, nil); !isMissing(err) { // one that is gone holds nothing
			return err
		}
		return nil
	})
	if len(members) > 0 {
		err = errors.Join(err, p.rebind(ctx, func(b *bindings) { b.remove(members...) }))
	}
	return err
}
