package auditlog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

func TestLog(t *testing.T) {
	faults, err := Parse("delay=3s,drop=lost,double=twice,late=slow,reversed,agent=run>kms.use!,agent=run>disk.use")
	if err != nil {
		t.Fatal(err)
	}
	l, at := Log{Faults: faults}, time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, op := range []string{"run", "lost", "twice", "slow"} {
		l.Add(trace.Trace{Time: at, Principal: "p", Operation: op}, at, "service")
	}
	shown := func(after time.Duration) (ops []string) {
		for _, e := range l.Visible(at.Add(after)) {
			ops = append(ops, e.Operation+" "+e.By)
		}
		return ops
	}
	if got := shown(2 * time.Second); got != nil {
		t.Errorf("before the delay it shows %q", got)
	}
	if d := cmp.Diff([]string{"twice ", "twice ", "disk.use service", "kms.use service", "run "}, shown(3*time.Second)); d != "" {
		t.Errorf("after the delay (-want +got):\n%s", d)
	}
	if got := shown(50 * time.Second); len(got) != 6 || got[0] != "slow " {
		t.Errorf("in the end it shows %q", got)
	}
	for _, bad := range []string{"delay=soon", "agent=run", "forget"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
