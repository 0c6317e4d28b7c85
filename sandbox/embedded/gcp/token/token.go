// Package token issues the access tokens of the embedded GCP sandbox and finds
// out who shows one. Tokens are kept beside the state: a snapshot that is
// brought back logs nobody out whose account is still there.
package token

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// Holder is whom a token stands for.
type Holder struct {
	Email    string
	UID      string    // of the account, empty for the operator
	Operator bool      // who may do everything
	Expires  time.Time // zero for never
}

// Member is the holder as a policy names him.
func (h Holder) Member() string {
	if h.Operator {
		return "user:" + h.Email
	}
	return "serviceAccount:" + h.Email
}

// Ring holds the tokens that were issued.
type Ring struct {
	operator string
	mu       sync.Mutex
	tokens   map[string]Holder
}

// NewRing makes a ring with a new token for the operator.
func NewRing(operator string) *Ring {
	r := &Ring{operator: random(), tokens: map[string]Holder{}}
	r.tokens[r.operator] = Holder{Email: operator, Operator: true}
	return r
}

// random is a token in the form of Google's.
func random() string { return "ya29.c." + rand.Text() + rand.Text() + rand.Text() }

// Operator is the operator's token.
func (r *Ring) Operator() string { return r.operator }

// Issue makes a token.
func (r *Ring) Issue(h Holder) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := random()
	r.tokens[t] = h
	return t
}

// For makes a token for who has shown that he may have one; it lasts no longer
// than an hour.
func (r *Ring) For(h Holder, now time.Time) string {
	if hour := now.Add(time.Hour); !h.Operator && (h.Expires.IsZero() || h.Expires.After(hour)) {
		h.Expires = hour
	}
	return r.Issue(h)
}

// Login finds whom a user name and password stand for: an access token under the
// name oauth2accesstoken, or a key file under _json_key. Source: Artifact
// Registry, "Configure authentication to Artifact Registry for Docker".
func (r *Ring) Login(tx *store.Tx, p api.Project, user, password string, now time.Time) (Holder, error) {
	switch user {
	case "oauth2accesstoken":
		return r.Holder(tx, p, password, now)
	case "_json_key_base64":
		text, err := base64.StdEncoding.DecodeString(password)
		if err != nil {
			return Holder{}, ErrUnknown
		}
		password = string(text)
	case "_json_key":
	default:
		return Holder{}, ErrUnknown
	}
	var file struct {
		Email string `json:"client_email"`
		ID    string `json:"private_key_id"`
		Key   string `json:"private_key"`
	}
	if err := json.Unmarshal([]byte(password), &file); err != nil {
		return Holder{}, ErrUnknown
	}
	public, err := publicKey(tx, p, file.Email, file.ID)
	if err != nil {
		return Holder{}, err
	}
	block, _ := pem.Decode([]byte(file.Key))
	if block == nil {
		return Holder{}, ErrUnknown
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Holder{}, ErrUnknown
	}
	if own, ok := private.(*rsa.PrivateKey); !ok || !own.PublicKey.Equal(public) {
		return Holder{}, ErrUnknown
	}
	account, err := Account(tx, p, file.Email)
	if err != nil {
		return Holder{}, err
	}
	return Holder{Email: file.Email, UID: api.String(account, "uniqueId"), Expires: now.Add(time.Hour)}, nil
}

// publicKey finds a service account's key.
func publicKey(tx *store.Tx, p api.Project, email, id string) (*rsa.PublicKey, error) {
	key, ok := tx.Get("iam/projects/" + p.ID + "/serviceAccounts/" + email + "/keys/" + id)
	if !ok || api.Bool(key, "disabled") {
		return nil, ErrJWT
	}
	block, _ := pem.Decode([]byte(api.String(key, "-public")))
	if block == nil {
		return nil, ErrJWT
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	rsaKey, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil, ErrJWT
	}
	return rsaKey, nil
}

// Errors of authentication.
var (
	ErrUnknown = errors.New("the token is not one that was issued here")
	ErrExpired = errors.New("the token has expired")
	ErrGone    = errors.New("the account is not there, or disabled")
	ErrJWT     = errors.New("the assertion is not valid")
)

// Holder finds who shows a token: one that was issued, or a JWT that a service
// account's key has signed.
func (r *Ring) Holder(tx *store.Tx, p api.Project, t string, now time.Time) (Holder, error) {
	r.mu.Lock()
	h, ok := r.tokens[t]
	r.mu.Unlock()
	if !ok && strings.Count(t, ".") == 2 && strings.HasPrefix(t, "ey") {
		claims, err := Verify(tx, p, t, now)
		if err != nil {
			return Holder{}, err
		}
		account, err := Account(tx, p, claims.Issuer)
		if err != nil {
			return Holder{}, err
		}
		return Holder{Email: claims.Issuer, UID: api.String(account, "uniqueId"), Expires: time.Unix(claims.Expires, 0)}, nil
	}
	switch {
	case !ok:
		return Holder{}, ErrUnknown
	case h.Operator:
		return h, nil
	case !h.Expires.After(now):
		return Holder{}, ErrExpired
	}
	account, err := Account(tx, p, h.Email)
	if err != nil {
		return Holder{}, err
	}
	if account["uniqueId"] != h.UID {
		return Holder{}, ErrGone
	}
	return h, nil
}

// Account finds a service account that is there and enabled.
func Account(tx *store.Tx, p api.Project, email string) (store.Object, error) {
	o, ok := tx.Get("iam/projects/" + p.ID + "/serviceAccounts/" + email)
	if !ok || api.Bool(o, "disabled") {
		return nil, ErrGone
	}
	return o, nil
}

// Claims are what a signed JWT says.
type Claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Scope    string `json:"scope"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// Verify reads a JWT that was signed with a service account's key. Source:
// Google Identity, "Using OAuth 2.0 for server to server applications".
func Verify(tx *store.Tx, p api.Project, jwt string, now time.Time) (Claims, error) {
	var header struct{ Alg, Kid string }
	var claims Claims
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 || decode(parts[0], &header) != nil || decode(parts[1], &claims) != nil || header.Alg != "RS256" {
		return claims, ErrJWT
	}
	rsaKey, err := publicKey(tx, p, claims.Issuer, header.Kid)
	if err != nil {
		return claims, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return claims, ErrJWT
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(rsaKey, crypto.SHA256, sum[:], signature) != nil {
		return claims, ErrJWT
	}
	const skew = 5 * 60
	if at := now.Unix(); claims.Expires < at || claims.Issued > at+skew || claims.Expires-claims.Issued > 3600+skew {
		return claims, ErrExpired
	}
	if claims.Subject != "" && claims.Subject != claims.Issuer {
		return claims, ErrJWT // domain-wide delegation, of which there is none
	}
	return claims, nil
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
