package gcp_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	iamapi "google.golang.org/api/iam/v1"
	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/idtoken"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// published fetches JSON that anybody may read.
func published[T any](t *testing.T, g *gcp.Gate, address string) (v T) {
	t.Helper()
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))
	resp := must[*http.Response](t)((&http.Client{Transport: way{g, ""}}).Do(r))
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// certified is a public key that an account's certificates publish.
func certified(t *testing.T, g *gcp.Gate, email, id string) *rsa.PublicKey {
	t.Helper()
	certs := published[map[string]string](t, g, "https://www.googleapis.com/service_accounts/v1/metadata/x509/"+url.PathEscape(email))
	block, _ := pem.Decode([]byte(certs[id]))
	if block == nil {
		t.Fatalf("%s publishes no key %s: %v", email, id, certs)
	}
	return must[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes)).PublicKey.(*rsa.PublicKey)
}

func verify(key *rsa.PublicKey, text, signature []byte) error {
	sum := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
}

// Signatures are real: they verify against the keys that the account publishes,
// as certificates and as web keys.
func TestSigning(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	sa := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "signer"}).Do())
	s := must[*iamcredentials.Service](t)(iamcredentials.NewService(t.Context(), as(g, g.Operator()))).Projects.ServiceAccounts
	name := "projects/-/serviceAccounts/" + sa.Email

	blob := must[*iamcredentials.SignBlobResponse](t)(s.SignBlob(name, &iamcredentials.SignBlobRequest{Payload: base64.StdEncoding.EncodeToString([]byte("a link"))}).Do())
	signature := must[[]byte](t)(base64.StdEncoding.DecodeString(blob.SignedBlob))
	public := certified(t, g, sa.Email, blob.KeyId)
	if err := verify(public, []byte("a link"), signature); err != nil {
		t.Error(err)
	}
	if verify(public, []byte("another"), signature) == nil {
		t.Error("the signature is good for anything")
	}
	set := published[struct {
		Keys []struct{ Kid, N, E string }
	}](t, g, "https://www.googleapis.com/service_accounts/v1/jwk/"+sa.Email)
	if len(set.Keys) != 1 || set.Keys[0].Kid != blob.KeyId || set.Keys[0].N != base64.RawURLEncoding.EncodeToString(public.N.Bytes()) || set.Keys[0].E != base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()) {
		t.Errorf("web keys %+v", set)
	}

	// A JWT, which the token endpoint takes.
	now := time.Now().Unix()
	payload := fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"https://oauth2.googleapis.com/token","scope":"x","iat":%d,"exp":%d}`, sa.Email, sa.Email, now, now+600)
	jwt := must[*iamcredentials.SignJwtResponse](t)(s.SignJwt(name, &iamcredentials.SignJwtRequest{Payload: payload}).Do())
	parts := strings.Split(jwt.SignedJwt, ".")
	if jwt.KeyId != blob.KeyId || len(parts) != 3 || string(must[[]byte](t)(base64.RawURLEncoding.DecodeString(parts[1]))) != payload {
		t.Fatalf("signed with %s: %s", jwt.KeyId, jwt.SignedJwt)
	}
	if err := verify(public, []byte(parts[0]+"."+parts[1]), must[[]byte](t)(base64.RawURLEncoding.DecodeString(parts[2]))); err != nil {
		t.Error(err)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {jwt.SignedJwt}}
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, "https://oauth2.googleapis.com/token", strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp := must[*http.Response](t)((&http.Client{Transport: way{g, ""}}).Do(r))
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the token endpoint answers the JWT with %s", resp.Status)
	}
	for _, bad := range []string{"no JSON", `[1]`, fmt.Sprintf(`{"exp":%d}`, now+13*3600), fmt.Sprintf(`{"exp":%d}`, now-60), `{"exp":"soon"}`} {
		_, err := s.SignJwt(name, &iamcredentials.SignJwtRequest{Payload: bad}).Do()
		refused(t, err, 400, "invalid argument")
	}

	// The methods of IAM itself, by the account's unique id.
	old := must[*iamapi.SignBlobResponse](t)(operator.iam.Projects.ServiceAccounts.SignBlob("projects/"+project+"/serviceAccounts/"+sa.UniqueId,
		&iamapi.SignBlobRequest{BytesToSign: base64.StdEncoding.EncodeToString([]byte("old"))}).Do())
	if err := verify(public, []byte("old"), must[[]byte](t)(base64.StdEncoding.DecodeString(old.Signature))); err != nil {
		t.Error(err)
	}
}

// An identity token is one that Google's own library finds valid, and another
// audience's it does not.
func TestIdentityToken(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	sa := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "caller"}).Do())
	s := must[*iamcredentials.Service](t)(iamcredentials.NewService(t.Context(), as(g, g.Operator()))).Projects.ServiceAccounts
	made := must[*iamcredentials.GenerateIdTokenResponse](t)(s.GenerateIdToken("projects/-/serviceAccounts/"+sa.Email,
		&iamcredentials.GenerateIdTokenRequest{Audience: "https://api.example.com", IncludeEmail: true}).Do())
	validator := must[*idtoken.Validator](t)(idtoken.NewValidator(t.Context(), option.WithHTTPClient(&http.Client{Transport: way{g, ""}})))
	payload := must[*idtoken.Payload](t)(validator.Validate(t.Context(), made.Token, "https://api.example.com"))
	if payload.Subject != sa.UniqueId || payload.Claims["email"] != sa.Email || payload.Issuer != "https://accounts.google.com" {
		t.Errorf("the token says %+v", payload)
	}
	if _, err := validator.Validate(t.Context(), made.Token, "https://other.example.com"); err == nil {
		t.Error("valid for another audience")
	}
	forged := made.Token[:len(made.Token)-8] + "AAAAAAAA"
	if _, err := validator.Validate(t.Context(), forged, "https://api.example.com"); err == nil {
		t.Error("a forged one is valid")
	}
	where := published[struct {
		Issuer string
		URI    string `json:"jwks_uri"`
	}](t, g, "https://accounts.google.com/.well-known/openid-configuration")
	if where.Issuer != payload.Issuer || where.URI != "https://www.googleapis.com/oauth2/v3/certs" {
		t.Errorf("discovery says %+v", where)
	}
	_, err := s.GenerateIdToken("projects/-/serviceAccounts/"+sa.Email, &iamcredentials.GenerateIdTokenRequest{}).Do()
	refused(t, err, 400, "audience")
}

// Each of the methods has a permission of its own, which may also be held on the
// account alone.
func TestSigningIsRefused(t *testing.T) {
	for method, permission := range map[string]string{
		"signBlob": "iam.serviceAccounts.signBlob", "signJwt": "iam.serviceAccounts.signJwt",
		"generateIdToken": "iam.serviceAccounts.getOpenIdToken", "generateAccessToken": "iam.serviceAccounts.getAccessToken",
		"old signBlob": "iam.serviceAccounts.signBlob", "old signJwt": "iam.serviceAccounts.signJwt",
	} {
		t.Run(method, func(t *testing.T) {
			g := start(t, gcp.Config{})
			operator := connect(t, g, g.Operator())
			sa := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "signer"}).Do())
			probe, token := principal(t, g)
			s := must[*iamcredentials.Service](t)(iamcredentials.NewService(t.Context(), as(g, token))).Projects.ServiceAccounts
			name := "projects/-/serviceAccounts/" + sa.Email
			call := func() (err error) {
				switch method {
				case "signBlob":
					_, err = s.SignBlob(name, &iamcredentials.SignBlobRequest{Payload: "YQ=="}).Do()
				case "signJwt":
					_, err = s.SignJwt(name, &iamcredentials.SignJwtRequest{Payload: "{}"}).Do()
				case "generateIdToken":
					_, err = s.GenerateIdToken(name, &iamcredentials.GenerateIdTokenRequest{Audience: "a"}).Do()
				case "generateAccessToken":
					_, err = s.GenerateAccessToken(name, &iamcredentials.GenerateAccessTokenRequest{Scope: []string{"x"}}).Do()
				case "old signBlob":
					_, err = probe.iam.Projects.ServiceAccounts.SignBlob(name, &iamapi.SignBlobRequest{BytesToSign: "YQ=="}).Do()
				case "old signJwt":
					_, err = probe.iam.Projects.ServiceAccounts.SignJwt(name, &iamapi.SignJwtRequest{Payload: "{}"}).Do()
				}
				return err
			}
			refused(t, call(), 403, permission)
			others := []string{"iam.serviceAccounts.signBlob", "iam.serviceAccounts.signJwt", "iam.serviceAccounts.getOpenIdToken", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.actAs"}
			rest := []string{}
			for _, o := range others {
				if o != permission {
					rest = append(rest, o)
				}
			}
			grant(t, operator, rest...)
			refused(t, call(), 403, permission)
			grant(t, operator, permission)
			if err := call(); err != nil {
				t.Error(err)
			}
			// On the account alone.
			grant(t, operator, "iam.serviceAccounts.get")
			refused(t, call(), 403, permission)
			must[*iamapi.Role](t)(operator.iam.Projects.Roles.Create("projects/"+project,
				&iamapi.CreateRoleRequest{RoleId: "narrow", Role: &iamapi.Role{Title: "narrow", IncludedPermissions: []string{permission}}}).Do())
			must[*iamapi.Policy](t)(operator.iam.Projects.ServiceAccounts.SetIamPolicy("projects/"+project+"/serviceAccounts/"+sa.Email, &iamapi.SetIamPolicyRequest{Policy: &iamapi.Policy{
				Bindings: []*iamapi.Binding{{Role: "projects/" + project + "/roles/narrow", Members: []string{"serviceAccount:probe-account@" + project + ".iam.gserviceaccount.com"}}}}}).Do())
			if err := call(); err != nil {
				t.Errorf("with a binding on the account: %v", err)
			}
		})
	}
}

// The account's own key is listed as what it is and cannot be taken away; keys
// that users make are published beside it.
func TestOwnKey(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	sa := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "signer"}).Do())
	name := "projects/" + project + "/serviceAccounts/" + sa.Email
	s := must[*iamcredentials.Service](t)(iamcredentials.NewService(t.Context(), as(g, g.Operator()))).Projects.ServiceAccounts
	blob := must[*iamcredentials.SignBlobResponse](t)(s.SignBlob("projects/-/serviceAccounts/"+sa.Email, &iamcredentials.SignBlobRequest{Payload: "YQ=="}).Do())
	keys := operator.iam.Projects.ServiceAccounts.Keys
	user := must[*iamapi.ServiceAccountKey](t)(keys.Create(name, &iamapi.CreateServiceAccountKeyRequest{}).Do())
	var file struct {
		Key string `json:"private_key"`
	}
	text := must[[]byte](t)(base64.StdEncoding.DecodeString(user.PrivateKeyData))
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Key))
	private := must[any](t)(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
	if !certified(t, g, sa.Email, last(user.Name)).Equal(&private.PublicKey) {
		t.Error("another key is published than the one that was made")
	}
	for kind, want := range map[string]string{"SYSTEM_MANAGED": blob.KeyId, "USER_MANAGED": last(user.Name)} {
		list := must[*iamapi.ListServiceAccountKeysResponse](t)(keys.List(name).KeyTypes(kind).Do())
		if len(list.Keys) != 1 || last(list.Keys[0].Name) != want || list.Keys[0].PrivateKeyData != "" {
			t.Errorf("%s: %+v", kind, list.Keys)
		}
	}
	_, err := keys.Delete(name + "/keys/" + blob.KeyId).Do()
	refused(t, err, 400, "Precondition")
	_, err = keys.Disable(name+"/keys/"+blob.KeyId, &iamapi.DisableServiceAccountKeyRequest{}).Do()
	refused(t, err, 400, "Precondition")
	raw := must[*iamapi.ServiceAccountKey](t)(keys.Get(name + "/keys/" + blob.KeyId).PublicKeyType("TYPE_RAW_PUBLIC_KEY").Do())
	if b, _ := json.Marshal(raw); strings.Contains(string(b), "PRIVATE") {
		t.Error("the private key is shown")
	}

	// Of an account that is gone, nothing is published.
	must[*iamapi.Empty](t)(operator.iam.Projects.ServiceAccounts.Delete(name).Do())
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://www.googleapis.com/robot/v1/metadata/x509/"+sa.Email, nil))
	resp := must[*http.Response](t)((&http.Client{Transport: way{g, ""}}).Do(r))
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", resp.Status)
	}
}

// A chain of delegates is not followed, and not passed over either.
func TestDelegatesAreNotServed(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	sa := must[*iamapi.ServiceAccount](t)(operator.iam.Projects.ServiceAccounts.Create("projects/"+project, &iamapi.CreateServiceAccountRequest{AccountId: "signer"}).Do())
	s := must[*iamcredentials.Service](t)(iamcredentials.NewService(t.Context(), as(g, g.Operator()))).Projects.ServiceAccounts
	name, through := "projects/-/serviceAccounts/"+sa.Email, []string{"projects/-/serviceAccounts/" + sa.Email}
	for what, err := range map[string]error{
		"signBlob": second(s.SignBlob(name, &iamcredentials.SignBlobRequest{Payload: "YQ==", Delegates: through}).Do()),
		"token":    second(s.GenerateAccessToken(name, &iamcredentials.GenerateAccessTokenRequest{Scope: []string{"x"}, Delegates: through}).Do()),
	} {
		if refused(t, err, 501, "delegates"); errors.Is(err, nil) {
			t.Error(what)
		}
	}
	if n := len(g.Ledger().Unknown()); n == 0 {
		t.Error("nothing is noted for the operator")
	}
}

func second[T any](_ T, err error) error { return err }
