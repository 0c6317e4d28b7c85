package place

import (
	"testing"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// Why a decoy was let through, and that there is no reason where it should not have
// been.
func TestExcuse(t *testing.T) {
	const queue, role = "arn:aws:sqs:us-east-1:123456789012:decoy", "arn:aws:iam::123456789012:role/decoy"
	for _, tt := range []struct {
		permission, decoy string
		held              grant.Grant
		scope             lifecycle.Scope
		why               string
	}{
		{"sqs:SendMessage", queue, grant.Grant{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:123456789012:*"}, lifecycle.ScopeType, "scope: type"},
		{"sqs:SendMessage", queue, grant.Grant{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:123456789012:*"}, "", ""},
		{"sqs:SendMessage", queue, grant.Grant{Permission: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:123456789012:mine"}, "", ""},
		{"iam:PassRole", role, grant.Grant{Permission: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/*"}, lifecycle.ScopeType, ""},
		{"ec2:DeleteVpc", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0a", grant.Grant{Permission: "ec2:DeleteVpc", Resource: "arn:aws:ec2:us-east-1:123456789012:vpc/*", Condition: `{"StringEquals":{"aws:ResourceTag/a":"b"}}`}, "", ""},
		{"kms:CreateKey", "arn:aws:kms:us-east-1:123456789012:key/0f", grant.Grant{Permission: "kms:CreateKey", Resource: "*"}, "", "AWS checks the action on no resource"},
	} {
		lc := lifecycle.Lifecycle{Cloud: "aws", Scope: tt.scope}
		_, why := (*Ground)(nil).Excuse(lc, Decoy{Permission: tt.permission, Resource: tt.decoy, Held: grant.Of(tt.held)})
		if why != tt.why {
			t.Errorf("%s held as %s: %q, want %q", tt.permission, tt.held, why, tt.why)
		}
	}
}
