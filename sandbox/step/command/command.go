// Package command runs one kind of step: any command, by its arguments. It
// knows nothing of what the command does; its exit code is the outcome, and
// the end of what it printed on stderr is all that it says of a failure.
package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
	// Grace is the time from SIGINT to SIGKILL; 0 means [proc.DefaultGrace].
	Grace time.Duration
}

// Result is how the command ended.
type Result struct {
	OK bool
	// Summary and Detail are the diagnostic of a command that failed: its name
	// and exit code, and the end of its stderr.
	Summary, Detail string
	// Output is the end of what it printed, stdout and stderr in order.
	Output string
}

// Run runs the command to its end. A command that fails is a Result; an error
// means that it could not be started or that ctx ended (it then wraps ctx's
// error).
func Run(ctx context.Context, c Config) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("command: the list is empty: the program comes first")
	}
	res, err := proc.Run(ctx, proc.Command{Path: c.Argv[0], Args: c.Argv[1:], Dir: c.Dir, Env: c.Env, Grace: c.Grace})
	r := Result{OK: err == nil && res.ExitCode == 0, Output: res.Output}
	if err == nil && !r.OK {
		// The program only: arguments can hold what nobody should read.
		r.Summary = fmt.Sprintf("%s ended with exit code %d", c.Argv[0], res.ExitCode)
		said := proc.NewTail(told)
		_, _ = said.Write([]byte(strings.TrimSpace(res.Stderr)))
		r.Detail = said.String()
	}
	return r, err
}
