package catalog

import (
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog/azure"
	"github.com/whittle-iam/whittle/harness/catalog/gcp"
)

// Every risk has a source that can be looked up.
func TestRaisesHasSources(t *testing.T) {
	names := append(gcp.Patterns(), azure.Risky()...)
	for name := range risks {
		names = append(names, name)
	}
	for _, name := range names {
		f, ok := Raises(name)
		if !ok || f.Why == "" || len(f.Source) < 10 || strings.HasSuffix(f.Why, ")") {
			t.Errorf("Raises(%q) = %+v, %t", name, f, ok)
		}
	}
	if f, ok := Raises("ec2:DescribeInstances"); ok {
		t.Errorf("%+v", f)
	}
}

func TestHarmOfPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern           string
		secrets, destroys bool
	}{
		{"*", true, true},
		{"secretsmanager:Get*", true, false},
		{"ec2:Terminate*", false, true},
		{"storage.objects.*", true, true},
		{"ec2:Describe*Regions", false, false},
	} {
		if f, ok := Secrets(tt.pattern); ok != tt.secrets || ok && f.Source == "" {
			t.Errorf("Secrets(%q) = %+v, %t", tt.pattern, f, ok)
		}
		if f, ok := Destroys(tt.pattern); ok != tt.destroys || ok && f.Source == "" {
			t.Errorf("Destroys(%q) = %+v, %t", tt.pattern, f, ok)
		}
	}
}

// What only reads is not worth getting round.
func TestGetsRoundTags(t *testing.T) {
	if GetsRoundTags("ec2:CreateTags", "*", "ec2:DescribeInstances", "*") {
		t.Error("a list")
	}
	if !GetsRoundTags("ec2:CreateTags", "*", "ec2:TerminateInstances", "arn:aws:ec2:*:*:instance/*") {
		t.Error("terminate")
	}
}
