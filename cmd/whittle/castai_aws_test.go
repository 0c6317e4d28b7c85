package main

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/compare"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/bypass"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/harness/record"
)

// castaiAWS is the example of a controller of nodes on AWS, all of whose resources
// carry the cluster's tag; beside it is its record.
const (
	castaiAWS       = "../../docs/examples/castai-aws/whittle.yaml"
	castaiAWSRecord = "../../docs/examples/castai-aws/whittle.lock.json"
)

// Under another name the record is the same, and all decoys are refused.
func TestProbeCastAIAWS(t *testing.T) {
	t.Parallel()
	p := asShape(t, castaiStack(t, castaiAWS), "cluster=beta", castaiAWSRecord)
	if d := p.sum.Decoys; d == nil || d.Requests < 40 || d.Refused != d.Requests {
		t.Errorf("decoys %+v", d)
	}
	for _, s := range p.rec.Steps {
		for _, e := range s.Grants {
			if s.Role == "planner" && !catalog.Level(e.Permission).Reads() {
				t.Errorf("step %s holds %s, which does not only read", s.Name, e.Permission)
			}
			if strings.Contains(e.Resource+e.Condition, "beta") || strings.Contains(e.Resource+e.Condition, "acme") {
				t.Errorf("step %s: %s on %s if %s holds a name", s.Name, e.Permission, e.Resource, e.Condition)
			}
		}
	}
}

func TestProbeCastAIAWSOpen(t *testing.T) {
	t.Parallel()
	failsOpen(t, castaiStack(t, castaiAWS))
}

// castaiPolicy is the controller's role as it is emitted for a cluster.
func castaiPolicy(t *testing.T, cluster string) (file string, doc policy.Document) {
	t.Helper()
	files := emit(t, "--record", castaiAWSRecord, "--only", "controller", "--set", "account=123456789012", "--set", "region=us-east-1", "--set", "cluster="+cluster)
	if len(files) != 1 {
		t.Fatalf("emitted %v", files)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = policy.Parse(data); err != nil {
		t.Fatal(err)
	}
	return files[0], doc
}

// What the policy that is emitted for the controller allows, and that it does not
// allow to tag what is somebody else's and then to end it.
func TestCastAIAWSPolicy(t *testing.T) {
	file, doc := castaiPolicy(t, "acme")
	const (
		ec2   = "arn:aws:ec2:us-east-1:123456789012:"
		node  = ec2 + "instance/i-0123456789abcdef0"
		fresh = ec2 + "instance/*"
		role  = "arn:aws:iam::123456789012:role/"
		owner = "aws:ResourceTag/kubernetes.io/cluster/acme"
		other = "aws:ResourceTag/kubernetes.io/cluster/beta"
		given = "aws:RequestTag/kubernetes.io/cluster/acme"
		to    = "iam:PassedToService"
		by    = "ec2:CreateAction"
	)
	type context map[string][]string
	one := func(pairs ...string) context {
		c := context{}
		for i := 0; i < len(pairs); i += 2 {
			c[pairs[i]] = []string{pairs[i+1]}
		}
		return c
	}
	tests := []struct {
		action, resource string
		context          context
		want             evaluate.Decision
	}{
		{"ec2:RunInstances", fresh, one(given, "owned"), evaluate.Allow},
		{"ec2:RunInstances", fresh, nil, evaluate.ImplicitDeny},
		{"ec2:RunInstances", fresh, one(given, "shared"), evaluate.ImplicitDeny},
		{"ec2:RunInstances", fresh, one("aws:RequestTag/kubernetes.io/cluster/beta", "owned"), evaluate.ImplicitDeny},
		{"ec2:RunInstances", ec2 + "volume/*", one(given, "owned"), evaluate.Allow},
		{"ec2:RunInstances", ec2 + "volume/*", nil, evaluate.ImplicitDeny},
		{"ec2:RunInstances", ec2 + "subnet/subnet-0a", one(owner, "owned"), evaluate.Allow},
		{"ec2:RunInstances", ec2 + "subnet/subnet-0a", nil, evaluate.ImplicitDeny},
		{"ec2:RunInstances", ec2 + "security-group/sg-0a", nil, evaluate.ImplicitDeny},
		{"ec2:RunInstances", ec2 + "key-pair/theirs", nil, evaluate.ImplicitDeny},
		{"ec2:CreateTags", fresh, one(given, "owned", by, "RunInstances"), evaluate.Allow},
		{"ec2:CreateTags", ec2 + "volume/*", one(given, "owned", by, "RunInstances"), evaluate.Allow},
		{"ec2:CreateTags", fresh, one(by, "RunInstances"), evaluate.ImplicitDeny},
		{"ec2:CreateTags", node, one(given, "owned"), evaluate.ImplicitDeny},
		{"ec2:CreateTags", node, one(given, "owned", owner, "owned"), evaluate.ImplicitDeny},
		{"ec2:CreateTags", node, one(given, "owned", by, "CreateVolume"), evaluate.ImplicitDeny},
		{"ec2:CreateTags", ec2 + "subnet/subnet-0a", one(given, "owned"), evaluate.ImplicitDeny},
		{"ec2:DeleteTags", node, one(owner, "owned"), evaluate.ImplicitDeny},
		{"iam:PassRole", role + "acme-nodes", one(to, "ec2.amazonaws.com"), evaluate.Allow},
		{"iam:PassRole", role + "acme-nodes", one(to, "lambda.amazonaws.com"), evaluate.ImplicitDeny},
		{"iam:PassRole", role + "acme-nodes", nil, evaluate.ImplicitDeny},
		{"iam:PassRole", role + "admin", one(to, "ec2.amazonaws.com"), evaluate.ImplicitDeny},
	}
	for _, action := range []string{"ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"} {
		for _, c := range []struct {
			context context
			want    evaluate.Decision
		}{
			{one(owner, "owned"), evaluate.Allow}, {nil, evaluate.ImplicitDeny}, {one(other, "owned"), evaluate.ImplicitDeny}, {one(owner, "shared"), evaluate.ImplicitDeny},
			{one(given, "owned"), evaluate.ImplicitDeny},
		} {
			tests = append(tests, struct {
				action, resource string
				context          context
				want             evaluate.Decision
			}{action, node, c.context, c.want})
		}
	}
	for _, tt := range tests {
		got, err := evaluate.Documents([]policy.Document{doc}, evaluate.Request{Action: tt.action, Resource: tt.resource, Context: tt.context})
		if err != nil || got != tt.want {
			t.Errorf("%s on %s with %v: %v, %v; want %v", tt.action, tt.resource, tt.context, got, err, tt.want)
		}
	}

	found, err := bypass.Find([]policy.Document{doc})
	if err != nil || len(found) != 0 {
		t.Errorf("got round: %+v, %v", found, err)
	}
	// The same with the right to tag on everything, as the published policy has it, is
	// got round: what finds nothing above can find it.
	wide := policy.Document{Version: policy.Version2012, Statements: append(slices.Clone(doc.Statements),
		policy.Statement{Effect: policy.EffectAllow, Action: []string{"ec2:CreateTags"}, Resource: []string{"*"}})}
	if found, err = bypass.Find([]policy.Document{wide}); err != nil || len(found) < 3 {
		t.Errorf("with tagging on *: %+v, %v", found, err)
	}

	// What is emitted for the cluster is what the record says of it, conditions and all.
	for cluster, exit := range map[string]int{"acme": exitDone, "beta": exitDrift} {
		var stdout strings.Builder
		code := run(t.Context(), []string{"compare", file, "--json", "--record", castaiAWSRecord, "--role", "controller",
			"--set", "account=123456789012", "--set", "region=us-east-1", "--set", "cluster=" + cluster}, streams{out: &stdout, err: io.Discard})
		var r compare.Result
		if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
			t.Fatal(err)
		}
		if code != exit || (r.Needed == r.Allowed && len(r.Unneeded) == 0) != (cluster == "acme") {
			t.Errorf("compared for %s: exit %d, %d of %d allowed, unneeded %v", cluster, code, r.Allowed, r.Needed, r.Unneeded)
		}
	}
}

// The record ties to the cluster's tag, or to a name, all that the controller may
// change; what it does not is listed in docs/castai.md.
func TestCastAIAWSRecord(t *testing.T) {
	rec, err := record.Read(castaiAWSRecord)
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, s := range rec.Steps {
		for _, e := range s.Grants {
			if e.Necessity != "certified" {
				t.Errorf("step %s: %s on %s is %s", s.Name, e.Permission, e.Resource, e.Necessity)
			}
			named := strings.Contains(e.Resource, "{cluster}") || strings.Contains(e.Condition, "Tag/kubernetes.io/cluster/{cluster}")
			if s.Role == "controller" && !named && !catalog.Level(e.Permission).Reads() {
				open = append(open, e.Permission+" "+e.Resource)
			}
		}
	}
	if want := []string{"ec2:RunInstances arn:aws:ec2:{region}::image/*", "ec2:RunInstances arn:aws:ec2:{region}:{account}:network-interface/*"}; !slices.Equal(open, want) {
		t.Errorf("not tied to the cluster: %q, want %q", open, want)
	}
}
