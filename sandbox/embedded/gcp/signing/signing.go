// Package signing signs in the name of service accounts, as IAM Credentials does,
// and publishes the keys that its signatures are verified with.
//
// A service account has a key that nobody holds, made when it is first asked for.
// It is in the state beside the keys that users have made, and is published as
// they are. Identity tokens are signed by Google's own key, which is in memory
// only, and is another in every sandbox.
package signing

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // names a key, as the cloud does
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// private is where the state keeps what no client sees.
const private = "-private"

// longest is how far in the future a signed claim's end may be. Source: IAM
// Service Account Credentials API, signJwt.
const longest = 12 * time.Hour

// key is a key pair with its name.
type key struct {
	id   string
	pair *rsa.PrivateKey
}

func newKey() (key, error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return key{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	return key{fmt.Sprintf("%x", sha1.Sum(public)), pair}, err //nolint:gosec // names a key
}

// sign makes an RSASSA-PKCS1-v1_5 signature with SHA-256 (RS256).
func (k key) sign(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	return rsa.SignPKCS1v15(rand.Reader, k.pair, crypto.SHA256, sum[:])
}

// jwt signs claims.
func (k key) jwt(claims []byte) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": k.id, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := k.sign([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// Signer serves the methods that sign, and publishes keys.
type Signer struct {
	google func() (key, error) // who signs identity tokens
}

// NewSigner makes a signer; Google's key is made when it is first needed.
func NewSigner() *Signer { return &Signer{google: sync.OnceValues(newKey)} }

// Handlers serve the methods that sign, by id.
func (s *Signer) Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"iamcredentials.projects.serviceAccounts.signBlob":        blob("payload", "signedBlob"),
		"iamcredentials.projects.serviceAccounts.signJwt":         claims,
		"iamcredentials.projects.serviceAccounts.generateIdToken": s.identity,
		// Deprecated, and still there.
		"iam.projects.serviceAccounts.signBlob": blob("bytesToSign", "signature"),
		"iam.projects.serviceAccounts.signJwt":  claims,
	}
}

// blob signs bytes.
func blob(payload, signed string) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		account, err := token.Target(c)
		if err != nil {
			return nil, err
		}
		text, err := base64.StdEncoding.DecodeString(api.String(c.Body, payload))
		if err != nil {
			text, err = base64.URLEncoding.DecodeString(api.String(c.Body, payload))
		}
		if err != nil {
			return nil, wire.New(400, "Invalid value at '%s' (TYPE_BYTES), Base64 decoding failed", payload)
		}
		k, err := keyOf(c.Tx, c.Project, api.String(account, "email"), c.Now)
		if err != nil {
			return nil, err
		}
		signature, err := k.sign(text)
		if err != nil {
			return nil, err
		}
		return api.OK(store.Object{"keyId": k.id, signed: base64.StdEncoding.EncodeToString(signature)})
	}
}

// claims signs a JWT.
func claims(c *api.Call) (*api.Reply, error) {
	account, err := token.Target(c)
	if err != nil {
		return nil, err
	}
	payload := []byte(api.String(c.Body, "payload"))
	var set map[string]any
	if err := json.Unmarshal(payload, &set); err != nil {
		return nil, wire.New(400, "Request contains an invalid argument: the payload is not a JSON object.")
	}
	if exp, there := set["exp"]; there {
		end, number := exp.(float64)
		if at := float64(c.Now.Unix()); !number || end != float64(int64(end)) || end < at || end > at+longest.Seconds() {
			return nil, wire.New(400, "Request contains an invalid argument: exp must be a time in seconds that is not past and at most 12 hours away.")
		}
	}
	k, err := keyOf(c.Tx, c.Project, api.String(account, "email"), c.Now)
	if err != nil {
		return nil, err
	}
	signed, err := k.jwt(payload)
	if err != nil {
		return nil, err
	}
	return api.OK(store.Object{"keyId": k.id, "signedJwt": signed})
}

// identity makes an OpenID Connect token that says who a service account is.
func (s *Signer) identity(c *api.Call) (*api.Reply, error) {
	account, err := token.Target(c)
	if err != nil {
		return nil, err
	}
	audience := api.String(c.Body, "audience")
	if audience == "" {
		return nil, wire.New(400, "Request contains an invalid argument: audience is required.")
	}
	uid := api.String(account, "uniqueId")
	set := map[string]any{"aud": audience, "azp": uid, "sub": uid, "iss": issuer, "iat": c.Now.Unix(), "exp": c.Now.Add(time.Hour).Unix()}
	if api.Bool(c.Body, "includeEmail") {
		set["email"], set["email_verified"] = api.String(account, "email"), true
	}
	payload, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	k, err := s.google()
	if err != nil {
		return nil, err
	}
	signed, err := k.jwt(payload)
	if err != nil {
		return nil, err
	}
	return api.OK(store.Object{"token": signed})
}

// keyOf is the account's own key, which is made if it is not there yet.
func keyOf(tx *store.Tx, p api.Project, email string, now time.Time) (key, error) {
	prefix := keys(p, email)
	for name, o := range tx.Scan(prefix) {
		if text := api.String(o, private); text != "" {
			block, _ := pem.Decode([]byte(text))
			if block == nil {
				return key{}, errors.New("signing: the key in the state cannot be read")
			}
			pair, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			return key{strings.TrimPrefix(name, prefix), pair}, err
		}
	}
	k, err := newKey()
	if err != nil {
		return key{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&k.pair.PublicKey)
	if err != nil {
		return key{}, err
	}
	tx.Put(prefix+k.id, store.Object{
		"name": strings.TrimPrefix(prefix, "iam/") + k.id, "keyAlgorithm": "KEY_ALG_RSA_2048", "keyOrigin": "GOOGLE_PROVIDED", "keyType": "SYSTEM_MANAGED",
		"validAfterTime": now.UTC().Format(time.RFC3339), "validBeforeTime": now.UTC().AddDate(2, 0, 0).Format(time.RFC3339),
		"-public": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		private:   string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.pair)})),
	})
	return k, nil
}

// keys is where the state keeps an account's keys.
func keys(p api.Project, email string) string {
	return "iam/projects/" + p.ID + "/serviceAccounts/" + email + "/keys/"
}
