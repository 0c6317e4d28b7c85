package words

import (
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestReasonOf(t *testing.T) {
	for code, want := range map[string]refusal.Reason{
		"AccessDenied": refusal.MissingPermission, "ExpiredToken": refusal.BadCredentials, "AllAccessDisabled": refusal.ExplicitDeny,
		"OptInRequired": refusal.APIDisabled, "InvalidPayer": refusal.NotAuthorization, "SlowDown": refusal.QuotaOrRate,
		"VpcLimitExceeded": refusal.QuotaOrRate, "ValidationError": "", "accessdenied": "", "": "",
	} {
		if got := ReasonOf(code); got != want {
			t.Errorf("ReasonOf(%q) = %q, want %q", code, got, want)
		}
	}
}

// What a user can choose, a name or a message, never stands for the service's
// own words.
func TestRead(t *testing.T) {
	const who = "arn:aws:sts::111122223333:assumed-role/ci/s"
	for message, want := range map[string]Sentence{
		"User: " + who + " is not authorized to perform: sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:111122223333:q because no identity-based policy allows the sqs:CreateQueue action": {Principal: who, Action: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:111122223333:q", Reason: refusal.MissingPermission},
		"User: " + who + " is not authorized to perform: sqs:CreateQueue with an explicit deny in a service control policy":                                                                    {Principal: who, Action: "sqs:CreateQueue", Reason: refusal.ExplicitDeny, Blocker: "service control policy"},
		"Not authorized to perform sts:AssumeRoleWithWebIdentity":                                                                                                                     {Action: "sts:AssumeRoleWithWebIdentity", Reason: refusal.ExplicitDeny, Blocker: "role trust policy"},
		"Queue User: " + who + " is not authorized to perform: iam:PassRole":                                                                                                          {},
		"User: " + who + " is not authorized to perform: iam:*":                                                                                                                       {},
		"You are not authorized to perform this operation. Encoded authorization failure message: AbC-_1":                                                                             {Encoded: "AbC-_1"},
		"User: " + who + " is not authorized to perform: sqs:GetQueueUrl because no session policy allows the iam:A action":                                                           {},
		"User: " + who + " is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/r because no identity-based policy allows the kms:Decrypt action": {},
	} {
		got, ok := Read(message)
		if got != want || ok != (want.Action != "") {
			t.Errorf("Read(%q) = %+v, %v\nwant %+v", message, got, ok, want)
		}
	}
}

func TestUnauthenticated(t *testing.T) {
	for message, want := range map[string]bool{
		"Request has expired": true, "Request has expired.": true, " AWS authentication requires a valid Date or x-amz-date header": true,
		"There were headers present in the request which were not signed": true, "Invalid according to Policy: Policy expired.": true,
		"Access Denied": false, "": false, "The Request has expired": false,
	} {
		if Unauthenticated(message) != want {
			t.Errorf("Unauthenticated(%q) = %v", message, !want)
		}
	}
}

func TestGrantHelps(t *testing.T) {
	for policy, want := range map[string]bool{"identity-based policy": true, "resource-based policy": true, "session policy": false, "service control policy": false, "something new": true} {
		if GrantHelps(policy) != want {
			t.Errorf("GrantHelps(%q) = %v", policy, !want)
		}
	}
}
