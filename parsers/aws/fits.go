package aws

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/request"
	"github.com/whittle-iam/whittle/parsers/aws/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Fits tells whether a refusal of a permission can be the answer to a request:
// the permission belongs to the service that was asked, or to one that is
// known to be checked on its behalf with the caller's own rights. A denial
// that does not fit is not believed, so that no text which a reply carries can
// turn a harmless request into a grant somewhere else.
func Fits(x refusal.Exchange, permission string) bool {
	if !words.IsAction(permission) {
		return false
	}
	at, known := request.Locate(x)
	if !known {
		return false
	}
	service, action, _ := strings.Cut(permission, ":")
	switch {
	case service == at.Service:
		return true
	case slices.Contains(anywhere[service], action), slices.Contains(single[at.Service], permission):
		return true
	}
	return slices.Contains(behind[at.Service], service)
}

// anywhere holds what many services check with the caller's rights: a role
// that is handed on, the service's own role that is made on first use, the key
// behind encrypted data, the delivery of logs.
var anywhere = map[string][]string{
	"iam": {"PassRole", "CreateServiceLinkedRole"},
	"kms": {
		"CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
		"GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GetPublicKey", "ListAliases",
		"ListGrants", "ReEncryptFrom", "ReEncryptTo", "Sign", "Verify",
	},
	"logs": {
		"CreateLogDelivery", "CreateLogGroup", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies",
		"GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery",
	},
}

// single holds what one service alone checks of another whose permissions are
// otherwise not its business. EKS looks whether the role of a node group's or of
// Fargate's own is there, and reads a pod's role. Source: EKS User Guide, "Using
// service-linked roles" and "Assign an IAM role to a Kubernetes service account";
// recorded refusals of CreateNodegroup name iam:GetRole.
var single = map[string][]string{
	"eks": {"iam:GetRole"},
}

// behind holds the services that stand behind another: their permissions are
// checked with the caller's rights when the first is asked. Source: the
// dependent actions in the Service Authorization Reference, and the required
// permissions of each service's own user guide. iam and sts are in no row.
var behind = map[string][]string{
	"acm":                     {"acm-pca"},
	"apigateway":              {"acm", "cognito-idp", "ec2", "elasticloadbalancing", "lambda", "vpc-lattice", "wafv2"},
	"application-autoscaling": {"cloudwatch", "dynamodb", "ec2", "ecs", "lambda", "rds", "sagemaker"},
	"appsync":                 {"dynamodb", "es", "lambda", "rds-data"},
	"athena":                  {"glue", "lakeformation", "s3"},
	"autoscaling":             {"cloudwatch", "ec2", "elasticloadbalancing", "vpc-lattice"},
	"backup":                  {"backup-storage", "dynamodb", "ec2", "elasticfilesystem", "rds", "s3"},
	"batch":                   {"ec2", "ecs"},
	"bedrock":                 {"aoss", "s3", "secretsmanager"},
	"cloudformation":          {"s3", "sns", "ssm"},
	"cloudfront":              {"acm", "firehose", "kinesis", "lambda", "s3", "wafv2"},
	"cloudtrail":              {"organizations", "s3", "sns"},
	"cloudwatch":              {"autoscaling", "ec2", "sns"},
	"codebuild":               {"codeconnections", "codestar-connections", "ec2", "ecr", "s3", "secretsmanager"},
	"codepipeline":            {"codeconnections", "codestar-connections", "s3"},
	"config":                  {"organizations", "s3", "sns"},
	"datasync":                {"ec2", "elasticfilesystem", "fsx", "s3"},
	"dms":                     {"ec2"},
	"ds":                      {"ec2"},
	"dynamodb":                {"dax", "kinesis", "s3"},
	"ec2": {
		"acm", "cloudwatch", "elasticloadbalancing", "firehose", "license-manager", "network-firewall", "ram",
		"resource-groups", "route53", "s3", "secretsmanager", "ssm", "vpce",
	},
	"ecr":                  {"codeconnections", "ecr-public", "secretsmanager"},
	"ecs":                  {"application-autoscaling", "ec2", "elasticloadbalancing", "secretsmanager", "servicediscovery", "ssm"},
	"eks":                  {"ec2", "elasticloadbalancing"},
	"elasticache":          {"ec2", "firehose", "s3"},
	"elasticbeanstalk":     {"autoscaling", "cloudformation", "cloudwatch", "ec2", "ecs", "elasticloadbalancing", "s3", "sns"},
	"elasticfilesystem":    {"ec2"},
	"elasticloadbalancing": {"acm", "ec2", "s3", "vpce", "wafv2"},
	"elasticmapreduce":     {"ec2", "s3"},
	"es":                   {"cognito-idp", "ec2"},
	"events":               {"kinesis", "lambda", "schemas", "secretsmanager", "sns", "sqs"},
	"firehose":             {"glue", "kinesis", "lambda", "s3"},
	"fsx":                  {"ds", "ec2", "s3"},
	"globalaccelerator":    {"ec2", "elasticloadbalancing"},
	"glue":                 {"ec2", "lakeformation", "s3"},
	"guardduty":            {"ec2", "organizations", "s3"},
	"imagebuilder":         {"ec2", "ecr", "s3", "sns"},
	"kafka":                {"ec2"},
	"kafkaconnect":         {"ec2", "firehose", "s3"},
	"kms":                  {"cloudhsm", "ec2"},
	"lakeformation":        {"glue", "s3"},
	"lambda":               {"dynamodb", "ec2", "ecr", "elasticfilesystem", "kafka", "kinesis", "s3", "secretsmanager", "sns", "sqs"},
	"logs":                 {"firehose", "kinesis", "lambda", "s3"},
	"memorydb":             {"ec2"},
	"mq":                   {"ec2"},
	"network-firewall":     {"ec2", "firehose", "s3"},
	"pipes":                {"dynamodb", "kafka", "kinesis", "sqs"},
	"ram":                  {"ec2", "organizations"},
	"rds":                  {"ec2", "s3", "secretsmanager"},
	"redshift":             {"ec2", "secretsmanager"},
	"redshift-serverless":  {"ec2", "secretsmanager"},
	"route53":              {"ec2", "cloudwatch"},
	"route53resolver":      {"ec2", "firehose", "s3"},
	"s3":                   {"s3-object-lambda", "s3express", "s3tables"},
	"sagemaker":            {"ec2", "ecr", "s3"},
	"scheduler":            {"events"},
	"secretsmanager":       {"lambda"},
	"servicecatalog":       {"cloudformation", "s3"},
	"servicediscovery":     {"ec2", "route53"},
	"sns":                  {"firehose", "lambda", "sqs"},
	"ssm":                  {"ec2", "s3", "sns"},
	"states":               {"events", "lambda"},
	"transfer":             {"ec2", "s3"},
	"vpc-lattice":          {"acm", "ec2", "elasticloadbalancing", "firehose", "s3"},
	"wafv2":                {"apigateway", "appsync", "cloudfront", "cognito-idp", "elasticloadbalancing", "firehose", "s3"},
	"workspaces":           {"ds", "ec2"},
}
