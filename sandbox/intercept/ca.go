package intercept

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
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

// CA is the certificate authority of one run. Its key is in memory only and
// signs for no other names than those of the endpoint table's domains.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

// NewCA makes a certificate authority with a fresh ECDSA P-256 key.
func NewCA() (*CA, error) {
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
		PermittedDNSDomains:         endpointDomains(),
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

// leaf is a certificate for host, which must be in canonical form.
func (ca *CA) leaf(host string) (*tls.Certificate, error) {
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

// systemRootFiles and systemRootDirs are where systems keep their root
// certificates, as crypto/x509 has them for Linux, the BSDs and macOS.
var (
	systemRootFiles = []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
		"/usr/local/etc/ssl/cert.pem",
	}
	systemRootDirs = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}
)

// systemRoots reads root certificates from file, or the first of the usual
// files if it is empty, and from dirs (a list like PATH), or the usual folders
// if both are empty and no file was found.
func systemRoots(file, dirs string) ([]byte, error) {
	var roots []byte
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("SSL_CERT_FILE: %w; unset it or name a readable file", err)
		}
		roots = certificates(data)
	} else {
		for _, name := range systemRootFiles {
			data, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("root certificates: %w", err)
			}
			if roots = certificates(data); len(roots) > 0 {
				break
			}
		}
	}
	folders := filepath.SplitList(dirs)
	if dirs == "" && len(roots) == 0 {
		folders = slices.Clone(systemRootDirs)
	}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // crypto/x509 passes over folders that it cannot read, too
		}
		for _, e := range entries {
			if data, err := os.ReadFile(filepath.Join(folder, e.Name())); err == nil {
				roots = append(roots, certificates(data)...)
			}
		}
	}
	return roots, nil
}

// certificates is the certificates among data's PEM blocks: what else is in
// the file, a private key for one, is not handed on.
func certificates(data []byte) []byte {
	var out bytes.Buffer
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return out.Bytes()
		}
		if block.Type == "CERTIFICATE" {
			// Encoding into memory cannot fail without headers.
			_ = pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes})
		}
	}
}
