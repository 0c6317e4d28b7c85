package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// LockName is the file in a folder of runs that says who works there.
const LockName = "lock"

// Holder is who works in a folder of runs.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"` // "probe", "clean"
	Since   time.Time `json:"since"`   // UTC
}

// HeldError says that somebody else works in a folder of runs. It wraps
// [ErrLocked].
type HeldError struct {
	Path string // of the lock
	By   Holder // zero where he has not said yet who he is
}

func (e *HeldError) Error() string {
	if e.By.PID == 0 {
		return fmt.Sprintf("%s is held by another whittle", e.Path)
	}
	return fmt.Sprintf("%s is held by process %d on %s: whittle %s, since %s", e.Path, e.By.PID, e.By.Host, e.By.Command, e.By.Since.Format(time.RFC3339))
}

// Unwrap gives ErrLocked.
func (e *HeldError) Unwrap() error { return ErrLocked }

// Hints says what can be done about it.
func (e *HeldError) Hints() []string {
	return []string{"wait until it has ended, or end it (SIGINT); a lock whose holder is gone does not bind"}
}

// Hold takes the folder of runs dir, which it makes if it is not there (mode
// 0700), for this process alone, without waiting, and writes down who holds it.
// The lock goes with the process, so that a crash leaves none behind; the file
// stays. Whoever comes second gets a [HeldError].
func Hold(dir, command string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: make the folder for runs: %w", err)
	}
	path := filepath.Join(dir, LockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := lock(f); err != nil {
		held := &HeldError{Path: path}
		if text, rerr := io.ReadAll(io.LimitReader(f, 4<<10)); rerr == nil {
			_ = json.Unmarshal(text, &held.By) // half written: nobody is named
		}
		if errors.Is(err, ErrLocked) {
			err = held
		}
		return nil, errors.Join(err, f.Close())
	}
	host, _ := os.Hostname() // for people
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Command: command, Since: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s: %w", path, err), f.Close())
	}
	return f.Close, nil
}
