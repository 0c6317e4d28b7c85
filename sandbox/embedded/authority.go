package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// lifetime of the certificates; the sandbox does not run as long.
const lifetime = 7 * 24 * time.Hour

// authority certifies the names that the service stands for. Its key never
// leaves memory.
type authority struct {
	domains domains
	root    *x509.Certificate
	key     *ecdsa.PrivateKey
	leaf    *ecdsa.PrivateKey // one for all names: they are all the same service

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by name
}

func newAuthority(d domains, now time.Time) (*authority, error) {
	a := &authority{domains: d, leaves: map[string]*tls.Certificate{}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if a.leaf, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	template, err := certificate("Whittle embedded sandbox", now)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	template.PermittedDNSDomainsCritical, template.PermittedDNSDomains = true, d
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	a.root, err = x509.ParseCertificate(der)
	return a, err
}

func certificate(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
	}, err
}

// certificate gives the certificate for the name that a client asks for.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if !a.domains.have(name) {
		return nil, fmt.Errorf("the embedded sandbox does not stand for host %q", name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if made, ok := a.leaves[name]; ok {
		return made, nil
	}
	// A common name has room for 64 characters only; nobody reads it any more.
	template, err := certificate("", a.root.NotBefore.Add(time.Hour))
	if err != nil {
		return nil, err
	}
	template.DNSNames = []string{name}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, &a.leaf.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	if len(a.leaves) > 1000 { // names are the client's to choose
		clear(a.leaves)
	}
	a.leaves[name] = &tls.Certificate{Certificate: [][]byte{der, a.root.Raw}, PrivateKey: a.leaf}
	return a.leaves[name], nil
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}
