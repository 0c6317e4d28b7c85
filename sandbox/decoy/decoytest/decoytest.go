// Package decoytest is what decoys must show on every cloud. Only tests use it.
package decoytest

import (
	"testing"

	"github.com/whittle-iam/whittle/harness"
)

// Tell fails the test unless each attempt is refused to a role that is as narrow as it
// looks, and let through to one that is wide: one that is always refused would show
// nothing.
func Tell(t testing.TB, narrow, wide []harness.Trial) {
	t.Helper()
	for _, trial := range narrow {
		if trial.Allowed {
			t.Errorf("%s on %s (%s): let through", trial.Permission, trial.Resource, trial.Decoy)
		}
	}
	for _, trial := range wide {
		if !trial.Allowed {
			t.Errorf("%s on %s (%s): refused to who holds it on all", trial.Permission, trial.Resource, trial.Decoy)
		}
	}
	if len(wide) != len(narrow) || len(wide) == 0 {
		t.Errorf("%d attempts under the narrow role, %d under the wide one", len(narrow), len(wide))
	}
}
