package catalog

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// s3Sub is a sub-resource of S3 with the permissions to get, put and delete it
// on a bucket and on an object. "" means that S3 has no such operation.
// "Version" is put into an object's permission where the request names one.
type s3Sub struct {
	name                   string
	get, put, del          string // bucket
	objGet, objPut, objDel string
}

// s3Subs are S3's sub-resources (S3 User Guide, "Required permissions for
// Amazon S3 API operations"). The names of permissions and operations differ
// more often than not.
var s3Subs = []s3Sub{
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

func s3Candidates(r request) []Candidate {
	if r.bucket == "" {
		if r.method == http.MethodGet {
			return []Candidate{{Permission: "s3:ListAllMyBuckets", Resource: "*"}}
		}
		return nil
	}
	bucket := "arn:" + r.partition + ":s3:::" + r.bucket
	for _, sub := range s3Subs {
		if !r.query.Has(sub.name) || sub.name == "uploads" && r.key != "" {
			continue
		}
		return s3SubCandidates(r, sub, bucket)
	}
	if r.key == "" {
		return bucketCandidates(r, bucket)
	}
	return objectCandidates(r, bucket, bucket+"/"+escapeKey(r.key))
}

func s3SubCandidates(r request, sub s3Sub, bucket string) []Candidate {
	on, get, put, del := bucket, sub.get, sub.put, sub.del
	if r.key != "" {
		on, get, put, del = bucket+"/"+escapeKey(r.key), sub.objGet, sub.objPut, sub.objDel
	}
	var name string
	switch r.method {
	case http.MethodGet, http.MethodHead:
		name = get
	case http.MethodPut:
		name = put
	case http.MethodDelete:
		name = del
	case http.MethodPost:
		if strings.HasPrefix(sub.name, "metadata") && r.key == "" {
			name = "CreateBucketMetadataTableConfiguration"
		}
	}
	if name == "" {
		return nil
	}
	version := ""
	if r.query.Has("versionId") {
		version = "Version"
	}
	list := []Candidate{{Permission: "s3:" + strings.ReplaceAll(name, "%", version), Resource: on}}
	if sub.name == "retention" && r.method == http.MethodPut && r.header.Get("X-Amz-Bypass-Governance-Retention") != "" {
		list = append(list, Candidate{Permission: "s3:BypassGovernanceRetention", Resource: on})
	}
	return list
}

func bucketCandidates(r request, bucket string) []Candidate {
	var list []Candidate
	add := func(permission string) { list = append(list, Candidate{Permission: permission, Resource: bucket}) }
	switch r.method {
	case http.MethodGet, http.MethodHead:
		add("s3:ListBucket")
	case http.MethodDelete:
		add("s3:DeleteBucket")
	case http.MethodPut:
		add("s3:CreateBucket")
		// A private ACL is the default and needs nothing more (S3 API Reference,
		// CreateBucket, "Permissions").
		if hasACL(r.header) && r.header.Get("X-Amz-Acl") != "private" {
			add("s3:PutBucketAcl")
		}
		if strings.EqualFold(r.header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
			add("s3:PutBucketObjectLockConfiguration")
			add("s3:PutBucketVersioning")
		}
		if r.header.Get("X-Amz-Object-Ownership") != "" {
			add("s3:PutBucketOwnershipControls")
		}
		if bytes.Contains(r.body, []byte("<Tags>")) {
			add("s3:TagResource")
		}
	case http.MethodPost:
		if !r.query.Has("delete") {
			return nil // a browser's form upload: its parameters are in the form
		}
		for _, o := range deleted(r.body) {
			c := Candidate{Permission: "s3:DeleteObject", Resource: bucket + "/" + escapeKey(o.Key)}
			if o.VersionID != "" {
				c.Permission = "s3:DeleteObjectVersion"
			}
			list = append(list, c)
			if r.header.Get("X-Amz-Bypass-Governance-Retention") != "" {
				list = append(list, Candidate{Permission: "s3:BypassGovernanceRetention", Resource: c.Resource})
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

func objectCandidates(r request, bucket, object string) []Candidate {
	var list []Candidate
	add := func(permission, resource string) {
		list = append(list, Candidate{Permission: permission, Resource: resource})
	}
	version := ""
	if r.query.Has("versionId") {
		version = "Version"
	}
	switch r.method {
	case http.MethodGet, http.MethodHead:
		switch {
		case r.query.Has("uploadId"):
			add("s3:ListMultipartUploadParts", object)
		case r.query.Has("attributes"):
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
		if r.query.Has("uploadId") {
			add("s3:AbortMultipartUpload", object)
			break
		}
		add("s3:DeleteObject"+version, object)
		if r.header.Get("X-Amz-Bypass-Governance-Retention") != "" {
			add("s3:BypassGovernanceRetention", object)
		}
	case http.MethodPost:
		switch {
		case r.query.Has("restore"):
			add("s3:RestoreObject", object)
			return list
		case r.query.Has("select"):
			add("s3:GetObject", object)
			return list
		case !r.query.Has("uploads") && !r.query.Has("uploadId"):
			return nil
		}
		fallthrough
	case http.MethodPut:
		add("s3:PutObject", object)
		if source := r.header.Get("X-Amz-Copy-Source"); source != "" {
			list = append(list, copySource(r, source)...)
		}
		if hasACL(r.header) {
			add("s3:PutObjectAcl", object)
		}
		if r.header.Get("X-Amz-Tagging") != "" {
			add("s3:PutObjectTagging", object)
		}
		if r.header.Get("X-Amz-Object-Lock-Mode") != "" || r.header.Get("X-Amz-Object-Lock-Retain-Until-Date") != "" {
			add("s3:PutObjectRetention", object)
		}
		if r.header.Get("X-Amz-Object-Lock-Legal-Hold") != "" {
			add("s3:PutObjectLegalHold", object)
		}
		// A key of the caller's choice is used with the caller's rights;
		// multipart uploads are decrypted too, to be put together (S3 User
		// Guide, "Protecting data with SSE-KMS").
		if key := r.header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); key != "" {
			if !strings.HasPrefix(key, "arn:") {
				key = r.arn("kms", "key/"+strings.TrimPrefix(key, "key/"))
			}
			if !strings.Contains(key, "alias/") {
				add("kms:GenerateDataKey", key)
				if r.query.Has("uploadId") || r.query.Has("uploads") {
					add("kms:Decrypt", key)
				}
			}
		}
	}
	return list
}

// copySource gives what reading the source of a copy needs.
func copySource(r request, source string) []Candidate {
	source = strings.TrimPrefix(source, "/")
	path, query, _ := strings.Cut(source, "?")
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	bucket, key, ok := strings.Cut(path, "/")
	if !ok || strings.HasPrefix(path, "arn:") {
		return nil // an access point
	}
	version := ""
	if strings.HasPrefix(query, "versionId=") {
		version = "Version"
	}
	object := "arn:" + r.partition + ":s3:::" + bucket + "/" + escapeKey(key)
	list := []Candidate{{Permission: "s3:GetObject" + version, Resource: object}}
	// Tags are copied unless the request says otherwise; parts have none.
	if !strings.EqualFold(r.header.Get("X-Amz-Tagging-Directive"), "REPLACE") && !r.query.Has("uploadId") {
		list = append(list, Candidate{Permission: "s3:GetObject" + version + "Tagging", Resource: object})
	}
	return list
}

func hasACL(h http.Header) bool {
	return slices.ContainsFunc([]string{
		"X-Amz-Acl", "X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write", "X-Amz-Grant-Write-Acp",
	}, func(name string) bool { return h.Get(name) != "" })
}

// s3ControlCandidates reads the account-level API of S3, which is REST-XML
// below /v20180820 (S3 API Reference, "Amazon S3 Control").
func s3ControlCandidates(r request) []Candidate {
	path, ok := strings.CutPrefix(r.path, "/v20180820/")
	if !ok {
		return nil
	}
	switch kind, name, _ := strings.Cut(path, "/"); {
	case kind == "configuration" && name == "publicAccessBlock":
		if r.method == http.MethodGet {
			return []Candidate{{Permission: "s3:GetAccountPublicAccessBlock", Resource: "*"}}
		}
		return []Candidate{{Permission: "s3:PutAccountPublicAccessBlock", Resource: "*"}}
	case kind == "tags" && strings.HasPrefix(name, "arn:"):
		verb := map[string]string{http.MethodGet: "ListTagsForResource", http.MethodPost: "TagResource", http.MethodDelete: "UntagResource"}[r.method]
		if verb != "" {
			return []Candidate{{Permission: "s3:" + verb, Resource: name}}
		}
	}
	return nil
}
