package exchange

import (
	"net/http"
	"net/url"
	"strings"
)

// credential is the access key ID that a request says it is signed with, ""
// if it has no signature, or more than one claim of whose it is: then it is for
// the cloud to say whom it believes, and not for us to guess. Forms:
// Authorization "AWS4-HMAC-SHA256 Credential=ID/scope, …, Signature=…" (and the
// same with AWS4-ECDSA-P256-SHA256), and "AWS ID:signature"; in presigned URLs
// X-Amz-Credential with X-Amz-Signature, and AWSAccessKeyId with Signature. The
// names are AWS's to the letter (IAM User Guide, "Elements of an AWS API
// request signature"; S3 API Reference, "Authenticating requests").
func credential(r *http.Request) string {
	var claims []string
	for _, value := range r.Header.Values("Authorization") {
		if value != "" {
			claims = append(claims, headerClaim(value))
		}
	}
	query := map[string][]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			value = ""
		}
		query[name] = append(query[name], value)
	}
	for _, form := range []struct{ id, signature string }{{"X-Amz-Credential", "X-Amz-Signature"}, {"AWSAccessKeyId", "Signature"}} {
		if ids := query[form.id]; len(ids) > 0 {
			claims = append(claims, claim(ids, query[form.signature]))
		}
	}
	if len(claims) != 1 {
		return ""
	}
	return claims[0]
}

// headerClaim reads one Authorization header.
func headerClaim(value string) string {
	scheme, rest, _ := strings.Cut(value, " ")
	switch scheme {
	case "AWS":
		id, signature, _ := strings.Cut(rest, ":")
		return claim([]string{id}, []string{signature})
	case "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256":
		var ids, signatures []string
		for part := range strings.SplitSeq(rest, ",") {
			part = strings.TrimSpace(part)
			if scope, ok := strings.CutPrefix(part, "Credential="); ok {
				ids = append(ids, scope)
			} else if s, ok := strings.CutPrefix(part, "Signature="); ok {
				signatures = append(signatures, s)
			}
		}
		return claim(ids, signatures)
	}
	return ""
}

// claim is the access key ID of a credential's one scope that comes with one
// signature.
func claim(scopes, signatures []string) string {
	if len(scopes) != 1 || len(signatures) != 1 || signatures[0] == "" {
		return ""
	}
	id, _, _ := strings.Cut(scopes[0], "/")
	return accessKeyID(id)
}

// accessKeyID is id if it has the form of one (16 to 128 letters, digits and
// underscores, as IAM's API defines accessKeyIdType): whatever else stands in
// its place may be a secret.
func accessKeyID(id string) string {
	if len(id) < 16 || len(id) > 128 {
		return ""
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		default:
			return ""
		}
	}
	return id
}
