package command

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) {
	t.Parallel()
	env := map[string]string{"PATH": "/usr/bin:/bin", "WHAT": "world"}
	for _, test := range []struct {
		script string
		want   Result
	}{
		{`echo "hello $WHAT"`, Result{OK: true, Output: "hello world\n"}},
		{`echo out; echo "no such bucket" >&2; exit 3`,
			Result{Summary: "sh ended with exit code 3", Detail: "no such bucket", Output: "out\nno such bucket\n"}},
		{`kill -TERM $$`, Result{Summary: "sh ended with exit code 143"}},
	} {
		// stdout and stderr are two pipes: give the first time to be read.
		script := strings.Replace(test.script, "; echo", "; sleep 0.2; echo", 1)
		got, err := Run(t.Context(), Config{Argv: []string{"sh", "-c", script}, Dir: t.TempDir(), Env: env})
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", test.script, err, diff)
		}
	}
	got, err := Run(t.Context(), Config{Argv: []string{"sh", "-c", "for i in $(seq 10000); do echo line $i >&2; done; exit 1"}, Env: env})
	if err != nil || len(got.Detail) > told || !strings.HasPrefix(got.Detail, "line ") || !strings.HasSuffix(got.Detail, "line 10000") {
		t.Errorf("a long story: %d bytes, %v", len(got.Detail), err)
	}
}

func TestRunErrors(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Config{}); err == nil || !strings.Contains(err.Error(), "the list is empty") {
		t.Errorf("no command: %v", err)
	}
	if _, err := Run(t.Context(), Config{Argv: []string{"no-such-program"}, Env: map[string]string{"PATH": "/bin"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("unknown command: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{Argv: []string{"true"}, Env: map[string]string{"PATH": "/bin"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
