package catalog

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/azure"
	"github.com/whittle-iam/whittle/harness/catalog/gcp"
)

// Risk says why a permission could raise the rights of the identity that holds
// it, "" if none is known to. Sources, named in each row: Rhino Security Labs,
// "AWS IAM Privilege Escalation: Methods and Mitigation" (rhino); the
// escalation list of JamesWoolfenden/pike (pike); the "Permissions management"
// access level of the Service Authorization Reference, for policies on
// resources (sar); the action's own page in the service's API reference, which
// says with whose rights it acts (api).
//
// Those of Google Cloud are in [gcp.Risk], those of Azure in [azure.Risk].
//
// A permission that only matters together with another, which is itself in the
// list, is left out, since the other stops the run. These need iam:PassRole for
// the role that they put to work: lambda:CreateFunction, ecs:RegisterTaskDefinition
// and ecs:RunTask (the task's role and the execution role),
// ec2:AssociateIamInstanceProfile and ec2:ReplaceIamInstanceProfileAssociation,
// and cloudformation:CreateStack, which without a role acts with the caller's own
// rights. cloudformation:CreateChangeSet does nothing before
// cloudformation:ExecuteChangeSet, and cloudformation:SetStackPolicy guards
// resources against updates, and gives nobody a right.
//
// Also left out is what can write the policy of one resource among its many
// ordinary settings: sqs:SetQueueAttributes and sns:SetTopicAttributes. The most
// that they give is more of the queue or topic that the identity may change
// already, and a line in approve: for each update of a queue would be written
// without being read. sqs:AddPermission and sns:AddPermission do nothing else,
// and are in. logs:PutResourcePolicy lets services write to log groups, no
// identity.
func Risk(permission string) string {
	service, action, ok := strings.Cut(permission, ":")
	if !ok {
		if permission == "*" {
			return "it is every permission"
		}
		if azure.Is(permission) {
			return azureRisk(permission)
		}
		return gcpRisk(permission)
	}
	service = strings.ToLower(service)
	if strings.ContainsAny(action, "*?") {
		for name, why := range risks {
			if glob(strings.ToLower(permission), strings.ToLower(name), true) && why != "" {
				return takesIn
			}
		}
		return ""
	}
	return lowerRisks[service+":"+strings.ToLower(action)]
}

// takesIn is why a pattern is dangerous.
const takesIn = "it takes in permissions that can raise the identity's own rights"

func azureRisk(permission string) string {
	if !strings.ContainsAny(permission, "*?") {
		return azure.Risk(permission)
	}
	for _, name := range azure.Risky() {
		if glob(strings.ToLower(permission), name, false) {
			return takesIn
		}
	}
	return ""
}

func gcpRisk(permission string) string {
	if !strings.ContainsAny(permission, "*?") {
		return gcp.Risk(permission)
	}
	for _, name := range gcp.Patterns() {
		if glob(permission, name, true) {
			return takesIn
		}
	}
	return ""
}

var risks = map[string]string{
	"iam:AddUserToGroup":                        "puts a user into a group with more rights (rhino, pike)",
	"iam:AttachGroupPolicy":                     "attaches any policy to a group (rhino, pike)",
	"iam:AttachRolePolicy":                      "attaches any policy to a role (rhino, pike)",
	"iam:AttachUserPolicy":                      "attaches any policy to a user (rhino, pike)",
	"iam:CreateAccessKey":                       "makes keys to act as another user (rhino, pike)",
	"iam:CreateLoginProfile":                    "sets a password to act as another user (rhino, pike)",
	"iam:CreatePolicyVersion":                   "rewrites a policy, its own included (rhino, pike)",
	"iam:CreateOpenIDConnectProvider":           "adds who is trusted to sign in, to roles that name a provider that was deleted too (sar)",
	"iam:CreateSAMLProvider":                    "adds who is trusted to sign in, to roles that name a provider that was deleted too (sar)",
	"iam:CreateServiceSpecificCredential":       "makes credentials to act as another user (sar)",
	"iam:DeleteGroupPolicy":                     "can take away a deny (sar)",
	"iam:DeleteRolePermissionsBoundary":         "lifts the bound on a role (sar)",
	"iam:DeleteRolePolicy":                      "can take away a deny (sar)",
	"iam:DeleteUserPermissionsBoundary":         "lifts the bound on a user (sar)",
	"iam:DeleteUserPolicy":                      "can take away a deny (sar)",
	"iam:DetachGroupPolicy":                     "can take away a deny (sar)",
	"iam:DetachRolePolicy":                      "can take away a deny (sar)",
	"iam:DetachUserPolicy":                      "can take away a deny (sar)",
	"iam:PassRole":                              "hands a role to a service that then acts with its rights (rhino, pike)",
	"iam:PutGroupPolicy":                        "writes any policy into a group (rhino, pike)",
	"iam:PutRolePermissionsBoundary":            "moves the bound on a role (sar)",
	"iam:PutRolePolicy":                         "writes any policy into a role (rhino, pike)",
	"iam:PutUserPermissionsBoundary":            "moves the bound on a user (sar)",
	"iam:PutUserPolicy":                         "writes any policy into a user (rhino, pike)",
	"iam:ResetServiceSpecificCredential":        "makes credentials to act as another user (sar)",
	"iam:SetDefaultPolicyVersion":               "brings an older policy back into force (rhino, pike)",
	"iam:UpdateAccessKey":                       "revives the keys of another user (sar)",
	"iam:UpdateAssumeRolePolicy":                "lets itself assume a role (rhino, pike)",
	"iam:UpdateLoginProfile":                    "changes a password to act as another user (rhino, pike)",
	"iam:UpdateSAMLProvider":                    "replaces who is trusted to sign in (sar)",
	"iam:UpdateSSHPublicKey":                    "revives a key to act as another user (api)",
	"iam:UpdateSigningCertificate":              "revives a certificate to act as another user (api)",
	"iam:UploadSSHPublicKey":                    "puts in a key to act as another user in CodeCommit (api)",
	"iam:UploadSigningCertificate":              "puts in a certificate to act as another user (api)",
	"iam:UpdateOpenIDConnectProviderThumbprint": "replaces who is trusted to sign in (sar)",
	"iam:AddClientIDToOpenIDConnectProvider":    "adds to who is trusted to sign in (sar)",

	"sts:AssumeRole":                                          "acts with the rights of another role (pike)",
	"sts:AssumeRoot":                                          "acts with the rights of an account's root (sar)",
	"organizations:AttachPolicy":                              "changes what accounts may do (sar)",
	"organizations:DetachPolicy":                              "can take away a deny on whole accounts (sar)",
	"organizations:UpdatePolicy":                              "changes what accounts may do (sar)",
	"organizations:DeletePolicy":                              "can take away a deny on whole accounts (sar)",
	"sso:CreateAccountAssignment":                             "gives people rights in an account (sar)",
	"sso:PutInlinePolicyToPermissionSet":                      "writes any policy into a permission set (sar)",
	"sso:AttachManagedPolicyToPermissionSet":                  "attaches any policy to a permission set (sar)",
	"sso:AttachCustomerManagedPolicyReferenceToPermissionSet": "attaches any policy to a permission set (sar)",

	"kms:CreateGrant":  "gives the use of a key to anyone (sar)",
	"kms:PutKeyPolicy": "rewrites who may use a key (sar)",

	"s3:PutAccessPointPolicy": "rewrites who may use a bucket (sar)",
	"s3:PutBucketAcl":         "rewrites who may use a bucket (sar)",
	"s3:PutBucketPolicy":      "rewrites who may use a bucket (sar)",
	"s3:DeleteBucketPolicy":   "can take away a deny on a bucket (sar)",
	"s3:PutObjectAcl":         "rewrites who may use an object (sar)",
	"s3:PutObjectVersionAcl":  "rewrites who may use an object (sar)",
	"s3:CreateAccessGrant":    "gives the use of a bucket to anyone (sar)",

	"sqs:AddPermission":                            "lets others use a queue (sar)",
	"sns:AddPermission":                            "lets others use a topic (sar)",
	"ecr:SetRepositoryPolicy":                      "rewrites who may use a repository (sar)",
	"ecr:PutRegistryPolicy":                        "rewrites who may use a registry (sar)",
	"secretsmanager:PutResourcePolicy":             "rewrites who may read a secret (sar)",
	"dynamodb:PutResourcePolicy":                   "rewrites who may use a table (sar)",
	"kinesis:PutResourcePolicy":                    "rewrites who may use a stream (sar)",
	"events:PutPermission":                         "lets others use an event bus (sar)",
	"ssm:PutResourcePolicy":                        "rewrites who may read a parameter (sar)",
	"ssm:ModifyDocumentPermission":                 "lets others use a document (sar)",
	"lambda:AddPermission":                         "lets others invoke a function (rhino, sar)",
	"lambda:AddLayerVersionPermission":             "lets others use a layer (sar)",
	"lambda:UpdateFunctionCode":                    "runs code with the rights of a function's role (rhino)",
	"lambda:UpdateFunctionConfiguration":           "runs code with the rights of a function's role, by a layer (rhino)",
	"codebuild:StartBuild":                         "runs commands of the caller's choice, a buildspec, with the rights of a project's role (api)",
	"codebuild:StartBuildBatch":                    "runs commands of the caller's choice, a buildspec, with the rights of a project's role (api)",
	"cloudformation:UpdateStack":                   "makes anything with the rights of the role that a stack was given before (api)",
	"cloudformation:ExecuteChangeSet":              "makes anything with the rights of the role that a stack was given before (api)",
	"ec2:ModifyInstanceAttribute":                  "sets the user data, which runs with the rights of an instance's role (api)",
	"ecs:ExecuteCommand":                           "runs commands with the rights of a task's role (api)",
	"glue:UpdateJob":                               "changes the script that runs with the rights of a job's role (api)",
	"glue:UpdateDevEndpoint":                       "opens a shell with the rights of an endpoint's role (rhino)",
	"sagemaker:CreatePresignedNotebookInstanceUrl": "opens a notebook with the rights of its role (rhino)",
	"codestar:CreateProject":                       "makes roles through the service (rhino)",
	"ssm:CreateAssociation":                        "runs code with the rights of an instance's role (api)",
	"ssm:UpdateAssociation":                        "runs code with the rights of an instance's role (api)",
	"states:UpdateStateMachine":                    "runs steps of the caller's choice with the rights of a state machine's role (api)",
	"ssm:SendCommand":                              "runs code with the rights of an instance's role (rhino)",
	"ssm:StartSession":                             "opens a shell with the rights of an instance's role (rhino)",
	"ec2-instance-connect:SendSSHPublicKey":        "opens a shell with the rights of an instance's role (rhino)",
	"eks:AssociateAccessPolicy":                    "gives rights inside a cluster (sar)",
	"eks:CreateAccessEntry":                        "gives rights inside a cluster (sar)",
	"cognito-identity:SetIdentityPoolRoles":        "hands roles to an identity pool (sar)",
}

var lowerRisks = lowerKeys(risks)

func lowerKeys(m map[string]string) map[string]string {
	low := make(map[string]string, len(m))
	for k, v := range m {
		low[strings.ToLower(k)] = v
	}
	return low
}
