package request

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

var operationShape = expr.New(`^[A-Za-z][A-Za-z0-9]*$`)

// Operation gives the service (its prefix in IAM) and the operation that a
// request calls, as the request itself says it: by X-Amz-Target (JSON 1.0 and
// 1.1), by Action (query and EC2), by the path (RPC v2), and for S3 by method,
// path and sub-resource. ok is false where the request does not say it, as in
// REST-JSON, whose operations only a service's model can tell from its paths.
func Operation(x refusal.Exchange) (service, operation string, ok bool) {
	at, known := Locate(x)
	if !known {
		return "", "", false
	}
	if target, clear := jsonTarget(x); !clear {
		return at.Service, "", false
	} else if target != "" {
		op := target[strings.LastIndexByte(target, '.')+1:]
		return at.Service, op, operationShape.MatchString(op)
	}
	if at.Label == "s3" || at.Label == "s3express" {
		op := s3Operation(x, at)
		return at.Service, op, op != ""
	}
	if op := form(x).Get("Action"); operationShape.MatchString(op) {
		return at.Service, op, true
	}
	// Smithy RPC v2: /service/NAME/operation/OPERATION.
	if _, op, found := strings.Cut(x.URL.Path, "/operation/"); found && strings.HasPrefix(x.URL.Path, "/service/") && operationShape.MatchString(op) {
		return at.Service, op, true
	}
	return at.Service, "", false
}

// jsonTarget gives the X-Amz-Target of a request of the JSON protocols, which
// say their operation so (Smithy, "AWS JSON 1.0 protocol" and "1.1"). On any
// other content type a service may read another protocol, and does not look
// at the header. clear is false for a request that names an operation twice.
func jsonTarget(x refusal.Exchange) (target string, clear bool) {
	target = x.Header.Get("X-Amz-Target")
	kind, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if target == "" || !strings.HasPrefix(kind, "application/x-amz-json") {
		return "", true
	}
	if len(x.Header.Values("X-Amz-Target")) > 1 || x.URL.Query().Has("Action") {
		return "", false
	}
	return target, true
}

// form gives the parameters of a query request, from its body or its URL.
func form(x refusal.Exchange) url.Values {
	if x.Method == http.MethodGet {
		return x.URL.Query()
	}
	kind, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return nil
	}
	// A body that was cut, or a broken one, gives the parameters before the
	// break; Action comes first in what the SDKs write.
	values, _ := url.ParseQuery(string(x.Body))
	return values
}

// s3Resource is one sub-resource of S3: ?name, what it is called in the
// operations on a bucket and on an object. Empty: there is none.
type s3Resource struct{ name, bucket, object string }

// s3Resources are S3's sub-resources (S3 API Reference, "Actions").
var s3Resources = []s3Resource{
	{"abac", "BucketAbac", ""},
	{"accelerate", "BucketAccelerateConfiguration", ""},
	{"acl", "BucketAcl", "ObjectAcl"},
	{"analytics", "BucketAnalyticsConfiguration", ""},
	{"attributes", "", "ObjectAttributes"},
	{"cors", "BucketCors", ""},
	{"encryption", "BucketEncryption", "ObjectEncryption"},
	{"intelligent-tiering", "BucketIntelligentTieringConfiguration", ""},
	{"inventory", "BucketInventoryConfiguration", ""},
	{"legal-hold", "", "ObjectLegalHold"},
	{"lifecycle", "BucketLifecycleConfiguration", ""},
	{"location", "BucketLocation", ""},
	{"logging", "BucketLogging", ""},
	{"metadataConfiguration", "BucketMetadataConfiguration", ""},
	{"metadataTable", "BucketMetadataTableConfiguration", ""},
	{"metrics", "BucketMetricsConfiguration", ""},
	{"notification", "BucketNotificationConfiguration", ""},
	{"object-lock", "ObjectLockConfiguration", ""},
	{"ownershipControls", "BucketOwnershipControls", ""},
	{"policy", "BucketPolicy", ""},
	{"policyStatus", "BucketPolicyStatus", ""},
	{"publicAccessBlock", "PublicAccessBlock", ""},
	{"replication", "BucketReplication", ""},
	{"requestPayment", "BucketRequestPayment", ""},
	{"retention", "", "ObjectRetention"},
	{"tagging", "BucketTagging", "ObjectTagging"},
	{"torrent", "", "ObjectTorrent"},
	{"versioning", "BucketVersioning", ""},
	{"website", "BucketWebsite", ""},
}

// s3Operation names the operation of an S3 request.
func s3Operation(x refusal.Exchange, at Place) string {
	q := x.URL.Query()
	copied := x.Header.Get("X-Amz-Copy-Source") != ""
	if at.Bucket == "" {
		if x.Method == http.MethodGet {
			return "ListBuckets"
		}
		return ""
	}
	verb := map[string]string{http.MethodGet: "Get", http.MethodPut: "Put", http.MethodDelete: "Delete"}[x.Method]
	for _, r := range s3Resources {
		if !q.Has(r.name) {
			continue
		}
		noun := r.bucket
		if at.Key != "" {
			noun = r.object
		}
		if strings.HasPrefix(r.name, "metadata") && x.Method == http.MethodPost {
			verb = "Create"
		}
		if verb == "" || noun == "" {
			return ""
		}
		return verb + noun
	}
	switch m := x.Method; {
	case at.Key == "" && m == http.MethodGet && q.Has("versions"):
		return "ListObjectVersions"
	case at.Key == "" && m == http.MethodGet && q.Has("uploads"):
		return "ListMultipartUploads"
	case at.Key == "" && m == http.MethodGet && q.Has("session"):
		return "CreateSession"
	case at.Key == "" && m == http.MethodGet && q.Get("list-type") == "2":
		return "ListObjectsV2"
	case at.Key == "" && m == http.MethodGet:
		return "ListObjects"
	case at.Key == "" && m == http.MethodHead:
		return "HeadBucket"
	case at.Key == "" && m == http.MethodPut:
		return "CreateBucket"
	case at.Key == "" && m == http.MethodDelete:
		return "DeleteBucket"
	case at.Key == "" && m == http.MethodPost && q.Has("delete"):
		return "DeleteObjects"
	case at.Key == "" && m == http.MethodPost:
		return "PostObject"
	case m == http.MethodGet && q.Has("uploadId"):
		return "ListParts"
	case m == http.MethodGet:
		return "GetObject"
	case m == http.MethodHead:
		return "HeadObject"
	case m == http.MethodPut && q.Has("uploadId") && copied:
		return "UploadPartCopy"
	case m == http.MethodPut && q.Has("uploadId"):
		return "UploadPart"
	case m == http.MethodPut && copied:
		return "CopyObject"
	case m == http.MethodPut:
		return "PutObject"
	case m == http.MethodDelete && q.Has("uploadId"):
		return "AbortMultipartUpload"
	case m == http.MethodDelete:
		return "DeleteObject"
	case m == http.MethodPost && q.Has("uploads"):
		return "CreateMultipartUpload"
	case m == http.MethodPost && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case m == http.MethodPost && q.Has("restore"):
		return "RestoreObject"
	case m == http.MethodPost && q.Has("select"):
		return "SelectObjectContent"
	}
	return ""
}
