package embedded

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
)

// Microsoft's library finds the subscription behind the real host names, over TLS
// that only the sandbox's authority certifies, and logs in as the operator.
func TestAzure(t *testing.T) {
	c, err := Start(t.Context(), Config{Cloud: "azure"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if c.Account() != "5a4d0000-0000-4000-8000-000000000001" || c.Region() != "eastus" || c.Tenant() == "" {
		t.Errorf("subscription %s, region %s, tenant %s", c.Account(), c.Region(), c.Tenant())
	}
	for host, want := range map[string]bool{"management.azure.com": true, "x.vault.azure.net": true, "a.blob.core.windows.net": true, "login.microsoftonline.com": true,
		"graph.microsoft.com": true, "www.microsoft.com": false, "registry.terraform.io": false} {
		if c.Has(host) != want {
			t.Errorf("stands for %s: %v", host, !want)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.DialContext, transport.TLSClientConfig.RootCAs = nil, c.Dial, c.RootCAs()
	defer transport.CloseIdleConnections()
	options := azcore.ClientOptions{Transport: &http.Client{Transport: transport}}
	id, secret := c.Operator()
	credential, err := azidentity.NewClientSecretCredential(c.Tenant(), id, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := armauthorization.NewRoleDefinitionsClient(credential, &arm.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	page, err := roles.NewListPager("/subscriptions/"+c.Account(), nil).NextPage(t.Context())
	if err != nil || len(page.Value) < 10 {
		t.Errorf("%d built-in roles, %v", len(page.Value), err)
	}
	if n := c.Stats()["Microsoft.Authorization/roleDefinitions/read"]; n.Allowed != 1 || n.Refused != 0 {
		t.Errorf("counted %+v", n)
	}
	for _, wrong := range []Config{{Cloud: "azure", Account: "x"}, {Cloud: "azure", Propagation: -1}, {Cloud: "oracle"}} {
		if c, err := Start(t.Context(), wrong); err == nil {
			c.Close()
			t.Errorf("%+v is taken", wrong)
		}
	}
}
