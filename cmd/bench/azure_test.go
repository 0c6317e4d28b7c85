package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/record"
)

// The other way adds what an output shows as refused, a /delete for each /write,
// and guesses what a blob's refusal was about; what it has seen it adds once.
func TestAddAsMpf(t *testing.T) {
	role := map[string]bool{}
	const out = `Error: creating Virtual Network: unexpected status 403 (403 Forbidden) with error: AuthorizationFailed: The client 'a' with object id 'b' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/write' over scope '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v' or the scope is invalid. If access was recently granted, please refresh your credentials.
Error: unexpected status 403 (403 Forbidden) with error: AuthorizationFailed: The client 'a' with object id 'b' does not have authorization to perform action 'Microsoft.Storage/storageAccounts/read' over scope '/subscriptions/s' or the scope is invalid.
`
	if n := add(role, out); n != 3 {
		t.Errorf("added %d", n)
	}
	if n := add(role, out); n != 0 {
		t.Errorf("added %d again", n)
	}
	want := []string{"Microsoft.Network/virtualNetworks/delete", "Microsoft.Network/virtualNetworks/write", "Microsoft.Storage/storageAccounts/read"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(role))); diff != "" {
		t.Error(diff)
	}
	if n := add(role, "unexpected status 403 with AuthorizationPermissionMismatch: This request is not authorized to perform this operation using this permission."); n != 3 {
		t.Errorf("added %d for a blob", n)
	}
	if n := add(map[string]bool{}, "Error: checking for existing Blob \"readme.txt\" (Account \"x\"): executing request: unexpected status 403 (403 Forbidden) with EOF"); n != 3 {
		t.Errorf("added %d for a blob that HEAD was refused for", n)
	}
	if got := firstError("x\nError: internal-error: a\n\nError: b\n"); got != "internal-error: a" {
		t.Errorf("the error is %q", got)
	}
	exists := exists.FindStringSubmatch("Error: a resource with the ID \"/subscriptions/s/x\" already exists - to be managed via Terraform\n\n  with azurerm_virtual_network.main,\n  on network.tf line 1")
	if len(exists) != 3 || exists[1] != "/subscriptions/s/x" || exists[2] != "azurerm_virtual_network.main" {
		t.Errorf("to be imported: %q", exists)
	}
}

func TestAzureFigures(t *testing.T) {
	m := measured{rec: record.Record{Verified: true, Steps: []record.Step{
		{Name: "apply", Runs: 1, Grants: []record.Entry{{Permission: "Microsoft.A/b/write", Resource: "*"}}},
		{Name: "destroy", Runs: 1, Grants: []record.Entry{{Permission: "Microsoft.A/b/read", Resource: "*"}}},
	}}}
	got := map[string]float64{}
	for _, f := range azureFigures(m, 30*time.Second, reruns{runs: 40, took: 90 * time.Second, stuck: "destroy: internal-error", permissions: []string{"microsoft.a/b/WRITE", "Microsoft.A/b/delete", "Microsoft.A/b/read"}}) {
		got[f.Name] = f.Value
	}
	want := map[string]float64{"azure: terraform runs": 4, "azure: terraform runs, beside the other way": 0.1, "azure: time": 30, "azure: time, beside the other way": 1.0 / 3,
		"azure: permissions": 2, "azure: surplus of the other way": 1, "azure: the other way came to its end": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
