//go:build cloud

package aws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/whittle-iam/whittle/harness/roletest"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// TestConformanceReal runs the suite that the embedded sandbox passes on a real
// account, as whoever the SDK's own configuration says.
func TestConformanceReal(t *testing.T) {
	account := roletest.Place(t, "aws")
	sdk, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{SDK: sdk, Stack: "conformance", RunID: "1"}
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if p.Account() != account {
		t.Fatalf("the credentials are of account %s", p.Account())
	}
	target, err := p.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guard.Check(target, ""); err != nil {
		t.Fatal(err)
	}
	roletest.Run(t, suite(cfg, 5*time.Minute))
	if _, err := Clean(t.Context(), cfg, true); err != nil {
		t.Error(err)
	}
}
