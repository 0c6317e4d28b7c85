package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestApplicationServices holds what calls of the services around Lambda,
// containers, DNS and HTTP need, in the order of the checks. {A} stands for the
// account, {R} for "us-east-1:{A}".
func TestApplicationServices(t *testing.T) {
	json := func(target string) []string {
		return []string{"Content-Type: application/x-amz-json-1.1", "X-Amz-Target: " + target}
	}
	for _, c := range []struct {
		service, line, body string
		headers             []string
		want                string
	}{
		{"lambda", "POST https://lambda.us-east-1.amazonaws.com/2015-03-31/functions",
			`{"FunctionName":"f","Role":"arn:aws:iam::{A}:role/team/f","Tags":{"a":"b"},"Layers":["arn:aws:lambda:us-east-1:{A}:layer:l:3"],"Code":{"S3Bucket":"b","S3Key":"k/f.zip"},"VpcConfig":{"SubnetIds":["subnet-1"]},"KMSKeyArn":"arn:aws:kms:us-east-1:{A}:key/k","Environment":{"Variables":{"X":"y"}}}`, nil, `
			lambda:CreateFunction arn:aws:lambda:{R}:function:f
			lambda:TagResource arn:aws:lambda:{R}:function:f
			iam:PassRole arn:aws:iam::{A}:role/team/f
			lambda:GetLayerVersion arn:aws:lambda:{R}:layer:l:3
			ec2:DescribeSecurityGroups *
			ec2:DescribeSubnets *
			ec2:DescribeVpcs *
			kms:CreateGrant arn:aws:kms:{R}:key/k
			kms:Encrypt arn:aws:kms:{R}:key/k
			s3:GetObject arn:aws:s3:::b/k/f.zip`},
		{"lambda", "PUT https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/code",
			`{"ImageUri":"{A}.dkr.ecr.us-east-1.amazonaws.com/team/app:v1"}`, nil, `
			lambda:UpdateFunctionCode arn:aws:lambda:{R}:function:f
			ecr:BatchGetImage arn:aws:ecr:{R}:repository/team/app
			ecr:GetDownloadUrlForLayer arn:aws:ecr:{R}:repository/team/app
			ecr:GetRepositoryPolicy arn:aws:ecr:{R}:repository/team/app
			ecr:SetRepositoryPolicy arn:aws:ecr:{R}:repository/team/app`},
		{"lambda", "GET https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A{A}%3Afunction%3Af/policy?Qualifier=live", "", nil,
			"lambda:GetPolicy arn:aws:lambda:{R}:function:f"},
		{"lambda", "GET https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/policy?Qualifier=live", "", nil,
			"lambda:GetPolicy arn:aws:lambda:{R}:function:f:live"},
		{"lambda", "GET https://lambda.us-east-1.amazonaws.com/2018-10-31/layers/l/versions/2", "", nil,
			"lambda:GetLayerVersion arn:aws:lambda:{R}:layer:l:2"},
		{"ecr", "POST https://api.ecr.us-east-1.amazonaws.com/", `{"repositoryNames":["a","b/c"]}`, json("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"), `
			ecr:DescribeRepositories arn:aws:ecr:{R}:repository/a
			ecr:DescribeRepositories arn:aws:ecr:{R}:repository/b/c`},
		{"ecr", "POST https://api.ecr.us-east-1.amazonaws.com/", `{}`, json("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"),
			"ecr:DescribeRepositories arn:aws:ecr:{R}:repository/*"},
		{"ecs", "POST https://ecs.us-east-1.amazonaws.com/", `{"cluster":"arn:aws:ecs:us-east-1:{A}:cluster/c","services":["a","b"]}`, json("AmazonEC2ContainerServiceV20141113.DescribeServices"), `
			ecs:DescribeServices arn:aws:ecs:{R}:service/c/a
			ecs:DescribeServices arn:aws:ecs:{R}:service/c/b`},
		{"ecs", "POST https://ecs.us-east-1.amazonaws.com/", `{"family":"web","taskRoleArn":"arn:aws:iam::{A}:role/t","executionRoleArn":"arn:aws:iam::{A}:role/x","tags":[{"key":"a","value":"b"}]}`, json("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition"), `
			ecs:RegisterTaskDefinition arn:aws:ecs:{R}:task-definition/web:*
			ecs:TagResource arn:aws:ecs:{R}:task-definition/web:*
			iam:PassRole arn:aws:iam::{A}:role/t
			iam:PassRole arn:aws:iam::{A}:role/x`},
		{"ecs", "POST https://ecs.us-east-1.amazonaws.com/", `{"taskDefinition":"web"}`, json("AmazonEC2ContainerServiceV20141113.RunTask"),
			"ecs:RunTask arn:aws:ecs:{R}:task-definition/web:*"},
		{"eks", "POST https://eks.us-east-1.amazonaws.com/clusters/c/node-groups", `{"nodegroupName":"n","nodeRole":"arn:aws:iam::{A}:role/n"}`, nil, `
			eks:CreateNodegroup arn:aws:eks:{R}:cluster/c
			iam:PassRole arn:aws:iam::{A}:role/n
			iam:GetRole arn:aws:iam::{A}:role/aws-service-role/eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup
			iam:CreateServiceLinkedRole arn:aws:iam::{A}:role/aws-service-role/eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup`},
		{"eks", "GET https://eks.us-east-1.amazonaws.com/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A{A}%3Arole%2Fteam%2Fr", "", nil,
			"eks:DescribeAccessEntry arn:aws:eks:{R}:access-entry/c/role/{A}/r/*"},
		{"eks", "GET https://eks.us-east-1.amazonaws.com/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A{A}%3Auser%2Fann", "", nil,
			"eks:DescribeAccessEntry arn:aws:eks:{R}:access-entry/c/user/{A}/ann/*"},
		{"route53", "POST https://route53.amazonaws.com/2013-04-01/hostedzone", `<CreateHostedZoneRequest><Name>x</Name><VPC><VPCId>vpc-1</VPCId></VPC></CreateHostedZoneRequest>`, nil, `
			route53:CreateHostedZone *
			ec2:DescribeVpcs *`},
		{"route53", "POST https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset/", `<ChangeResourceRecordSetsRequest/>`, nil,
			"route53:ChangeResourceRecordSets arn:aws:route53:::hostedzone/Z1"},
		{"route53", "GET https://route53.amazonaws.com/2013-04-01/tags/healthcheck/h", "", nil,
			"route53:ListTagsForResource arn:aws:route53:::healthcheck/h"},
		{"acm", "POST https://acm.us-east-1.amazonaws.com/", `{"DomainName":"x","Tags":[{"Key":"a","Value":"b"}]}`, json("CertificateManager.RequestCertificate"), `
			acm:RequestCertificate arn:aws:acm:{R}:certificate/*
			acm:AddTagsToCertificate arn:aws:acm:{R}:certificate/*`},
		{"cloudfront", "POST https://cloudfront.amazonaws.com/2020-05-31/distribution?WithTags",
			`<DistributionConfigWithTags><DistributionConfig><Logging><Bucket>logs.s3.amazonaws.com</Bucket></Logging></DistributionConfig><Tags><Items><Tag><Key>a</Key><Value>b</Value></Tag></Items></Tags></DistributionConfigWithTags>`, nil, `
			cloudfront:CreateDistribution arn:aws:cloudfront::{A}:distribution/*
			cloudfront:TagResource arn:aws:cloudfront::{A}:distribution/*
			s3:GetBucketAcl arn:aws:s3:::logs
			s3:PutBucketAcl arn:aws:s3:::logs`},
		{"apigateway", "POST https://apigateway.us-east-1.amazonaws.com/restapis", `{"name":"x","tags":{"a":"b"}}`, nil, `
			apigateway:POST arn:aws:apigateway:us-east-1::/restapis
			apigateway:PUT arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2F*`},
		{"apigateway", "PUT https://apigateway.us-east-1.amazonaws.com/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fr", `{"tags":{"a":"b"}}`, nil, `
			apigateway:PATCH arn:aws:apigateway:us-east-1::/restapis/r
			apigateway:PUT arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fr`},
		{"apigateway", "PATCH https://apigateway.us-east-1.amazonaws.com/account", `{"patchOperations":[{"op":"replace","path":"/cloudwatchRoleArn","value":"arn:aws:iam::{A}:role/logs"}]}`, nil, `
			apigateway:PATCH arn:aws:apigateway:us-east-1::/account
			iam:PassRole arn:aws:iam::{A}:role/logs`},
		{"apigateway", "PUT https://apigateway.us-east-1.amazonaws.com/restapis/r/resources/s/methods/GET/integration", `{"type":"AWS","credentials":"arn:aws:iam::{A}:role/c"}`, nil, `
			apigateway:PUT arn:aws:apigateway:us-east-1::/restapis/r/resources/s/methods/GET/integration
			iam:PassRole arn:aws:iam::{A}:role/c`},
		{"apigateway", "GET https://apigateway.us-east-1.amazonaws.com/v2/apis/a/routes/r", "", nil,
			"apigateway:GET arn:aws:apigateway:us-east-1::/apis/a/routes/r"},
		{"cloudtrail", "POST https://cloudtrail.us-east-1.amazonaws.com/", `{"Name":"t","CloudWatchLogsRoleArn":"arn:aws:iam::{A}:role/t"}`, json("CloudTrail_20131101.CreateTrail"), `
			cloudtrail:CreateTrail arn:aws:cloudtrail:{R}:trail/t
			iam:PassRole arn:aws:iam::{A}:role/t`},
		{"cloudtrail", "POST https://cloudtrail.us-east-1.amazonaws.com/", `{"Name":"t"}`, json("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.GetTrailStatus"),
			"cloudtrail:GetTrailStatus arn:aws:cloudtrail:{R}:trail/t"},
		{"wafv2", "POST https://wafv2.us-east-1.amazonaws.com/", `{"Name":"w","Scope":"CLOUDFRONT","Rules":[{"Statement":{"ManagedRuleGroupStatement":{"Name":"x"}}}]}`, json("AWSWAF_20190729.CreateWebACL"), `
			wafv2:CreateWebACL arn:aws:wafv2:{R}:global/webacl/w/*
			wafv2:CreateWebACL arn:aws:wafv2:{R}:global/managedruleset/*/*`},
		{"wafv2", "POST https://wafv2.us-east-1.amazonaws.com/", `{"ResourceArn":"arn:aws:elasticloadbalancing:us-east-1:{A}:loadbalancer/app/x/1"}`, json("AWSWAF_20190729.DisassociateWebACL"), `
			wafv2:DisassociateWebACL arn:aws:elasticloadbalancing:{R}:loadbalancer/app/x/1
			elasticloadbalancing:SetWebACL arn:aws:elasticloadbalancing:{R}:loadbalancer/app/x/1`},
		{"elasticfilesystem", "GET https://elasticfilesystem.us-east-1.amazonaws.com/2015-02-01/resource-tags/fsap-1", "", nil,
			"elasticfilesystem:ListTagsForResource arn:aws:elasticfilesystem:{R}:access-point/fsap-1"},
		{"scheduler", "POST https://scheduler.us-east-1.amazonaws.com/schedules/s", `{"Target":{"RoleArn":"arn:aws:iam::{A}:role/s"}}`, nil, `
			scheduler:CreateSchedule arn:aws:scheduler:{R}:schedule/default/s
			iam:PassRole arn:aws:iam::{A}:role/s`},
		{"servicediscovery", "POST https://servicediscovery.us-east-1.amazonaws.com/", `{"Name":"s","NamespaceId":"ns-1"}`, json("Route53AutoNaming_v20170314.CreateService"), `
			servicediscovery:CreateService arn:aws:servicediscovery:{R}:namespace/ns-1
			servicediscovery:CreateService arn:aws:servicediscovery:{R}:service/*`},
	} {
		fill := strings.NewReplacer("{R}", "us-east-1:"+account, "{A}", account)
		r, body := raw(fill.Replace(c.line), fill.Replace(c.body), c.headers...)
		call, err := Read(t.Context(), r, body, scope(c.service), nil)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		checkCall(t, call)
		var got []string
		for _, n := range call.Needs {
			got = append(got, n.Action+" "+n.Resource)
		}
		var want []string
		for line := range strings.Lines(strings.TrimSpace(fill.Replace(c.want))) {
			want = append(want, strings.TrimSpace(line))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got)\n%s", c.line, call.Operation, diff)
		}
	}
}
