package embedded

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestSnapshot(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	ctx := t.Context()
	queues := sqs.NewFromConfig(operator(c))
	create := func(name string) {
		t.Helper()
		if _, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(names string) {
		t.Helper()
		out, err := queues.ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("snap-")})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range out.QueueUrls {
			got = append(got, u[strings.LastIndexByte(u, '/')+1:])
		}
		if strings.Join(got, " ") != names {
			t.Errorf("there are %q, want %q", got, names)
		}
	}
	mine := func() error {
		_, err := sqs.NewFromConfig(p.Config).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("mine")})
		return err
	}
	create("snap-1")
	p.holds(`{"Effect":"Allow","Action":"sqs:CreateQueue","Resource":"*"}`)
	id, err := c.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		create("snap-2")
		p.holds("")
		if _, err := p.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("after")}); err != nil {
			t.Fatal(err)
		}
		made, err := p.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("after")})
		if err != nil {
			t.Fatal(err)
		}
		after := as(c, *made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")
		_, err = sts.NewFromConfig(after).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		wantOK(t, err)
		has("snap-1 snap-2")
		wantError(t, mine(), 403, "AccessDenied", "")
		if err := c.Restore(ctx, id); err != nil {
			t.Fatal(err)
		}
		has("snap-1")
		wantOK(t, mine()) // the grant is back at once, and the session still good
		_, err = sts.NewFromConfig(after).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		wantError(t, err, 403, "InvalidClientTokenId", "")
	}
	if err := c.Restore(ctx, "nothing"); err == nil {
		t.Error("restored what was never kept")
	}
}

// Requests go on while the account is kept and brought back, and none is lost
// or answered from two states.
func TestSnapshotWhileBusy(t *testing.T) {
	c := open(t, Config{})
	queues := sqs.NewFromConfig(operator(c))
	if _, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("busy")}); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range 15 {
				out, err := queues.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("busy")})
				if err != nil || len(out.QueueUrls) != 1 {
					t.Errorf("%v, %v", out, err)
					return
				}
			}
		})
	}
	for range 3 {
		id, err := c.Snapshot(t.Context())
		if err == nil {
			err = c.Restore(t.Context(), id)
		}
		if err != nil {
			t.Error(err)
		}
	}
	busy.Wait()
}

// A session does not outlive its role, even if one of the same name comes after.
func TestRoleMadeAgain(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	who := func(as aws.Config) error {
		_, err := sts.NewFromConfig(as).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		return err
	}
	wantOK(t, who(p.Config))
	if _, err := p.iam.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: &p.name}); err != nil {
		t.Fatal(err)
	}
	wantError(t, who(p.Config), 403, "InvalidClientTokenId", "")
	if _, err := p.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &p.name, AssumeRolePolicyDocument: aws.String(trust("arn:aws:iam::" + account + ":root"))}); err != nil {
		t.Fatal(err)
	}
	wantError(t, who(p.Config), 403, "InvalidClientTokenId", "")
	wantOK(t, who(assume(t, c, operator(c), p.name)))
}

// A grant and a revocation take their time, and are in force in the end.
func TestPropagation(t *testing.T) {
	c := open(t, Config{Propagation: 2 * time.Second})
	admin := iam.NewFromConfig(operator(c))
	ctx := t.Context()
	name := "slow"
	if _, err := admin.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust("arn:aws:iam::" + account + ":root"))}); err != nil {
		t.Fatal(err)
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for !done() {
			if ctx.Err() != nil {
				t.Fatalf("%s never was in force", what)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	assumed := func() (*sts.AssumeRoleOutput, error) {
		return sts.NewFromConfig(operator(c)).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + name), RoleSessionName: aws.String("test")})
	}
	if _, err := assumed(); err == nil {
		t.Error("a role that was made this moment can be assumed")
	}
	var session *sts.AssumeRoleOutput
	until("the role", func() (ok bool) {
		var err error
		session, err = assumed()
		return err == nil
	})
	as := as(c, *session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken)
	allowed := func() bool {
		_, err := ec2.NewFromConfig(as).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
		return err == nil
	}
	if _, err := admin.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}`)}); err != nil {
		t.Fatal(err)
	}
	if allowed() {
		t.Error("a grant is in force at once")
	}
	until("the grant", allowed)
	if _, err := admin.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: aws.String("p")}); err != nil {
		t.Fatal(err)
	}
	if !allowed() {
		t.Error("a revocation is in force at once")
	}
	until("the revocation", func() bool { return !allowed() })
}

func TestDial(t *testing.T) {
	c := open(t, Config{})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "elsewhere") }))
	defer elsewhere.Close()
	reply, err := client(c, false).Get(elsewhere.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(reply.Body)
	reply.Body.Close()
	if string(text) != "elsewhere" {
		t.Errorf("got %s", text)
	}
	for host, ok := range map[string]bool{
		"sts.amazonaws.com": true, "b.c.s3.eu-west-1.amazonaws.com": true, "STS.Amazonaws.com": true, "ec2.cn-north-1.amazonaws.com.cn": true,
		"s3.dualstack.us-east-1.amazonaws.com": true, "evil-amazonaws.com": false, "amazonaws.com.evil.org": false, "registry.terraform.io": false, "": false,
	} {
		if c.domains.have(host) != ok {
			t.Errorf("%q: hosted is %v", host, !ok)
		}
	}
	// Its certificates are for the cloud's names and nothing else.
	for name, ok := range map[string]bool{"sqs.us-east-1.amazonaws.com": true, "example.org": false, "": false} {
		raw, err := net.Dial("tcp", c.Addr())
		if err != nil {
			t.Fatal(err)
		}
		err = tls.Client(raw, &tls.Config{ServerName: name, RootCAs: c.RootCAs(), InsecureSkipVerify: name == ""}).HandshakeContext(t.Context())
		if (err == nil) != ok {
			t.Errorf("handshake for %q: %v", name, err)
		}
		raw.Close()
	}
	if !strings.Contains(string(c.CertPEM()), "BEGIN CERTIFICATE") {
		t.Error("no certificate")
	}
}

func TestBadConfig(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	empty := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(empty, []byte("#!/bin/sh\necho '{\"error\": \"No module named moto\"}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Cloud: "oci"}, `there is none for cloud "oci"`},
		{Config{Account: "1234"}, "is not twelve digits"},
		{Config{Propagation: -1}, "is negative"},
		{Config{Listen: taken.Addr().String()}, "address already in use"},
		{Config{Python: empty}, "pip install"},
	} {
		c, err := Start(t.Context(), test.config)
		if err == nil {
			c.Close()
			t.Errorf("%+v: started", test.config)
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func TestClose(t *testing.T) {
	c, err := Start(t.Context(), Config{Account: "210987654321"})
	if err != nil {
		t.Fatal(err)
	}
	who, err := sts.NewFromConfig(operator(c)).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != "210987654321" || c.Region() != "us-east-1" || c.Account() != "210987654321" {
		t.Errorf("%+v, %v", who, err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if conn, err := c.Dial(t.Context(), "tcp", "sts.amazonaws.com:443"); err == nil {
		conn.Close()
		t.Error("a closed cloud can be dialed")
	}
}
