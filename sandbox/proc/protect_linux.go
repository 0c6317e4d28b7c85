package proc

import (
	"fmt"
	"syscall"
)

// Protect closes this process to others of the same user: they can no longer
// read its environment (/proc/PID/environ) and memory, nor trace it, and it
// leaves no core dump. So a step, which runs as the operator, cannot take from
// Whittle what its own environment was spared. What this process starts is not
// closed: the kernel opens a process at every exec. But no core dump is left of
// it either: the limit is inherited.
//
// It does not bind a step that is root, or that holds CAP_SYS_PTRACE (to read,
// CAP_PERFMON or CAP_SYS_ADMIN is enough): where Whittle runs as root, every
// step can read all of the machine. Nor does it close the operator's files, or
// his other processes. On systems other than Linux only core dumps are
// turned off.
// Source: prctl(2), PR_SET_DUMPABLE; ptrace(2), "Ptrace access mode checking";
// getrlimit(2), RLIMIT_CORE.
func Protect() error {
	if err := noCores(); err != nil {
		return err
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return fmt.Errorf("close this process to others of the same user: %w", errno)
	}
	return nil
}
