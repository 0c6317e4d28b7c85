package aws

import (
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/sigv4"
)

// The rest of the gate is tested through package embedded, with the SDK's
// clients before it and moto behind.

func TestEndpoint(t *testing.T) {
	for host, want := range map[string]string{
		"iam.amazonaws.com":                               "iam",
		"sts.eu-west-1.amazonaws.com":                     "sts",
		"s3.amazonaws.com":                                "s3",
		"b.s3.us-east-1.amazonaws.com":                    "s3",
		"b.c.s3-accelerate.amazonaws.com":                 "s3",
		"123456789012.s3-control.us-east-1.amazonaws.com": "s3",
		"dynamodb.us-east-1.amazonaws.com":                "dynamodb",
		"":                                                "",
	} {
		if got, _ := endpoint(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

func TestMisplaced(t *testing.T) {
	for _, test := range []struct{ service, region, host, want string }{
		{"iam", "us-east-1", "iam.amazonaws.com", ""},
		{"sqs", "eu-west-1", "sqs.eu-west-1.amazonaws.com", ""},
		{"s3", "us-east-1", "bucket.s3.amazonaws.com", ""},
		{"s3", "us-east-1", "iam.s3.us-east-1.amazonaws.com", ""},
		{"s3", "us-east-1", "of.eu-west-1.s3.us-east-1.amazonaws.com", ""},
		{"sqs", "us-east-1", "iam.amazonaws.com", "correct service: 'iam'"},
		{"iam", "us-east-1", "bucket.s3.amazonaws.com", "correct service: 's3'"},
		{"sqs", "us-east-1", "sqs.eu-west-1.amazonaws.com", "valid region"},
		{"s3", "us-east-1", "bucket.s3.us-gov-west-1.amazonaws.com", "expecting 'us-gov-west-1'"},
		{"ses", "us-east-1", "email.us-east-1.amazonaws.com", ""}, // the names differ, and the rules decide
	} {
		_, got := misplaced(sigv4.Claim{Service: test.service, Region: test.region}, test.host)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "": "aws"} {
		if got := partition(region); got != want {
			t.Errorf("%q: got %q, want %q", region, got, want)
		}
	}
}
