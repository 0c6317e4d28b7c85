package bypass

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/policy"
)

func TestFind(t *testing.T) {
	const (
		terminate = `{"Sid": "Own", "Effect": "Allow", "Action": ["ec2:TerminateInstances", "ec2:StopInstances"], "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringEquals": {"ec2:ResourceTag/created-by": "runner"}}}`
		tag       = `{"Sid": "Tag", "Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": "*"%s}`
	)
	tagging := func(condition string) string {
		if condition != "" {
			condition = `, "Condition": ` + condition
		}
		return fmt.Sprintf(tag, condition)
	}
	for _, tt := range []struct {
		name       string
		statements []string
		want       []string // action by permission
	}{
		{"tags without a condition", []string{terminate, tagging("")}, []string{"ec2:StopInstances by ec2:CreateTags", "ec2:TerminateInstances by ec2:CreateTags"}},
		{"may not tag", []string{terminate}, nil},
		{"tags on creation only", []string{terminate, tagging(`{"StringEquals": {"ec2:CreateAction": "RunInstances"}}`)}, nil},
		{"tags with another key", []string{terminate, tagging(`{"ForAllValues:StringEquals": {"aws:TagKeys": ["Name"]}}`)}, nil},
		{"tags with the very tag", []string{terminate, tagging(`{"StringEquals": {"aws:RequestTag/created-by": "runner"}}`)}, []string{"ec2:StopInstances by ec2:CreateTags", "ec2:TerminateInstances by ec2:CreateTags"}},
		{"tags what has the tag", []string{terminate, tagging(`{"StringEquals": {"aws:ResourceTag/created-by": "runner"}}`)}, nil},
		{"in one region", []string{terminate, tagging(`{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}`)}, []string{"ec2:StopInstances by ec2:CreateTags", "ec2:TerminateInstances by ec2:CreateTags"}},
		{"tags volumes", []string{terminate, strings.Replace(tagging(""), `"*"`, `"arn:aws:ec2:*:*:volume/*"`, 1)}, nil},
		{"tagging is denied", []string{terminate, tagging(""), `{"Effect": "Deny", "Action": "ec2:CreateTags", "Resource": "*"}`}, nil},
		{"may do it without the tag too", []string{terminate, tagging(""), `{"Effect": "Allow", "Action": "ec2:*Instances", "Resource": "*"}`}, nil},
		{"by a wildcard", []string{terminate, `{"Effect": "Allow", "Action": "ec2:Create*", "Resource": "*"}`}, []string{"ec2:StopInstances by ec2:CreateTags", "ec2:TerminateInstances by ec2:CreateTags"}},
		{"another service", []string{
			`{"Effect": "Allow", "Action": "sqs:DeleteQueue", "Resource": "*", "Condition": {"StringLike": {"aws:ResourceTag/team": "b*"}}}`,
			`{"Effect": "Allow", "Action": "sqs:TagQueue", "Resource": "*"}`,
		}, []string{"sqs:DeleteQueue by sqs:TagQueue"}},
		{"a service with the usual name", []string{
			`{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*", "Condition": {"StringEquals": {"secretsmanager:ResourceTag/team": "b"}}}`,
			`{"Effect": "Allow", "Action": "secretsmanager:TagResource", "Resource": "*"}`,
		}, []string{"secretsmanager:GetSecretValue by secretsmanager:TagResource"}},
		{"objects", []string{
			`{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}}`,
			`{"Effect": "Allow", "Action": "s3:PutObjectTagging", "Resource": "arn:aws:s3:::b/*"}`,
		}, []string{"s3:GetObject by s3:PutObjectTagging"}},
		{"a condition on the request", []string{
			`{"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/team": "b"}}}`, tagging(""),
		}, nil},
		{"two tags", []string{
			`{"Effect": "Allow", "Action": "ec2:DeleteVolume", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/a": "1", "aws:ResourceTag/b": "2"}}}`, tagging(""),
		}, []string{"ec2:DeleteVolume by ec2:CreateTags", "ec2:DeleteVolume by ec2:CreateTags"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [` + strings.Join(tt.statements, ", ") + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			found, err := Find([]policy.Document{doc})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.Action+" by "+f.By)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The tag may be in one document and the right in another: a role has them all.
func TestFindAcrossDocuments(t *testing.T) {
	var docs []policy.Document
	for _, text := range []string{
		`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:DeleteVolume", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/a": "1"}}}}`,
		`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:*Tags", "Resource": "*"}}`,
	} {
		d, err := policy.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	found, err := Find(docs)
	if err != nil || len(found) != 1 || found[0].Value != "1" || found[0].Resource != "x" {
		t.Errorf("%+v, %v", found, err)
	}
}
