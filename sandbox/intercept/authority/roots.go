package authority

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

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
