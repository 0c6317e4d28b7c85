package exchange

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// secretFields match the members of a body that are credentials of an identity,
// in XML, JSON and form notation, up to the end of the value or of the body.
// Source: the shapes of STS, IAM, Cognito, SSO, ECR, CodeArtifact and S3's
// CreateSession that AWS's API models mark as sensitive or name so; RFC 6749 and
// RFC 8693; the fields of Google's IAM, Kubernetes Engine, Cloud Storage (HMAC
// keys) and Secret Manager (a payload's data) that hold a secret.
var secretFields = struct{ xml, json, form *regexp.Regexp }{
	regexp.MustCompile(`(?i)(<(?:` + secretNames + `)>)[^<]*`),
	regexp.MustCompile(`(?i)("(?:` + secretNames + `)"\s*:\s*")(?:[^"\\]|\\.)*`),
	regexp.MustCompile(`(?i)((?:^|&)(?:` + secretNames + `)=)[^&]*`),
}

const secretNames = `SecretAccessKey|SecretKey|SessionToken|SecurityToken|X-Amz-Security-Token|` +
	`X-Amz-Signature|Signature|WebIdentityToken|SAMLAssertion|TokenCode|AuthenticationCode[12]|` +
	`AccessToken|RefreshToken|IdToken|ClientSecret|AuthorizationToken|BearerToken|` +
	`Password|NewPassword|OldPassword|MasterUserPassword|SecretString|SecretBinary|PrivateKey|` +
	`KeyMaterial|ServicePassword|ServiceCredentialSecret|Plaintext|PrivateKeyPlaintext|` +
	`access_token|refresh_token|id_token|client_secret|subject_token|actor_token|assertion|token|` +
	`PrivateKeyData|ClientKey|Secret|Data`

// redactBody replaces credentials in a body of text. A body with none is
// returned as it is.
func redactBody(contentType string, body []byte) []byte {
	t := strings.ToLower(contentType)
	first := bytes.TrimLeft(body, " \t\r\n\ufeff")
	switch {
	case len(first) == 0:
		return body
	case first[0] == '<':
		return secretFields.xml.ReplaceAll(body, []byte("${1}"+Redacted))
	case first[0] == '{' || first[0] == '[':
		return secretFields.json.ReplaceAll(body, []byte("${1}"+Redacted))
	case strings.Contains(t, "form-urlencoded"):
		return secretFields.form.ReplaceAll(body, []byte("${1}"+Redacted))
	}
	return body
}

// Decode undoes a content encoding, as far as body goes and up to
// refusal.MaxBody bytes. What it cannot decode it returns as it is.
func Decode(encoding string, body []byte) []byte {
	var r io.Reader
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return body
		}
		r = z
	case "deflate":
		// RFC 9110 means zlib; some send bare deflate.
		if z, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
			r = z
		} else {
			r = flate.NewReader(bytes.NewReader(body))
		}
	default:
		return body
	}
	// An error is the cut end of a long body; what came before it counts.
	plain, err := io.ReadAll(io.LimitReader(r, refusal.MaxBody))
	if err != nil && len(plain) == 0 {
		return body
	}
	return plain
}
