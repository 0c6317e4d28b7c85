package azure

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/decoy/decoytest"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/azure"
	"github.com/whittle-iam/whittle/sandbox/embedded/embeddedtest"
	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
)

// Each kind of decoy can be made, and each attempt is refused to a role that holds the
// same in another resource group, and let through to one that holds it on the
// subscription: an attempt that is always refused would show nothing. They are taken away
// in the end.
func TestDecoys(t *testing.T) {
	gate, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	subscription, tenant := gate.Place()
	id, secret := gate.Operator()
	client := &http.Client{Transport: embeddedtest.Way{Gate: gate}}
	credential, err := azidentity.NewClientSecretCredential(tenant, id, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	decoys := &Decoys{HTTP: client, Subscription: subscription, Operator: func(ctx context.Context, host string) (string, error) {
		scope, _ := roleazure.Scope(host)
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
		return token.Token, err
	}}
	pool, err := roleazure.Open(t.Context(), roleazure.Config{Credential: credential, HTTP: client, Subscription: subscription, Stack: "decoys", RunID: "1",
		Poll: roleazure.Poll{Initial: time.Millisecond, Max: 20 * time.Millisecond, Limit: 20 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	probe, err := pool.Acquire(t.Context(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	mine := "/subscriptions/" + subscription + "/resourceGroups/mine"
	if err := decoys.make(t.Context(), "group", request{"PUT", group, located}, decoy{}, "mine"); err != nil {
		t.Fatal(err)
	}

	try := func(on string) []harness.Trial {
		t.Helper()
		s := grant.Set{}
		for _, k := range kinds {
			for _, try := range k.tries {
				s = s.With(grant.Grant{Permission: try.permission, Resource: on})
			}
		}
		if err := decoys.Plant(t.Context(), []grant.Set{s}); err != nil {
			t.Fatal(err)
		}
		if err := probe.Role.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		trials, err := decoys.Try(t.Context(), probe, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := decoys.Uproot(t.Context()); err != nil {
			t.Fatal(err)
		}
		return trials
	}
	wide := try("*")
	for _, trial := range wide {
		if !strings.HasPrefix(trial.Resource, "/subscriptions/"+subscription+"/resourceGroups/whittledecoy") || strings.ContainsAny(trial.Resource, "{}") {
			t.Errorf("a decoy is %s", trial.Resource)
		}
	}
	// After the wide one: what was held on all must be gone.
	narrow := try(mine)
	decoytest.Tell(t, narrow, wide)
	tries := 0
	for _, k := range kinds {
		tries += len(k.tries)
	}
	if len(narrow) != tries {
		t.Errorf("%d attempts, of %d that can be made", len(narrow), tries)
	}
	if ids, err := pool.Scopes(t.Context()); err != nil || strings.Contains(strings.Join(ids, " "), "whittledecoy") {
		t.Errorf("left: %q, %v", ids, err)
	}
	embeddedtest.Known(t, gate.Ledger())
	// Nothing is made where nothing is held that could be tried.
	if err := decoys.Plant(t.Context(), []grant.Set{grant.Of(grant.Grant{Permission: "Microsoft.Web/sites/read", Resource: "*"})}); err != nil || decoys.name != "" {
		t.Errorf("planted %q, %v", decoys.name, err)
	}
	if err := pool.Release(t.Context()); err != nil {
		t.Error(err)
	}
}
