package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newCA(t testing.TB) *CA {
	t.Helper()
	ca, err := New([]string{"amazonaws.com", "amazonaws.com.cn", "api.aws"})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func pool(t testing.TB, ca *CA) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.PEM()) {
		t.Fatal("no certificate in the CA's PEM")
	}
	return roots
}

func TestCA(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	block, rest := pem.Decode(ca.PEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("PEM holds %v and %q", block, rest)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Error("the key is not on P-256")
	}
	if life := cert.NotAfter.Sub(cert.NotBefore); life > 100*time.Hour {
		t.Errorf("the CA lives for %v", life)
	}
	if cert.SerialNumber.Cmp(other.cert.SerialNumber) == 0 || cert.Subject.String() == other.cert.Subject.String() || ca.key.Equal(other.key) {
		t.Error("two runs' CAs are alike")
	}
	// Changing what was handed out changes nothing.
	ca.PEM()[0] = 'x'
	if ca.PEM()[0] != '-' {
		t.Error("PEM hands out its own bytes")
	}
}

func TestLeaf(t *testing.T) {
	ca := newCA(t)
	for _, host := range []string{"sqs.us-east-1.amazonaws.com", "a.b_c.s3.us-east-1.amazonaws.com", "ec2.cn-north-1.amazonaws.com.cn", "lambda.us-east-1.api.aws"} {
		leaf, err := ca.Leaf(host)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(leaf.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		verify := func(name string, roots *CA) error {
			_, err := cert.Verify(x509.VerifyOptions{DNSName: name, Roots: pool(t, roots)})
			return err
		}
		if err := verify(host, ca); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if verify("sts.amazonaws.com", ca) == nil || verify(host, newCA(t)) == nil {
			t.Errorf("%s: the certificate is good for more than it", host)
		}
		if again, _ := ca.Leaf(host); again != leaf {
			t.Errorf("%s: the certificate is not kept", host)
		}
	}
	// What it would sign for another name, no client believes.
	leaf, err := ca.Leaf("www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{DNSName: "www.example.com", Roots: pool(t, ca)}); err == nil {
		t.Error("the CA is good for www.example.com")
	}
}

func TestBundle(t *testing.T) {
	ca, system, inDir := newCA(t), newCA(t), newCA(t)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("secret")})
	file := write("roots.pem", append(append([]byte("# comment\n"), key...), system.PEM()...))
	folder := filepath.Join(dir, "certs")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write("certs/one.crt", inDir.PEM())

	t.Setenv("SSL_CERT_FILE", file)
	t.Setenv("SSL_CERT_DIR", folder)
	bundle, err := ca.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]*CA{"SSL_CERT_FILE": system, "SSL_CERT_DIR": inDir, "the run": ca} {
		if !bytes.Contains(bundle, want.PEM()) {
			t.Errorf("the root of %s is missing", name)
		}
	}
	if bytes.Contains(bundle, []byte("PRIVATE")) {
		t.Error("a private key is in the bundle")
	}
	if !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		t.Error("the bundle cannot be read")
	}
	t.Setenv("SSL_CERT_FILE", filepath.Join(dir, "nosuch"))
	if _, err := ca.Bundle(); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("a missing SSL_CERT_FILE gives %v", err)
	}
	t.Setenv("SSL_CERT_FILE", "")
	t.Setenv("SSL_CERT_DIR", "")
	if bundle, err = ca.Bundle(); err != nil || !bytes.HasSuffix(bundle, ca.PEM()) {
		t.Errorf("the system's bundle: %d bytes, %v", len(bundle), err)
	}
}
