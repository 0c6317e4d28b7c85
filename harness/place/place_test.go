package place

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestResource(t *testing.T) {
	queue := "arn:aws:sqs:us-east-1:123456789012:"
	tests := []struct {
		name      string
		resource  string
		candidate string // for the same permission, "" for none
		carries   bool
		want      string // "" for none
	}{
		{name: "a name", resource: queue + "jobs", want: queue + "jobs"},
		{name: "the cloud's star", resource: "*", want: "*"},
		{name: "the cloud's whole type", resource: "arn:aws:ec2:us-east-1:123456789012:vpc/*", want: "arn:aws:ec2:us-east-1:123456789012:vpc/*"},
		{name: "a generated id", resource: "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0123456789abcdef0", want: "arn:aws:ec2:us-east-1:123456789012:vpc/*"},
		{name: "a queue called star", resource: queue + "*", carries: true, want: queue + "${*}"},
		{name: "a star in a name", resource: queue + "jobs*", want: queue + "jobs${*}"},
		{name: "a question mark", resource: queue + "job?", want: queue + "job${?}"},
		{name: "a policy variable", resource: "arn:aws:iam::123456789012:user/${aws:username}", want: "arn:aws:iam::123456789012:user/${$}{aws:username}"},
		{name: "escaped already", resource: "arn:aws:s3:::artifacts/a${*}b", want: "arn:aws:s3:::artifacts/a${*}b"},
		{name: "a star for the region", resource: "arn:aws:kms:*:*:*"},
		{name: "a star for a bucket", resource: "arn:aws:s3:::*/x.txt", carries: true, want: "arn:aws:s3:::${*}/x.txt"},
		{name: "a bare name", resource: "my_secret"},
		{name: "a bare name, and the request knows", resource: "my_secret", candidate: queue + "jobs", want: queue + "jobs"},
		{name: "nothing named", resource: "", want: "*"},
		{name: "nothing named, and the request knows", resource: "", candidate: queue + "jobs", want: queue + "jobs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var candidates []catalog.Candidate
			if tt.candidate != "" {
				candidates = []catalog.Candidate{{Permission: "sqs:Other", Resource: "*"}, {Permission: "sqs:CreateQueue", Resource: tt.candidate}}
			}
			d := refusal.Denial{Cloud: refusal.AWS, Permission: "sqs:CreateQueue", Resource: tt.resource}
			got, ok := Resource(d, candidates, tt.carries)
			if got != tt.want && ok || ok != (tt.want != "") {
				t.Errorf("got %q, %t; want %q", got, ok, tt.want)
			}
		})
	}
}

// A custom role of Google Cloud is bound on the project, whatever the refusal
// names in it.
func TestResourceGCP(t *testing.T) {
	for _, named := range []string{"", "projects/p/global/firewalls/fw", "projects/_/buckets/*"} {
		d := refusal.Denial{Cloud: refusal.GCP, Permission: "compute.firewalls.create", Resource: named}
		if got, ok := Resource(d, nil, true); !ok || got != "*" {
			t.Errorf("%q: %q, %v", named, got, ok)
		}
	}
}

func TestCarriesWildcard(t *testing.T) {
	form, json := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
	tests := []struct {
		name   string
		x      refusal.Exchange
		target string
		want   bool
	}{
		{name: "a path", target: "/%2A/x.txt", want: true},
		{name: "a star in a name", target: "/a*b/x.txt"},
		{name: "a query", target: "/?prefix=*", want: true},
		{name: "a form", target: "/", x: refusal.Exchange{Header: form, Body: []byte("Action=GetRole&RoleName=%2A")}, want: true},
		{name: "a form without", target: "/", x: refusal.Exchange{Header: form, Body: []byte("Action=CreateVpc&CidrBlock=10.0.0.0%2F16")}},
		{name: "json", target: "/", x: refusal.Exchange{Header: json, Body: []byte(`{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/*"}`)}, want: true},
		{name: "json, deep", target: "/", x: refusal.Exchange{Header: json, Body: []byte(`{"Names":[{"Name":"*"}]}`)}, want: true},
		{name: "a policy document", target: "/", x: refusal.Exchange{Header: json, Body: []byte(`{"Policy":"{\"Resource\":\"*\"}"}`)}},
		{name: "the source of a copy", target: "/", x: refusal.Exchange{Header: http.Header{"X-Amz-Copy-Source": {"%2A/z.txt"}}}, want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			if tt.x.URL, err = url.Parse("https://x.amazonaws.com" + tt.target); err != nil {
				t.Fatal(err)
			}
			if got := CarriesWildcard(tt.x); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// A role counts in its own project only; what names another is told, not granted.
func TestElsewhere(t *testing.T) {
	for resource, want := range map[string]string{
		"projects/centos-cloud/global/images/family/debian-11": "centos-cloud", "//compute.googleapis.com/projects/other-one/zones/z": "other-one",
		"projects/example.com:things": "example.com:things", "projects/mine-own": "", "//cloudresourcemanager.googleapis.com/projects/mine-own": "",
		"projects/123456789012/secrets/s": "", "projects/_/buckets/b": "", "": "", "*": "", "organizations/1": "",
	} {
		other, yes := Elsewhere(refusal.Denial{Cloud: refusal.GCP, Resource: resource}, "mine-own")
		if yes != (want != "") || yes && other != want {
			t.Errorf("%q: %q, %v", resource, other, yes)
		}
	}
	if _, yes := Elsewhere(refusal.Denial{Cloud: refusal.AWS, Resource: "projects/other-one"}, "mine-own"); yes {
		t.Error("another cloud's")
	}
}
