package gcp

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/gcp"
	rolegcp "github.com/whittle-iam/whittle/sandbox/role/gcp"
)

// to leads every request to the gate, with a token.
type to struct {
	gate  http.Handler
	token func(context.Context) (string, error)
}

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if t.token != nil {
		token, err := t.token(r.Context())
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return embeddedtest.Way{Gate: t.gate}.RoundTrip(r)
}

// What a probe identity does on the sandbox stands in its audit log, as Google's own
// client reads it: granted and refused, reads where they are turned on, what a
// service agent does in its name, and nobody else's.
func TestRead(t *testing.T) {
	for _, reads := range []bool{true, false} {
		g, err := sandbox.New(sandbox.Config{DataAccess: reads, Audit: auditlog.Faults{Agents: []auditlog.Agent{{After: "pubsub.projects.topics.create", Permission: "cloudkms.cryptoKeyVersions.useToEncrypt", Refused: true}}}})
		if err != nil {
			t.Fatal(err)
		}
		project, _ := g.Project()
		operator := &http.Client{Transport: to{g, func(context.Context) (string, error) { return g.Operator(), nil }}}
		began := time.Now()
		pool, err := rolegcp.Open(t.Context(), rolegcp.Config{Project: project, Stack: "audit", HTTP: operator, Plain: &http.Client{Transport: to{gate: g}},
			Poll: rolegcp.Poll{Initial: time.Millisecond, Max: 10 * time.Millisecond, Limit: 10 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		id, err := pool.Acquire(t.Context(), "step")
		if err != nil {
			t.Fatal(err)
		}
		if err := id.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: "pubsub.topics.create", Resource: "*"}, grant.Grant{Permission: "pubsub.topics.get", Resource: "*"})); err != nil {
			t.Fatal(err)
		}
		own := id.Credentials.(*rolegcp.Credentials)
		as := &http.Client{Transport: to{g, func(ctx context.Context) (string, error) { return own.Bearer(ctx, "") }}}
		topic := "https://pubsub.googleapis.com/v1/projects/" + project + "/topics/jobs"
		for _, c := range []struct {
			method string
			status int
		}{{http.MethodPut, 200}, {http.MethodGet, 200}, {http.MethodDelete, 403}} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, topic, bytes.NewReader([]byte("{}")))
			if err != nil {
				t.Fatal(err)
			}
			reply, err := as.Do(r)
			if err != nil || reply.StatusCode != c.status {
				t.Fatalf("%s: %v, %v", c.method, reply, err)
			}
		}
		log := Log{HTTP: operator, Project: project}
		got, err := log.Read(t.Context(), []string{id.Principal}, began.Add(-time.Second), time.Now().Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range got {
			line := e.Permission
			if e.Refused {
				line += " refused"
			}
			if e.Via != "" {
				line += " by an agent"
			}
			if e.Principal != id.Principal {
				t.Errorf("an entry of %s", e.Principal)
			}
			lines = append(lines, line)
		}
		want := []string{"pubsub.topics.create", "cloudkms.cryptoKeyVersions.useToEncrypt refused by an agent", "pubsub.topics.get", "pubsub.topics.delete refused"}
		if !reads {
			want = slices.Delete(want, 2, 3)
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("reads %v: the log has %q, want %q", reads, lines, want)
		}
		if none, err := log.Read(t.Context(), []string{"serviceAccount:other@" + project + ".iam.gserviceaccount.com"}, began.Add(-time.Second), time.Now().Add(time.Second)); err != nil || len(none) != 0 {
			t.Errorf("of somebody else: %v, %v", none, err)
		}
		if none, err := log.Read(t.Context(), []string{id.Principal}, began.Add(-time.Hour), began.Add(-time.Second)); err != nil || len(none) != 0 {
			t.Errorf("of another time: %v, %v", none, err)
		}
		if len(g.Ledger().Unknown())+len(g.Ledger().Problems()) > 0 {
			t.Error(g.Ledger().Unknown(), errors.Join(g.Ledger().Problems()...))
		}
	}
}

// A binding beside the identity's own role is named, with what it gives.
func TestOthers(t *testing.T) {
	g, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	project, _ := g.Project()
	operator := &http.Client{Transport: to{g, func(context.Context) (string, error) { return g.Operator(), nil }}}
	crm, err := cloudresourcemanager.NewService(t.Context(), option.WithHTTPClient(operator))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := rolegcp.Open(t.Context(), rolegcp.Config{Project: project, Stack: "audit", HTTP: operator, Plain: &http.Client{Transport: to{gate: g}},
		Poll: rolegcp.Poll{Initial: time.Millisecond, Max: 10 * time.Millisecond, Limit: 10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := pool.Acquire(t.Context(), "step")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := crm.Projects.GetIamPolicy(project, &cloudresourcemanager.GetIamPolicyRequest{}).Do()
	if err != nil {
		t.Fatal(err)
	}
	policy.Bindings = append(policy.Bindings, &cloudresourcemanager.Binding{Role: "roles/storage.objectViewer", Members: []string{id.Principal}})
	if _, err := crm.Projects.SetIamPolicy(project, &cloudresourcemanager.SetIamPolicyRequest{Policy: policy}).Do(); err != nil {
		t.Fatal(err)
	}
	others, err := Log{HTTP: operator, Project: project}.Others(t.Context(), []string{id.Principal})
	if err != nil {
		t.Fatal(err)
	}
	found := others[id.Principal]
	if len(found) != 1 || found[0].Name != "roles/storage.objectViewer on project "+project || !slices.Contains(found[0].Permissions, "storage.objects.get") {
		t.Errorf("%+v", found)
	}
}
