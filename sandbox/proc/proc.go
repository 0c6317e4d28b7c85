// Package proc runs one child process: with an environment that is said and
// not inherited, in a process group of its own, with its output teed and the
// end of it kept.
//
// A child is asked to stop by SIGINT to itself alone (a tool stops its own
// children best); when the grace is over, or the child has ended and left
// others behind, SIGKILL goes to the whole group.
//
// A second process between the two, a shim ([RunShim]), does what its parent
// cannot: it outlives a parent that is killed outright for as long as it takes to
// kill all that the child has started. On Linux that includes what has left the
// group on purpose (setsid). It also serves where a library starts the child and
// hides it (terraform-exec does).
//
// What it does not do: end the child when the parent is killed outright on other
// systems than Linux, where the child runs on, with a proxy that is gone; and run
// on Windows, which has neither groups nor SIGINT.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// DefaultGrace is the time from SIGINT to SIGKILL where nothing is said.
	DefaultGrace = 30 * time.Second
	// DefaultTail is how much of the output is kept where nothing is said, in
	// bytes.
	DefaultTail = 64 << 10

	// drain bounds the wait for output of processes that left the group and
	// hold the pipe open after everything else is gone.
	drain = 2 * time.Second
	// shimMargin is what the shim's parent waits longer than the shim does.
	shimMargin = 10 * time.Second
)

// Command is one child process to run.
type Command struct {
	// Path is the program: looked up on Env's PATH if it holds no slash, else
	// taken relative to Dir.
	Path string
	// Args are the arguments, without the program's name.
	Args []string
	// Dir is the working directory; empty means the parent's.
	Dir string
	// Env is the child's whole environment: nothing is inherited. See
	// [Environment] for a base.
	Env map[string]string
	// Stdout and Stderr get the output while it comes; nil means nobody. They
	// are never called at the same time.
	Stdout, Stderr io.Writer
	// Tail is how many bytes of the output's end are kept; 0 means DefaultTail.
	Tail int
	// Grace is the time from SIGINT to SIGKILL; 0 means DefaultGrace.
	Grace time.Duration
	// Shim is an executable whose main calls [RunShim] first: whittle itself. The
	// program then runs below it. Empty means that it is started directly, and that
	// on a sudden end of this process only the program itself is killed.
	Shim string
}

// Result is how a child ended.
type Result struct {
	// ExitCode is the child's, or 128 plus the number of the signal that
	// ended it, as shells count.
	ExitCode int
	// Output is the end of stdout and stderr together, in the order in which
	// they came.
	Output string
	// Stderr is the end of stderr alone.
	Stderr string
	// Duration is the child's wall time.
	Duration time.Duration
}

// Run runs c to its end. An exit code other than 0 is a Result and no error;
// an error means that the child could not be started, that its output could
// not be read, or that ctx ended (then it wraps ctx's error, and the Result
// holds what there was until then). When Run returns, the child's process
// group is empty.
func Run(ctx context.Context, c Command) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Path, err)
	}
	cmd, err := build(c)
	if err != nil {
		return Result{}, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return Result{}, fmt.Errorf("run %s: pipe: %w", c.Path, err)
	}
	defer outR.Close()
	defer outW.Close()
	errR, errW, err := os.Pipe()
	if err != nil {
		return Result{}, fmt.Errorf("run %s: pipe: %w", c.Path, err)
	}
	defer errR.Close()
	defer errW.Close()
	// Files, not writers: os/exec would copy itself then, and its Wait would
	// not return while a grandchild holds the pipe open.
	cmd.Stdout, cmd.Stderr = outW, errW

	tail := c.Tail
	if tail == 0 {
		tail = DefaultTail
	}
	both, stderr := NewTail(tail), NewTail(tail)
	var turn sync.Mutex // Stdout and Stderr may be the same writer
	tee := func(ws ...io.Writer) io.Writer { return &serial{mu: &turn, to: ws} }

	stop := make(chan syscall.Signal, 1)
	unhook := context.AfterFunc(ctx, func() { stop <- syscall.SIGINT })
	defer unhook()

	var copies sync.WaitGroup
	var readErr [2]error
	started := time.Now()
	grace := c.Grace
	if c.Shim != "" {
		grace = c.grace() + shimMargin // who kills the shim takes its chance to kill the rest
	}
	code, err := supervise(cmd, stop, grace, func() {
		outW.Close()
		errW.Close()
		copies.Go(func() { _, readErr[0] = io.Copy(tee(both, c.Stdout), outR) })
		copies.Go(func() { _, readErr[1] = io.Copy(tee(both, stderr, c.Stderr), errR) })
	})
	if err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Path, err)
	}
	// The group is gone and with it, as a rule, every writer of the pipes.
	limit := time.Now().Add(drain)
	outR.SetReadDeadline(limit)
	errR.SetReadDeadline(limit)
	copies.Wait()

	res := Result{ExitCode: code, Output: both.String(), Stderr: stderr.String(), Duration: time.Since(started)}
	if err := ctx.Err(); err != nil {
		return res, fmt.Errorf("run %s: stopped: %w", c.Path, err)
	}
	for _, err := range readErr {
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return res, fmt.Errorf("run %s: read its output: %w", c.Path, err)
		}
	}
	return res, nil
}

// build makes the command without running it.
func build(c Command) (*exec.Cmd, error) {
	path, err := lookPath(c.Path, c.Dir, c.Env["PATH"])
	if err != nil {
		return nil, err
	}
	env := c.Env
	if c.Shim != "" {
		env = maps.Clone(env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, ShimEnv(path, c.grace()))
		path = c.Shim
	}
	return &exec.Cmd{
		Path: path,
		Args: append([]string{c.Path}, c.Args...),
		Dir:  c.Dir,
		Env:  Slice(env),
	}, nil
}

func (c Command) grace() time.Duration {
	if c.Grace == 0 {
		return DefaultGrace
	}
	return c.Grace
}

// lookPath finds a program as the child's shell would: on the child's PATH and
// relative to the child's directory, neither of which is the parent's.
func lookPath(file, dir, path string) (string, error) {
	if file == "" {
		return "", errors.New("run: no program is named")
	}
	if strings.ContainsRune(file, '/') {
		if !filepath.IsAbs(file) {
			// An absolute path, since os/exec reads a relative one against the
			// child's directory and only after the fork.
			abs, err := filepath.Abs(filepath.Join(dir, file))
			if err != nil {
				return "", fmt.Errorf("run %s: %w", file, err)
			}
			file = abs
		}
		if err := executable(file); err != nil {
			return "", fmt.Errorf("run %s: %w", file, err)
		}
		return file, nil
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			continue // what "." holds is nobody's intention
		}
		if p := filepath.Join(d, file); executable(p) == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("run %s: %w: install it, or name it by its path", file, exec.ErrNotFound)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return os.ErrPermission
	}
	return nil
}

// Both is a writer to w and, if that is not nil, to other.
func Both(w, other io.Writer) io.Writer {
	if other == nil {
		return w
	}
	return io.MultiWriter(w, other)
}

// serial gives each write to all writers, one write at a time.
type serial struct {
	mu *sync.Mutex
	to []io.Writer
}

func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.to {
		if w == nil {
			continue
		}
		// A listener that fails must not block the child on a full pipe.
		_, _ = w.Write(p)
	}
	return len(p), nil
}
