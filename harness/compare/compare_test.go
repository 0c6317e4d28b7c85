package compare

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/rolefile"
)

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"*", "s3:getobject", true}, {"s3:get*", "s3:getobject", true}, {"s3:get*", "s3:putobject", false},
		{"s3:*object", "s3:getobject", true}, {"s3:*object", "s3:getobjectacl", false}, {"s3:get?bject", "s3:getobject", true},
		{"s3:get?", "s3:get", false}, {"microsoft.compute/*/read", "microsoft.compute/disks/sub/read", true},
		{"microsoft.compute/*/read", "microsoft.compute/read", false}, {"a*b*c", "aXbXbc", true}, {"a*b*c", "aXc", false}, {"", "", true}, {"", "a", false},
	} {
		if got := matches(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%q for %q: %t", tt.pattern, tt.s, got)
		}
	}
}

func TestResources(t *testing.T) {
	for _, tt := range []struct {
		pattern, resource string
		covers, meets     bool
	}{
		{"*", "*", true, true},
		{"*", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", true, true},
		{"arn:aws:sqs:*:*:*", "*", false, true}, // the record's "*" is a request without a resource
		{"arn:aws:sqs:*:*:*", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", true, true},
		{"arn:aws:sqs:us-east-1:123456789012:*", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", false, true},
		{"arn:aws:sqs:us-east-1:<account-id>:*", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", true, true},
		{"arn:aws:sqs:us-east-1:{account}:{name}-jobs", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", true, true},
		{"arn:aws:sqs:us-east-1:{account}:{other}-jobs", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", false, true},
		{"arn:aws:sqs:us-east-1:*:acme-*", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", false, true},
		{"arn:aws:sqs:us-east-1:*:*-dead", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", false, false},
		{"arn:aws:sqs:us-west-2:*:*", "arn:aws:sqs:us-east-1:{account}:{name}-jobs", false, false},
		{"arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:us-east-1:{account}:vpc/*", true, true},
		{"arn:aws:ec2:*:*:vpc/vpc-1", "arn:aws:ec2:us-east-1:{account}:vpc/*", false, true},
		{"arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:us-east-1:{account}:*/*", false, true},
		{"arn:aws:ec2:*:<account-id>:network-interface/*", "arn:aws:ec2:us-east-1:{account}:launch-template/*", false, false},
		{"arn:aws:ec2:*:instance/*", "arn:aws:ec2:us-east-1:{account}:instance/*", true, true},
		{"arn:aws:secretsmanager:*:*:secret:a-*", "arn:aws:secretsmanager:us-east-1:1:secret:a-??????", true, true},
		{"arn:aws:secretsmanager:*:*:secret:a-??", "arn:aws:secretsmanager:us-east-1:1:secret:a-*", false, true},
		{"arn:aws:s3:::a/${aws:username}/*", "arn:aws:s3:::a/bob/x", false, true},
		{"arn:aws:s3:::a${aws:username}", "arn:aws:s3:::a", false, true},
		{"arn:aws:s3:::a/${*}", "arn:aws:s3:::a/${*}", true, true},
		{"arn:aws:s3:::a/${*}", "arn:aws:s3:::a/b", false, false},
		{"arn:aws:s3:::a", "arn:aws:s3:::{name}/b", false, false},
	} {
		p, r := segments(tokens(tt.pattern, true, true)), tokens(tt.resource, true, false)
		if c, m := covers(p, r), meets(p, r); c != tt.covers || m != tt.meets {
			t.Errorf("%s for %s: covers %t, meets %t", tt.pattern, tt.resource, c, m)
		}
	}
}

// Whatever a resource of the record turns out to be: what is covered is allowed by
// the rules of IAM, and what is allowed by them is met.
func TestAgreesWithEvaluation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "b", "*", "?", "/", "{k}", "ab"})
		pattern := "arn:aws:" + rapid.SampledFrom([]string{"s3", "*", "s?"}).Draw(t, "service") + ":" + rapid.SampledFrom([]string{"", "*", "r", "r*"}).Draw(t, "region") + ":1:" +
			strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "?", "/", "ab"}), 1, 6).Draw(t, "pattern"), "")
		pieces := rapid.SliceOfN(piece, 1, 6).Draw(t, "resource")
		resource := "arn:aws:s3:r:1:" + strings.Join(pieces, "")
		k := rapid.StringMatching(`[ab]{1,3}`).Draw(t, "k") // a name's value is the same wherever it stands
		var real strings.Builder
		for _, p := range pieces {
			switch p {
			case "*":
				p = rapid.StringMatching(`[ab/]{0,4}`).Draw(t, "run")
			case "?":
				p = rapid.StringMatching(`[ab/]`).Draw(t, "one")
			case "{k}":
				p = k
			}
			real.WriteString(p)
		}
		p, r := segments(tokens(pattern, true, true)), tokens(resource, true, false)
		d := policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{Effect: policy.EffectAllow, Action: []string{"s3:Get"}, Resource: []string{pattern}}}}
		got, err := evaluate.Documents([]policy.Document{d}, evaluate.Request{Action: "s3:Get", Resource: "arn:aws:s3:r:1:" + real.String()})
		if err != nil {
			t.Fatal(err)
		}
		if c, m := covers(p, r), meets(p, r); c && got != evaluate.Allow || got == evaluate.Allow && !m || c && !m {
			t.Fatalf("%s for %s, which is %s: covers %t, meets %t, IAM says %v", pattern, resource, real.String(), c, m, got)
		}
	})
}

// aRecord needs a little of everything.
var aRecord = []record.Step{
	{Name: "apply", Phase: "init", Grants: []record.Entry{
		{Permission: "ec2:DescribeVpcs", Resource: "*", Purpose: "describe vpcs"},
		{Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs", Request: "sqs CreateQueue"},
		{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/{name}-worker"},
	}, Optional: []record.Entry{{Permission: "ec2:DescribeTags"}}},
	{Name: "destroy", Phase: "teardown", Grants: []record.Entry{
		{Permission: "ec2:DescribeVpcs", Resource: "*"},
		{Permission: "sqs:DeleteQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs"},
	}},
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		want             Result
	}{
		{"everything", "p.json", `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, Result{Needed: 4, Allowed: 4,
			Wildcards: []Wildcard{{"*", "statement 1", []string{"ec2:DescribeVpcs", "iam:PassRole", "sqs:CreateQueue", "sqs:DeleteQueue"}}}}},
		{"what it lacks, has too much of, and has by wildcard", "p.json", `{"Statement": [
			{"Effect": "Allow", "Action": ["EC2:describe*", "ec2:RunInstances", "s3:*", "ec2:DescribeTags"], "Resource": "*"},
			{"Sid": "Q", "Effect": "Allow", "Action": ["sqs:createqueue", "sqs:DeleteQueue"], "Resource": "arn:aws:sqs:us-west-2:*:*"},
			{"Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": "arn:aws:sqs:us-east-1:*:*"}]}`, Result{Needed: 4, Allowed: 2,
			Missing: []Lack{
				{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/{name}-worker", Steps: []string{"apply"}, Why: "nothing allows it"},
				{Permission: "sqs:DeleteQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs", Steps: []string{"destroy"}, Why: "allowed on other resources only, by statement 2 (Q)"},
			},
			Unneeded: []Entry{
				{"ec2:RunInstances", "statement 1", ""}, {"s3:*", "statement 1", ""}, {"ec2:DescribeTags", "statement 1", "asked for by apply, which does as well without"},
				{"sqs:createqueue", "statement 2 (Q)", "needed on other resources only"}, {"sqs:DeleteQueue", "statement 2 (Q)", "needed on other resources only"},
			},
			Wildcards: []Wildcard{{"EC2:describe*", "statement 1", []string{"ec2:DescribeVpcs"}}}, Steps: []string{"apply", "destroy"}}},
		{"NotAction, Deny, conditions", "p.json", `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"},
			{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}},
			{"Sid": "No", "Effect": "Deny", "Action": "sqs:Delete*", "Resource": "*"},
			{"Effect": "Deny", "Action": "sqs:*", "NotResource": "arn:aws:sqs:*:*:acme-*"},
			{"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}}]}`, Result{Needed: 4, Allowed: 0,
			Missing: []Lack{{Permission: "sqs:DeleteQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs", Steps: []string{"destroy"},
				Why: "denied by statement 3 (No); statement 4 on a part of it, or under some names"}},
			Depends: []Lack{
				{Permission: "ec2:DescribeVpcs", Resource: "*", Steps: []string{"apply", "destroy"}, Purpose: "describe vpcs", Why: "may be denied by statement 5 on the condition of aws:RequestedRegion"},
				{Permission: "iam:PassRole", Resource: "arn:aws:iam::{account}:role/{name}-worker", Steps: []string{"apply"}, Why: "allowed by statement 2 on the condition of iam:PassedToService"},
				{Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs", Steps: []string{"apply"}, Request: "sqs CreateQueue", Why: "may be denied by statement 4 on a part of it, or under some names", Open: true},
			},
			Wildcards: []Wildcard{{"* without iam:*", "statement 1", []string{"ec2:DescribeVpcs", "sqs:CreateQueue", "sqs:DeleteQueue"}}}, Steps: []string{"destroy"}}},
		{"names and blanks", "p.json", `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": ["ec2:DescribeVpcs", "iam:PassRole"], "Resource": "*"},
			{"Effect": "Allow", "Action": ["sqs:CreateQueue", "sqs:DeleteQueue"], "Resource": "arn:aws:sqs:<region>:<account-id>:acme-*"}]}`, Result{Needed: 4, Allowed: 2,
			Depends: []Lack{
				{Permission: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs", Steps: []string{"apply"}, Request: "sqs CreateQueue", Why: "allowed by statement 2 on a part of it, or under some names", Open: true},
				{Permission: "sqs:DeleteQueue", Resource: "arn:aws:sqs:us-east-1:{account}:{name}-jobs", Steps: []string{"destroy"}, Why: "allowed by statement 2 on a part of it, or under some names", Open: true},
			}, Blanks: []string{"<account-id>", "<region>"}}},
		{"no ARN is everything", "p.json", `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:*:*:*:*"}, {"Effect": "Allow", "NotAction": "ec2:*", "NotResource": "arn:aws:s3:::a"}]}`, Result{Needed: 4, Allowed: 3,
			Missing: []Lack{{Permission: "ec2:DescribeVpcs", Resource: "*", Steps: []string{"apply", "destroy"}, Purpose: "describe vpcs", Why: "allowed on other resources only, by statement 1"}},
			Wildcards: []Wildcard{
				{"*", "statement 1", []string{"iam:PassRole", "sqs:CreateQueue", "sqs:DeleteQueue"}},
				{"* without ec2:*", "statement 2", []string{"iam:PassRole", "sqs:CreateQueue", "sqs:DeleteQueue"}},
			}, Steps: []string{"apply", "destroy"}}},
		{"a list", "l.txt", "ec2:DescribeVpcs\nsqs:*\niam:PassRole arn:aws:iam::*:role/*\n", Result{Needed: 4, Allowed: 4,
			Wildcards: []Wildcard{{"sqs:*", "line 2", []string{"sqs:CreateQueue", "sqs:DeleteQueue"}}}}},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.file, tt.text, aRecord, tt.want) })
	}
}

func check(t *testing.T, file, text string, steps []record.Step, want Result) {
	t.Helper()
	role, err := rolefile.Read(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if want.Missing == nil {
		want.Missing = []Lack{}
	}
	if want.Depends == nil {
		want.Depends = []Lack{}
	}
	if want.Unneeded == nil {
		want.Unneeded = []Entry{}
	}
	if want.Wildcards == nil {
		want.Wildcards = []Wildcard{}
	}
	if want.Steps == nil {
		want.Steps = []string{}
	}
	if want.Blanks == nil {
		want.Blanks = []string{}
	}
	if diff := cmp.Diff(want, Compare(role, steps)); diff != "" {
		t.Error(diff)
	}
}

func TestCompareGoogle(t *testing.T) {
	steps := []record.Step{{Name: "apply", Grants: []record.Entry{
		{Permission: "compute.networks.create", Resource: "*"}, {Permission: "compute.networks.get", Resource: "*"}, {Permission: "storage.buckets.get", Resource: "*"},
	}}}
	check(t, "r.yaml", "title: x\nincludedPermissions:\n- compute.networks.create\n- compute.networks.Get\n- compute.networks.list\n", steps, Result{Needed: 3, Allowed: 1,
		Missing: []Lack{
			{Permission: "compute.networks.get", Resource: "*", Steps: []string{"apply"}, Why: "nothing allows it"},
			{Permission: "storage.buckets.get", Resource: "*", Steps: []string{"apply"}, Why: "nothing allows it"},
		},
		Unneeded: []Entry{{"compute.networks.Get", "line 4", ""}, {"compute.networks.list", "line 5", ""}}, Steps: []string{"apply"}})
}

// Actions say nothing of data planes, and DataActions nothing of the control
// plane.
func TestCompareAzure(t *testing.T) {
	const blob = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
	steps := []record.Step{{Name: "apply", Grants: []record.Entry{
		{Permission: "Microsoft.Compute/disks/read", Resource: "*"}, {Permission: "Microsoft.Compute/disks/write", Resource: "*"}, {Permission: blob, Resource: "*"},
		{Permission: "Microsoft.KeyVault/vaults/secrets/delete", Resource: "*", Request: "DELETE v.vault.azure.net/secrets/{}"},
	}}}
	check(t, "r.json", `{"Name": "x", "Actions": ["*"], "NotActions": ["Microsoft.Compute/*/write"], "DataActions": ["microsoft.storage/*"]}`, steps, Result{Needed: 4, Allowed: 2,
		Missing: []Lack{
			{Permission: "Microsoft.Compute/disks/write", Resource: "*", Steps: []string{"apply"}, Why: "nothing allows it"},
			{Permission: "Microsoft.KeyVault/vaults/secrets/delete", Resource: "*", Steps: []string{"apply"}, Why: "nothing allows it", Request: "DELETE v.vault.azure.net/secrets/{}"},
		},
		Wildcards: []Wildcard{
			{"* without Microsoft.Compute/*/write", "Actions", []string{"Microsoft.Compute/disks/read"}},
			{"microsoft.storage/*", "DataActions", []string{blob}},
		}, Steps: []string{"apply"}})
}

// What emit writes of a record allows all of it and has nothing more.
func TestCompareEmitted(t *testing.T) {
	set := aRecord[0].Set().Union(aRecord[1].Set())
	for _, format := range rolefile.Formats("aws") {
		values := map[string]string{}
		if format == rolefile.Native {
			values = map[string]string{"account": "123456789012", "name": "acme"}
		}
		files, err := rolefile.Write([]rolefile.Group{{Name: "r", Set: set}}, rolefile.Options{Cloud: "aws", Format: format, Values: values})
		if err != nil {
			t.Fatal(err)
		}
		role, err := rolefile.Read(files[0].Name, files[0].Content)
		if err != nil {
			t.Fatal(err)
		}
		var steps []record.Step
		for _, s := range aRecord {
			var grants []record.Entry
			for _, e := range s.Grants {
				e.Resource = rolefile.Fill(e.Resource, values)
				grants = append(grants, e)
			}
			s.Grants = grants
			steps = append(steps, s)
		}
		if r := Compare(role, steps); r.Allowed != 4 || len(r.Unneeded)+len(r.Missing)+len(r.Depends)+len(r.Wildcards) > 0 {
			t.Errorf("%s: %+v", format, r)
		}
	}
}

// BenchmarkCompare: 1,000 statements with wildcards and conditions against a
// record of 600 grants.
func BenchmarkCompare(b *testing.B) {
	var statements []string
	for i := range 1000 {
		statements = append(statements, fmt.Sprintf(`{"Effect": "Allow", "Action": ["s3:Get*", "ec2:*Instance%d*", "sqs:?reate%d", "ec2:Describe*", "iam:*Role*"],
			"Resource": ["arn:aws:*:*:*:*/*%d*", "arn:aws:sqs:*:123456789012:*-%d", "arn:aws:s3:::*-%d/*/x-*"], "Condition": {"StringLike": {"aws:RequestTag/a": "*%d"}}}`, i, i, i, i, i, i))
	}
	data := []byte(`{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`)
	step := record.Step{Name: "apply"}
	for i := range 600 {
		step.Grants = append(step.Grants, record.Entry{Permission: []string{"s3:GetA", "ec2:DescribeB", "iam:PutRoleC", "sqs:CreateD"}[i%4] + fmt.Sprint(i),
			Resource: fmt.Sprintf("arn:aws:s3:::{name}-files-%d/x-*/y", i%100)})
	}
	for b.Loop() {
		role, err := rolefile.Read("p.json", data)
		if err != nil {
			b.Fatal(err)
		}
		if r := Compare(role, []record.Step{step}); r.Needed != 600 {
			b.Fatal(r.Needed)
		}
	}
}
