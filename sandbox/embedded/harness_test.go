package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/moto"
)

// state is the one moto of this package's tests; each test puts a gate of its
// own before it. It is made in TestMain, and its lack fails every test.
var state *moto.Host

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if state, err = moto.Start(context.Background(), moto.Options{Account: "123456789012"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer state.Close()
		return m.Run()
	}())
}

// open starts a cloud before the shared state.
func open(t *testing.T, c Config) *Cloud {
	t.Helper()
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	simulation, err := simulateAWS(t.Context(), c, state)
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := serve(c, listener, simulation)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.hangUp(); err != nil {
			t.Error(err)
		}
		for _, p := range cloud.Problems() {
			t.Errorf("the sandbox had a problem: %v", p)
		}
	})
	return cloud
}

// client is an HTTP client that reaches the cloud.
func client(c *Cloud, h2 bool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: c.Dial, TLSClientConfig: &tls.Config{RootCAs: c.RootCAs()}, ForceAttemptHTTP2: h2, DisableCompression: true}}
}

// as is an SDK configuration for a set of credentials.
func as(c *Cloud, id, secret, token string) aws.Config {
	return aws.Config{
		Region: "us-east-1", HTTPClient: client(c, true), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	}
}

func operator(c *Cloud) aws.Config {
	id, secret := c.Operator()
	return as(c, id, secret, "")
}

const account = "123456789012"

func trust(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
}

// probe is a role that holds nothing, and a session of it.
type probe struct {
	t    *testing.T
	c    *Cloud
	name string
	iam  *iam.Client // the operator's
	aws.Config
}

func newProbe(t *testing.T, c *Cloud) *probe {
	t.Helper()
	name := "probe-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	p := &probe{t: t, c: c, name: name, iam: iam.NewFromConfig(operator(c))}
	if _, err := p.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust("arn:aws:iam::" + account + ":root"))}); err != nil {
		t.Fatal(err)
	}
	p.Config = assume(t, c, operator(c), name)
	return p
}

func assume(t *testing.T, c *Cloud, from aws.Config, role string) aws.Config {
	t.Helper()
	made, err := sts.NewFromConfig(from).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + role), RoleSessionName: aws.String("test")})
	if err != nil {
		t.Fatal(err)
	}
	return as(c, *made.Credentials.AccessKeyId, *made.Credentials.SecretAccessKey, *made.Credentials.SessionToken)
}

// holds makes the statements the role's whole policy.
func (p *probe) holds(statements string) {
	p.t.Helper()
	if statements == "" {
		_, err := p.iam.DeleteRolePolicy(p.t.Context(), &iam.DeleteRolePolicyInput{RoleName: &p.name, PolicyName: aws.String("probe")})
		var none *types.NoSuchEntityException
		if err != nil && !errors.As(err, &none) {
			p.t.Fatal(err)
		}
		return
	}
	_, err := p.iam.PutRolePolicy(p.t.Context(), &iam.PutRolePolicyInput{RoleName: &p.name, PolicyName: aws.String("probe"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *probe) arn() string {
	return "arn:aws:sts::" + account + ":assumed-role/" + p.name + "/test"
}

// wantError checks the code, the status and the message, as the SDK read them.
// An empty message is not looked at.
func wantError(t *testing.T, err error, status int, code, message string) {
	t.Helper()
	var api smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &response) {
		t.Errorf("got %v, want %s", err, code)
		return
	}
	if api.ErrorCode() != code || response.HTTPStatusCode() != status {
		t.Errorf("got status %d, code %s (%v), want %d, %s", response.HTTPStatusCode(), api.ErrorCode(), err, status, code)
	}
	if message != "" && api.ErrorMessage() != message {
		t.Errorf("got message\n%s\nwant\n%s", api.ErrorMessage(), message)
	}
	if response.ServiceRequestID() == "" {
		t.Error("the reply has no request id")
	}
}

func wantOK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}
