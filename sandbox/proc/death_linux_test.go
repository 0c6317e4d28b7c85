package proc

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
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

// deserters is a script that starts three processes: one in its own group, one in
// a session of its own, and one below that, in another session, whose parents have
// ended. None of them listens to signals.
const deserters = `trap '' INT TERM HUP
sleep 1000 & echo here $!
setsid sleep 1000 & echo away $!
(setsid sh -c 'setsid sleep 1000 & echo "far away" $!; sleep 0.1' &)
`

// A step whose whittle is killed outright ends with all that it has started,
// wherever that has gone.
func TestKilledParentTakesDeserters(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], deserters+"sleep 1000")
	cmd.Env = append(os.Environ(), role+"=whittle")
	l := &lines{out: make(chan string, 8)}
	cmd.Stdout = l
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := three(t, l)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		gone(t, one)
	}
	_ = cmd.Wait() // for who holds its output
}

// So does one that ends, and one that is stopped.
func TestShimLeavesNoDeserters(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{"ends": "sleep 0.3; exit 3", "is stopped": "sleep 1000"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := &lines{out: make(chan string, 8)}
		ended := make(chan Result, 1)
		go func() {
			res, err := Run(ctx, Command{Path: "sh", Args: []string{"-c", deserters + last}, Shim: os.Args[0], Stdout: l, Grace: 50 * time.Millisecond,
				Env: map[string]string{"PATH": os.Getenv("PATH")}})
			if (err != nil) != (name == "is stopped") {
				t.Error(err)
			}
			ended <- res
		}()
		all := three(t, l)
		if name == "is stopped" {
			cancel()
		}
		if want, res := map[string]int{"ends": 3, "is stopped": 137}[name], <-ended; res.ExitCode != want {
			t.Errorf("%s: exit code %d, want %d", name, res.ExitCode, want)
		}
		for _, one := range all {
			gone(t, one)
		}
	}
}

// Who waits for an orphan of its own to be gone does not wait for ever.
func TestShimLetsGoOfOrphans(t *testing.T) {
	t.Parallel()
	res, err := Run(t.Context(), Command{Path: "sh", Shim: os.Args[0], Env: map[string]string{"PATH": os.Getenv("PATH")},
		Args: []string{"-c", `pid=$(sh -c 'sleep 0.2 >/dev/null & echo $!'); while kill -0 $pid 2>/dev/null; do sleep 0.05; done; echo gone`}})
	if err != nil || res.Output != "gone\n" {
		t.Errorf("%+v, %v", res, err)
	}
}

// three are the processes that deserters tells of.
func three(t *testing.T, l *lines) (all []int) {
	t.Helper()
	for range 3 {
		line := wait(t, l.out)
		one, err := strconv.Atoi(line[strings.LastIndex(line, " ")+1:])
		if err != nil {
			t.Fatal(line)
		}
		all = append(all, one)
	}
	return all
}
