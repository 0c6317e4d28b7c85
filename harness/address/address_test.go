package address

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestOf(t *testing.T) {
	request := func(target, body string) refusal.Exchange {
		u := &url.URL{Scheme: "https", Host: "sqs.us-east-1.amazonaws.com", Path: "/"}
		return refusal.Exchange{Method: "POST", URL: u, Header: http.Header{"X-Amz-Target": {"AmazonSQS." + target}, "Content-Type": {"application/x-amz-json-1.0"}}, Body: []byte(body)}
	}
	for _, c := range []struct {
		name    string
		x       refusal.Exchange
		working []string
		facts   map[string]string
		want    []string
	}{
		{"nothing was at work", request("CreateQueue", "{}"), nil, nil, nil},
		{"one was", request("CreateQueue", "{}"), []string{"aws_sqs_queue.b"}, nil, []string{"aws_sqs_queue.b"}},
		{"a name tells them apart", request("CreateQueue", `{"QueueName":"acme-late"}`),
			[]string{"aws_sqs_queue.a", "aws_sqs_queue.b"},
			map[string]string{"aws_sqs_queue.a.name": `"acme-jobs"`, "aws_sqs_queue.b.name": `"acme-late"`}, []string{"aws_sqs_queue.b"}},
		{"a name that is part of another does not", request("CreateQueue", `{"QueueName":"acme-late-dead"}`),
			[]string{"aws_sqs_queue.a", "aws_sqs_queue.b"},
			map[string]string{"aws_sqs_queue.a.name": `"acme-jobs"`, "aws_sqs_queue.b.name": `"acme-late"`}, []string{"aws_sqs_queue.a", "aws_sqs_queue.b"}},
		{"a value that both have does not", request("CreateQueue", `{"tags":{"team":"payments"}}`),
			[]string{"aws_sqs_queue.a", "aws_sqs_queue.b"},
			map[string]string{"aws_sqs_queue.a.tags.team": `"payments"`, "aws_sqs_queue.b.tags.team": `"payments"`}, []string{"aws_sqs_queue.a", "aws_sqs_queue.b"}},
		{"what a resource is called tells more than where it is", request("CreateQueue", `{"QueueName":"acme-late","Region":"us-east-1"}`),
			[]string{"aws_sqs_queue.a", "aws_sqs_queue.b"},
			map[string]string{"aws_sqs_queue.a.region": `"us-east-1"`, "aws_sqs_queue.b.name": `"acme-late"`}, []string{"aws_sqs_queue.b"}},
		{"the type only says which is likelier", request("CreateQueue", "{}"),
			[]string{"aws_lambda_function.a", `module.x["a.b"].aws_sqs_queue.b`}, nil, []string{`module.x["a.b"].aws_sqs_queue.b`, "aws_lambda_function.a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Of(c.x, c.working, c.facts)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTypeOf(t *testing.T) {
	for address, want := range map[string]string{
		"aws_vpc.main": "aws_vpc", "aws_vpc.main[0]": "aws_vpc", "data.aws_ami.x": "aws_ami", "": "", "data": "data",
		"module.a.module.b.data.aws_ami.x": "aws_ami", `module.a["x.y"].aws_sqs_queue.b["k"]`: "aws_sqs_queue",
	} {
		if got := typeOf(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
