package gcp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness/grant"
	auditgcp "github.com/whittle-iam/whittle/sandbox/audit/gcp"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// plain makes an account with a role of exactly the permissions, and gives the
// configuration of an operator who is that account.
func plain(t *testing.T, g *sandbox.Gate, cfg Config, s grant.Set) Config {
	t.Helper()
	client := option.WithHTTPClient(cfg.HTTP)
	identities, err1 := iam.NewService(t.Context(), client)
	tokens, err3 := iamcredentials.NewService(t.Context(), client)
	if err := errors.Join(err1, err3); err != nil {
		t.Fatal(err)
	}
	parent := "projects/" + cfg.Project
	a, err := identities.Projects.ServiceAccounts.Create(parent, &iam.CreateServiceAccountRequest{AccountId: "some-operator"}).Do()
	if err != nil {
		t.Fatal(err)
	}
	r, err := identities.Projects.Roles.Create(parent, &iam.CreateRoleRequest{RoleId: "operator", Role: &iam.Role{IncludedPermissions: s.Permissions()}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	setPolicy(t, cfg, &cloudresourcemanager.Binding{Role: r.Name, Members: []string{"serviceAccount:" + a.Email}})
	made, err := tokens.Projects.ServiceAccounts.GenerateAccessToken("projects/-/serviceAccounts/"+a.Email, &iamcredentials.GenerateAccessTokenRequest{Scope: []string{scope}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTP = &http.Client{Transport: way{g, func(context.Context, string) (string, error) { return made.AccessToken, nil }}}
	cfg.Poll.Limit = 200 * time.Millisecond // who is refused is refused for good
	return cfg
}

// work is all that Whittle asks of an operator: a run with a reference, its log, and
// cleaning up; and once more, since what was deleted is brought back.
func work(ctx context.Context, cfg Config) error {
	for range 2 {
		p, err := Open(ctx, cfg)
		if err != nil {
			return err
		}
		began := time.Now()
		id, err := p.Acquire(ctx, "step")
		if err != nil {
			return err
		}
		if err := id.Role.Settle(ctx, grant.Everything()); err != nil {
			return err
		}
		if err := id.Role.Settle(ctx, grant.Of(grant.Grant{Permission: "pubsub.topics.create", Resource: "*"})); err != nil {
			return err
		}
		log := auditgcp.Log{HTTP: cfg.HTTP, Project: cfg.Project}
		if _, err := log.Read(ctx, []string{id.Principal}, began, time.Now()); err != nil {
			return err
		}
		if _, err := log.Others(ctx, []string{id.Principal}); err != nil {
			return err
		}
		if _, err := p.Left(ctx); err != nil {
			return err
		}
		if err := p.Release(ctx); err != nil {
			return err
		}
		if _, err := Clean(ctx, cfg, true); err != nil {
			return err
		}
	}
	return nil
}

// What binding on accounts needs is said, and nothing in it can be left out.
func TestOperatorScoped(t *testing.T) {
	try := func(s grant.Set) error {
		g, cfg := start(t, sandbox.Config{})
		made(t, cfg, "node-account")
		cfg = plain(t, g, cfg, Needs().Union(s))
		p, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Ground(t.Context()); err != nil {
			return err
		}
		id, err := p.Acquire(t.Context(), "step")
		if err != nil {
			return err
		}
		if err := id.Role.Put(t.Context(), grant.Of(named("compute.disks.get", "a"), accountNamed("iam.serviceAccounts.actAs", "node-account"))); err != nil {
			return err
		}
		if err := p.Release(t.Context()); err != nil {
			return err
		}
		_, err = Clean(t.Context(), cfg, true)
		return err
	}
	if err := try(NeedsScoped()); err != nil {
		t.Error(err)
	}
	for g := range NeedsScoped().All() {
		if err := try(NeedsScoped().Without(g)); err == nil || !strings.Contains(err.Error(), g.Permission) {
			t.Errorf("without %s: %v", g.Permission, err)
		}
	}
}

// The operator's role is sufficient, and nothing in it can be left out: what is
// missing is named, by what fails and by who looks first.
func TestOperator(t *testing.T) {
	try := func(t *testing.T, s grant.Set) (lacks []string, err error) {
		g, cfg := start(t, sandbox.Config{DataAccess: true})
		cfg = plain(t, g, cfg, s)
		if s.Has(grant.Grant{Permission: "resourcemanager.projects.get", Resource: "*"}) {
			p, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if lacks, err = p.Lacks(t.Context(), Needs()); err != nil {
				t.Fatal(err)
			}
		}
		return lacks, work(t.Context(), cfg)
	}
	if lacks, err := try(t, Needs()); err != nil || len(lacks) > 0 {
		t.Errorf("with all of it: lacks %q, %v", lacks, err)
	}
	for g := range Needs().All() {
		lacks, err := try(t, Needs().Without(g))
		if err == nil || !strings.Contains(err.Error(), g.Permission) {
			t.Errorf("without %s: %v", g.Permission, err)
		}
		if g.Permission != "resourcemanager.projects.get" && (len(lacks) != 1 || lacks[0] != g.Permission) {
			t.Errorf("without %s the operator is said to lack %q", g.Permission, lacks)
		}
	}
}
