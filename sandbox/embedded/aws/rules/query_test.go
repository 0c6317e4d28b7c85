package rules

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// book answers by "fact id".
type book map[string][]string

func (b book) Find(_ context.Context, f rows.Fact, id string) []string {
	return b[string(f)+" "+id]
}

// TestQueryServices reads requests to the load balancers, EC2 Auto Scaling and
// RDS: which permissions, on what, shown how, under which condition keys.
func TestQueryServices(t *testing.T) {
	const elb = "Version=2012-06-01&Action="
	const elbv2 = "Version=2015-12-01&Action="
	balancer := "arn:aws:elasticloadbalancing:us-east-1:" + account + ":loadbalancer/app/web/50dc6c495c0c9188"
	listener := strings.Replace(balancer, ":loadbalancer/", ":listener/", 1) + "/f2f7dc8efc522ab2"
	state := book{
		"ec2.template-image lt-1":                    {"ami-1"},
		"ec2.template-group lt-1":                    {"sg-1", "sg-2"},
		"ec2.template-role lt-1":                     {"arn:aws:iam::" + account + ":role/machine"},
		"ec2.template-tags lt-1":                     {"volume"},
		"ec2.template form":                          {"lt-1"},
		"iam.profile-role machine":                   {"arn:aws:iam::" + account + ":role/machine"},
		"autoscaling.group herd":                     {"0000"},
		"autoscaling.instance i-1":                   {"herd"},
		"iam.service-role autoscaling.amazonaws.com": {"AWSServiceRoleForAutoScaling"},
	}
	served := book{
		"iam.service-role elasticloadbalancing.amazonaws.com": {"AWSServiceRoleForElasticLoadBalancing"},
		"iam.service-role rds.amazonaws.com":                  {"AWSServiceRoleForRDS"},
	}
	for _, c := range []struct {
		service, body string
		state         book
		want          string // a line each: action, resource, key=value…, (shown)
	}{
		{"elasticloadbalancing", elb + "CreateLoadBalancer&LoadBalancerName=web&Subnets.member.1=subnet-1&Tags.member.1.Key=a&Tags.member.1.Value=b", nil, `
			elasticloadbalancing:CreateLoadBalancer {elb}:loadbalancer/web aws:RequestTag/a=b elasticloadbalancing:Scheme=internet-facing elasticloadbalancing:Subnet=subnet-1
			elasticloadbalancing:AddTags {elb}:loadbalancer/web elasticloadbalancing:CreateAction=CreateLoadBalancer
			ec2:DescribeAccountAttributes *
			ec2:DescribeInternetGateways *
			ec2:DescribeSecurityGroups *
			ec2:DescribeSubnets *
			ec2:DescribeVpcs *
			iam:CreateServiceLinkedRole {iam}:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing iam:AWSServiceName=elasticloadbalancing.amazonaws.com`},
		{"elasticloadbalancing", elb + "AddTags&LoadBalancerNames.member.1=web&Tags.member.1.Key=a&Tags.member.1.Value=b", nil, `
			elasticloadbalancing:AddTags {elb}:loadbalancer/web aws:RequestTag/a=b`},
		{"elasticloadbalancing", elbv2 + "CreateLoadBalancer&Name=web&Type=network&Scheme=internal", served, `
			elasticloadbalancing:CreateLoadBalancer {elb}:loadbalancer/net/web/* elasticloadbalancing:Scheme=internal
			ec2:DescribeAccountAttributes *
			ec2:DescribeAddresses *
			ec2:DescribeInternetGateways *
			ec2:DescribeSecurityGroups *
			ec2:DescribeSubnets *
			ec2:DescribeVpcs *`},
		{"elasticloadbalancing", elbv2 + "CreateTargetGroup&Name=web&Tags.member.1.Key=a&Tags.member.1.Value=b", served, `
			elasticloadbalancing:CreateTargetGroup {elb}:targetgroup/web/*
			elasticloadbalancing:AddTags {elb}:targetgroup/web/* elasticloadbalancing:CreateAction=CreateTargetGroup
			ec2:DescribeInternetGateways *
			ec2:DescribeVpcs *`},
		{"elasticloadbalancing", elbv2 + "CreateListener&LoadBalancerArn=" + balancer + "&Protocol=HTTP&Tags.member.1.Key=a&Tags.member.1.Value=b", nil, `
			elasticloadbalancing:CreateListener {elb}:loadbalancer/app/web/50dc6c495c0c9188 elasticloadbalancing:ListenerProtocol=HTTP
			elasticloadbalancing:AddTags {elb}:listener/app/web/50dc6c495c0c9188/*`},
		{"elasticloadbalancing", elbv2 + "CreateRule&ListenerArn=" + listener + "&Tags.member.1.Key=a&Tags.member.1.Value=b", nil, `
			elasticloadbalancing:CreateRule {elb}:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2
			elasticloadbalancing:AddTags {elb}:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/*`},
		{"elasticloadbalancing", elbv2 + "DescribeLoadBalancers&Names.member.1=web", nil, `
			elasticloadbalancing:DescribeLoadBalancers *`},

		{"autoscaling", "Action=CreateAutoScalingGroup&AutoScalingGroupName=herd&MinSize=0&LaunchTemplate.LaunchTemplateId=lt-1&LaunchTemplate.Version=$Latest", state, `
			autoscaling:CreateAutoScalingGroup {asg}:autoScalingGroup:*:autoScalingGroupName/herd autoscaling:MinSize=0
			ec2:RunInstances {ec2}:instance/* (launch template: lt-1)
			ec2:RunInstances arn:aws:ec2:us-east-1::image/ami-1 (launch template: lt-1)
			ec2:RunInstances {ec2}:subnet/* (launch template: lt-1)
			ec2:RunInstances {ec2}:network-interface/* (launch template: lt-1)
			ec2:RunInstances {ec2}:security-group/sg-1 (launch template: lt-1)
			ec2:RunInstances {ec2}:security-group/sg-2 (launch template: lt-1)
			ec2:RunInstances {ec2}:volume/* (launch template: lt-1)
			ec2:RunInstances {ec2}:launch-template/lt-1 (launch template: lt-1)
			iam:PassRole {iam}:role/machine iam:PassedToService=ec2.amazonaws.com (launch template: lt-1)
			ec2:CreateTags {ec2}:volume/* ec2:CreateAction=RunInstances (launch template: lt-1)`},
		{"autoscaling", "Action=UpdateAutoScalingGroup&AutoScalingGroupName=herd&MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName=form", state, `
			autoscaling:UpdateAutoScalingGroup {asg}:autoScalingGroup:0000:autoScalingGroupName/herd
			ec2:RunInstances {ec2}:instance/* (launch template: form)
			ec2:RunInstances arn:aws:ec2:us-east-1::image/* (launch template: form)
			ec2:RunInstances {ec2}:subnet/* (launch template: form)
			ec2:RunInstances {ec2}:network-interface/* (launch template: form)
			ec2:RunInstances {ec2}:security-group/* (launch template: form)
			ec2:RunInstances {ec2}:volume/* (launch template: form)
			ec2:RunInstances {ec2}:launch-template/lt-1 (launch template: form)`},
		{"autoscaling", "Action=CreateAutoScalingGroup&AutoScalingGroupName=herd&LaunchConfigurationName=c", nil, `
			autoscaling:CreateAutoScalingGroup {asg}:autoScalingGroup:*:autoScalingGroupName/herd autoscaling:LaunchConfigurationName=c
			iam:CreateServiceLinkedRole {iam}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling`},
		{"autoscaling", "Action=CreateLaunchConfiguration&LaunchConfigurationName=c&IamInstanceProfile=machine", state, `
			autoscaling:CreateLaunchConfiguration {asg}:launchConfiguration:*:launchConfigurationName/c
			iam:PassRole {iam}:role/machine iam:PassedToService=ec2.amazonaws.com`},
		{"autoscaling", "Action=TerminateInstanceInAutoScalingGroup&InstanceId=i-1", state, `
			autoscaling:TerminateInstanceInAutoScalingGroup {asg}:autoScalingGroup:*:autoScalingGroupName/herd`},
		{"autoscaling", "Action=CreateOrUpdateTags&Tags.member.1.ResourceId=herd&Tags.member.1.Key=a&Tags.member.1.Value=b", state, `
			autoscaling:CreateOrUpdateTags {asg}:autoScalingGroup:*:autoScalingGroupName/herd aws:RequestTag/a=b`},

		{"rds", "Action=CreateDBInstance&DBInstanceIdentifier=main&DBSubnetGroupName=inner&DBParameterGroupName=slow&Engine=mysql&ManageMasterUserPassword=true&KmsKeyId=k&MonitoringRoleArn=arn:aws:iam::" + account + ":role/watch&Tags.Tag.1.Key=a&Tags.Tag.1.Value=b", nil, `
			rds:CreateDBInstance {rds}:db:main aws:RequestTag/a=b rds:DatabaseEngine=mysql
			rds:CreateDBInstance {rds}:pg:slow
			rds:CreateDBInstance {rds}:subgrp:inner
			rds:AddTagsToResource {rds}:db:main aws:RequestTag/a=b
			iam:CreateServiceLinkedRole {iam}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS iam:AWSServiceName=rds.amazonaws.com
			iam:PassRole {iam}:role/watch iam:PassedToService=monitoring.rds.amazonaws.com
			kms:DescribeKey arn:aws:kms:us-east-1:` + account + `:key/k kms:ViaService=rds.us-east-1.amazonaws.com
			kms:CreateGrant arn:aws:kms:us-east-1:` + account + `:key/k
			secretsmanager:CreateSecret arn:aws:secretsmanager:us-east-1:` + account + `:secret:rds!*
			secretsmanager:TagResource arn:aws:secretsmanager:us-east-1:` + account + `:secret:rds!*`},
		{"rds", "Action=DescribeDBInstances", nil, `
			rds:DescribeDBInstances {rds}:db:*`},
		{"rds", "Action=DescribeDBInstances&DBInstanceIdentifier=main", nil, `
			rds:DescribeDBInstances {rds}:db:main`},
		{"rds", "Action=CreateDBInstanceReadReplica&DBInstanceIdentifier=copy&SourceDBInstanceIdentifier=arn:aws:rds:eu-west-1:" + account + ":db:main", served, `
			rds:CreateDBInstanceReadReplica {rds}:db:copy
			rds:CreateDBInstanceReadReplica arn:aws:rds:eu-west-1:` + account + `:db:main`},
		{"rds", "Action=ListTagsForResource&ResourceName=arn:aws:rds:us-east-1:" + account + ":subgrp:inner", nil, `
			rds:ListTagsForResource {rds}:subgrp:inner`},
	} {
		name, _, _ := strings.Cut(c.body[strings.Index(c.body, "Action=")+len("Action="):], "&")
		t.Run(c.service+" "+name, func(t *testing.T) {
			r, body := raw("POST https://"+c.service+".us-east-1.amazonaws.com/", c.body, formType)
			call, err := Read(t.Context(), r, body, scope(c.service), c.state)
			if err != nil {
				t.Fatal(err)
			}
			checkCall(t, call)
			prefixes := strings.NewReplacer("{elb}", "arn:aws:elasticloadbalancing:us-east-1:"+account, "{asg}", "arn:aws:autoscaling:us-east-1:"+account,
				"{ec2}", "arn:aws:ec2:us-east-1:"+account, "{rds}", "arn:aws:rds:us-east-1:"+account, "{iam}", "arn:aws:iam::"+account)
			var want []string
			for line := range strings.Lines(strings.TrimSpace(c.want)) {
				want = append(want, prefixes.Replace(strings.TrimSpace(line)))
			}
			var got []string
			for i, n := range call.Needs {
				line := n.Action + " " + n.Resource
				if i < len(want) { // the keys that the want names
					for _, word := range strings.Fields(want[i])[2:] {
						if k, _, ok := strings.Cut(word, "="); ok {
							line += " " + k + "=" + strings.Join(n.Context[k], ",")
						}
					}
				}
				if n.Shown != "" {
					line += " (" + n.Shown + ")"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	// A request of neither version belongs to no API of that name.
	r, body := raw("POST https://elasticloadbalancing.us-east-1.amazonaws.com/", "Version=2000-01-01&Action=DescribeLoadBalancers", formType)
	if call, err := Read(t.Context(), r, body, scope("elasticloadbalancing"), nil); err == nil {
		t.Errorf("got %+v", call)
	}
}
