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
	// IAMProfileRole: instance profile's name or ARN → ARN of the role in it.
	IAMProfileRole Fact = "iam.profile-role"
	// EC2Address: association id or public IP → allocation id.
	EC2Address Fact = "ec2.address"
	// EC2Interface: address association id, public IP or attachment id →
	// network interface id.
	EC2Interface Fact = "ec2.interface"
	// EC2Instance: network interface attachment id, instance profile
	// association id, or id of an attached volume → instance id.
	EC2Instance Fact = "ec2.instance"
	// EC2Subnet: subnet CIDR or network ACL association id → subnet id.
	EC2Subnet Fact = "ec2.subnet"
	// EC2VPC: VPC CIDR association id or subnet id → id of its VPC; VPC peering
	// connection id → id of the VPC on the accepter's side.
	EC2VPC Fact = "ec2.vpc"
	// EC2Group: security group name → id of the group in the default VPC.
	EC2Group Fact = "ec2.group"
	// EC2Permission: network interface permission id → network interface id.
	EC2Permission Fact = "ec2.permission"
	// EC2Key: key pair id → the key pair's name.
	EC2Key Fact = "ec2.key"
	// EC2Template: launch template's name → its id. The facts after it take an
	// id or a name, and say what the latest version holds.
	EC2Template       Fact = "ec2.template"
	EC2TemplateImage  Fact = "ec2.template-image"  // image id
	EC2TemplateSubnet Fact = "ec2.template-subnet" // subnet id
	EC2TemplateGroup  Fact = "ec2.template-group"  // security group ids
	EC2TemplateKey    Fact = "ec2.template-key"    // key pair's name
	EC2TemplateRole   Fact = "ec2.template-role"   // ARN of the role in its instance profile
	EC2TemplateTags   Fact = "ec2.template-tags"   // types of what is tagged
	// AutoScalingGroup: group's name → its id, which its ARN has.
	AutoScalingGroup Fact = "autoscaling.group"
	// AutoScalingInstance: instance id → name of its group.
	AutoScalingInstance Fact = "autoscaling.instance"
	// S3BucketKey: bucket → ARN of the KMS key of its default encryption.
	S3BucketKey Fact = "s3.bucket-key"
	// S3ObjectKey: "bucket/key" → ARN of the KMS key that the object is
	// encrypted with.
	S3ObjectKey Fact = "s3.object-key"
	// S3ObjectTagged: "bucket/key" → anything, when the object has tags.
	S3ObjectTagged Fact = "s3.object-tagged"
	// SQSKey: queue ARN → KMS key of the queue, in any form of a key id.
	SQSKey Fact = "sqs.key"
	// Keys of what is encrypted, in any form of a key id: a topic's by its ARN,
	// a secret's, a table's and a stream's by name or ARN, a parameter's by name.
	SNSKey     Fact = "sns.key"
	SecretKey  Fact = "secretsmanager.key"
	TableKey   Fact = "dynamodb.key"
	ParamKey   Fact = "ssm.key"
	KinesisKey Fact = "kinesis.key"
	// SecretARN: a secret's name, or its ARN with or without the characters at
	// its end → its ARN.
	SecretARN Fact = "secretsmanager.secret"
)

// facts is what a row may ask for.
var facts = map[Fact]bool{
	KMSAlias: true, IAMRole: true, IAMUser: true, IAMGroup: true, IAMProfile: true, IAMCert: true, IAMAccessID: true, IAMServiceRole: true, IAMProfileRole: true,
	EC2Address: true, EC2Interface: true, EC2Instance: true, EC2Subnet: true, EC2VPC: true, EC2Group: true, EC2Permission: true, EC2Key: true,
	EC2Template: true, EC2TemplateImage: true, EC2TemplateSubnet: true, EC2TemplateGroup: true, EC2TemplateKey: true, EC2TemplateRole: true, EC2TemplateTags: true,
	AutoScalingGroup: true, AutoScalingInstance: true,
	S3BucketKey: true, S3ObjectKey: true, S3ObjectTagged: true, SQSKey: true,
	SNSKey: true, SecretKey: true, SecretARN: true, TableKey: true, ParamKey: true, KinesisKey: true,
}
