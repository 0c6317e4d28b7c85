package proc

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The variables by which a process is told that it is a shim. They begin with
// shimPrefix, and the child never sees one that does.
const (
	shimPrefix = "WHITTLE_SHIM_"
	shimExec   = shimPrefix + "EXEC"  // the program to run
	shimGrace  = shimPrefix + "GRACE" // time from SIGINT to SIGKILL
)

// ShimEnv is the environment that makes a re-executed whittle run program,
// with the arguments that it was itself started with.
func ShimEnv(program string, grace time.Duration) map[string]string {
	return map[string]string{shimExec: program, shimGrace: grace.String()}
}

// RunShim is to be called before anything else in main (and in TestMain of
// whoever starts shims). If the environment says that this process is a shim,
// it runs the program to its end and returns the exit code to leave with, and
// true.
//
// A shim is the parent that a program's process group needs when the one who
// starts the program can only reach its leader. It passes SIGINT, SIGTERM and
// SIGHUP on to the program, as SIGINT; when the grace after the first of them is over, and in any
// case when the program has ended, it kills the program's whole group, so that
// nothing outlives it. On Linux it does so as well when its own parent dies, and
// what has left the group is killed with it.
func RunShim(args, environ []string) (code int, ok bool) {
	program, grace, env := shimOrder(environ)
	if program == "" {
		return 0, false
	}
	cmd := &exec.Cmd{
		Path:   program,
		Args:   append([]string{program}, args[1:]...),
		Env:    env,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
	}

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	parent := os.Getppid()

	stop := make(chan syscall.Signal, 1)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-signals:
				sig := syscall.SIGINT
				// Nobody is left to read what a graceful end would say, and the
				// proxy it would need for it is gone.
				if os.Getppid() != parent {
					sig = syscall.SIGKILL
				}
				select {
				case stop <- sig:
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	adopted := adopt()
	code, err := supervise(cmd, stop, grace, func() { adopted.from(cmd.Process.Pid) })
	adopted.kill()
	if err != nil {
		fmt.Fprintf(os.Stderr, "whittle: run %s: %v\n", program, err)
		return 127, true
	}
	return code, true
}

// shimOrder reads what a shim is to do, and the environment without it.
func shimOrder(environ []string) (program string, grace time.Duration, rest []string) {
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		switch {
		case k == shimExec:
			program = v
		case k == shimGrace:
			// A grace that cannot be read is the default one.
			grace, _ = time.ParseDuration(v)
		case !strings.HasPrefix(k, shimPrefix):
			rest = append(rest, kv)
		}
	}
	return program, grace, rest
}
