package named

import (
	"strings"
	"testing"
)

// A call that a tool names gives its permissions, the likeliest first; one that
// names too little gives none.
func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		cloud string
		call  Call
		want  string
	}{
		{"aws", Call{Operation: "PutBucketPolicy"}, "s3:PutBucketPolicy"},
		{"aws", Call{Service: "S3", Operation: "HeadObject"}, "s3:GetObject s3:ListBucket s3:GetObjectVersion"},
		{"aws", Call{Verb: "read", Noun: "S3 bucket Public Access Block"}, "s3:GetBucketPublicAccessBlock"},
		{"aws", Call{Verb: "read", Noun: "S3 Bucket"}, "s3:ListBucket s3:GetBucketLocation"},
		{"aws", Call{Verb: "read", Noun: "SQS Queue", Type: "aws_sqs_queue"}, "sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags sqs:ListQueues"},
		{"aws", Call{Service: "EC2", Verb: "create", Noun: "keypair"}, "ec2:CreateKeyPair ec2:ImportKeyPair"},
		{"aws", Call{Service: "EC2", Verb: "create", Noun: "action"}, ""},
		{"aws", Call{Type: "aws_instance"}, "ec2:RunInstances iam:PassRole ec2:CreateTags ec2:DescribeInstances"},
		{"aws", Call{Type: "aws_vpc", Verb: "create"}, "ec2:CreateVpc"},
		{"aws", Call{Verb: "create"}, ""},
		{"gcp", Call{Operation: "gcloud.beta.compute.security-policies.create"}, "compute.securityPolicies.create"},
		{"gcp", Call{Operation: "gcloud.secrets.versions.access"}, "secretmanager.versions.access"},
		{"gcp", Call{Operation: "gcloud.projects.add-iam-policy-binding"}, "resourcemanager.projects.getIamPolicy resourcemanager.projects.setIamPolicy"},
		{"gcp", Call{Operation: "gcloud.sql.instances.describe"}, "cloudsql.instances.get"},
		{"gcp", Call{Operation: "gcloud.alpha.something.dance"}, ""},
		{"gcp", Call{Operation: "gcloud.info"}, ""},
		{"gcp", Call{Verb: "create", Noun: "ManagedZone"}, "dns.managedZones.create"},
		{"gcp", Call{Service: "cloudsql", Verb: "create", Noun: "instance name"}, "cloudsql.instances.create"},
		{"gcp", Call{Verb: "create", Noun: "instance name"}, "compute.instances.create"},
		{"gcp", Call{Verb: "read", Noun: "IAM policy for pubsub topic"}, "pubsub.topics.getIamPolicy"},
		{"gcp", Call{Verb: "put", Noun: "IAM policy for storage bucket"}, "storage.buckets.setIamPolicy storage.buckets.getIamPolicy"},
		{"gcp", Call{Verb: "create", Noun: "IAM Members roles/editor"}, "resourcemanager.projects.setIamPolicy resourcemanager.projects.getIamPolicy"},
		{"gcp", Call{Type: "google_project_service", Verb: "enable", Noun: "service"}, "serviceusage.services.enable"},
		{"gcp", Call{Type: "google_sql_user", Verb: "read"}, "cloudsql.users.list cloudsql.users.get"},
		{"gcp", Call{Method: "GET", URL: "https://www.googleapis.com/dns/v1/projects/p/managedZones?alt=json"}, "dns.managedZones.list"},
		{"gcp", Call{Verb: "create", Noun: "wonder"}, ""},
		{"gcp", Call{Noun: "network"}, ""},
		{"azure", Call{Type: "azurerm_key_vault", Verb: "delete"}, "Microsoft.KeyVault/vaults/delete"},
		{"azure", Call{Type: "azurerm_resource_group", Verb: "create"}, "Microsoft.Resources/subscriptions/resourceGroups/write Microsoft.Resources/subscriptions/resourceGroups/read"},
		{"azure", Call{Type: "azurerm_wonder", Verb: "create"}, ""},
		{"other", Call{Operation: "PutBucketPolicy"}, ""},
	} {
		if got := strings.Join(Candidates(c.cloud, c.call), " "); got != c.want {
			t.Errorf("%s %+v: %q, want %q", c.cloud, c.call, got, c.want)
		}
	}
}
