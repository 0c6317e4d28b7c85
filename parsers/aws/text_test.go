package aws

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/whittle-iam/whittle/parsers/plain"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestText(t *testing.T) {
	const who = "arn:aws:sts::111122223333:assumed-role/ci/s"
	denial := func(reason refusal.Reason, permission, resource, principal, blocker string) refusal.Denial {
		return refusal.Denial{Cloud: refusal.AWS, Reason: reason, Permission: permission, Resource: resource, Principal: principal, Blocker: blocker}
	}
	for _, c := range []struct {
		name, text string
		want       []refusal.Denial
	}{
		{"nothing", "Apply complete! Resources: 3 added.", nil},
		{
			"terraform's box, wrapped",
			"╷\n│ Error: creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 403, RequestID: 0, api error UnauthorizedOperation: You are not authorized to perform\n│ this operation. User: " + who + " is not authorized to perform: ec2:CreateVpc on resource:\n│ arn:aws:ec2:us-east-1:111122223333:vpc/* because no identity-based policy allows the ec2:CreateVpc action. Encoded\n│ authorization failure message: AbC-_1\n│ \n│   with aws_vpc.main,\n╵\n",
			[]refusal.Denial{{
				Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: "ec2:CreateVpc", Resource: "arn:aws:ec2:us-east-1:111122223333:vpc/*", Principal: who,
				Encoded: "AbC-_1",
			}},
		},
		{
			"broken inside an ARN",
			"api error AccessDenied: User: arn:aws:sts::111122223333:assumed-role/my-\nrole/s is not authorized to perform: iam:GetRole on resource: role worker because no identity-based policy allows the iam:GetRole action",
			[]refusal.Denial{denial(refusal.MissingPermission, "iam:GetRole", "role worker", "arn:aws:sts::111122223333:assumed-role/my-role/s", "")},
		},
		{
			"quoted in JSON",
			`{"errorMessage":"User: ` + who + ` is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::artifacts/a b\" because no identity-based policy allows the s3:GetObject action"}`,
			[]refusal.Denial{denial(refusal.MissingPermission, "s3:GetObject", "arn:aws:s3:::artifacts/a b", who, "")},
		},
		{
			"two of them, and the code once",
			"AccessDenied: User: " + who + " is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:111122223333:jobs\nAccessDenied: User: " + who + " is not authorized to perform: SNS:CreateTopic with an explicit deny in a service control policy",
			[]refusal.Denial{
				denial(refusal.MissingPermission, "sqs:CreateQueue", "arn:aws:sqs:us-east-1:111122223333:jobs", who, ""),
				denial(refusal.ExplicitDeny, "sns:CreateTopic", "", who, "service control policy"),
			},
		},
		{
			"the action of the clause",
			"User: " + who + " is not authorized to perform: ec2:ModifyVpcEndpointServiceConfiguration on resource: x because no identity-based policy allows the vpce:AllowMultiRegion action",
			[]refusal.Denial{denial(refusal.MissingPermission, "vpce:AllowMultiRegion", "x", who, "")},
		},
		{
			"boto, bare",
			"An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
			[]refusal.Denial{denial(refusal.OpaqueDenial, "", "", "", "")},
		},
		{
			"the CLI's HEAD",
			"fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden",
			[]refusal.Denial{denial(refusal.OpaqueDenial, "", "", "", "")},
		},
		{
			"encoded only",
			"Error launching source instance: UnauthorizedOperation: You are not authorized to perform this operation. Encoded authorization failure message: AbC-_1\n\tstatus code: 403",
			[]refusal.Denial{{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial, Encoded: "AbC-_1"}},
		},
		{
			"CloudFormation",
			"AccessDenied. User doesn't have permission to call sqs:GetQueueAttributes",
			[]refusal.Denial{denial(refusal.MissingPermission, "sqs:GetQueueAttributes", "", "", "")},
		},
		{"credentials", "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.", []refusal.Denial{denial(refusal.BadCredentials, "", "", "", "")}},
		{"quota", "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit", []refusal.Denial{denial(refusal.QuotaOrRate, "", "", "", "")}},
		{"a pattern is no permission", "User: " + who + " is not authorized to perform: iam:Get* on resource: *", nil},
		{"an image of someone else's", "AuthFailure: Not authorized for images: [ami-0]", []refusal.Denial{denial(refusal.NotAuthorization, "", "", "", "")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := plain.Clean(c.text)
			laws().Words(t, text)
			got := Text(text)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(refusal.Denial{}, "Evidence", "Call")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Services echo what they were sent, the session token too, when a signature
// does not match.
func TestTextOfCredentialsHoldsNoEcho(t *testing.T) {
	for text, want := range map[string]string{
		"api error SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key.\n\nThe Canonical String for this request should have been\n'POST\nx-amz-security-token:A-SESSION-TOKEN'": "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided",
		"api error IncompleteSignature: 'A-SECRET' not a valid key=value pair in Authorization header":                                                                                                                                            "IncompleteSignature",
	} {
		got := Text(text)
		if len(got) != 1 || got[0].Reason != refusal.BadCredentials || got[0].Evidence != want {
			t.Errorf("Text(%q) = %+v", text, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("│ User: a is not authorized to perform: s3:GetObject on resource: \"x\" with an explicit deny in a service control policy")
	f.Add("UnauthorizedOperation: x\\nEncoded authorization failure message: y")
	f.Add("API: ec2:RunInstances Access Denied")
	f.Fuzz(func(t *testing.T, text string) { laws().Words(t, text) })
}
