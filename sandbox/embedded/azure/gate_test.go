package azure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

const (
	network = group + "/providers/Microsoft.Network/virtualNetworks/v"
	subnet  = network + "/subnets/s"
	address = group + "/providers/Microsoft.Network/publicIPAddresses/p"
	wall    = group + "/providers/Microsoft.Network/networkSecurityGroups/n"
	person  = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u"
	secrets = "https://kv-one.vault.azure.net/secrets/"
	blobs   = "https://account1.blob.core.windows.net/"
)

// world makes what the refusals are about.
func (k *kit) world() {
	k.Helper()
	for id, body := range map[string]string{
		address: `{"location": "eastus"}`, wall: `{"location": "eastus"}`, person: `{"location": "eastus"}`,
		network: `{"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]}}`,
		group + "/providers/Microsoft.KeyVault/vaults/kv-one":           `{"location": "eastus", "properties": {"enableRbacAuthorization": true, "softDeleteRetentionInDays": 7}}`,
		group + "/providers/Microsoft.Storage/storageAccounts/account1": `{"location": "eastus", "sku": {"name": "Standard_LRS"}}`,
	} {
		k.must(k.oper, "PUT", manager+id+version, body)
	}
	k.must(k.oper, "PUT", secrets+"one?api-version=7.4", `{"value": "1"}`)
	if resp, body := k.do(k.oper, "PUT", blobs+"c?restype=container", ""); resp.StatusCode != 201 {
		k.Fatalf("container: %s %s", resp.Status, body)
	}
	if resp, body := k.do(k.oper, "PUT", blobs+"c/one", "1", "X-Ms-Blob-Type", "BlockBlob"); resp.StatusCode != 201 {
		k.Fatalf("blob: %s %s", resp.Status, body)
	}
}

// Each service refuses in its own form; Whittle's parsers read of it exactly what
// is missing, and with that alone the request is let through.
func TestRefusals(t *testing.T) {
	k := start(t, Config{})
	k.world()
	const (
		nic     = group + "/providers/Microsoft.Network/networkInterfaces/i"
		gateway = group + "/providers/Microsoft.Network/virtualNetworkGateways/g"
		cluster = group + "/providers/Microsoft.ContainerService/managedClusters/k"
	)
	for _, tt := range []struct {
		name, method, address, body string
		status                      int
		code                        string
		want                        []string // the actions, in the order they are refused
		data                        bool
		opaque                      bool
	}{
		{"read", "GET", manager + network + version, "", 403, "AuthorizationFailed", []string{"Microsoft.Network/virtualNetworks/read"}, false, false},
		{"list", "GET", manager + sub + "/providers/Microsoft.Storage/storageAccounts" + version, "", 403, "AuthorizationFailed", []string{"Microsoft.Storage/storageAccounts/read"}, false, false},
		{"write", "PUT", manager + group + "/providers/microsoft.network/ROUTETABLES/r" + version, `{"location": "eastus"}`, 403, "AuthorizationFailed", []string{"Microsoft.Network/routeTables/write"}, false, false},
		{"patch", "PATCH", manager + group + version, `{"tags": {"a": "b"}}`, 403, "AuthorizationFailed", []string{"Microsoft.Resources/subscriptions/resourceGroups/write"}, false, false},
		{"action", "POST", manager + group + "/providers/Microsoft.Storage/storageAccounts/account1/listKeys" + version, "", 403, "AuthorizationFailed", []string{"Microsoft.Storage/storageAccounts/listKeys/action"}, false, false},
		{"register", "POST", manager + sub + "/providers/Microsoft.Network/register" + version, "", 403, "AuthorizationFailed", []string{"Microsoft.Network/register/action"}, false, false},
		{"linked", "PUT", manager + subnet + version, `{"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": "` + wall + `"}}}`, 403, "",
			[]string{"Microsoft.Network/virtualNetworks/subnets/write", "Microsoft.Network/networkSecurityGroups/join/action"}, false, false},
		{"linked, three", "PUT", manager + nic + version, `{"location": "eastus", "properties": {"networkSecurityGroup": {"id": "` + wall + `"}, "ipConfigurations": [{"name": "a", "properties": {"subnet": {"id": "` + subnet + `"}, "publicIPAddress": {"id": "` + address + `"}}}]}}`, 403, "",
			[]string{"Microsoft.Network/networkInterfaces/write", "Microsoft.Network/virtualNetworks/subnets/join/action", "Microsoft.Network/publicIPAddresses/join/action", "Microsoft.Network/networkSecurityGroups/join/action"}, false, false},
		{"linked, identity", "PUT", manager + cluster + version, `{"location": "eastus", "identity": {"type": "UserAssigned", "userAssignedIdentities": {"` + person + `": {}}}, "properties": {"agentPoolProfiles": [{"name": "a", "count": 1, "vnetSubnetID": "` + subnet + `"}]}}`, 403, "",
			[]string{"Microsoft.ContainerService/managedClusters/write", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", "Microsoft.Network/virtualNetworks/subnets/join/action"}, false, false},
		// Azure/mpf, issue 44: refused with status 400.
		{"linked access", "PUT", manager + gateway + version, `{"location": "eastus", "properties": {"ipConfigurations": [{"name": "a", "properties": {"publicIPAddress": {"id": "` + address + `"}}}]}}`, 0, "",
			[]string{"Microsoft.Network/virtualNetworkGateways/write", "Microsoft.Network/publicIPAddresses/join/action"}, false, false},
		{"vault", "GET", secrets + "one?api-version=7.4", "", 403, "", []string{"Microsoft.KeyVault/vaults/secrets/getSecret/action"}, true, false},
		{"vault, write", "PUT", secrets + "two?api-version=7.4", `{"value": "2"}`, 403, "", []string{"Microsoft.KeyVault/vaults/secrets/setSecret/action"}, true, false},
		// Azure/mpf, issues 41 and 58: nothing is named, and it is a data action.
		{"blob", "GET", blobs + "c/one", "", 403, "AuthorizationPermissionMismatch", []string{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"}, true, true},
		{"blob, head", "HEAD", blobs + "c/one", "", 403, "AuthorizationPermissionMismatch", []string{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"}, true, true},
		{"container", "GET", blobs + "c?restype=container", "", 403, "AuthorizationPermissionMismatch", []string{"Microsoft.Storage/storageAccounts/blobServices/containers/read"}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k.T = t
			var undo []func()
			for round := 0; ; round++ {
				resp, body := k.do(k.probe, tt.method, tt.address, tt.body)
				if resp.StatusCode < 300 {
					if round == 0 || len(tt.want) > 0 {
						t.Errorf("let through after %d rounds, and never needed %v", round, tt.want)
					}
					break
				}
				if round > 5 {
					t.Fatalf("still refused: %s %s", resp.Status, body)
				}
				if tt.code != "" && resp.Header.Get("X-Ms-Error-Code") != tt.code || tt.status != 0 && resp.StatusCode != tt.status {
					t.Errorf("status %d, code %s: %s", resp.StatusCode, resp.Header.Get("X-Ms-Error-Code"), body)
				}
				for _, d := range k.denials(tt.method, tt.address, tt.body, resp, body) {
					action := d.Permission
					if tt.opaque {
						if d.Reason != refusal.OpaqueDenial || len(d.Candidates) != 1 {
							t.Fatalf("%+v", d)
						}
						action = d.Candidates[0]
					} else if d.Reason != refusal.MissingPermission || !strings.Contains(d.Principal, k.probe.id) && d.Principal != k.probe.object {
						t.Fatalf("%+v", d)
					}
					if len(tt.want) == 0 || !strings.EqualFold(action, tt.want[0]) {
						t.Fatalf("refused for %s, want %v: %s", action, tt.want, body)
					}
					tt.want = tt.want[1:]
					with := k.actions(action)
					if tt.data {
						with = k.data(action)
					}
					undo = append(undo, k.give(sub, with))
				}
			}
			for _, u := range undo {
				u()
			}
			if s := k.status(tt.method, tt.address, tt.body); s != 403 {
				t.Errorf("after all is taken away: %d", s)
			}
		})
	}
}

// Put of a blob that is not there: who may only add can, and can't overwrite.
func TestAddBlob(t *testing.T) {
	k := start(t, Config{})
	k.world()
	k.give(sub, k.data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action"))
	put := func(name string) int {
		resp, _ := k.do(k.probe, "PUT", blobs+"c/"+name, "x", "X-Ms-Blob-Type", "BlockBlob")
		return resp.StatusCode
	}
	if s := put("new"); s != 201 {
		t.Errorf("a new blob: %d", s)
	}
	if s := put("one"); s != 403 {
		t.Errorf("over another: %d", s)
	}
}

// Actions and data actions are apart; roles hold on their scope and below, but for
// what they take away again; wildcards stand for any text.
func TestEvaluation(t *testing.T) {
	k := start(t, Config{})
	k.world()
	k.must(k.oper, "PUT", manager+sub+"/resourceGroups/other"+version, `{"location": "eastus"}`)
	const read = "Microsoft.Network/virtualNetworks/read"
	list := func(scope string) string {
		return manager + scope + "/providers/Microsoft.Network/virtualNetworks" + version
	}
	for _, tt := range []struct {
		name, scope, with string
		address           string
		want              int
	}{
		{"on the subscription", sub, k.actions(read), manager + network + version, 200},
		{"on the group", group, k.actions(read), manager + network + version, 200},
		{"on the group, of the subscription", group, k.actions(read), list(sub), 403},
		{"on the group, of another", group, k.actions(read), list(sub + "/resourceGroups/other"), 403},
		{"on the resource", network, k.actions(read), manager + network + version, 200},
		{"on the resource, of its group", network, k.actions(read), list(group), 403},
		{"inherited by a part", network, k.actions("Microsoft.Network/virtualNetworks/subnets/read"), manager + subnet + version, 200},
		{"in another case", sub, k.actions("microsoft.network/VIRTUALNETWORKS/READ"), manager + network + version, 200},
		{"wildcard", sub, k.actions("Microsoft.Network/*/read"), manager + network + version, 200},
		{"all reads", sub, k.actions("*/read"), manager + network + version, 200},
		{"another wildcard", sub, k.actions("Microsoft.Network/*/write"), manager + network + version, 403},
		{"taken away again", sub, `{"actions": ["*"], "notActions": ["Microsoft.Network/*"]}`, manager + network + version, 403},
		{"taken away, of another", sub, `{"actions": ["*"], "notActions": ["Microsoft.Compute/*"]}`, manager + network + version, 200},
		{"an action is no data action", sub, k.actions("*"), secrets + "one?api-version=7.4", 403},
		{"a data action", sub, k.data("Microsoft.KeyVault/vaults/secrets/*"), secrets + "one?api-version=7.4", 200},
		{"a data action on the vault", group + "/providers/Microsoft.KeyVault/vaults/kv-one", k.data("Microsoft.KeyVault/vaults/secrets/getSecret/action"), secrets + "one?api-version=7.4", 200},
		{"a data action taken away", sub, `{"dataActions": ["Microsoft.KeyVault/*"], "notDataActions": ["Microsoft.KeyVault/vaults/secrets/getSecret/action"]}`, secrets + "one?api-version=7.4", 403},
	} {
		undo := k.give(tt.scope, tt.with)
		if got := k.status("GET", tt.address, ""); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		undo()
	}
	for name, body := range map[string]string{
		"an action that there is not":     k.actions("Microsoft.Network/virtualNetworks/fly/action"),
		"a data action among the actions": k.actions("Microsoft.KeyVault/vaults/secrets/getSecret/action"),
		"an action among the data's":      k.data("Microsoft.Network/virtualNetworks/read"),
	} {
		resp, text := k.do(k.oper, "PUT", manager+sub+"/providers/Microsoft.Authorization/roleDefinitions/"+entra.NewID()+version,
			`{"properties": {"roleName": "x", "assignableScopes": ["`+sub+`"], "permissions": [`+body+`]}}`)
		if resp.StatusCode != 400 || resp.Header.Get("X-Ms-Error-Code") != "InvalidActionOrNotAction" {
			t.Errorf("%s: %s %s", name, resp.Status, text)
		}
	}
}

// A deny assignment wins over every role, and Whittle reads it as what no grant
// helps against.
func TestDenyAssignment(t *testing.T) {
	k := start(t, Config{})
	k.world()
	k.give(sub, `{"actions": ["*"], "dataActions": ["Microsoft.KeyVault/*"]}`)
	k.gate.Seed(func(s *store.Store, _ *entra.Directory) {
		s.Put(group+"/providers/Microsoft.Authorization/denyAssignments/d", store.Object{"properties": store.Object{
			"denyAssignmentName": "managed by x", "principals": []any{store.Object{"id": "00000000-0000-0000-0000-000000000000"}},
			"permissions": []any{store.Object{"actions": []any{"*/delete"}, "dataActions": []any{"Microsoft.KeyVault/vaults/secrets/setSecret/action"}}},
		}})
	})
	for _, tt := range []struct{ method, address, body string }{
		{"DELETE", manager + address + version, ""}, {"PUT", secrets + "two?api-version=7.4", `{"value": "x"}`},
	} {
		resp, body := k.do(k.probe, tt.method, tt.address, tt.body)
		d := k.denials(tt.method, tt.address, tt.body, resp, body)
		if resp.StatusCode != 403 || len(d) != 1 || d[0].Reason != refusal.ExplicitDeny || d[0].Blocker == "" {
			t.Errorf("%s %s: %s %s: %+v", tt.method, tt.address, resp.Status, body, d)
		}
	}
	if s := k.status("GET", manager+address+version, ""); s != 200 {
		t.Errorf("what it does not deny: %d", s)
	}
	if s := k.status("DELETE", manager+sub+"/resourceGroups/none"+version, ""); s != 404 {
		t.Errorf("elsewhere: %d", s)
	}
}

// A deployment of the subscription, not of a resource group, asks for what its
// template makes, resource groups among them (Azure/mpf, issue 76).
func TestSubscriptionDeployment(t *testing.T) {
	k := start(t, Config{})
	const (
		address = manager + sub + "/providers/Microsoft.Resources/deployments/d" + version
		body    = `{"location": "eastus", "properties": {"mode": "Incremental", "parameters": {"name": {"value": "made"}}, "template": {
			"parameters": {"name": {"type": "string"}, "place": {"type": "string", "defaultValue": "westeurope"}},
			"resources": [{"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "[parameters('name')]", "location": "[parameters('place')]"},
				{"type": "Microsoft.Network/routeTables", "apiVersion": "2024-05-01", "resourceGroup": "made", "name": "r", "location": "westeurope"}]}}}`
	)
	want := []string{"Microsoft.Resources/deployments/write", "Microsoft.Resources/subscriptions/resourceGroups/write", "Microsoft.Network/routeTables/write"}
	for _, action := range want {
		resp, text := k.do(k.probe, "PUT", address, body)
		d := k.denials("PUT", address, body, resp, text)
		if len(d) != 1 || d[0].Reason != refusal.MissingPermission || !strings.EqualFold(d[0].Permission, action) {
			t.Fatalf("want %s: %s %s: %+v", action, resp.Status, text, d)
		}
		k.give(sub, k.actions(d[0].Permission))
	}
	if s := k.status("PUT", address, body); s != 201 {
		t.Errorf("with all of it: %d", s)
	}
	if o := k.must(k.oper, "GET", manager+sub+"/resourceGroups/made"+version, ""); store.Text(o, "location") != "westeurope" {
		t.Errorf("made %v", o)
	}
	k.must(k.oper, "GET", manager+sub+"/resourceGroups/made/providers/Microsoft.Network/routeTables/r"+version, "")
	if resp, text := k.do(k.oper, "PUT", address, strings.ReplaceAll(body, "[parameters('name')]", "[uniqueString('x')]")); resp.StatusCode != 500 {
		t.Errorf("an expression that it cannot evaluate: %s %s", resp.Status, text)
	}
}

// Graph names nothing that is missing; Whittle says so and grants nothing
// (Azure/mpf, issue 45). With the application permission the same call works.
func TestGraph(t *testing.T) {
	k := start(t, Config{})
	const address = "https://graph.microsoft.com/v1.0/applications"
	resp, body := k.do(k.probe, "POST", address, `{"displayName": "x"}`)
	d := k.denials("POST", address, "", resp, body)
	if resp.StatusCode != 403 || len(d) != 1 || d[0].Reason != refusal.OpaqueDenial || len(d[0].Candidates) != 0 || !strings.Contains(string(body), "Authorization_RequestDenied") {
		t.Errorf("%s %s: %+v", resp.Status, body, d)
	}
	k.gate.Seed(func(s *store.Store, _ *entra.Directory) { entra.Holds(s, k.probe.object, "Application.ReadWrite.All") })
	k.must(k.probe, "POST", address, `{"displayName": "x"}`)
	found := k.must(k.probe, "GET", address+"?$filter="+url.QueryEscape("displayName eq 'x'"), "")
	if list, _ := found["value"].([]any); len(list) != 1 {
		t.Errorf("found %v", found)
	}
}

// Who owns an application may not give it permissions of Graph's: the administrator may.
func TestGraphPermissions(t *testing.T) {
	k := start(t, Config{})
	const graph = "https://graph.microsoft.com/v1.0/"
	k.gate.Seed(func(s *store.Store, _ *entra.Directory) {
		entra.Holds(s, k.probe.object, "Application.ReadWrite.OwnedBy")
	})
	app := k.must(k.probe, "POST", graph+"applications", `{"displayName": "x"}`)
	own := k.must(k.probe, "POST", graph+"servicePrincipals", fmt.Sprintf(`{"appId": %q}`, app["appId"]))
	k.must(k.probe, "PATCH", graph+fmt.Sprint("servicePrincipals/", own["id"]), `{"notes": "mine"}`)
	const all = "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"
	body := fmt.Sprintf(`{"principalId": %q, "resourceId": "graph", "appRoleId": %q}`, own["id"], all)
	if resp, text := k.do(k.probe, "POST", graph+fmt.Sprint("servicePrincipals/", own["id"], "/appRoleAssignments"), body); resp.StatusCode != 403 {
		t.Errorf("%s %s", resp.Status, text)
	}
	body = fmt.Sprintf(`{"principalId": %q, "resourceId": "graph", "appRoleId": %q}`, k.probe.object, all)
	k.must(k.oper, "POST", graph+"servicePrincipals/"+k.probe.object+"/appRoleAssignments", body)
	other := k.must(k.oper, "POST", graph+"applications", `{"displayName": "theirs"}`)
	k.must(k.probe, "PATCH", graph+fmt.Sprint("applications/", other["id"]), `{"notes": "x"}`)
}

// A change of a role is in force after the delay, a grant as well as a revocation.
func TestPropagation(t *testing.T) {
	k := start(t, Config{Propagation: time.Minute})
	k.now = k.now.Add(2 * time.Minute)
	const list = manager + sub + "/providers/Microsoft.Compute/disks" + version
	undo := k.give(sub, k.actions("Microsoft.Compute/disks/read"))
	for after, want := range map[time.Duration]int{0: 403, 59 * time.Second: 403} {
		k.now = k.now.Add(after)
		if got := k.status("GET", list, ""); got != want {
			t.Errorf("%v after the grant: %d", after, got)
		}
	}
	k.now = k.now.Add(time.Minute)
	if got := k.status("GET", list, ""); got != 200 {
		t.Errorf("a minute after the grant: %d", got)
	}
	undo()
	if got := k.status("GET", list, ""); got != 200 {
		t.Errorf("right after the revocation: %d", got)
	}
	k.now = k.now.Add(time.Minute)
	if got := k.status("GET", list, ""); got != 403 {
		t.Errorf("a minute after the revocation: %d", got)
	}
}

// What the sandbox does not know is answered with 501 and listed, for the operator
// and with the gate open too.
func TestUnknown(t *testing.T) {
	k := start(t, Config{Open: true})
	k.world()
	for _, tt := range []struct{ method, address string }{
		{"PUT", manager + group + "/providers/Microsoft.Nothing/things/x" + version},
		{"PUT", manager + group + "/providers/Microsoft.Network/virtualNetworks/v/nothings/x" + version},
		{"POST", manager + network + "/fly" + version},
		{"DELETE", manager + sub + version},
		{"GET", "https://kv-one.vault.azure.net/storage?api-version=7.4"},
		{"PUT", blobs + "c/one?comp=page"},
		{"GET", "https://graph.microsoft.com/v1.0/users"},
		{"GET", "https://login.microsoftonline.com/common/oauth2/authorize"},
		{"GET", "https://account1.queue.core.windows.net/"},
	} {
		for _, c := range []client{k.oper, k.probe} {
			before := len(k.gate.Ledger().Unknown())
			r := httptest.NewRequest(tt.method, tt.address, nil)
			if r.URL.Host != loginHost {
				r.Header.Set("Authorization", "Bearer "+k.token(c, audience(r.URL)))
			}
			resp, body := k.send(r)
			if resp.StatusCode != 501 || len(k.gate.Ledger().Unknown()) != before+1 {
				t.Errorf("%s %s: %s %s", tt.method, tt.address, resp.Status, body)
			}
		}
	}
}

// Nobody gets in without a token that was issued here, for this service, and is
// still good.
func TestTokens(t *testing.T) {
	k := start(t, Config{})
	const list = manager + sub + "/resourceGroups" + version
	good := k.token(k.probe, manager)
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"none": "", "nonsense": "x", "another's signature": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"another service": k.token(k.probe, "https://vault.azure.net"), "nobody signed it": parts[0] + "." + parts[1] + ".",
	} {
		r := httptest.NewRequest("GET", list, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		if resp, body := k.send(r); resp.StatusCode != 401 {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
	}
	r := httptest.NewRequest("GET", list, nil)
	r.Header.Set("Authorization", "Bearer "+good)
	if resp, _ := k.send(r); resp.StatusCode != 403 {
		t.Errorf("a good one: %s", resp.Status)
	}
	k.now = k.now.Add(2 * time.Hour)
	if resp, body := k.send(r); resp.StatusCode != 401 || !strings.Contains(string(body), "Expired") {
		t.Errorf("an old one: %s %s", resp.Status, body)
	}
	for name, form := range map[string]url.Values{
		"wrong secret":  {"grant_type": {"client_credentials"}, "client_id": {k.probe.id}, "client_secret": {"x"}, "scope": {manager + "/.default"}},
		"no secret":     {"grant_type": {"client_credentials"}, "client_id": {k.probe.id}, "scope": {manager + "/.default"}},
		"nobody":        {"grant_type": {"client_credentials"}, "client_id": {"x"}, "client_secret": {"x"}, "scope": {manager + "/.default"}},
		"no service":    {"grant_type": {"client_credentials"}, "client_id": {k.probe.id}, "client_secret": {k.probe.secret}, "scope": {"https://example.com/.default"}},
		"another grant": {"grant_type": {"password"}, "client_id": {k.probe.id}, "client_secret": {k.probe.secret}, "scope": {manager + "/.default"}},
		"operator":      {"grant_type": {"client_credentials"}, "client_id": {k.oper.id}, "client_secret": {"x"}, "scope": {manager + "/.default"}},
	} {
		resp, body := k.send(httptest.NewRequest("POST", "https://login.microsoftonline.com/"+Tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode())))
		if resp.StatusCode < 400 || !strings.Contains(string(body), "AADSTS") || strings.Contains(string(body), "access_token") {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
	}
}

// A federated identity logs in by an assertion of an issuer that its application
// names, for that subject and audience alone.
func TestFederated(t *testing.T) {
	k := start(t, Config{})
	found := k.must(k.oper, "GET", "https://graph.microsoft.com/v1.0/applications?$filter="+url.QueryEscape("appId eq '"+k.probe.id+"'"), "")
	app := found["value"].([]any)[0].(store.Object)
	k.must(k.oper, "POST", "https://graph.microsoft.com/v1.0/applications/"+store.Text(app, "id")+"/federatedIdentityCredentials",
		`{"name": "ci", "issuer": "https://ci.example.com", "subject": "repo:x", "audiences": ["api://AzureADTokenExchange"]}`)
	for _, tt := range []struct {
		issuer, subject, audience string
		want                      int
	}{
		{"https://ci.example.com", "repo:x", "api://AzureADTokenExchange", 200},
		{"https://ci.example.com", "repo:y", "api://AzureADTokenExchange", 400},
		{"https://ci.example.org", "repo:x", "api://AzureADTokenExchange", 400},
		{"https://ci.example.com", "repo:x", "api://other", 400},
	} {
		var assertion string
		k.gate.Seed(func(_ *store.Store, d *entra.Directory) {
			var err error
			if assertion, err = d.Assert(tt.issuer, tt.subject, tt.audience, k.now); err != nil {
				t.Fatal(err)
			}
		})
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {k.probe.id}, "scope": {manager + "/.default"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		resp, body := k.send(httptest.NewRequest("POST", "https://login.microsoftonline.com/"+Tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode())))
		if resp.StatusCode != tt.want {
			t.Errorf("%+v: %s %s", tt, resp.Status, body)
		}
	}
}

// Every row of the tables is whole, and its source is named.
func TestTables(t *testing.T) {
	k := start(t, Config{})
	seen := 0
	for _, space := range k.gate.tables.Namespaces() {
		for _, o := range k.gate.tables.Operations(space) {
			parts := strings.Split(o.Name, "/")
			last := parts[len(parts)-1]
			if !strings.HasPrefix(o.Name, "Microsoft.") || len(parts) < 3 || !slices.Contains([]string{"read", "write", "delete", "action"}, last) {
				t.Errorf("operation %s", o.Name)
			}
			seen++
		}
	}
	if seen < 150 {
		t.Errorf("only %d operations", seen)
	}
	var meta struct {
		Operations []struct {
			Name         string
			IsDataAction bool
		}
	}
	resp, body := k.do(k.oper, http.MethodGet, manager+"/providers/Microsoft.Authorization/providerOperations/Microsoft.KeyVault"+version, "")
	if err := json.Unmarshal(body, &meta); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	for _, o := range meta.Operations {
		if want := strings.Contains(o.Name, "/secrets/") && !strings.HasSuffix(o.Name, "/secrets/read") && !strings.HasSuffix(o.Name, "/secrets/write") || strings.Contains(o.Name, "certificatecontacts"); o.IsDataAction != want {
			t.Errorf("%s: data action %v", o.Name, o.IsDataAction)
		}
	}
}
