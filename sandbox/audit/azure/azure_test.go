package azure

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/azure"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
)

// What a probe identity writes stands in the Activity Log with the assignment that let
// it, a refusal without, reads not at all; what a service does in its name is told from
// what it does itself.
func TestRead(t *testing.T) {
	g, err := sandbox.New(sandbox.Config{Audit: auditlog.Faults{Agents: []auditlog.Agent{{After: "Microsoft.Resources/subscriptions/resourceGroups/write", Permission: "Microsoft.KeyVault/vaults/deploy/action", Refused: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	subscription, tenant := g.Place()
	id, secret := g.Operator()
	client := &http.Client{Transport: embeddedtest.Way{Gate: g}}
	credential, err := azidentity.NewClientSecretCredential(tenant, id, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	pool, err := roleazure.Open(t.Context(), roleazure.Config{Subscription: subscription, Stack: "audit", Credential: credential, HTTP: client,
		Poll: roleazure.Poll{Initial: time.Millisecond, Max: 10 * time.Millisecond, Limit: 10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	step, err := pool.Acquire(t.Context(), "step")
	if err != nil {
		t.Fatal(err)
	}
	const write = "Microsoft.Resources/subscriptions/resourceGroups/write"
	if err := step.Role.Put(t.Context(), grant.Of(grant.Grant{Permission: write, Resource: "*"}, grant.Grant{Permission: "Microsoft.Resources/subscriptions/resourceGroups/read", Resource: "*"})); err != nil {
		t.Fatal(err)
	}
	own := step.Credentials.(*roleazure.Credentials)
	for _, c := range []struct {
		method string
		status int
	}{{http.MethodPut, 201}, {http.MethodPut, 200}, {http.MethodGet, 200}, {http.MethodDelete, 403}} {
		token, err := own.Bearer(t.Context(), "management.azure.com")
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), c.method, manager+"/subscriptions/"+subscription+"/resourceGroups/g?api-version=2021-04-01", bytes.NewReader([]byte(`{"location": "eastus"}`)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		reply, err := client.Do(r)
		if err != nil || reply.StatusCode != c.status {
			t.Fatalf("%s: %v, %v", c.method, reply.StatusCode, err)
		}
	}
	log := Log{Credential: credential, HTTP: client, Subscription: subscription}
	got, err := log.Read(t.Context(), []string{step.Principal}, began.Add(-time.Second), time.Now().Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range audit.Own(got) {
		line := e.Permission
		if e.Refused {
			line += " refused"
		} else if e.Binding == "" {
			t.Errorf("%s does not say what let it", e.Permission)
		}
		if e.Via != "" {
			line += " by a service"
		}
		if e.Principal != step.Principal {
			t.Errorf("an entry of %s", e.Principal)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	agent := "Microsoft.KeyVault/vaults/deploy/action refused by a service"
	want := []string{agent, agent, "Microsoft.Resources/subscriptions/resourceGroups/delete refused", write, write}
	if !slices.Equal(lines, want) {
		t.Errorf("the log has %q, want %q", lines, want)
	}

	// An assignment beside its own is named.
	if others, err := log.Others(t.Context(), []string{step.Principal}); err != nil || len(others) != 0 {
		t.Errorf("others: %v, %v", others, err)
	}
	token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{manager + "/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	scope := "/subscriptions/" + subscription
	body := `{"properties": {"principalId": "` + step.Principal + `", "roleDefinitionId": "` + scope + `/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, manager+scope+"/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555?api-version=2022-04-01", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Token)
	r.Header.Set("Content-Type", "application/json")
	if reply, err := client.Do(r); err != nil || reply.StatusCode != http.StatusCreated {
		t.Fatalf("%v, %v", reply, err)
	}
	others, err := log.Others(t.Context(), []string{step.Principal})
	if err != nil || len(others[step.Principal]) != 1 || others[step.Principal][0].Name != "Reader on "+scope {
		t.Errorf("others: %+v, %v", others, err)
	}
	if len(g.Ledger().Unknown())+len(g.Ledger().Problems()) > 0 {
		t.Error(g.Ledger().Unknown(), g.Ledger().Problems())
	}
}
