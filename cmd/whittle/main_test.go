package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	if code, ok := proc.RunShim(os.Args, os.Environ()); ok {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){
		"whittle":        main,
		"calls":          callsMain,
		"google-calls":   googleCallsMain,
		"azure-calls":    azureCallsMain,
		"fake-terraform": fakeTerraformMain,
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Log("with -short: only the scripts that need no sandbox")
		var short []string
		for _, name := range []string{
			"usage",
			"bad-input",
			"parse",
			"emit",
			"compare",
			"explain",
			"init",
		} {
			short = append(short, "testdata/script/"+name+".txtar")
		}
		scripts = short
	}
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// What a person's shell has and a script's bare environment lacks.
			for _, name := range []string{"WHITTLE_MOTO_PYTHON", "PYENV_ROOT", "PYENV_VERSION"} {
				if v, ok := os.LookupEnv(name); ok {
					e.Setenv(name, v)
				}
			}
			docs, err := filepath.Abs("../../docs")
			if err != nil {
				return err
			}
			e.Setenv("DOCS", docs)
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"interrupt": cmdInterrupt,
			"waitfor":   cmdWaitFor,
			"ciscript":  cmdCIScript,
			"heard":     cmdHeard,
		},
	})
}

// cmdInterrupt sends SIGINT to all background commands: `interrupt`.
func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(os.Interrupt))
	}
}

// cmdWaitFor waits until a file is there: `waitfor FILE`.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s did not appear", args[0])
}

// cmdHeard holds what an audit log was found to say, `whittle audit --json`, against all
// that it must: `heard REPORT WANT`. A line of WANT is a finding: its kind, the step,
// the permission, and where a service made the call "by" and who.
func cmdHeard(ts *testscript.TestScript, neg bool, args []string) {
	var report audit.Report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &report))
	var got []string
	for _, f := range report.Findings {
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Kind, f.Step, f.Permission))
		if f.Via != "" {
			line += " by " + f.Via
		}
		got = append(got, line)
	}
	want := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || neg {
		ts.Fatalf("(-want +got)\n%s", diff)
	}
}

// callsMain is the program `calls FILE`: it makes the AWS calls that the file
// lists, one a line, with the real SDK and the environment's credentials. It
// stands for any tool that a command step may run.
func callsMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := calls(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

func calls(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		if verb == "maybe" { // what comes of it is nobody's business
			verb, arg, _ = strings.Cut(arg, " ")
			_ = oneCall(ctx, cfg, verb, arg)
			continue
		}
		if err := oneCall(ctx, cfg, verb, arg); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	return nil
}

func oneCall(ctx context.Context, cfg aws.Config, verb, arg string) error {
	var err error
	switch verb {
	case "":
	case "create-queue":
		_, err = sqs.NewFromConfig(cfg).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &arg})
	case "list-queues":
		_, err = sqs.NewFromConfig(cfg).ListQueues(ctx, &sqs.ListQueuesInput{})
	case "create-bucket":
		_, err = s3.NewFromConfig(cfg).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &arg})
	case "send-message": // queue, body
		queue, body, _ := strings.Cut(arg, " ")
		out, uerr := sqs.NewFromConfig(cfg).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
		if err = uerr; err == nil {
			_, err = sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: out.QueueUrl, MessageBody: &body})
		}
	case "login": // user, password
		user, password, _ := strings.Cut(arg, " ")
		_, err = iam.NewFromConfig(cfg).CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: &user, Password: &password})
	case "own-keys": // into a file: those that the step was lent
		key, kerr := cfg.Credentials.Retrieve(ctx)
		if err = kerr; err == nil {
			err = os.WriteFile(arg, []byte(key.SecretAccessKey+"\n"+key.SessionToken+"\n"), 0o600)
		}
	case "put-object": // bucket/key
		bucket, key, _ := strings.Cut(arg, "/")
		_, err = s3.NewFromConfig(cfg).PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("content")})
	case "get-object": // bucket/key
		bucket, key, _ := strings.Cut(arg, "/")
		out, gerr := s3.NewFromConfig(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if gerr == nil {
			gerr = out.Body.Close()
		}
		err = gerr
	case "create-vpc":
		_, err = ec2.NewFromConfig(cfg).CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: &arg})
	case "describe-vpcs":
		_, err = ec2.NewFromConfig(cfg).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	case "create-key":
		_, err = kms.NewFromConfig(cfg).CreateKey(ctx, &kms.CreateKeyInput{})
	case "create-user": // its name; writes its keys into NAME.env
		var key *iam.CreateAccessKeyOutput
		if _, err = iam.NewFromConfig(cfg).CreateUser(ctx, &iam.CreateUserInput{UserName: &arg}); err == nil {
			key, err = iam.NewFromConfig(cfg).CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &arg})
		}
		if err == nil {
			err = os.WriteFile(arg+".env", fmt.Appendf(nil, "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey), 0o600)
		}
	case "alias": // of the account
		_, err = iam.NewFromConfig(cfg).CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: &arg})
	case "no-alias":
		_, err = iam.NewFromConfig(cfg).DeleteAccountAlias(ctx, &iam.DeleteAccountAliasInput{AccountAlias: &arg})
	case "details": // all that IAM holds besides Whittle's, into a file
		out, derr := iam.NewFromConfig(cfg).GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{})
		if err = derr; err == nil {
			err = os.WriteFile(arg, details(out), 0o600)
		}
	case "roles": // their ARNs, into a file
		out, lerr := iam.NewFromConfig(cfg).ListRoles(ctx, &iam.ListRolesInput{})
		if err = lerr; err == nil {
			var list strings.Builder
			for _, r := range out.Roles {
				fmt.Fprintln(&list, aws.ToString(r.Arn))
			}
			err = os.WriteFile(arg, []byte(list.String()), 0o600)
		}
	case "attach-user-policy": // to a user; any policy of AWS's
		_, err = iam.NewFromConfig(cfg).AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &arg, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
	case "create-role": // for EC2
		doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
		_, err = iam.NewFromConfig(cfg).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &arg, AssumeRolePolicyDocument: &doc})
	case "put-role-policy": // role; any document
		doc := `{"Version":"2012-10-17","Statement":[]}`
		_, err = iam.NewFromConfig(cfg).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &arg, PolicyName: aws.String("p"), PolicyDocument: &doc})
	case "allow": // to a role, by a policy that is not its own: the role, an action
		role, action, _ := strings.Cut(arg, " ")
		doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
		_, err = iam.NewFromConfig(cfg).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("theirs"), PolicyDocument: &doc})
	case "operator": // a user with exactly the policy of a file; writes his keys into NAME.env. Again: another policy
		user, file, _ := strings.Cut(arg, " ")
		doc, rerr := os.ReadFile(file)
		if rerr != nil {
			return rerr
		}
		api, name := iam.NewFromConfig(cfg), "operator-"+strings.TrimSuffix(file, ".json")
		made, cerr := api.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(string(doc))})
		if cerr != nil {
			return cerr
		}
		if _, gerr := api.GetUser(ctx, &iam.GetUserInput{UserName: &user}); gerr != nil {
			err = oneCall(ctx, cfg, "create-user", user)
		} else if had, lerr := api.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: &user}); lerr != nil {
			err = lerr
		} else {
			for _, p := range had.AttachedPolicies {
				_, derr := api.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &user, PolicyArn: p.PolicyArn})
				err = errors.Join(err, derr)
			}
		}
		if err == nil {
			_, err = api.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &user, PolicyArn: made.Policy.Arn})
		}
	case "share-queue": // with everybody: its name
		queue, cerr := sqs.NewFromConfig(cfg).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &arg})
		if err = cerr; err == nil {
			doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["sqs:GetQueueUrl","sqs:SetQueueAttributes"],"Resource":"*"}]}`
			_, err = sqs.NewFromConfig(cfg).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: queue.QueueUrl, Attributes: map[string]string{"Policy": doc}})
		}
	case "set-queue": // its name
		queue, gerr := sqs.NewFromConfig(cfg).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &arg})
		if err = gerr; err == nil {
			_, err = sqs.NewFromConfig(cfg).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: queue.QueueUrl, Attributes: map[string]string{"VisibilityTimeout": "40"}})
		}
	case "unknown-call":
		_, err = sqs.NewFromConfig(cfg).StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arg})
	case "pause-once": // until interrupted, the first time; the file tells which time it is
		if _, serr := os.Stat(arg); serr == nil {
			return nil
		}
		if werr := os.WriteFile(arg, nil, 0o600); werr != nil {
			return werr
		}
		<-ctx.Done()
		err = ctx.Err()
	case "env": // fails, and tells, if the variable is set to something secret
		if v, ok := os.LookupEnv(arg); ok {
			return fmt.Errorf("%s is set, to %d characters", arg, len(v))
		}
	case "get": // a URL, and does as well without
		if reply, gerr := http.Get(arg); gerr == nil {
			err = reply.Body.Close()
		}
	case "fail":
		return errors.New(arg)
	default:
		return errors.New("no such verb")
	}
	return err
}

// details is what IAM holds besides what Whittle made.
func details(out *iam.GetAccountAuthorizationDetailsOutput) []byte {
	type object struct {
		ARN, Document          string
		Inline, Attached, Tags any
	}
	var list []object
	for _, r := range out.RoleDetailList {
		if !strings.HasPrefix(aws.ToString(r.Path), "/whittle/") {
			list = append(list, object{ARN: aws.ToString(r.Arn), Document: aws.ToString(r.AssumeRolePolicyDocument), Inline: r.RolePolicyList, Attached: r.AttachedManagedPolicies, Tags: r.Tags})
		}
	}
	for _, u := range out.UserDetailList {
		list = append(list, object{ARN: aws.ToString(u.Arn), Inline: u.UserPolicyList, Attached: u.AttachedManagedPolicies, Tags: u.Tags})
	}
	text, _ := json.MarshalIndent(list, "", " ") // texts and lists of texts
	return append(text, '\n')
}
