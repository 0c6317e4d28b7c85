package request

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"management.azure.com": true, "Management.Azure.com:443": true, "westeurope.management.azure.com": true, "management.usgovcloudapi.net": true,
		"graph.microsoft.com": true, "login.microsoftonline.com": true, "kv-1.vault.azure.net": true, "hsm1.managedhsm.azure.net": true,
		"acct1.blob.core.windows.net": true, "acct1-secondary.blob.core.windows.net": true, "acct1.z12.blob.storage.azure.net": true, "acct1.dfs.core.windows.net": true,
		"db.documents.azure.com": true, "ai.openai.azure.com": true, "reg.azurecr.io": true,
		"acct1.web.core.windows.net": false, "acct1.z13.web.core.windows.net": false, "app.azurewebsites.net": false, "x.azureedge.net": false, "x.azurefd.net": false,
		"a.b.vault.azure.net": false, "vault.azure.net": false, "management.azure.com.example.com": false, "evilmanagement.azure.com": false, "": false,
		"app.westeurope.azurecontainerapps.io": false, "api.azure-api.net": false, "x.scm.azurewebsites.net": false,
	} {
		if Host(host) != want {
			t.Errorf("Host(%q) = %v", host, !want)
		}
	}
}

func TestActions(t *testing.T) {
	const group = "management.azure.com/subscriptions/s/resourceGroups/g"
	for request, want := range map[string]string{
		"GET management.azure.com/subscriptions/s":                "Microsoft.Resources/subscriptions/read",
		"GET management.azure.com/subscriptions":                  "Microsoft.Resources/subscriptions/read",
		"GET management.azure.com/subscriptions/s/locations":      "Microsoft.Resources/subscriptions/locations/read",
		"GET management.azure.com/subscriptions/s/resourcegroups": "Microsoft.Resources/subscriptions/resourceGroups/read",
		"HEAD " + group: "Microsoft.Resources/subscriptions/resourceGroups/read",
		"PUT " + group:  "Microsoft.Resources/subscriptions/resourceGroups/write",
		"GET management.azure.com/subscriptions/s/providers/Microsoft.Compute":                                                "Microsoft.Resources/subscriptions/providers/read",
		"GET management.azure.com/subscriptions/s/providers":                                                                  "Microsoft.Resources/subscriptions/providers/read",
		"POST management.azure.com/subscriptions/s/providers/Microsoft.Compute/register":                                      "Microsoft.Compute/register/action",
		"PUT " + group + "/providers/microsoft.network/virtualnetworks/v/subnets/s":                                           "Microsoft.Network/virtualNetworks/subnets/write",
		"DELETE " + group + "/providers/Microsoft.Network/virtualNetworks/v":                                                  "Microsoft.Network/virtualNetworks/delete",
		"GET " + group + "/providers/Microsoft.Network/virtualNetworks":                                                       "Microsoft.Network/virtualNetworks/read",
		"POST " + group + "/providers/Microsoft.Storage/storageAccounts/a/listKeys":                                           "Microsoft.Storage/storageAccounts/listKeys/action",
		"POST " + group + "/exportTemplate":                                                                                   "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action",
		"PUT " + group + "/providers/Microsoft.Storage/storageAccounts/a/providers/Microsoft.Authorization/roleAssignments/r": "Microsoft.Authorization/roleAssignments/write",
		"PUT management.azure.com/providers/Microsoft.Management/managementGroups/m":                                          "Microsoft.Management/managementGroups/write",
		"GET kv.vault.azure.net/secrets/s/":                                                                                   "Microsoft.KeyVault/vaults/secrets/getSecret/action",
		"GET kv.vault.azure.net/secrets":                                                                                      "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
		"PUT kv.vault.azure.net/secrets/s":                                                                                    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
		"POST kv.vault.azure.net/keys/k/create":                                                                               "Microsoft.KeyVault/vaults/keys/create/action",
		"DELETE kv.vault.azure.net/deletedsecrets/s":                                                                          "Microsoft.KeyVault/vaults/secrets/purge/action",
		"GET a00.blob.core.windows.net/?comp=list":                                                                            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
		"PUT a00.blob.core.windows.net/c?restype=container":                                                                   "Microsoft.Storage/storageAccounts/blobServices/containers/write",
		"GET a00.blob.core.windows.net/c/b":                                                                                   "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
		"GET a00.queue.core.windows.net/?restype=service&comp=properties":                                                     "Microsoft.Storage/storageAccounts/queueServices/read",
		"POST graph.microsoft.com/v1.0/applications":                                                                          "",
		"GET app.azurewebsites.net/x":                                                                                         "",
	} {
		method, address, _ := strings.Cut(request, " ")
		u, err := url.Parse("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Actions(refusal.Exchange{Method: method, URL: u, Header: http.Header{}}), " "); got != want {
			t.Errorf("Actions(%s) = %q, want %q", request, got, want)
		}
	}
}

// Two requests that differ only in names have one class, and it holds none of
// them.
func TestClass(t *testing.T) {
	for _, c := range []struct{ method, one, two, body, want string }{
		{"PUT", "management.azure.com/subscriptions/1/resourceGroups/a/providers/Microsoft.Network/virtualNetworks/v?api-version=1", "management.azure.com/subscriptions/2/resourcegroups/b/providers/microsoft.network/virtualNetworks/w", `{"identity":{"type":"x"}}`, "PUT management.azure.com/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/{} identity"},
		{"POST", "management.azure.com/subscriptions/1/providers/Microsoft.Cdn/register", "management.azure.com/subscriptions/2/providers/Microsoft.Cdn/register", "", "POST management.azure.com/subscriptions/{}/providers/Microsoft.Cdn/register"},
		{"GET", "one.vault.azure.net/secrets/a/", "two.vault.azure.net/secrets/b", "", "GET {}.vault.azure.net/secrets/{}"},
		{"GET", "one1.blob.core.windows.net/c/a/b", "two2.blob.core.windows.net/d/e", "", "GET {}.blob.core.windows.net/{}/{}"},
		{"GET", "graph.microsoft.com/v1.0/applications/1", "graph.microsoft.com/v1.0/applications/2", "", "GET graph.microsoft.com/v1.0/applications/{}"},
		{"PUT", "management.azure.com/subscriptions/1/resourceGroups/a/providers/Microsoft.Resources/deployments/d", "management.azure.com/subscriptions/1/resourceGroups/b/providers/Microsoft.Resources/deployments/e", `{"properties":{"template":{"resources":[{"type":"Microsoft.Web/sites"},{"type":"microsoft.storage/storageaccounts"}]}}}`, "PUT management.azure.com/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Resources/deployments/{} Microsoft.Storage/storageAccounts Microsoft.Web/sites"},
	} {
		for _, address := range []string{c.one, c.two} {
			u, err := url.Parse("https://" + address)
			if err != nil {
				t.Fatal(err)
			}
			if got := Class(refusal.Exchange{Method: c.method, URL: u, Header: http.Header{}, Body: []byte(c.body)}); got != c.want {
				t.Errorf("Class(%s) = %q, want %q", address, got, c.want)
			}
		}
	}
}
