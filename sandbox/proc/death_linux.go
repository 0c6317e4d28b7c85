package proc

import (
	"os"
	"syscall"
)

// dieWithParent has the kernel kill the child when its parent dies.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// A shim whose parent asked for SIGKILL at its own death (terraform-exec does)
// could pass nothing on: it asks for SIGTERM in place of it. The kernel keeps
// the wish per thread and sends that of every thread, so it must be changed on
// the very thread that was there first; only while packages are initialised is
// that the one that runs. No program is started before RunShim listens for
// SIGTERM. If the kernel refuses, SIGKILL remains in force.
func init() {
	if os.Getenv(shimExec) != "" {
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	}
}
