package command

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/lifecycle"
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

func TestSucceedsWhen(t *testing.T) {
	t.Parallel()
	gaveUp := lifecycle.SucceedsWhen{Exit: []int{1, 4}, Output: `^Error: too many retries$`}
	ready := lifecycle.SucceedsWhen{Output: "^waiting", Stop: true}
	for _, test := range []struct {
		name, script string
		when         lifecycle.SucceedsWhen
		ok, excused  bool
		summary      string
	}{
		{"gave up", `echo 'Error: too many retries' >&2; exit 1`, gaveUp, true, true, ""},
		{"on stdout, without an end", `printf 'x\nError: too many retries'; exit 4`, gaveUp, true, true, ""},
		{"another end of line", `printf 'Error: too many retries\r\n'; exit 4`, gaveUp, true, true, ""},
		{"another error", `echo 'Error: not authorized' >&2; exit 1`, gaveUp, false, false,
			"sh ended with exit code 1, and no line of its output matches \"^Error: too many retries$\""},
		{"another code", `echo 'Error: too many retries' >&2; exit 2`, gaveUp, false, false, "sh ended with exit code 2; succeeds_when takes 1 4"},
		{"no failure", `echo 'Error: too many retries' >&2`, gaveUp, false, false, "sh ended with exit code 0; succeeds_when takes 1 4"},
		{"the code alone", `exit 3`, lifecycle.SucceedsWhen{Exit: []int{3}}, true, true, ""},
		{"a line alone", `echo done`, lifecycle.SucceedsWhen{Output: "done"}, true, false, ""},
		{"a line and a failure", `echo done; exit 1`, lifecycle.SucceedsWhen{Output: "done"}, false, false, "sh ended with exit code 1"},
		{"stopped", `echo waiting for nobody; exec sleep 600`, ready, true, true, ""},
		{"stopped on stderr", `echo waiting for nobody >&2; exec sleep 600`, ready, true, true, ""},
		{"ended before", `echo not yet; exit 0`, ready, false, false,
			"sh ended with exit code 0, and no line of its output matched \"^waiting\", at which it was to be stopped"},
		{"across two lines", `echo wai; echo ting`, ready, false, false,
			"sh ended with exit code 0, and no line of its output matched \"^waiting\", at which it was to be stopped"},
	} {
		got, err := Run(t.Context(), Config{Argv: []string{"sh", "-c", test.script}, Env: map[string]string{"PATH": "/usr/bin:/bin"}, When: &test.when})
		if err != nil || got.OK != test.ok || got.Excused != test.excused || got.Summary != test.summary {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
}

// A command that is to be stopped and does not is killed, with all it started.
func TestStopsTheStubborn(t *testing.T) {
	t.Parallel()
	got, err := Run(t.Context(), Config{
		Argv: []string{"sh", "-c", `trap "" INT; sleep 600 & echo ready; wait`}, Env: map[string]string{"PATH": "/usr/bin:/bin"},
		When: &lifecycle.SucceedsWhen{Output: "ready", Stop: true}, Grace: 50 * time.Millisecond,
	})
	if err != nil || !got.OK || !got.Excused || got.Output != "ready\n" {
		t.Errorf("%+v, %v", got, err)
	}
}

// However the output is cut into writes, the same line is found.
func TestWatchCuts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[ab]{0,6}`)).Draw(t, "lines")
		text := strings.Join(lines, "\n")
		times := 0
		w, err := newWatch("^aab$", func() { times++ })
		if err != nil {
			t.Fatal(err)
		}
		s := w.stream()
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			_, _ = s.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		s.close()
		want := 0
		if slices.Contains(lines, "aab") {
			want = 1
		}
		if times != want || w.seen != (want == 1) {
			t.Fatalf("%q: found %d times", text, times)
		}
	})
	w, err := newWatch("^x+$", func() {})
	if err != nil {
		t.Fatal(err)
	}
	s := w.stream()
	for range 10 {
		_, _ = s.Write([]byte(strings.Repeat("x", maxLine/4)))
	}
	if len(s.partial) > maxLine {
		t.Errorf("%d bytes of a line without an end are kept", len(s.partial))
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
	if _, err := Run(t.Context(), Config{Argv: []string{"true"}, When: &lifecycle.SucceedsWhen{Output: "("}}); err == nil || !strings.Contains(err.Error(), "succeeds_when") {
		t.Errorf("no pattern: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{Argv: []string{"true"}, Env: map[string]string{"PATH": "/bin"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
