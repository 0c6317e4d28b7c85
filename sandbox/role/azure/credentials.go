package azure

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/cenkalti/backoff/v4"
)

// Credentials are those of one identity. The child process gets a placeholder
// and never a secret or a token: who stands between it and the cloud answers a
// request for a token, and puts the token in, by [Credentials.Bearer].
type Credentials struct {
	pool        *Pool
	app         application
	principal   string
	key         string // the secret's id
	placeholder string
	live        *azidentity.ClientSecretCredential
	pipeline    runtime.Pipeline
}

func newCredentials(p *Pool, app application, principal, key, secret string) (*Credentials, error) {
	live, err := azidentity.NewClientSecretCredential(p.tenant, app.AppID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: p.options})
	if err != nil {
		return nil, err
	}
	placeholder, err := Placeholder(p.tenant, app.AppID, principal)
	if err != nil {
		return nil, err
	}
	c := &Credentials{pool: p, app: app, principal: principal, key: key, placeholder: placeholder, live: live}
	c.pipeline = runtime.NewPipeline("whittle", "", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(live, []string{managerScope}, nil)},
	}, &p.options)
	return c, nil
}

// Placeholder makes what a client is given in the place of a secret and of an
// access token. It has a token's form, since clients read in theirs who they
// are; nobody signed it, and outside the run nobody takes it.
func Placeholder(tenant, clientID, principal string) (string, error) {
	part := func(v any) (string, error) {
		text, err := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text), err
	}
	head, err := part(map[string]string{"alg": "none", "typ": "JWT"})
	if err != nil {
		return "", err
	}
	body, err := part(map[string]any{
		"iss": "https://sts.windows.net/" + tenant + "/", "tid": tenant, "appid": clientID, "oid": principal, "sub": principal, "idtyp": "app", "ver": "1.0",
		"exp": time.Now().Add(24 * time.Hour).Unix(), "jti": "whittle-placeholder-" + strings.ToLower(rand.Text()),
	})
	return head + "." + body + ".whittle-placeholder", err
}

// Env gives the environment with which azurerm, azuread and Microsoft's libraries
// log in as the identity: with the placeholder as its client secret.
func (c *Credentials) Env(ctx context.Context) (map[string]string, error) {
	if _, err := c.Bearer(ctx, "management.azure.com"); err != nil { // here, not as a riddle in the child
		return nil, err
	}
	return Environment(c.pool.cfg.Subscription, c.pool.tenant, c.app.AppID, c.placeholder), nil
}

// Environment is the environment with which azurerm and Microsoft's libraries log
// in by a client's secret. Source: azurerm, "Authenticating using a Service
// Principal with a Client Secret"; azidentity, EnvironmentCredential.
func Environment(subscription, tenant, clientID, secret string) map[string]string {
	return map[string]string{
		"ARM_SUBSCRIPTION_ID": subscription, "ARM_TENANT_ID": tenant, "ARM_CLIENT_ID": clientID, "ARM_CLIENT_SECRET": secret,
		"ARM_USE_CLI": "false", "ARM_USE_MSI": "false", "ARM_USE_OIDC": "false",
		"AZURE_SUBSCRIPTION_ID": subscription, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": clientID, "AZURE_CLIENT_SECRET": secret,
	}
}

// Placeholder is what the child shows where a secret or a token belongs.
func (c *Credentials) Placeholder() string { return c.placeholder }

// Issued tells whether a request's credential is this identity's placeholder.
func (c *Credentials) Issued(credential string) bool {
	return credential != "" && credential == c.placeholder
}

var guids = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// Is tells whether a refusal's principal is this identity. One that is no id says
// too little to be somebody else.
func (c *Credentials) Is(principal string) bool {
	ids := guids.FindAllString(principal, -1)
	for _, id := range ids {
		if strings.EqualFold(id, c.app.AppID) || strings.EqualFold(id, c.principal) {
			return true
		}
	}
	return len(ids) == 0
}

// Bearer gives an access token of the identity for the service that a host is of;
// it lives for some minutes at least.
func (c *Credentials) Bearer(ctx context.Context, host string) (string, error) {
	scope, ok := Scope(host)
	if !ok {
		return "", errors.New("no token is for " + host)
	}
	t, err := c.live.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return "", c.pool.explain("get a token of "+c.app.Name, "nothing", err)
	}
	return t.Token, nil
}

// Scope gives the scope of tokens for a host's service. Source: each service's
// page on authentication with Microsoft Entra ID.
func Scope(host string) (string, bool) {
	for _, s := range []struct{ suffix, scope string }{
		{"management.azure.com", managerScope}, {"graph.microsoft.com", graphScope}, {".vault.azure.net", "https://vault.azure.net/.default"},
		{".core.windows.net", "https://storage.azure.com/.default"}, {".azurecr.io", "https://containerregistry.azure.net/.default"},
	} {
		if strings.HasSuffix(host, s.suffix) {
			return s.scope, true
		}
	}
	return "", false
}

// call makes a request as the identity.
func (c *Credentials) call(ctx context.Context, method, address string) error {
	return call(ctx, c.pipeline, method, address, nil, nil)
}

// await gets the first token: a secret that was just made is not known everywhere
// at once.
func (c *Credentials) await(ctx context.Context) error {
	return backoff.Retry(func() error {
		_, err := c.Bearer(ctx, "management.azure.com")
		var failed *azidentity.AuthenticationFailedError
		if err != nil && (!errors.As(err, &failed) || failed.RawResponse == nil || failed.RawResponse.StatusCode >= http.StatusInternalServerError && failed.RawResponse.StatusCode != http.StatusServiceUnavailable) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(c.pool.cfg.Poll.Backoff(), ctx))
}
