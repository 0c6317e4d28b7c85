package gcp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/iamcredentials/v1"
)

const (
	// tokenLength is how long a token lives: the most that IAM Credentials gives
	// without an organization policy.
	tokenLength = time.Hour
	// freshLength is how long a token that is handed out still lives at least.
	freshLength = 10 * time.Minute
	scope       = "https://www.googleapis.com/auth/cloud-platform"
)

// Credentials are those of one identity. The child process gets a placeholder
// and never a token: who stands between it and the cloud puts the token in, by
// [Credentials.Bearer].
type Credentials struct {
	pool        *Pool
	name        string // the identity's
	email       string
	placeholder string

	mu      sync.Mutex
	token   string
	expires time.Time
}

func newCredentials(p *Pool, name, email string) *Credentials {
	return &Credentials{pool: p, name: name, email: email, placeholder: "whittle-placeholder-" + strings.ToLower(rand.Text())}
}

// Env gives the environment with which the google provider, gcloud and Google's
// libraries show the placeholder as their access token, for the project. Those
// that look for Application Default Credentials find a file, see [Config].Files.
func (c *Credentials) Env(ctx context.Context) (map[string]string, error) {
	if _, err := c.Bearer(ctx, ""); err != nil { // here, not as a riddle in the child
		return nil, err
	}
	env := map[string]string{
		"GOOGLE_OAUTH_ACCESS_TOKEN":  c.placeholder,
		"CLOUDSDK_AUTH_ACCESS_TOKEN": c.placeholder,
		"GOOGLE_PROJECT":             c.pool.cfg.Project,
		"GOOGLE_CLOUD_PROJECT":       c.pool.cfg.Project,
		"CLOUDSDK_CORE_PROJECT":      c.pool.cfg.Project,
	}
	if region := c.pool.cfg.Region; region != "" {
		env["GOOGLE_REGION"], env["CLOUDSDK_COMPUTE_REGION"] = region, region
	}
	if dir := c.pool.cfg.Files; dir != "" {
		path, err := c.write(dir)
		if err != nil {
			return nil, fmt.Errorf("credential file of %s: %w", c.email, err)
		}
		env["GOOGLE_APPLICATION_CREDENTIALS"] = path
	}
	return env, nil
}

// write makes the file of [AuthorizedUser] for the placeholder.
func (c *Credentials) write(dir string) (path string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	text, err := AuthorizedUser(c.placeholder)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, url.PathEscape(c.name)+".json")
	return path, os.WriteFile(path, text, 0o600)
}

// AuthorizedUser is a credential file of the type `authorized_user`, which each of
// Google's libraries reads (AIP-4113), with placeholder as its refresh token. Who
// is asked for an access token for it, and answers with the placeholder, stands
// between the client and the cloud; to anybody else the file is worth nothing.
func AuthorizedUser(placeholder string) ([]byte, error) {
	text, err := json.Marshal(map[string]string{
		"type": "authorized_user", "client_id": "whittle", "client_secret": "none", "refresh_token": placeholder,
	})
	return append(text, '\n'), err
}

// Placeholder is what the child shows where a token belongs. It is no secret:
// outside the run nobody takes it.
func (c *Credentials) Placeholder() string { return c.placeholder }

// Issued tells whether a request's credential is this identity's placeholder.
func (c *Credentials) Issued(credential string) bool {
	return credential != "" && credential == c.placeholder
}

// Is tells whether a refusal's principal is this identity. One that is no
// address says too little to be somebody else.
func (c *Credentials) Is(principal string) bool {
	return !strings.Contains(principal, "@") || strings.TrimPrefix(principal, "serviceAccount:") == c.email
}

// Bearer gives an access token of the identity that lives for another ten
// minutes at least, for every host.
func (c *Credentials) Bearer(ctx context.Context, _ string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Until(c.expires) > freshLength {
		return c.token, nil
	}
	out, err := c.pool.creds.Projects.ServiceAccounts.GenerateAccessToken("projects/-/serviceAccounts/"+c.email, &iamcredentials.GenerateAccessTokenRequest{
		Scope: []string{scope}, Lifetime: fmt.Sprintf("%ds", int(tokenLength/time.Second)),
	}).Context(ctx).Do()
	if err != nil {
		return "", c.pool.explain("make a token of "+c.email, "iam.serviceAccounts.getAccessToken on it", err)
	}
	expires, err := time.Parse(time.RFC3339, out.ExpireTime)
	if err != nil {
		return "", fmt.Errorf("make a token of %s: expiry: %w", c.email, err)
	}
	c.token, c.expires = out.AccessToken, expires
	return c.token, nil
}

// await makes the first token. An operator who may not is let, on this account
// alone; and an account that was just made is not known everywhere at once.
func (c *Credentials) await(ctx context.Context) error {
	let := false
	return backoff.Retry(func() error {
		_, err := c.Bearer(ctx, "")
		switch {
		case err == nil:
			return nil
		case isRefused(err) && !let:
			let = true
			if lerr := c.let(ctx); lerr != nil {
				// One of the two is enough.
				return backoff.Permanent(errors.Join(err, lerr))
			}
		case !isRefused(err) && !isMissing(err) && !isTransient(err):
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(c.pool.cfg.Poll.Backoff(), ctx))
}

// tokenCreator is what lets the operator make tokens of an account; roles/owner
// does not (IAM, "Service account impersonation").
const tokenCreator = "roles/iam.serviceAccountTokenCreator"

// let binds the operator to tokenCreator on the account, which is Whittle's own.
func (c *Credentials) let(ctx context.Context) error {
	name := c.pool.parent() + "/serviceAccounts/" + c.email
	policy, err := c.pool.iam.Projects.ServiceAccounts.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion).Context(ctx).Do()
	if err != nil {
		return c.pool.explain("read the policy of "+c.email, "iam.serviceAccounts.getIamPolicy", err)
	}
	policy.Bindings = append(policy.Bindings, &iam.Binding{Role: tokenCreator, Members: []string{c.pool.operator}})
	if _, err := c.pool.iam.Projects.ServiceAccounts.SetIamPolicy(name, &iam.SetIamPolicyRequest{Policy: policy}).Context(ctx).Do(); err != nil {
		return c.pool.explain("write the policy of "+c.email, "iam.serviceAccounts.setIamPolicy", err)
	}
	return nil
}

// client makes calls as the identity.
func (c *Credentials) client() *http.Client {
	plain := *c.pool.cfg.Plain
	inner := plain.Transport
	if inner == nil {
		inner = http.DefaultTransport
	}
	plain.Transport = bearer{c, inner}
	return &plain
}

type bearer struct {
	credentials *Credentials
	inner       http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.credentials.Bearer(r.Context(), "")
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.inner.RoundTrip(r)
}
