package proc

import (
	"fmt"
	"syscall"
)

// noCores keeps this process, and what it starts, from writing their memory to
// a file when they crash. A child cannot raise the limit again unless it is root.
func noCores() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("turn off core dumps: %w", err)
	}
	return nil
}
