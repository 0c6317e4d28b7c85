package harness_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/journal"
)

// slow is an executor whose steps take a minute more.
type slow struct{ harness.Executor }

func (s slow) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
		return harness.Outcome{}, ctx.Err()
	}
	out, err := s.Executor.Attempt(ctx, a)
	out.Duration += time.Minute
	return out, err
}

// A reference beside the growth finds what one before it finds, and touches
// nothing of what the roles grow in.
func TestReferenceBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain, err := harness.Run(t.Context(), config(&cloud{steps: stack()}, &memory{}))
		if err != nil {
			t.Fatal(err)
		}
		c, ref, j := &cloud{steps: stack()}, &cloud{steps: stack()}, &memory{}
		cfg := config(c, j)
		cfg.Beside = &harness.Beside{Executor: slow{ref}, Pool: ref}
		began := time.Now()
		got, err := harness.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		// The growth does not wait for the reference's two minutes, the run does.
		if took := time.Since(began); took < 2*time.Minute || took > 2*time.Minute+time.Second {
			t.Errorf("took %v", took)
		}
		for i := range got.Steps {
			if diff := cmp.Diff(plain.Steps[i].Entries, got.Steps[i].Entries); diff != "" {
				t.Error(diff)
			}
			if got.Steps[i].Reference < time.Minute {
				t.Errorf("step %s: reference of %v", got.Steps[i].Step.Name, got.Steps[i].Reference)
			}
		}
		if !got.Verified || !c.released || !ref.released {
			t.Errorf("verified %v, released %v and %v", got.Verified, c.released, ref.released)
		}
		for name := range c.roles {
			if strings.HasPrefix(name, "_") {
				t.Errorf("%s in the sandbox where roles grow", name)
			}
		}
		if len(ref.roles) != 1 || len(ref.saved)+len(ref.restored) != 0 {
			t.Errorf("the reference's own sandbox: roles %v, saved %v, restored %v", ref.roles, ref.saved, ref.restored)
		}
	})
}

// What fails even as administrator is what is told, and ends the growth.
func TestReferenceBesideFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ref, j := &cloud{steps: stack()}, &cloud{steps: stack(), broken: map[string]string{"apply": "no such region"}}, &memory{}
		cfg := config(c, j)
		cfg.Executor, cfg.Beside = slow{c}, &harness.Beside{Executor: ref, Pool: ref}
		began := time.Now()
		_, err := harness.Run(t.Context(), cfg)
		var failed *harness.FailedError
		if !errors.As(err, &failed) || failed.How != "even as administrator" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the growth went on for %v", took)
		}
		if !c.released || !ref.released {
			t.Errorf("released %v and %v", c.released, ref.released)
		}
	})
}

// A step that fails in growth alone is explained from the reference's calls,
// for which it waits; one that is stopped by the operator's rules is not worth
// waiting for.
func TestGrowthFailsBesideReference(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*harness.Config)
		steps   map[string][][]call
		broken  map[string]string
		want    string
		longest time.Duration
	}{
		"failed":  {broken: map[string]string{"apply": "timed out"}, want: "timed out", longest: 3 * time.Minute},
		"blocked": {change: func(c *harness.Config) { c.Lifecycle.Ceiling = []string{"s3:*"} }, want: "ceiling", longest: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, ref, j := &cloud{steps: stack(), broken: tt.broken}, &cloud{steps: stack()}, &memory{}
				cfg := config(c, j)
				cfg.Beside = &harness.Beside{Executor: slow{ref}, Pool: ref}
				if tt.change != nil {
					tt.change(&cfg)
				}
				began := time.Now()
				_, err := harness.Run(t.Context(), cfg)
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "administrator") {
					t.Errorf("got %v, want it to say %q", err, tt.want)
				}
				if took := time.Since(began); took > tt.longest {
					t.Errorf("took %v", took)
				}
				if !c.released || !ref.released {
					t.Errorf("released %v and %v", c.released, ref.released)
				}
			})
		})
	}
}

// A run that is interrupted ends both.
func TestInterruptedBesideReference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		c, ref, j := &cloud{steps: stack()}, &cloud{steps: stack()}, &memory{}
		cfg := config(c, j)
		cfg.Executor, cfg.Beside = slow{c}, &harness.Beside{Executor: slow{ref}, Pool: ref}
		if _, err := harness.Run(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if !c.released || !ref.released {
			t.Errorf("released %v and %v", c.released, ref.released)
		}
		if last := j.events[len(j.events)-1]; last.Kind != journal.KindReleased {
			t.Errorf("the journal ends with %+v", last)
		}
	})
}
