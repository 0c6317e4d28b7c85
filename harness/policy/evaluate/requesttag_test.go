package evaluate

import (
	"testing"

	"github.com/whittle-iam/whittle/harness/policy"
)

// A service control policy that allows everything on a tag of the request is
// published as a way to keep a stack's deployer to that stack's resources. What
// it lets through and what it stops: docs/iomete.md.
func TestRequestTagForm(t *testing.T) {
	const (
		form     = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/stack":"mine"}}}`
		reads    = `{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":"*"}`
		owned    = `{"Effect":"Deny","Action":["ec2:TerminateInstances"],"Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceTag/stack":"mine"}}}`
		tagging  = `{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"Null":{"ec2:CreateAction":"true"}}}`
		instance = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
		vpc      = "arn:aws:ec2:us-east-1:123456789012:vpc/*"
	)
	with := func(action, resource string, context ...string) Request {
		r := Request{Action: action, Resource: resource, Context: map[string][]string{}}
		for i := 0; i < len(context); i += 2 {
			r.Context[context[i]] = []string{context[i+1]}
		}
		return r
	}
	for _, tt := range []struct {
		name     string
		policies []string
		request  Request
		want     Decision
	}{
		{"makes with the tag", []string{form}, with("ec2:CreateVpc", vpc, "aws:RequestTag/stack", "mine"), Allow},
		{"makes without it", []string{form}, with("ec2:CreateVpc", vpc), ImplicitDeny},
		{"reads, which carries no tag", []string{form}, with("ec2:DescribeInstances", "*"), ImplicitDeny},
		{"ends its own, which carries no tag", []string{form}, with("ec2:TerminateInstances", instance, "aws:ResourceTag/stack", "mine"), ImplicitDeny},
		{"tags what is somebody else's", []string{form}, with("ec2:CreateTags", instance, "aws:RequestTag/stack", "mine", "aws:ResourceTag/stack", "theirs"), Allow},
		// FullAWSAccess is attached to every account until somebody detaches it.
		{"beside FullAWSAccess, ends somebody else's", []string{form, allowAll}, with("ec2:TerminateInstances", instance, "aws:ResourceTag/stack", "theirs"), Allow},
		{"beside FullAWSAccess, makes without the tag", []string{form, allowAll}, with("ec2:CreateVpc", vpc), Allow},
		{"on a read", []string{`{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/stack":"mine"}}}`}, with("ec2:DescribeInstances", "*"), ImplicitDeny},
		// What does stop it: a Deny by the tags that resources have, and tagging on creation only.
		{"a deny: ends somebody else's", []string{allowAll, owned, tagging}, with("ec2:TerminateInstances", instance, "aws:ResourceTag/stack", "theirs"), ExplicitDeny},
		{"a deny: ends what has no tag", []string{allowAll, owned, tagging}, with("ec2:TerminateInstances", instance), ExplicitDeny},
		{"a deny: ends its own", []string{allowAll, owned, tagging}, with("ec2:TerminateInstances", instance, "aws:ResourceTag/stack", "mine"), Allow},
		{"a deny: tags somebody else's", []string{allowAll, owned, tagging}, with("ec2:CreateTags", instance, "aws:RequestTag/stack", "mine", "aws:ResourceTag/stack", "theirs"), ExplicitDeny},
		{"a deny: tags what it makes", []string{allowAll, owned, tagging}, with("ec2:CreateTags", instance, "aws:RequestTag/stack", "mine", "ec2:CreateAction", "RunInstances"), Allow},
		{"a deny: reads", []string{reads, owned, tagging}, with("ec2:DescribeInstances", "*"), Allow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Documents([]policy.Document{document(t, tt.policies...)}, tt.request)
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}
