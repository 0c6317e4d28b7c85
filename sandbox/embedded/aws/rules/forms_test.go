package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"
)

// state answers from a fixed map: "fact id" → what is found.
type state map[string][]string

func (s state) Find(_ context.Context, f Fact, id string) []string { return s[string(f)+" "+id] }

const (
	keyID  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	keyARN = "arn:aws:kms:us-east-1:" + account + ":key/" + keyID
	otherK = "arn:aws:kms:us-east-1:" + account + ":key/other"
	queue  = "https://sqs.us-east-1.amazonaws.com/" + account + "/jobs"
)

var world = state{
	"kms.alias alias/jobs": {keyARN},
	"kms.alias arn:aws:kms:us-east-1:" + account + ":alias/jobs": {keyARN},
	"iam.role worker":                                      {"/team/"},
	"iam.user ann":                                         {"/"},
	"iam.access-key AKIA1":                                 {"team/ann"},
	"iam.service-role ecs.amazonaws.com":                   {"AWSServiceRoleForECS"},
	"ec2.address eipassoc-1":                               {"eipalloc-1"},
	"ec2.interface eipassoc-1":                             {"eni-1"},
	"ec2.address 203.0.113.7":                              {"eipalloc-7"},
	"ec2.subnet aclassoc-1":                                {"subnet-1"},
	"ec2.interface eni-attach-1":                           {"eni-1"},
	"ec2.instance eni-attach-1":                            {"i-1"},
	"ec2.vpc vpc-cidr-assoc-1":                             {"vpc-1"},
	"ec2.group default":                                    {"sg-default"},
	"ec2.vpc subnet-1":                                     {"vpc-1"},
	"ec2.instance vol-1":                                   {"i-1"},
	"ec2.instance iip-assoc-1":                             {"i-1"},
	"ec2.key key-1":                                        {"door"},
	"ec2.template form":                                    {"lt-1"},
	"ec2.template-image form":                              {"ami-2"},
	"ec2.template-group form":                              {"sg-2", "sg-3"},
	"ec2.template-role form":                               {"arn:aws:iam::111122223333:role/machine"},
	"iam.profile-role machine":                             {"arn:aws:iam::111122223333:role/machine"},
	"iam.service-role spotfleet.amazonaws.com":             {"AWSServiceRoleForEC2SpotFleet"},
	"sqs.key arn:aws:sqs:us-east-1:" + account + ":secret": {"alias/jobs"},
	"s3.bucket-key sealed":                                 {keyARN},
	"s3.object-key sealed/a":                               {otherK},
	"s3.object-tagged from/tagged":                         {"yes"},
}

// form is one request that a real client makes, with what it needs. In wants,
// "{ec2}", "{kms}", "{sqs}" and "{iam}" stand for the start of the account's
// ARNs. A want is "action resource" with, perhaps, " (shown)" and then
// " key=value" for the condition keys that must be there.
type form struct {
	name string
	send func(context.Context, clients) error
	want []string
}

// of ties a client's method to its input.
func of[C, I, O, F any](pick func(clients) C, method func(C, context.Context, *I, ...F) (*O, error), in *I) func(context.Context, clients) error {
	return func(ctx context.Context, c clients) error {
		_, err := method(pick(c), ctx, in)
		return err
	}
}

func toS3(c clients) *s3.Client   { return c.s3 }
func toEC2(c clients) *ec2.Client { return c.ec2 }
func toIAM(c clients) *iam.Client { return c.iam }
func toKMS(c clients) *kms.Client { return c.kms }
func toSQS(c clients) *sqs.Client { return c.sqs }
func toSTS(c clients) *sts.Client { return c.sts }

var (
	str = aws.String
	one = aws.Int32(1)
)

func ec2Tags(kind ec2types.ResourceType) []ec2types.TagSpecification {
	return []ec2types.TagSpecification{{ResourceType: kind, Tags: []ec2types.Tag{{Key: str("Name"), Value: str("x")}}}}
}

var iamTags = []iamtypes.Tag{{Key: str("team"), Value: str("a b")}}

func forms() []form {
	created := func(action, arn string) string {
		return "ec2:CreateTags " + arn + " ec2:CreateAction=" + action + " aws:RequestTag/Name=x aws:TagKeys=Name ec2:Region=us-east-1"
	}
	return []form{
		// STS
		{"sts GetCallerIdentity", of(toSTS, (*sts.Client).GetCallerIdentity, &sts.GetCallerIdentityInput{}), nil},
		{"sts GetSessionToken", of(toSTS, (*sts.Client).GetSessionToken, &sts.GetSessionTokenInput{}), nil},
		{"sts AssumeRole", of(toSTS, (*sts.Client).AssumeRole, &sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::444455556666:role/x"), RoleSessionName: str("s"), ExternalId: str("e")}),
			[]string{"sts:AssumeRole arn:aws:iam::444455556666:role/x sts:ExternalId=e sts:RoleSessionName=s"}},
		{"sts AssumeRole with tags and source", of(toSTS, (*sts.Client).AssumeRole, &sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::444455556666:role/x"), RoleSessionName: str("s"),
			SourceIdentity: str("ann"), Tags: []ststypes.Tag{{Key: str("k"), Value: str("v")}}, TransitiveTagKeys: []string{"k"}}),
			[]string{"sts:AssumeRole arn:aws:iam::444455556666:role/x sts:SourceIdentity=ann aws:RequestTag/k=v",
				"sts:TagSession arn:aws:iam::444455556666:role/x aws:RequestTag/k=v sts:TransitiveTagKeys=k", "sts:SetSourceIdentity arn:aws:iam::444455556666:role/x sts:SourceIdentity=ann"}},
		{"sts DecodeAuthorizationMessage", of(toSTS, (*sts.Client).DecodeAuthorizationMessage, &sts.DecodeAuthorizationMessageInput{EncodedMessage: str("x")}), []string{"sts:DecodeAuthorizationMessage *"}},
		{"sts GetFederationToken", of(toSTS, (*sts.Client).GetFederationToken, &sts.GetFederationTokenInput{Name: str("bob")}), []string{"sts:GetFederationToken arn:aws:sts::" + account + ":federated-user/bob"}},

		// SQS
		{"sqs CreateQueue", of(toSQS, (*sqs.Client).CreateQueue, &sqs.CreateQueueInput{QueueName: str("jobs")}), []string{"sqs:CreateQueue {sqs}jobs"}},
		{"sqs CreateQueue tagged", of(toSQS, (*sqs.Client).CreateQueue, &sqs.CreateQueueInput{QueueName: str("jobs"), Tags: map[string]string{"a.b": "c"}}),
			[]string{"sqs:CreateQueue {sqs}jobs aws:RequestTag/a.b=c aws:TagKeys=a.b", "sqs:TagQueue {sqs}jobs aws:RequestTag/a.b=c"}},
		{"sqs GetQueueUrl", of(toSQS, (*sqs.Client).GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: str("jobs")}), []string{"sqs:GetQueueUrl {sqs}jobs"}},
		{"sqs GetQueueUrl of another account", of(toSQS, (*sqs.Client).GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: str("jobs"), QueueOwnerAWSAccountId: str("444455556666")}), []string{"sqs:GetQueueUrl arn:aws:sqs:us-east-1:444455556666:jobs"}},
		{"sqs GetQueueAttributes", of(toSQS, (*sqs.Client).GetQueueAttributes, &sqs.GetQueueAttributesInput{QueueUrl: str(queue)}), []string{"sqs:GetQueueAttributes {sqs}jobs"}},
		{"sqs SetQueueAttributes", of(toSQS, (*sqs.Client).SetQueueAttributes, &sqs.SetQueueAttributesInput{QueueUrl: str(queue), Attributes: map[string]string{"DelaySeconds": "1"}}), []string{"sqs:SetQueueAttributes {sqs}jobs"}},
		{"sqs SendMessageBatch", of(toSQS, (*sqs.Client).SendMessageBatch, &sqs.SendMessageBatchInput{QueueUrl: str(queue), Entries: []sqstypes.SendMessageBatchRequestEntry{{Id: str("1"), MessageBody: str("m")}}}), []string{"sqs:SendMessage {sqs}jobs"}},
		{"sqs SendMessage encrypted", of(toSQS, (*sqs.Client).SendMessage, &sqs.SendMessageInput{QueueUrl: str("https://sqs.us-east-1.amazonaws.com/" + account + "/secret"), MessageBody: str("m")}),
			[]string{"sqs:SendMessage {sqs}secret", "kms:GenerateDataKey " + keyARN + " kms:ViaService=sqs.us-east-1.amazonaws.com", "kms:Decrypt " + keyARN}},
		{"sqs DeleteMessageBatch", of(toSQS, (*sqs.Client).DeleteMessageBatch, &sqs.DeleteMessageBatchInput{QueueUrl: str(queue), Entries: []sqstypes.DeleteMessageBatchRequestEntry{{Id: str("1"), ReceiptHandle: str("r")}}}), []string{"sqs:DeleteMessage {sqs}jobs"}},
		{"sqs ListQueues", of(toSQS, (*sqs.Client).ListQueues, &sqs.ListQueuesInput{}), []string{"sqs:ListQueues *"}},
		{"sqs TagQueue", of(toSQS, (*sqs.Client).TagQueue, &sqs.TagQueueInput{QueueUrl: str(queue), Tags: map[string]string{"a": "b"}}), []string{"sqs:TagQueue {sqs}jobs aws:RequestTag/a=b"}},
		{"sqs UntagQueue", of(toSQS, (*sqs.Client).UntagQueue, &sqs.UntagQueueInput{QueueUrl: str(queue), TagKeys: []string{"a"}}), []string{"sqs:UntagQueue {sqs}jobs aws:TagKeys=a"}},
		{"sqs ListQueueTags", of(toSQS, (*sqs.Client).ListQueueTags, &sqs.ListQueueTagsInput{QueueUrl: str(queue)}), []string{"sqs:ListQueueTags {sqs}jobs"}},
		{"sqs DeleteQueue", of(toSQS, (*sqs.Client).DeleteQueue, &sqs.DeleteQueueInput{QueueUrl: str(queue)}), []string{"sqs:DeleteQueue {sqs}jobs"}},

		// KMS
		{"kms CreateKey", of(toKMS, (*kms.Client).CreateKey, &kms.CreateKeyInput{}), []string{"kms:CreateKey * kms:CallerAccount=" + account + " kms:KeySpec=SYMMETRIC_DEFAULT kms:KeyUsage=ENCRYPT_DECRYPT"}},
		{"kms CreateKey tagged", of(toKMS, (*kms.Client).CreateKey, &kms.CreateKeyInput{Tags: []kmstypes.Tag{{TagKey: str("a"), TagValue: str("b")}}}), []string{"kms:CreateKey * aws:RequestTag/a=b", "kms:TagResource {kms}key/* aws:RequestTag/a=b aws:TagKeys=a"}},
		{"kms CreateKey multi-Region", of(toKMS, (*kms.Client).CreateKey, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)}),
			[]string{"kms:CreateKey * kms:MultiRegion=true", "iam:CreateServiceLinkedRole {iam}role/aws-service-role/mrk.kms.amazonaws.com/AWSServiceRoleForKeyManagementServiceMultiRegionKeys iam:AWSServiceName=mrk.kms.amazonaws.com"}},
		{"kms DescribeKey by id", of(toKMS, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: str(keyID)}), []string{"kms:DescribeKey " + keyARN}},
		{"kms DescribeKey by ARN", of(toKMS, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: str(otherK)}), []string{"kms:DescribeKey " + otherK}},
		{"kms DescribeKey by alias", of(toKMS, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: str("alias/jobs")}), []string{"kms:DescribeKey " + keyARN + " kms:RequestAlias=alias/jobs"}},
		{"kms DescribeKey by alias ARN", of(toKMS, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: str("arn:aws:kms:us-east-1:" + account + ":alias/jobs")}), []string{"kms:DescribeKey " + keyARN + " kms:RequestAlias=alias/jobs"}},
		{"kms DescribeKey by unknown alias", of(toKMS, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: str("alias/none")}), []string{"kms:DescribeKey {kms}key/*"}},
		{"kms GetKeyPolicy", of(toKMS, (*kms.Client).GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: str(keyID)}), []string{"kms:GetKeyPolicy " + keyARN}},
		{"kms GetKeyRotationStatus", of(toKMS, (*kms.Client).GetKeyRotationStatus, &kms.GetKeyRotationStatusInput{KeyId: str(keyID)}), []string{"kms:GetKeyRotationStatus " + keyARN}},
		{"kms ListResourceTags", of(toKMS, (*kms.Client).ListResourceTags, &kms.ListResourceTagsInput{KeyId: str(keyID)}), []string{"kms:ListResourceTags " + keyARN}},
		{"kms ScheduleKeyDeletion", of(toKMS, (*kms.Client).ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: str(keyID), PendingWindowInDays: aws.Int32(7)}), []string{"kms:ScheduleKeyDeletion " + keyARN + " kms:ScheduleKeyDeletionPendingWindowInDays=7"}},
		{"kms CreateAlias", of(toKMS, (*kms.Client).CreateAlias, &kms.CreateAliasInput{AliasName: str("alias/new"), TargetKeyId: str(keyID)}), []string{"kms:CreateAlias {kms}alias/new", "kms:CreateAlias " + keyARN}},
		{"kms UpdateAlias", of(toKMS, (*kms.Client).UpdateAlias, &kms.UpdateAliasInput{AliasName: str("alias/jobs"), TargetKeyId: str("other")}), []string{"kms:UpdateAlias {kms}alias/jobs", "kms:UpdateAlias " + keyARN, "kms:UpdateAlias " + otherK}},
		{"kms DeleteAlias", of(toKMS, (*kms.Client).DeleteAlias, &kms.DeleteAliasInput{AliasName: str("alias/jobs")}), []string{"kms:DeleteAlias {kms}alias/jobs", "kms:DeleteAlias " + keyARN}},
		{"kms ListAliases", of(toKMS, (*kms.Client).ListAliases, &kms.ListAliasesInput{}), []string{"kms:ListAliases *"}},
		{"kms Encrypt", of(toKMS, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: str("alias/jobs"), Plaintext: []byte("x"), EncryptionContext: map[string]string{"app": "w"}}),
			[]string{"kms:Encrypt " + keyARN + " kms:EncryptionContext:app=w kms:EncryptionContextKeys=app"}},
		{"kms Decrypt without key", of(toKMS, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: []byte("x")}), []string{"kms:Decrypt {kms}key/*"}},
		{"kms ReEncrypt", of(toKMS, (*kms.Client).ReEncrypt, &kms.ReEncryptInput{CiphertextBlob: []byte("x"), SourceKeyId: str(keyID), DestinationKeyId: str("other")}), []string{"kms:ReEncryptFrom " + keyARN, "kms:ReEncryptTo " + otherK}},
		{"kms CreateGrant", of(toKMS, (*kms.Client).CreateGrant, &kms.CreateGrantInput{KeyId: str(keyID), GranteePrincipal: str("arn:aws:iam::" + account + ":role/w"), Operations: []kmstypes.GrantOperation{"Decrypt"}}),
			[]string{"kms:CreateGrant " + keyARN + " kms:GrantOperations=Decrypt kms:GranteePrincipal=arn:aws:iam::" + account + ":role/w"}},
		{"kms TagResource", of(toKMS, (*kms.Client).TagResource, &kms.TagResourceInput{KeyId: str(keyID), Tags: []kmstypes.Tag{{TagKey: str("a"), TagValue: str("b")}}}), []string{"kms:TagResource " + keyARN + " aws:RequestTag/a=b"}},

		// IAM
		{"iam CreateRole", of(toIAM, (*iam.Client).CreateRole, &iam.CreateRoleInput{RoleName: str("w"), AssumeRolePolicyDocument: str("{}"), PermissionsBoundary: str("arn:aws:iam::aws:policy/B")}), []string{"iam:CreateRole {iam}role/w iam:PermissionsBoundary=arn:aws:iam::aws:policy/B"}},
		{"iam CreateRole with path and tags", of(toIAM, (*iam.Client).CreateRole, &iam.CreateRoleInput{RoleName: str("w"), Path: str("/team/"), AssumeRolePolicyDocument: str("{}"), Tags: iamTags}),
			[]string{"iam:CreateRole {iam}role/team/w", "iam:TagRole {iam}role/team/w aws:TagKeys=team"}},
		{"iam GetRole", of(toIAM, (*iam.Client).GetRole, &iam.GetRoleInput{RoleName: str("w")}), []string{"iam:GetRole {iam}role/w (role w)"}},
		{"iam GetRole with a path", of(toIAM, (*iam.Client).GetRole, &iam.GetRoleInput{RoleName: str("worker")}), []string{"iam:GetRole {iam}role/team/worker (role worker)"}},
		{"iam ListRoles", of(toIAM, (*iam.Client).ListRoles, &iam.ListRolesInput{}), []string{"iam:ListRoles {iam}role/"}},
		{"iam ListRoles of a path", of(toIAM, (*iam.Client).ListRoles, &iam.ListRolesInput{PathPrefix: str("/team/")}), []string{"iam:ListRoles {iam}role/team/"}},
		{"iam ListPolicies", of(toIAM, (*iam.Client).ListPolicies, &iam.ListPoliciesInput{}), []string{"iam:ListPolicies * (policy path /)"}},
		{"iam ListRolePolicies", of(toIAM, (*iam.Client).ListRolePolicies, &iam.ListRolePoliciesInput{RoleName: str("w")}), []string{"iam:ListRolePolicies {iam}role/w (role w)"}},
		{"iam ListAttachedRolePolicies", of(toIAM, (*iam.Client).ListAttachedRolePolicies, &iam.ListAttachedRolePoliciesInput{RoleName: str("w")}), []string{"iam:ListAttachedRolePolicies {iam}role/w (role w)"}},
		{"iam ListInstanceProfilesForRole", of(toIAM, (*iam.Client).ListInstanceProfilesForRole, &iam.ListInstanceProfilesForRoleInput{RoleName: str("w")}), []string{"iam:ListInstanceProfilesForRole {iam}role/w (role w)"}},
		{"iam AttachRolePolicy", of(toIAM, (*iam.Client).AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: str("w"), PolicyArn: str("arn:aws:iam::aws:policy/P")}), []string{"iam:AttachRolePolicy {iam}role/w (role w) iam:PolicyARN=arn:aws:iam::aws:policy/P"}},
		{"iam PutRolePolicy", of(toIAM, (*iam.Client).PutRolePolicy, &iam.PutRolePolicyInput{RoleName: str("w"), PolicyName: str("p"), PolicyDocument: str("{}")}), []string{"iam:PutRolePolicy {iam}role/w (role w)"}},
		{"iam UpdateAssumeRolePolicy", of(toIAM, (*iam.Client).UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: str("w"), PolicyDocument: str("{}")}), []string{"iam:UpdateAssumeRolePolicy {iam}role/w (role w)"}},
		{"iam TagRole", of(toIAM, (*iam.Client).TagRole, &iam.TagRoleInput{RoleName: str("w"), Tags: iamTags}), []string{"iam:TagRole {iam}role/w (role w) aws:TagKeys=team"}},
		{"iam UntagRole", of(toIAM, (*iam.Client).UntagRole, &iam.UntagRoleInput{RoleName: str("w"), TagKeys: []string{"team"}}), []string{"iam:UntagRole {iam}role/w (role w) aws:TagKeys=team"}},
		{"iam DeleteRole", of(toIAM, (*iam.Client).DeleteRole, &iam.DeleteRoleInput{RoleName: str("w")}), []string{"iam:DeleteRole {iam}role/w (role w)"}},
		{"iam CreatePolicy", of(toIAM, (*iam.Client).CreatePolicy, &iam.CreatePolicyInput{PolicyName: str("p"), PolicyDocument: str("{}"), Tags: iamTags}), []string{"iam:CreatePolicy {iam}policy/p (policy p)", "iam:TagPolicy {iam}policy/p (policy p) aws:TagKeys=team"}},
		{"iam GetPolicy", of(toIAM, (*iam.Client).GetPolicy, &iam.GetPolicyInput{PolicyArn: str("arn:aws:iam::aws:policy/P")}), []string{"iam:GetPolicy arn:aws:iam::aws:policy/P (policy arn:aws:iam::aws:policy/P)"}},
		{"iam CreatePolicyVersion", of(toIAM, (*iam.Client).CreatePolicyVersion, &iam.CreatePolicyVersionInput{PolicyArn: str("arn:aws:iam::" + account + ":policy/p"), PolicyDocument: str("{}")}), []string{"iam:CreatePolicyVersion {iam}policy/p (policy arn:aws:iam::" + account + ":policy/p)"}},
		{"iam CreateInstanceProfile", of(toIAM, (*iam.Client).CreateInstanceProfile, &iam.CreateInstanceProfileInput{InstanceProfileName: str("i")}), []string{"iam:CreateInstanceProfile {iam}instance-profile/i"}},
		{"iam GetInstanceProfile", of(toIAM, (*iam.Client).GetInstanceProfile, &iam.GetInstanceProfileInput{InstanceProfileName: str("i")}), []string{"iam:GetInstanceProfile {iam}instance-profile/i (instance profile i)"}},
		{"iam AddRoleToInstanceProfile", of(toIAM, (*iam.Client).AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: str("i"), RoleName: str("worker")}),
			[]string{"iam:AddRoleToInstanceProfile {iam}instance-profile/i (instance profile i)", "iam:PassRole {iam}role/team/worker iam:PassedToService=ec2.amazonaws.com"}},
		{"iam CreateUser", of(toIAM, (*iam.Client).CreateUser, &iam.CreateUserInput{UserName: str("u")}), []string{"iam:CreateUser {iam}user/u"}},
		{"iam GetUser", of(toIAM, (*iam.Client).GetUser, &iam.GetUserInput{UserName: str("ann")}), []string{"iam:GetUser {iam}user/ann (user ann)"}},
		{"iam GetUser itself", of(toIAM, (*iam.Client).GetUser, &iam.GetUserInput{}), []string{"iam:GetUser {iam}user/*"}},
		{"iam CreateAccessKey", of(toIAM, (*iam.Client).CreateAccessKey, &iam.CreateAccessKeyInput{UserName: str("u")}), []string{"iam:CreateAccessKey {iam}user/u (user u)"}},
		{"iam GetAccessKeyLastUsed", of(toIAM, (*iam.Client).GetAccessKeyLastUsed, &iam.GetAccessKeyLastUsedInput{AccessKeyId: str("AKIA1")}), []string{"iam:GetAccessKeyLastUsed {iam}user/team/ann"}},
		{"iam UpdateUser", of(toIAM, (*iam.Client).UpdateUser, &iam.UpdateUserInput{UserName: str("u"), NewUserName: str("v")}), []string{"iam:UpdateUser {iam}user/u (user u)", "iam:UpdateUser {iam}user/v"}},
		{"iam AddUserToGroup", of(toIAM, (*iam.Client).AddUserToGroup, &iam.AddUserToGroupInput{GroupName: str("g"), UserName: str("u")}), []string{"iam:AddUserToGroup {iam}group/g (group g)"}},
		{"iam CreateServiceLinkedRole", of(toIAM, (*iam.Client).CreateServiceLinkedRole, &iam.CreateServiceLinkedRoleInput{AWSServiceName: str("ecs.amazonaws.com")}),
			[]string{"iam:CreateServiceLinkedRole {iam}role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS iam:AWSServiceName=ecs.amazonaws.com"}},
		{"iam CreateServiceLinkedRole unknown", of(toIAM, (*iam.Client).CreateServiceLinkedRole, &iam.CreateServiceLinkedRoleInput{AWSServiceName: str("x.amazonaws.com")}), []string{"iam:CreateServiceLinkedRole {iam}role/aws-service-role/x.amazonaws.com/*"}},
		{"iam DeletionStatus", of(toIAM, (*iam.Client).GetServiceLinkedRoleDeletionStatus, &iam.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: str("task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/uuid")}),
			[]string{"iam:GetServiceLinkedRoleDeletionStatus {iam}role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"}},
		{"iam CreateOpenIDConnectProvider", of(toIAM, (*iam.Client).CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderInput{Url: str("https://token.example.com/x")}), []string{"iam:CreateOpenIDConnectProvider {iam}oidc-provider/token.example.com/x"}},
		{"iam GetAccountSummary", of(toIAM, (*iam.Client).GetAccountSummary, &iam.GetAccountSummaryInput{}), []string{"iam:GetAccountSummary *"}},
		{"iam SimulatePrincipalPolicy", of(toIAM, (*iam.Client).SimulatePrincipalPolicy, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: str("arn:aws:iam::" + account + ":role/w"), ActionNames: []string{"s3:GetObject"}}), []string{"iam:SimulatePrincipalPolicy {iam}role/w"}},

		// EC2
		{"ec2 RunInstances", of(toEC2, (*ec2.Client).RunInstances, &ec2.RunInstancesInput{MinCount: one, MaxCount: one, ImageId: str("ami-1"), SubnetId: str("subnet-1"), SecurityGroupIds: []string{"sg-1"}, KeyName: str("door"), InstanceType: "t3.micro",
			IamInstanceProfile: &ec2types.IamInstanceProfileSpecification{Name: str("machine")}, TagSpecifications: append(ec2Tags("instance"), ec2Tags("volume")...)}),
			[]string{"ec2:RunInstances {ec2}instance/* aws:RequestTag/Name=x ec2:InstanceType=t3.micro ec2:Tenancy=default", "ec2:RunInstances arn:aws:ec2:us-east-1::image/ami-1",
				"ec2:RunInstances {ec2}subnet/subnet-1 ec2:Vpc={ec2}vpc/vpc-1", "ec2:RunInstances {ec2}network-interface/*", "ec2:RunInstances {ec2}security-group/sg-1",
				"ec2:RunInstances {ec2}volume/* aws:RequestTag/Name=x", "ec2:RunInstances {ec2}key-pair/door", "iam:PassRole arn:aws:iam::111122223333:role/machine iam:PassedToService=ec2.amazonaws.com",
				created("RunInstances", "{ec2}instance/*"), created("RunInstances", "{ec2}volume/*")}},
		{"ec2 RunInstances of a template", of(toEC2, (*ec2.Client).RunInstances, &ec2.RunInstancesInput{MinCount: one, MaxCount: one, LaunchTemplate: &ec2types.LaunchTemplateSpecification{LaunchTemplateName: str("form")},
			NetworkInterfaces: []ec2types.InstanceNetworkInterfaceSpecification{{SubnetId: str("subnet-1")}}}),
			[]string{"ec2:RunInstances {ec2}instance/*", "ec2:RunInstances arn:aws:ec2:us-east-1::image/ami-2", "ec2:RunInstances {ec2}subnet/subnet-1", "ec2:RunInstances {ec2}network-interface/*",
				"ec2:RunInstances {ec2}security-group/sg-2", "ec2:RunInstances {ec2}security-group/sg-3", "ec2:RunInstances {ec2}volume/*", "ec2:RunInstances {ec2}launch-template/lt-1",
				"iam:PassRole arn:aws:iam::111122223333:role/machine iam:PassedToService=ec2.amazonaws.com"}},
		{"ec2 RunInstances with an interface", of(toEC2, (*ec2.Client).RunInstances, &ec2.RunInstancesInput{MinCount: one, MaxCount: one, ImageId: str("ami-1"),
			NetworkInterfaces: []ec2types.InstanceNetworkInterfaceSpecification{{NetworkInterfaceId: str("eni-1")}}, BlockDeviceMappings: []ec2types.BlockDeviceMapping{{Ebs: &ec2types.EbsBlockDevice{KmsKeyId: str("k")}}}}),
			[]string{"ec2:RunInstances {ec2}instance/*", "ec2:RunInstances arn:aws:ec2:us-east-1::image/ami-1", "ec2:RunInstances {ec2}network-interface/eni-1", "ec2:RunInstances {ec2}volume/*",
				"kms:DescribeKey {kms}key/k kms:ViaService=ec2.us-east-1.amazonaws.com", "kms:GenerateDataKeyWithoutPlaintext {kms}key/k", "kms:CreateGrant {kms}key/k"}},
		{"ec2 RunInstances with a tagged interface", of(toEC2, (*ec2.Client).RunInstances, &ec2.RunInstancesInput{MinCount: one, MaxCount: one, ImageId: str("ami-1"), SubnetId: str("subnet-1"), TagSpecifications: ec2Tags("network-interface")}),
			[]string{"ec2:RunInstances {ec2}instance/*", "ec2:RunInstances arn:aws:ec2:us-east-1::image/ami-1", "ec2:RunInstances {ec2}subnet/subnet-1", "ec2:RunInstances {ec2}network-interface/* aws:RequestTag/Name=x",
				"ec2:RunInstances {ec2}security-group/*", "ec2:RunInstances {ec2}volume/*", created("RunInstances", "{ec2}network-interface/*")}},
		{"ec2 RequestSpotInstances", of(toEC2, (*ec2.Client).RequestSpotInstances, &ec2.RequestSpotInstancesInput{LaunchSpecification: &ec2types.RequestSpotLaunchSpecification{ImageId: str("ami-1")}}),
			[]string{"ec2:RequestSpotInstances {ec2}spot-instances-request/*", "ec2:RequestSpotInstances arn:aws:ec2:us-east-1::image/ami-1",
				"iam:CreateServiceLinkedRole {iam}role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot iam:AWSServiceName=spot.amazonaws.com"}},
		{"ec2 RequestSpotFleet", of(toEC2, (*ec2.Client).RequestSpotFleet, &ec2.RequestSpotFleetInput{SpotFleetRequestConfig: &ec2types.SpotFleetRequestConfigData{TargetCapacity: one, IamFleetRole: str("arn:aws:iam::111122223333:role/fleet")}}),
			[]string{"ec2:RequestSpotFleet {ec2}spot-fleet-request/*", "iam:PassRole {iam}role/fleet iam:PassedToService=spotfleet.amazonaws.com"}},
		{"ec2 CreateImage", of(toEC2, (*ec2.Client).CreateImage, &ec2.CreateImageInput{InstanceId: str("i-1"), Name: str("x"), TagSpecifications: ec2Tags("image")}),
			[]string{"ec2:CreateImage arn:aws:ec2:us-east-1::image/* aws:RequestTag/Name=x", "ec2:CreateImage {ec2}instance/i-1", "ec2:CreateImage arn:aws:ec2:us-east-1::snapshot/*", created("CreateImage", "arn:aws:ec2:us-east-1::image/*")}},
		{"ec2 ImportKeyPair", of(toEC2, (*ec2.Client).ImportKeyPair, &ec2.ImportKeyPairInput{KeyName: str("door"), PublicKeyMaterial: []byte("k")}), []string{"ec2:ImportKeyPair {ec2}key-pair/door"}},
		{"ec2 DeleteKeyPair by its id", of(toEC2, (*ec2.Client).DeleteKeyPair, &ec2.DeleteKeyPairInput{KeyPairId: str("key-1")}), []string{"ec2:DeleteKeyPair {ec2}key-pair/door"}},
		{"ec2 DetachVolume", of(toEC2, (*ec2.Client).DetachVolume, &ec2.DetachVolumeInput{VolumeId: str("vol-1")}), []string{"ec2:DetachVolume {ec2}volume/vol-1", "ec2:DetachVolume {ec2}instance/i-1"}},
		{"ec2 DisassociateIamInstanceProfile", of(toEC2, (*ec2.Client).DisassociateIamInstanceProfile, &ec2.DisassociateIamInstanceProfileInput{AssociationId: str("iip-assoc-1")}), []string{"ec2:DisassociateIamInstanceProfile {ec2}instance/i-1"}},
		{"ec2 CreateTransitGatewayVpcAttachment", of(toEC2, (*ec2.Client).CreateTransitGatewayVpcAttachment, &ec2.CreateTransitGatewayVpcAttachmentInput{TransitGatewayId: str("tgw-1"), VpcId: str("vpc-1"), SubnetIds: []string{"subnet-1"}}),
			[]string{"ec2:CreateTransitGatewayVpcAttachment {ec2}transit-gateway-attachment/*", "ec2:CreateTransitGatewayVpcAttachment {ec2}subnet/subnet-1", "ec2:CreateTransitGatewayVpcAttachment {ec2}transit-gateway/tgw-1", "ec2:CreateTransitGatewayVpcAttachment {ec2}vpc/vpc-1"}},
		{"ec2 CreateVpc", of(toEC2, (*ec2.Client).CreateVpc, &ec2.CreateVpcInput{CidrBlock: str("10.0.0.0/16")}), []string{"ec2:CreateVpc {ec2}vpc/*"}},
		{"ec2 CreateVpc tagged", of(toEC2, (*ec2.Client).CreateVpc, &ec2.CreateVpcInput{CidrBlock: str("10.0.0.0/16"), TagSpecifications: ec2Tags("vpc")}), []string{"ec2:CreateVpc {ec2}vpc/* aws:RequestTag/Name=x", created("CreateVpc", "{ec2}vpc/*")}},
		{"ec2 CreateSubnet tagged", of(toEC2, (*ec2.Client).CreateSubnet, &ec2.CreateSubnetInput{VpcId: str("vpc-1"), TagSpecifications: ec2Tags("subnet")}),
			[]string{"ec2:CreateSubnet {ec2}vpc/vpc-1", "ec2:CreateSubnet {ec2}subnet/* aws:RequestTag/Name=x", created("CreateSubnet", "{ec2}subnet/*")}},
		{"ec2 ModifyVpcAttribute", of(toEC2, (*ec2.Client).ModifyVpcAttribute, &ec2.ModifyVpcAttributeInput{VpcId: str("vpc-1"), EnableDnsHostnames: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}}), []string{"ec2:ModifyVpcAttribute {ec2}vpc/vpc-1"}},
		{"ec2 DescribeVpcAttribute", of(toEC2, (*ec2.Client).DescribeVpcAttribute, &ec2.DescribeVpcAttributeInput{VpcId: str("vpc-1"), Attribute: "enableDnsSupport"}), []string{"ec2:DescribeVpcAttribute {ec2}vpc/vpc-1"}},
		{"ec2 DescribeVpcs", of(toEC2, (*ec2.Client).DescribeVpcs, &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-1"}}), []string{"ec2:DescribeVpcs * ec2:Region=us-east-1"}},
		{"ec2 DescribeAvailabilityZones", of(toEC2, (*ec2.Client).DescribeAvailabilityZones, &ec2.DescribeAvailabilityZonesInput{}), []string{"ec2:DescribeAvailabilityZones *"}},
		{"ec2 DescribeAccountAttributes", of(toEC2, (*ec2.Client).DescribeAccountAttributes, &ec2.DescribeAccountAttributesInput{}), []string{"ec2:DescribeAccountAttributes *"}},
		{"ec2 DeleteVpc", of(toEC2, (*ec2.Client).DeleteVpc, &ec2.DeleteVpcInput{VpcId: str("vpc-1")}), []string{"ec2:DeleteVpc {ec2}vpc/vpc-1"}},
		{"ec2 DisassociateVpcCidrBlock", of(toEC2, (*ec2.Client).DisassociateVpcCidrBlock, &ec2.DisassociateVpcCidrBlockInput{AssociationId: str("vpc-cidr-assoc-1")}), []string{"ec2:DisassociateVpcCidrBlock {ec2}vpc/vpc-1"}},
		{"ec2 CreateRouteTable", of(toEC2, (*ec2.Client).CreateRouteTable, &ec2.CreateRouteTableInput{VpcId: str("vpc-1")}), []string{"ec2:CreateRouteTable {ec2}vpc/vpc-1", "ec2:CreateRouteTable {ec2}route-table/*"}},
		{"ec2 CreateRoute", of(toEC2, (*ec2.Client).CreateRoute, &ec2.CreateRouteInput{RouteTableId: str("rtb-1"), GatewayId: str("igw-1")}), []string{"ec2:CreateRoute {ec2}route-table/rtb-1"}},
		{"ec2 AssociateRouteTable", of(toEC2, (*ec2.Client).AssociateRouteTable, &ec2.AssociateRouteTableInput{RouteTableId: str("rtb-1"), SubnetId: str("subnet-1")}), []string{"ec2:AssociateRouteTable {ec2}subnet/subnet-1", "ec2:AssociateRouteTable {ec2}route-table/rtb-1"}},
		{"ec2 AssociateRouteTable gateway", of(toEC2, (*ec2.Client).AssociateRouteTable, &ec2.AssociateRouteTableInput{RouteTableId: str("rtb-1"), GatewayId: str("vgw-1")}), []string{"ec2:AssociateRouteTable {ec2}vpn-gateway/vgw-1", "ec2:AssociateRouteTable {ec2}route-table/rtb-1"}},
		{"ec2 DisassociateRouteTable", of(toEC2, (*ec2.Client).DisassociateRouteTable, &ec2.DisassociateRouteTableInput{AssociationId: str("rtbassoc-1")}), []string{"ec2:DisassociateRouteTable {ec2}*/*"}},
		{"ec2 AttachInternetGateway", of(toEC2, (*ec2.Client).AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: str("igw-1"), VpcId: str("vpc-1")}), []string{"ec2:AttachInternetGateway {ec2}internet-gateway/igw-1", "ec2:AttachInternetGateway {ec2}vpc/vpc-1"}},
		{"ec2 CreateNatGateway", of(toEC2, (*ec2.Client).CreateNatGateway, &ec2.CreateNatGatewayInput{SubnetId: str("subnet-1"), AllocationId: str("eipalloc-1"), TagSpecifications: ec2Tags("natgateway")}),
			[]string{"ec2:CreateNatGateway {ec2}natgateway/* aws:RequestTag/Name=x", "ec2:CreateNatGateway {ec2}subnet/subnet-1", "ec2:CreateNatGateway {ec2}elastic-ip/eipalloc-1", created("CreateNatGateway", "{ec2}natgateway/*")}},
		{"ec2 AllocateAddress", of(toEC2, (*ec2.Client).AllocateAddress, &ec2.AllocateAddressInput{Domain: "vpc"}), []string{"ec2:AllocateAddress {ec2}elastic-ip/*"}},
		{"ec2 ReleaseAddress by IP", of(toEC2, (*ec2.Client).ReleaseAddress, &ec2.ReleaseAddressInput{PublicIp: str("203.0.113.7")}), []string{"ec2:ReleaseAddress {ec2}elastic-ip/eipalloc-7"}},
		{"ec2 DisassociateAddress", of(toEC2, (*ec2.Client).DisassociateAddress, &ec2.DisassociateAddressInput{AssociationId: str("eipassoc-1")}), []string{"ec2:DisassociateAddress {ec2}elastic-ip/eipalloc-1", "ec2:DisassociateAddress {ec2}network-interface/eni-1"}},
		{"ec2 CreateSecurityGroup", of(toEC2, (*ec2.Client).CreateSecurityGroup, &ec2.CreateSecurityGroupInput{GroupName: str("g"), Description: str("d"), VpcId: str("vpc-1")}), []string{"ec2:CreateSecurityGroup {ec2}security-group/*", "ec2:CreateSecurityGroup {ec2}vpc/vpc-1"}},
		{"ec2 AuthorizeSecurityGroupIngress", of(toEC2, (*ec2.Client).AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: str("sg-1"), IpPermissions: []ec2types.IpPermission{{IpProtocol: str("tcp")}}}), []string{"ec2:AuthorizeSecurityGroupIngress {ec2}security-group/sg-1"}},
		{"ec2 AuthorizeSecurityGroupIngress by name", of(toEC2, (*ec2.Client).AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupName: str("default")}), []string{"ec2:AuthorizeSecurityGroupIngress {ec2}security-group/sg-default"}},
		{"ec2 AuthorizeSecurityGroupEgress tagged", of(toEC2, (*ec2.Client).AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: str("sg-1"), TagSpecifications: ec2Tags("security-group-rule")}),
			[]string{"ec2:AuthorizeSecurityGroupEgress {ec2}security-group/sg-1", "ec2:AuthorizeSecurityGroupEgress {ec2}security-group-rule/* aws:RequestTag/Name=x", created("AuthorizeSecurityGroupEgress", "{ec2}security-group-rule/*")}},
		{"ec2 ModifySecurityGroupRules", of(toEC2, (*ec2.Client).ModifySecurityGroupRules, &ec2.ModifySecurityGroupRulesInput{GroupId: str("sg-1"), SecurityGroupRules: []ec2types.SecurityGroupRuleUpdate{{SecurityGroupRuleId: str("sgr-1")}, {SecurityGroupRuleId: str("sgr-2")}}}),
			[]string{"ec2:ModifySecurityGroupRules {ec2}security-group/sg-1", "ec2:ModifySecurityGroupRules {ec2}security-group-rule/sgr-1", "ec2:ModifySecurityGroupRules {ec2}security-group-rule/sgr-2"}},
		{"ec2 ReplaceNetworkAclAssociation", of(toEC2, (*ec2.Client).ReplaceNetworkAclAssociation, &ec2.ReplaceNetworkAclAssociationInput{AssociationId: str("aclassoc-1"), NetworkAclId: str("acl-1")}), []string{"ec2:ReplaceNetworkAclAssociation {ec2}network-acl/acl-1", "ec2:ReplaceNetworkAclAssociation {ec2}subnet/subnet-1"}},
		{"ec2 CreateVpcEndpoint", of(toEC2, (*ec2.Client).CreateVpcEndpoint, &ec2.CreateVpcEndpointInput{VpcId: str("vpc-1"), ServiceName: str("s"), RouteTableIds: []string{"rtb-1", "rtb-2"}}),
			[]string{"ec2:CreateVpcEndpoint {ec2}vpc/vpc-1", "ec2:CreateVpcEndpoint {ec2}vpc-endpoint/*", "ec2:CreateVpcEndpoint {ec2}route-table/rtb-1", "ec2:CreateVpcEndpoint {ec2}route-table/rtb-2"}},
		{"ec2 DeleteVpcEndpoints", of(toEC2, (*ec2.Client).DeleteVpcEndpoints, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{"vpce-1", "vpce-2"}}), []string{"ec2:DeleteVpcEndpoints {ec2}vpc-endpoint/vpce-1", "ec2:DeleteVpcEndpoints {ec2}vpc-endpoint/vpce-2"}},
		{"ec2 AssociateDhcpOptions", of(toEC2, (*ec2.Client).AssociateDhcpOptions, &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: str("dopt-1"), VpcId: str("vpc-1")}), []string{"ec2:AssociateDhcpOptions {ec2}dhcp-options/dopt-1", "ec2:AssociateDhcpOptions {ec2}vpc/vpc-1"}},
		{"ec2 AssociateDhcpOptions default", of(toEC2, (*ec2.Client).AssociateDhcpOptions, &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: str("default"), VpcId: str("vpc-1")}), []string{"ec2:AssociateDhcpOptions {ec2}vpc/vpc-1"}},
		{"ec2 CreateNetworkInterface", of(toEC2, (*ec2.Client).CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{SubnetId: str("subnet-1"), Groups: []string{"sg-1"}}),
			[]string{"ec2:CreateNetworkInterface {ec2}subnet/subnet-1", "ec2:CreateNetworkInterface {ec2}network-interface/*", "ec2:CreateNetworkInterface {ec2}security-group/sg-1"}},
		{"ec2 DetachNetworkInterface", of(toEC2, (*ec2.Client).DetachNetworkInterface, &ec2.DetachNetworkInterfaceInput{AttachmentId: str("eni-attach-1")}), []string{"ec2:DetachNetworkInterface {ec2}instance/i-1", "ec2:DetachNetworkInterface {ec2}network-interface/eni-1"}},
		{"ec2 CreateFlowLogs", of(toEC2, (*ec2.Client).CreateFlowLogs, &ec2.CreateFlowLogsInput{ResourceIds: []string{"vpc-1"}, ResourceType: "VPC", DeliverLogsPermissionArn: str("arn:aws:iam::" + account + ":role/logs")}),
			[]string{"ec2:CreateFlowLogs {ec2}vpc-flow-log/*", "ec2:CreateFlowLogs {ec2}vpc/vpc-1", "iam:PassRole {iam}role/logs iam:PassedToService=vpc-flow-logs.amazonaws.com"}},
		{"ec2 CreateTags", of(toEC2, (*ec2.Client).CreateTags, &ec2.CreateTagsInput{Resources: []string{"vpc-1", "eigw-1", "vpce-svc-1", "what-1"}, Tags: []ec2types.Tag{{Key: str("a"), Value: str("")}}}),
			[]string{"ec2:CreateTags {ec2}vpc/vpc-1 aws:RequestTag/a= aws:TagKeys=a", "ec2:CreateTags {ec2}egress-only-internet-gateway/eigw-1", "ec2:CreateTags {ec2}vpc-endpoint-service/vpce-svc-1", "ec2:CreateTags {ec2}*/what-1"}},
		{"ec2 DeleteTags", of(toEC2, (*ec2.Client).DeleteTags, &ec2.DeleteTagsInput{Resources: []string{"sgr-1"}, Tags: []ec2types.Tag{{Key: str("a")}}}), []string{"ec2:DeleteTags {ec2}security-group-rule/sgr-1 aws:TagKeys=a"}},
	}
}

func s3Forms() []form {
	const b, o = "arn:aws:s3:::box", "arn:aws:s3:::box/a/b c"
	box := str("box")
	key := str("a/b c")
	return []form{
		{"ListBuckets", of(toS3, (*s3.Client).ListBuckets, &s3.ListBucketsInput{}), []string{"s3:ListAllMyBuckets *"}},
		{"CreateBucket", of(toS3, (*s3.Client).CreateBucket, &s3.CreateBucketInput{Bucket: box}), []string{"s3:CreateBucket " + b + " s3:authType=REST-HEADER"}},
		{"CreateBucket private", of(toS3, (*s3.Client).CreateBucket, &s3.CreateBucketInput{Bucket: box, ACL: "private"}), []string{"s3:CreateBucket " + b + " s3:x-amz-acl=private"}},
		{"CreateBucket with all", of(toS3, (*s3.Client).CreateBucket, &s3.CreateBucketInput{Bucket: box, ACL: "public-read", ObjectOwnership: "ObjectWriter", ObjectLockEnabledForBucket: aws.Bool(true),
			CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1", Tags: []s3types.Tag{{Key: str("k"), Value: str("v")}}}}),
			[]string{"s3:CreateBucket " + b + " s3:locationconstraint=eu-west-1 aws:RequestTag/k=v", "s3:PutBucketAcl " + b + " s3:x-amz-acl=public-read", "s3:PutBucketObjectLockConfiguration " + b, "s3:PutBucketVersioning " + b,
				"s3:PutBucketOwnershipControls " + b, "s3:TagResource " + b + " aws:RequestTag/k=v aws:TagKeys=k"}},
		{"HeadBucket", of(toS3, (*s3.Client).HeadBucket, &s3.HeadBucketInput{Bucket: box}), []string{"s3:ListBucket " + b}},
		{"HeadBucket with dots", of(toS3, (*s3.Client).HeadBucket, &s3.HeadBucketInput{Bucket: str("a.b.c")}), []string{"s3:ListBucket arn:aws:s3:::a.b.c"}},
		{"DeleteBucket", of(toS3, (*s3.Client).DeleteBucket, &s3.DeleteBucketInput{Bucket: box}), []string{"s3:DeleteBucket " + b}},
		{"ListObjectsV2", of(toS3, (*s3.Client).ListObjectsV2, &s3.ListObjectsV2Input{Bucket: box, Prefix: str("p/"), Delimiter: str("/"), MaxKeys: aws.Int32(7)}), []string{"s3:ListBucket " + b + " s3:prefix=p/ s3:delimiter=/ s3:max-keys=7"}},
		{"ListObjectVersions", of(toS3, (*s3.Client).ListObjectVersions, &s3.ListObjectVersionsInput{Bucket: box}), []string{"s3:ListBucketVersions " + b}},
		{"ListMultipartUploads", of(toS3, (*s3.Client).ListMultipartUploads, &s3.ListMultipartUploadsInput{Bucket: box}), []string{"s3:ListBucketMultipartUploads " + b}},
		{"GetBucketVersioning", of(toS3, (*s3.Client).GetBucketVersioning, &s3.GetBucketVersioningInput{Bucket: box}), []string{"s3:GetBucketVersioning " + b}},
		{"PutBucketVersioning", of(toS3, (*s3.Client).PutBucketVersioning, &s3.PutBucketVersioningInput{Bucket: box, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"}}), []string{"s3:PutBucketVersioning " + b}},
		{"GetBucketEncryption", of(toS3, (*s3.Client).GetBucketEncryption, &s3.GetBucketEncryptionInput{Bucket: box}), []string{"s3:GetEncryptionConfiguration " + b}},
		{"DeleteBucketEncryption", of(toS3, (*s3.Client).DeleteBucketEncryption, &s3.DeleteBucketEncryptionInput{Bucket: box}), []string{"s3:PutEncryptionConfiguration " + b}},
		{"GetBucketCors", of(toS3, (*s3.Client).GetBucketCors, &s3.GetBucketCorsInput{Bucket: box}), []string{"s3:GetBucketCORS " + b}},
		{"DeleteBucketCors", of(toS3, (*s3.Client).DeleteBucketCors, &s3.DeleteBucketCorsInput{Bucket: box}), []string{"s3:PutBucketCORS " + b}},
		{"GetBucketLifecycleConfiguration", of(toS3, (*s3.Client).GetBucketLifecycleConfiguration, &s3.GetBucketLifecycleConfigurationInput{Bucket: box}), []string{"s3:GetLifecycleConfiguration " + b}},
		{"GetBucketAccelerateConfiguration", of(toS3, (*s3.Client).GetBucketAccelerateConfiguration, &s3.GetBucketAccelerateConfigurationInput{Bucket: box}), []string{"s3:GetAccelerateConfiguration " + b}},
		{"GetBucketReplication", of(toS3, (*s3.Client).GetBucketReplication, &s3.GetBucketReplicationInput{Bucket: box}), []string{"s3:GetReplicationConfiguration " + b}},
		{"PutBucketReplication", of(toS3, (*s3.Client).PutBucketReplication, &s3.PutBucketReplicationInput{Bucket: box, ReplicationConfiguration: &s3types.ReplicationConfiguration{Role: str("arn:aws:iam::" + account + ":role/repl"), Rules: []s3types.ReplicationRule{{Status: "Enabled", Destination: &s3types.Destination{Bucket: str("x")}}}}}),
			[]string{"s3:PutReplicationConfiguration " + b, "iam:PassRole {iam}role/repl iam:PassedToService=s3.amazonaws.com"}},
		{"GetObjectLockConfiguration", of(toS3, (*s3.Client).GetObjectLockConfiguration, &s3.GetObjectLockConfigurationInput{Bucket: box}), []string{"s3:GetBucketObjectLockConfiguration " + b}},
		{"GetPublicAccessBlock", of(toS3, (*s3.Client).GetPublicAccessBlock, &s3.GetPublicAccessBlockInput{Bucket: box}), []string{"s3:GetBucketPublicAccessBlock " + b}},
		{"DeletePublicAccessBlock", of(toS3, (*s3.Client).DeletePublicAccessBlock, &s3.DeletePublicAccessBlockInput{Bucket: box}), []string{"s3:PutBucketPublicAccessBlock " + b}},
		{"GetBucketLocation", of(toS3, (*s3.Client).GetBucketLocation, &s3.GetBucketLocationInput{Bucket: box}), []string{"s3:GetBucketLocation " + b}},
		{"PutBucketTagging", of(toS3, (*s3.Client).PutBucketTagging, &s3.PutBucketTaggingInput{Bucket: box, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{{Key: str("k"), Value: str("v")}, {Key: str("l"), Value: str("")}}}}), []string{"s3:PutBucketTagging " + b + " aws:RequestTag/k=v aws:RequestTag/l= aws:TagKeys=k,l"}},
		{"DeleteBucketPolicy", of(toS3, (*s3.Client).DeleteBucketPolicy, &s3.DeleteBucketPolicyInput{Bucket: box}), []string{"s3:DeleteBucketPolicy " + b}},
		{"GetBucketInventoryConfiguration", of(toS3, (*s3.Client).GetBucketInventoryConfiguration, &s3.GetBucketInventoryConfigurationInput{Bucket: box, Id: str("i")}), []string{"s3:GetInventoryConfiguration " + b}},
		{"ListBucketInventoryConfigurations", of(toS3, (*s3.Client).ListBucketInventoryConfigurations, &s3.ListBucketInventoryConfigurationsInput{Bucket: box}), []string{"s3:GetInventoryConfiguration " + b}},
		{"HeadObject", of(toS3, (*s3.Client).HeadObject, &s3.HeadObjectInput{Bucket: box, Key: key}), []string{"s3:GetObject " + o}},
		{"GetObject", of(toS3, (*s3.Client).GetObject, &s3.GetObjectInput{Bucket: box, Key: key, Range: str("bytes=0-9")}), []string{"s3:GetObject " + o}},
		{"GetObject version", of(toS3, (*s3.Client).GetObject, &s3.GetObjectInput{Bucket: box, Key: key, VersionId: str("v1")}), []string{"s3:GetObjectVersion " + o + " s3:VersionId=v1"}},
		{"GetObject encrypted", of(toS3, (*s3.Client).GetObject, &s3.GetObjectInput{Bucket: str("sealed"), Key: str("a")}), []string{"s3:GetObject arn:aws:s3:::sealed/a", "kms:Decrypt " + otherK + " kms:ViaService=s3.us-east-1.amazonaws.com"}},
		{"PutObject", of(toS3, (*s3.Client).PutObject, &s3.PutObjectInput{Bucket: box, Key: key, Body: strings.NewReader("x")}), []string{"s3:PutObject " + o}},
		{"PutObject with all", of(toS3, (*s3.Client).PutObject, &s3.PutObjectInput{Bucket: box, Key: key, Body: strings.NewReader("x"), ACL: "bucket-owner-full-control", Tagging: str("k=v&l=a%20b"), ServerSideEncryption: "aws:kms", SSEKMSKeyId: str("alias/jobs"), ObjectLockLegalHoldStatus: "ON"}),
			[]string{"s3:PutObject " + o + " s3:x-amz-acl=bucket-owner-full-control s3:RequestObjectTag/k=v s3:RequestObjectTagKeys=k,l s3:x-amz-server-side-encryption=aws:kms", "s3:PutObjectAcl " + o, "s3:PutObjectTagging " + o + " s3:RequestObjectTag/k=v",
				"s3:PutObjectLegalHold " + o, "kms:GenerateDataKey " + keyARN}},
		{"PutObject into an encrypted bucket", of(toS3, (*s3.Client).PutObject, &s3.PutObjectInput{Bucket: str("sealed"), Key: str("n"), Body: strings.NewReader("x")}), []string{"s3:PutObject arn:aws:s3:::sealed/n", "kms:GenerateDataKey " + keyARN}},
		{"CopyObject", of(toS3, (*s3.Client).CopyObject, &s3.CopyObjectInput{Bucket: box, Key: key, CopySource: str("from/x%20y")}), []string{"s3:GetObject arn:aws:s3:::from/x y", "s3:PutObject " + o + " s3:x-amz-copy-source=from/x%20y"}},
		{"CopyObject of a version", of(toS3, (*s3.Client).CopyObject, &s3.CopyObjectInput{Bucket: box, Key: key, CopySource: str("/from/x?versionId=v1")}), []string{"s3:GetObjectVersion arn:aws:s3:::from/x s3:VersionId=v1", "s3:PutObject " + o}},
		{"CopyObject with tags", of(toS3, (*s3.Client).CopyObject, &s3.CopyObjectInput{Bucket: box, Key: key, CopySource: str("from/tagged")}), []string{"s3:GetObject arn:aws:s3:::from/tagged", "s3:GetObjectTagging arn:aws:s3:::from/tagged", "s3:PutObject " + o, "s3:PutObjectTagging " + o}},
		{"CreateMultipartUpload", of(toS3, (*s3.Client).CreateMultipartUpload, &s3.CreateMultipartUploadInput{Bucket: box, Key: key}), []string{"s3:PutObject " + o}},
		{"UploadPart", of(toS3, (*s3.Client).UploadPart, &s3.UploadPartInput{Bucket: box, Key: key, UploadId: str("u"), PartNumber: aws.Int32(1), Body: strings.NewReader("x")}), []string{"s3:PutObject " + o}},
		{"UploadPartCopy", of(toS3, (*s3.Client).UploadPartCopy, &s3.UploadPartCopyInput{Bucket: box, Key: key, UploadId: str("u"), PartNumber: aws.Int32(1), CopySource: str("from/x")}), []string{"s3:GetObject arn:aws:s3:::from/x", "s3:PutObject " + o}},
		{"CompleteMultipartUpload", of(toS3, (*s3.Client).CompleteMultipartUpload, &s3.CompleteMultipartUploadInput{Bucket: box, Key: key, UploadId: str("u")}), []string{"s3:PutObject " + o}},
		{"AbortMultipartUpload", of(toS3, (*s3.Client).AbortMultipartUpload, &s3.AbortMultipartUploadInput{Bucket: box, Key: key, UploadId: str("u")}), []string{"s3:AbortMultipartUpload " + o}},
		{"ListParts", of(toS3, (*s3.Client).ListParts, &s3.ListPartsInput{Bucket: box, Key: key, UploadId: str("u")}), []string{"s3:ListMultipartUploadParts " + o}},
		{"GetObjectAttributes", of(toS3, (*s3.Client).GetObjectAttributes, &s3.GetObjectAttributesInput{Bucket: box, Key: key, ObjectAttributes: []s3types.ObjectAttributes{"ETag"}}), []string{"s3:GetObject " + o, "s3:GetObjectAttributes " + o}},
		{"GetObjectTagging version", of(toS3, (*s3.Client).GetObjectTagging, &s3.GetObjectTaggingInput{Bucket: box, Key: key, VersionId: str("v")}), []string{"s3:GetObjectVersionTagging " + o}},
		{"PutObjectAcl", of(toS3, (*s3.Client).PutObjectAcl, &s3.PutObjectAclInput{Bucket: box, Key: key, ACL: "private"}), []string{"s3:PutObjectAcl " + o + " s3:x-amz-acl=private"}},
		{"DeleteObject", of(toS3, (*s3.Client).DeleteObject, &s3.DeleteObjectInput{Bucket: box, Key: key}), []string{"s3:DeleteObject " + o}},
		{"DeleteObject version", of(toS3, (*s3.Client).DeleteObject, &s3.DeleteObjectInput{Bucket: box, Key: key, VersionId: str("v"), BypassGovernanceRetention: aws.Bool(true)}), []string{"s3:DeleteObjectVersion " + o, "s3:BypassGovernanceRetention " + o}},
		{"DeleteObjects", of(toS3, (*s3.Client).DeleteObjects, &s3.DeleteObjectsInput{Bucket: box, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: str("x")}, {Key: str("y"), VersionId: str("v")}}}}),
			[]string{"s3:DeleteObject arn:aws:s3:::box/x", "s3:DeleteObjectVersion arn:aws:s3:::box/y s3:VersionId=v"}},
	}
}

func TestForms(t *testing.T) {
	all := forms()
	for _, f := range s3Forms() {
		all = append(all, form{"s3 " + f.name, f.send, f.want})
	}
	if len(all) < 120 {
		t.Errorf("%d forms, want 120 and more", len(all))
	}
	short := strings.NewReplacer("{ec2}", "arn:aws:ec2:us-east-1:"+account+":", "{kms}", "arn:aws:kms:us-east-1:"+account+":", "{sqs}", "arn:aws:sqs:us-east-1:"+account+":", "{iam}", "arn:aws:iam::"+account+":")
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			c := newClients()
			if err := f.send(t.Context(), c); !errors.Is(err, errCaptured) {
				t.Fatal(err)
			}
			call, err := c.line.read(t, world)
			if err != nil {
				t.Fatal(err)
			}
			checkCall(t, call)
			var want []string
			for _, w := range f.want {
				want = append(want, short.Replace(w))
			}
			var got []string
			for i, n := range call.Needs {
				line := n.Action + " " + n.Resource
				if n.Shown != "" {
					line += " (" + n.Shown + ")"
				}
				// The keys that the want names are compared, the rest is not.
				if i < len(want) {
					for _, word := range strings.Fields(strings.TrimPrefix(want[i], line)) {
						if k, _, ok := strings.Cut(word, "="); ok {
							line += fmt.Sprintf(" %s=%s", k, strings.Join(n.Context[k], ","))
						}
					}
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if op := strings.Fields(f.name)[1]; call.Operation != op && slices.Contains(operations(c.all()[strings.Fields(f.name)[0]]), op) {
				t.Errorf("read as %s", call.Operation)
			}
		})
	}
}
