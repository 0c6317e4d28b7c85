package embedded

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Each service has its own words for credentials that are wrong.
func TestWrongCredentials(t *testing.T) {
	c := open(t, Config{})
	id, secret := c.Operator()
	p := newProbe(t, c)
	session, err := p.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(aws.Config) error{
		"iam": func(as aws.Config) error {
			_, err := iam.NewFromConfig(as).ListRoles(t.Context(), &iam.ListRolesInput{})
			return err
		},
		"ec2": func(as aws.Config) error {
			_, err := ec2.NewFromConfig(as).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
			return err
		},
		"kms": func(as aws.Config) error {
			_, err := kms.NewFromConfig(as).ListKeys(t.Context(), &kms.ListKeysInput{})
			return err
		},
		"sqs": func(as aws.Config) error {
			_, err := sqs.NewFromConfig(as).ListQueues(t.Context(), &sqs.ListQueuesInput{})
			return err
		},
		"s3": func(as aws.Config) error {
			_, err := s3.NewFromConfig(as).ListBuckets(t.Context(), &s3.ListBucketsInput{})
			return err
		},
		"sts": func(as aws.Config) error {
			_, err := sts.NewFromConfig(as).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			return err
		},
	}
	for _, test := range []struct {
		service       string
		status        int
		secret, token string // the codes for a wrong secret, and for an unknown key or token
		statusOfKey   int
	}{
		{"iam", 403, "SignatureDoesNotMatch", "InvalidClientTokenId", 403},
		{"sts", 403, "SignatureDoesNotMatch", "InvalidClientTokenId", 403},
		{"ec2", 401, "AuthFailure", "AuthFailure", 401},
		{"kms", 400, "InvalidSignatureException", "UnrecognizedClientException", 400},
		{"sqs", 403, "SignatureDoesNotMatch", "InvalidClientTokenId", 403},
		{"s3", 403, "SignatureDoesNotMatch", "InvalidAccessKeyId", 403},
	} {
		t.Run(test.service, func(t *testing.T) {
			call := calls[test.service]
			wantOK(t, call(as(c, id, secret, "")))
			wantError(t, call(as(c, id, secret+"x", "")), test.status, test.secret, "")
			wantError(t, call(as(c, "AKIA0000000000000000", secret, "")), test.statusOfKey, test.token, "")
			wantError(t, call(as(c, session.AccessKeyID, session.SecretAccessKey, session.SessionToken+"x")), test.statusOfKey, test.token, "")
			wantError(t, call(as(c, session.AccessKeyID, session.SecretAccessKey, "")), test.statusOfKey, test.token, "")
		})
	}
}

// send signs a request by hand, as the operator, and lets the test spoil it.
func send(t *testing.T, c *Cloud, method, url, body, service string, at time.Time, header map[string]string, spoil func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	hash := header["X-Amz-Content-Sha256"]
	if hash == "" {
		hash = sum(body)
		if service == "s3" {
			r.Header.Set("X-Amz-Content-Sha256", hash)
		}
	}
	id, secret := c.Operator()
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, r, hash, service, "us-east-1", at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }); err != nil {
		t.Fatal(err)
	}
	if spoil != nil {
		spoil(r)
	}
	reply, err := client(c, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

func TestSpoiledRequests(t *testing.T) {
	c := open(t, Config{})
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	const roles = "Action=ListRoles&Version=2010-05-08"
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	for _, test := range []struct {
		name, method, url, body, service string
		at                               time.Duration
		header                           map[string]string
		spoil                            func(*http.Request)
		status                           int
		want                             string
	}{
		{"good", "POST", "https://iam.amazonaws.com/", roles, "iam", 0, form, nil, 200, "<ListRolesResponse"},
		{"tampered body", "POST", "https://iam.amazonaws.com/", roles, "iam", 0, form, body("Action=ListUsers&Version=2010-05-08"), 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"too old", "POST", "https://iam.amazonaws.com/", roles, "iam", -6 * time.Minute, form, nil, 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"too old for s3", "GET", "https://s3.us-east-1.amazonaws.com/", "", "s3", -16 * time.Minute, nil, nil, 403, "<Code>RequestTimeTooSkewed</Code>"},
		{"old but good for s3", "GET", "https://s3.us-east-1.amazonaws.com/", "", "s3", -14 * time.Minute, nil, nil, 200, "<ListAllMyBucketsResult"},
		{"not signed", "POST", "https://iam.amazonaws.com/", roles, "iam", 0, form, func(r *http.Request) { r.Header.Del("Authorization") }, 403, "<Code>MissingAuthenticationToken</Code>"},
		{"not signed, s3", "GET", "https://s3.us-east-1.amazonaws.com/", "", "s3", 0, nil, func(r *http.Request) { r.Header.Del("Authorization") }, 403, "<Code>AccessDenied</Code>"},
		{"s3 payload", "PUT", "https://b.s3.us-east-1.amazonaws.com/k", "hello", "s3", 0, nil, body("hallo"), 400, "<Code>XAmzContentSHA256Mismatch</Code>"},
		{"the wrong service", "POST", "https://iam.amazonaws.com/", roles, "sqs", 0, form, nil, 403, "Credential should be scoped to correct service: &#39;iam&#39;."},
		{"the wrong region", "POST", "https://sqs.eu-west-1.amazonaws.com/", "Action=ListQueues&Version=2012-11-05", "sqs", 0, form, nil, 403, "Credential should be scoped to a valid region."},
		{"the wrong region, s3", "GET", "https://s3.eu-west-1.amazonaws.com/", "", "s3", 0, nil, nil, 400, "expecting &#39;eu-west-1&#39;"},
		{"moto's own paths", "POST", "https://s3.us-east-1.amazonaws.com/moto-api/reset", "", "s3", 0, nil, nil, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, text := send(t, c, test.method, test.url, test.body, test.service, time.Now().Add(test.at), test.header, test.spoil)
			if test.status == 0 {
				if strings.Contains(text, `"status": "ok"`) {
					t.Errorf("reached moto's own API: %s", text)
				}
				return
			}
			if status != test.status || !strings.Contains(text, test.want) {
				t.Errorf("got %d: %s", status, text)
			}
		})
	}
}

// What the gate has no row for is answered with 501, listed, and not let
// through, be it the administrator who asks or the gate be open.
func TestUnknown(t *testing.T) {
	for name, c := range map[string]*Cloud{"gate": open(t, Config{}), "open gate": open(t, Config{Open: true})} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "QLDB_20190102.ListLedgers"}
			status, text := send(t, c, "POST", "https://qldb.us-east-1.amazonaws.com/", "{}", "qldb", time.Now(), header, nil)
			if status != http.StatusNotImplemented || !strings.Contains(text, "qldb") {
				t.Errorf("got %d: %s", status, text)
			}
			form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
			status, text = send(t, c, "POST", "https://iam.amazonaws.com/", "Action=InventRole&Version=2010-05-08", "iam", time.Now(), form, nil)
			if status != http.StatusNotImplemented || !strings.Contains(text, "InventRole") {
				t.Errorf("got %d: %s", status, text)
			}
			list := c.Unknown()
			if len(list) != 2 || list[0].Service != "qldb" || list[1].String() != "iam:InventRole (POST iam.amazonaws.com/)" {
				t.Errorf("listed: %v", list)
			}
		})
	}
}
