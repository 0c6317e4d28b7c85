package harness

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestAddressesOf(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	span := func(address string, from, to int) Span {
		s := Span{Address: address, From: at(from)}
		if to > 0 {
			s.To = at(to)
		}
		return s
	}
	request := func(target, body string) refusal.Exchange {
		u := &url.URL{Scheme: "https", Host: "sqs.us-east-1.amazonaws.com", Path: "/"}
		return refusal.Exchange{Method: "POST", URL: u, Header: http.Header{"X-Amz-Target": {"AmazonSQS." + target}, "Content-Type": {"application/x-amz-json-1.0"}}, Body: []byte(body)}
	}
	for _, c := range []struct {
		name  string
		x     refusal.Exchange
		spans []Span
		facts map[string]string
		want  []string
	}{
		{"nothing was at work", request("CreateQueue", "{}"), []Span{span("aws_sqs_queue.a", 1, 4), span("aws_sqs_queue.b", 6, 9)}, nil, nil},
		{"one was", request("CreateQueue", "{}"), []Span{span("aws_sqs_queue.a", 1, 4), span("aws_sqs_queue.b", 4, 9)}, nil, []string{"aws_sqs_queue.b"}},
		{"one never ended", request("CreateQueue", "{}"), []Span{span("aws_sqs_queue.a", 1, 0)}, nil, []string{"aws_sqs_queue.a"}},
		{"a name tells them apart", request("CreateQueue", `{"QueueName":"acme-late"}`),
			[]Span{span("aws_sqs_queue.a", 1, 9), span("aws_sqs_queue.b", 1, 9)},
			map[string]string{"aws_sqs_queue.a.name": `"acme-jobs"`, "aws_sqs_queue.b.name": `"acme-late"`}, []string{"aws_sqs_queue.b"}},
		{"a name that is part of another does not", request("CreateQueue", `{"QueueName":"acme-late-dead"}`),
			[]Span{span("aws_sqs_queue.a", 1, 9), span("aws_sqs_queue.b", 1, 9)},
			map[string]string{"aws_sqs_queue.a.name": `"acme-jobs"`, "aws_sqs_queue.b.name": `"acme-late"`}, []string{"aws_sqs_queue.a", "aws_sqs_queue.b"}},
		{"a value that both have does not", request("CreateQueue", `{"tags":{"team":"payments"}}`),
			[]Span{span("aws_sqs_queue.a", 1, 9), span("aws_sqs_queue.b", 1, 9)},
			map[string]string{"aws_sqs_queue.a.tags.team": `"payments"`, "aws_sqs_queue.b.tags.team": `"payments"`}, []string{"aws_sqs_queue.a", "aws_sqs_queue.b"}},
		{"what a resource is called tells more than where it is", request("CreateQueue", `{"QueueName":"acme-late","Region":"us-east-1"}`),
			[]Span{span("aws_sqs_queue.a", 1, 9), span("aws_sqs_queue.b", 1, 9)},
			map[string]string{"aws_sqs_queue.a.region": `"us-east-1"`, "aws_sqs_queue.b.name": `"acme-late"`}, []string{"aws_sqs_queue.b"}},
		{"the type only says which is likelier", request("CreateQueue", "{}"),
			[]Span{span("aws_lambda_function.a", 1, 9), span(`module.x["a.b"].aws_sqs_queue.b`, 1, 9)}, nil, []string{`module.x["a.b"].aws_sqs_queue.b`, "aws_lambda_function.a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := addressesOf(sighting{at(5), c.x}, c.spans, c.facts)
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
