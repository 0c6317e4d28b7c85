package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	googleiam "google.golang.org/api/iam/v1"
	"google.golang.org/api/option"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/azure"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/rolefile"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/step/terraform"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

// emit runs `whittle emit` into a folder of its own and gives the files' paths.
func emit(t *testing.T, args ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var stdout strings.Builder
	if code := run(t.Context(), append([]string{"emit", "--json", "--out", dir}, args...), streams{out: &stdout, err: testWriter{t}}); code != exitDone {
		t.Fatalf("whittle emit %s: exit %d", strings.Join(args, " "), code)
	}
	var files []emittedFile
	if err := json.Unmarshal([]byte(stdout.String()), &files); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.File)
	}
	return paths
}

// granted reads role files back.
func granted(t *testing.T, paths []string) grant.Set {
	t.Helper()
	var all grant.Set
	for _, path := range paths {
		set, err := roleFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = all.Union(set)
	}
	return all
}

// The example stack's roles are policies that IAM takes, as many as a role can have
// attached, and IAM gives back what the record says.
func TestEmittedPolicies(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs moto")
	}
	t.Parallel()
	cloud, err := embedded.Start(t.Context(), embedded.Config{Cloud: "aws"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	client := iam.NewFromConfig(embeddedAWS(cloud).(onAWS).sdk)
	rec, err := record.Read(stackRecord)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"account": cloud.Account(), "name": "acme", "region": "us-east-1"}
	fill := func(g grant.Grant) grant.Grant {
		with := func(s string) string { return rolefile.Fill(s, values) }
		g.Resource, g.Condition = with(g.Resource), grant.MapCondition(g.Condition, with)
		return g
	}
	from := []string{"--record", stackRecord}
	for name, value := range values {
		from = append(from, "--set", name+"="+value)
	}
	inline := emit(t, slices.Concat(from, []string{"--inline", "--only", "planner"})...)
	text, err := os.ReadFile(inline[0])
	if err != nil || len(inline) != 1 {
		t.Fatalf("%v, %v", inline, err)
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if _, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("planner"), AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("planner"), PolicyName: aws.String("planner"), PolicyDocument: aws.String(string(text))}); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"role", "step", "all"} {
		paths := emit(t, slices.Concat(from, []string{"--by", by, "--prefix", by + "-"})...)
		role := "holder-" + by
		if _, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &role, AssumeRolePolicyDocument: &trust}); err != nil {
			t.Fatal(err)
		}
		if by == "all" && len(paths) > policy.AttachLimit {
			t.Errorf("%d policies for one role", len(paths))
		}
		var back grant.Set
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(path), ".json")
			made, err := client.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(string(text))})
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if by == "all" {
				if _, err := client.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: &role, PolicyArn: made.Policy.Arn}); err != nil {
					t.Fatal(err)
				}
			}
			version, err := client.GetPolicyVersion(t.Context(), &iam.GetPolicyVersionInput{PolicyArn: made.Policy.Arn, VersionId: made.Policy.DefaultVersionId})
			if err != nil {
				t.Fatal(err)
			}
			document, err := url.QueryUnescape(*version.PolicyVersion.Document)
			if err != nil {
				t.Fatal(err)
			}
			d, err := policy.Parse([]byte(document))
			if err != nil {
				t.Fatal(err)
			}
			set, err := d.Set()
			if err != nil || d.Size() > policy.ManagedLimit {
				t.Fatalf("%s: %d characters, %v", path, d.Size(), err)
			}
			back = back.Union(set)
		}
		var want []grant.Grant
		for _, s := range rec.Steps {
			for g := range s.Set().All() {
				want = append(want, fill(g))
			}
		}
		if !back.Equal(grant.Of(want...)) {
			t.Errorf("--by %s: IAM gives back %d grants, the record has %d", by, back.Len(), grant.Of(want...).Len())
		}
	}
}

// The roles of the E2B example are custom roles that IAM takes.
func TestEmittedCustomRoles(t *testing.T) {
	t.Parallel()
	cloud, err := embedded.Start(t.Context(), embedded.Config{Cloud: "gcp"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	service, err := googleiam.NewService(t.Context(), option.WithHTTPClient(embeddedGCP(cloud).(onGCP).http))
	if err != nil {
		t.Fatal(err)
	}
	parent := "projects/" + cloud.Account()
	for _, path := range emit(t, "--record", e2bRecord) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		role, err := gcp.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		made, err := service.Projects.Roles.Create(parent, &googleiam.CreateRoleRequest{
			RoleId: rolefile.RoleID(strings.TrimSuffix(filepath.Base(path), ".yaml")),
			Role:   &googleiam.Role{Title: role.Title, Description: role.Description, Stage: role.Stage, IncludedPermissions: role.Permissions},
		}).Context(t.Context()).Do()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(made.IncludedPermissions) != len(role.Permissions) || made.Stage != "GA" {
			t.Errorf("%s: %d permissions, %d were made; %s", path, len(role.Permissions), len(made.IncludedPermissions), made.Stage)
		}
	}
}

// Terraform itself finds nothing wrong with what is written for it, and it says
// what the record says.
func TestEmittedTerraform(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform and its providers")
	}
	for _, tt := range []struct{ name, record, provider string }{
		{"aws", stackRecord, ""},
		{"gcp", e2bRecord, "terraform-provider-google"},
		{"azure", "testdata/azure.lock.json", "terraform-provider-azurerm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.provider != "" {
				if _, err := tools.Named(tt.provider); err != nil {
					t.Skipf("SKIPPED: %s cannot be built here: %v", tt.provider, err)
				}
			}
			for _, by := range []string{"role", "step"} {
				paths := emit(t, "--record", tt.record, "--format", "terraform", "--by", by)
				if err := validate(t, filepath.Dir(paths[0])); err != nil {
					t.Error(err)
				}
				rec, err := record.Read(tt.record)
				if err != nil {
					t.Fatal(err)
				}
				var want grant.Set
				for _, s := range rec.Steps {
					want = want.Union(s.Set())
				}
				if got := granted(t, paths); !got.Equal(want) {
					t.Errorf("--by %s: it says %d grants, the record %d", by, got.Len(), want.Len())
				}
			}
		})
	}
}

// validate has Terraform look at a root module.
func validate(t *testing.T, dir string) error {
	t.Helper()
	_, err := withTerraform(t, dir)
	return err
}

// withTerraform has Terraform look at a root module, with the providers that steps
// use, and run more commands in it. It gives what the last one printed.
func withTerraform(t *testing.T, dir string, more ...[]string) (last string, err error) {
	t.Helper()
	tell := func(s string) { t.Log(s) }
	binary, err := terraform.Find(t.Context(), lifecycle.Tool{}, tell)
	if err != nil {
		return "", err
	}
	mirrors, err := terraform.Mirrors(lifecycle.Tool{}, os.Environ(), dir)
	if err != nil {
		return "", err
	}
	built, err := terraform.BuiltProviders(t.Context(), binary.Product, mirrors, []string{dir}, tell)
	if err != nil {
		return "", err
	}
	rc := filepath.Join(t.TempDir(), "terraformrc")
	if err := os.WriteFile(rc, []byte(terraform.CLIConfig(append(mirrors, built...), "")), 0o600); err != nil {
		return "", err
	}
	for _, args := range append([][]string{{"init", "-backend=false", "-input=false", "-no-color"}, {"validate", "-no-color"}}, more...) {
		c := exec.CommandContext(t.Context(), binary.Path, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+rc, "CHECKPOINT_DISABLE=1")
		var stdout, stderr strings.Builder
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("terraform %s: %w\n%s%s", args[0], err, stdout.String(), stderr.String())
		}
		last = stdout.String()
	}
	return last, nil
}

// What aws_iam_policy_document makes of the text is what the grants say: Terraform
// and its provider have notations of their own for what IAM has.
func TestTerraformRenders(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform and its providers")
	}
	t.Parallel()
	var grants []grant.Grant
	for _, resource := range []string{
		"*", "arn:aws:s3:::{name}-files/*", "arn:aws:s3:::a/${*}", "arn:aws:s3:::a/${?}", "arn:aws:s3:::a/${$}{name}", "arn:aws:s3:::a/%{IF}", `arn:aws:s3:::a/"b"\c`,
		"arn:aws:s3:::ü/<&>", "arn:aws:sqs:us-east-1:{account}:{count}", "arn:aws:s3:::a/$x", "arn:aws:s3:::a/$${*}",
	} {
		grants = append(grants, grant.Grant{Permission: "s3:GetObject", Resource: resource}, grant.Grant{Permission: "s3:PutObject", Resource: resource})
	}
	set := grant.Of(grants...)
	files, err := rolefile.Write([]rolefile.Group{{Name: "applier", Set: set}}, rolefile.Options{Cloud: "aws", Format: rolefile.Terraform})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// A data source of this provider asks nobody.
	provider := `
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
`
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, files[0].Name), files[0].Content, 0o600),
		os.WriteFile(filepath.Join(dir, "provider.tf"), []byte(provider), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"account": "123456789012", "name": "acme", "count": "jobs"}
	out, err := withTerraform(t, dir,
		[]string{"plan", "-input=false", "-no-color", "-refresh=false", "-out=plan", "-var=account=123456789012", "-var=name=acme", "-var=count_=jobs"},
		[]string{"show", "-json", "plan"})
	if err != nil {
		t.Fatal(err)
	}
	var plan struct {
		PlannedValues struct {
			RootModule struct {
				Resources []struct {
					Type   string
					Values struct{ Policy string }
				}
			} `json:"root_module"`
		} `json:"planned_values"`
	}
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		t.Fatal(err)
	}
	var back grant.Set
	for _, r := range plan.PlannedValues.RootModule.Resources {
		d, err := policy.Parse([]byte(r.Values.Policy))
		if err != nil {
			t.Fatalf("%s: %v", r.Type, err)
		}
		got, err := d.Set()
		if err != nil {
			t.Fatal(err)
		}
		back = back.Union(got)
	}
	var want []grant.Grant
	for g := range set.All() {
		g.Resource = rolefile.Fill(g.Resource, values)
		want = append(want, g)
	}
	if diff := cmp.Diff(grant.Of(want...).Slice(), back.Slice()); diff != "" {
		t.Error(diff)
	}
	// A value that would widen the role is refused.
	if _, err := withTerraform(t, dir, []string{"plan", "-input=false", "-no-color", "-refresh=false", "-var=account=123456789012", "-var=name=*", "-var=count_=jobs"}); err == nil || !strings.Contains(err.Error(), "would widen the roles") {
		t.Errorf("a wildcard as a name: %v", err)
	}
}

// What is wrong, Terraform does find: the test above can fail.
func TestTerraformValidates(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs terraform and its providers")
	}
	t.Parallel()
	dir := t.TempDir()
	paths := emit(t, "--record", stackRecord, "--format", "terraform", "--only", "builder")
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), "actions =", "acts =", 1)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "roles.tf"), []byte(wrong), 0o600), validate(t, dir)); err == nil || !strings.Contains(err.Error(), "acts") {
		t.Errorf("got %v", err)
	}
}

// gcloud as it is takes the files, and gives back roles that allow all of the
// record and nothing more.
func TestEmittedForGcloud(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("SKIPPED: there is no gcloud on PATH")
	}
	t.Parallel()
	paths := emit(t, "--record", e2bRecord, "--only", "owner,planner")
	env := servedCloud(t, "gcp")
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		gcloud := func(args ...string) []byte {
			t.Helper()
			c := exec.CommandContext(t.Context(), "gcloud", append([]string{"iam", "roles"}, args...)...)
			c.Env = env
			c.Stderr = testWriter{t}
			out, err := c.Output()
			if err != nil {
				t.Fatalf("gcloud iam roles %s: %v", strings.Join(args, " "), err)
			}
			return out
		}
		gcloud("create", name, "--project", "whittle-sandbox", "--quiet", "--file", path)
		back := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(back, gcloud("describe", name, "--project", "whittle-sandbox"), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout strings.Builder
		code := run(t.Context(), []string{"compare", back, "--record", e2bRecord, "--role", name}, streams{out: &stdout, err: io.Discard})
		if code != exitDone || !strings.Contains(stdout.String(), ": 0 missing, 0 depend; 0 entries unneeded\n") {
			t.Errorf("%s: exit %d\n%s", name, code, stdout.String())
		}
	}
}

// servedCloud serves an embedded sandbox to other programs, until the test ends,
// and gives the environment in which they find it.
func servedCloud(t *testing.T, cloud string) []string {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		code := run(ctx, []string{"cloud", "--cloud", cloud, "--json"}, streams{out: w, err: testWriter{t}})
		_ = w.CloseWithError(fmt.Errorf("whittle cloud: exit %d", code))
	}()
	t.Cleanup(func() { stop(); <-done })
	var vars map[string]string
	if err := json.NewDecoder(r).Decode(&vars); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CLOUDSDK_CORE_DISABLE_PROMPTS=1"}
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the writer
	return env
}

// What is written for Resource Manager it takes, and gives back what the record
// says; and it tells the planes of its operations apart as emit does.
func TestEmittedDefinitions(t *testing.T) {
	t.Parallel()
	cloud, err := embedded.Start(t.Context(), embedded.Config{Cloud: "azure"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	o, err := embeddedAzure(cloud)
	if err != nil {
		t.Fatal(err)
	}
	operator := o.(onAzure)
	token, err := operator.credential.GetToken(t.Context(), azpolicy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string, body []byte) []byte {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://management.azure.com"+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token.Token)
		r.Header.Set("Content-Type", "application/json")
		reply, err := operator.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		text, err := io.ReadAll(reply.Body)
		if err != nil || reply.StatusCode >= 300 {
			t.Fatalf("%s %s: %s %v\n%s", method, path, reply.Status, err, text)
		}
		return text
	}
	const file = "testdata/azure.lock.json"
	rec, err := record.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range emit(t, "--record", file, "--format", "arm", "--by", "step", "--set", "subscription="+cloud.Account()) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("/subscriptions/%s/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-00000000000%d?api-version=2022-04-01", cloud.Account(), i)
		ask(http.MethodPut, id, text)
		role, err := rolefile.Read("role.json", ask(http.MethodGet, id, nil))
		if err != nil {
			t.Fatal(err)
		}
		set, err := role.Set()
		if err != nil || !set.Equal(rec.Steps[i].Set()) {
			t.Errorf("%s: %v, %v", path, set.Slice(), err)
		}
		for _, rule := range role.Rules {
			for _, p := range rule.Permissions {
				if (rule.Plane == rolefile.Data) != strings.HasPrefix(p, "Microsoft.KeyVault/") {
					t.Errorf("%s is an action of the plane %s", p, rule.Plane)
				}
			}
		}
	}
	for _, namespace := range []string{"Microsoft.Storage", "Microsoft.KeyVault"} {
		var all struct {
			Operations []struct {
				Name         string
				IsDataAction bool
			}
		}
		if err := json.Unmarshal(ask(http.MethodGet, "/providers/Microsoft.Authorization/providerOperations/"+namespace+"?api-version=2022-04-01", nil), &all); err != nil {
			t.Fatal(err)
		}
		for _, op := range all.Operations {
			// Those of a vault that do not end in /action show by their host.
			if is := azure.IsData(op.Name); is && !op.IsDataAction || !is && op.IsDataAction && namespace == "Microsoft.Storage" {
				t.Errorf("%s: a data action: %t, emit says %t", op.Name, op.IsDataAction, is)
			}
		}
		if len(all.Operations) == 0 {
			t.Errorf("%s has no operations", namespace)
		}
	}
}
