package request

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
)

func TestRead(t *testing.T) {
	type part struct{ service, operation, region, partition, bucket, key string }
	for _, c := range []struct {
		url, target, body string
		want              part
		ok                bool
	}{
		{"https://ec2.us-east-1.amazonaws.com/", "", "Action=CreateVpc", part{"ec2", "CreateVpc", "us-east-1", "aws", "", ""}, true},
		{"https://sqs.cn-north-1.amazonaws.com.cn/", "AmazonSQS.CreateQueue", "{}", part{"sqs", "CreateQueue", "cn-north-1", "aws-cn", "", ""}, true},
		{"https://monitoring.us-gov-west-1.amazonaws.com/", "", "Action=PutMetricAlarm", part{"cloudwatch", "PutMetricAlarm", "us-gov-west-1", "aws-us-gov", "", ""}, true},
		{"https://us-west-2.queue.amazonaws.com:443/", "", "Action=ListQueues", part{"sqs", "ListQueues", "us-west-2", "aws", "", ""}, true},
		{"https://my.b.s3.us-east-1.amazonaws.com/a/b", "", "", part{"s3", "", "us-east-1", "aws", "my.b", "a/b"}, true},
		{"https://s3-us-west-2.amazonaws.com/b/k", "", "", part{"s3", "", "us-west-2", "aws", "b", "k"}, true},
		{"https://111122223333.s3-control.us-east-1.amazonaws.com/v20180820/x", "", "", part{"s3-control", "", "us-east-1", "aws", "", ""}, true},
		{"https://lambda.us-east-1.amazonaws.com/2015-03-31/functions", "", "", part{"lambda", "", "us-east-1", "aws", "", ""}, false},
		{"https://example.com/", "", "Action=CreateVpc", part{partition: "aws"}, false},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		if c.target != "" {
			h = http.Header{"X-Amz-Target": {c.target}, "Content-Type": {"application/x-amz-json-1.0"}}
		}
		r, ok := Read("POST", u, h, []byte(c.body), "111122223333")
		if got := (part{r.Service, r.Operation, r.Region, r.Partition, r.Bucket, r.Key}); got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v, %v\nwant %+v", c.url, got, ok, c.want)
		}
	}
}

func TestParameters(t *testing.T) {
	u, _ := url.Parse("https://kms.us-east-1.amazonaws.com/")
	query, _ := Read("POST", u, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("Action=A&Name=n&Tag.1.Key=k&Empty="), "1")
	json, _ := Read("POST", u, http.Header{"X-Amz-Target": {"T.A"}, "Content-Type": {"application/x-amz-json-1.1"}}, []byte(`{"Name":"n","Tag":[{"Key":"k"}],"Empty":[],"No":null}`), "1")
	for name, r := range map[string]Request{"query": query, "json": json} {
		if r.Param("Name") != "n" || r.Param("Tag") != "" || r.Param("Nosuch") != "" {
			t.Errorf("%s: Param", name)
		}
		if !r.Has("Name") || !r.Has("Tag") || r.Has("Empty") || r.Has("No") || r.Has("Nosuch") {
			t.Errorf("%s: Has", name)
		}
	}
	if got := query.ARN("kms", "key/1"); got != "arn:aws:kms:us-east-1:1:key/1" {
		t.Error(got)
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string][]string{
		"GetBucketCORS": {"Get", "Bucket", "CORS"}, "ListSAMLProviders": {"List", "SAML", "Providers"}, "decrypt": {"decrypt"}, "": nil,
	} {
		if got := Words(name); !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q, want %q", name, got, want)
		}
	}
}
