package audit

import (
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/record"
)

// match tells whether a pattern takes in a permission.
func match(pattern, permission string) bool { return catalog.Match(pattern, permission) }

var (
	// awsData are the actions of CloudTrail's data events, which LookupEvents does not
	// give and a trail has only where it is told to. Source: CloudTrail User Guide,
	// "Logging data events".
	awsData = regexp.MustCompile(`^(?:s3:(?:(?:Get|Put|Delete|Restore|Abort|Replicate|Bypass)?(?:Object|MultipartUpload)|ListBucket$|ListBucketVersions$|ListMultipartUpload|ListBucketMultipartUploads$|ListObjects)` +
		`|lambda:Invoke|dynamodb:(?:Batch|Condition|GetItem|PutItem|UpdateItem|DeleteItem|Query$|Scan$|PartiQL)|sns:Publish|sqs:(?:Send|Receive|DeleteMessage|ChangeMessage)|kinesis:(?:Put|GetRecords)|ssmmessages:|ec2messages:|logs:(?:PutLogEvents|StartLiveTail)|cloudwatch:(?:PutMetricData|GetMetric)|cognito-idp:(?:Initiate|SignUp|Respond)|execute-api:)`)
	// azureData are actions of data planes, which are in resource logs and not in the
	// Activity Log. Source: Azure Monitor, "Resource logs".
	azureData = regexp.MustCompile(`(?i)^Microsoft\.(?:KeyVault/vaults/(?:secrets|keys|certificates|certificatecontacts|certificateissuers|storageaccounts)/|Storage/storageAccounts/[a-z]+Services/.*(?:blobs|messages|entities|fileshares/files)/|ContainerRegistry/registries/(?:pull|push)/|ContainerService/managedClusters/[a-z]+\..*|Storage/storageAccounts/blobServices/containers/.*/action$|graph)`)
	// gcpData are writes whose entries are Data Access logs all the same (Cloud Audit
	// Logs, "Data Access audit logs": DATA_READ and DATA_WRITE).
	gcpData = regexp.MustCompile(`^(?:storage\.objects\.|secretmanager\.versions\.access$|pubsub\.(?:topics\.publish|subscriptions\.consume)|logging\.logEntries\.|artifactregistry\.repositories\.(?:download|upload)|iam\.serviceAccounts\.(?:getAccessToken|getOpenIdToken|signBlob|signJwt|implicitDelegation)$)`)
)

// service is that of an action of AWS's.
func service(action string) string {
	name, _, _ := strings.Cut(action, ":")
	return name
}

// unlogged says why a log does not show that a grant was used; empty where it does.
func (c *check) unlogged(g record.Entry) string {
	switch p := g.Permission; c.run.Cloud {
	case "aws":
		switch {
		case p == "iam:PassRole":
			return "CloudTrail has no event for iam:PassRole: it is checked within another request"
		case awsData.MatchString(p) && !c.data[service(p)]:
			return "a data event, which CloudTrail's event history does not have, and no trail that was read"
		}
	case "azure":
		switch {
		case strings.HasSuffix(strings.ToLower(p), "/read"):
			return "the Activity Log has no reads"
		case azureData.MatchString(p), g.Request != "" && !strings.Contains(g.Request, " management.azure.com/"):
			return "of a data plane, which the Activity Log does not have"
		}
	case "gcp":
		if !c.reads && (catalog.Level(p).Reads() || gcpData.MatchString(p)) {
			return "the log has no Data Access entries: they are off unless they are turned on"
		}
	}
	return ""
}
