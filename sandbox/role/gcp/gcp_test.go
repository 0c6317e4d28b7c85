package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/roletest"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// way leads requests to the embedded sandbox. Like the run's proxy it puts a
// token in where a request shows a placeholder.
type way struct {
	handler http.Handler
	token   func(ctx context.Context, shown string) (string, error)
}

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if w.token != nil {
		token, err := w.token(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
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
	project, _ := g.Project()
	operator := func(context.Context, string) (string, error) { return g.Operator(), nil }
	return g, Config{Project: project, Stack: "conformance", RunID: "1", HTTP: &http.Client{Transport: way{g, operator}}, Plain: &http.Client{Transport: way{handler: g}},
		Poll: Poll{Initial: time.Millisecond, Max: 20 * time.Millisecond, Limit: 20 * time.Second}}
}

// acts are calls that need one permission each.
var acts = map[string]string{
	"compute.networks.list": "https://compute.googleapis.com/compute/v1/projects/%s/global/networks",
	"dns.managedZones.list": "https://dns.googleapis.com/dns/v1/projects/%s/managedZones",
	"pubsub.topics.list":    "https://pubsub.googleapis.com/v1/projects/%s/topics",
}

func suite(g *sandbox.Gate, cfg Config) roletest.Suite {
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
			env, err := id.Credentials.Env(ctx)
			if err != nil {
				return err
			}
			shown := env["GOOGLE_OAUTH_ACCESS_TOKEN"]
			if !id.Credentials.Issued(shown) {
				return fmt.Errorf("%q is not its own", shown)
			}
			c := http.Client{Transport: way{g, func(ctx context.Context, shown string) (string, error) {
				own := id.Credentials.(*Credentials)
				if shown != own.Placeholder() {
					return "", fmt.Errorf("a request shows %q", shown)
				}
				return own.Bearer(ctx, "")
			}}}
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf(acts[want.Permission], env["GOOGLE_PROJECT"]), nil)
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+shown)
			reply, err := c.Do(r)
			switch {
			case err != nil:
				return err
			case reply.StatusCode == http.StatusForbidden:
				return fmt.Errorf("%w: %s", roletest.ErrRefused, reply.Status)
			case reply.StatusCode != http.StatusOK:
				return errors.New(reply.Status)
			}
			return nil
		},
	}
	for permission := range acts {
		s.Grants = append(s.Grants, grant.Grant{Permission: permission, Resource: "*"})
	}
	return s
}

func TestConformanceEmbedded(t *testing.T) {
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			g, cfg := start(t, sandbox.Config{Propagation: delay})
			roletest.Run(t, suite(g, cfg))
		})
	}
}

// policy is the project's policy without what tells one version from another.
func policy(t *testing.T, cfg Config) *cloudresourcemanager.Policy {
	t.Helper()
	crm, err := cloudresourcemanager.NewService(t.Context(), option.WithHTTPClient(cfg.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	p, err := crm.Projects.GetIamPolicy(cfg.Project, &cloudresourcemanager.GetIamPolicyRequest{Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	p.Etag, p.ServerResponse.Header = "", nil
	return p
}

func setPolicy(t *testing.T, cfg Config, bindings ...*cloudresourcemanager.Binding) {
	t.Helper()
	crm, err := cloudresourcemanager.NewService(t.Context(), option.WithHTTPClient(cfg.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := crm.Projects.SetIamPolicy(cfg.Project, &cloudresourcemanager.SetIamPolicyRequest{Policy: &cloudresourcemanager.Policy{Version: 3, Bindings: bindings}}).Do(); err != nil {
		t.Fatal(err)
	}
}

// Others' bindings are the same after a run that ended, or was killed, and
// after clean; so are others' accounts and roles.
func TestOthersStay(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	setPolicy(t, cfg,
		&cloudresourcemanager.Binding{Role: administrator, Members: []string{"user:a@example.com"}},
		&cloudresourcemanager.Binding{Role: "roles/viewer", Members: []string{"user:b@example.com"}, Condition: &cloudresourcemanager.Expr{Title: "t", Expression: `resource.type == "x"`}},
	)
	before := policy(t, cfg)
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id := acquire(t, p, "killed")
	if err := id.Role.Put(t.Context(), grant.Everything()); err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(before, policy(t, cfg)) {
		t.Fatal("nothing was bound")
	}

	// Another run finds that the killed one's identity is administrator, and
	// takes that away with the first change.
	next, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id = acquire(t, next, "killed")
	if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "compute.zones.list", Resource: "*"})); err != nil {
		t.Fatal(err)
	}
	for _, b := range policy(t, cfg).Bindings {
		if b.Role == administrator && len(b.Members) != 1 {
			t.Errorf("still %s: %v", administrator, b.Members)
		}
	}
	if err := next.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, policy(t, cfg)); d != "" {
		t.Errorf("after the release the policy is another:\n%s", d)
	}

	acquire(t, p, "again")
	report, err := Clean(t.Context(), cfg, false)
	if err != nil || len(report.Emptied) != 4 || len(report.Deleted) != 0 {
		t.Errorf("clean: %+v, %v", report, err)
	}
	if d := cmp.Diff(before, policy(t, cfg)); d != "" {
		t.Errorf("after clean the policy is another:\n%s", d)
	}
	other := cfg
	other.Stack = "other"
	op, err := Open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	acquire(t, op, "theirs")
	theirs := policy(t, cfg)
	report, err = Clean(t.Context(), cfg, true)
	if err != nil || len(report.Deleted) != 4 {
		t.Errorf("purge: %+v, %v", report, err)
	}
	if d := cmp.Diff(theirs, policy(t, cfg)); d != "" {
		t.Errorf("after purge the policy is another:\n%s", d)
	}
	if again, err := Clean(t.Context(), cfg, true); err != nil || len(again.Deleted) != 0 {
		t.Errorf("purge again: %+v, %v", again, err)
	}
	if accounts, err := op.accounts(t.Context()); err != nil || len(accounts) != 1 {
		t.Errorf("of the other stack %d accounts are left, %v", len(accounts), err)
	}

	// What was purged is made again: the role's id is brought back, and empty.
	id = acquire(t, open(t, cfg), "killed")
	crm, err := cloudresourcemanager.NewService(t.Context(), option.WithHTTPClient(id.Credentials.(*Credentials).client()))
	if err != nil {
		t.Fatal(err)
	}
	held, err := crm.Projects.TestIamPermissions(cfg.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: []string{"compute.zones.list"}}).Do()
	if err != nil || len(held.Permissions) != 0 {
		t.Errorf("the new identity holds %+v, %v", held, err)
	}
}

func open(t *testing.T, cfg Config) *Pool {
	t.Helper()
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func acquire(t *testing.T, p *Pool, name string) harness.Identity {
	t.Helper()
	id, err := p.Acquire(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// An account or role of the same name that is somebody else's is not touched.
func TestForeign(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p := open(t, cfg)
	account, _ := p.id("x")
	if _, err := p.iam.Projects.ServiceAccounts.Create(p.parent(), &iam.CreateServiceAccountRequest{AccountId: account}).Do(); err != nil {
		t.Fatal(err)
	}
	var foreign *ForeignError
	if _, err := p.Acquire(t.Context(), "x"); !errors.As(err, &foreign) || foreign.Kind != "service account" {
		t.Errorf("acquired: %v", err)
	}
	_, role := p.id("y")
	if _, err := p.iam.Projects.Roles.Create(p.parent(), &iam.CreateRoleRequest{RoleId: role, Role: &iam.Role{IncludedPermissions: []string{"compute.zones.list"}}}).Do(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Acquire(t.Context(), "y"); !errors.As(err, &foreign) || foreign.Kind != "role" {
		t.Errorf("acquired: %v", err)
	}
	got, err := p.iam.Projects.Roles.Get(p.parent() + "/roles/" + role).Do()
	if err != nil || len(got.IncludedPermissions) != 1 {
		t.Errorf("the foreign role is %+v, %v", got, err)
	}
}

// A policy that somebody else changes between the reading and the writing is
// read again.
func TestRace(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	p := open(t, cfg)
	raced := false
	err := p.rebind(t.Context(), func(b *bindings) {
		if !raced {
			raced = true
			setPolicy(t, cfg, &cloudresourcemanager.Binding{Role: "roles/viewer", Members: []string{"user:fast@example.com"}})
		}
		b.add("roles/browser", "user:us@example.com")
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := policy(t, cfg); len(now.Bindings) != 2 {
		t.Errorf("the policy is %+v", now.Bindings)
	}
}

func TestPutErrors(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	id := acquire(t, open(t, cfg), "errors")
	var resource *ResourceError
	if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "compute.zones.list", Resource: "projects/" + cfg.Project + "/zones/z"})); !errors.As(err, &resource) {
		t.Errorf("a grant on less than the project: %v", err)
	}
	if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "compute.*", Resource: "*"})); err == nil {
		t.Error("a pattern is taken")
	}
	if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "resourcemanager.projects.list", Resource: "*"})); err == nil || !strings.Contains(err.Error(), "resourcemanager.projects.list") {
		t.Errorf("a permission that no custom role holds: %v", err)
	}
	var many []grant.Grant
	for i := range maxPermissions + 1 {
		many = append(many, grant.Grant{Permission: fmt.Sprintf("compute.x%d.get", i), Resource: "*"})
	}
	var large *TooLargeError
	if err := id.Role.Put(t.Context(), grant.Of(many...)); !errors.As(err, &large) {
		t.Errorf("too many permissions: %v", err)
	}
}

// With the gate open nothing is refused, and Settle must not believe it.
func TestSettleOpenGate(t *testing.T) {
	_, cfg := start(t, sandbox.Config{Open: true})
	cfg.Poll.Limit = 100 * time.Millisecond
	id := acquire(t, open(t, cfg), "open")
	var unsettled *UnsettledError
	if err := id.Role.Settle(t.Context(), grant.Of(grant.Grant{Permission: "dns.changes.get", Resource: "*"})); !errors.As(err, &unsettled) {
		t.Errorf("settled where everything is let through: %v", err)
	}
}

func TestIs(t *testing.T) {
	c := &Credentials{email: "w-a@p.iam.gserviceaccount.com"}
	for principal, want := range map[string]bool{"": true, "w-a@p.iam.gserviceaccount.com": true, "serviceAccount:w-a@p.iam.gserviceaccount.com": true,
		"w-b@p.iam.gserviceaccount.com": false, "user:a@example.com": false} {
		if c.Is(principal) != want {
			t.Errorf("%q: %v", principal, !want)
		}
	}
}

// What a child is given holds the placeholder and no token; the file is for the
// operator's eyes alone, since whoever has it could work as the step does.
func TestEnv(t *testing.T) {
	_, cfg := start(t, sandbox.Config{})
	cfg.Region, cfg.Files = "europe-west4", filepath.Join(t.TempDir(), "credentials")
	id := acquire(t, open(t, cfg), "step/one")
	own := id.Credentials.(*Credentials)
	token, err := own.Bearer(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	env, err := own.Env(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := env["GOOGLE_APPLICATION_CREDENTIALS"]
	delete(env, "GOOGLE_APPLICATION_CREDENTIALS")
	want := map[string]string{"GOOGLE_REGION": "europe-west4", "CLOUDSDK_COMPUTE_REGION": "europe-west4", "GOOGLE_PROJECT": cfg.Project, "GOOGLE_CLOUD_PROJECT": cfg.Project,
		"CLOUDSDK_CORE_PROJECT": cfg.Project, "GOOGLE_OAUTH_ACCESS_TOKEN": own.Placeholder(), "CLOUDSDK_AUTH_ACCESS_TOKEN": own.Placeholder()}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("the environment (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(file) != cfg.Files || !strings.Contains(string(text), own.Placeholder()) || strings.Contains(string(text), token) {
		t.Errorf("%s holds %d bytes that are not as they should be", file, len(text))
	}
	for path, mode := range map[string]os.FileMode{file: 0o600, cfg.Files: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}
