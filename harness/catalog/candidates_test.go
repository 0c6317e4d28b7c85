package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const testAccount = "111122223333"

var errCaptured = errors.New("captured")

// capture is a transport that keeps the last request and sends nothing.
type capture struct {
	request *http.Request
	body    []byte
}

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	c.request, c.body = r, nil
	if r.Body != nil {
		c.body, _ = io.ReadAll(r.Body)
	}
	return nil, errCaptured
}

// said runs call against the real SDK and gives the candidates of the request
// that the SDK makes, one "permission resource" each, "!" before those that
// escalate.
func said(t *testing.T, call func(context.Context, aws.Config) error) []string {
	t.Helper()
	var c capture
	cfg := aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient: &http.Client{Transport: &c}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	err := call(t.Context(), cfg)
	if c.request == nil {
		t.Fatalf("the SDK sent no request: %v", err)
	}
	var out []string
	for _, k := range Candidates(c.request.Method, c.request.URL, c.request.Header, c.body, testAccount) {
		s := k.Permission + " " + k.Resource
		if k.Escalates {
			s = "!" + s
		}
		out = append(out, s)
	}
	return out
}

func TestCandidatesOfSDK(t *testing.T) {
	const (
		e    = "arn:aws:ec2:us-east-1:111122223333:"
		k    = "arn:aws:kms:us-east-1:111122223333:"
		role = "arn:aws:iam::111122223333:role/"
		b    = "arn:aws:s3:::artifacts"
	)
	bucket, key := aws.String("artifacts"), aws.String("a b/c*.txt")
	keyID := "0f0e0d0c-1111-2222-3333-444455556666"
	queue := aws.String("https://sqs.us-east-1.amazonaws.com/111122223333/jobs")
	tags := []ec2types.TagSpecification{{ResourceType: "vpc", Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("x")}}}}
	for _, c := range []struct {
		name string
		call func(context.Context, aws.Config) error
		want []string
	}{
		{"CreateVpc", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
			return err
		}, []string{"ec2:CreateVpc " + e + "vpc/*"}},
		{"CreateVpc with tags", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16"), TagSpecifications: tags})
			return err
		}, []string{"ec2:CreateVpc " + e + "vpc/*", "ec2:CreateTags " + e + "vpc/*"}},
		{"DescribeVpcs", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-1"}})
			return err
		}, []string{"ec2:DescribeVpcs *"}},
		{"GetTransitGatewayRouteTableAssociations", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).GetTransitGatewayRouteTableAssociations(ctx, &ec2.GetTransitGatewayRouteTableAssociationsInput{TransitGatewayRouteTableId: aws.String("tgw-rtb-1")})
			return err
		}, []string{"ec2:GetTransitGatewayRouteTableAssociations *"}},
		{"DescribeVpcAttribute", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).DescribeVpcAttribute(ctx, &ec2.DescribeVpcAttributeInput{VpcId: aws.String("vpc-1"), Attribute: "enableDnsSupport"})
			return err
		}, []string{"ec2:DescribeVpcAttribute " + e + "vpc/vpc-1"}},
		{"CopySnapshot", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CopySnapshot(ctx, &ec2.CopySnapshotInput{SourceSnapshotId: aws.String("snap-1"), SourceRegion: aws.String("us-east-1")})
			return err
		}, []string{"ec2:CopySnapshot arn:aws:ec2:us-east-1::snapshot/*"}},
		{"DeleteVpc", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: aws.String("vpc-1")})
			return err
		}, []string{"ec2:DeleteVpc " + e + "vpc/vpc-1"}},
		{"ModifyVpcAttribute", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).ModifyVpcAttribute(ctx, &ec2.ModifyVpcAttributeInput{VpcId: aws.String("vpc-1"), EnableDnsSupport: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}})
			return err
		}, []string{"ec2:ModifyVpcAttribute " + e + "vpc/vpc-1"}},
		{"CreateSubnet", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: aws.String("vpc-1"), CidrBlock: aws.String("10.0.1.0/24")})
			return err
		}, []string{"ec2:CreateSubnet " + e + "subnet/*", "ec2:CreateSubnet " + e + "vpc/vpc-1"}},
		{"CreateSecurityGroup", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("web"), Description: aws.String("d"), VpcId: aws.String("vpc-1")})
			return err
		}, []string{"ec2:CreateSecurityGroup " + e + "security-group/*", "ec2:CreateSecurityGroup " + e + "vpc/vpc-1"}},
		{"AuthorizeSecurityGroupIngress", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String("sg-1")})
			return err
		}, []string{"ec2:AuthorizeSecurityGroupIngress " + e + "security-group-rule/*", "ec2:AuthorizeSecurityGroupIngress " + e + "security-group/sg-1"}},
		{"AttachInternetGateway", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{InternetGatewayId: aws.String("igw-1"), VpcId: aws.String("vpc-1")})
			return err
		}, []string{"ec2:AttachInternetGateway " + e + "internet-gateway/igw-1", "ec2:AttachInternetGateway " + e + "vpc/vpc-1"}},
		{"CreateRoute", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: aws.String("rtb-1"), DestinationCidrBlock: aws.String("0.0.0.0/0")})
			return err
		}, []string{"ec2:CreateRoute " + e + "route-table/rtb-1"}},
		{"DisassociateRouteTable", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).DisassociateRouteTable(ctx, &ec2.DisassociateRouteTableInput{AssociationId: aws.String("rtbassoc-1")})
			return err
		}, []string{"ec2:DisassociateRouteTable " + e + "route-table/*"}},
		{"CreateTags", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{"vpc-1", "subnet-1"}, Tags: tags[0].Tags})
			return err
		}, []string{"ec2:CreateTags " + e + "subnet/subnet-1", "ec2:CreateTags " + e + "vpc/vpc-1"}},
		{"RunInstances", func(ctx context.Context, c aws.Config) error {
			_, err := ec2.NewFromConfig(c).RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-1"), SubnetId: aws.String("subnet-1"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
				IamInstanceProfile: &ec2types.IamInstanceProfileSpecification{Name: aws.String("web")}})
			return err
		}, []string{
			"ec2:RunInstances " + e + "instance/*", "ec2:RunInstances " + e + "network-interface/*", "ec2:RunInstances " + e + "volume/*",
			"ec2:RunInstances arn:aws:ec2:us-east-1::image/ami-1", "ec2:RunInstances " + e + "subnet/subnet-1",
			"ec2:RunInstances " + e + "security-group/*", "!iam:PassRole " + role + "*",
		}},
		{"CreateKey with policy and tags", func(ctx context.Context, c aws.Config) error {
			_, err := kms.NewFromConfig(c).CreateKey(ctx, &kms.CreateKeyInput{Policy: aws.String("{}x"), Tags: []kmstypes.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}})
			return err
		}, []string{"kms:CreateKey *", "kms:TagResource *", "!kms:PutKeyPolicy " + k + "key/*"}},
		{"DescribeKey", func(ctx context.Context, c aws.Config) error {
			_, err := kms.NewFromConfig(c).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &keyID})
			return err
		}, []string{"kms:DescribeKey " + k + "key/" + keyID}},
		{"CreateAlias", func(ctx context.Context, c aws.Config) error {
			_, err := kms.NewFromConfig(c).CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/jobs"), TargetKeyId: &keyID})
			return err
		}, []string{"kms:CreateAlias " + k + "alias/jobs", "kms:CreateAlias " + k + "key/" + keyID}},
		{"CreateQueue with tags", func(ctx context.Context, c aws.Config) error {
			_, err := sqs.NewFromConfig(c).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("jobs"), Tags: map[string]string{"a": "b"}})
			return err
		}, []string{"sqs:CreateQueue arn:aws:sqs:us-east-1:111122223333:jobs", "sqs:TagQueue arn:aws:sqs:us-east-1:111122223333:jobs"}},
		{"GetQueueAttributes", func(ctx context.Context, c aws.Config) error {
			_, err := sqs.NewFromConfig(c).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue})
			return err
		}, []string{"sqs:GetQueueAttributes arn:aws:sqs:us-east-1:111122223333:jobs"}},
		{"CreateRole with tags", func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("worker"), Path: aws.String("/app/"), AssumeRolePolicyDocument: aws.String("{}"), Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
			return err
		}, []string{"iam:CreateRole " + role + "app/worker", "iam:TagRole " + role + "app/worker"}},
		{"AttachRolePolicy", func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("worker"), PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
			return err
		}, []string{"!iam:AttachRolePolicy " + role + "worker"}},
		{"ListRolePolicies", func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String("worker")})
			return err
		}, []string{"iam:ListRolePolicies " + role + "worker"}},
		{"AddRoleToInstanceProfile", func(ctx context.Context, c aws.Config) error {
			_, err := iam.NewFromConfig(c).AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{RoleName: aws.String("worker"), InstanceProfileName: aws.String("web")})
			return err
		}, []string{"iam:AddRoleToInstanceProfile arn:aws:iam::111122223333:instance-profile/web", "!iam:PassRole " + role + "worker"}},
		{"GetCallerIdentity", func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			return err
		}, []string{"sts:GetCallerIdentity *"}},
		{"AssumeRole", func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(role + "worker"), RoleSessionName: aws.String("s")})
			return err
		}, []string{"!sts:AssumeRole " + role + "worker"}},

		{"ListBuckets", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).ListBuckets(ctx, &s3.ListBucketsInput{})
			return err
		}, []string{"s3:ListAllMyBuckets *"}},
		{"HeadBucket", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
			return err
		}, []string{"s3:ListBucket " + b}},
		{"HeadBucket, path style", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
			return err
		}, []string{"s3:ListBucket " + b}},
		{"ListObjectsV2", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		}, []string{"s3:ListBucket " + b}},
		{"CreateBucket with a private ACL", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, ACL: "private"})
			return err
		}, []string{"s3:CreateBucket " + b}},
		{"CreateBucket with everything", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, ACL: "public-read", ObjectLockEnabledForBucket: aws.Bool(true), ObjectOwnership: "ObjectWriter"})
			return err
		}, []string{
			"s3:CreateBucket " + b, "!s3:PutBucketAcl " + b, "s3:PutBucketObjectLockConfiguration " + b, "s3:PutBucketVersioning " + b, "s3:PutBucketOwnershipControls " + b,
		}},
		{"GetObject, a key with a wildcard", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
			return err
		}, []string{"s3:GetObject " + b + "/a b/c${*}.txt", "s3:ListBucket " + b}},
		{"HeadObject of a version", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("a"), VersionId: aws.String("v")})
			return err
		}, []string{"s3:GetObjectVersion " + b + "/a"}},
		{"PutObject with everything", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("a"), Body: strings.NewReader("x"), ACL: "private", Tagging: aws.String("a=b"),
				ObjectLockMode: "GOVERNANCE", ObjectLockLegalHoldStatus: "ON", ServerSideEncryption: "aws:kms", SSEKMSKeyId: &keyID})
			return err
		}, []string{
			"s3:PutObject " + b + "/a", "!s3:PutObjectAcl " + b + "/a", "s3:PutObjectTagging " + b + "/a", "s3:PutObjectRetention " + b + "/a", "s3:PutObjectLegalHold " + b + "/a",
			"kms:GenerateDataKey " + k + "key/" + keyID,
		}},
		{"CopyObject", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("a"), CopySource: aws.String("other/b%2Bc?versionId=v")})
			return err
		}, []string{"s3:PutObject " + b + "/a", "s3:GetObjectVersion arn:aws:s3:::other/b+c", "s3:GetObjectVersionTagging arn:aws:s3:::other/b+c"}},
		{"AbortMultipartUpload", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("a"), UploadId: aws.String("u")})
			return err
		}, []string{"s3:AbortMultipartUpload " + b + "/a"}},
		{"CreateMultipartUpload", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("a")})
			return err
		}, []string{"s3:PutObject " + b + "/a"}},
		{"ListParts", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: aws.String("a"), UploadId: aws.String("u")})
			return err
		}, []string{"s3:ListMultipartUploadParts " + b + "/a"}},
		{"DeleteObjects", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("b"), VersionId: aws.String("v")}}}})
			return err
		}, []string{"s3:DeleteObject " + b + "/a", "s3:DeleteObjectVersion " + b + "/b"}},
		{"DeleteObject with bypass", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a"), VersionId: aws.String("v"), BypassGovernanceRetention: aws.Bool(true)})
			return err
		}, []string{"s3:DeleteObjectVersion " + b + "/a", "s3:BypassGovernanceRetention " + b + "/a"}},
		{"PutObjectAcl", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: bucket, Key: aws.String("a"), ACL: "private"})
			return err
		}, []string{"!s3:PutObjectAcl " + b + "/a"}},
		{"GetObjectTagging of a version", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: aws.String("a"), VersionId: aws.String("v")})
			return err
		}, []string{"s3:GetObjectVersionTagging " + b + "/a"}},
		{"GetObjectAttributes", func(ctx context.Context, c aws.Config) error {
			_, err := s3.NewFromConfig(c).GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: bucket, Key: aws.String("a"), ObjectAttributes: []s3types.ObjectAttributes{"ETag"}})
			return err
		}, []string{"s3:GetObject " + b + "/a", "s3:GetObjectAttributes " + b + "/a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(t, c.call); !slices.Equal(got, c.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

// Every sub-resource that a bucket has, as the SDK asks for it.
func TestCandidatesOfBucketReads(t *testing.T) {
	b := aws.String("artifacts")
	id := aws.String("x")
	type call = func(context.Context, *s3.Client) error
	for want, do := range map[string]call{
		"GetAccelerateConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketAccelerateConfiguration(ctx, &s3.GetBucketAccelerateConfigurationInput{Bucket: b})
			return err
		},
		"GetBucketAcl": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: b})
			return err
		},
		"GetAnalyticsConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketAnalyticsConfiguration(ctx, &s3.GetBucketAnalyticsConfigurationInput{Bucket: b, Id: id})
			return err
		},
		"GetBucketCORS": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: b})
			return err
		},
		"GetEncryptionConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: b})
			return err
		},
		"GetIntelligentTieringConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.ListBucketIntelligentTieringConfigurations(ctx, &s3.ListBucketIntelligentTieringConfigurationsInput{Bucket: b})
			return err
		},
		"GetInventoryConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.ListBucketInventoryConfigurations(ctx, &s3.ListBucketInventoryConfigurationsInput{Bucket: b})
			return err
		},
		"GetLifecycleConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: b})
			return err
		},
		"GetBucketLocation": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: b})
			return err
		},
		"GetBucketLogging": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: b})
			return err
		},
		"GetMetricsConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketMetricsConfiguration(ctx, &s3.GetBucketMetricsConfigurationInput{Bucket: b, Id: id})
			return err
		},
		"GetBucketNotification": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: b})
			return err
		},
		"GetBucketObjectLockConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: b})
			return err
		},
		"GetBucketOwnershipControls": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: b})
			return err
		},
		"GetBucketPolicy": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b})
			return err
		},
		"GetBucketPolicyStatus": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: b})
			return err
		},
		"GetBucketPublicAccessBlock": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b})
			return err
		},
		"GetReplicationConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: b})
			return err
		},
		"GetBucketRequestPayment": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: b})
			return err
		},
		"GetBucketTagging": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: b})
			return err
		},
		"ListBucketMultipartUploads": func(ctx context.Context, c *s3.Client) error {
			_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b})
			return err
		},
		"GetBucketVersioning": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: b})
			return err
		},
		"ListBucketVersions": func(ctx context.Context, c *s3.Client) error {
			_, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b})
			return err
		},
		"GetBucketWebsite": func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: b})
			return err
		},
		"PutLifecycleConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: b})
			return err
		},
		"PutBucketTagging": func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: b})
			return err
		},
		"PutEncryptionConfiguration": func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: b})
			return err
		},
		"DeleteBucketWebsite": func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeleteBucketWebsite(ctx, &s3.DeleteBucketWebsiteInput{Bucket: b})
			return err
		},
		"PutBucketPublicAccessBlock": func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: b})
			return err
		},
		"PutBucketVersioning": func(ctx context.Context, c *s3.Client) error {
			_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: b, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"}})
			return err
		},
	} {
		got := said(t, func(ctx context.Context, cfg aws.Config) error { return do(ctx, s3.NewFromConfig(cfg)) })
		if !slices.Equal(got, []string{"s3:" + want + " arn:aws:s3:::artifacts"}) {
			t.Errorf("%s: got %q", want, got)
		}
	}
}

func TestCandidatesOfNothing(t *testing.T) {
	for _, c := range []struct{ method, url, body string }{
		{"GET", "https://example.com/", ""},
		{"GET", "https://id.execute-api.us-east-1.amazonaws.com/prod", ""},
		{"POST", "https://web-1.us-east-1.elb.amazonaws.com/", "Action=CreateUser"},
		{"POST", "https://iam.amazonaws.com/", ""},
		{"POST", "https://iam.amazonaws.com/", "Action=Create%20User"},
		{"GET", "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f", ""},
		{"POST", "https://artifacts.s3.us-east-1.amazonaws.com/?delete", "<broken"},
		{"PATCH", "https://artifacts.s3.us-east-1.amazonaws.com/a", ""},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		if got := Candidates(c.method, u, h, []byte(c.body), testAccount); len(got) > 0 {
			t.Errorf("%s %s %s: got %v, want none", c.method, c.url, c.body, got)
		}
	}
	if got := Candidates("GET", nil, nil, nil, ""); got != nil {
		t.Errorf("no URL: got %v", got)
	}
}

func TestCandidatesOfS3Control(t *testing.T) {
	u, _ := url.Parse("https://111122223333.s3-control.us-east-1.amazonaws.com/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Aartifacts")
	got := Candidates("GET", u, http.Header{}, nil, testAccount)
	want := []Candidate{{Permission: "s3:ListTagsForResource", Resource: "arn:aws:s3:::artifacts"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Services that refuse by a bare name, or by none, leave the ARN to be made of
// the request.
func TestCandidatesOfNames(t *testing.T) {
	const at = ":us-east-1:" + testAccount + ":"
	for _, c := range []struct{ service, target, body, want string }{
		{"logs", "Logs_20140328.CreateLogGroup", `{"logGroupName":"/app","tags":{"a":"b"}}`, "logs:CreateLogGroup arn:aws:logs" + at + "log-group:/app:log-stream: logs:TagResource arn:aws:logs" + at + "log-group:/app"},
		{"logs", "Logs_20140328.PutRetentionPolicy", `{"logGroupName":"/*"}`, "logs:PutRetentionPolicy arn:aws:logs" + at + "log-group:/${*}:log-stream:"},
		{"secretsmanager", "secretsmanager.CreateSecret", `{"Name":"app/db"}`, "secretsmanager:CreateSecret arn:aws:secretsmanager" + at + "secret:app/db-??????"},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"app/db"}`, "secretsmanager:GetSecretValue arn:aws:secretsmanager" + at + "secret:app/db-??????"},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"arn:aws:secretsmanager` + at + `secret:app/db-AbCdEf"}`, "secretsmanager:GetSecretValue arn:aws:secretsmanager" + at + "secret:app/db-??????"},
	} {
		u, _ := url.Parse("https://" + c.service + ".us-east-1.amazonaws.com/")
		h := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {c.target}}
		var got []string
		for _, k := range Candidates("POST", u, h, []byte(c.body), testAccount) {
			got = append(got, k.Permission, Widen(k.Resource))
		}
		// Widen gives a log group with its streams; here it is the request's own.
		if text := strings.ReplaceAll(strings.Join(got, " "), "log-stream:*", "log-stream:"); text != c.want {
			t.Errorf("%s %s: got %s\nwant %s", c.target, c.body, text, c.want)
		}
	}
}

func FuzzCandidates(f *testing.F) {
	f.Add("PUT", "https://b.s3.us-east-1.amazonaws.com/k?acl", "X-Amz-Acl", "private", []byte(""))
	f.Add("POST", "https://ec2.us-east-1.amazonaws.com/", "Content-Type", "application/x-www-form-urlencoded", []byte("Action=CreateSubnet&VpcId=vpc-1"))
	f.Add("POST", "https://sqs.us-east-1.amazonaws.com/", "X-Amz-Target", "AmazonSQS.CreateQueue", []byte(`{"QueueName":"q"}`))
	f.Fuzz(func(t *testing.T, method, rawURL, header, value string, body []byte) {
		u, err := url.Parse(rawURL)
		if err != nil {
			return
		}
		h := http.Header{}
		h.Set(header, value)
		before := bytes.Clone(body)
		got := Candidates(method, u, h, body, testAccount)
		if !slices.Equal(got, Candidates(method, u, h, body, testAccount)) {
			t.Fatal("two answers to one request")
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		for _, c := range got {
			if strings.ContainsAny(c.Permission, "*?") || !strings.Contains(c.Permission, ":") || c.Resource == "" {
				t.Fatalf("bad candidate %+v", c)
			}
		}
	})
}
