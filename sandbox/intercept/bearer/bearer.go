// Package bearer puts a live access token into the requests that show a
// placeholder in its place, and answers those that would have Google or Entra ID
// give a token for the placeholder. So a client can work as an identity whose
// token it never holds.
//
// The placeholder counts where a client shows a token (RFC 6750, sections 2.1 and
// 2.3), as the password of a registry's user, as the refresh token of an
// `authorized_user` file, and as the secret of a client of Entra ID; nowhere
// else. A request with any other credential, or
// with two, is nobody's business here.
package bearer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Source is whose token is put in.
type Source interface {
	// Placeholder is what a client shows.
	Placeholder() string
	// Bearer gives an access token for requests to host that is good for some
	// minutes yet. On Azure each service has tokens of its own.
	Bearer(ctx context.Context, host string) (string, error)
}

// registryUser is who shows an access token to a registry, as the password of
// this name (Artifact Registry, "Configure authentication to Artifact Registry for
// Docker").
const registryUser = "oauth2accesstoken"

// parameter shows a token in a query, in Google's APIs as in RFC 6750.
const parameter = "access_token"

// Shown tells whether the placeholder is the request's one credential.
func Shown(r *http.Request, placeholder string) bool {
	if placeholder == "" || r.Method == http.MethodTrace { // which sends back what it got
		return false
	}
	header, inQuery := r.Header.Values("Authorization"), r.URL.Query()[parameter]
	if len(header)+len(inQuery) != 1 {
		return false
	}
	if len(inQuery) == 1 {
		return inQuery[0] == placeholder
	}
	return header[0] == "Bearer "+placeholder || header[0] == basic(placeholder)
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(registryUser+":"+password))
}

// Put puts token in the place of the placeholder that out shows.
func Put(out *http.Request, placeholder, token string) {
	for i, value := range out.Header["Authorization"] {
		with := "Bearer " + token
		if value == basic(placeholder) {
			with = basic(token)
		}
		// The slice is shared with the client's own request.
		out.Header["Authorization"] = slices.Clone(out.Header["Authorization"])
		out.Header["Authorization"][i] = with
	}
	pairs := strings.Split(out.URL.RawQuery, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && name == parameter {
			pairs[i] = parameter + "=" + url.QueryEscape(token)
		}
	}
	out.URL.RawQuery = strings.Join(pairs, "&")
}

// Refreshes tells whether a request is one for an access token by a form that
// [Refreshed] reads. Source: token_uri of Google's clients, now and formerly;
// Entra ID, "OAuth 2.0 client credentials flow".
func Refreshes(r *http.Request, host string) bool {
	if r.Method != http.MethodPost {
		return false
	}
	if host == entra {
		return strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") || strings.HasSuffix(r.URL.Path, "/oauth2/token")
	}
	switch host + r.URL.Path {
	case "oauth2.googleapis.com/token", "accounts.google.com/o/oauth2/token", "www.googleapis.com/oauth2/v3/token", "www.googleapis.com/oauth2/v4/token":
		return true
	}
	return false
}

// entra is where Entra ID gives tokens.
const entra = "login.microsoftonline.com"

// Refreshed gives the reply to a form that shows the placeholder, to Google as
// its refresh token, to Entra ID as the client's secret: the placeholder as
// access token. ok is false for any other.
func Refreshed(form []byte, host, placeholder string) (reply []byte, ok bool) {
	kind, shown := "refresh_token", "refresh_token"
	if host == entra {
		kind, shown = "client_credentials", "client_secret"
	}
	values, err := url.ParseQuery(string(form))
	if err != nil || placeholder == "" || !slices.Equal(values["grant_type"], []string{kind}) || !slices.Equal(values[shown], []string{placeholder}) {
		return nil, false
	}
	return token(map[string]any{"access_token": placeholder, "token_type": "Bearer"})
}

// Registers tells whether a request is one for a registry's own token, which
// [Registered] answers. Source: Distribution, "Token authentication
// specification"; the realm that both registries name.
func Registers(r *http.Request, host string) bool {
	registry := strings.HasSuffix(host, "-docker.pkg.dev") || host == "gcr.io" || strings.HasSuffix(host, ".gcr.io")
	return registry && r.URL.Path == "/v2/token"
}

// Registered gives the reply to who shows the placeholder to a registry: the
// placeholder, which the registry's own token would only stand for.
func Registered(placeholder string, now time.Time) []byte {
	reply, _ := token(map[string]any{"token": placeholder, "access_token": placeholder, "issued_at": now.UTC().Format(time.RFC3339)})
	return reply
}

// token is the JSON of a token, good for as long as a client likes to hear.
func token(fields map[string]any) ([]byte, bool) {
	fields["expires_in"] = 3599
	text, err := json.Marshal(fields)
	return text, err == nil // texts and a number have a form
}
