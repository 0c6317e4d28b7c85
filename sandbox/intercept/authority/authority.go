// Package authority is the certificate authority of one run: it lives in memory,
// signs for the hosts that a proxy opens, and is good for no others.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"sync"
	"time"
)

const (
	// caLife outlasts any lifecycle, and not by much. The key is gone with the
	// process anyway.
	caLife = 72 * time.Hour
	// caSkew is how far a client's clock may be behind.
	caSkew = time.Hour
	// maxLeaves bounds the cache of leaf certificates: a step that speaks to
	// ever new buckets must not grow it without end.
	maxLeaves = 1024
)

// CA is the certificate authority of one run. Its key is in memory only, and
// what it signs for a name outside its domains no client believes.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

// New makes a certificate authority for the hosts in the DNS domains, with a
// fresh ECDSA P-256 key.
func New(domains []string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("run ca: key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("run ca: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		// The serial in the name keeps two runs' authorities apart in a client
		// that looks issuers up by name.
		Subject:               pkix.Name{CommonName: "Whittle run CA " + serial.Text(36)},
		NotBefore:             now.Add(-caSkew),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		// A child that trusts this authority trusts it for these names alone.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         domains,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("run ca: certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("run ca: certificate: %w", err)
	}
	return &CA{
		cert:   cert,
		key:    key,
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		leaves: make(map[string]*tls.Certificate),
	}, nil
}

// PEM is the authority's certificate, without its key.
func (ca *CA) PEM() []byte { return bytes.Clone(ca.pem) }

// Bundle is what a child process shall trust: the system's root certificates,
// found as Go finds them (SSL_CERT_FILE, SSL_CERT_DIR, else the usual places),
// and the run's authority. On a machine without root certificates it is the
// run's authority alone; a file named by SSL_CERT_FILE that cannot be read is
// an error.
func (ca *CA) Bundle() ([]byte, error) {
	roots, err := systemRoots(os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR"))
	if err != nil {
		return nil, fmt.Errorf("ca bundle: %w", err)
	}
	return append(roots, ca.pem...), nil
}

// Leaf is a certificate for host, in lower case and without a dot at its end.
// It is kept: the same host gets the same certificate.
func (ca *CA) Leaf(host string) (*tls.Certificate, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if c := ca.leaves[host]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: key: %w", host, err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// No common name: it is limited to 64 bytes, and clients read the
		// alternative name.
		Subject:     pkix.Name{Organization: []string{"Whittle"}},
		DNSNames:    []string{host},
		NotBefore:   ca.cert.NotBefore,
		NotAfter:    ca.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	if len(ca.leaves) >= maxLeaves {
		clear(ca.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	ca.leaves[host] = c
	return c, nil
}

func newSerial() (*big.Int, error) {
	// RFC 5280 allows 20 octets; 126 bits are random enough and never negative.
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
