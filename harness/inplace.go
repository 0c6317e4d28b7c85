package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// repeatable tells whether the step at i can be run again from where it started.
// Destroying what Terraform has applied takes back more than the step if an
// earlier one has applied the same module.
func (l *loop) repeatable(i int) bool {
	s := l.Lifecycle.Steps[i]
	switch {
	case l.World != nil:
		return true
	case l.Certify != Full || l.Resetter == nil:
		return false
	case len(s.Reset) > 0 || s.Terraform != nil && s.Terraform.Command == "plan":
		return true
	case s.Terraform == nil || s.Terraform.Command != "apply":
		return false
	}
	return !slices.ContainsFunc(l.Lifecycle.Steps[:i], func(e lifecycle.Step) bool {
		return e.Terraform != nil && filepath.Clean(e.Terraform.Dir) == filepath.Clean(s.Terraform.Dir) && e.Terraform.Command != "plan"
	})
}

// back brings the world back to where the step begins.
func (l *loop) back(ctx context.Context, r *StepResult, snapshot string) error {
	if l.World != nil {
		return l.restore(ctx, snapshot)
	}
	if r.Step.Terraform != nil && r.Step.Terraform.Command == "plan" && len(r.Step.Reset) == 0 {
		return nil
	}
	if err := l.Resetter.Reset(ctx, r.Step); err != nil {
		return fmt.Errorf("step %s: reset: %w", r.Step.Name, err)
	}
	return nil
}

// certifyInPlace certifies a step that has just grown, where its start cannot be
// brought back later, and leaves what it makes for the steps after it.
func (l *loop) certifyInPlace(ctx context.Context, i int) error {
	r := &l.result.Steps[i]
	if l.World != nil || !l.repeatable(i) || l.unproven(*r) == 0 || !l.spent.left() {
		return nil
	}
	if _, grew := l.grown[r.Step.Name]; !grew {
		return nil // an interrupted run has grown it, and what it left is not known
	}
	began := time.Now()
	r.Entries, r.Optional = l.renamed(r.Entries), l.renamed(r.Optional)
	if err := l.certifyStep(ctx, r); err != nil {
		return err
	}
	var out Outcome
	for n := 1; n <= 2 && !out.OK; n++ { // a tool can fail by itself
		if err := l.put(ctx, r, passCertify, r.Set()); err != nil {
			return err
		}
		var err error
		if out, err = l.trial(ctx, r, passCertify, r.Proof.Withheld+n, r.Set(), nil, false); err != nil {
			return err
		}
	}
	if !out.OK {
		return &FailedError{Step: r.Step.Name, How: "under its final role, after a reset", Diagnostics: out.Diagnostics, Output: out.Output}
	}
	return l.certifiedStep(r, began)
}
