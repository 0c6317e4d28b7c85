package proc

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// supervise starts cmd as the leader of a new process group and waits for it.
// SIGINT from stop goes to the leader and starts the grace, after which the
// group is killed; SIGKILL from stop kills the group at once. What
// the leader leaves behind is killed as well. started is called once, when the
// child is there.
func supervise(cmd *exec.Cmd, stop <-chan syscall.Signal, grace time.Duration, started func()) (int, error) {
	if grace == 0 {
		grace = DefaultGrace
	}
	// On Linux a child is told of the end of the thread that started it, not of
	// the process: keep this one to this goroutine until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	started()

	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	group := cmd.Process.Pid
	kill := func() {
		killGroup(group)
		_ = cmd.Process.Kill() // which may have gone to another group, or ended
	}
	var over <-chan time.Time
	for {
		select {
		case sig := <-stop:
			if sig == syscall.SIGKILL {
				kill()
				continue
			}
			// The error says that it has just ended, which is what is wanted.
			_ = cmd.Process.Signal(sig)
			if over == nil {
				over = time.After(grace)
			}
		case <-over:
			kill()
		case err := <-ended:
			// The leader is reaped. Its number stays taken as long as anyone is
			// left in the group; else there is nobody to kill.
			killGroup(group)
			return exitCode(cmd.ProcessState, err)
		}
	}
}

// killGroup kills every process of the group; an empty group is no error.
func killGroup(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) }

// exitCode is the code of an ended process as shells count it.
func exitCode(state *os.ProcessState, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return state.ExitCode(), nil
}
