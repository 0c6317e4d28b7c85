package gcp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	crm "google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	iamapi "google.golang.org/api/iam/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

const project = "whittle-sandbox"

// way leads a client's requests to the handler, with a token.
type way struct {
	handler http.Handler
	token   string
}

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if w.token != "" && r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	return embeddedtest.Way{Gate: w.handler}.RoundTrip(r)
}

func start(t *testing.T, c gcp.Config) *gcp.Gate {
	t.Helper()
	g, err := gcp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range g.Ledger().Problems() {
			if !strings.Contains(t.Name(), "Problem") {
				t.Errorf("a problem: %v", p)
			}
		}
	})
	return g
}

func as(g *gcp.Gate, token string) option.ClientOption {
	return option.WithHTTPClient(&http.Client{Transport: way{g, token}})
}

// clients are the real clients, as one principal.
type clients struct {
	compute *compute.Service
	iam     *iamapi.Service
	crm     *crm.Service
}

func connect(t *testing.T, g *gcp.Gate, token string) clients {
	t.Helper()
	var c clients
	var err [3]error
	c.compute, err[0] = compute.NewService(t.Context(), as(g, token))
	c.iam, err[1] = iamapi.NewService(t.Context(), as(g, token))
	c.crm, err[2] = crm.NewService(t.Context(), as(g, token))
	if e := errors.Join(err[:]...); e != nil {
		t.Fatal(e)
	}
	return c
}

// must gives a value, or ends the test.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused checks that a call failed with a code and words.
func refused(t *testing.T, err error, code int, words ...string) *googleapi.Error {
	t.Helper()
	var e *googleapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error %d", err, code)
	}
	for _, w := range words {
		if e.Code != code || !strings.Contains(e.Error()+e.Body, w) {
			t.Fatalf("got %d %v\n%s\nwant %d %q", e.Code, e, e.Body, code, w)
		}
	}
	return e
}

// done waits for an operation of Compute Engine.
func (c clients) done(t *testing.T) func(op *compute.Operation, err error) *compute.Operation {
	return func(op *compute.Operation, err error) *compute.Operation {
		t.Helper()
		for range 10 {
			if err != nil {
				t.Fatal(err)
			}
			if op.Status == "DONE" {
				if op.Error != nil {
					t.Fatal(op.Error)
				}
				return op
			}
			switch {
			case op.Zone != "":
				op, err = c.compute.ZoneOperations.Get(project, last(op.Zone), op.Name).Do()
			case op.Region != "":
				op, err = c.compute.RegionOperations.Get(project, last(op.Region), op.Name).Do()
			default:
				op, err = c.compute.GlobalOperations.Get(project, op.Name).Do()
			}
		}
		t.Fatal("the operation is never done")
		return nil
	}
}

func last(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

// principal makes a service account with a custom role, and gives clients with
// a token of its own.
func principal(t *testing.T, g *gcp.Gate, permissions ...string) (clients, string) {
	t.Helper()
	operator := connect(t, g, g.Operator())
	sa := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project,
		&iamapi.CreateServiceAccountRequest{AccountId: "probe-account"}).Do())
	must[*iamapi.Role](t)(operator.iam.Projects.Roles.Create("projects/"+project,
		&iamapi.CreateRoleRequest{RoleId: "probe", Role: &iamapi.Role{Title: "probe", IncludedPermissions: permissions}}).Do())
	bind(t, operator, "projects/"+project+"/roles/probe", "serviceAccount:"+sa.Email)
	token := tokenOf(t, g, sa.Email)
	return connect(t, g, token), token
}

func bind(t *testing.T, c clients, role, member string) {
	t.Helper()
	policy := must[*crm.Policy](t)(c.crm.Projects.GetIamPolicy(project, &crm.GetIamPolicyRequest{}).Do())
	policy.Bindings = append(policy.Bindings, &crm.Binding{Role: role, Members: []string{member}})
	must[*crm.Policy](t)(c.crm.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: policy}).Do())
}

// grant replaces the permissions of the probe's role.
func grant(t *testing.T, c clients, permissions ...string) {
	t.Helper()
	name := "projects/" + project + "/roles/probe"
	must[*iamapi.Role](t)(c.iam.Projects.Roles.Patch(name, &iamapi.Role{IncludedPermissions: permissions}).UpdateMask("includedPermissions").Do())
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return c
}

func contextWith(t *testing.T, c *http.Client) context.Context {
	return context.WithValue(t.Context(), oauth2.HTTPClient, c)
}
