package azure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/roletest"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/azure"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
)

// way leads requests to the embedded sandbox. Like the run's proxy it puts a
// token in where a request shows a placeholder.
type way struct {
	handler http.Handler
	own     *Credentials
}

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if w.own != nil {
		if r.Header.Get("Authorization") != "Bearer "+w.own.Placeholder() {
			return nil, errors.New("the request does not show the placeholder")
		}
		token, err := w.own.Bearer(r.Context(), r.URL.Host)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return embeddedtest.Way{Gate: w.handler}.RoundTrip(r)
}

func start(t *testing.T, c sandbox.Config) (*sandbox.Gate, Config) {
	t.Helper()
	g, err := sandbox.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embeddedtest.Known(t, g.Ledger()) })
	subscription, tenant := g.Place()
	id, secret := g.Operator()
	client := &http.Client{Transport: way{handler: g}}
	credential, err := azidentity.NewClientSecretCredential(tenant, id, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	return g, Config{Subscription: subscription, Stack: "conformance", RunID: "1", Credential: credential, HTTP: client,
		Poll: Poll{Initial: time.Millisecond, Max: 20 * time.Millisecond, Limit: 20 * time.Second}}
}

// acts are calls that need one action each, one of them a data action.
var acts = map[string]string{
	"Microsoft.Network/virtualNetworks/read":             "https://management.azure.com/subscriptions/%s/providers/Microsoft.Network/virtualNetworks?api-version=2024-05-01",
	"Microsoft.Compute/disks/read":                       "https://management.azure.com/subscriptions/%s/providers/Microsoft.Compute/disks?api-version=2024-03-02",
	"Microsoft.KeyVault/vaults/secrets/getSecret/action": "https://conformance.vault.azure.net/secrets/one?api-version=7.4&subscription=%s",
}

// act does, as the identity and with what its environment has, what a grant is
// for.
func act(ctx context.Context, g *sandbox.Gate, id harness.Identity, method, address string) error {
	env, err := id.Credentials.Env(ctx)
	if err != nil {
		return err
	}
	own := id.Credentials.(*Credentials)
	shown := env["ARM_CLIENT_SECRET"]
	if !own.Issued(shown) || env["AZURE_CLIENT_SECRET"] != shown {
		return fmt.Errorf("%q is not its own", shown)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+shown)
	resp, err := (&http.Client{Transport: way{g, own}}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusForbidden:
		return roletest.ErrRefused
	}
	return fmt.Errorf("status %s", resp.Status)
}

// seed makes a vault with a secret, as the operator.
func seed(t *testing.T, cfg Config) {
	t.Helper()
	pool, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	group := pool.scope() + "/resourceGroups/conformance"
	for _, r := range []struct{ scope, address, body string }{
		{managerScope, managerHost + group + "?api-version=2021-04-01", `{"location": "eastus"}`},
		{managerScope, managerHost + group + "/providers/Microsoft.KeyVault/vaults/conformance?api-version=2023-02-01", `{"location": "eastus", "properties": {"enableRbacAuthorization": true}}`},
		{"https://vault.azure.net/.default", "https://conformance.vault.azure.net/secrets/one?api-version=7.4", `{"value": "1"}`},
	} {
		if err := asOperator(t, cfg, http.MethodPut, r.scope, r.address, r.body); err != nil {
			t.Fatalf("%s: %v", r.address, err)
		}
	}
}

func asOperator(t *testing.T, cfg Config, method, scope, address, body string) error {
	t.Helper()
	token, err := cfg.Credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token.Token)
	resp, err := cfg.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return errors.New(resp.Status)
	}
	return nil
}

func suite(t *testing.T, g *sandbox.Gate, cfg Config) roletest.Suite {
	seed(t, cfg)
	s := roletest.Suite{
		Patience: 20 * time.Second,
		NewPool: func(t *testing.T) harness.Pool {
			p, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Act: func(ctx context.Context, id harness.Identity, want grant.Grant) error {
			return act(ctx, g, id, http.MethodGet, fmt.Sprintf(acts[want.Permission], cfg.Subscription))
		},
	}
	for p := range acts {
		s.Grants = append(s.Grants, grant.Grant{Permission: p, Resource: "*"})
	}
	return s
}

func TestConformance(t *testing.T) {
	g, cfg := start(t, sandbox.Config{})
	roletest.Run(t, suite(t, g, cfg))
}

func TestConformanceWithPropagation(t *testing.T) {
	g, cfg := start(t, sandbox.Config{Propagation: 40 * time.Millisecond})
	roletest.Run(t, suite(t, g, cfg))
}

// With the gate open nothing is ever refused, and settling says so.
func TestOpenGate(t *testing.T) {
	_, cfg := start(t, sandbox.Config{Open: true})
	cfg.Poll.Limit = 100 * time.Millisecond
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "open")
	if err != nil {
		t.Fatal(err)
	}
	var unsettled *UnsettledError
	if err := id.Role.Settle(t.Context(), grant.Set{}); !errors.As(err, &unsettled) {
		t.Errorf("settled with the gate open: %v", err)
	}
}

// assigned lists the assignments of a principal, by name.
func assigned(t *testing.T, p *Pool, principal string) []string {
	t.Helper()
	var names []string
	pager := p.assignments.NewListForSubscriptionPager(&armauthorization.RoleAssignmentsClientListForSubscriptionOptions{Filter: to.Ptr("principalId eq '" + principal + "'")})
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Value {
			names = append(names, *a.Name)
		}
	}
	slices.Sort(names)
	return names
}

// What somebody else assigned to the principal, as the right to read a remote
// state, stays: through growth, release and clean (Azure/mpf, issue 172).
func TestForeignAssignmentsStay(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "remote-state")
	if err != nil {
		t.Fatal(err)
	}
	const foreign, reader, owner = "11111111-2222-4333-8444-555555555555", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	for name, role := range map[string]string{foreign: reader, "11111111-2222-4333-8444-666666666666": owner} {
		_, err = p.assignments.Create(t.Context(), p.scope(), name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
			PrincipalID: to.Ptr(id.Principal), RoleDefinitionID: to.Ptr(p.scope() + "/providers/Microsoft.Authorization/roleDefinitions/" + role)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{foreign, "11111111-2222-4333-8444-666666666666"}
	one := grant.Of(grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: "*"})
	for _, s := range []grant.Set{one, grant.Everything(), {}} {
		if err := id.Role.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		have := assigned(t, p, id.Principal)
		for _, name := range want {
			if !slices.Contains(have, name) {
				t.Errorf("with %d grants the foreign assignment %s is gone: %v", s.Len(), name, have)
			}
		}
	}
	if err := id.Role.Put(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := p.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if have := assigned(t, p, id.Principal); !slices.Equal(have, want) {
		t.Errorf("after the release: %v, want %v", have, want)
	}
	if _, err := Clean(t.Context(), cfg, false); err != nil {
		t.Fatal(err)
	}
	if have := assigned(t, p, id.Principal); !slices.Equal(have, want) {
		t.Errorf("after clean: %v, want %v", have, want)
	}
}

// A grant on a resource group holds there, and nowhere else.
func TestScopes(t *testing.T) {
	g, cfg := start(t, sandbox.Config{})
	seed(t, cfg)
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	group := p.scope() + "/resourceGroups/conformance"
	if err := asOperator(t, cfg, http.MethodPut, managerScope, managerHost+p.scope()+"/resourceGroups/other?api-version=2021-04-01", `{"location": "eastus"}`); err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "scopes")
	if err != nil {
		t.Fatal(err)
	}
	secret := grant.Grant{Permission: "Microsoft.KeyVault/vaults/secrets/getSecret/action", Resource: group + "/providers/Microsoft.KeyVault/vaults/conformance"}
	disks := grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: group}
	networks := grant.Grant{Permission: "Microsoft.Network/virtualNetworks/read", Resource: "*"}
	list := func(scope, kind string) string {
		return managerHost + scope + "/providers/" + kind + "?api-version=2024-05-01"
	}
	tries := []struct {
		address string
		with    []grant.Grant // that let it through
	}{
		{"https://conformance.vault.azure.net/secrets/one?api-version=7.4", []grant.Grant{secret}},
		{list(group, "Microsoft.Compute/disks"), []grant.Grant{disks}},
		{list(p.scope(), "Microsoft.Compute/disks"), nil},
		{list(p.scope()+"/resourceGroups/other", "Microsoft.Compute/disks"), nil},
		{list(p.scope(), "Microsoft.Network/virtualNetworks"), []grant.Grant{networks}},
		{list(group, "Microsoft.Network/virtualNetworks"), []grant.Grant{networks}},
	}
	for _, s := range []grant.Set{grant.Of(secret, disks, networks), grant.Of(disks), grant.Of(secret, networks), {}} {
		if err := id.Role.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for _, try := range tries {
			want := slices.ContainsFunc(try.with, s.Has)
			err := act(t.Context(), g, id, http.MethodGet, try.address)
			if err != nil && !errors.Is(err, roletest.ErrRefused) {
				t.Fatalf("%s: %v", try.address, err)
			}
			if (err == nil) != want {
				t.Errorf("with %v: %s: allowed %v, want %v", s.Slice(), try.address, err == nil, want)
			}
		}
	}
	for _, outside := range []string{"/subscriptions/00000000-0000-4000-8000-000000000009", "/", "/providers/Microsoft.Management/managementGroups/x", group + "*"} {
		var wrong *ResourceError
		if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: disks.Permission, Resource: outside})); !errors.As(err, &wrong) {
			t.Errorf("a grant on %s: %v", outside, err)
		}
	}
	if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "Microsoft.Compute/*/read", Resource: "*"})); err == nil || !strings.Contains(err.Error(), "pattern") {
		t.Errorf("a pattern: %v", err)
	}
}

// A role with the id of Whittle's that somebody else made is not touched.
func TestForeignRole(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	guid := p.role("foreign", p.scope())
	_, err = p.definitions.CreateOrUpdate(t.Context(), p.scope(), guid, armauthorization.RoleDefinition{Properties: &armauthorization.RoleDefinitionProperties{
		RoleName: to.Ptr("theirs"), Description: to.Ptr("not whittle's"), AssignableScopes: []*string{to.Ptr(p.scope())},
		Permissions: []*armauthorization.Permission{{Actions: []*string{to.Ptr("Microsoft.Compute/disks/read")}}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "foreign")
	if err != nil {
		t.Fatal(err)
	}
	var foreign *ForeignError
	if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "Microsoft.Network/virtualNetworks/read", Resource: "*"})); !errors.As(err, &foreign) {
		t.Errorf("put: %v", err)
	}
}

// elsewhere answers a list of applications with a next page on another host.
type elsewhere struct {
	http.RoundTripper
	asked []string
}

func (e *elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	e.asked = append(e.asked, r.URL.Host)
	if !strings.HasSuffix(r.URL.Path, "/applications") || r.Method != http.MethodGet {
		return e.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(
		`{"value": [], "@odata.nextLink": "https://graph.microsoft.com.example.org/v1.0/applications"}`))}, nil
}

// The operator's token goes to no host that a reply names.
func TestNextPageElsewhere(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	e := &elsewhere{RoundTripper: cfg.HTTP.Transport}
	cfg.HTTP = &http.Client{Transport: e}
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Acquire(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("acquire: %v", err)
	}
	if i := slices.IndexFunc(e.asked, func(h string) bool { return strings.HasSuffix(h, "example.org") }); i >= 0 {
		t.Errorf("asked %v", e.asked)
	}
}

// An action that no role can hold is told as what it is.
func TestActionNobodyKnows(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "unknown")
	if err != nil {
		t.Fatal(err)
	}
	err = id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "Microsoft.Network/virtualNetworks/fly/action", Resource: "*"}))
	if err == nil || !strings.Contains(err.Error(), "no role can hold") || code(err) != "InvalidActionOrNotAction" {
		t.Errorf("put: %v", err)
	}
}

// Clean finds what any run made, and with purge nothing is left of it.
func TestClean(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		id, err := p.Acquire(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: "*"})); err != nil {
			t.Fatal(err)
		}
	}
	other := cfg
	other.Stack = "other"
	if done, err := Clean(t.Context(), other, true); err != nil || len(done.Deleted)+len(done.Emptied) != 0 {
		t.Errorf("another stack's clean: %+v, %v", done, err)
	}
	one, err := p.Acquire(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	old := one.Credentials.(*Credentials)
	done, err := Clean(t.Context(), cfg, false)
	if _, err := old.live.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{graphScope}}); err == nil {
		t.Error("a secret of a run that was killed is still good")
	}
	if err != nil || len(done.Emptied) != 4 || len(done.Deleted) != 0 {
		t.Errorf("clean: %+v, %v", done, err)
	}
	done, err = Clean(t.Context(), cfg, true)
	if err != nil || len(done.Emptied) != 0 || len(done.Deleted) != 4 {
		t.Errorf("purge: %+v, %v", done, err)
	}
	if done, err = Clean(t.Context(), cfg, true); err != nil || len(done.Deleted) != 0 {
		t.Errorf("purge again: %+v, %v", done, err)
	}
}

// What a child gets says who it is, as clients read it, and holds no secret.
func TestPlaceholder(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "placeholder")
	if err != nil {
		t.Fatal(err)
	}
	c := id.Credentials.(*Credentials)
	if strings.Count(c.Placeholder(), ".") != 2 || !strings.HasSuffix(c.Placeholder(), ".whittle-placeholder") {
		t.Errorf("placeholder %s", c.Placeholder())
	}
	for principal, want := range map[string]bool{
		"": true, id.Principal: true, c.app.AppID: true, "appid=" + c.app.AppID + ";oid=" + id.Principal: true,
		"00000000-0000-4000-8000-000000000000": false, "appid=00000000-0000-4000-8000-000000000000;oid=00000000-0000-4000-8000-000000000001": false,
	} {
		if got := c.Is(principal); got != want {
			t.Errorf("Is(%q) = %v", principal, got)
		}
	}
	if _, err := c.Bearer(t.Context(), "example.com"); err == nil {
		t.Error("a token for a host that is none of Azure's")
	}
}

// What roles can be assigned on is listed, subnets included, by who holds what is said to
// be needed for it and nothing less.
func TestListOfScopes(t *testing.T) {
	list := func(t *testing.T, s grant.Set) ([]string, error) {
		g, cfg := start(t, sandbox.Config{})
		seed(t, cfg)
		network := managerHost + "/subscriptions/" + cfg.Subscription + "/resourceGroups/conformance" + networks + "/n?api-version=2024-05-01"
		body := `{"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]}}`
		if err := asOperator(t, cfg, http.MethodPut, managerScope, network, body); err != nil {
			t.Fatal(err)
		}
		p, err := Open(t.Context(), plain(t, g, cfg, s.With(grant.Grant{Permission: "Microsoft.Resources/subscriptions/read", Resource: "*"}), GraphNeeds))
		if err != nil {
			t.Fatal(err)
		}
		ids, err := p.Scopes(t.Context())
		for i, id := range ids {
			ids[i] = strings.TrimPrefix(id, p.scope()+"/resourceGroups/")
		}
		slices.Sort(ids)
		return slices.Compact(ids), err
	}
	want := []string{"conformance", "conformance/providers/Microsoft.KeyVault/vaults/conformance", "conformance" + networks + "/n", "conformance" + networks + "/n/subnets/s"}
	if ids, err := list(t, NeedsScoped()); err != nil || !slices.Equal(ids, want) {
		t.Errorf("%q, %v; want %q", ids, err, want)
	}
	for g := range NeedsScoped().All() {
		if _, err := list(t, NeedsScoped().Without(g)); err == nil || !strings.Contains(err.Error(), g.Permission) {
			t.Errorf("without %s: %v", g.Permission, err)
		}
	}
}

// Scopes are the same whatever their case: a role that is put again under another is not
// assigned twice, and what is not wanted any more is gone.
func TestCaseOfScopes(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	seed(t, cfg)
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Acquire(t.Context(), "case")
	if err != nil {
		t.Fatal(err)
	}
	group := p.scope() + "/resourceGroups/conformance"
	for _, scope := range []string{group, strings.ToUpper(group), strings.ToLower(group)} {
		scope = strings.Replace(scope, strings.ToUpper(p.scope()), p.scope(), 1)
		if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: scope})); err != nil {
			t.Fatal(err)
		}
		if have := assigned(t, p, id.Principal); len(have) != 1 {
			t.Errorf("on %s: %v", scope, have)
		}
	}
	if err := id.Role.Put(t.Context(), grant.Set{}); err != nil {
		t.Fatal(err)
	}
	if have := assigned(t, p, id.Principal); len(have) > 0 {
		t.Errorf("with nothing: %v", have)
	}
	err = id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "Microsoft.Compute/disks/read", Resource: group + "-gone"}))
	if err == nil || !strings.Contains(err.Error(), "assigned on what is there") {
		t.Errorf("a group that is not there: %v", err)
	}
}
