package token

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Endpoint tells whether a request asks for a token without showing one.
func Endpoint(host, path string) bool {
	switch host + path {
	case "oauth2.googleapis.com/token", "www.googleapis.com/oauth2/v4/token", "accounts.google.com/o/oauth2/token", "sts.googleapis.com/v1/token":
		return true
	}
	return false
}

// audiences are what an assertion may be for.
var audiences = []string{"https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token", "https://accounts.google.com/o/oauth2/token"}

const (
	jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	exchange  = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// NotServedError is a way to get a token that is not there.
type NotServedError struct{ What string }

func (e *NotServedError) Error() string { return "the token endpoint does not serve " + e.What }

// Grant answers a request for a token: a service account's signed assertion (RFC
// 7523), or an exchange of an access token (RFC 8693). The operator has no
// refresh token.
func (r *Ring) Grant(tx *store.Tx, p api.Project, form url.Values, now time.Time) (store.Object, error) {
	bad := func(reason, text string) (store.Object, error) {
		return nil, wire.New(400, "%s", text).With(reason)
	}
	switch form.Get("grant_type") {
	case jwtBearer:
		claims, err := Verify(tx, p, form.Get("assertion"), now)
		switch {
		case errors.Is(err, ErrExpired):
			return bad("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.")
		case err != nil:
			return bad("invalid_grant", "Invalid JWT Signature.")
		}
		known := false
		for _, a := range audiences {
			known = known || a == claims.Audience
		}
		if !known {
			return bad("invalid_grant", "Invalid JWT: audience "+claims.Audience+" is not the token endpoint.")
		}
		account, err := Account(tx, p, claims.Issuer)
		if err != nil {
			return bad("invalid_grant", "Invalid grant: account not found")
		}
		h := Holder{Email: claims.Issuer, UID: api.String(account, "uniqueId"), Expires: now.Add(time.Hour)}
		return store.Object{"access_token": r.Issue(h), "expires_in": 3599.0, "token_type": "Bearer"}, nil
	case exchange:
		if form.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:access_token" || strings.Trim(form.Get("options"), "{}") != "" {
			return nil, &NotServedError{"the exchange of a " + form.Get("subject_token_type") + " token, or one with options"}
		}
		h, err := r.Holder(tx, p, form.Get("subject_token"), now)
		if err != nil {
			return bad("invalid_grant", "Invalid subject token.")
		}
		if !h.Operator && h.Expires.After(now.Add(time.Hour)) {
			h.Expires = now.Add(time.Hour)
		}
		return store.Object{"access_token": r.Issue(h), "expires_in": 3599.0, "token_type": "Bearer",
			"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}, nil
	case "refresh_token":
		return bad("invalid_grant", "Token has been expired or revoked.")
	}
	return bad("unsupported_grant_type", "Invalid grant_type: "+form.Get("grant_type"))
}

// Handlers serve the methods that make and show tokens, by id.
func (r *Ring) Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"iamcredentials.projects.serviceAccounts.generateAccessToken": r.generate,
		"oauth2.tokeninfo":          r.info,
		"oauth2.userinfo.get":       userinfo,
		"oauth2.userinfo.v2.me.get": userinfo,
	}
}

// Target is the service account that a call is about, which its path names by
// address or unique id. Delegates, each of whom would have to be let by the next,
// are not served.
func Target(c *api.Call) (store.Object, error) {
	if delegates, _ := c.Body["delegates"].([]any); len(delegates) > 0 {
		return nil, &NotServedError{"delegates"}
	}
	name := c.Params["serviceAccountsId"]
	if account, err := Account(c.Tx, c.Project, name); err == nil {
		return account, nil
	}
	for _, o := range c.Tx.Scan("iam/projects/" + c.Project.ID + "/serviceAccounts/") {
		if o["uniqueId"] == name && !api.Bool(o, "disabled") {
			return o, nil
		}
	}
	return nil, wire.New(404, "Not found; Gaia id not found for email %s", name)
}

// generate makes a token of a service account for who may have one.
func (r *Ring) generate(c *api.Call) (*api.Reply, error) {
	account, err := Target(c)
	if err != nil {
		return nil, err
	}
	if scopes, _ := c.Body["scope"].([]any); len(scopes) == 0 {
		return nil, wire.New(400, "Request contains an invalid argument: scope is required.")
	}
	lifetime := time.Hour
	if s := api.String(c.Body, "lifetime"); s != "" {
		if lifetime, err = time.ParseDuration(s); err != nil || lifetime <= 0 || lifetime > time.Hour {
			return nil, wire.New(400, "Request contains an invalid argument: lifetime %q must be at most 3600s.", s)
		}
	}
	expires := c.Now.Add(lifetime)
	t := r.Issue(Holder{Email: api.String(account, "email"), UID: api.String(account, "uniqueId"), Expires: expires})
	return api.OK(store.Object{"accessToken": t, "expireTime": expires.UTC().Format(time.RFC3339)})
}

// info shows whom a token stands for, and for how long.
func (r *Ring) info(c *api.Call) (*api.Reply, error) {
	t := c.Query.Get("access_token")
	h, err := r.Holder(c.Tx, c.Project, t, c.Now)
	if err != nil {
		return nil, wire.New(400, "Invalid Value").With("invalid_token")
	}
	left := 3599.0
	if !h.Expires.IsZero() {
		left = h.Expires.Sub(c.Now).Truncate(time.Second).Seconds()
	}
	return api.OK(store.Object{"email": h.Email, "expires_in": left, "scope": "https://www.googleapis.com/auth/cloud-platform", "verified_email": true})
}

func userinfo(c *api.Call) (*api.Reply, error) {
	return api.OK(store.Object{"email": c.Principal, "verified_email": true, "id": api.Fingerprint(c.Principal)})
}
