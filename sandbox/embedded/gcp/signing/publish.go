package signing

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// issuer is who identity tokens are from.
const issuer = "https://accounts.google.com"

// Where keys are published. Source: IAM, "Service account credentials", on public
// keys; Google Identity, "OpenID Connect", discovery document.
const (
	certificates = "www.googleapis.com/service_accounts/v1/metadata/x509/"
	robots       = "www.googleapis.com/robot/v1/metadata/x509/"
	webKeys      = "www.googleapis.com/service_accounts/v1/jwk/"
	googleCerts  = "www.googleapis.com/oauth2/v1/certs"
	googleKeys   = "www.googleapis.com/oauth2/v3/certs"
	discovery    = "accounts.google.com/.well-known/openid-configuration"
)

// Publishes tells whether keys are published at an address, which anybody may
// read.
func Publishes(host, path string) bool {
	at := host + path
	for _, prefix := range []string{certificates, robots, webKeys} {
		if strings.HasPrefix(at, prefix) {
			return true
		}
	}
	return at == googleCerts || at == googleKeys || at == discovery
}

// Published is what is published at an address of which Publishes says so.
func (s *Signer) Published(tx *store.Tx, p api.Project, host, path string, now time.Time) (*api.Reply, error) {
	at := host + path
	switch at {
	case discovery:
		return api.OK(store.Object{"issuer": issuer, "jwks_uri": "https://" + googleKeys, "id_token_signing_alg_values_supported": []any{"RS256"},
			"authorization_endpoint": issuer + "/o/oauth2/v2/auth", "token_endpoint": "https://oauth2.googleapis.com/token",
			"userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo", "response_types_supported": []any{"code", "token", "id_token"},
			"subject_types_supported": []any{"public"}})
	case googleCerts, googleKeys:
		k, err := s.google()
		if err != nil {
			return nil, err
		}
		return publish(at == googleKeys, k, map[string]*rsa.PublicKey{k.id: &k.pair.PublicKey}, "federated-signon.system.gserviceaccount.com", now)
	}
	email := at[strings.LastIndexByte(at, '/')+1:]
	account, err := token.Account(tx, p, email)
	if err != nil {
		return nil, wire.New(404, "Not found.")
	}
	own, err := keyOf(tx, p, email, now)
	if err != nil {
		return nil, err
	}
	all := map[string]*rsa.PublicKey{}
	prefix := keys(p, email)
	for name, o := range tx.Scan(prefix) {
		if api.Bool(o, "disabled") {
			continue
		}
		public, err := publicOf(o)
		if err != nil {
			return nil, err
		}
		all[strings.TrimPrefix(name, prefix)] = public
	}
	return publish(strings.HasPrefix(at, webKeys), own, all, api.String(account, "uniqueId"), now)
}

func publicOf(o store.Object) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(api.String(o, "-public")))
	if block == nil {
		return nil, errors.New("signing: a public key in the state cannot be read")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("signing: a public key in the state is not RSA's")
	}
	return key, nil
}

// publish prints keys as a set of JSON web keys, or as certificates by the keys'
// names. Google's certificates sign themselves; here own signs them all, since
// what a user has made, nobody else has the private key of.
func publish(web bool, own key, all map[string]*rsa.PublicKey, name string, now time.Time) (*api.Reply, error) {
	if web {
		set := []any{}
		for id, k := range all {
			set = append(set, store.Object{"kid": id, "kty": "RSA", "alg": "RS256", "use": "sig",
				"n": base64.RawURLEncoding.EncodeToString(k.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes())})
		}
		return api.OK(store.Object{"keys": set})
	}
	o := store.Object{}
	for id, k := range all {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(2, 0, 0),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, k, own.pair)
		if err != nil {
			return nil, err
		}
		o[id] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return api.OK(o)
}
