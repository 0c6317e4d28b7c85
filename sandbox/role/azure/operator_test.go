package azure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/whittle-iam/whittle/harness/grant"
	auditazure "github.com/whittle-iam/whittle/sandbox/audit/azure"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/azure"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

// plain makes an application with a role of exactly the actions, and the permissions
// of Graph, and gives the configuration of an operator who is that application.
func plain(t *testing.T, g *sandbox.Gate, cfg Config, s grant.Set, graph ...string) Config {
	t.Helper()
	ctx := t.Context()
	cfg.Stack = "operators"
	p, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	app, err := p.ensureApplication(ctx, "some-operator")
	if err != nil {
		t.Fatal(err)
	}
	principal, err := p.ensurePrincipal(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := p.addPassword(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	const name = "11111111-2222-4333-8444-555555555555"
	var actions []*string
	for _, a := range s.Permissions() {
		actions = append(actions, to.Ptr(a))
	}
	if _, err := p.definitions.CreateOrUpdate(ctx, p.scope(), name, armauthorization.RoleDefinition{Properties: &armauthorization.RoleDefinitionProperties{
		RoleName: to.Ptr("operator"), RoleType: to.Ptr("CustomRole"), AssignableScopes: []*string{to.Ptr(p.scope())},
		Permissions: []*armauthorization.Permission{{Actions: actions}},
	}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.assignments.Create(ctx, p.scope(), name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		PrincipalID: &principal, RoleDefinitionID: to.Ptr(p.scope() + "/providers/Microsoft.Authorization/roleDefinitions/" + name),
	}}, nil); err != nil {
		t.Fatal(err)
	}
	g.Seed(func(s *store.Store, _ *entra.Directory) { entra.Holds(s, principal, graph...) })
	if cfg.Credential, err = azidentity.NewClientSecretCredential(p.tenant, app.AppID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: cfg.HTTP}}); err != nil {
		t.Fatal(err)
	}
	cfg.Stack, cfg.Poll.Limit = "conformance", 200*time.Millisecond
	return cfg
}

// work is all that Whittle asks of an operator: what he holds, a run with a reference,
// and cleaning up, twice.
func work(ctx context.Context, cfg Config) error {
	for range 2 {
		p, err := Open(ctx, cfg)
		if err != nil {
			return err
		}
		if _, err := p.Lacks(ctx, Needs()); err != nil {
			return err
		}
		log := auditazure.Log{Credential: cfg.Credential, HTTP: cfg.HTTP, Subscription: cfg.Subscription}
		if _, err := log.Read(ctx, nil, time.Now().Add(-time.Minute), time.Now()); err != nil {
			return err
		}
		id, err := p.Acquire(ctx, "step")
		if err != nil {
			return err
		}
		if err := id.Role.Settle(ctx, grant.Everything()); err != nil {
			return err
		}
		if err := id.Role.Settle(ctx, grant.Of(grant.Grant{Permission: "Microsoft.Network/virtualNetworks/read", Resource: "*"})); err != nil {
			return err
		}
		if _, err := p.Left(ctx); err != nil {
			return err
		}
		if q, err := p.Quotas(ctx); err != nil {
			return err
		} else if q.Roles < 2 || q.Assignments < 2 { // the operator's own, and the step's
			return fmt.Errorf("quotas %+v", q)
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

// The operator's role is sufficient, with the permission of Graph beside it, and
// nothing in it can be left out: what is missing is named.
func TestOperator(t *testing.T) {
	try := func(t *testing.T, s grant.Set, graph ...string) (lacks []string, err error) {
		g, cfg := start(t, sandbox.Config{})
		cfg = plain(t, g, cfg, s, graph...)
		if p, err := Open(t.Context(), cfg); err == nil {
			lacks, _ = p.Lacks(t.Context(), Needs()) // work tells the error
		}
		return lacks, work(t.Context(), cfg)
	}
	if lacks, err := try(t, Needs(), GraphNeeds); err != nil || len(lacks) > 0 {
		t.Errorf("with all of it: lacks %q, %v", lacks, err)
	}
	for g := range Needs().All() {
		lacks, err := try(t, Needs().Without(g), GraphNeeds)
		if err == nil || !strings.Contains(err.Error(), g.Permission) {
			t.Errorf("without %s: %v", g.Permission, err)
		}
		asks := g.Permission == "Microsoft.Resources/subscriptions/read" || g.Permission == "Microsoft.Authorization/permissions/read"
		if !asks && !slices.Equal(lacks, []string{g.Permission}) {
			t.Errorf("without %s the operator is said to lack %q", g.Permission, lacks)
		}
	}
	lacks, err := try(t, Needs())
	if err == nil || !strings.Contains(err.Error(), GraphNeeds) || !slices.Equal(lacks, []string{GraphNeeds}) {
		t.Errorf("without Graph's permission: lacks %q, %v", lacks, err)
	}
}

// Who owns an application can act as it: one that somebody else registered in Whittle's
// name, mark and all, is granted nothing, and neither is one whose service principal is
// his.
func TestForeignOwner(t *testing.T) {
	g, cfg := start(t, sandbox.Config{})
	other := plain(t, g, cfg, grant.Of(grant.Grant{Permission: "Microsoft.Resources/subscriptions/read", Resource: "*"}), "Application.ReadWrite.OwnedBy")
	theirs, err := Open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	planted, err := theirs.ensureApplication(t.Context(), "planted")
	if err != nil {
		t.Fatal(err)
	}
	me, err := theirs.claims(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shared, err := ours.ensureApplication(t.Context(), "shared")
	if err != nil {
		t.Fatal(err)
	}
	principal, err := ours.ensurePrincipal(t.Context(), shared)
	if err != nil {
		t.Fatal(err)
	}
	g.Seed(func(s *store.Store, _ *entra.Directory) {
		key := "entra/serviceprincipals/" + principal
		o, _ := s.Get(key)
		o["owner"] = me.ObjectID
		s.Put(key, o)
	})
	for name, kind := range map[string]string{"planted": "application", "shared": "service principal"} {
		_, err := ours.Acquire(t.Context(), name)
		var foreign *OwnerError
		if !errors.As(err, &foreign) || foreign.Kind != kind || len(foreign.Owners) != 1 || foreign.Owners[0] != me.ObjectID || me.ObjectID == "" {
			t.Errorf("%s: %v, want that %s owns the %s", name, err, me.ObjectID, kind)
		}
	}
	if principal, err = ours.ensurePrincipal(t.Context(), planted); err != nil {
		t.Fatal(err)
	}
	if have := assigned(t, ours, principal); len(have) > 0 {
		t.Errorf("it holds %v", have)
	}
	if _, err := ours.Acquire(t.Context(), "own"); err != nil {
		t.Error(err)
	}
}
