package condition

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const account = "arn:aws:iam::111122223333:"

// refused is a request to a host, with a form or, after {, JSON as its body.
func refused(request, body, permission, resource string) Refused {
	method, address, _ := strings.Cut(request, " ")
	u, err := url.Parse("https://" + address)
	if err != nil {
		panic(err)
	}
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if strings.HasPrefix(body, "{") {
		h.Set("Content-Type", "application/x-amz-json-1.1")
		h.Set("X-Amz-Target", u.Fragment)
		u.Fragment = ""
	}
	return Refused{Method: method, URL: u, Header: h, Body: []byte(body), Permission: permission, Resource: resource}
}

func TestOf(t *testing.T) {
	const (
		role  = account + "role/worker"
		ec2   = "POST ec2.us-east-1.amazonaws.com/"
		vpc   = "arn:aws:ec2:us-east-1:111122223333:vpc/"
		given = "TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=x&TagSpecification.1.Tag.2.Key=team&TagSpecification.1.Tag.2.Value=blue"
	)
	for _, tt := range []struct {
		name string
		x    Refused
		want string
	}{
		{"a function's role", refused("POST lambda.us-east-1.amazonaws.com/2015-03-31/functions", `{"FunctionName":"a","Role":"`+role+`"}`, "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}`},
		{"a role in an unheard-of place", refused("POST lambda.us-east-1.amazonaws.com/2015-03-31/functions", `{"Other":"`+role+`"}`, "iam:PassRole", role), ""},
		{"another role", refused("POST lambda.us-east-1.amazonaws.com/2015-03-31/functions", `{"Role":"`+role+`2"}`, "iam:PassRole", role), ""},
		{"a profile's role", refused(ec2, "Action=RunInstances&IamInstanceProfile.Name=worker", "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`},
		{"into a profile", refused("POST iam.amazonaws.com/", "Action=AddRoleToInstanceProfile&InstanceProfileName=worker&RoleName=worker", "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`},
		{"flow logs", refused(ec2, "Action=CreateFlowLogs&DeliverLogsPermissionArn="+role, "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"vpc-flow-logs.amazonaws.com"}}`},
		{"a cluster's role", refused("POST eks.us-east-1.amazonaws.com/clusters", `{"name":"a","roleArn":"`+role+`"}`, "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}`},
		{"a pod's role", refused("POST eks.us-east-1.amazonaws.com/clusters/a/pod-identity-associations", `{"roleArn":"`+role+`"}`, "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"pods.eks.amazonaws.com"}}`},
		{"a task's roles", refused("POST ecs.us-east-1.amazonaws.com/#X.RegisterTaskDefinition", `{"taskRoleArn":"`+role+`","executionRoleArn":"`+role+`"}`, "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}`},
		{"a target's role", refused("POST events.us-east-1.amazonaws.com/#AWSEvents.PutTargets", `{"Targets":[{"RoleArn":"`+role+`"}]}`, "iam:PassRole", role), `{"StringEquals":{"iam:PassedToService":"events.amazonaws.com"}}`},
		{"a service-linked role", refused("POST autoscaling.us-east-1.amazonaws.com/", "Action=CreateAutoScalingGroup", "iam:CreateServiceLinkedRole", account+"role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"), `{"StringEquals":{"iam:AWSServiceName":"autoscaling.amazonaws.com"}}`},
		{"a role that is called like one", refused("POST iam.amazonaws.com/", "Action=CreateServiceLinkedRole", "iam:CreateServiceLinkedRole", account+"role/x/aws-service-role/a.amazonaws.com/b"), ""},
		{"a key through a queue", refused("POST sqs.us-east-1.amazonaws.com/#AmazonSQS.SendMessage", `{}`, "kms:GenerateDataKey", "arn:aws:kms:us-east-1:111122223333:key/0f0e"), `{"StringEquals":{"aws:ResourceTag/team":"blue","kms:ViaService":"sqs.us-east-1.amazonaws.com"}}`},
		{"a key itself", refused("POST kms.us-east-1.amazonaws.com/#TrentService.Decrypt", `{}`, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/*"), ""},
		{"a key through no such service", refused("POST eks.us-east-1.amazonaws.com/clusters", `{}`, "kms:CreateGrant", "arn:aws:kms:us-east-1:111122223333:key/*"), ""},
		{"tags of what is made", refused(ec2, "Action=CreateVpc&"+given, "ec2:CreateTags", vpc+"*"), `{"StringEquals":{"aws:RequestTag/team":"blue","ec2:CreateAction":"CreateVpc"}}`},
		{"what is made", refused(ec2, "Action=CreateVpc&"+given, "ec2:CreateVpc", vpc+"*"), `{"StringEquals":{"aws:RequestTag/team":"blue"}}`},
		{"what it is made in", refused(ec2, "Action=CreateSubnet&"+given, "ec2:CreateSubnet", vpc+"vpc-0a1b"), `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`},
		{"what is made beside", refused(ec2, "Action=CreateVpc&"+given, "ec2:CreateVpc", "arn:aws:ec2:us-east-1:111122223333:ipam-pool/*"), ""},
		{"an interface that is tagged", refused(ec2, "Action=RunInstances&"+strings.Replace(given, "ResourceType=vpc", "ResourceType=network-interface", 1), "ec2:RunInstances", "arn:aws:ec2:us-east-1:111122223333:network-interface/*"), `{"StringEquals":{"aws:RequestTag/team":"blue"}}`},
		{"an interface beside what is tagged", refused(ec2, "Action=RunInstances&"+strings.Replace(given, "ResourceType=vpc", "ResourceType=instance", 1), "ec2:RunInstances", "arn:aws:ec2:us-east-1:111122223333:network-interface/*"), ""},
		{"the tags of an interface", refused(ec2, "Action=RunInstances&"+strings.Replace(given, "ResourceType=vpc", "ResourceType=network-interface", 1), "ec2:CreateTags", "arn:aws:ec2:us-east-1:111122223333:network-interface/*"), `{"StringEquals":{"aws:RequestTag/team":"blue","ec2:CreateAction":"RunInstances"}}`},
		{"an image", refused(ec2, "Action=RunInstances&ImageId=ami-0a1b", "ec2:RunInstances", "arn:aws:ec2:us-east-1::image/ami-0a1b"), `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`},
		{"what is there", refused(ec2, "Action=DeleteVpc&VpcId=vpc-0a1b", "ec2:DeleteVpc", vpc+"vpc-0a1b"), `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`},
		{"another tag", refused(ec2, "Action=CreateVpc&"+strings.ReplaceAll(given, "blue", "red"), "ec2:CreateVpc", vpc+"*"), ""},
		{"a tag afterwards", refused(ec2, "Action=CreateTags&ResourceId.1=vpc-0a1b&Tag.1.Key=Name&Tag.1.Value=x", "ec2:CreateTags", vpc+"vpc-0a1b"), `{"StringEquals":{"aws:ResourceTag/team":"blue"}}`},
		{"the tag afterwards", refused(ec2, "Action=CreateTags&ResourceId.1=vpc-0a1b&Tag.1.Key=team&Tag.1.Value=blue", "ec2:CreateTags", vpc+"vpc-0a1b"), `{"StringEquals":{"aws:RequestTag/team":"blue"}}`},
		{"a list", refused(ec2, "Action=DescribeVpcs", "ec2:DescribeVpcs", "*"), ""},
		{"a role with the tag", refused("POST iam.amazonaws.com/", "Action=CreateRole&RoleName=worker&Tags.member.1.Key=team&Tags.member.1.Value=blue", "iam:CreateRole", role), `{"StringEquals":{"aws:RequestTag/team":"blue"}}`},
		{"a role that is there is told by its name", refused("POST iam.amazonaws.com/", "Action=DeleteRole&RoleName=worker", "iam:DeleteRole", role), ""},
		{"a key with the tag", refused("POST kms.us-east-1.amazonaws.com/#TrentService.CreateKey", `{"Tags":[{"TagKey":"team","TagValue":"blue"}]}`, "kms:CreateKey", "*"), `{"StringEquals":{"aws:RequestTag/team":"blue"}}`},
		{"another cloud", refused("POST compute.googleapis.com/", "", "iam:PassRole", role), ""},
	} {
		if got := Of(tt.x, map[string]string{"team": "blue"}).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := Of(Refused{}, map[string]string{"a": "b"}).String(); got != "" {
		t.Errorf("no request: %s", got)
	}
	// A value cannot become a policy variable.
	x := refused(ec2, "Action=DeleteVpc", "ec2:DeleteVpc", vpc+"vpc-0a1b")
	if got := Of(x, map[string]string{"team": "${aws:username}"}).String(); got != `{"StringEquals":{"aws:ResourceTag/team":"${$}{aws:username}"}}` {
		t.Errorf("a variable: %s", got)
	}
}

func TestWithout(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		`{"StringEquals":{"aws:ResourceTag/team":"blue"}}`:                        "",
		`{"StringEquals":{"aws:RequestTag/a":"b","aws:ResourceTag/team":"blue"}}`: `{"StringEquals":{"aws:RequestTag/a":"b"}}`,
		`{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`:            `{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`,
	} {
		if got := Without(in); got != want || Hopeful(got) || Hopeful(in) != (in != want) {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
