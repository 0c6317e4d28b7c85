package proc

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER, which package syscall lacks.
// Source: prctl(2).
const prSetChildSubreaper = 36

// killing bounds how long it is tried to kill what goes on making new processes.
const killing = 5 * time.Second

// adopted are the processes below this one whose own parents have ended: the
// kernel gives them to this process in place of init, wherever they have gone
// (setsid).
type adopted struct {
	signals chan os.Signal
	reaping sync.WaitGroup
}

// adopt begins to take them up. If the kernel refuses, there are none.
func adopt() *adopted {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	a := &adopted{signals: make(chan os.Signal, 1)}
	signal.Notify(a.signals, syscall.SIGCHLD)
	return a
}

// from lets go of those that end, as init would, until kill: a program may wait
// for a process that it does not own to be gone. The leader's end is for its own
// parent to read.
func (a *adopted) from(leader int) {
	a.reaping.Go(func() {
		for range a.signals {
			for _, c := range children() {
				if c.ended && c.pid != leader {
					reap(c.pid)
				}
			}
		}
	})
}

// kill kills all of them, and what they started. The leader must have ended.
func (a *adopted) kill() {
	signal.Stop(a.signals)
	close(a.signals)
	a.reaping.Wait()
	for end := time.Now().Add(killing); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		left := children()
		if len(left) == 0 {
			return
		}
		for _, c := range left {
			_ = syscall.Kill(c.pid, syscall.SIGKILL) // it may have ended
			reap(c.pid)
		}
	}
}

// reap lets go of a child if it has ended.
func reap(pid int) { _, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) }

type child struct {
	pid   int
	ended bool // and nobody has asked how
}

// children are those of this process, as /proc has them.
func children() (all []child) {
	self := []byte(strconv.Itoa(os.Getpid()))
	entries, _ := os.ReadDir("/proc") // without it there are none to be seen
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // ended
		}
		// A name may hold a bracket: it ends with the last.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) > 1 && bytes.Equal(f[1], self) {
			all = append(all, child{pid, f[0][0] == 'Z'})
		}
	}
	return all
}
