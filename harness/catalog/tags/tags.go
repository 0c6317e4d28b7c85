// Package tags is what Whittle knows of permissions that change tags, and of what
// that is worth: a condition on a resource's tags binds nobody who may write the
// tags.
//
// Sources: Service Authorization Reference, access level Tagging, for the names;
// IAM User Guide, "Controlling access to AWS resources using tags"; Resource
// Manager, "Tags and conditional access", for Google Cloud, where a condition on a tag
// is one of the binding; Azure Storage, "Actions and attributes for Azure role
// assignment conditions", for index tags of blobs, the only ones that count there.
package tags

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// Puts lists the permissions that put a tag on a resource of the service that
// already exists: "ec2" gives "ec2:CreateTags".
func Puts(service string) []string {
	service = strings.ToLower(service)
	if names, ok := taggers[service]; ok {
		return strings.Fields(names)
	}
	return []string{service + ":TagResource"}
}

// taggers are the services whose tags are not put on by TagResource alone.
var taggers = map[string]string{
	"acm":                  "acm:AddTagsToCertificate",
	"autoscaling":          "autoscaling:CreateOrUpdateTags",
	"cloudtrail":           "cloudtrail:AddTags",
	"dms":                  "dms:AddTagsToResource",
	"ds":                   "ds:AddTagsToResource",
	"ec2":                  "ec2:CreateTags",
	"elasticache":          "elasticache:AddTagsToResource",
	"elasticfilesystem":    "elasticfilesystem:TagResource elasticfilesystem:CreateTags",
	"elasticloadbalancing": "elasticloadbalancing:AddTags",
	"elasticmapreduce":     "elasticmapreduce:AddTags",
	"es":                   "es:AddTags",
	"firehose":             "firehose:TagDeliveryStream",
	"iam":                  "iam:TagRole iam:TagUser iam:TagPolicy iam:TagInstanceProfile iam:TagOpenIDConnectProvider iam:TagSAMLProvider iam:TagServerCertificate iam:TagMFADevice",
	"kinesis":              "kinesis:AddTagsToStream kinesis:TagResource",
	"logs":                 "logs:TagResource logs:TagLogGroup",
	"rds":                  "rds:AddTagsToResource",
	"redshift":             "redshift:CreateTags",
	"route53":              "route53:ChangeTagsForResource",
	"s3":                   "s3:PutObjectTagging s3:PutObjectVersionTagging s3:PutBucketTagging s3:TagResource",
	"sqs":                  "sqs:TagQueue",
	"ssm":                  "ssm:AddTagsToResource",
	"storagegateway":       "storagegateway:AddTagsToResource",
	"workspaces":           "workspaces:CreateTags",
}

// Put tells whether a permission puts tags on what exists, on any cloud.
func Put(permission string) bool {
	if service, _, ok := strings.Cut(permission, ":"); ok {
		for _, name := range Puts(service) {
			if strings.EqualFold(name, permission) {
				return true
			}
		}
		return false
	}
	low := strings.ToLower(permission)
	return strings.HasSuffix(low, ".createtagbinding") || low == "microsoft.resources/tags/write" || strings.HasSuffix(low, "/blobs/tags/write")
}

// makes are verbs of operations on what does not exist yet: a condition on its tags
// is one on the request, which no tagging beforehand gets round.
var makes = map[string]bool{"Create": true, "Run": true, "Allocate": true, "Request": true, "Import": true, "Register": true, "Copy": true}

// GetsRound tells whether whoever holds the tagging permission by, on the resources
// that the pattern byResource names, gets round a condition on tags that another of
// its permissions is tied to: the two are of one service (on Google Cloud and Azure,
// of one type of resource), the other acts on what exists already, and there can be a
// resource that both are about.
func GetsRound(by, byResource, permission, resource string) bool {
	if !Put(by) || Put(permission) {
		return false
	}
	if kind, ok := strings.CutSuffix(by, "createTagBinding"); ok { // resource.matchTag in IAM Conditions
		verb, same := strings.CutPrefix(permission, kind)
		return same && verb != "create" && verb != "list" && verb != "deleteTagBinding" && Overlap(byResource, resource)
	}
	if kind, ok := strings.CutSuffix(strings.ToLower(by), "tags/write"); ok { // index tags in role assignment conditions
		verb, same := strings.CutPrefix(strings.ToLower(permission), kind)
		return same && strings.HasSuffix(kind, "/blobs/") && !strings.HasPrefix(verb, "tags/") && Overlap(byResource, resource)
	}
	service, action, ok := strings.Cut(permission, ":")
	if !ok || !strings.EqualFold(service, by[:strings.IndexByte(by+":", ':')]) {
		return false
	}
	if w := request.Words(action); len(w) == 0 || makes[w[0]] {
		return false
	}
	return Overlap(byResource, resource)
}

// Overlap tells whether one resource can be meant by both patterns, in which "*"
// stands for any run of characters and "?" for one.
func Overlap(a, b string) bool {
	// at[j] tells whether the rests a[i:] and b[j:] can meet; filled from the end.
	at := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		below := at // for i+1
		at = make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				at[j] = true
			case i < len(a) && a[i] == '*':
				at[j] = below[j] || j < len(b) && at[j+1]
			case j < len(b) && b[j] == '*':
				at[j] = at[j+1] || i < len(a) && below[j]
			case i < len(a) && j < len(b):
				at[j] = below[j+1] && (a[i] == b[j] || a[i] == '?' || b[j] == '?')
			}
		}
	}
	return at[0]
}
