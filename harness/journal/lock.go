package journal

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the file for this process alone, without waiting: a second run
// should say at once that the first is still there. The lock belongs to the
// open file and goes with it, so a crash leaves none behind.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrLocked
		case err != nil:
			return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
		return nil
	}
}
