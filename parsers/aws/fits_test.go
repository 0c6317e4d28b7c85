package aws

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func exchange(t testing.TB, method, address string, header ...string) refusal.Exchange {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	x := refusal.Exchange{Method: method, URL: u, Header: http.Header{}, Reply: http.Header{}}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		x.Header.Set(name, value)
	}
	return x
}

func TestFits(t *testing.T) {
	sqs := exchange(t, "POST", "https://sqs.us-east-1.amazonaws.com/")
	for _, c := range []struct {
		x          refusal.Exchange
		permission string
		want       bool
	}{
		{sqs, "sqs:CreateQueue", true},
		{sqs, "kms:GenerateDataKey", true},
		{sqs, "iam:PassRole", true},
		{sqs, "iam:CreateServiceLinkedRole", true},
		{sqs, "iam:CreateUser", false},
		{sqs, "kms:PutKeyPolicy", false},
		{sqs, "kms:ScheduleKeyDeletion", false},
		{sqs, "s3:GetObject", false},
		{sqs, "sts:AssumeRole", false},
		{sqs, "sqs:*", false},
		{sqs, "sqs:Create Queue", false},
		{sqs, "SQS:CreateQueue", false},
		{sqs, "", false},
		{exchange(t, "GET", "https://monitoring.us-east-1.amazonaws.com/"), "cloudwatch:PutMetricData", true},
		{exchange(t, "POST", "https://autoscaling.us-east-1.amazonaws.com/"), "ec2:RunInstances", true},
		{exchange(t, "POST", "https://eks.us-east-1.amazonaws.com/clusters"), "ec2:DescribeSubnets", true},
		{exchange(t, "POST", "https://eks.us-east-1.amazonaws.com/clusters/k/node-groups"), "iam:GetRole", true},
		{exchange(t, "POST", "https://eks.us-east-1.amazonaws.com/clusters/k/node-groups"), "iam:GetUser", false},
		{sqs, "iam:GetRole", false},
		{exchange(t, "POST", "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions"), "s3:GetObject", true},
		{exchange(t, "POST", "https://iam.amazonaws.com/"), "ec2:RunInstances", false},
		{exchange(t, "POST", "https://abc.execute-api.us-east-1.amazonaws.com/"), "iam:PassRole", false},
		{refusal.Exchange{}, "iam:PassRole", false},
	} {
		if got := Fits(c.x, c.permission); got != c.want {
			t.Errorf("Fits(%v, %q) = %v", c.x.URL, c.permission, got)
		}
	}
	for service, others := range behind {
		for _, other := range others {
			if other == "iam" || other == "sts" || other == "organizations" && service == "iam" {
				t.Errorf("%s stands behind %s", other, service)
			}
		}
	}
}
