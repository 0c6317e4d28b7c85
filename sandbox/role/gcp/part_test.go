package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// named is a grant on the disk of that name.
func named(permission, disk string) grant.Grant {
	return grant.Grant{Permission: permission, Resource: "*", Condition: `{"==":{"resource.name":"projects/whittle-sandbox/zones/us-central1-a/disks/` + disk + `"}}`}
}

// accountNamed is a grant on that service account.
func accountNamed(permission, id string) grant.Grant {
	return grant.Grant{Permission: permission, Resource: "//iam.googleapis.com/projects/whittle-sandbox/serviceAccounts/" + id + "@whittle-sandbox.iam.gserviceaccount.com"}
}

// made makes a service account as the operator, with somebody bound on it.
func made(t *testing.T, cfg Config, id string) {
	t.Helper()
	c := accounts(t, cfg)
	a, err := c.Projects.ServiceAccounts.Create("projects/"+cfg.Project, &iam.CreateServiceAccountRequest{AccountId: id}).Do()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Projects.ServiceAccounts.SetIamPolicy(a.Name, &iam.SetIamPolicyRequest{Policy: &iam.Policy{Version: 3, Bindings: []*iam.Binding{
		{Role: "roles/iam.serviceAccountUser", Members: []string{"user:a@example.com"}},
		{Role: "roles/iam.serviceAccountUser", Members: []string{"user:b@example.com"}, Condition: &iam.Expr{Title: "t", Expression: `request.time < timestamp("2030-01-01T00:00:00Z")`}},
	}}}).Do(); err != nil {
		t.Fatal(err)
	}
}

func accounts(t *testing.T, cfg Config) *iam.Service {
	t.Helper()
	c, err := iam.NewService(t.Context(), option.WithHTTPClient(cfg.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// accountPolicy is an account's, as text.
func accountPolicy(t *testing.T, cfg Config, id string) string {
	t.Helper()
	p, err := accounts(t, cfg).Projects.ServiceAccounts.GetIamPolicy("projects/" + cfg.Project + "/serviceAccounts/" + id + "@" + cfg.Project + ".iam.gserviceaccount.com").OptionsRequestedPolicyVersion(3).Do()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, one := range p.Bindings {
		fmt.Fprintln(&b, one.Role, one.Members, one.Condition != nil)
	}
	return b.String()
}

// may asks as the identity for the disk, or what it holds on the account.
func may(t *testing.T, g *sandbox.Gate, cfg Config, id harness.Identity, want grant.Grant) bool {
	t.Helper()
	c := &http.Client{Transport: way{g, func(ctx context.Context, _ string) (string, error) {
		return id.Credentials.(*Credentials).Bearer(ctx, "")
	}}}
	if account, ok := strings.CutPrefix(want.Resource, "//iam.googleapis.com/"); ok {
		api, err := iam.NewService(t.Context(), option.WithHTTPClient(c))
		if err != nil {
			t.Fatal(err)
		}
		reply, err := api.Projects.ServiceAccounts.TestIamPermissions(account, &iam.TestIamPermissionsRequest{Permissions: []string{want.Permission}}).Do()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(reply.Permissions, want.Permission)
	}
	_, name, _ := strings.Cut(want.Condition, "projects/")
	reply, err := c.Get("https://compute.googleapis.com/compute/v1/projects/" + name[:strings.IndexByte(name, '"')])
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode == http.StatusNotFound // past authorization
}

// What holds under a condition or on one account holds there and nowhere else, as it
// is put and taken away; everybody else's bindings stay, and none of ours is left.
func TestParts(t *testing.T) {
	g, cfg := start(t, sandbox.Config{})
	made(t, cfg, "node-account")
	made(t, cfg, "other-account")
	setPolicy(t, cfg,
		&cloudresourcemanager.Binding{Role: administrator, Members: []string{"user:a@example.com"}},
		&cloudresourcemanager.Binding{Role: "roles/viewer", Members: []string{"user:b@example.com"}, Condition: &cloudresourcemanager.Expr{Title: "t", Expression: `resource.type == "x"`}},
	)
	before, node, other := policy(t, cfg), accountPolicy(t, cfg, "node-account"), accountPolicy(t, cfg, "other-account")
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id := acquire(t, p, "parts")
	a, b := named("compute.disks.get", "a"), named("compute.disks.get", "b")
	act, read := accountNamed("iam.serviceAccounts.actAs", "node-account"), accountNamed("iam.serviceAccounts.get", "other-account")
	all := []grant.Grant{a, b, act, read, accountNamed("iam.serviceAccounts.actAs", "other-account")}
	for i, set := range []grant.Set{
		grant.Of(a), grant.Of(a, b, act), grant.Of(b, act, read), {}, grant.Of(read), grant.Everything().With(a), grant.Of(a, act),
	} {
		put := id.Role.Put
		if i%2 == 1 {
			put = id.Role.Settle
		}
		if err := put(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			if want := set.Has(one) || set.Has(grant.Everything().Slice()[0]); may(t, g, cfg, id, one) != want {
				t.Errorf("set %d: %s: want %v", i, one, want)
			}
		}
	}

	// A run that was killed left all of that bound. What the identity holds by it is
	// gone before it is used.
	next, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id = acquire(t, next, "parts")
	for _, one := range all {
		if may(t, g, cfg, id, one) {
			t.Errorf("%s is left", one)
		}
	}
	if err := id.Role.Put(t.Context(), grant.Of(b)); err != nil {
		t.Fatal(err)
	}
	if got := accountPolicy(t, cfg, "node-account"); got != node {
		t.Errorf("still bound:\n%s", got)
	}
	if err := id.Role.Put(t.Context(), grant.Of(b, read)); err != nil {
		t.Fatal(err)
	}
	if err := next.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	unchanged := func(when string) {
		t.Helper()
		if diff := cmp.Diff(before, policy(t, cfg)); diff != "" {
			t.Errorf("after %s the policy is another:\n%s", when, diff)
		}
		if n, o := accountPolicy(t, cfg, "node-account"), accountPolicy(t, cfg, "other-account"); n != node || o != other {
			t.Errorf("after %s the accounts' policies are others:\n%s\n%s", when, n, o)
		}
	}
	unchanged("a run")

	// So it is after a run that nobody ended, and clean.
	last, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := acquire(t, last, "parts").Role.Put(t.Context(), grant.Of(a, act)); err != nil {
		t.Fatal(err)
	}
	if _, err := Clean(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	unchanged("clean")
	roles, err := accounts(t, cfg).Projects.Roles.List("projects/" + cfg.Project).Do()
	if err != nil || len(roles.Roles) > 0 {
		t.Errorf("roles are left: %v, %v", roles.Roles, err)
	}
}

// What no binding can say is refused, and changes nothing.
func TestPartsRefused(t *testing.T) {
	g, cfg := start(t, sandbox.Config{})
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id := acquire(t, p, "parts")
	before := policy(t, cfg)
	for _, bad := range []grant.Grant{
		{Permission: "compute.disks.get", Resource: "*", Condition: `{"StringEquals":{"a":"b"}}`},
		{Permission: "compute.disks.get", Resource: "*", Condition: `{"==":{"resource.name":"a\" || true || \""}}`},
		{Permission: "compute.disks.*", Resource: "*", Condition: `{"==":{"resource.name":"a"}}`},
		{Permission: "*", Resource: "*", Condition: `{"==":{"resource.name":"a"}}`},
		{Permission: "iam.serviceAccounts.get", Resource: "//iam.googleapis.com/projects/other/serviceAccounts/a@b"},
		{Permission: "iam.serviceAccounts.get", Resource: "//iam.googleapis.com/projects/whittle-sandbox/serviceAccounts/a@b/keys"},
		{Permission: "iam.serviceAccounts.get", Resource: "//iam.googleapis.com/projects/whittle-sandbox/serviceAccounts/a@b", Condition: `{"==":{"resource.name":"a"}}`},
	} {
		if err := id.Role.Put(t.Context(), grant.Of(bad)); err == nil {
			t.Errorf("%s was put", bad)
		}
	}
	// On one that is not there nobody is bound, until it is there and the set is put
	// again.
	late := accountNamed("iam.serviceAccounts.get", "late-account")
	if err := id.Role.Put(t.Context(), grant.Of(late)); err != nil {
		t.Errorf("put on an account that is not there: %v", err)
	}
	made(t, cfg, "late-account")
	if may(t, g, cfg, id, late) {
		t.Error("held before it was put")
	}
	if err := id.Role.Put(t.Context(), grant.Of(late)); err != nil || !may(t, g, cfg, id, late) {
		t.Errorf("not held on an account that is there now: %v", err)
	}
	if diff := cmp.Diff(before, policy(t, cfg)); diff != "" {
		t.Error(diff)
	}
	if err := p.Release(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
