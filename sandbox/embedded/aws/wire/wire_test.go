package wire

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func request(method, host, target string) *http.Request {
	r := httptest.NewRequest(method, "https://"+host+"/", nil)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		if strings.HasPrefix(target, "AmazonSQS") {
			r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		}
	} else if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	return r
}

func cborRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://monitoring.us-east-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/DeleteAlarms", nil)
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	return r
}

// ids are replaced before bodies are compared; what they look like is checked
// by TestIDs.
var ids = regexp.MustCompile(`<(RequestId|RequestID|HostId)>[^<]+<`)

// The replies as they go over the wire.
func TestRefusals(t *testing.T) {
	const user = "arn:aws:sts::123456789012:assumed-role/R/S"
	refusal := func(service, action, resource string) Refusal {
		return Refusal{Service: service, Principal: user, Action: action, Resource: resource, Policy: "identity-based policy"}
	}
	with := func(f Refusal, change func(*Refusal)) Refusal { change(&f); return f }
	vpc := with(refusal("ec2", "ec2:CreateVpc", "arn:aws:ec2:us-east-1:123456789012:vpc/*"), func(f *Refusal) { f.Encoded = "BLOB" })
	deny := func(f *Refusal) { f.Explicit, f.Policy = true, "an identity-based policy" }
	for _, test := range []struct {
		name    string
		r       *http.Request
		refusal Refusal
		forms   Forms
		status  int
		header  string // "Name: value"
		body    string
	}{
		{"iam", request("POST", "iam.amazonaws.com", ""), with(refusal("iam", "iam:CreateRole", "arn:aws:iam::123456789012:role/x"), func(f *Refusal) { f.Shown = "role x" }), Forms{}, 403, "Content-Type: text/xml",
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>User: ` + user + ` is not authorized to perform: iam:CreateRole on resource: role x because no identity-based policy allows the iam:CreateRole action</Message>
  </Error>
  <RequestId>…</RequestId>
</ErrorResponse>
`},
		{"sts says no more", request("POST", "sts.amazonaws.com", ""), with(refusal("sts", "sts:AssumeRole", "arn:aws:iam::123456789012:role/x"), deny), Forms{}, 403, "",
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>User: ` + user + ` is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/x</Message>
  </Error>
  <RequestId>…</RequestId>
</ErrorResponse>
`},
		{"sqs query", request("POST", "sqs.us-east-1.amazonaws.com", ""), refusal("sqs", "sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:q"), Forms{}, 403, "",
			`<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>User: ` + user + ` is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:123456789012:q because no identity-based policy allows the sqs:createqueue action</Message><Detail/>
  </Error>
  <RequestId>…</RequestId>
</ErrorResponse>
`},
		{"sqs json", request("POST", "sqs.us-east-1.amazonaws.com", "AmazonSQS.CreateQueue"), refusal("sqs", "sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:q"), Forms{}, 403, "x-amzn-query-error: AccessDenied;Sender",
			`{"Message":"User: ` + user + ` is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:123456789012:q because no identity-based policy allows the sqs:createqueue action","__type":"com.amazon.coral.service#AccessDeniedException"}`},
		{"kms", request("POST", "kms.us-east-1.amazonaws.com", "TrentService.CreateKey"), refusal("kms", "kms:CreateKey", "*"), Forms{}, 400, "Content-Type: application/x-amz-json-1.1",
			`{"Message":"User: ` + user + ` is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action","__type":"AccessDeniedException"}`},
		{"kms tag", request("POST", "kms.us-east-1.amazonaws.com", "TrentService.CreateKey"), refusal("kms", "kms:TagResource", "*"), Forms{}, 400, "",
			`{"Message":"User: ` + user + ` is not authorized to perform: kms:TagResource because no identity-based policy allows the kms:TagResource action","__type":"AccessDeniedException"}`},
		{"kms deny", request("POST", "kms.us-east-1.amazonaws.com", "TrentService.CreateKey"), with(refusal("kms", "kms:CreateKey", "*"), deny), Forms{}, 400, "",
			`{"Message":"User: ` + user + ` is not authorized to perform: kms:CreateKey on resource: * with an explicit deny in an identity-based policy","__type":"AccessDeniedException"}`},
		{"a load balancer's subnets", request("POST", "elasticloadbalancing.us-east-1.amazonaws.com", ""), refusal("elasticloadbalancing", "ec2:DescribeSubnets", "*"), Forms{}, 403, "Content-Type: text/xml",
			`<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>User: ` + user + ` is not authorized to perform: ec2:DescribeSubnets because no identity-based policy allows the ec2:DescribeSubnets action</Message>
  </Error>
  <RequestId>…</RequestId>
</ErrorResponse>
`},
		{"a group's template", request("POST", "autoscaling.us-east-1.amazonaws.com", ""), with(refusal("autoscaling", "iam:PassRole", "arn:aws:iam::123456789012:role/x"), func(f *Refusal) { f.Shown = "launch template: lt-1" }), Forms{}, 403, "",
			`<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>You are not authorized to use launch template: lt-1</Message>
  </Error>
  <RequestId>…</RequestId>
</ErrorResponse>
`},
		{"sns", request("POST", "sns.us-east-1.amazonaws.com", ""), refusal("sns", "sns:CreateTopic", "arn:aws:sns:us-east-1:123456789012:t"), Forms{}, 403, "",
			`<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <Error>
    <Type>Sender</Type>
    <Code>AuthorizationError</Code>
    <Message>User: ` + user + ` is not authorized to perform: SNS:CreateTopic on resource: arn:aws:sns:us-east-1:123456789012:t because no identity-based policy allows the SNS:CreateTopic action</Message>
  </Error>
  <RequestId>…</RequestId>
</ErrorResponse>
`},
		{"logs tags", request("POST", "logs.us-east-1.amazonaws.com", "Logs_20140328.CreateLogGroup"), with(refusal("logs", "logs:TagResource", "arn:aws:logs:us-east-1:123456789012:log-group:g"), func(f *Refusal) { f.Operation = "CreateLogGroup" }), Forms{}, 400, "",
			`{"Message":"User with accountId: 123456789012 is not authorized to perform CreateLogGroup with Tags. An additional permission \"logs:TagResource\" is required.","__type":"AccessDeniedException"}`},
		{"secretsmanager", request("POST", "secretsmanager.us-east-1.amazonaws.com", "secretsmanager.ListSecrets"), refusal("secretsmanager", "secretsmanager:ListSecrets", "*"), Forms{}, 400, "",
			`{"Message":"User: ` + user + ` is not authorized to perform: secretsmanager:ListSecrets because no identity-based policy allows the secretsmanager:ListSecrets action","__type":"AccessDeniedException"}`},
		{"cloudwatch cbor", cborRequest(), refusal("monitoring", "cloudwatch:DeleteAlarms", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"), Forms{}, 403, "x-amzn-query-error: AccessDenied;Sender",
			"\xa2\x66__type\x78\x2ecom.amazon.coral.service#AccessDeniedException\x67message\x78\xf0" + `User: ` + user + ` is not authorized to perform: cloudwatch:DeleteAlarms on resource: arn:aws:cloudwatch:us-east-1:123456789012:alarm:a because no identity-based policy allows the cloudwatch:DeleteAlarms action`},
		{"ec2", request("POST", "ec2.us-east-1.amazonaws.com", ""), vpc, Forms{}, 403, "Content-Type: text/xml;charset=UTF-8",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: " + user +
				" is not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:us-east-1:123456789012:vpc/* because no identity-based policy allows the ec2:CreateVpc action. Encoded authorization failure message: BLOB</Message></Error></Errors><RequestID>…</RequestID></Response>"},
		{"ec2 deny", request("POST", "ec2.us-east-1.amazonaws.com", ""), with(vpc, deny), Forms{}, 403, "",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: " + user +
				" is not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:us-east-1:123456789012:vpc/* with an explicit deny in an identity-based policy. Encoded authorization failure message: BLOB</Message></Error></Errors><RequestID>…</RequestID></Response>"},
		{"ec2 describe", request("POST", "ec2.us-east-1.amazonaws.com", ""), with(refusal("ec2", "ec2:DescribeVpcs", "*"), func(f *Refusal) { f.Encoded = "BLOB" }), Forms{}, 403, "",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: " + user +
				" is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action</Message></Error></Errors><RequestID>…</RequestID></Response>"},
		{"ec2 of old", request("POST", "ec2.us-east-1.amazonaws.com", ""), vpc, Forms{EncodedOnly: true}, 403, "",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. Encoded authorization failure message: BLOB</Message></Error></Errors><RequestID>…</RequestID></Response>"},
		{"s3", request("GET", "b.s3.us-east-1.amazonaws.com", ""), refusal("s3", "s3:ListBucket", "arn:aws:s3:::b"), Forms{}, 403, "Content-Type: application/xml",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>…</RequestId><HostId>…</HostId></Error>"},
		{"s3 in detail", request("GET", "b.s3.us-east-1.amazonaws.com", ""), refusal("s3", "s3:ListBucket", "arn:aws:s3:::b"), Forms{DetailedS3: true}, 403, "",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>User: " + user + " is not authorized to perform: s3:ListBucket on resource: &#34;arn:aws:s3:::b&#34; because no identity-based policy allows the s3:ListBucket action</Message><RequestId>…</RequestId><HostId>…</HostId></Error>"},
		{"s3 head", request("HEAD", "b.s3.us-east-1.amazonaws.com", ""), refusal("s3", "s3:ListBucket", "arn:aws:s3:::b"), Forms{}, 403, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Write(w, test.r, test.refusal.Service, test.refusal.Error(StyleOf(test.refusal.Service, test.r), test.forms))
			reply := w.Result()
			body, _ := io.ReadAll(reply.Body)
			got := ids.ReplaceAllString(string(body), "<$1>…<")
			if reply.StatusCode != test.status || got != test.body {
				t.Errorf("got %d:\n%s\nwant %d:\n%s", reply.StatusCode, got, test.status, test.body)
			}
			if name, value, ok := strings.Cut(test.header, ": "); ok && reply.Header.Get(name) != value {
				t.Errorf("%s is %q, want %q", name, reply.Header.Get(name), value)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	s3 := regexp.MustCompile(`^[0-9A-Z]{16}$`)
	host := regexp.MustCompile(`^[0-9A-Za-z+/]{70,80}=*$`)
	for s := Query; s <= CBOR; s++ {
		id, h := NewIDs(s), http.Header{"X-Amzn-Requestid": {"of the state"}}
		id.Stamp(h, s)
		if s == S3 {
			if !s3.MatchString(h.Get("x-amz-request-id")) || !host.MatchString(h.Get("x-amz-id-2")) || h.Get("x-amzn-RequestId") != "" {
				t.Errorf("S3's header is %v", h)
			}
			continue
		}
		if !uuid.MatchString(h.Get("x-amzn-RequestId")) {
			t.Errorf("style %d's header is %v", s, h)
		}
	}
}

// Every fault can be told in every style, and never as success.
func TestFaults(t *testing.T) {
	requests := map[string]*http.Request{
		"iam": request("POST", "iam.amazonaws.com", ""), "ec2": request("POST", "ec2.us-east-1.amazonaws.com", ""),
		"kms": request("POST", "kms.us-east-1.amazonaws.com", "TrentService.ListKeys"), "sqs": request("POST", "sqs.us-east-1.amazonaws.com", "AmazonSQS.ListQueues"),
		"s3": request("GET", "s3.us-east-1.amazonaws.com", ""), "lambda": request("GET", "lambda.us-east-1.amazonaws.com", ""),
	}
	for service, r := range requests {
		for f := Unsigned; f <= Invalid; f++ {
			w := httptest.NewRecorder()
			Write(w, r, service, Of(f, StyleOf(service, r), "a <message> & more"))
			body := w.Body.Bytes()
			var decoded any
			var err error
			if strings.Contains(w.Header().Get("Content-Type"), "json") {
				err = json.Unmarshal(body, &decoded)
			} else {
				err = xml.Unmarshal(body, new(struct{ XMLName xml.Name }))
			}
			if err != nil || w.Code < 400 {
				t.Errorf("%s, fault %d: status %d, %v: %s", service, f, w.Code, err, body)
			}
		}
	}
}
