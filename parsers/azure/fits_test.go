package azure

import (
	"net/url"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestFits(t *testing.T) {
	const group = "https://management.azure.com/subscriptions/s/resourceGroups/g"
	const network = "/providers/Microsoft.Network"
	for _, c := range []struct {
		method, address, body, action string
		want                          bool
	}{
		{"PUT", group + network + "/virtualNetworks/v", "", "Microsoft.Network/virtualNetworks/write", true},
		{"PUT", group + network + "/virtualNetworks/v", "", "Microsoft.Network/ddosProtectionPlans/join/action", true},
		{"PUT", group + network + "/virtualNetworks/v", "", "Microsoft.Authorization/roleAssignments/write", false},
		{"PUT", group + network + "/virtualNetworks/v", "", "Microsoft.Storage/storageAccounts/write", false},
		{"PUT", group + network + "/virtualNetworks/v", "", "Microsoft.Resources/subscriptions/resourceGroups/write", false},
		{"PUT", group, "", "Microsoft.Resources/subscriptions/resourceGroups/write", true},
		{"DELETE", group, "", "Microsoft.Storage/storageAccounts/delete", true},
		{"DELETE", group, "", "Microsoft.Storage/storageAccounts/write", false},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/v", "", "Microsoft.Network/networkInterfaces/join/action", true},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/v", "", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", true},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/v", "", "Microsoft.KeyVault/vaults/deploy/action", false},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/v", `{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"}`, "Microsoft.KeyVault/vaults/deploy/action", true},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/v", `{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"}`, "Microsoft.KeyVault/vaults/write", false},
		{"PUT", group + "/providers/Microsoft.Compute/virtualMachines/v", `{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/a/images/b/versions/1"}`, "Microsoft.Compute/galleries/images/versions/read", true},
		{"PUT", group + "/providers/Microsoft.Resources/deployments/d", `{"properties":{"template":{"resources":[{"type":"Microsoft.Storage/storageAccounts"}]}}}`, "Microsoft.Storage/storageAccounts/write", true},
		{"PUT", group + "/providers/Microsoft.Resources/deployments/d", `{"properties":{"template":{"resources":[{"type":"Microsoft.Storage/storageAccounts"}]}}}`, "Microsoft.Authorization/roleAssignments/write", false},
		{"PUT", group + "/providers/Microsoft.Storage/storageAccounts/a/providers/Microsoft.Authorization/roleAssignments/r", "", "Microsoft.Authorization/roleAssignments/write", true},
		{"PUT", group + "/providers/Microsoft.Storage/storageAccounts/a/providers/Microsoft.Insights/diagnosticSettings/d", "", "Microsoft.OperationalInsights/workspaces/sharedKeys/action", true},
		{"POST", "https://management.azure.com/subscriptions/s/providers/Microsoft.Cdn/register", "", "Microsoft.Cdn/register/action", true},
		{"GET", "https://kv.vault.azure.net/secrets/s", "", "Microsoft.KeyVault/vaults/secrets/getSecret/action", true},
		{"GET", "https://kv.vault.azure.net/secrets/s", "", "Microsoft.Storage/storageAccounts/listKeys/action", false},
		{"GET", "https://acct.blob.core.windows.net/c", "", "Microsoft.Storage/storageAccounts/blobServices/containers/read", true},
		{"GET", "https://graph.microsoft.com/v1.0/me", "", "Microsoft.Network/virtualNetworks/read", false},
		{"GET", "https://app.azurewebsites.net/", "", "Microsoft.Web/sites/read", false},
		{"PUT", group + network + "/virtualNetworks/v", "", "Microsoft.Network/*/write", false},
		{"PUT", group + network + "/virtualNetworks/v", "", "", false},
	} {
		u, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		if got := Fits(refusal.Exchange{Method: c.method, URL: u, Body: []byte(c.body)}, c.action); got != c.want {
			t.Errorf("Fits(%s %s %s, %q) = %v", c.method, c.address, c.body, c.action, got)
		}
	}
	if Fits(refusal.Exchange{}, "Microsoft.Network/virtualNetworks/read") {
		t.Error("a request without a URL fits")
	}
}
