package main

import (
	"slices"
	"testing"

	"github.com/whittle-iam/whittle/harness/audit"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
	"github.com/whittle-iam/whittle/sandbox/role/aws/canary"
)

// What the audit takes for Whittle's own calls is exactly what the canaries do, by the
// keys that the pool announces.
func TestCanariesAreTold(t *testing.T) {
	var does []string
	for _, c := range canary.All() {
		does = append(does, c.Permission)
	}
	slices.Sort(does)
	if known := audit.CanaryCalls(); !slices.Equal(does, known) {
		t.Errorf("the canaries do %v, the audit knows %v", does, known)
	}
	if roleaws.KindCanaryKey != audit.CanaryKey {
		t.Errorf("the pool announces %q, the audit looks for %q", roleaws.KindCanaryKey, audit.CanaryKey)
	}
}
