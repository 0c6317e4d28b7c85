package harness

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// Under a budget the step that costs least is certified first; without one the order
// is the lifecycle's.
func TestDearestLast(t *testing.T) {
	step := func(name string, grants int, took time.Duration) StepResult {
		r := StepResult{Step: lifecycle.Step{Name: name}, Runs: 1, Changes: grants, Grow: took}
		for i := range grants {
			r.Entries = append(r.Entries, Entry{Grant: grant.Grant{Permission: fmt.Sprintf("s3:Get%d", i), Resource: "*"}, Necessity: Observed})
		}
		return r
	}
	for _, c := range []struct {
		budget Budget
		want   string
	}{
		{Budget{}, "apply slow quick none"},
		{Budget{Time: time.Hour}, "none quick slow apply"},
		{Budget{Runs: 9}, "none slow apply quick"},
	} {
		l := newLoop(Config{Budget: c.budget})
		l.result.Steps = []StepResult{step("apply", 20, time.Minute), step("slow", 2, 2*time.Minute), step("quick", 30, time.Second), step("none", 0, time.Hour)}
		var got []string
		for _, r := range l.dearestLast() {
			got = append(got, r.Step.Name)
		}
		if order := strings.Join(got, " "); order != c.want {
			t.Errorf("%+v: %s, want %s", c.budget, order, c.want)
		}
	}
}
