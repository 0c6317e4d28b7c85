package google

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
	sandbox "github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// growing grants what a client is refused, as narrow as the refusal and the request
// say, and repeats the request.
type growing struct {
	t      *testing.T
	to     way
	ground attribute.Ground
	put    func(grant.Set) error
	set    grant.Set
}

func (g *growing) RoundTrip(r *http.Request) (*http.Response, error) {
	g.t.Helper()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	for range 4 {
		r.Body = io.NopCloser(bytes.NewReader(body))
		reply, err := g.to.RoundTrip(r)
		if err != nil || reply.StatusCode != http.StatusForbidden {
			return reply, err
		}
		text, _ := io.ReadAll(reply.Body)
		reply.Body = io.NopCloser(bytes.NewReader(text))
		denials, err := parsers.FromExchange(refusal.Exchange{Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Status: reply.StatusCode, Reply: reply.Header, ReplyBody: text})
		if err != nil || len(denials) != 1 {
			g.t.Errorf("%s %s: read as %v, %v: %s", r.Method, r.URL, denials, err, text)
			return reply, nil
		}
		place := attribute.Of(attribute.Refused{URL: r.URL, Body: body, Permission: denials[0].Permission, Resource: denials[0].Resource}, g.ground, false)
		g.set = g.set.With(grant.Grant{Permission: denials[0].Permission, Resource: place.Resource, Condition: place.Condition.String()})
		if err := g.put(g.set); err != nil {
			return nil, err
		}
	}
	g.t.Errorf("%s %s: still refused", r.Method, r.URL)
	return nil, http.ErrHandlerTimeout
}

// What Google's client is refused on a key ring and its keys is granted on them: the
// client reaches its own key, and each request for a decoy's is refused.
func TestKey(t *testing.T) {
	gate, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	decoys, pool, probe := probing(t, gate, "keys")
	if err := probe.Role.Put(t.Context(), grant.Set{}); err != nil {
		t.Fatal(err)
	}
	token, err := probe.Credentials.(bearer).Bearer(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	grown := &growing{t: t, to: way{gate, token}, ground: attribute.Ground{Project: decoys.Project, Number: decoys.Number},
		put: func(s grant.Set) error { return probe.Role.Put(t.Context(), s) }}
	client, err := cloudkms.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: grown}))
	if err != nil {
		t.Fatal(err)
	}
	c := client.Projects.Locations.KeyRings
	place := "projects/" + decoys.Project + "/locations/global"
	lifecycle := func() string {
		t.Helper()
		ring, err := c.Create(place, &cloudkms.KeyRing{}).KeyRingId("mine").Do()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Get(ring.Name).Do(); err != nil {
			t.Fatal(err)
		}
		key, err := c.CryptoKeys.Create(ring.Name, &cloudkms.CryptoKey{Purpose: "ENCRYPT_DECRYPT"}).CryptoKeyId("mine").Do()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.CryptoKeys.SetIamPolicy(key.Name, &cloudkms.SetIamPolicyRequest{Policy: &cloudkms.Policy{}}).Do(); err != nil {
			t.Fatal(err)
		}
		sealed, err := c.CryptoKeys.Encrypt(key.Name, &cloudkms.EncryptRequest{Plaintext: base64.StdEncoding.EncodeToString([]byte("s3cret"))}).Do()
		if err != nil {
			t.Fatal(err)
		}
		opened, err := c.CryptoKeys.Decrypt(key.Name, &cloudkms.DecryptRequest{Ciphertext: sealed.Ciphertext}).Do()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.CryptoKeys.CryptoKeyVersions.Destroy(key.Primary.Name, &cloudkms.DestroyCryptoKeyVersionRequest{}).Do(); err != nil {
			t.Fatal(err)
		}
		return opened.Plaintext
	}
	if got := lifecycle(); got != base64.StdEncoding.EncodeToString([]byte("s3cret")) {
		t.Errorf("decrypted %q", got)
	}
	const ring = "projects/whittle-sandbox/locations/global/keyRings/mine"
	want := map[string]string{
		"cloudkms.keyRings.create": "", "cloudkms.keyRings.get": ring, "cloudkms.cryptoKeys.create": ring, "cloudkms.cryptoKeys.setIamPolicy": ring + "/cryptoKeys/mine",
		"cloudkms.cryptoKeyVersions.useToEncrypt": ring + "/cryptoKeys/mine", "cloudkms.cryptoKeyVersions.useToDecrypt": ring + "/cryptoKeys/mine", "cloudkms.cryptoKeyVersions.destroy": ring + "/cryptoKeys/mine",
	}
	for g := range grown.set.All() {
		name, there := want[g.Permission]
		condition := ""
		if name != "" {
			condition = `{"within":{"resource.name":"` + name + `"}}`
		}
		if !there || g.Condition != condition {
			t.Errorf("%s is granted if %s, want if %s", g.Permission, g.Condition, condition)
		}
		delete(want, g.Permission)
	}
	if len(want) > 0 {
		t.Errorf("not granted: %v", want)
	}

	if err := decoys.Plant(t.Context(), []grant.Set{grown.set}); err != nil {
		t.Fatal(err)
	}
	trials, err := decoys.Try(t.Context(), probe, grown.set)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, trial := range trials {
		asked = append(asked, trial.Permission)
		if trial.Allowed {
			t.Errorf("%s on %s (%s) is let through", trial.Permission, trial.Resource, trial.Decoy)
		}
	}
	slices.Sort(asked)
	if got := strings.Join(asked, " "); got != "cloudkms.cryptoKeyVersions.destroy cloudkms.cryptoKeyVersions.useToDecrypt cloudkms.cryptoKeyVersions.useToEncrypt cloudkms.cryptoKeys.create cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.get" {
		t.Errorf("asked for the decoys by %s", got)
	}
	if len(gate.Ledger().Unknown())+len(gate.Ledger().Problems()) > 0 {
		t.Error(gate.Ledger().Unknown(), gate.Ledger().Problems())
	}
	if err := pool.Release(t.Context()); err != nil {
		t.Error(err)
	}
}
