// Package entra is the directory of the embedded Azure sandbox: what Microsoft
// Entra ID answers at login.microsoftonline.com (discovery, tokens), and a small
// Microsoft Graph over the applications and service principals that it knows.
package entra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// Holder is who shows a token.
type Holder struct {
	AppID, ObjectID string
	Tenant          string
	Audience        string
	// Name is what the service principal is called.
	Name string
	// Operator tells that it is the sandbox's administrator.
	Operator bool
}

// Member names the holder for people: "servicePrincipal:NAME".
func (h Holder) Member() string {
	if h.Operator {
		return "operator"
	}
	return "servicePrincipal:" + h.Name
}

// Who is the holder as refusals name him.
func (h Holder) Who() wire.Who {
	return wire.Who{AppID: h.AppID, ObjectID: h.ObjectID, Tenant: h.Tenant}
}

// Directory is one tenant's.
type Directory struct {
	Tenant string
	key    *rsa.PrivateKey
	// operator's application; it is in no state.
	operator Holder
	secret   string
}

// New makes a tenant with a key that is in memory only, and an operator.
func New(tenant string) (*Directory, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	d := &Directory{Tenant: tenant, key: key, secret: rand.Text() + rand.Text()}
	d.operator = Holder{AppID: NewID(), ObjectID: NewID(), Tenant: tenant, Operator: true}
	return d, nil
}

// Operator gives the client id and the secret of the administrator.
func (d *Directory) Operator() (id, secret string) { return d.operator.AppID, d.secret }

// NewID makes a GUID.
func NewID() string {
	b := make([]byte, 16)
	rand.Read(b) //nolint:errcheck // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Audiences are the services that tokens are for, and their other names.
var audiences = map[string]string{
	"https://management.azure.com": "https://management.azure.com", "https://management.core.windows.net": "https://management.azure.com",
	"https://graph.microsoft.com": "https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000": "https://graph.microsoft.com",
	"https://vault.azure.net": "https://vault.azure.net", "https://storage.azure.com": "https://storage.azure.com",
	"https://containerregistry.azure.net": "https://containerregistry.azure.net",
}

// account is a storage account's as a resource of its own. Source: "Authorize
// access to blobs using Microsoft Entra ID", resource ID.
var account = regexp.MustCompile(`^https://[a-z0-9]{3,24}\.(blob|queue|table|file|dfs)\.core\.windows\.net$`)

// tokenLife is how long a token is good for, in seconds (Entra, "Configurable
// token lifetimes": 60 to 90 minutes; 3599 in recorded replies).
const tokenLife = 3599

type claims struct {
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	Issued   int64  `json:"iat"`
	NotBfore int64  `json:"nbf"`
	Expires  int64  `json:"exp"`
	AppID    string `json:"appid,omitempty"`
	Type     string `json:"idtyp,omitempty"`
	ObjectID string `json:"oid,omitempty"`
	Subject  string `json:"sub"`
	Tenant   string `json:"tid,omitempty"`
	Version  string `json:"ver"`
	ID       string `json:"uti"`
	// Roles are the application permissions, in a token for Graph.
	Roles []any `json:"roles,omitempty"`
}

func b64(v []byte) string { return base64.RawURLEncoding.EncodeToString(v) }

const keyID = "whittle-embedded"

func (d *Directory) sign(c claims) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	text := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, d.key, crypto.SHA256, sum[:])
	return text + "." + b64(sig), err
}

var errToken = errors.New("not a token of this directory")

func (d *Directory) verify(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errToken
	}
	sig, err1 := base64.RawURLEncoding.DecodeString(parts[2])
	body, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err1 != nil || err2 != nil || rsa.VerifyPKCS1v15(&d.key.PublicKey, crypto.SHA256, sum[:], sig) != nil || json.Unmarshal(body, &c) != nil {
		return c, errToken
	}
	return c, nil
}

// Errors of [Directory.Holder].
var (
	ErrExpired  = errors.New("the token has expired")
	ErrAudience = errors.New("the token is for another service")
)

// Holder tells who shows a token to the service that is called by one of the
// audiences. Somebody whose service principal is gone is nobody.
func (d *Directory) Holder(s *store.Store, token string, audiences []string, now time.Time) (Holder, error) {
	c, err := d.verify(token)
	switch {
	case err != nil:
		return Holder{}, err
	case c.Type != "app":
		return Holder{}, errToken
	case now.Unix() >= c.Expires:
		return Holder{}, ErrExpired
	case !slices.Contains(audiences, c.Audience):
		return Holder{}, ErrAudience
	}
	h := Holder{AppID: c.AppID, ObjectID: c.ObjectID, Tenant: c.Tenant, Audience: c.Audience}
	if h.ObjectID == d.operator.ObjectID {
		h.Operator = true
		return h, nil
	}
	p, ok := s.Get(principalKey(h.ObjectID))
	if !ok {
		return Holder{}, errToken
	}
	h.Name = store.Text(p, "displayName")
	return h, nil
}

// Login answers a request to login.microsoftonline.com; ok is false for one that
// the sandbox does not have.
func (d *Directory) Login(s *store.Store, r *http.Request, body []byte, now time.Time) (reply store.Object, ok bool, err error) {
	path := strings.FieldsFunc(r.URL.Path, func(r rune) bool { return r == '/' })
	last := func(n int) string { return strings.Join(path[max(len(path)-n, 0):], "/") }
	const base = "https://login.microsoftonline.com/"
	switch {
	case r.Method == http.MethodGet && last(3) == "common/discovery/instance":
		return store.Object{
			"tenant_discovery_endpoint": base + d.Tenant + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []any{store.Object{
				"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
				"aliases": []any{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
			}},
		}, true, nil
	case r.Method == http.MethodGet && last(2) == ".well-known/openid-configuration":
		return store.Object{
			"issuer": base + d.Tenant + "/v2.0", "token_endpoint": base + d.Tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": base + d.Tenant + "/oauth2/v2.0/authorize", "device_authorization_endpoint": base + d.Tenant + "/oauth2/v2.0/devicecode",
			"jwks_uri": base + d.Tenant + "/discovery/v2.0/keys", "tenant_region_scope": "NA", "cloud_instance_name": "microsoftonline.com",
			"cloud_graph_host_name": "graph.windows.net", "msgraph_host": "graph.microsoft.com", "response_types_supported": []any{"code", "id_token", "token"},
			"subject_types_supported": []any{"pairwise"}, "id_token_signing_alg_values_supported": []any{"RS256"},
			"token_endpoint_auth_methods_supported": []any{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		}, true, nil
	case r.Method == http.MethodGet && (last(2) == "v2.0/keys" || last(2) == "discovery/keys"):
		e := big.NewInt(int64(d.key.E)).Bytes()
		return store.Object{"keys": []any{store.Object{"kty": "RSA", "use": "sig", "kid": keyID, "alg": "RS256", "n": b64(d.key.N.Bytes()), "e": b64(e)}}}, true, nil
	case r.Method == http.MethodPost && (last(2) == "v2.0/token" || last(2) == "oauth2/token") && len(path) >= 3:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, true, wire.New(400, "invalid_request", "AADSTS900144: The request body cannot be read.")
		}
		if !strings.EqualFold(path[0], d.Tenant) {
			return nil, true, wire.New(400, "invalid_request", "AADSTS90002: Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", path[0])
		}
		reply, err := d.grant(s, form, now)
		return reply, true, err
	}
	return nil, false, nil
}

// grant gives a token for a secret or for an assertion of a federated identity.
// Source: "OAuth 2.0 client credentials flow"; the AADSTS codes of "Microsoft
// Entra authentication and authorization error codes".
func (d *Directory) grant(s *store.Store, form url.Values, now time.Time) (store.Object, error) {
	if g := form.Get("grant_type"); g != "client_credentials" {
		return nil, wire.New(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type '%s'.", g)
	}
	scope := strings.TrimSuffix(form.Get("scope"), "/.default")
	if scope == "" {
		scope = form.Get("resource")
	}
	resource := strings.TrimRight(firstScope(scope), "/")
	audience, ok := audiences[resource]
	if account.MatchString(resource) { // a token for one account alone
		audience, ok = resource, true
	}
	if !ok {
		return nil, wire.New(400, "invalid_resource", "AADSTS500011: The resource principal named %s was not found in the tenant named %s.", scope, d.Tenant)
	}
	holder, err := d.client(s, form, now)
	if err != nil {
		return nil, err
	}
	var roles []any
	if audience == audiences["https://graph.microsoft.com"] {
		roles = []any{"Application.ReadWrite.All", "Directory.Read.All"}
		if !holder.Operator {
			p, _ := s.Get(principalKey(holder.ObjectID))
			roles, _ = p["appRoles"].([]any)
		}
	}
	token, err := d.sign(claims{
		Roles:    roles,
		Audience: audience, Issuer: "https://sts.windows.net/" + d.Tenant + "/", Issued: now.Unix(), NotBfore: now.Unix(), Expires: now.Unix() + tokenLife,
		AppID: holder.AppID, ObjectID: holder.ObjectID, Subject: holder.ObjectID, Tenant: d.Tenant, Type: "app", Version: "1.0", ID: NewID(),
	})
	if err != nil {
		return nil, err
	}
	return store.Object{"token_type": "Bearer", "expires_in": tokenLife, "ext_expires_in": tokenLife, "access_token": token}, nil
}

// firstScope is the first of the scopes that are asked for together.
func firstScope(s string) string {
	s, _, _ = strings.Cut(s, " ")
	return strings.TrimSuffix(s, "/.default")
}

// client tells who asks for a token, by his secret or an assertion.
func (d *Directory) client(s *store.Store, form url.Values, now time.Time) (Holder, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if id == d.operator.AppID {
		if subtle.ConstantTimeCompare([]byte(secret), []byte(d.secret)) != 1 {
			return Holder{}, badSecret(id)
		}
		return d.operator, nil
	}
	app, principal, ok := find(s, id)
	if !ok {
		return Holder{}, wire.New(400, "unauthorized_client", "AADSTS700016: Application with identifier '%s' was not found in the directory '%s'.", id, d.Tenant)
	}
	holder := Holder{AppID: id, ObjectID: store.Text(principal, "id"), Tenant: d.Tenant}
	if assertion := form.Get("client_assertion"); assertion != "" {
		return holder, d.federated(s, app, assertion, now)
	}
	if secret == "" {
		return Holder{}, wire.New(401, "invalid_client", "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
	sum := sha256.Sum256([]byte(secret))
	hash := hex.EncodeToString(sum[:])
	list, _ := app["passwordCredentials"].([]any)
	for _, e := range list {
		p, _ := e.(store.Object)
		end, err := time.Parse(time.RFC3339, store.Text(p, "endDateTime"))
		if store.Text(p, "hash") == hash && (err != nil || now.Before(end)) {
			return holder, nil
		}
	}
	return Holder{}, badSecret(id)
}

func badSecret(id string) error {
	return wire.New(401, "invalid_client", "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", id)
}

// federated checks an assertion against the application's federated identity
// credentials. The only issuer that the sandbox knows is itself. Source:
// "Workload identity federation".
func (d *Directory) federated(s *store.Store, app store.Object, assertion string, now time.Time) error {
	c, err := d.verify(assertion)
	if err != nil || now.Unix() >= c.Expires {
		return wire.New(401, "invalid_client", "AADSTS700024: Client assertion is not within its valid time range, or its signature is not valid.")
	}
	for _, k := range s.Below(appKey(store.Text(app, "id")) + "/federated/") {
		f, _ := s.Get(k)
		audiences, _ := f["audiences"].([]any)
		if store.Text(f, "issuer") == c.Issuer && store.Text(f, "subject") == c.Subject && slices.Contains(audiences, any(c.Audience)) {
			return nil
		}
	}
	return wire.New(400, "invalid_request", "AADSTS700213: No matching federated identity record found for presented assertion subject '%s'.", c.Subject)
}

// Assert makes an assertion of the sandbox's own issuer, as a platform with
// workload identities would.
func (d *Directory) Assert(issuer, subject, audience string, now time.Time) (string, error) {
	return d.sign(claims{Audience: audience, Issuer: issuer, Subject: subject, Issued: now.Unix(), NotBfore: now.Unix(), Expires: now.Unix() + 600, Version: "1.0", ID: NewID()})
}

func appKey(id string) string       { return "entra/applications/" + id }
func principalKey(id string) string { return "entra/serviceprincipals/" + id }

// find gives an application and its service principal by the client id.
func find(s *store.Store, appID string) (app, principal store.Object, ok bool) {
	for _, k := range s.Below("entra/applications/") {
		if o, _ := s.Get(k); !strings.Contains(k, "/federated/") && strings.EqualFold(store.Text(o, "appId"), appID) {
			app = o
		}
	}
	for _, k := range s.Below("entra/serviceprincipals/") {
		if o, _ := s.Get(k); strings.EqualFold(store.Text(o, "appId"), appID) {
			principal = o
		}
	}
	return app, principal, app != nil && principal != nil
}

// Known tells whether there is a principal of that id: a service principal, be
// it a managed identity's.
func Known(s *store.Store, objectID string) bool { return s.Has(principalKey(objectID)) }

// AddManaged makes the service principal of a managed identity.
func AddManaged(s *store.Store, name, objectID, clientID string) {
	s.Put(principalKey(objectID), store.Object{
		"id": objectID, "appId": clientID, "displayName": name, "servicePrincipalType": "ManagedIdentity", "accountEnabled": true,
	})
}

// RemoveManaged takes it away.
func RemoveManaged(s *store.Store, objectID string) { s.Delete(principalKey(objectID)) }

// Metadata is what Resource Manager tells of the cloud's other endpoints, at
// /metadata/endpoints. Source: the reply of management.azure.com, api-version
// 2022-09-01.
func Metadata(tenant string) []any {
	return []any{store.Object{
		"portal": "https://portal.azure.com", "name": "AzureCloud", "resourceManager": "https://management.azure.com/",
		"authentication": store.Object{
			"loginEndpoint": "https://login.microsoftonline.com", "audiences": []any{"https://management.core.windows.net/", "https://management.azure.com/"},
			"tenant": "common", "identityProvider": "AAD",
		},
		"graph": "https://graph.windows.net/", "graphAudience": "https://graph.windows.net/",
		"microsoftGraphResourceId": "https://graph.microsoft.com/", "batch": "https://batch.core.windows.net/",
		"media": "https://rest.media.azure.net", "sqlManagement": "https://management.core.windows.net:8443/",
		"vmImageAliasDoc":        "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
		"logAnalyticsResourceId": "https://api.loganalytics.io", "appInsightsResourceId": "https://api.applicationinsights.io",
		"ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
		"suffixes": store.Object{
			"acrLoginServer": "azurecr.io", "keyVaultDns": "vault.azure.net", "storage": "core.windows.net", "sqlServerHostname": "database.windows.net",
			"mhsmDns": "managedhsm.azure.net", "storageSyncEndpointSuffix": "afs.azure.net", "mysqlServerEndpoint": "mysql.database.azure.com",
			"postgresqlServerEndpoint": "postgres.database.azure.com", "mariadbServerEndpoint": "mariadb.database.azure.com",
			"synapseAnalytics": "dev.azuresynapse.net", "azureFrontDoorEndpointSuffix": "azurefd.net", "attestationEndpoint": "attest.azure.net",
		},
	}}
}
