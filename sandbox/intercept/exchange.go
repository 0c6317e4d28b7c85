package intercept

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

const redacted = "REDACTED"

// plainRequestHeaders are the request headers whose values an Exchange keeps.
// Of other x-amz-* headers it keeps the name, since some decide by being there
// which permission is checked; the rest it does not have.
var plainRequestHeaders = names(`
	Accept Accept-Encoding Accept-Language Content-Encoding Content-Length Content-Md5 Content-Type
	Date Expect Host If-Match If-Modified-Since If-None-Match If-Unmodified-Since Range
	Smithy-Protocol Te User-Agent
	Amz-Sdk-Invocation-Id Amz-Sdk-Request
	X-Amz-Date X-Amz-Content-Sha256 X-Amz-Decoded-Content-Length X-Amz-Target X-Amz-Trailer
	X-Amz-User-Agent X-Amzn-Query-Mode X-Amzn-Trace-Id X-Amz-Region-Set
	X-Amz-Acl X-Amz-Grant-Full-Control X-Amz-Grant-Read X-Amz-Grant-Read-Acp X-Amz-Grant-Write
	X-Amz-Grant-Write-Acp X-Amz-Tagging X-Amz-Tagging-Directive X-Amz-Metadata-Directive
	X-Amz-Copy-Source X-Amz-Copy-Source-Range X-Amz-Copy-Source-If-Match X-Amz-Copy-Source-If-None-Match
	X-Amz-Copy-Source-If-Modified-Since X-Amz-Copy-Source-If-Unmodified-Since
	X-Amz-Storage-Class X-Amz-Server-Side-Encryption X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id
	X-Amz-Server-Side-Encryption-Bucket-Key-Enabled X-Amz-Server-Side-Encryption-Customer-Algorithm
	X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm
	X-Amz-Object-Lock-Mode X-Amz-Object-Lock-Retain-Until-Date X-Amz-Object-Lock-Legal-Hold
	X-Amz-Bucket-Object-Lock-Enabled X-Amz-Bypass-Governance-Retention X-Amz-Object-Ownership
	X-Amz-Object-Attributes X-Amz-Optional-Object-Attributes X-Amz-Expected-Bucket-Owner
	X-Amz-Source-Expected-Bucket-Owner X-Amz-Request-Payer X-Amz-Website-Redirect-Location
	X-Amz-Create-Session-Mode X-Amz-Confirm-Remove-Self-Bucket-Access X-Amz-Version-Id
	X-Amz-Sdk-Checksum-Algorithm X-Amz-Checksum-Algorithm X-Amz-Checksum-Mode X-Amz-Checksum-Type
	X-Amz-Invocation-Type X-Amz-Log-Type X-Amz-Account-Id
`)

// plainReplyHeaders are the same for replies. Of others that begin with x-amz-
// or x-amzn- the name is kept.
var plainReplyHeaders = names(`
	Allow Cache-Control Connection Content-Encoding Content-Length Content-Range Content-Type Date Etag
	Expires Last-Modified Location Retry-After Server Transfer-Encoding Vary Via Www-Authenticate
	Grpc-Status Grpc-Message Smithy-Protocol
	X-Amzn-Requestid X-Amz-Request-Id X-Amz-Id-2 X-Amz-Cf-Id X-Amzn-Trace-Id X-Amzn-Errortype
	X-Amzn-Errormessage X-Amzn-Query-Error X-Amz-Apigw-Id X-Amz-Bucket-Region X-Amz-Version-Id
	X-Amz-Delete-Marker X-Amz-Storage-Class X-Amz-Server-Side-Encryption
	X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id X-Amz-Bucket-Object-Lock-Enabled
	X-Amz-Function-Error X-Amz-Executed-Version X-Amzn-Remapped-Content-Length
	X-Amz-Access-Point-Alias X-Amz-Bucket-Location-Type X-Amz-Bucket-Location-Name
	X-Amz-Checksum-Type X-Amz-Mp-Parts-Count X-Amz-Abort-Date X-Amz-Crc32
`)

// credentialHeaders are credentials as a whole: not even their names are kept.
var credentialHeaders = names(`
	X-Amz-Security-Token X-Amz-S3session-Token X-Amz-Cookie
`)

// plainQuery are the query parameters whose values an Exchange keeps: S3's
// sub-resources and listing parameters, the query protocol's operation, what
// names versions and pages, and the part of a presigned URL that is not secret.
// Of others the name is kept, and the value if it is an ARN.
var plainQuery = names(`
	Action Version
	accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold
	lifecycle location logging metadata metadataTable metadataConfiguration metrics notification
	object-lock ownershipControls partNumber policy policyStatus publicAccessBlock replication
	requestPayment restore retention select select-type session tagging torrent uploadId uploads
	versionId versioning versions website abac renameObject
	list-type prefix delimiter marker key-marker upload-id-marker version-id-marker start-after
	max-keys max-parts max-uploads part-number-marker fetch-owner encoding-type
	continuation-token x-id bucket-region max-buckets
	Qualifier FunctionVersion MaxItems Marker maxResults maxItems limit
	X-Amz-Algorithm X-Amz-Date X-Amz-Expires X-Amz-SignedHeaders X-Amz-Content-Sha256
`)

// newExchange describes a request to host, an opened one, without what it was
// signed with. The body is added later, as it is read.
func newExchange(r *http.Request, host string) refusal.Exchange {
	header := keepHeader(r.Header, plainRequestHeaders, "X-Amz-")
	header["Host"] = []string{r.Host}
	if source := header.Get("X-Amz-Copy-Source"); source != "" {
		header.Set("X-Amz-Copy-Source", redactURL(source))
	}
	return refusal.Exchange{
		Method: r.Method,
		URL: &url.URL{
			Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath,
			RawQuery: redactQuery(r.URL.RawQuery),
		},
		Header:     header,
		Credential: credential(r),
	}
}

// withRequestBody adds the start of the request's body.
func withRequestBody(x refusal.Exchange, body []byte) refusal.Exchange {
	x.Body = redactBody(x.Header.Get("Content-Type"), body)
	return x
}

// withReply adds a reply, whose body is the start of what came over the wire.
func withReply(x refusal.Exchange, status int, header http.Header, body []byte) refusal.Exchange {
	x.Status = status
	x.Reply = keepHeader(header, plainReplyHeaders, "X-Amz-", "X-Amzn-")
	if location := x.Reply.Get("Location"); location != "" {
		x.Reply.Set("Location", redactURL(location))
	}
	x.ReplyBody = redactBody(header.Get("Content-Type"), decode(header.Get("Content-Encoding"), body))
	return x
}

// keepHeader copies the headers of h whose names are plain, and with their
// values redacted those with one of the prefixes.
func keepHeader(h http.Header, plain map[string]bool, prefixes ...string) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		switch {
		case credentialHeaders[name]:
		case plain[name]:
			kept[name] = append([]string(nil), values...)
		default:
			for _, p := range prefixes {
				if strings.HasPrefix(name, p) {
					kept[name] = []string{redacted}
					break
				}
			}
		}
	}
	return kept
}

// redactQuery replaces the values of a raw query that are not known to be
// harmless, and leaves all else as it is on the wire.
func redactQuery(raw string) string {
	if raw == "" {
		return ""
	}
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || value == "" {
			if !ok && len(name) > 64 {
				pairs[i] = redacted // not a sub-resource: a token on its own
			}
			continue
		}
		plain, err := url.QueryUnescape(name)
		if err == nil && plainQuery[plain] || isARN(value) {
			continue
		}
		pairs[i] = name + "=" + redacted
	}
	return strings.Join(pairs, "&")
}

func isARN(value string) bool {
	v, err := url.QueryUnescape(value)
	return err == nil && strings.HasPrefix(v, "arn:aws") && strings.Count(v, ":") >= 5
}

// redactURL redacts the query of a URL within a header.
func redactURL(s string) string {
	base, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	return base + "?" + redactQuery(query)
}

// credential is the access key ID that a request says it is signed with.
// Forms: Authorization "AWS4-… Credential=ID/scope, …" and "AWS ID:signature",
// and the query parameters X-Amz-Credential and AWSAccessKeyId of presigned
// URLs.
func credential(r *http.Request) string {
	for _, value := range r.Header.Values("Authorization") {
		if id, ok := strings.CutPrefix(value, "AWS "); ok {
			id, _, _ = strings.Cut(id, ":")
			return accessKeyID(id)
		}
		if scheme, rest, ok := strings.Cut(value, " "); ok && strings.HasPrefix(scheme, "AWS4-") {
			for part := range strings.SplitSeq(rest, ",") {
				if scope, ok := strings.CutPrefix(strings.TrimSpace(part), "Credential="); ok {
					id, _, _ := strings.Cut(scope, "/")
					return accessKeyID(id)
				}
			}
		}
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(name, "X-Amz-Credential") || name == "AWSAccessKeyId" {
			value, err := url.QueryUnescape(value)
			if err != nil {
				return ""
			}
			id, _, _ := strings.Cut(value, "/")
			return accessKeyID(id)
		}
	}
	return ""
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

// secretFields match the members of a body that are credentials of an identity,
// in XML, JSON and form notation, up to the end of the value or of the body.
// Source: the shapes of STS, IAM, Cognito, SSO, ECR, CodeArtifact and S3's
// CreateSession that AWS's API models mark as sensitive or name so.
var secretFields = struct{ xml, json, form *regexp.Regexp }{
	regexp.MustCompile(`(?i)(<(?:` + secretNames + `)>)[^<]*`),
	regexp.MustCompile(`(?i)("(?:` + secretNames + `)"\s*:\s*")(?:[^"\\]|\\.)*`),
	regexp.MustCompile(`(?i)((?:^|&)(?:` + secretNames + `)=)[^&]*`),
}

const secretNames = `SecretAccessKey|SecretKey|SessionToken|SecurityToken|X-Amz-Security-Token|` +
	`X-Amz-Signature|Signature|WebIdentityToken|SAMLAssertion|TokenCode|AuthenticationCode[12]|` +
	`AccessToken|RefreshToken|IdToken|ClientSecret|AuthorizationToken|BearerToken|` +
	`Password|NewPassword|OldPassword|MasterUserPassword|SecretString|SecretBinary|PrivateKey|` +
	`KeyMaterial|ServicePassword|ServiceCredentialSecret|Plaintext|PrivateKeyPlaintext`

// redactBody replaces credentials in a body of text. A body with none is
// returned as it is.
func redactBody(contentType string, body []byte) []byte {
	t := strings.ToLower(contentType)
	first := bytes.TrimLeft(body, " \t\r\n\ufeff")
	switch {
	case len(first) == 0:
		return body
	case first[0] == '<':
		return secretFields.xml.ReplaceAll(body, []byte("${1}"+redacted))
	case first[0] == '{' || first[0] == '[':
		return secretFields.json.ReplaceAll(body, []byte("${1}"+redacted))
	case strings.Contains(t, "form-urlencoded"):
		return secretFields.form.ReplaceAll(body, []byte("${1}"+redacted))
	}
	return body
}

// decode undoes a content encoding, as far as body goes and up to
// refusal.MaxBody bytes. What it cannot decode it returns as it is.
func decode(encoding string, body []byte) []byte {
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
