// Package s3 knows what the requests of Amazon S3 need, whose refusals name no
// permission.
package s3

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// subResource is a sub-resource of S3 with the permissions to get, put and delete it
// on a bucket and on an object. "" means that S3 has no such operation.
// "Version" is put into an object's permission where the request names one.
type subResource struct {
	name                   string
	get, put, del          string // bucket
	objGet, objPut, objDel string
}

// subResources are S3's sub-resources (S3 User Guide, "Required permissions for
// Amazon S3 API operations"). The names of permissions and operations differ
// more often than not.
var subResources = []subResource{
	{name: "abac", get: "GetBucketAbac", put: "PutBucketAbac"},
	{name: "accelerate", get: "GetAccelerateConfiguration", put: "PutAccelerateConfiguration"},
	{name: "acl", get: "GetBucketAcl", put: "PutBucketAcl", objGet: "GetObject%Acl", objPut: "PutObject%Acl"},
	{name: "analytics", get: "GetAnalyticsConfiguration", put: "PutAnalyticsConfiguration", del: "PutAnalyticsConfiguration"},
	{name: "cors", get: "GetBucketCORS", put: "PutBucketCORS", del: "PutBucketCORS"},
	{name: "encryption", get: "GetEncryptionConfiguration", put: "PutEncryptionConfiguration", del: "PutEncryptionConfiguration"},
	{name: "intelligent-tiering", get: "GetIntelligentTieringConfiguration", put: "PutIntelligentTieringConfiguration", del: "PutIntelligentTieringConfiguration"},
	{name: "inventory", get: "GetInventoryConfiguration", put: "PutInventoryConfiguration", del: "PutInventoryConfiguration"},
	{name: "legal-hold", objGet: "GetObjectLegalHold", objPut: "PutObjectLegalHold"},
	{name: "lifecycle", get: "GetLifecycleConfiguration", put: "PutLifecycleConfiguration", del: "PutLifecycleConfiguration"},
	{name: "location", get: "GetBucketLocation"},
	{name: "logging", get: "GetBucketLogging", put: "PutBucketLogging"},
	{name: "metadataConfiguration", get: "GetBucketMetadataTableConfiguration", del: "DeleteBucketMetadataTableConfiguration"},
	{name: "metadataTable", get: "GetBucketMetadataTableConfiguration", del: "DeleteBucketMetadataTableConfiguration"},
	{name: "metrics", get: "GetMetricsConfiguration", put: "PutMetricsConfiguration", del: "PutMetricsConfiguration"},
	{name: "notification", get: "GetBucketNotification", put: "PutBucketNotification"},
	{name: "object-lock", get: "GetBucketObjectLockConfiguration", put: "PutBucketObjectLockConfiguration"},
	{name: "ownershipControls", get: "GetBucketOwnershipControls", put: "PutBucketOwnershipControls", del: "PutBucketOwnershipControls"},
	{name: "policy", get: "GetBucketPolicy", put: "PutBucketPolicy", del: "DeleteBucketPolicy"},
	{name: "policyStatus", get: "GetBucketPolicyStatus"},
	{name: "publicAccessBlock", get: "GetBucketPublicAccessBlock", put: "PutBucketPublicAccessBlock", del: "PutBucketPublicAccessBlock"},
	{name: "replication", get: "GetReplicationConfiguration", put: "PutReplicationConfiguration", del: "PutReplicationConfiguration"},
	{name: "requestPayment", get: "GetBucketRequestPayment", put: "PutBucketRequestPayment"},
	{name: "retention", objGet: "GetObjectRetention", objPut: "PutObjectRetention"},
	{name: "tagging", get: "GetBucketTagging", put: "PutBucketTagging", del: "PutBucketTagging", objGet: "GetObject%Tagging", objPut: "PutObject%Tagging", objDel: "DeleteObject%Tagging"},
	{name: "torrent", objGet: "GetObject%Torrent"},
	{name: "uploads", get: "ListBucketMultipartUploads"},
	{name: "versioning", get: "GetBucketVersioning", put: "PutBucketVersioning"},
	{name: "versions", get: "ListBucketVersions"},
	{name: "website", get: "GetBucketWebsite", put: "PutBucketWebsite", del: "DeleteBucketWebsite"},
}

var bucketName = regexp.MustCompile(`^[a-z0-9.-]{3,63}$`)

// isBucket tells whether a name can be a bucket's (S3 User Guide, "General
// purpose bucket naming rules"). The capitals and underscores that buckets of
// before 2018 may have are left out. So is the alias of an Object Lambda access
// point, whose permissions are another service's.
func isBucket(name string) bool {
	return bucketName.MatchString(name) && !strings.HasSuffix(name, "--ol-s3")
}

// Needs lists what a request of S3's REST API needs, the operation's own
// permission first.
func Needs(r request.Request) []request.Need {
	if r.Bucket == "" {
		if r.Method == http.MethodGet {
			return []request.Need{{Permission: "s3:ListAllMyBuckets", Resource: "*"}}
		}
		return nil
	}
	if !isBucket(r.Bucket) {
		return nil
	}
	bucket := "arn:" + r.Partition + ":s3:::" + r.Bucket
	for _, sub := range subResources {
		if !r.Query.Has(sub.name) || sub.name == "uploads" && r.Key != "" {
			continue
		}
		return subNeeds(r, sub, bucket)
	}
	if r.Key == "" {
		return bucketNeeds(r, bucket)
	}
	return objectNeeds(r, bucket, bucket+"/"+request.Escape(r.Key))
}

func subNeeds(r request.Request, sub subResource, bucket string) []request.Need {
	on, get, put, del := bucket, sub.get, sub.put, sub.del
	if r.Key != "" {
		on, get, put, del = bucket+"/"+request.Escape(r.Key), sub.objGet, sub.objPut, sub.objDel
	}
	var name string
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		name = get
	case http.MethodPut:
		name = put
	case http.MethodDelete:
		name = del
	case http.MethodPost:
		if strings.HasPrefix(sub.name, "metadata") && r.Key == "" {
			name = "CreateBucketMetadataTableConfiguration"
		}
	}
	if name == "" {
		return nil
	}
	version := ""
	if r.Query.Has("versionId") {
		version = "Version"
	}
	list := []request.Need{{Permission: "s3:" + strings.ReplaceAll(name, "%", version), Resource: on}}
	if sub.name == "retention" && r.Method == http.MethodPut && r.Header.Get("X-Amz-Bypass-Governance-Retention") != "" {
		list = append(list, request.Need{Permission: "s3:BypassGovernanceRetention", Resource: on})
	}
	return list
}

func bucketNeeds(r request.Request, bucket string) []request.Need {
	var list []request.Need
	add := func(permission string) { list = append(list, request.Need{Permission: permission, Resource: bucket}) }
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		add("s3:ListBucket")
	case http.MethodDelete:
		add("s3:DeleteBucket")
	case http.MethodPut:
		add("s3:CreateBucket")
		// A private ACL is the default and needs nothing more (S3 API Reference,
		// CreateBucket, "Permissions").
		if hasACL(r.Header) && r.Header.Get("X-Amz-Acl") != "private" {
			add("s3:PutBucketAcl")
		}
		if strings.EqualFold(r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
			add("s3:PutBucketObjectLockConfiguration")
			add("s3:PutBucketVersioning")
		}
		if r.Header.Get("X-Amz-Object-Ownership") != "" {
			add("s3:PutBucketOwnershipControls")
		}
		if bytes.Contains(r.Body, []byte("<Tags>")) {
			add("s3:TagResource")
		}
	case http.MethodPost:
		if !r.Query.Has("delete") {
			return nil // a browser's form upload: its parameters are in the form
		}
		for _, o := range deleted(r.Body) {
			c := request.Need{Permission: "s3:DeleteObject", Resource: bucket + "/" + request.Escape(o.Key)}
			if o.VersionID != "" {
				c.Permission = "s3:DeleteObjectVersion"
			}
			list = append(list, c)
			if r.Header.Get("X-Amz-Bypass-Governance-Retention") != "" {
				list = append(list, request.Need{Permission: "s3:BypassGovernanceRetention", Resource: c.Resource})
			}
		}
	}
	return list
}

type deletedObject struct {
	Key       string `xml:"Key"`
	VersionID string `xml:"VersionId"`
}

// deleted lists the objects of a DeleteObjects request, as many as the body
// holds whole: it may have been cut.
func deleted(body []byte) []deletedObject {
	var objects []deletedObject
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return objects
		}
		if start, ok := t.(xml.StartElement); ok && start.Name.Local == "Object" {
			var o deletedObject
			if d.DecodeElement(&o, &start) != nil {
				return objects
			}
			if o.Key != "" {
				objects = append(objects, o)
			}
		}
	}
}

func objectNeeds(r request.Request, bucket, object string) []request.Need {
	var list []request.Need
	add := func(permission, resource string) {
		list = append(list, request.Need{Permission: permission, Resource: resource})
	}
	version := ""
	if r.Query.Has("versionId") {
		version = "Version"
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		switch {
		case r.Query.Has("uploadId"):
			add("s3:ListMultipartUploadParts", object)
		case r.Query.Has("attributes"):
			add("s3:GetObject"+version, object)
			add("s3:GetObject"+version+"Attributes", object)
		default:
			add("s3:GetObject"+version, object)
			if version == "" {
				// Without it S3 says 403, not 404, of a key that is not there
				// (S3 API Reference, GetObject, "Permissions").
				add("s3:ListBucket", bucket)
			}
		}
	case http.MethodDelete:
		if r.Query.Has("uploadId") {
			add("s3:AbortMultipartUpload", object)
			break
		}
		add("s3:DeleteObject"+version, object)
		if r.Header.Get("X-Amz-Bypass-Governance-Retention") != "" {
			add("s3:BypassGovernanceRetention", object)
		}
	case http.MethodPost:
		switch {
		case r.Query.Has("restore"):
			add("s3:RestoreObject", object)
			return list
		case r.Query.Has("select"):
			add("s3:GetObject", object)
			return list
		case !r.Query.Has("uploads") && !r.Query.Has("uploadId"):
			return nil
		}
		fallthrough
	case http.MethodPut:
		add("s3:PutObject", object)
		if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
			list = append(list, copySource(r, source)...)
		}
		if hasACL(r.Header) {
			add("s3:PutObjectAcl", object)
		}
		if r.Header.Get("X-Amz-Tagging") != "" {
			add("s3:PutObjectTagging", object)
		}
		if r.Header.Get("X-Amz-Object-Lock-Mode") != "" || r.Header.Get("X-Amz-Object-Lock-Retain-Until-Date") != "" {
			add("s3:PutObjectRetention", object)
		}
		if r.Header.Get("X-Amz-Object-Lock-Legal-Hold") != "" {
			add("s3:PutObjectLegalHold", object)
		}
		// A key of the caller's choice is used with the caller's rights;
		// multipart uploads are decrypted too, to be put together (S3 User
		// Guide, "Protecting data with SSE-KMS").
		if key := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); key != "" {
			alias, named := strings.Contains(key, "alias/"), true
			if strings.HasPrefix(key, "arn:") {
				key, named = r.Given(key)
				named = named && strings.HasPrefix(key, "arn:"+r.Partition+":kms:")
			} else {
				key = r.ARN("kms", "key/"+request.Escape(strings.TrimPrefix(key, "key/")))
			}
			if named && !alias {
				add("kms:GenerateDataKey", key)
				if r.Query.Has("uploadId") || r.Query.Has("uploads") {
					add("kms:Decrypt", key)
				}
			}
		}
	}
	return list
}

// copySource gives what reading the source of a copy needs.
func copySource(r request.Request, source string) []request.Need {
	source = strings.TrimPrefix(source, "/")
	path, query, _ := strings.Cut(source, "?")
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	bucket, key, ok := strings.Cut(path, "/")
	if !ok || !isBucket(bucket) {
		return nil // an access point's ARN, or nothing that S3 takes
	}
	version := ""
	if strings.HasPrefix(query, "versionId=") {
		version = "Version"
	}
	object := "arn:" + r.Partition + ":s3:::" + bucket + "/" + request.Escape(key)
	list := []request.Need{{Permission: "s3:GetObject" + version, Resource: object}}
	// Tags are copied unless the request says otherwise; parts have none.
	if !strings.EqualFold(r.Header.Get("X-Amz-Tagging-Directive"), "REPLACE") && !r.Query.Has("uploadId") {
		list = append(list, request.Need{Permission: "s3:GetObject" + version + "Tagging", Resource: object})
	}
	return list
}

func hasACL(h http.Header) bool {
	return slices.ContainsFunc([]string{
		"X-Amz-Acl", "X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write", "X-Amz-Grant-Write-Acp",
	}, func(name string) bool { return h.Get(name) != "" })
}

// AccountNeeds lists what a request of S3's account-level API needs, which is
// REST-XML below /v20180820 (S3 API Reference, "Amazon S3 Control").
func AccountNeeds(r request.Request) []request.Need {
	path, ok := strings.CutPrefix(r.Path, "/v20180820/")
	if !ok {
		return nil
	}
	switch kind, name, _ := strings.Cut(path, "/"); {
	case kind == "configuration" && name == "publicAccessBlock":
		if r.Method == http.MethodGet {
			return []request.Need{{Permission: "s3:GetAccountPublicAccessBlock", Resource: "*"}}
		}
		return []request.Need{{Permission: "s3:PutAccountPublicAccessBlock", Resource: "*"}}
	case kind == "tags" && strings.HasPrefix(name, "arn:"):
		verb := map[string]string{http.MethodGet: "ListTagsForResource", http.MethodPost: "TagResource", http.MethodDelete: "UntagResource"}[r.Method]
		if resource, ok := r.Given(name); ok && verb != "" && strings.HasPrefix(name, "arn:"+r.Partition+":s3:") {
			return []request.Need{{Permission: "s3:" + verb, Resource: resource}}
		}
	}
	return nil
}
