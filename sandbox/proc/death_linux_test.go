package proc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A whittle that is killed outright takes the shim's program and all that it
// started with it.
func TestShimOutlivesNoParent(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"=parent")
	l := &lines{out: make(chan string, 8)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := out.Read(buf)
			_, _ = l.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	child, grand := pid(t, l.out, "child"), pid(t, l.out, "grandchild")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait()
	gone(t, child)
	gone(t, grand)
}

// A shim that is killed outright can kill nobody, but its program dies with it.
func TestKilledShimTakesItsProgram(t *testing.T) {
	t.Parallel()
	cmd, l := startShim(t, "stubborn", time.Hour)
	child, grand := pid(t, l.out, "child"), pid(t, l.out, "grandchild")
	t.Cleanup(func() { _ = syscall.Kill(grand, syscall.SIGKILL) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	gone(t, child)
	_ = syscall.Kill(grand, syscall.SIGKILL) // it holds the shim's output open
	_ = cmd.Wait()
}
