package words

import "testing"

func TestCanonical(t *testing.T) {
	for s, want := range map[string]string{
		"Microsoft.Network/virtualNetworks/write":                                         "Microsoft.Network/virtualNetworks/write",
		"microsoft.network/virtualnetworks/subnets/JOIN/Action":                           "Microsoft.Network/virtualNetworks/subnets/join/action",
		"Microsoft.Resources/subscriptions/resourcegroups/read":                           "Microsoft.Resources/subscriptions/resourceGroups/read",
		"microsoft.insights/diagnosticsettings/write":                                     "Microsoft.Insights/diagnosticSettings/write",
		"microsoft.keyvault/vaults/secrets/getsecret/action":                              "Microsoft.KeyVault/vaults/secrets/getSecret/action",
		"Microsoft.Storage/storageAccounts/listkeys/action":                               "Microsoft.Storage/storageAccounts/listKeys/action",
		"microsoft.newthing/widgets/read":                                                 "Microsoft.Newthing/widgets/read",
		"Microsoft.Network/loadBalancers/backendAd\n  dressPools/join/action":             "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
		"Microsoft.Cdn/register/action":                                                   "Microsoft.Cdn/register/action",
		"Microsoft.DocumentDB/databaseAccounts/readMetadata":                              "Microsoft.DocumentDB/databaseAccounts/readMetadata",
		"Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action": "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
		"Microsoft.Network/*/write":                                                       "", "*/read": "", "Microsoft.Network": "", "Microsoft.Network/virtualNetworks": "", "join/action": "", "": "", "a.b/c/d e/read": "",
	} {
		got, ok := Canonical(s)
		if s == "a.b/c/d e/read" {
			want = "" // no provider begins in lower case
		}
		if ok != (want != "") || ok && got != want {
			t.Errorf("Canonical(%q) = %q, %v", s, got, ok)
		}
	}
}

// Every type that is listed stays as it is.
func TestRegistered(t *testing.T) {
	if len(namespaces) < 90 || len(types) < 600 {
		t.Errorf("%d namespaces, %d types", len(namespaces), len(types))
	}
	for lower, name := range namespaces {
		if a, ok := Canonical(lower + "/x/read"); !ok || a != name+"/x/read" {
			t.Errorf("Canonical(%s/x/read) = %q, %v", lower, a, ok)
		}
	}
}

func TestTypeOf(t *testing.T) {
	for id, want := range map[string]string{
		"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s":                "Microsoft.Network/virtualNetworks/subnets",
		"/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworks/v":                          "Microsoft.Network/virtualNetworks",
		"/subscriptions/s/providers/Microsoft.Compute/disks/d/providers/Microsoft.Authorization/roleAssignments/r": "Microsoft.Authorization/roleAssignments",
		"/subscriptions/s": "", "": "", "/providers/Microsoft.Network": "",
	} {
		if got := TypeOf(id); got != want {
			t.Errorf("TypeOf(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestVaultAction(t *testing.T) {
	for pair, action := range vaultActions {
		if full := "Microsoft.KeyVault/vaults/" + action; !IsAction(full) {
			t.Errorf("%s: %s", pair, full)
		}
	}
	if got := vaultAction("secret", "Get"); got != "Microsoft.KeyVault/vaults/secrets/getSecret/action" {
		t.Error(got)
	}
	if got := vaultAction("storage", "get"); got != "" {
		t.Error(got)
	}
}

// What a user can choose never stands for Azure's own words.
func TestReadBeginsTheMessage(t *testing.T) {
	const denied = "The client 'c' with object id 'o' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/write' over scope '/subscriptions/s' or the scope is invalid."
	const template = "The client 'c' with object id 'o' does not have permission to perform action 'Microsoft.Network/virtualNetworks/write' at scope '/subscriptions/s'."
	for message, want := range map[string]int{
		denied: 1, " " + denied: 1, "x " + denied: 0, "Name '" + denied: 0,
		"The template deployment failed with error: 'Authorization failed for template resource 'a' of type 'T'. " + template: 1,
		"The template deployment failed with error: 'x' " + template:                                                          0,
	} {
		if got := Read(message); len(got) != want {
			t.Errorf("Read(%q) = %+v", message, got)
		}
	}
}
