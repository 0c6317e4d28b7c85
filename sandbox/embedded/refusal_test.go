package embedded

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

// Each service refuses in its own form, lets through what is granted, and
// refuses again when the grant is taken away.
func TestEachService(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	ctx := t.Context()
	says := func(action, resource, clause string) string {
		on := ""
		if resource != "" {
			on = " on resource: " + resource
		}
		return "User: " + p.arn() + " is not authorized to perform: " + action + on + clause
	}
	no := func(action string) string {
		return " because no identity-based policy allows the " + action + " action"
	}
	for _, test := range []struct {
		name    string
		call    func() error
		status  int
		code    string
		message string
		grant   string
	}{
		{"iam", func() error {
			_, err := iam.NewFromConfig(p.Config).ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &p.name})
			return err
		}, 403, "AccessDenied", says("iam:ListRolePolicies", "role "+p.name, no("iam:ListRolePolicies")), "iam:ListRolePolicies"},
		{"sqs", func() error {
			_, err := sqs.NewFromConfig(p.Config).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("each")})
			return err
		}, 403, "AccessDenied", says("sqs:createqueue", "arn:aws:sqs:us-east-1:"+account+":each", no("sqs:createqueue")), "sqs:CreateQueue"},
		{"kms", func() error {
			_, err := kms.NewFromConfig(p.Config).CreateKey(ctx, &kms.CreateKeyInput{})
			return err
		}, 400, "AccessDeniedException", says("kms:CreateKey", "*", no("kms:CreateKey")), "kms:CreateKey"},
		{"ec2 describe", func() error {
			_, err := ec2.NewFromConfig(p.Config).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
			return err
		}, 403, "UnauthorizedOperation", "You are not authorized to perform this operation. " + says("ec2:DescribeVpcs", "", no("ec2:DescribeVpcs")), "ec2:DescribeVpcs"},
		{"s3", func() error {
			_, err := s3.NewFromConfig(p.Config).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("each-bucket")})
			return err
		}, 403, "AccessDenied", "Access Denied", "s3:CreateBucket"},
		{"s3 head", func() error {
			_, err := s3.NewFromConfig(p.Config).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("each-bucket")})
			return err
		}, 403, "Forbidden", "Forbidden", "s3:ListBucket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.holds("")
			wantError(t, test.call(), test.status, test.code, test.message)
			p.holds(`{"Effect":"Allow","Action":"` + test.grant + `","Resource":"*"}`)
			wantOK(t, test.call())
			p.holds("")
			wantError(t, test.call(), test.status, test.code, test.message)
		})
	}
	if n := c.Stats()["kms:CreateKey"]; n != (Count{Allowed: 1, Refused: 2}) {
		t.Errorf("kms:CreateKey was counted as %+v", n)
	}
	if len(c.Unknown()) > 0 {
		t.Errorf("unknown requests: %v", c.Unknown())
	}
}

// With the gate open, what TestEachService wants to be refused is not.
func TestOpenGate(t *testing.T) {
	c := open(t, Config{Open: true})
	p := newProbe(t, c)
	if _, err := ec2.NewFromConfig(p.Config).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); err != nil {
		t.Errorf("an open gate refuses: %v", err)
	}
	if _, err := sqs.NewFromConfig(p.Config).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("opened")}); err != nil {
		t.Errorf("an open gate refuses: %v", err)
	}
	wrong := p.Config
	wrong.Credentials = as(c, "AKIANOBODY", "x", "").Credentials
	if _, err := ec2.NewFromConfig(wrong).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); err == nil {
		t.Error("an open gate lets in who is not authenticated")
	}
}

func TestEncodedMessage(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	_, err := ec2.NewFromConfig(p.Config).CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	resource := "arn:aws:ec2:us-east-1:" + account + ":vpc/*"
	wantError(t, err, 403, "UnauthorizedOperation", "")
	text, blob, ok := strings.Cut(err.Error(), ". Encoded authorization failure message: ")
	if !ok || !strings.HasSuffix(text, "You are not authorized to perform this operation. User: "+p.arn()+
		" is not authorized to perform: ec2:CreateVpc on resource: "+resource+" because no identity-based policy allows the ec2:CreateVpc action") {
		t.Fatalf("got %v", err)
	}
	decode := func(from aws.Config, blob string) (string, error) {
		out, err := sts.NewFromConfig(from).DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: &blob})
		if err != nil {
			return "", err
		}
		return *out.DecodedMessage, nil
	}
	_, err = decode(p.Config, blob)
	wantError(t, err, 403, "AccessDenied", "")
	_, err = decode(operator(c), blob[:len(blob)-4]+"AAAA")
	wantError(t, err, 400, "InvalidAuthorizationMessageException", "")
	decoded, err := decode(operator(c), blob)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Allowed, ExplicitDeny bool
		Context               struct {
			Principal struct{ ARN, ID string }
			Action    string
			Resource  string
		}
	}
	if err := json.Unmarshal([]byte(decoded), &got); err != nil {
		t.Fatalf("%v: %s", err, decoded)
	}
	if got.Allowed || got.ExplicitDeny || got.Context.Action != "ec2:CreateVpc" || got.Context.Resource != resource || got.Context.Principal.ARN != p.arn() {
		t.Errorf("decoded: %s", decoded)
	}
	t.Run("the older form", func(t *testing.T) {
		old := open(t, Config{EncodedOnly: true})
		p := newProbe(t, old)
		_, err := ec2.NewFromConfig(p.Config).CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
		_, blob, ok := strings.Cut(err.Error(), "UnauthorizedOperation: You are not authorized to perform this operation. Encoded authorization failure message: ")
		if !ok || strings.Contains(err.Error(), "CreateVpc action") {
			t.Fatalf("got %v", err)
		}
		if decoded, err := decode(operator(old), blob); err != nil || !strings.Contains(decoded, "ec2:CreateVpc") {
			t.Errorf("got %s, %v", decoded, err)
		}
	})
}

func TestDetailedS3(t *testing.T) {
	c := open(t, Config{DetailedS3: true})
	p := newProbe(t, c)
	_, err := s3.NewFromConfig(p.Config).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("whatever")})
	wantError(t, err, 403, "AccessDenied", "User: "+p.arn()+` is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::whatever" because no identity-based policy allows the s3:ListBucket action`)
	_, err = s3.NewFromConfig(p.Config).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	wantError(t, err, 403, "AccessDenied", "User: "+p.arn()+` is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action`)
}

// What policies can say, decided on the wire.
func TestPolicies(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	queue := func(name string) error {
		_, err := sqs.NewFromConfig(p.Config).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
		return err
	}
	queueARN := "arn:aws:sqs:us-east-1:" + account + ":"
	for _, test := range []struct {
		name, policy string
		queue        string
		ok           bool
		clause       string
	}{
		{"resource", `{"Effect":"Allow","Action":"sqs:*","Resource":"` + queueARN + `p-*"}`, "p-1", true, ""},
		{"other resource", `{"Effect":"Allow","Action":"sqs:*","Resource":"` + queueARN + `p-*"}`, "q-1", false, " because no identity-based policy allows the sqs:createqueue action"},
		{"explicit deny", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"sqs:Create*","Resource":"*"}`, "p-2", false, " with an explicit deny in an identity-based policy"},
		{"not action", `{"Effect":"Allow","NotAction":"sqs:CreateQueue","Resource":"*"}`, "p-3", false, " because no identity-based policy allows the sqs:createqueue action"},
		{"not action of another", `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, "p-4", true, ""},
		{"condition holds", `{"Effect":"Allow","Action":"sqs:CreateQueue","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}`, "p-5", true, ""},
		{"condition fails", `{"Effect":"Allow","Action":"sqs:CreateQueue","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}`, "p-6", false, " because no identity-based policy allows the sqs:createqueue action"},
		{"the principal's key", `{"Effect":"Allow","Action":"sqs:CreateQueue","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::` + account + `:role/` + p.name + `"}}}`, "p-7", true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.holds(test.policy)
			if test.ok {
				wantOK(t, queue(test.queue))
				return
			}
			wantError(t, queue(test.queue), 403, "AccessDenied",
				"User: "+p.arn()+" is not authorized to perform: sqs:createqueue on resource: "+queueARN+test.queue+test.clause)
		})
	}
}

// A policy that cannot be evaluated is never taken for leave: the client gets
// an error that is no refusal, and the operator is told why.
func TestUndecidable(t *testing.T) {
	c := open(t, Config{})
	admin, name := bucket(t, c, "undecidable"), aws.String("undecidable")
	p := newProbe(t, c)
	p.holds(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
	if _, err := admin.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: name, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","Resource":"*","Condition":{"StringMatches":{"aws:RequestedRegion":"us-east-1"}}}]}`)}); err != nil {
		t.Fatal(err)
	}
	_, err := s3.NewFromConfig(p.Config).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name})
	if err == nil || !strings.Contains(err.Error(), "StatusCode: 501") {
		t.Errorf("got %v", err)
	}
	problems := c.Problems()
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "StringMatches") {
		t.Errorf("problems: %v", problems)
	}
	c.simulation = open(t, Config{}).simulation // the cleanup looks for problems
}

func TestBoundary(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	p.holds(`{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`)
	made, err := p.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("boundary"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:ListQueues","Resource":"*"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.iam.PutRolePermissionsBoundary(t.Context(), &iam.PutRolePermissionsBoundaryInput{RoleName: &p.name, PermissionsBoundary: made.Policy.Arn}); err != nil {
		t.Fatal(err)
	}
	queues := sqs.NewFromConfig(p.Config)
	_, err = queues.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	wantOK(t, err)
	_, err = queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("bounded")})
	wantError(t, err, 403, "AccessDenied", "User: "+p.arn()+" is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:"+account+
		":bounded because no permissions boundary allows the sqs:createqueue action")
}

// Users with keys, groups, and policies of AWS's own.
func TestUser(t *testing.T) {
	c := open(t, Config{})
	admin := iam.NewFromConfig(operator(c))
	ctx := t.Context()
	name, group := aws.String("alice"), aws.String("readers")
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(admin.CreateUser(ctx, &iam.CreateUserInput{UserName: name}))
	made, err := admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	alice := as(c, *made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")
	list := func() error {
		_, err := sqs.NewFromConfig(alice).ListQueues(ctx, &sqs.ListQueuesInput{})
		return err
	}
	wantError(t, list(), 403, "AccessDenied", "")
	must(admin.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group}))
	must(admin.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: name}))
	must(admin.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")}))
	wantOK(t, list())
	who, err := sts.NewFromConfig(alice).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	wantOK(t, err)
	if err == nil && *who.Arn != "arn:aws:iam::"+account+":user/alice" {
		t.Errorf("she is %s", *who.Arn)
	}
	must(admin.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: made.AccessKey.AccessKeyId, Status: "Inactive"}))
	wantError(t, list(), 403, "InvalidClientTokenId", "")
	must(admin.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: name, AccessKeyId: made.AccessKey.AccessKeyId, Status: "Active"}))
	wantOK(t, list())
	session, err := sts.NewFromConfig(alice).GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	wantOK(t, err)
	if err == nil {
		alice = as(c, *session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken)
		wantOK(t, list())
	}
	alice = as(c, *made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")
	must(admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: made.AccessKey.AccessKeyId}))
	wantError(t, list(), 403, "InvalidClientTokenId", "")
}

func TestAssumeRole(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	ctx := t.Context()
	p.holds(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`)
	role := func(name, trusted string, seconds int32) string {
		in := &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust(trusted))}
		if seconds > 0 {
			in.MaxSessionDuration = &seconds
		}
		if _, err := p.iam.CreateRole(ctx, in); err != nil {
			t.Fatal(err)
		}
		return "arn:aws:iam::" + account + ":role/" + name
	}
	trusted := role("trusts-it", "arn:aws:iam::"+account+":role/"+p.name, 0)
	other := role("trusts-another", "arn:aws:iam::"+account+":role/another", 0)
	long := role("long", "arn:aws:iam::"+account+":root", 7200)
	ask := func(from aws.Config, arn string, seconds int32, policy string) (*sts.AssumeRoleOutput, error) {
		in := &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("se")}
		if seconds > 0 {
			in.DurationSeconds = &seconds
		}
		if policy != "" {
			in.Policy = &policy
		}
		return sts.NewFromConfig(from).AssumeRole(ctx, in)
	}
	_, err := ask(p.Config, trusted, 0, "")
	wantOK(t, err)
	for _, arn := range []string{other, "arn:aws:iam::" + account + ":role/missing"} {
		_, err = ask(p.Config, arn, 0, "")
		wantError(t, err, 403, "AccessDenied", "User: "+p.arn()+" is not authorized to perform: sts:AssumeRole on resource: "+arn)
	}
	_, err = ask(operator(c), long, 7200, "")
	wantOK(t, err)
	_, err = ask(operator(c), long, 7201, "")
	wantError(t, err, 400, "ValidationError", "")
	_, err = ask(operator(c), long, 60, "")
	wantError(t, err, 400, "ValidationError", "")
	p.holds("")
	// Named itself in the trust policy, it needs no policy of its own; by way of
	// the account it does.
	_, err = ask(p.Config, trusted, 0, "")
	wantOK(t, err)
	_, err = ask(p.Config, long, 0, "")
	wantError(t, err, 403, "AccessDenied", "")

	t.Run("session policy", func(t *testing.T) {
		p.holds(`{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`)
		made, err := ask(operator(c), "arn:aws:iam::"+account+":role/"+p.name, 0, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:ListQueues","Resource":"*"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		narrow := sqs.NewFromConfig(as(c, *made.Credentials.AccessKeyId, *made.Credentials.SecretAccessKey, *made.Credentials.SessionToken))
		_, err = narrow.ListQueues(ctx, &sqs.ListQueuesInput{})
		wantOK(t, err)
		_, err = narrow.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("narrow")})
		wantError(t, err, 403, "AccessDenied", "User: arn:aws:sts::"+account+":assumed-role/"+p.name+"/se is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:"+
			account+":narrow because no session policy allows the sqs:createqueue action")
	})
}

func TestKeyPolicy(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	ctx := t.Context()
	admin := kms.NewFromConfig(operator(c))
	made, err := admin.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	id := made.KeyMetadata.KeyId
	describe := func() error {
		_, err := kms.NewFromConfig(p.Config).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
		return err
	}
	put := func(statement string) {
		t.Helper()
		_, err := admin.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: id, PolicyName: aws.String("default"), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:user/whittle-operator"},"Action":"kms:*","Resource":"*"}` + statement + `]}`)})
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(clause string) {
		t.Helper()
		wantError(t, describe(), 400, "AccessDeniedException", "User: "+p.arn()+" is not authorized to perform: kms:DescribeKey on resource: "+*made.KeyMetadata.Arn+clause)
	}
	// The default policy leaves it to IAM.
	refused(" because no identity-based policy allows the kms:DescribeKey action")
	p.holds(`{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"` + *made.KeyMetadata.Arn + `"}`)
	wantOK(t, describe())
	// One that does not name the account shuts IAM out.
	put("")
	refused(" because no resource-based policy allows the kms:DescribeKey action")
	// One that names the role needs no IAM.
	put(`,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:role/` + p.name + `"},"Action":"kms:DescribeKey","Resource":"*"}`)
	p.holds("")
	wantOK(t, describe())
	put(`,{"Effect":"Deny","Principal":"*","Action":"kms:DescribeKey","Resource":"*"}`)
	p.holds(`{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"}`)
	refused(" with an explicit deny in a resource-based policy")
}

func TestQueuePolicyDenies(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	admin := sqs.NewFromConfig(operator(c))
	made, err := admin.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("guarded"), Attributes: map[string]string{
		"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sqs:SendMessage","Resource":"arn:aws:sqs:us-east-1:` + account + `:guarded"}]}`}})
	if err != nil {
		t.Fatal(err)
	}
	p.holds(`{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`)
	_, err = sqs.NewFromConfig(p.Config).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("x")})
	wantError(t, err, 403, "AccessDenied", "User: "+p.arn()+" is not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:us-east-1:"+account+
		":guarded with an explicit deny in a resource-based policy")
	if diff := cmp.Diff("https://sqs.us-east-1.amazonaws.com/"+account+"/guarded", *made.QueueUrl); diff != "" {
		t.Error(diff)
	}
}

// Tags of existing resources are condition keys too.
func TestResourceTag(t *testing.T) {
	c := open(t, Config{})
	p := newProbe(t, c)
	admin := sqs.NewFromConfig(operator(c))
	urls := map[string]*string{}
	for _, team := range []string{"red", "blue"} {
		made, err := admin.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("of-" + team), Tags: map[string]string{"team": team}})
		if err != nil {
			t.Fatal(err)
		}
		urls[team] = made.QueueUrl
	}
	p.holds(`{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}`)
	send := func(team string) error {
		_, err := sqs.NewFromConfig(p.Config).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: urls[team], MessageBody: aws.String("x")})
		return err
	}
	wantOK(t, send("red"))
	wantError(t, send("blue"), 403, "AccessDenied", "")
}
