package rules

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// known answers what a test's state knows.
type known map[string]string

func (k known) Find(_ context.Context, f Fact, id string) []string {
	return []string{k[string(f)+" "+id]}
}

// Services take a name in several forms, and what is checked is one resource.
func TestNames(t *testing.T) {
	const (
		at  = ":us-east-1:" + account + ":"
		key = "arn:aws:kms" + at + "key/k-1"
	)
	targets := map[string]string{
		"logs": "11 Logs_20140328", "events": "11 AWSEvents", "ssm": "11 AmazonSSM", "secretsmanager": "11 secretsmanager", "dynamodb": "10 DynamoDB_20120810",
		"states": "10 AWSStepFunctions", "kinesis": "11 Kinesis_20131202",
	}
	state := known{
		string(rows.SecretARN) + " app/db":              "arn:aws:secretsmanager" + at + "secret:app/db-AbCdEf",
		string(rows.SecretKey) + " app/db":              "k-1",
		string(rows.SecretKey) + " managed":             "alias/aws/secretsmanager",
		string(rows.TableKey) + " jobs":                 key,
		string(rows.ParamKey) + " /app/key":             "alias/app",
		string(rows.KMSAlias) + " alias/app":            key,
		string(rows.SNSKey) + " arn:aws:sns" + at + "t": "k-1",
	}
	for _, c := range []struct {
		service, operation, body string
		want                     string // needs, without the account's part of ARNs
	}{
		{"logs", "CreateLogGroup", `{"logGroupName":"/a/b"}`, "logs:CreateLogGroup log-group:/a/b:log-stream:"},
		{"logs", "CreateLogGroup", `{"logGroupName":"/a/b","tags":{"x":"y"}}`, "logs:CreateLogGroup log-group:/a/b:log-stream: logs:TagResource log-group:/a/b"},
		{"logs", "PutTransformer", `{"logGroupIdentifier":"arn:aws:logs:us-east-1:111122223333:log-group:/a/b:*"}`, "logs:PutTransformer log-group:/a/b:log-stream:"},
		{"logs", "DescribeLogGroups", `{"logGroupNamePrefix":"/a"}`, "logs:DescribeLogGroups log-group::log-stream:"},
		{"logs", "PutSubscriptionFilter", `{"logGroupName":"g","destinationArn":"arn:aws:lambda:us-east-1:111122223333:function:f"}`, "logs:PutSubscriptionFilter log-group:g:log-stream:"},
		{"logs", "PutSubscriptionFilter", `{"logGroupName":"g","destinationArn":"arn:aws:logs:us-east-1:111122223333:destination:d","roleArn":"arn:aws:iam::111122223333:role/r"}`,
			"logs:PutSubscriptionFilter log-group:g:log-stream: logs:PutSubscriptionFilter destination:d iam:PassRole arn:aws:iam::111122223333:role/r"},
		{"events", "DescribeRule", `{"Name":"r"}`, "events:DescribeRule rule/r"},
		{"events", "DescribeRule", `{"Name":"r","EventBusName":"default"}`, "events:DescribeRule rule/r"},
		{"events", "DescribeRule", `{"Name":"r","EventBusName":"b"}`, "events:DescribeRule rule/b/r"},
		{"events", "DescribeRule", `{"Name":"r","EventBusName":"arn:aws:events:us-east-1:111122223333:event-bus/b"}`, "events:DescribeRule rule/b/r"},
		{"events", "DescribeEventBus", `{}`, "events:DescribeEventBus event-bus/default"},
		{"ssm", "GetParameter", `{"Name":"/app/name:3"}`, "ssm:GetParameter parameter/app/name"},
		{"ssm", "GetParameter", `{"Name":"/app/key","WithDecryption":true}`, "ssm:GetParameter parameter/app/key kms:Decrypt key/k-1"},
		{"ssm", "GetParameter", `{"Name":"/app/key"}`, "ssm:GetParameter parameter/app/key"},
		{"ssm", "GetParametersByPath", `{"Path":"/app/x/"}`, "ssm:GetParametersByPath parameter/app/x/"},
		{"ssm", "PutParameter", `{"Name":"n","Value":"v","Type":"SecureString","KeyId":"alias/aws/ssm"}`, "ssm:PutParameter parameter/n"},
		{"ssm", "PutParameter", `{"Name":"n","Value":"v","Type":"SecureString","KeyId":"alias/app","Tier":"Standard"}`, "ssm:PutParameter parameter/n kms:Encrypt key/k-1"},
		{"ssm", "PutParameter", `{"Name":"n","Value":"v","Type":"SecureString","KeyId":"alias/app","Tier":"Advanced"}`, "ssm:PutParameter parameter/n kms:GenerateDataKey key/k-1"},
		{"ssm", "GetDocument", `{"Name":"AWS-RunShellScript"}`, "ssm:GetDocument arn:aws:ssm:us-east-1::document/AWS-RunShellScript"},
		{"ssm", "AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/a","Tags":[{"Key":"k","Value":"v"}]}`, "ssm:AddTagsToResource parameter/a"},
		{"ssm", "GetServiceSetting", `{"SettingId":"/ssm/x"}`, "ssm:GetServiceSetting servicesetting/ssm/x"},
		{"secretsmanager", "GetSecretValue", `{"SecretId":"app/db"}`, "secretsmanager:GetSecretValue secret:app/db-AbCdEf kms:Decrypt key/k-1"},
		{"secretsmanager", "GetSecretValue", `{"SecretId":"managed"}`, "secretsmanager:GetSecretValue secret:managed-??????"},
		{"secretsmanager", "CreateSecret", `{"Name":"new","KmsKeyId":"alias/app"}`, "secretsmanager:CreateSecret secret:new-?????? kms:GenerateDataKey key/k-1 kms:Decrypt key/k-1"},
		{"dynamodb", "GetItem", `{"TableName":"jobs","Key":{}}`, "dynamodb:GetItem table/jobs kms:Decrypt key/k-1"},
		{"dynamodb", "Query", `{"TableName":"arn:aws:dynamodb:us-east-1:111122223333:table/t","IndexName":"i"}`, "dynamodb:Query table/t/index/i"},
		{"dynamodb", "BatchWriteItem", `{"RequestItems":{"a":[{"PutRequest":{"Item":{"k":{"S":"v"}}}}],"b":[{"PutRequest":{"Item":{"k":{"S":"v"}}}}]}}`, "dynamodb:BatchWriteItem table/a dynamodb:BatchWriteItem table/b"},
		{"dynamodb", "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"a","Item":{}}},{"Delete":{"TableName":"b","Key":{}}}]}`, "dynamodb:PutItem table/a dynamodb:DeleteItem table/b"},
		{"states", "DescribeStateMachine", `{"stateMachineArn":"arn:aws:states:us-east-1:111122223333:stateMachine:m:1"}`, "states:DescribeStateMachine stateMachine:m"},
		{"kinesis", "DescribeStreamSummary", `{"StreamARN":"arn:aws:kinesis:us-east-1:111122223333:stream/s"}`, "kinesis:DescribeStreamSummary stream/s"},
	} {
		version, target, _ := strings.Cut(targets[c.service], " ")
		r, body := raw("POST https://"+c.service+".us-east-1.amazonaws.com/", c.body, "Content-Type: application/x-amz-json-1."+version[1:], "X-Amz-Target: "+target+"."+c.operation)
		check(t, c.operation+" "+c.body, c.want, Scope{Account: account, Region: "us-east-1", Service: c.service}, state, r, body)
	}
	for form, want := range map[string]string{
		"Action=Unsubscribe&SubscriptionArn=arn%3Aaws%3Asns%3Aus-east-1%3A111122223333%3At%3A0f0e": "sns:Unsubscribe t",
		"Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A111122223333%3At&Message=m":         "sns:Publish t kms:GenerateDataKey key/k-1 kms:Decrypt key/k-1",
		"Action=GetTopicAttributes&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A111122223333%3At":        "sns:GetTopicAttributes t",
		"Action=CreateTopic&Name=t&Tags.member.1.Key=a&Tags.member.1.Value=b":                      "sns:CreateTopic t sns:TagResource t",
	} {
		r, body := raw("POST https://sns.us-east-1.amazonaws.com/", form, formType)
		check(t, form, want, scope("sns"), state, r, body)
	}
}

func check(t *testing.T, name, want string, s Scope, l Lookup, r *http.Request, body []byte) {
	t.Helper()
	call, err := Read(t.Context(), r, body, s, l)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	var got []string
	for _, n := range call.Needs {
		part := strings.SplitN(n.Resource, ":", 6)
		if part[3] == "us-east-1" && part[4] == account {
			n.Resource = part[5]
		}
		got = append(got, n.Action, n.Resource)
	}
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}
