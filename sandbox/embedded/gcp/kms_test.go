package gcp_test

import (
	"encoding/base64"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	cloudkms "google.golang.org/api/cloudkms/v1"
	crm "google.golang.org/api/cloudresourcemanager/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

const (
	place = parent + "/locations/global"
	ring  = place + "/keyRings/ring"
)

func kmsAs(t *testing.T, g *gcp.Gate, token string) *cloudkms.ProjectsLocationsKeyRingsService {
	t.Helper()
	return must[*cloudkms.Service](t)(cloudkms.NewService(t.Context(), as(g, token))).Projects.Locations.KeyRings
}

func text(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// addKey makes a key of the ring, and gives its name.
func addKey(t *testing.T, c *cloudkms.ProjectsLocationsKeyRingsService, id string) string {
	t.Helper()
	return must[*cloudkms.CryptoKey](t)(c.CryptoKeys.Create(ring, &cloudkms.CryptoKey{Purpose: "ENCRYPT_DECRYPT"}).CryptoKeyId(id).Do()).Name
}

// What is encrypted under a key is decrypted under the same key, version and additional
// data, and under nothing else.
func TestKMS(t *testing.T) {
	now := time.Now()
	g := start(t, gcp.Config{Now: func() time.Time { return now }})
	c := kmsAs(t, g, g.Operator())
	_, err := c.CryptoKeys.Create(ring, &cloudkms.CryptoKey{Purpose: "ENCRYPT_DECRYPT"}).CryptoKeyId("key").Do()
	refused(t, err, 404, "KeyRing "+ring+" not found.")
	if r := must[*cloudkms.KeyRing](t)(c.Create(place, &cloudkms.KeyRing{}).KeyRingId("ring").Do()); r.Name != ring || r.CreateTime == "" {
		t.Errorf("the ring is %+v", r)
	}
	_, err = c.Create(place, &cloudkms.KeyRing{}).KeyRingId("ring").Do()
	refused(t, err, 409, "KeyRing "+ring+" already exists.")
	_, err = c.Create(place, &cloudkms.KeyRing{}).KeyRingId("a.b").Do()
	refused(t, err, 400, "a.b")
	_, err = c.CryptoKeys.Create(ring, &cloudkms.CryptoKey{}).CryptoKeyId("key").Do()
	refused(t, err, 400, "purpose")
	_, err = c.CryptoKeys.Create(ring, &cloudkms.CryptoKey{Purpose: "ENCRYPT_DECRYPT", RotationPeriod: "86400s"}).CryptoKeyId("key").Do()
	refused(t, err, 400, "next_rotation_time")
	_, err = c.CryptoKeys.Create(ring, &cloudkms.CryptoKey{Purpose: "ASYMMETRIC_SIGN"}).CryptoKeyId("key").Do()
	refused(t, err, 501, "ASYMMETRIC_SIGN")
	if n := len(g.Ledger().Unknown()); n != 1 {
		t.Errorf("%d requests are told as unknown, want that for the other purpose", n)
	}

	key := must[*cloudkms.CryptoKey](t)(c.CryptoKeys.Create(ring, &cloudkms.CryptoKey{Purpose: "ENCRYPT_DECRYPT", DestroyScheduledDuration: "86400s"}).CryptoKeyId("key").Do())
	if key.Primary == nil || key.Primary.Name != ring+"/cryptoKeys/key/cryptoKeyVersions/1" || key.Primary.State != "ENABLED" || key.VersionTemplate.Algorithm != "GOOGLE_SYMMETRIC_ENCRYPTION" {
		t.Fatalf("the key is %+v", key)
	}
	other := addKey(t, c, "other")
	aad := text("context")
	crc := int64(crc32.Checksum([]byte("s3cret"), crc32.MakeTable(crc32.Castagnoli)))
	sealed := must[*cloudkms.EncryptResponse](t)(c.CryptoKeys.Encrypt(key.Name, &cloudkms.EncryptRequest{Plaintext: text("s3cret"), PlaintextCrc32c: crc, AdditionalAuthenticatedData: aad}).Do())
	if sealed.Name != key.Primary.Name || !sealed.VerifiedPlaintextCrc32c || strings.Contains(sealed.Ciphertext, text("s3cret")) {
		t.Errorf("the ciphertext is %+v", sealed)
	}
	_, err = c.CryptoKeys.Encrypt(key.Name, &cloudkms.EncryptRequest{Plaintext: text("s3cret"), PlaintextCrc32c: crc + 1}).Do()
	refused(t, err, 400, "checksum")
	open := func(name, ciphertext, aad string) (string, error) {
		r, err := c.CryptoKeys.Decrypt(name, &cloudkms.DecryptRequest{Ciphertext: ciphertext, AdditionalAuthenticatedData: aad}).Do()
		if err != nil {
			return "", err
		}
		plain, err := base64.StdEncoding.DecodeString(r.Plaintext)
		return string(plain), err
	}
	if plain := must[string](t)(open(key.Name, sealed.Ciphertext, aad)); plain != "s3cret" {
		t.Errorf("decrypted %q", plain)
	}
	for _, tt := range []struct{ name, ciphertext, aad string }{{other, sealed.Ciphertext, aad}, {key.Name, sealed.Ciphertext, ""}, {key.Name, text("nonsense"), aad}, {key.Name, "", aad}} {
		_, err = open(tt.name, tt.ciphertext, tt.aad)
		refused(t, err, 400, "Decryption failed: verify that 'name' refers to the correct CryptoKey.")
	}

	// Another version encrypts once it is the primary one, and what the first encrypted
	// stays readable until that is disabled or destroyed.
	v := c.CryptoKeys.CryptoKeyVersions
	second := must[*cloudkms.CryptoKeyVersion](t)(v.Create(key.Name, &cloudkms.CryptoKeyVersion{}).Do())
	if r := must[*cloudkms.EncryptResponse](t)(c.CryptoKeys.Encrypt(key.Name, &cloudkms.EncryptRequest{Plaintext: text("x")}).Do()); r.Name != key.Primary.Name {
		t.Errorf("%s encrypts, and is not the primary version", r.Name)
	}
	moved := must[*cloudkms.CryptoKey](t)(c.CryptoKeys.UpdatePrimaryVersion(key.Name, &cloudkms.UpdateCryptoKeyPrimaryVersionRequest{CryptoKeyVersionId: "2"}).Do())
	if moved.Primary.Name != second.Name || must[*cloudkms.CryptoKey](t)(c.CryptoKeys.Get(key.Name).Do()).Primary.Name != second.Name {
		t.Errorf("the primary version is %+v", moved.Primary)
	}
	if r := must[*cloudkms.EncryptResponse](t)(c.CryptoKeys.Encrypt(key.Name, &cloudkms.EncryptRequest{Plaintext: text("x")}).Do()); r.Name != second.Name {
		t.Errorf("%s encrypts", r.Name)
	}
	if r := must[*cloudkms.EncryptResponse](t)(c.CryptoKeys.Encrypt(key.Primary.Name, &cloudkms.EncryptRequest{Plaintext: text("x")}).Do()); r.Name != key.Primary.Name {
		t.Errorf("%s encrypts in place of the version that is named", r.Name)
	}
	must[*cloudkms.CryptoKeyVersion](t)(v.Patch(key.Primary.Name, &cloudkms.CryptoKeyVersion{State: "DISABLED"}).UpdateMask("state").Do())
	_, err = open(key.Name, sealed.Ciphertext, aad)
	refused(t, err, 400, key.Primary.Name+" is not enabled, current state is: DISABLED.", "FAILED_PRECONDITION")
	_, err = v.Patch(key.Primary.Name, &cloudkms.CryptoKeyVersion{State: "DESTROYED"}).UpdateMask("state").Do()
	refused(t, err, 400, "between ENABLED and DISABLED")
	if d := must[*cloudkms.CryptoKeyVersion](t)(v.Destroy(key.Primary.Name, &cloudkms.DestroyCryptoKeyVersionRequest{}).Do()); d.State != "DESTROY_SCHEDULED" || d.DestroyTime == "" {
		t.Errorf("the version to be destroyed is %+v", d)
	}
	if r := must[*cloudkms.CryptoKeyVersion](t)(v.Restore(key.Primary.Name, &cloudkms.RestoreCryptoKeyVersionRequest{}).Do()); r.State != "DISABLED" || r.DestroyTime != "" {
		t.Errorf("the restored version is %+v", r)
	}
	must[*cloudkms.CryptoKeyVersion](t)(v.Destroy(key.Primary.Name, &cloudkms.DestroyCryptoKeyVersionRequest{}).Do())
	now = now.Add(25 * time.Hour)
	list := must[*cloudkms.ListCryptoKeyVersionsResponse](t)(v.List(key.Name).Do()).CryptoKeyVersions
	if len(list) != 2 || list[0].State != "DESTROYED" || list[0].DestroyEventTime == "" || list[1].State != "ENABLED" {
		t.Errorf("the versions are %+v", list)
	}
	_, err = v.Restore(key.Primary.Name, &cloudkms.RestoreCryptoKeyVersionRequest{}).Do()
	refused(t, err, 400, "current state is: DESTROYED", "FAILED_PRECONDITION")

	_, err = c.CryptoKeys.Patch(key.Name, &cloudkms.CryptoKey{Purpose: "MAC"}).UpdateMask("purpose").Do()
	refused(t, err, 400, "purpose")
	must[*cloudkms.CryptoKey](t)(c.CryptoKeys.Patch(key.Name, &cloudkms.CryptoKey{Labels: map[string]string{"a": "b"}}).UpdateMask("labels").Do())
	if got := must[*cloudkms.CryptoKey](t)(c.CryptoKeys.Get(key.Name).Do()); got.Labels["a"] != "b" || got.Primary.Name != second.Name {
		t.Errorf("the changed key is %+v", got)
	}
	if keys := must[*cloudkms.ListCryptoKeysResponse](t)(c.CryptoKeys.List(ring).Do()).CryptoKeys; len(keys) != 2 || keys[0].Primary.State != "ENABLED" {
		t.Errorf("the keys are %+v", keys)
	}
}

// A role that is bound under a condition on a key's name reaches that key, its versions
// and nothing else; one that is bound on a key or its ring by the policy there reaches
// what lies in it.
func TestKMSConditions(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	root := kmsAs(t, g, g.Operator())
	must[*cloudkms.KeyRing](t)(root.Create(place, &cloudkms.KeyRing{}).KeyRingId("ring").Do())
	own, foreign := addKey(t, root, "own"), addKey(t, root, "own-not")
	_, token := principal(t, g)
	c := kmsAs(t, g, token)
	all := []string{"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeyVersions.get"}
	grant(t, operator, all...)
	ask := func(key string) map[string]error {
		t.Helper()
		sealed := must[*cloudkms.EncryptResponse](t)(root.CryptoKeys.Encrypt(key, &cloudkms.EncryptRequest{Plaintext: text("x")}).Do())
		m := map[string]error{}
		_, m["cloudkms.cryptoKeys.get"] = c.CryptoKeys.Get(key).Do()
		_, m["cloudkms.cryptoKeyVersions.useToEncrypt"] = c.CryptoKeys.Encrypt(key, &cloudkms.EncryptRequest{Plaintext: text("x")}).Do()
		_, m["cloudkms.cryptoKeyVersions.useToDecrypt"] = c.CryptoKeys.Decrypt(key, &cloudkms.DecryptRequest{Ciphertext: sealed.Ciphertext}).Do()
		_, m["cloudkms.cryptoKeyVersions.get"] = c.CryptoKeys.CryptoKeyVersions.Get(key + "/cryptoKeyVersions/1").Do()
		_, m["cloudkms.cryptoKeys.setIamPolicy"] = c.CryptoKeys.SetIamPolicy(key, &cloudkms.SetIamPolicyRequest{Policy: &cloudkms.Policy{}}).Do()
		return m
	}
	check := func(when, key string, allowed bool) {
		t.Helper()
		m := ask(key)
		for _, permission := range all {
			if allowed {
				if m[permission] != nil {
					t.Errorf("%s: %s on %s: %v", when, permission, key, m[permission])
				}
				continue
			}
			refused(t, m[permission], 403, "Permission '"+permission+"' denied on resource '"+key, "(or it may not exist).")
		}
	}
	check("bound on the project", foreign, true)

	// The role again, under a condition alone.
	policy := must[*crm.Policy](t)(operator.crm.Projects.GetIamPolicy(project, &crm.GetIamPolicyRequest{}).Do())
	member := ""
	for _, b := range policy.Bindings {
		if b.Role == parent+"/roles/probe" {
			member = b.Members[0]
			b.Condition = &crm.Expr{Title: "own", Expression: `resource.name == "` + own + `" || resource.name.startsWith("` + own + `/")`}
		}
	}
	policy.Version = 3
	must[*crm.Policy](t)(operator.crm.Projects.SetIamPolicy(project, &crm.SetIamPolicyRequest{Policy: policy}).Do())
	check("under a condition", own, true)
	check("under a condition", foreign, false)

	// The operator binds the other key's users on the key itself, then on the ring.
	bound := &cloudkms.SetIamPolicyRequest{Policy: &cloudkms.Policy{Bindings: []*cloudkms.Binding{{Role: "roles/cloudkms.cryptoKeyEncrypter", Members: []string{member}}}}}
	encrypts := func(key string) error {
		_, err := c.CryptoKeys.Encrypt(key, &cloudkms.EncryptRequest{Plaintext: text("x")}).Do()
		return err
	}
	must[*cloudkms.Policy](t)(root.CryptoKeys.SetIamPolicy(foreign, bound).Do())
	if err := encrypts(foreign); err != nil {
		t.Errorf("bound on the key: %v", err)
	}
	third := addKey(t, root, "third")
	refused(t, encrypts(third), 403, "useToEncrypt")
	must[*cloudkms.Policy](t)(root.SetIamPolicy(ring, bound).Do())
	if err := encrypts(third); err != nil {
		t.Errorf("bound on the ring: %v", err)
	}
}
