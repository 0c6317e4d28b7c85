package hold

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	sqsHost = "sqs.us-east-1.amazonaws.com"
	s3Host  = "bucket.s3.us-east-1.amazonaws.com"
	// goClient and pythonClient are User-Agents as seen on the wire.
	goClient     = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0 aws-sdk-go-v2/1.36.3 os/linux"
	pythonClient = "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux"
)

func TestTryAgainSpeaksTheProtocol(t *testing.T) {
	for _, tt := range []struct {
		name, host, contentType, body string
		header                        http.Header
		want                          string
	}{
		{"query", "iam.amazonaws.com", "text/xml", `<ErrorResponse><Error/></ErrorResponse>`, nil,
			`<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code><Message>` + heldOut + `</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{"ec2", "ec2.us-east-1.amazonaws.com", "text/xml;charset=UTF-8", "\n<?xml version=\"1.0\"?><Response><Errors/></Response>", nil,
			`<Response><Errors><Error><Code>ServiceUnavailable</Code><Message>` + heldOut + `</Message></Error></Errors><RequestID>id-1</RequestID></Response>`},
		{"s3", s3Host, "application/xml", `<Error><Code>AccessDenied</Code></Error>`, nil,
			`<Error><Code>SlowDown</Code><Message>` + heldOut + `</Message><RequestId>id-1</RequestId></Error>`},
		{"json", sqsHost, "application/x-amz-json-1.0", `{"__type":"x"}`, nil, `{"__type":"ServiceUnavailable","message":"` + heldOut + `"}`},
		{"text", sqsHost, "text/plain", `no`, nil, "ServiceUnavailable: " + heldOut + "\n"},
		{"head", s3Host, "application/xml", ``, nil, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{
				"Content-Type": {tt.contentType}, "X-Amzn-Requestid": {"id-1"}, "Set-Cookie": {"x"}, "Content-Length": {"9"},
				"X-Amzn-Errortype": {"AccessDeniedException"}, "X-Amzn-Query-Error": {"AccessDenied;Sender"}, "Content-Encoding": {"gzip"},
			}
			got, body := TryAgain(tt.host, h, []byte(tt.body))
			if s := strings.TrimPrefix(string(body), xml.Header); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
			if strings.Contains(tt.contentType, "json") && !json.Valid(body) {
				t.Error("not JSON")
			}
			code := "ServiceUnavailable"
			if tt.host == s3Host {
				code = "SlowDown"
			}
			if got.Get("X-Amzn-Errortype") != code || got.Get("X-Amzn-Query-Error") != code+";Receiver" || got.Get("X-Amzn-Requestid") != "id-1" {
				t.Error("header:", got)
			}
			for _, name := range []string{"Set-Cookie", "Content-Length", "Content-Encoding"} {
				if got[name] != nil {
					t.Errorf("%s is kept", name)
				}
			}
		})
	}
	// The example of RFC 8949's appendix for text in a map has the same shape.
	if got, want := cborError("a", "b"), []byte("\xa2\x66__type\x61a\x67message\x61b"); !bytes.Equal(got, want) {
		t.Errorf("cbor %x, want %x", got, want)
	}
	if got := cborError(strings.Repeat("x", 30), strings.Repeat("y", 300)); !bytes.Contains(got, []byte("\x78\x1exxx")) || !bytes.Contains(got, []byte("\x79\x01\x2cyyy")) {
		t.Errorf("cbor of long texts: %x", got)
	}
}

func TestDefault(t *testing.T) {
	for ua, want := range map[string]time.Duration{
		goClient: 100 * time.Second, "aws-sdk-go/1.55.5 (go1.22; linux; amd64)": 100 * time.Second,
		"APN/1.0 HashiCorp/1.0 Terraform/1.11.4": 100 * time.Second,
		"google-api-go-client/0.5 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-google/4.9.0": 100 * time.Second,
		pythonClient: 45 * time.Second, "aws-cli/2.17.0 md/awscrt#0.20 exec-env/Terraform": 45 * time.Second,
		"curl/8": 45 * time.Second, "": 45 * time.Second,
	} {
		if got := Default(ua); got != want {
			t.Errorf("%q: %v, want %v", ua, got, want)
		}
	}
}
