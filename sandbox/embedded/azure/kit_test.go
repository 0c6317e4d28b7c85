package azure

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

const (
	sub     = "/subscriptions/" + Subscription
	group   = sub + "/resourceGroups/rg"
	manager = "https://management.azure.com"
	version = "?api-version=2024-05-01"
)

// kit is a gate with a clock of its own, an operator and a probe principal.
type kit struct {
	*testing.T
	gate  *Gate
	now   time.Time
	probe client
	oper  client
}

// client is who asks.
type client struct{ id, secret, object string }

func start(t *testing.T, c Config) *kit {
	t.Helper()
	k := &kit{T: t, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	c.Now = func() time.Time { return k.now }
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	k.gate = g
	k.oper.id, k.oper.secret = g.Operator()
	app := k.must(k.oper, "POST", "https://graph.microsoft.com/v1.0/applications", `{"displayName": "probe"}`)
	principal := k.must(k.oper, "POST", "https://graph.microsoft.com/v1.0/servicePrincipals", `{"appId": "`+store.Text(app, "appId")+`"}`)
	secret := k.must(k.oper, "POST", "https://graph.microsoft.com/v1.0/applications/"+store.Text(app, "id")+"/addPassword", `{"passwordCredential": {"displayName": "x"}}`)
	k.probe = client{store.Text(app, "appId"), store.Text(secret, "secretText"), store.Text(principal, "id")}
	k.must(k.oper, "PUT", manager+group+version, `{"location": "eastus"}`)
	return k
}

// audience is whose token a request shows.
func audience(u *url.URL) string {
	switch {
	case strings.HasSuffix(u.Host, vaultSuffix):
		return "https://vault.azure.net"
	case strings.HasSuffix(u.Host, ".core.windows.net"):
		return "https://storage.azure.com"
	}
	return "https://" + u.Host
}

func (k *kit) send(r *http.Request) (*http.Response, []byte) {
	k.Helper()
	r.Host = r.URL.Host
	rec := httptest.NewRecorder()
	k.gate.ServeHTTP(rec, r)
	resp := rec.Result()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		k.Fatal(err)
	}
	return resp, body
}

func (k *kit) token(c client, resource string) string {
	k.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {c.secret}, "scope": {resource + "/.default"}}
	r := httptest.NewRequest("POST", "https://login.microsoftonline.com/"+Tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	resp, body := k.send(r)
	var o store.Object
	if err := json.Unmarshal(body, &o); err != nil || resp.StatusCode != 200 {
		k.Fatalf("token: %s %s", resp.Status, body)
	}
	return store.Text(o, "access_token")
}

// do makes a request as c; pairs are headers.
func (k *kit) do(c client, method, address, body string, pairs ...string) (*http.Response, []byte) {
	k.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+k.token(c, audience(r.URL)))
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	return k.send(r)
}

// must makes a request that is let through.
func (k *kit) must(c client, method, address, body string) store.Object {
	k.Helper()
	resp, text := k.do(c, method, address, body)
	if resp.StatusCode >= 300 {
		k.Fatalf("%s %s: %s %s", method, address, resp.Status, text)
	}
	var o store.Object
	if len(text) > 0 {
		if err := json.Unmarshal(text, &o); err != nil {
			k.Fatalf("%s %s: %v: %s", method, address, err, text)
		}
	}
	return o
}

// denials is what Whittle reads from a reply.
func (k *kit) denials(method, address, body string, resp *http.Response, reply []byte) []refusal.Denial {
	k.Helper()
	u, err := url.Parse(address)
	if err != nil {
		k.Fatal(err)
	}
	d, err := parsers.FromExchange(refusal.Exchange{Method: method, URL: u, Header: http.Header{}, Body: []byte(body), Status: resp.StatusCode, Reply: resp.Header, ReplyBody: reply})
	if err != nil {
		k.Errorf("%s %s: %s %s: %v", method, address, resp.Status, reply, err)
	}
	return d
}

// give assigns the probe a role of its own on a scope; with is its permissions in
// JSON.
func (k *kit) give(scope, with string) (remove func()) {
	k.Helper()
	role, name := entra.NewID(), entra.NewID()
	k.must(k.oper, "PUT", manager+sub+"/providers/Microsoft.Authorization/roleDefinitions/"+role+version,
		`{"properties": {"roleName": "`+role+`", "assignableScopes": ["`+sub+`"], "permissions": [`+with+`]}}`)
	at := manager + scope + "/providers/Microsoft.Authorization/roleAssignments/" + name + version
	k.must(k.oper, "PUT", at, `{"properties": {"principalId": "`+k.probe.object+`", "roleDefinitionId": "`+sub+`/providers/Microsoft.Authorization/roleDefinitions/`+role+`"}}`)
	return func() { k.must(k.oper, "DELETE", at, "") }
}

func (k *kit) actions(list ...string) string {
	text, err := json.Marshal(store.Object{"actions": list})
	if err != nil {
		k.Fatal(err)
	}
	return string(text)
}

func (k *kit) data(list ...string) string {
	text, err := json.Marshal(store.Object{"dataActions": list})
	if err != nil {
		k.Fatal(err)
	}
	return string(text)
}

// status is how a request of the probe is answered.
func (k *kit) status(method, address, body string) int {
	k.Helper()
	resp, _ := k.do(k.probe, method, address, body)
	return resp.StatusCode
}
