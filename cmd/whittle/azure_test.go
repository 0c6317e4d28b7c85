package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

// aks is the example of a Kubernetes cluster on Azure with all that it needs;
// beside it is its record, of a verified run under the names that its
// whittle.yaml gives.
const (
	aks       = "../../docs/examples/azure-aks/whittle.yaml"
	aksRecord = "../../docs/examples/azure-aks/whittle.lock.json"
)

// azurerm skips a test, loudly, where the provider has not been built: that takes
// too long for every run of the tests. `make test-azure` builds it.
func azurerm(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform and the azurerm provider")
	}
	found, err := tools.Named("terraform-provider-azurerm")
	if err != nil {
		t.Fatal(err)
	}
	if _, built := found.Cached(tools.Config{}); !built {
		t.Skip("SKIPPED: terraform-provider-azurerm has not been built on this machine; `make test-azure` builds it and runs this test")
	}
}

// aksMust are permissions that each step is known to need: of each kind one or
// more, linked resources and data planes among them.
var aksMust = map[string][]string{
	"plan": nil,
	"apply": {
		"Microsoft.Resources/subscriptions/resourceGroups/write", "Microsoft.Network/virtualNetworks/write", "Microsoft.Network/virtualNetworks/subnets/write",
		"Microsoft.Network/networkSecurityGroups/write", "Microsoft.Network/networkSecurityGroups/join/action", "Microsoft.Network/virtualNetworks/subnets/join/action",
		"Microsoft.ManagedIdentity/userAssignedIdentities/write", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
		"Microsoft.Storage/storageAccounts/write", "Microsoft.Storage/storageAccounts/blobServices/containers/write", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
		"Microsoft.KeyVault/vaults/write", "Microsoft.KeyVault/locations/deletedVaults/read", "Microsoft.KeyVault/vaults/secrets/setSecret/action", "Microsoft.KeyVault/vaults/secrets/getSecret/action",
		"Microsoft.ContainerRegistry/registries/write", "Microsoft.ContainerService/managedClusters/write", "Microsoft.ContainerService/managedClusters/agentPools/write",
		"Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", "Microsoft.Authorization/roleAssignments/write", "Microsoft.Network/locations/operations/read",
	},
	"replan":  {"Microsoft.Network/virtualNetworks/read", "Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.Storage/storageAccounts/listKeys/action", "Microsoft.ContainerService/managedClusters/read"},
	"update":  {"Microsoft.KeyVault/vaults/secrets/setSecret/action", "Microsoft.ContainerService/managedClusters/agentPools/write", "Microsoft.Network/networkSecurityGroups/write"},
	"destroy": {"Microsoft.Resources/subscriptions/resourceGroups/delete", "Microsoft.KeyVault/vaults/delete", "Microsoft.KeyVault/locations/deletedVaults/purge/action", "Microsoft.KeyVault/vaults/secrets/delete", "Microsoft.ContainerService/managedClusters/delete", "Microsoft.Authorization/roleAssignments/delete"},
}

// checkAKS says what is wrong with what a probe of the example has found.
func checkAKS(t *testing.T, p probed) {
	t.Helper()
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	if len(p.rec.Steps) != len(aksMust) || p.rec.Cloud != "azure" {
		t.Errorf("%d steps on %s", len(p.rec.Steps), p.rec.Cloud)
	}
	for _, s := range p.rec.Steps {
		if s.Runs != 1 {
			t.Errorf("step %s took %d runs of growth, want 1", s.Name, s.Runs)
		}
		have := s.Set().Permissions()
		for _, want := range aksMust[s.Name] {
			if !slices.Contains(have, want) {
				t.Errorf("step %s lacks %s", s.Name, want)
			}
		}
		for _, e := range s.Grants {
			// What deletes nothing holds no right to: no /delete for a /write.
			if s.Name != "destroy" && strings.HasSuffix(e.Permission, "/delete") {
				t.Errorf("step %s holds %s: clean-up that it does not need", s.Name, e.Permission)
			}
			if s.Name == "plan" && !strings.HasSuffix(e.Permission, "/read") {
				t.Errorf("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			if e.Resource != "*" || e.Purpose == "" || e.Purpose == e.Permission {
				t.Errorf("step %s: %+v", s.Name, e)
			}
		}
	}
	for _, secret := range []string{"5a4d0000-", "whittle-placeholder", "initial", "rotated"} {
		if strings.Contains(string(p.bytes), secret) {
			t.Errorf("the record holds %q:\n%s", secret, p.bytes)
		}
	}
	if text, err := json.Marshal(p.events); err != nil || strings.Contains(string(text), "rotated") || strings.Contains(string(text), "eyJ") {
		t.Errorf("the journal holds a secret, or %v", err)
	}
}

// The example converges in one run of each step, to exactly what its requests
// need by the gate's own tables, is verified, and under another name is the
// record that is beside it. With the gate open the probe fails.
func TestProbeAzure(t *testing.T) {
	azurerm(t)
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	p, err := probeStack(t, aks, "--no-reference", "--name", "name=beta", "--trace", trace)
	if err != nil {
		t.Fatal(err)
	}
	checkAKS(t, p)
	if !p.rec.Verified {
		t.Error("not verified")
	}
	exactly(t, p, traced(t, trace, p.events, journal.PassGrow))
	want, err := record.Read(aksRecord)
	if err != nil {
		t.Fatal(err)
	}
	if !want.Verified {
		t.Errorf("%s is not verified", aksRecord)
	}
	grown(want)
	if changes := record.Diff(want, p.rec); !changes.Empty() {
		t.Errorf("the record is not the one beside the example: %+v", changes)
	}
}

func TestProbeAzureOpen(t *testing.T) {
	azurerm(t)
	t.Parallel()
	failsOpen(t, aks)
}
