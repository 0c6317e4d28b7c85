package aws

import (
	"testing"

	"github.com/whittle-iam/whittle/parsers/aws/request"
)

// A resource of another service, or of another partition, is none that the
// permission can have been checked on.
func TestResourceFits(t *testing.T) {
	for _, c := range []struct {
		permission, resource string
		want                 bool
	}{
		{"sqs:CreateQueue", "arn:aws:sqs:us-east-1:111122223333:q", true},
		{"sqs:CreateQueue", "arn:aws-cn:sqs:us-east-1:111122223333:q", false},
		{"sqs:CreateQueue", "arn:*:sqs:us-east-1:111122223333:q", false},
		{"sqs:CreateQueue", "arn:aws:iam::111122223333:role/admin", false},
		{"sqs:CreateQueue", "arn:aws::us-east-1:111122223333:q", true},
		{"sqs:CreateQueue", "arn:aws:*:us-east-1:111122223333:q", true},
		{"sqs:CreateQueue", "arn:aws:s*:us-east-1:111122223333:q", false},
		{"sqs:CreateQueue", "ARN:aws:sqs:us-east-1:111122223333:q", false},
		{"sqs:CreateQueue", "arn:aws", false},
		{"sqs:CreateQueue", "*", true},
		{"sqs:CreateQueue", "", true},
		{"sqs:CreateQueue", "the queue", true},
		{"sts:AssumeRole", "arn:aws:iam::111122223333:role/r", true},
		{"iam:PassRole", "arn:aws:sts::111122223333:assumed-role/r/s", false},
		{"vpce:AllowMultiRegion", "arn:aws:ec2:us-east-1:111122223333:vpc-endpoint-service/vpce-svc-0", true},
		{"kinesis:StartStreamEncryption", "arn:aws:kms:us-east-1:111122223333:key/k", true},
		{"ssm:SendCommand", "arn:aws:ec2:us-east-1:111122223333:instance/i-0", true},
		{"elasticloadbalancing:AddTags", "arn:aws:elasticloadbalancing:us-east-1:*", true},
	} {
		if got := resourceFits(request.Place{Partition: "aws"}, c.permission, c.resource); got != c.want {
			t.Errorf("resourceFits(%q, %q) = %v", c.permission, c.resource, got)
		}
	}
}
