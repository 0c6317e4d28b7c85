package exchange

import "strings"

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
	X-Goog-User-Project X-Goog-Api-Client X-Upload-Content-Type X-Upload-Content-Length
	X-Goog-Acl X-Goog-Copy-Source X-Goog-Project-Id X-Goog-If-Generation-Match
	X-Ms-Version X-Ms-Date X-Ms-Blob-Type X-Ms-Client-Request-Id
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
	X-Ms-Error-Code X-Ms-Request-Id X-Ms-Correlation-Request-Id X-Ms-Version X-Ms-Failure-Cause
	Azure-Asyncoperation
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
	alt fields prettyPrint uploadType updateMask validateOnly filter orderBy pageSize maxResults
	project userProject projection predefinedAcl predefinedDefaultObjectAcl generation versions
	optionsRequestedPolicyVersion options.requestedPolicyVersion serviceAccountId roleId secretId
	repositoryId certificateId certificateMapId certificateMapEntryId dnsAuthorizationId
	sourceImage requestId permanent scope service
	api-version comp restype $filter $expand $top
`)

// names makes a read-only set of the words in list.
func names(list string) map[string]bool {
	set := make(map[string]bool)
	for name := range strings.FieldsSeq(list) {
		set[name] = true
	}
	return set
}
