package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/variants"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

// tool gives the path of a real tool that whittle builds, and builds it if this
// machine has not done so yet.
func tool(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs " + name)
	}
	found, err := tools.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	path, err := found.Build(t.Context(), tools.Config{Tell: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stackCopy copies a stack into a folder of its own, and edits its whittle.yaml.
func stackCopy(t *testing.T, stack string, edit func(string) string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(stack))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, filepath.Base(stack))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(edit(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// failsOpen checks that a stack's probe fails with the gate open.
func failsOpen(t *testing.T, stack string) {
	t.Helper()
	if _, err := probeStack(t, stack, "--gate=open", "--no-reference", "--no-verify"); !noticed(err) {
		t.Errorf("with the gate open: %v", err)
	}
}

// noticed tells whether err is a canary's, on AWS or on Google Cloud, that was not
// refused.
func noticed(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "should be refused") || strings.Contains(err.Error(), "should not be held"))
}

// checkSteps checks that each step took one run, no client saw a refusal, all
// was verified, and the steps need these permissions and no other: step → names
// parted by spaces, "ec2:" where none is said. Steps that are not in want are
// not compared.
func checkSteps(t *testing.T, p probed, want map[string]string) {
	t.Helper()
	if !p.rec.Verified {
		t.Error("not verified")
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	for _, s := range p.rec.Steps {
		if s.Runs != 1 {
			t.Errorf("step %s took %d runs of growth, want 1", s.Name, s.Runs)
		}
		for _, g := range s.Grants {
			if g.Necessity != "observed" {
				t.Errorf("step %s: %s is %s", s.Name, g.Permission, g.Necessity)
			}
		}
		names, ok := want[s.Name]
		if !ok {
			continue
		}
		delete(want, s.Name)
		var permissions []string
		for _, name := range strings.Fields(names) {
			if !strings.Contains(name, ":") {
				name = "ec2:" + name
			}
			permissions = append(permissions, name)
		}
		slices.Sort(permissions)
		if diff := cmp.Diff(permissions, s.Set().Permissions()); diff != "" {
			t.Errorf("step %s needs (-want +got):\n%s", s.Name, diff)
		}
	}
	for name := range want {
		t.Errorf("there is no step %s", name)
	}
}

// checkSame checks that the stack's record, under other names, has the same
// bytes as p's but for the verification.
func checkSame(t *testing.T, p probed, stack string, flags ...string) {
	t.Helper()
	second, err := probeStack(t, stack, append(flags, "--no-reference", "--no-verify")...)
	if err != nil {
		t.Fatal(err)
	}
	unverified := strings.Replace(string(p.bytes), `"verified": true`, `"verified": false`, 1)
	if diff := cmp.Diff(unverified, string(second.bytes)); diff != "" {
		t.Errorf("another run gave another record:\n%s", diff)
	}
}

// OpenTofu needs what Terraform needs, with the provider from the same mirror.
func TestProbeWithOpenTofu(t *testing.T) {
	t.Parallel()
	stack := stackCopy(t, tinyStack, func(text string) string { return "terraform: {path: " + tool(t, "tofu") + "}\n" + text })
	p, err := probeStack(t, stack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	if !p.rec.Verified {
		t.Error("not verified")
	}
	if v := p.rec.Inputs.Tools; v["tofu"] != "1.10.6" || v["hashicorp/aws"] == "" || v["terraform"] != "" {
		t.Errorf("tools %v", v)
	}
	if err := unseen(p); err != nil {
		t.Error(err)
	}
	theirs, err := probeStack(t, tinyStack, "--no-reference", "--no-verify")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range theirs.rec.Steps {
		if !slices.Equal(s.Set().Slice(), p.rec.Steps[i].Set().Slice()) {
			t.Errorf("step %s: terraform needs %v, tofu %v", s.Name, s.Set().Slice(), p.rec.Steps[i].Set().Slice())
		}
	}
	failsOpen(t, stack)
}

// withMachine has a stack use the docker-machine that whittle builds.
func withMachine(t *testing.T, stack string) string {
	t.Helper()
	path := tool(t, "docker-machine")
	named := strings.NewReplacer("[docker-machine,", "["+path+",", "exec docker-machine", "exec "+path).Replace
	stack = stackCopy(t, stack, named)
	scripts, err := filepath.Glob(filepath.Join(filepath.Dir(stack), "*.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range scripts {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(named(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return stack
}

// The calls are those of the amazonec2 driver's source: all that it makes
// itself, it makes here.
func TestProbeDockerMachine(t *testing.T) {
	t.Parallel()
	// The key is made here, since a machine may lack ssh-keygen.
	stack := withMachine(t, "../../docs/examples/docker-machine/whittle.yaml")
	text, err := os.ReadFile(stack)
	if err != nil {
		t.Fatal(err)
	}
	keyless := regexp.MustCompile(`\[ssh-keygen,[^\n]*\]`).ReplaceAll(text, []byte(`["true"]`))
	if err := os.WriteFile(stack, keyless, 0o600); err != nil || bytes.Equal(keyless, text) {
		t.Fatalf("the example makes no key: %v", err)
	}
	writeKey(t, filepath.Join(filepath.Dir(stack), "setup", "key"))
	p, err := probeStack(t, stack)
	if err != nil {
		t.Fatal(err)
	}
	want, err := record.Read("../../docs/examples/docker-machine/whittle.lock.json")
	if err != nil {
		t.Fatal(err)
	}
	want = want.Generalize(record.Place{Region: "us-east-1"}, nil) // it is of before regions were variables
	if changes := record.Diff(want, p.rec); !changes.Empty() || !want.Verified {
		t.Errorf("the record is not the one beside the example: %+v", changes)
	}
	p.rec.Steps = slices.DeleteFunc(p.rec.Steps, func(s record.Step) bool { return s.Role == "setup" })
	checkSteps(t, p, map[string]string{
		"create": `DescribeAccountAttributes DescribeSubnets DescribeKeyPairs ImportKeyPair DescribeSecurityGroups
			CreateSecurityGroup AuthorizeSecurityGroupIngress RunInstances DescribeInstances CreateTags`,
		"stop":    "StopInstances DescribeInstances",
		"start":   "StartInstances DescribeInstances",
		"restart": "RebootInstances DescribeInstances",
		"rm":      "TerminateInstances DeleteKeyPair",
	})
	checkSame(t, p, stack, "--name", "machine=other")
	failsOpen(t, stack)
}

// The rules that the records of the example's variants come to.
func TestDockerMachineVariants(t *testing.T) {
	var out strings.Builder
	code := run(t.Context(), []string{"show", "--variants", "--json", "--role", "machine", "-f", "../../docs/examples/docker-machine/whittle.yaml", "--record", "../../docs/examples/docker-machine/whittle.lock.json"},
		streams{in: strings.NewReader(""), out: &out, err: testWriter{t}})
	if code != exitDone {
		t.Fatalf("exit %d", code)
	}
	var rows []variants.Row
	if err := json.Unmarshal([]byte(out.String()), &rows); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range rows {
		got[r.Permission] = r.Rule
	}
	want := map[string]string{
		"ec2:AuthorizeSecurityGroupIngress": "unless ports-open",
		"ec2:CreateSecurityGroup":           "unless security-group",
		"ec2:CreateTags":                    "always",
		"ec2:DeleteKeyPair":                 "unless keypair-name",
		"ec2:DescribeAccountAttributes":     "unless vpc-id",
		"ec2:DescribeInstances":             "always",
		"ec2:DescribeKeyPairs":              "always",
		"ec2:DescribeSecurityGroups":        "always",
		"ec2:DescribeSpotInstanceRequests":  "if request-spot-instance",
		"ec2:DescribeSubnets":               "always",
		"ec2:ImportKeyPair":                 "unless keypair-name",
		"ec2:RebootInstances":               "always",
		"ec2:RequestSpotInstances":          "if request-spot-instance",
		"ec2:RunInstances":                  "unless request-spot-instance",
		"ec2:StartInstances":                "always",
		"ec2:StopInstances":                 "always",
		"ec2:TerminateInstances":            "always",
		"iam:CreateServiceLinkedRole":       "if request-spot-instance",
		"iam:PassRole":                      "if iam-instance-profile",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the driver is given it does not make; what it is told to pass on needs
// iam:PassRole; and a spot instance is another request.
func TestProbeDockerMachineGiven(t *testing.T) {
	t.Parallel()
	stack := withMachine(t, "testdata/machine-given/whittle.yaml")
	writeKey(t, filepath.Join(filepath.Dir(stack), "id"))
	p, err := probeStack(t, stack, "--no-reference")
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, p, map[string]string{
		"create": "DescribeSubnets DescribeKeyPairs DescribeSecurityGroups RunInstances DescribeInstances CreateTags iam:PassRole",
		"rm":     "TerminateInstances",
		"spot": `DescribeAccountAttributes DescribeSubnets DescribeKeyPairs ImportKeyPair DescribeSecurityGroups
			CreateSecurityGroup AuthorizeSecurityGroupIngress RequestSpotInstances DescribeSpotInstanceRequests
			DescribeInstances CreateTags iam:CreateServiceLinkedRole`,
		"rm-spot": "TerminateInstances DeleteKeyPair",
	})
	failsOpen(t, stack)
}

// writeKey writes an RSA key for SSH: path in PEM, path.pub in OpenSSH's form
// (RFC 4253, section 6.6).
func writeKey(t *testing.T, path string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var blob []byte
	for _, field := range [][]byte{[]byte("ssh-rsa"), big.NewInt(int64(key.E)).Bytes(), append([]byte{0}, key.N.Bytes()...)} {
		blob = append(binary.BigEndian.AppendUint32(blob, uint32(len(field))), field...)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := errors.Join(os.WriteFile(path, private, 0o600), os.WriteFile(path+".pub", []byte("ssh-rsa "+base64.StdEncoding.EncodeToString(blob)+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// imageStack is the image of docs/examples/aws-stack alone.
const imageStack = `cloud: aws
sandbox: embedded
names: {name: acme}
lifecycle:
  - {name: image, phase: init, role: builder, timeout: 5m, packer: {template: image.pkr.hcl, var: {name: "{name}"}}}
`

func TestProbePacker(t *testing.T) {
	t.Parallel()
	tool(t, "packer")
	tool(t, "packer-plugin-amazon")
	stack := filepath.Join(t.TempDir(), "whittle.yaml")
	template, err := os.ReadFile("../../docs/examples/aws-stack/image.pkr.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(stack, []byte(imageStack), 0o600), os.WriteFile(filepath.Join(filepath.Dir(stack), "image.pkr.hcl"), template, 0o600)); err != nil {
		t.Fatal(err)
	}
	p, err := probeStack(t, stack)
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, p, map[string]string{
		"image": `DescribeRegions DescribeImages CreateKeyPair CreateSecurityGroup DescribeSecurityGroups
			AuthorizeSecurityGroupIngress RunInstances CreateTags DescribeInstances DescribeVolumes StopInstances
			CreateImage TerminateInstances DeleteSecurityGroup DeleteKeyPair`,
	})
	if v := p.rec.Inputs.Tools; v["packer"] == "" || v["hashicorp/amazon"] == "" {
		t.Errorf("tools %v", v)
	}
	if !strings.Contains(string(p.bytes), `key-pair/packer_*"`) {
		t.Errorf("the temporary key's name is not written as its prefix:\n%s", p.bytes)
	}
	checkSame(t, p, stack, "--name", "name=beta")
	failsOpen(t, stack)
}
