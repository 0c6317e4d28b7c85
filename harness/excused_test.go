package harness_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// excusing is a lifecycle whose succeeds_when takes every failure for success.
type excusing struct{ inner harness.Executor }

func (e excusing) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	out, err := e.inner.Attempt(ctx, a)
	if !out.OK {
		out = harness.Outcome{OK: true, Excused: true, Duration: out.Duration}
	}
	return out, err
}

// A failure of which the lifecycle says that it is success still needs what was
// refused before it; without a refusal it passes.
func TestExcusedFailure(t *testing.T) {
	for _, strategy := range []harness.Strategy{harness.InFlight, harness.Rerun} {
		t.Run(string(strategy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{steps: stack(), broken: map[string]string{"apply": "too many retries waiting for SSH"}}
				cfg := config(c, &memory{})
				cfg.Executor, cfg.Strategy = excusing{c}, strategy
				got, err := harness.Run(t.Context(), cfg)
				if err != nil || !got.Verified {
					t.Fatalf("verified %t, %v", got.Verified, err)
				}
				if diff := cmp.Diff(applySet.Slice(), got.Steps[0].Set().Slice()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// What the rules forbid is not excused.
func TestExcusedFailureAboveTheCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{steps: stack()}
		cfg := config(c, &memory{})
		cfg.Executor = excusing{c}
		cfg.Lifecycle.Ceiling = []string{"ec2:*"}
		cfg.Lifecycle.Steps = []lifecycle.Step{cfg.Lifecycle.Steps[0]}
		_, err := harness.Run(t.Context(), cfg)
		var forbidden *harness.ForbiddenError
		if !errors.As(err, &forbidden) || forbidden.Permission != "iam:CreateRole" {
			t.Errorf("%v", err)
		}
	})
}
