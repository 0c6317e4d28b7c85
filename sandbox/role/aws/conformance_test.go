package aws

import (
	"context"
	"fmt"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/roletest"
	"github.com/whittle-iam/whittle/sandbox/role/aws/canary"
)

// suite acts with the canaries' calls, through the credentials that a child
// process gets.
func suite(cfg Config, patience time.Duration) roletest.Suite {
	s := roletest.Suite{
		Patience: patience,
		Large:    many(0, 40),
		NewPool: func(t *testing.T) harness.Pool {
			p, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Act: func(ctx context.Context, id harness.Identity, g grant.Grant) error {
			env, err := id.Credentials.Env(ctx)
			if err != nil {
				return err
			}
			c := cfg.SDK.Copy()
			c.Region = env["AWS_REGION"]
			c.Retryer = func() awssdk.Retryer { return awssdk.NopRetryer{} }
			c.Credentials = endpointcreds.New(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], func(o *endpointcreds.Options) {
				o.AuthorizationToken = env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
			})
			for _, c2 := range canary.All() {
				if c2.Permission != g.Permission {
					continue
				}
				err := c2.Call(ctx, c)
				if canary.Refused(err) {
					return fmt.Errorf("%w: %w", roletest.ErrRefused, err)
				}
				return err
			}
			return fmt.Errorf("no call for %v", g)
		},
	}
	for _, c := range canary.All()[:3] { // the last is left for Settle
		s.Grants = append(s.Grants, grant.Grant{Permission: c.Permission, Resource: "*"})
	}
	return s
}

func TestConformanceFake(t *testing.T) {
	f := newFake()
	roletest.Run(t, suite(f.config(), time.Second))
}
