// Package command runs one kind of step: any command, by its arguments. It
// knows nothing of what the command does; its exit code is the outcome, or what
// the lifecycle says of exit code and output, and the end of what it printed on
// stderr is all that it says of a failure.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
)

// told is how much of stderr a diagnostic carries, in bytes.
const told = 4 << 10

// Config is one run of one command.
type Config struct {
	// Argv is the program and its arguments. No shell reads it.
	Argv []string
	Dir  string            // the working directory
	Env  map[string]string // the whole environment
	// When says what is success; nil means exit code 0.
	When *lifecycle.SucceedsWhen
	// Stdout and Stderr get the output while it comes; nil means nobody. They are
	// never called at the same time.
	Stdout, Stderr io.Writer
	// Grace is the time from SIGINT to SIGKILL; 0 means [proc.DefaultGrace].
	Grace time.Duration
	// Shim is as in [proc.Command].
	Shim string
}

// Result is how the command ended.
type Result struct {
	OK bool
	// Excused is set where the command has done well by Config.When, and not by
	// its own word: its exit code is not 0, or it was stopped.
	Excused bool
	// Summary and Detail are the diagnostic of a command that failed: its name
	// and exit code, and the end of its stderr.
	Summary, Detail string
	// Output is the end of what it printed, stdout and stderr in order.
	Output string
}

// errSeen ends a command that has shown the line it was run for.
var errSeen = errors.New("the output says that it is done")

// Run runs the command to its end. A command that fails is a Result; an error
// means that it could not be started or that ctx ended (it then wraps ctx's
// error, and the Result holds what there was until then).
func Run(ctx context.Context, c Config) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("command: the list is empty: the program comes first")
	}
	want := lifecycle.SucceedsWhen{}
	if c.When != nil {
		want = *c.When
	}
	if len(want.Exit) == 0 {
		want.Exit = []int{0}
	}
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	w, err := newWatch(want.Output, func() {
		if want.Stop {
			end(errSeen)
		}
	})
	if err != nil {
		return Result{}, err
	}
	stdout, stderr := w.stream(), w.stream()
	res, err := proc.Run(inner, proc.Command{Path: c.Argv[0], Args: c.Argv[1:], Dir: c.Dir, Env: c.Env, Stdout: proc.Both(stdout, c.Stdout), Stderr: proc.Both(stderr, c.Stderr), Grace: c.Grace, Shim: c.Shim})
	stdout.close()
	stderr.close()
	r := Result{Output: res.Output}
	stopped := err != nil && ctx.Err() == nil && errors.Is(context.Cause(inner), errSeen)
	if err != nil && !stopped {
		return r, err
	}
	why, ok := judge(want, w.seen, res.ExitCode)
	if ok {
		r.OK, r.Excused = true, stopped || res.ExitCode != 0
		return r, nil
	}
	// The program only: arguments can hold what nobody should read.
	r.Summary = fmt.Sprintf("%s ended with exit code %d%s", c.Argv[0], res.ExitCode, why)
	said := proc.NewTail(told)
	_, _ = said.Write([]byte(strings.TrimSpace(res.Stderr)))
	r.Detail = said.String()
	return r, nil
}

// judge tells whether a command that has ended has done well, and what it
// lacks beside its exit code.
func judge(want lifecycle.SucceedsWhen, seen bool, code int) (why string, ok bool) {
	switch {
	case want.Stop && !seen:
		return fmt.Sprintf(", and no line of its output matched %q, at which it was to be stopped", want.Output), false
	case want.Stop: // stopped, or it was faster
		return "", true
	case !slices.Contains(want.Exit, code) && !slices.Equal(want.Exit, []int{0}):
		return fmt.Sprintf("; succeeds_when takes %s", strings.Trim(fmt.Sprint(want.Exit), "[]")), false
	case !slices.Contains(want.Exit, code):
		return "", false
	case want.Output != "" && !seen:
		return fmt.Sprintf(", and no line of its output matches %q", want.Output), false
	}
	return "", true
}
