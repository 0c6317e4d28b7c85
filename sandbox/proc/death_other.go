//go:build unix && !linux

package proc

import "syscall"

// dieWithParent does nothing: only Linux knows a signal for a parent's death.
func dieWithParent(*syscall.SysProcAttr) {}
