package rows

// Fact names a question to a [Lookup].
type Fact string

// The facts that rows ask for. Where one is unknown, the resource is the whole
// type ("…:key/*"), or the need is left out where the row says so.
const (
	// KMSAlias: alias name ("alias/x") or alias ARN → ARN of its key.
	KMSAlias Fact = "kms.alias"
	// Paths of existing IAM entities: name → path ("/", "/team/").
	IAMRole     Fact = "iam.role"
	IAMUser     Fact = "iam.user"
	IAMGroup    Fact = "iam.group"
	IAMProfile  Fact = "iam.instance-profile"
	IAMCert     Fact = "iam.server-certificate"
	IAMAccessID Fact = "iam.access-key" // access key id → user name with path, no leading slash
	// IAMServiceRole: service ("ecs.amazonaws.com") → name of its service-linked role.
	IAMServiceRole Fact = "iam.service-role"
	// EC2Address: association id or public IP → allocation id.
	EC2Address Fact = "ec2.address"
	// EC2Interface: address association id, public IP or attachment id →
	// network interface id.
	EC2Interface Fact = "ec2.interface"
	// EC2Instance: network interface attachment id → instance id.
	EC2Instance Fact = "ec2.instance"
	// EC2Subnet: subnet CIDR or network ACL association id → subnet id.
	EC2Subnet Fact = "ec2.subnet"
	// EC2VPC: VPC CIDR association id or VPC peering connection id → id of the
	// VPC on the accepter's side.
	EC2VPC Fact = "ec2.vpc"
	// EC2Group: security group name → id of the group in the default VPC.
	EC2Group Fact = "ec2.group"
	// EC2Permission: network interface permission id → network interface id.
	EC2Permission Fact = "ec2.permission"
	// S3BucketKey: bucket → ARN of the KMS key of its default encryption.
	S3BucketKey Fact = "s3.bucket-key"
	// S3ObjectKey: "bucket/key" → ARN of the KMS key that the object is
	// encrypted with.
	S3ObjectKey Fact = "s3.object-key"
	// S3ObjectTagged: "bucket/key" → anything, when the object has tags.
	S3ObjectTagged Fact = "s3.object-tagged"
	// SQSKey: queue ARN → KMS key of the queue, in any form of a key id.
	SQSKey Fact = "sqs.key"
)

// facts is what a row may ask for.
var facts = map[Fact]bool{
	KMSAlias: true, IAMRole: true, IAMUser: true, IAMGroup: true, IAMProfile: true, IAMCert: true, IAMAccessID: true, IAMServiceRole: true,
	EC2Address: true, EC2Interface: true, EC2Instance: true, EC2Subnet: true, EC2VPC: true, EC2Group: true, EC2Permission: true,
	S3BucketKey: true, S3ObjectKey: true, S3ObjectTagged: true, SQSKey: true,
}
