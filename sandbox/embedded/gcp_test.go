package embedded

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/option"
)

// google starts the sandbox of Google Cloud.
func google(t *testing.T, c Config) *Cloud {
	t.Helper()
	c.Cloud = "gcp"
	cloud, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud
}

// showing is a client that shows a token.
func showing(c *Cloud, token string) option.ClientOption {
	inner := client(c, true).Transport
	return option.WithHTTPClient(&http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token)
		return inner.RoundTrip(r)
	})})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// networks lists the networks' names.
func networks(t *testing.T, c *Cloud, as option.ClientOption) (names []string, err error) {
	t.Helper()
	s, err := compute.NewService(t.Context(), as)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Networks.List(c.Account()).Do()
	if err == nil {
		for _, n := range list.Items {
			names = append(names, n.Name)
		}
	}
	return names, err
}

// member makes a service account that holds roles/compute.viewer, with a token.
func member(t *testing.T, c *Cloud, operator option.ClientOption) option.ClientOption {
	t.Helper()
	ctx := t.Context()
	identities, err := iam.NewService(ctx, operator)
	if err != nil {
		t.Fatal(err)
	}
	account, err := identities.Projects.ServiceAccounts.Create("projects/"+c.Account(), &iam.CreateServiceAccountRequest{AccountId: "probe-1"}).Do()
	if err != nil {
		t.Fatal(err)
	}
	manager, err := cloudresourcemanager.NewService(ctx, operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manager.Projects.SetIamPolicy(c.Account(), &cloudresourcemanager.SetIamPolicyRequest{Policy: &cloudresourcemanager.Policy{
		Bindings: []*cloudresourcemanager.Binding{{Role: "roles/compute.viewer", Members: []string{"serviceAccount:" + account.Email}}}}}).Do(); err != nil {
		t.Fatal(err)
	}
	tokens, err := iamcredentials.NewService(ctx, operator)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.Projects.ServiceAccounts.GenerateAccessToken("projects/-/serviceAccounts/"+account.Email, &iamcredentials.GenerateAccessTokenRequest{Scope: []string{"https://www.googleapis.com/auth/cloud-platform"}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	return showing(c, token.AccessToken)
}

// The project behind its real host names, kept and brought back with its IAM; and
// what the operator is told of each request.
func TestGoogle(t *testing.T) {
	var mu sync.Mutex
	var traces []Trace
	c := google(t, Config{Trace: func(e Trace) {
		mu.Lock()
		defer mu.Unlock()
		traces = append(traces, e)
	}})
	if c.Account() != "whittle-sandbox" || c.Region() != "us-central1" {
		t.Errorf("project %s, region %s", c.Account(), c.Region())
	}
	token, none := c.Operator()
	if none != "" {
		t.Errorf("a second part of a token: %q", none)
	}
	operator := showing(c, token)
	before, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	viewer := member(t, c, operator)
	s, err := compute.NewService(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Networks.Insert(c.Account(), &compute.Network{Name: "a", ForceSendFields: []string{"AutoCreateSubnetworks"}}).Do(); err != nil {
		t.Fatal(err)
	}
	if names, err := networks(t, c, viewer); err != nil || strings.Join(names, " ") != "a default" {
		t.Errorf("%v, %v", names, err)
	}
	refused, err := compute.NewService(t.Context(), viewer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refused.Networks.Delete(c.Account(), "a").Do(); code(err) != http.StatusForbidden {
		t.Errorf("a viewer deletes: %v", err)
	}
	mu.Lock()
	last := traces[len(traces)-1]
	mu.Unlock()
	if last.Operation != "compute.networks.delete" || !last.Refused || last.Status != 403 || !strings.HasPrefix(last.Principal, "serviceAccount:probe-1@") ||
		len(last.Needs) != 1 || last.Needs[0].Action != "compute.networks.delete" || !strings.HasSuffix(last.Needs[0].Resource, "/networks/a") {
		t.Errorf("the trace is %+v", last)
	}
	if n := c.Stats()["compute.networks.delete"]; n != (Count{Refused: 1}) {
		t.Errorf("counted %+v", n)
	}
	if err := c.Restore(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if names, err := networks(t, c, operator); err != nil || strings.Join(names, " ") != "default" {
		t.Errorf("after the restore there are %v, %v", names, err)
	}
	if _, err := networks(t, c, viewer); code(err) != http.StatusUnauthorized { // the account is not there yet
		t.Errorf("the account of after shows its token: %v", err)
	}
	if len(c.Unknown())+len(c.Problems()) > 0 {
		t.Errorf("unknown %v, problems %v", c.Unknown(), c.Problems())
	}
	// A method that is in no table is named.
	reply, err := client(c, false).Do(get(t, "https://compute.googleapis.com/compute/v1/projects/p/nothing", token))
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if unknown := c.Unknown(); reply.StatusCode != http.StatusNotImplemented || len(unknown) != 1 || unknown[0].Path != "/compute/v1/projects/p/nothing" {
		t.Errorf("status %d, unknown %v", reply.StatusCode, unknown)
	}
	for host, ok := range map[string]bool{"compute.googleapis.com": true, "us-central1-docker.pkg.dev": true, "accounts.google.com": true, "gcr.io": true,
		"b.storage.googleapis.com": true, "google.com": false, "sts.amazonaws.com": false, "googleapis.com.evil.org": false} {
		if c.domains.have(host) != ok {
			t.Errorf("%s is hosted: %v", host, !ok)
		}
	}
	if !bytes.Contains(c.CertPEM(), []byte("BEGIN CERTIFICATE")) {
		t.Error("no certificate")
	}
}

// Grants take their time where they are told to, and with the gate open nothing is
// refused to who is known.
func TestGooglePropagationAndGate(t *testing.T) {
	slow := google(t, Config{Propagation: time.Hour})
	token, _ := slow.Operator()
	if _, err := networks(t, slow, member(t, slow, showing(slow, token))); code(err) != http.StatusForbidden {
		t.Errorf("before the grant is in force: %v", err)
	}
	open := google(t, Config{Open: true})
	token, _ = open.Operator()
	as, err := compute.NewService(t.Context(), member(t, open, showing(open, token)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := as.Networks.Insert(open.Account(), &compute.Network{Name: "a"}).Do(); err != nil {
		t.Errorf("refused with the gate open: %v", err)
	}
	if _, err := networks(t, open, showing(open, "ya29.nobody")); code(err) != http.StatusUnauthorized {
		t.Errorf("who is not known: %v", err)
	}
}

func TestOtherClouds(t *testing.T) {
	for _, c := range []Config{{Cloud: "oracle"}, {Cloud: "azure", Account: "not a subscription"}, {Cloud: "gcp", Account: "Not A Project"}, {Cloud: "gcp", Propagation: -1}} {
		if cloud, err := Start(t.Context(), c); err == nil {
			cloud.Close()
			t.Errorf("%+v is started", c)
		}
	}
}

func get(t *testing.T, url, token string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func code(err error) int {
	if e, ok := err.(*googleapi.Error); ok {
		return e.Code
	}
	return 0
}
