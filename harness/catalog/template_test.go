package catalog

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// EC2 Auto Scaling says "You are not authorized to use launch template" of
// whatever is missing.
func TestTemplateCandidates(t *testing.T) {
	u, err := url.Parse("https://autoscaling.us-east-1.amazonaws.com/")
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	const asg, run = "arn:aws:autoscaling:us-east-1:111122223333:", "ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:"
	launched := []string{
		run + "instance/*", "ec2:RunInstances arn:aws:ec2:us-east-1::image/*", run + "subnet/*", run + "network-interface/*", run + "security-group/*",
		run + "volume/*", run + "key-pair/*", run + "launch-template/lt-1", "!iam:PassRole arn:aws:iam::111122223333:role/*", "ec2:CreateTags arn:aws:ec2:us-east-1:111122223333:instance/*",
		"ec2:CreateTags arn:aws:ec2:us-east-1:111122223333:volume/*", "ec2:CreateTags arn:aws:ec2:us-east-1:111122223333:network-interface/*",
	}
	group := func(operation string) string {
		return "autoscaling:" + operation + " " + asg + "autoScalingGroup:*:autoScalingGroupName/herd"
	}
	for _, test := range []struct {
		body string
		want []string
	}{
		{"Action=CreateAutoScalingGroup&AutoScalingGroupName=herd&LaunchTemplate.LaunchTemplateId=lt-1", append([]string{group("CreateAutoScalingGroup")}, launched...)},
		{"Action=UpdateAutoScalingGroup&AutoScalingGroupName=herd&MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateId=lt-1", append([]string{group("UpdateAutoScalingGroup")}, launched...)},
		{"Action=StartInstanceRefresh&AutoScalingGroupName=herd&DesiredConfiguration.LaunchTemplate.LaunchTemplateId=lt-1", append([]string{group("StartInstanceRefresh")}, launched...)},
		{"Action=UpdateAutoScalingGroup&AutoScalingGroupName=herd&MinSize=1", []string{group("UpdateAutoScalingGroup")}},
		{"Action=DeleteAutoScalingGroup&AutoScalingGroupName=herd", []string{group("DeleteAutoScalingGroup")}},
	} {
		var got []string
		for _, c := range Candidates(http.MethodPost, u, header, []byte(test.body), "111122223333") {
			line := c.Permission + " " + c.Resource
			if c.Escalates {
				line = "!" + line
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.body, diff)
		}
	}
}
