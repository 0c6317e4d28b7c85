package catalog

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/azure"
	"github.com/whittle-iam/whittle/harness/catalog/gcp"
	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// Access is an access level, in AWS's words (Service Authorization Reference,
// "Access levels in AWS").
type Access string

// The access levels.
const (
	List        Access = "List"
	Read        Access = "Read"
	Write       Access = "Write"
	Tagging     Access = "Tagging"
	Permissions Access = "Permissions management"
)

// Reads tells whether the level changes nothing.
func (a Access) Reads() bool { return a == List || a == Read }

// Level gives the access level of a permission. On Google Cloud it follows from
// the verb (see [gcp.Level]), and so on Azure ([azure.Level]). On AWS it is the documented one
// for sts, iam, ec2, s3, sqs, sns, kms, logs, events, states, dynamodb, kinesis,
// cognito-idp, rds, autoscaling and elasticloadbalancing, as far as it reads or
// not, where the exceptions below were taken
// from the Service Authorization Reference action by action; elsewhere it
// follows from the verb. A verb that is not known to read counts as Write, and
// so does a name that is no permission.
func Level(permission string) Access {
	service, action, ok := strings.Cut(permission, ":")
	service = strings.ToLower(service)
	if !ok && strings.Count(permission, ".") > 1 && !strings.Contains(permission, "/") {
		return map[string]Access{"list": List, "read": Read, "permissions": Permissions, "write": Write}[gcp.Level(permission)]
	}
	if azure.Is(permission) {
		return map[string]Access{"read": Read, "permissions": Permissions, "write": Write}[azure.Level(permission)]
	}
	w := request.Words(action)
	if !ok || len(w) == 0 || strings.ContainsAny(action, "*?") {
		return Write
	}
	if l, found := levels[service+":"+action]; found {
		return l
	}
	switch w[0] {
	case "List":
		return List
	case "Describe":
		if service == "ec2" || service == "rds" && !strings.HasPrefix(action, "DescribeRecommendation") {
			return List
		}
		return Read
	case "Get", "Search", "View":
		// Credentials, tokens and signed URLs are read by name, and made in truth.
		for _, made := range []string{"Token", "Credentials", "Password", "Url", "URL"} {
			if strings.Contains(action, made) && action != "GetQueueUrl" {
				return Write
			}
		}
		return Read
	case "BatchGet":
		return Read
	case "Batch":
		if len(w) > 1 && (w[1] == "Get" || w[1] == "Describe" || w[1] == "List") {
			return Read
		}
	case "Tag", "Untag":
		return Tagging
	}
	// s3:PutObjectTagging, rds:AddTagsToResource, elasticfilesystem:CreateTags
	last := w[len(w)-1]
	if last == "Tagging" || last == "Tags" || strings.Contains(action, "TagsToResource") || strings.Contains(action, "TagsFromResource") {
		return Tagging
	}
	if strings.HasSuffix(action, "ResourcePolicy") || action == "PutPermission" || action == "ModifyDocumentPermission" || action == "AddPermission" || action == "RemovePermission" {
		return Permissions
	}
	return Write
}

// levels are the documented levels that the verb does not tell. One is not the
// documented one: kms:Decrypt is Write in the reference, as all use of a key is.
// It changes nothing, and whoever reads an encrypted secret, parameter or object
// needs it.
var levels = levelTable(map[Access]string{
	Permissions: `
		ec2:AttachApplianceToNatGateway ec2:AttachResourcesToPlacementGroup ec2:CancelImageLaunchPermission
		ec2:CreateCoipPoolPermission ec2:CreateLocalGatewayRouteTablePermission ec2:CreateNetworkInterfacePermission
		ec2:CreateOdbNetworkPeering ec2:DeleteCoipPoolPermission ec2:DeleteLocalGatewayRouteTablePermission
		ec2:DeleteNetworkInterfacePermission ec2:DeleteOdbNetworkPeering ec2:DetachApplianceFromNatGateway
		ec2:DetachResourcesFromPlacementGroup ec2:DisableImageBlockPublicAccess ec2:DisableSnapshotBlockPublicAccess
		ec2:EnableImageBlockPublicAccess ec2:EnableSnapshotBlockPublicAccess ec2:ModifyOdbNetworkPeering
		ec2:ModifySnapshotAttribute ec2:ModifyVpcEndpointServicePermissions ec2:ResetSnapshotAttribute
		iam:AttachGroupPolicy iam:AttachRolePolicy iam:AttachUserPolicy iam:CreatePolicy iam:CreatePolicyVersion
		iam:DeleteAccountPasswordPolicy iam:DeleteGroupPolicy iam:DeletePolicy iam:DeletePolicyVersion
		iam:DeleteRolePermissionsBoundary iam:DeleteRolePolicy iam:DeleteUserPermissionsBoundary iam:DeleteUserPolicy
		iam:DetachGroupPolicy iam:DetachRolePolicy iam:DetachUserPolicy iam:PutGroupPolicy
		iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:PutUserPermissionsBoundary iam:PutUserPolicy
		iam:SetDefaultPolicyVersion iam:UpdateAssumeRolePolicy
		rds:AuthorizeDBSecurityGroupIngress
		kms:CreateGrant kms:PutKeyPolicy kms:RetireGrant kms:RevokeGrant
		s3:AssociateAccessGrantsIdentityCenter s3:BypassGovernanceRetention s3:CreateAccessGrant
		s3:CreateAccessGrantsInstance s3:CreateAccessGrantsLocation s3:DeleteAccessGrant s3:DeleteAccessGrantsInstance
		s3:DeleteAccessGrantsLocation s3:DeleteAccessPointPolicy s3:DeleteAccessPointPolicyForObjectLambda
		s3:DeleteBucketPolicy s3:DissociateAccessGrantsIdentityCenter s3:ObjectOwnerOverrideToBucketOwner
		s3:PutAccessPointPolicy s3:PutAccessPointPolicyForObjectLambda s3:PutAccessPointPublicAccessBlock
		s3:PutAccountPublicAccessBlock s3:PutBucketAcl s3:PutBucketOwnershipControls s3:PutBucketPolicy
		s3:PutBucketPublicAccessBlock s3:PutMultiRegionAccessPointPolicy s3:PutObjectAcl s3:PutObjectVersionAcl
		s3:UpdateAccessGrantsLocation`,
	Write: `
		sts:AssumeRole sts:AssumeRoleWithSAML sts:AssumeRoleWithWebIdentity sts:AssumeRoot
		sts:GetDelegatedAccessToken sts:GetWebIdentityToken
		cognito-identity:GetId lakeformation:GetDataAccess states:GetActivityTask`,
	Read: `
		ec2:GetPasswordData rds:DownloadCompleteDBLogFile rds:DownloadDBLogFilePortion
		ec2:ExportClientVpnClientCertificateRevocationList ec2:ExportClientVpnClientConfiguration
		ec2:ExportVerifiedAccessInstanceClientConfiguration ec2:StartDeclarativePoliciesReport
		iam:GenerateCredentialReport iam:GenerateOrganizationsAccessReport iam:GenerateServiceLastAccessedDetails
		iam:SimulateCustomPolicy iam:SimulatePrincipalPolicy
		kms:Decrypt
		sqs:ListDeadLetterSourceQueues sqs:ListMessageMoveTasks sqs:ListQueueTags sqs:ListQueues sqs:ReceiveMessage
		sts:GetFederationToken sts:GetServiceBearerToken sts:GetSessionToken
		logs:FilterLogEvents logs:StartQuery logs:StopQuery logs:StartLiveTail logs:StopLiveTail logs:TestMetricFilter logs:TestTransformer
		events:TestEventPattern states:ValidateStateMachineDefinition secretsmanager:GetRandomPassword ssm:StartExecutionPreview
		sns:CheckIfPhoneNumberIsOptedOut kinesis:SubscribeToShard dynamodb:ConditionCheckItem dynamodb:PartiQLSelect
		cognito-idp:AdminGetDevice cognito-idp:AdminGetUser cognito-idp:AdminListUserAuthEvents
		dynamodb:BatchGetItem dynamodb:Query dynamodb:Scan
		apigateway:GET lambda:GetFunctionUrlConfig iam:GetAccountPasswordPolicy ecr-public:GetAuthorizationToken
		route53:TestDNSAnswer servicediscovery:DiscoverInstances wafv2:CheckCapacity
		ecr:BatchCheckLayerAvailability ecr:GetAuthorizationToken codeartifact:GetAuthorizationToken cloudformation:ValidateTemplate`,
	Tagging: `
		kinesis:AddTagsToStream kinesis:RemoveTagsFromStream`,
	List: `
		cognito-idp:AdminListDevices cognito-idp:AdminListGroupsForUser
		ec2:GetGroupsForCapacityReservation ec2:GetInstanceMetadataDefaults
		ec2:GetInstanceTypesFromInstanceRequirements ec2:GetIpamPolicyAllocationRules
		ec2:GetIpamPolicyOrganizationTargets ec2:GetIpamPoolAllocations ec2:GetTransitGatewayAttachmentPropagations
		ec2:GetTransitGatewayMeteringPolicyEntries ec2:GetTransitGatewayMulticastDomainAssociations
		ec2:GetTransitGatewayPolicyTableAssociations ec2:GetTransitGatewayPolicyTableEntries
		ec2:GetTransitGatewayPrefixListReferences ec2:GetTransitGatewayRouteTableAssociations
		ec2:GetTransitGatewayRouteTablePropagations ec2:GetVerifiedAccessEndpointPolicy
		ec2:GetVerifiedAccessEndpointTargets ec2:GetVerifiedAccessGroupPolicy ec2:GetVerifiedAccessInstanceWebAcl
		ec2:GetVpcResourcesBlockingEncryptionEnforcement ec2:GetVpnConnectionDeviceSampleConfiguration
		ec2:GetVpnConnectionDeviceTypes ec2:GetVpnTunnelReplacementStatus ec2:SearchLocalGatewayRoutes
		ec2:SearchTransitGatewayMulticastGroups ec2:SearchTransitGatewayRoutes
		iam:GetAccountSummary iam:GetLoginProfile`,
})

func levelTable(rows map[Access]string) map[string]Access {
	table := map[string]Access{}
	for level, names := range rows {
		for name := range strings.FieldsSeq(names) {
			table[name] = level
		}
	}
	return table
}
