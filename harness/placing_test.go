package harness

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// onGoogle is a loop on Google Cloud whose one step holds the grants.
func onGoogle(scope lifecycle.Scope, grants ...grant.Grant) *loop {
	l := newLoop(Config{Lifecycle: lifecycle.Lifecycle{Cloud: "gcp", Scope: scope, Steps: []lifecycle.Step{{Name: "apply"}}}, Account: "my-project", Journal: silent{}})
	l.place = place.NewProject("my-project", "1", []string{"a@b"}, scope == lifecycle.ScopeType)
	for _, g := range grants {
		l.result.Steps[0].Entries = append(l.result.Steps[0].Entries, Entry{Grant: g})
	}
	return l
}

type silent struct{}

func (silent) Append(journal.Event) error { return nil }

// openTo lets the identity through with a permission.
type openTo string

func (openTo) Plant(context.Context, []grant.Set) error { return nil }

func (o openTo) Try(context.Context, Identity, grant.Set) ([]Trial, error) {
	return []Trial{{Permission: string(o), Resource: "a decoy", Allowed: true}}, nil
}

// A decoy that is let through fails the verification where the grant should have been
// narrower, or is narrow and is not kept; else it is said why.
func TestDecoysOnGoogle(t *testing.T) {
	const read, act = "secretmanager.versions.access", "iam.serviceAccounts.actAs"
	named := grant.Condition{"within": {"resource.name": {"projects/1/secrets/s"}}}.String()
	typed := grant.Condition{"==": {"resource.type": {"secretmanager.googleapis.com/SecretVersion"}}}.String()
	for _, tt := range []struct {
		name  string
		scope lifecycle.Scope
		grant grant.Grant
		setup func(l *loop)
		why   string // empty fails
	}{
		{name: "the condition does not hold", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: read, Resource: "*", Condition: named}},
		{name: "the condition is left out", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: read, Resource: "*"}},
		{name: "no name", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: read, Resource: "*", Condition: typed}, why: "the cloud makes up"},
		{name: "of the type", scope: lifecycle.ScopeType, grant: grant.Grant{Permission: read, Resource: "*", Condition: typed}, why: "scope: type"},
		{name: "the account's binding is left out", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: act, Resource: "*"}},
		{name: "as well where types are asked for", scope: lifecycle.ScopeType, grant: grant.Grant{Permission: act, Resource: "*"}},
		{name: "nothing to bind on", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: act, Resource: "*"}, why: "makes the service account itself",
			setup: func(l *loop) { l.place.Of(refusal.Exchange{}, "apply")(act, "") }},
		{name: "bound on an account", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: act, Resource: attribute.Account + "my-project/serviceAccounts/a@b"}},
		{name: "from the record", scope: lifecycle.ScopeResource, grant: grant.Grant{Permission: act, Resource: "*"}, why: "makes the service account itself",
			setup: func(l *loop) {
				l.Kept, l.Start = true, map[string]grant.Set{"apply": grant.Of(grant.Grant{Permission: act, Resource: "*"})}
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := onGoogle(tt.scope, tt.grant)
			l.Decoys = openTo(tt.grant.Permission)
			if tt.setup != nil {
				tt.setup(l)
			}
			err := l.tryDecoys(t.Context())
			var decoy *DecoyError
			if tt.why == "" {
				if !errors.As(err, &decoy) {
					t.Fatalf("error %v, want a DecoyError", err)
				}
				return
			}
			if err != nil || len(l.result.Trials) != 1 || !strings.Contains(l.result.Trials[0].Why, tt.why) || l.result.Trials[0].Grant != tt.grant {
				t.Fatalf("%v, %+v, want %q", err, l.result.Trials, tt.why)
			}
		})
	}
}

// What is refused is granted where the request shows it; rights that could raise the
// identity's own stay on their resource, whatever the scope.
func TestPlaced(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "secretmanager.googleapis.com", Path: "/v1/projects/my-project/secrets/s"}
	secret := refusal.Denial{Cloud: refusal.GCP, Reason: refusal.MissingPermission, Resource: "projects/1/secrets/s"}
	for _, tt := range []struct {
		scope            lifecycle.Scope
		permission, want string
	}{
		{lifecycle.ScopeResource, "secretmanager.secrets.get", `{"within":{"resource.name":"projects/1/secrets/s"}}`},
		{lifecycle.ScopeType, "secretmanager.secrets.get", `{"==":{"resource.type":"secretmanager.googleapis.com/Secret"}}`},
		{lifecycle.ScopeType, "secretmanager.secrets.setIamPolicy", `{"within":{"resource.name":"projects/1/secrets/s"}}`},
	} {
		d := secret
		d.Permission = tt.permission
		rules := decide.Rules{Rehearsal: true, Place: onGoogle(tt.scope).place.Of(refusal.Exchange{URL: u}, "apply")}
		dec := decide.Of(grant.Set{}, d, nil, false, rules)
		want := []grant.Grant{{Permission: tt.permission, Resource: "*", Condition: tt.want}}
		if diff := cmp.Diff(want, dec.Grants); diff != "" || dec.Action != decide.Add {
			t.Errorf("%s: %v\n%s", tt.scope, dec.Action, diff)
		}
	}
	if dec := decide.Of(grant.Set{}, refusal.Denial{Cloud: refusal.GCP, Reason: refusal.MissingPermission, Permission: "secretmanager.secrets.get", Resource: "projects/1/secrets/s"}, nil, false, decide.Rules{Place: (*place.Ground)(nil).Of(refusal.Exchange{URL: u}, "")}); dec.Grants[0].Condition != "" || dec.Grants[0].Resource != "*" {
		t.Errorf("without a scope: %v", dec.Grants)
	}
}

// What could not be granted on less is listed, with the reason.
func TestWhole(t *testing.T) {
	l := onGoogle(lifecycle.ScopeResource,
		grant.Grant{Permission: "compute.networks.get", Resource: "*"}, grant.Grant{Permission: "compute.networks.create", Resource: "*"},
		grant.Grant{Permission: "secretmanager.secrets.create", Resource: "*"}, grant.Grant{Permission: "storage.objects.get", Resource: "*"},
		grant.Grant{Permission: "compute.disks.get", Resource: "*", Condition: `{"==":{"resource.name":"x"}}`})
	want := []Whole{
		{"IAM Conditions know no attributes of what it is about", []string{"compute.networks.create", "compute.networks.get"}},
		{"it is checked on the project", []string{"secretmanager.secrets.create"}},
		{"the refusal names no resource", []string{"storage.objects.get"}},
	}
	if diff := cmp.Diff(want, l.whole()); diff != "" {
		t.Error(diff)
	}
}

// A name that a verification has otherwise, but for its end, is what both begin with,
// in all steps.
func TestOtherwise(t *testing.T) {
	on := func(name string) grant.Grant {
		return grant.Grant{Permission: "compute.instanceTemplates.get", Resource: "*", Condition: `{"==":{"resource.name":"projects/p/global/instanceTemplates/` + name + `"}}`}
	}
	for _, tt := range []struct{ was, is, want string }{
		{"gke-acme-base-ab08fb1a", "gke-acme-base-09c0d0ec", "gke-acme-base-"},
		{"acme-a", "acme-b", ""}, {"acme-blue", "acme-green", ""}, {"acmeabcd", "acmeefgh", ""}, {"a-blue-abcd", "a-pink-efgh", ""}, {"gke-a-abcdefgh", "gke-a-abc-efgh", ""},
	} {
		l := onGoogle(lifecycle.ScopeResource, on(tt.was))
		l.result.Steps = append(l.result.Steps, StepResult{Step: lifecycle.Step{Name: "other"}, Entries: []Entry{{Grant: on(tt.was)}}})
		if again, err := l.putBack(&l.result.Steps[0], l.newArbiter(t.Context(), l.result.Steps[0].Step, passVerify, watch, Identity{}, grant.Set{}), []Entry{{Grant: on(tt.is)}}); err != nil || again == nil {
			t.Fatal(again, err)
		}
		want := [][]grant.Grant{{on(tt.was), on(tt.is)}, {on(tt.was)}}
		if tt.want != "" {
			g := on("")
			g.Condition = `{"startsWith":{"resource.name":"projects/p/global/instanceTemplates/` + tt.want + `"}}`
			want = [][]grant.Grant{{g}, {g}}
		}
		for i, r := range l.result.Steps {
			if diff := cmp.Diff(grant.Of(want[i]...).Slice(), r.Set().Slice()); diff != "" {
				t.Errorf("%s, then %s: step %d\n%s", tt.was, tt.is, i, diff)
			}
		}
	}
	l := onGoogle(lifecycle.ScopeResource)
	l.place = nil
	l.otherwise(&l.result.Steps[0], []Entry{{Grant: on("x-abcd")}})
	if len(l.names) > 0 {
		t.Errorf("%v", l.names)
	}
}
