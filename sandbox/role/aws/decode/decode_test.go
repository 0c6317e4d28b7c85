package decode

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	message := func(head, action, resource, rest string) string {
		return `{` + head + `"context":{"principal":{"id":"AIDA","name":"dev","arn":"arn:aws:iam::111122223333:user/dev"},"action":"` + action + `","resource":"` + resource + `"` + rest + `}}`
	}
	for _, c := range []struct {
		name, text string
		want       Decoded
		fails      string
	}{
		{
			"with conditions", message(`"allowed":false,"explicitDeny":false,"matchedStatements":{"items":[]},"failures":{"items":[]},`, "ec2:RunInstances", "arn:aws:ec2:us-east-1:111122223333:instance/*",
				`,"conditions":{"items":[{"key":"ec2:InstanceType","values":{"items":[{"value":"t3.micro"}]}},{"key":"aws:TagKeys","values":{"items":[{"value":"a"},{"value":"b"}]}}]}`),
			Decoded{
				Permission: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:111122223333:instance/*", Principal: "arn:aws:iam::111122223333:user/dev",
				Conditions: map[string][]string{"ec2:InstanceType": {"t3.micro"}, "aws:TagKeys": {"a", "b"}},
			}, "",
		},
		{"explicit", message(`"explicitDeny":true,`, "ec2:DescribeVpcs", "", ""), Decoded{Permission: "ec2:DescribeVpcs", Resource: "*", Principal: "arn:aws:iam::111122223333:user/dev", ExplicitDeny: true}, ""},
		{"allowed", message(`"allowed":true,`, "ec2:DescribeVpcs", "*", ""), Decoded{}, "was allowed"},
		{"no action", message("", "ec2:*", "*", ""), Decoded{}, `names no action but "ec2:*"`},
		{"no resource", message("", "ec2:CreateVpc", "vpc", ""), Decoded{}, `names no resource but "vpc"`},
		{"no JSON", "x", Decoded{}, "decoded authorization message: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Read(c.text)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Fatalf("error %v, want %q", err, c.fails)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPattern(t *testing.T) {
	for resource, want := range map[string]bool{"*": false, "arn:aws:ec2:us-east-1:1:vpc/vpc-1": false, "arn:aws:ec2:us-east-1:1:vpc/*": true, "arn:aws:ec2:us-east-1:1:key-pair/a?": true} {
		if got := (Decoded{Resource: resource}).Pattern(); got != want {
			t.Errorf("%s: %t", resource, got)
		}
	}
}
