//go:build cloud

package azure

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/roletest"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// TestConformanceReal runs the suite that the embedded sandbox passes on a real
// subscription, as whom Microsoft's libraries find, without its data action: there is
// no vault.
func TestConformanceReal(t *testing.T) {
	subscription := roletest.Place(t, "azure")
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Subscription: subscription, Stack: "conformance", RunID: "1", Credential: credential}
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	target, err := p.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guard.Check(target, ""); err != nil {
		t.Fatal(err)
	}
	s := roletest.Suite{
		Patience: 15 * time.Minute,
		NewPool: func(t *testing.T) harness.Pool {
			p, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Act: func(ctx context.Context, id harness.Identity, want grant.Grant) error {
			err := id.Credentials.(*Credentials).call(ctx, http.MethodGet, fmt.Sprintf(acts[want.Permission], subscription))
			if code(err) == "AuthorizationFailed" {
				return fmt.Errorf("%w: %w", roletest.ErrRefused, err)
			}
			return err
		},
	}
	for permission := range acts {
		if !strings.Contains(permission, "/secrets/") {
			s.Grants = append(s.Grants, grant.Grant{Permission: permission, Resource: "*"})
		}
	}
	roletest.Run(t, s)
	if _, err := Clean(t.Context(), cfg, true); err != nil {
		t.Error(err)
	}
}
