package catalog

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, permission string
		want                bool
	}{
		{"ec2:*", "ec2:CreateVpc", true},
		{"EC2:create*", "ec2:CreateVpc", true},
		{"*", "ec2:CreateVpc", true},
		{"*:Get*", "s3:GetObject", true},
		{"s3:*Acl", "s3:PutBucketAcl", true},
		{"s3:*Acl", "s3:PutBucketAclX", false},
		{"s3:GetObject", "s3:GetObjectAcl", false},
		{"s3", "s3:GetObject", false},
		{"s3:Get?bject", "s3:GetObject", false}, // only "*" is a wildcard
		{"s3:Get.bject", "s3:GetObject", false},
		{"", "s3:GetObject", false},
		{"", "", true},
		{"compute.*", "compute.networks.create", true},
	} {
		if got := Match(c.pattern, c.permission); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.permission, got)
		}
	}
}

func TestMatchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`[a-c:]{0,8}`).Draw(t, "permission")
		i := rapid.IntRange(0, len(p)).Draw(t, "from")
		j := rapid.IntRange(i, len(p)).Draw(t, "to")
		if !Match(p, p) || !Match(p[:i]+"*"+p[j:], strings.ToUpper(p)) {
			t.Fatalf("%q does not match itself with %d:%d starred", p, i, j)
		}
		if Match(p, p+"x") {
			t.Fatalf("%q matches more than itself", p)
		}
	})
}

func TestLevel(t *testing.T) {
	for permission, want := range map[string]Access{
		"ec2:DescribeVpcs": List, "ec2:CreateTags": Tagging, "ec2:CreateVpc": Write, "ec2:ModifySnapshotAttribute": Permissions,
		"s3:ListBucket": List, "s3:ListAllMyBuckets": List, "s3:GetObject": Read, "s3:PutObject": Write, "s3:PutBucketTagging": Tagging,
		"s3:DeleteObjectTagging": Tagging, "s3:PutBucketPolicy": Permissions, "s3:GetBucketTagging": Read,
		"kms:Decrypt": Read, "kms:Encrypt": Write, "kms:DescribeKey": Read, "kms:ListAliases": List, "kms:TagResource": Tagging, "kms:CreateGrant": Permissions,
		"sts:AssumeRole": Write, "sts:GetCallerIdentity": Read, "sts:TagSession": Tagging,
		"sqs:ReceiveMessage": Read, "sqs:GetQueueUrl": Read, "sqs:ListQueues": Read, "sqs:SendMessage": Write, "sqs:TagQueue": Tagging, "sqs:AddPermission": Permissions,
		"iam:GetRole": Read, "iam:ListRoles": List, "iam:PassRole": Write, "iam:CreateRole": Write, "iam:PutRolePolicy": Permissions, "iam:SimulatePrincipalPolicy": Read,
		// What is read under a name that looks like a secret or is a method.
		"apigateway:GET": Read, "apigateway:POST": Write, "apigateway:PATCH": Write, "lambda:GetFunctionUrlConfig": Read, "iam:GetAccountPasswordPolicy": Read,
		"ecr:GetAuthorizationToken": Read, "cognito-identity:GetCredentialsForIdentity": Write, "redshift:GetClusterCredentials": Write,
		"dynamodb:BatchGetItem": Read, "dynamodb:BatchWriteItem": Write, "rds:AddTagsToResource": Tagging, "lambda:InvokeFunction": Write,
		"compute.networks.list": List, "compute.networks.get": Read, "compute.networks.create": Write, "compute.subnetworks.use": Write, "compute.images.getFromFamily": Read,
		"compute.images.useReadOnly": Write, "storage.buckets.getIamPolicy": Read, "storage.buckets.setIamPolicy": Permissions, "secretmanager.versions.access": Read,
		"iam.serviceAccounts.getAccessToken": Write, "iam.serviceAccounts.actAs": Write, "compute.instanceGroups.listInstances": List, "compute.getx.getaway": Write,
		"artifactregistry.repositories.downloadArtifacts": Read, "compute.networks": Write, "compute.*": Write, "compute.networks.*": Write,
		// What is not known writes.
		"nonsense": Write, "": Write, "ec2:": Write, "*": Write, "s3:Get*": Write, "ec2:Frobnicate": Write, "ec2:describeVpcs": Write,
	} {
		if got := Level(permission); got != want {
			t.Errorf("Level(%q) = %s, want %s", permission, got, want)
		}
	}
}

func TestRisk(t *testing.T) {
	for _, p := range []string{
		"iam:PassRole", "iam:CreatePolicyVersion", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey",
		"iam:CreateLoginProfile", "sts:AssumeRole", "kms:PutKeyPolicy", "kms:CreateGrant", "s3:PutBucketPolicy", "lambda:UpdateFunctionCode",
		"codebuild:StartBuild", "codebuild:StartBuildBatch", "cloudformation:UpdateStack", "cloudformation:ExecuteChangeSet", "ec2:ModifyInstanceAttribute",
		"ecs:ExecuteCommand", "glue:UpdateJob", "ssm:SendCommand", "ssm:StartSession", "iam:UploadSSHPublicKey", "iam:UploadSigningCertificate",
		"iam:CreateOpenIDConnectProvider", "iam:AddClientIDToOpenIDConnectProvider", "iam:UpdateOpenIDConnectProviderThumbprint", "iam:CreateSAMLProvider",
		"iam:UpdateSAMLProvider", "ecr:SetRepositoryPolicy", "ecr:PutRegistryPolicy", "sns:AddPermission", "sqs:AddPermission", "ec2:*", "ec2:Modify*",
		"iam.serviceAccounts.actAs", "resourcemanager.projects.setIamPolicy", "storage.buckets.setIamPolicy", "iam.serviceAccountKeys.create", "compute.*", "iam.roles.*",
		"iam:passrole", "IAM:PassRole", "iam:*", "iam:Pass*", "*", "*:*",
	} {
		if Risk(p) == "" {
			t.Errorf("Risk(%q) is empty", p)
		}
	}
	for _, p := range []string{"iam:CreateRole", "iam:GetRole", "ec2:CreateVpc", "s3:GetBucketPolicy", "kms:CreateKey", "ec2:Create*", "sqs:SetQueueAttributes", "sns:SetTopicAttributes",
		"ecs:RunTask", "ecs:RegisterTaskDefinition", "cloudformation:CreateStack", "cloudformation:CreateChangeSet", "ec2:AssociateIamInstanceProfile", "sqs:CreateQueue", "", "iam"} {
		if got := Risk(p); got != "" {
			t.Errorf("Risk(%q) = %q", p, got)
		}
	}
	for p, why := range risks {
		if service, action, ok := strings.Cut(p, ":"); !ok || service != strings.ToLower(service) || action == "" {
			t.Errorf("risks holds %q", p)
		}
		if !strings.Contains(why, "(rhino") && !strings.Contains(why, "(pike") && !strings.Contains(why, "(sar") && !strings.Contains(why, "(api") {
			t.Errorf("%s: %q names no source", p, why)
		}
	}
}

func TestCategory(t *testing.T) {
	for permission, want := range map[string]string{
		"compute.disks.use": "Compute", "resourcemanager.projects.setIamPolicy": "IAM", "iam.serviceAccounts.actAs": "IAM",
		"certificatemanager.certs.use": "Cert Mgr", "redis.instances.get": "redis", "ec2:CreateVpc": "ec2",
		"Microsoft.Compute/disks/write": "Compute", "": "", "whole": "whole",
	} {
		if got := Category(permission); got != want {
			t.Errorf("Category(%q) = %q, want %q", permission, got, want)
		}
	}
}

func TestPurpose(t *testing.T) {
	for permission, want := range map[string]string{
		"ec2:CreateVpc": "create vpc", "s3:GetBucketCORS": "get bucket cors", "iam:ListSAMLProviders": "list saml providers",
		"iam:PassRole": "pass role", "s3:ListAllMyBuckets": "list all my buckets", "kms:Decrypt": "decrypt",
		"ec2:CreateVPNGateway": "create vpn gateway", "s3:PutObject": "put object", "": "", "whole": "whole",
		"compute.networks.create": "create network", "compute.subnetworks.use": "use subnetwork", "compute.instances.setMetadata": "set metadata of instance",
		"compute.images.useReadOnly": "use image read-only", "iam.serviceAccounts.actAs": "act as service account", "storage.buckets.getIamPolicy": "get iam policy of bucket",
		"compute.zones.list": "list zones", "compute.addresses.get": "get address", "compute.sslPolicies.use": "use ssl policy", "dns.changes.create": "create change",
		"secretmanager.versions.access": "access version", "compute.targetHttpsProxies.get": "get target https proxy", "storage.hmacKeys.create": "create hmac key",
		"certificatemanager.certmapentries.get": "get certmapentry", "artifactregistry.repositories.downloadArtifacts": "download artifacts of repository",
	} {
		if got := Purpose(permission); got != want {
			t.Errorf("Purpose(%q) = %q, want %q", permission, got, want)
		}
	}
}
