package azure

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

// A resource is made, read in any case, changed, listed where it is and taken
// away with what is in it.
func TestResources(t *testing.T) {
	k := start(t, Config{})
	k.world()
	o := k.must(k.oper, "GET", manager+strings.ToUpper(network)+version, "")
	if store.Text(o, "id") != network || store.Text(o, "type") != "Microsoft.Network/virtualNetworks" || store.Text(o, "properties", "provisioningState") != "Succeeded" {
		t.Errorf("read %v", o)
	}
	parts, _ := store.At(o, "properties", "subnets").([]any)
	if len(parts) != 1 || store.Text(parts[0].(store.Object), "id") != subnet {
		t.Errorf("subnets %v", parts)
	}
	k.must(k.oper, "PATCH", manager+network+version, `{"tags": {"a": "b", "c": "d"}}`)
	o = k.must(k.oper, "PATCH", manager+network+version, `{"tags": {"c": null}}`)
	if store.Text(o, "tags", "a") != "b" || store.At(o, "tags", "c") != nil || store.At(o, "properties", "addressSpace") == nil {
		t.Errorf("patched %v", o)
	}
	for at, want := range map[string]int{sub: 1, group: 1, sub + "/resourceGroups/RG": 1} {
		list := k.must(k.oper, "GET", manager+at+"/providers/Microsoft.Network/virtualNetworks"+version, "")
		if found, _ := list["value"].([]any); len(found) != want {
			t.Errorf("in %s: %v", at, list)
		}
	}
	list := k.must(k.oper, "GET", manager+sub+"/resources"+version+"&$filter="+url.QueryEscape("resourceType eq 'Microsoft.KeyVault/vaults'"), "")
	if found, _ := list["value"].([]any); len(found) != 1 {
		t.Errorf("vaults %v", list)
	}
	for address, code := range map[string]string{
		manager + group + "/providers/Microsoft.Network/virtualNetworks/none" + version:         "ResourceNotFound",
		manager + network + "/subnets/none" + version:                                           "NotFound",
		manager + group + "/providers/Microsoft.Network/virtualNetworks/no/subnets/x" + version: "ParentResourceNotFound",
		manager + sub + "/resourceGroups/none" + version:                                        "ResourceGroupNotFound",
		manager + sub + "/resourceGroups/none/providers/Microsoft.Compute/disks/d" + version:    "ResourceGroupNotFound",
	} {
		if resp, body := k.do(k.oper, "GET", address, ""); resp.StatusCode != 404 || resp.Header.Get("X-Ms-Error-Code") != code {
			t.Errorf("%s: %s %s", address, resp.Status, body)
		}
	}
	if resp, body := k.do(k.oper, "GET", manager+network, ""); resp.StatusCode != 400 {
		t.Errorf("without a version: %s %s", resp.Status, body)
	}
	if resp, body := k.do(k.oper, "PUT", manager+subnet+version, `{"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": "`+wall+`x"}}}`); resp.StatusCode != 400 {
		t.Errorf("a link to nothing: %s %s", resp.Status, body)
	}
	if resp, _ := k.do(k.oper, "DELETE", manager+group+version, ""); resp.StatusCode != 202 {
		t.Errorf("delete: %s", resp.Status)
	}
	if resp, _ := k.do(k.oper, "GET", manager+network+version, ""); resp.StatusCode != 404 {
		t.Errorf("what was in the group: %s", resp.Status)
	}
}

// An operation is asked for as often as is set, by its status in the body or by
// the status of the reply, and by whoever may read it alone.
func TestOperations(t *testing.T) {
	k := start(t, Config{Polls: 3})
	const disk = manager + group + "/providers/Microsoft.Compute/disks/d" + version
	resp, body := k.do(k.oper, "PUT", disk, `{"location": "westeurope", "properties": {}}`)
	at := resp.Header.Get("Azure-Asyncoperation")
	if resp.StatusCode != 201 || !strings.Contains(at, "/providers/Microsoft.Compute/locations/westeurope/operations/") || !strings.Contains(string(body), `"Creating"`) {
		t.Fatalf("%s %s %s", resp.Status, at, body)
	}
	if s := k.status("GET", at, ""); s != 403 {
		t.Errorf("who may not read it: %d", s)
	}
	var seen []string
	for range 4 {
		seen = append(seen, store.Text(k.must(k.oper, "GET", at, ""), "status"))
	}
	if got := strings.Join(seen, " "); got != "InProgress InProgress Succeeded Succeeded" {
		t.Errorf("asked for: %s", got)
	}
	resp, _ = k.do(k.oper, "DELETE", manager+group+version, "")
	at = resp.Header.Get("Location")
	seen = nil
	for range 3 {
		resp, _ = k.do(k.oper, "GET", at, "")
		seen = append(seen, resp.Status[:3])
	}
	if got := strings.Join(seen, " "); got != "202 202 200" {
		t.Errorf("asked for by location %s: %s", at, got)
	}
}

// What was deleted softly is in the way of its name until it is purged or
// recovered, a vault as well as a secret.
func TestSoftDelete(t *testing.T) {
	k := start(t, Config{})
	k.world()
	const vault, gone = manager + group + "/providers/Microsoft.KeyVault/vaults/kv-one" + version, manager + sub + "/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/kv-one"
	const secret, deleted = secrets + "one?api-version=7.4", "https://kv-one.vault.azure.net/deletedsecrets/one"
	k.must(k.oper, "DELETE", secret, "")
	if resp, _ := k.do(k.oper, "GET", secret, ""); resp.StatusCode != 404 {
		t.Errorf("a deleted secret: %s", resp.Status)
	}
	if resp, _ := k.do(k.oper, "PUT", secret, `{"value": "2"}`); resp.StatusCode != 409 {
		t.Errorf("a secret in its place: %s", resp.Status)
	}
	if o := k.must(k.oper, "GET", deleted+"?api-version=7.4", ""); store.Text(o, "recoveryId") == "" || o["value"] != nil {
		t.Errorf("shown as %v", o)
	}
	k.must(k.oper, "POST", deleted+"/recover?api-version=7.4", "")
	if o := k.must(k.oper, "GET", secret, ""); store.Text(o, "value") != "1" {
		t.Errorf("recovered %v", o)
	}
	const make = `{"location": "eastus", "properties": {"enableRbacAuthorization": true}}`
	k.must(k.oper, "DELETE", vault, "")
	if resp, _ := k.do(k.oper, "PUT", vault, make); resp.StatusCode != 409 {
		t.Errorf("a vault in its place: %s", resp.Status)
	}
	k.must(k.oper, "PUT", vault, `{"location": "eastus", "properties": {"enableRbacAuthorization": true, "createMode": "recover"}}`)
	if o := k.must(k.oper, "GET", secret, ""); store.Text(o, "value") != "1" {
		t.Errorf("with the vault comes %v", o)
	}
	k.must(k.oper, "DELETE", vault, "")
	if resp, _ := k.do(k.oper, "POST", gone+"/purge"+version, ""); resp.StatusCode != 202 {
		t.Errorf("purge: %s", resp.Status)
	}
	k.must(k.oper, "PUT", vault, make)
	if resp, _ := k.do(k.oper, "GET", secret, ""); resp.StatusCode != 404 {
		t.Errorf("a secret of the vault that was purged: %s", resp.Status)
	}
}

// A provider that is not registered is told of, and can be registered.
func TestRegistration(t *testing.T) {
	k := start(t, Config{Unregistered: []string{"Microsoft.Compute"}})
	const disk = manager + group + "/providers/Microsoft.Compute/disks/d" + version
	resp, body := k.do(k.oper, "PUT", disk, `{"location": "eastus"}`)
	if resp.StatusCode != 409 || resp.Header.Get("X-Ms-Error-Code") != "MissingSubscriptionRegistration" {
		t.Errorf("%s %s", resp.Status, body)
	}
	if d := k.denials("PUT", disk, "", resp, body); len(d) != 1 || d[0].Reason != "api_disabled" {
		t.Errorf("read as %+v", d)
	}
	if o := k.must(k.oper, "GET", manager+sub+"/providers/Microsoft.Compute"+version, ""); store.Text(o, "registrationState") != "NotRegistered" {
		t.Errorf("shown as %v", o)
	}
	k.must(k.oper, "POST", manager+sub+"/providers/Microsoft.Compute/register"+version, "")
	k.must(k.oper, "PUT", disk, `{"location": "eastus"}`)
}

// A snapshot brings everything back, roles included and at once; who was logged
// in stays so.
func TestSnapshot(t *testing.T) {
	k := start(t, Config{})
	id, err := k.gate.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.give(sub, k.actions("Microsoft.Compute/disks/read"))
	k.must(k.oper, "PUT", manager+group+"/providers/Microsoft.Compute/disks/d"+version, `{"location": "eastus"}`)
	const list = manager + group + "/providers/Microsoft.Compute/disks" + version
	if s := k.status("GET", list, ""); s != 200 {
		t.Fatalf("before: %d", s)
	}
	for range 2 {
		if err := k.gate.Restore(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if s := k.status("GET", list, ""); s != 403 {
			t.Errorf("after: %d", s)
		}
		if found, _ := k.must(k.oper, "GET", list, "")["value"].([]any); len(found) != 0 {
			t.Errorf("still there: %v", found)
		}
	}
	if err := k.gate.Restore(t.Context(), "s9"); err == nil {
		t.Error("a snapshot that nobody made")
	}
}

// Who asks Entra ID and Resource Manager where things are gets the same answers.
func TestDiscovery(t *testing.T) {
	k := start(t, Config{})
	var found struct {
		TokenEndpoint string `json:"token_endpoint"`
		Keys          string `json:"jwks_uri"`
		Tenant        string `json:"tenant_discovery_endpoint"`
	}
	for _, address := range []string{
		"https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint=x",
		"https://login.microsoftonline.com/" + Tenant + "/v2.0/.well-known/openid-configuration",
	} {
		_, body := k.send(httptest.NewRequest("GET", address, nil))
		if err := json.Unmarshal(body, &found); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(found.TokenEndpoint, Tenant) || !strings.Contains(found.Tenant, Tenant) {
		t.Errorf("%+v", found)
	}
	if _, body := k.send(httptest.NewRequest("GET", found.Keys, nil)); !strings.Contains(string(body), `"kty":"RSA"`) {
		t.Errorf("keys %s", body)
	}
	if resp, body := k.send(httptest.NewRequest("GET", manager+"/metadata/endpoints?api-version=2022-09-01", nil)); resp.StatusCode != 200 || !strings.Contains(string(body), "https://login.microsoftonline.com") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// A key of the account signs for all of it, and no other does; who may list keys
// gets them.
func TestSharedKey(t *testing.T) {
	k := start(t, Config{})
	k.world()
	keys := k.must(k.oper, "POST", manager+group+"/providers/Microsoft.Storage/storageAccounts/account1/listKeys"+version, "")
	list, _ := keys["keys"].([]any)
	if len(list) != 2 || store.Text(list[0].(store.Object), "value") == "" {
		t.Fatalf("keys %v", keys)
	}
	// Signed by hand, as "Authorize with Shared Key" says: eleven headers that are
	// not there, those of Storage, the path and the parameters.
	key, err := base64.StdEncoding.DecodeString(store.Text(list[0].(store.Object), "value"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, "GET"+strings.Repeat("\n", 12)+"x-ms-date:Thu, 01 Jan 2026 12:00:00 GMT\nx-ms-version:2023-11-03\n/account1/c\ncomp:list\nrestype:container")
	signed := httptest.NewRequest("GET", blobs+"c?restype=container&comp=list", nil)
	signed.Header.Set("X-Ms-Date", "Thu, 01 Jan 2026 12:00:00 GMT")
	signed.Header.Set("X-Ms-Version", "2023-11-03")
	signed.Header.Set("Authorization", "SharedKey account1:"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	if resp, body := k.send(signed); resp.StatusCode != 200 || !strings.Contains(string(body), "<Name>one</Name>") {
		t.Errorf("signed: %s %s", resp.Status, body)
	}
	r := httptest.NewRequest("GET", blobs+"c/one", nil)
	r.Header.Set("Authorization", "SharedKey account1:bm9uZQ==")
	if resp, body := k.send(r); resp.StatusCode != 403 || !strings.Contains(string(body), "AuthenticationFailed") {
		t.Errorf("another's signature: %s %s", resp.Status, body)
	}
	k.must(k.oper, "PATCH", manager+group+"/providers/Microsoft.Storage/storageAccounts/account1"+version, `{"properties": {"allowSharedKeyAccess": false}}`)
	if resp, body := k.send(r); resp.StatusCode != 403 || !strings.Contains(string(body), "KeyBasedAuthenticationNotPermitted") {
		t.Errorf("keys that are not permitted: %s %s", resp.Status, body)
	}
}
