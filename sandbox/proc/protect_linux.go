package proc

import (
	"fmt"
	"syscall"
)

// Protect closes this process to others of the same user: they can no longer
// read its environment (/proc/PID/environ) and memory, nor trace it, and it
// leaves no core dump. So a step, which runs as the operator, cannot take from
// Whittle what its own environment was spared. This process itself, and what it
// starts, are not bound: the kernel forgets it at every exec.
//
// It does not bind a child that is root, or otherwise holds CAP_SYS_PTRACE: run
// Whittle as root and every step can read all of the machine. Nor does it close
// files of the operator's, or other processes that hold his credentials (his
// shell). On systems other than Linux it does nothing.
// Source: prctl(2), PR_SET_DUMPABLE; ptrace(2), "Ptrace access mode checking".
func Protect() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return fmt.Errorf("close this process to others of the same user: %w", errno)
	}
	return nil
}
