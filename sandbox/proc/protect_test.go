package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// spied reads as a child what could hold the secrets of this process.
func spied() (found []string) {
	for _, what := range []string{"environ", "mem", "maps"} {
		// One byte of memory is not there to be read at 0: opening it is what
		// the kernel allows or not.
		cmd := exec.Command("sh", "-c", `: < "$1"`, "sh", fmt.Sprintf("/proc/%d/%s", os.Getpid(), what))
		if cmd.Run() == nil {
			found = append(found, what)
		}
	}
	return found
}

// protected is a process that closes itself, and says what changes by it.
func protected() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
		return err
	}
	fmt.Println("before:", spied())
	if err := Protect(); err != nil {
		return err
	}
	fmt.Println("after:", spied())

	// What Whittle needs of /proc/self, and of children, it still has.
	path, err := os.Executable()
	if err != nil {
		return err
	}
	link, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	if link != path {
		return fmt.Errorf("%s is not %s", link, path)
	}
	file, err := os.CreateTemp("", "")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	for _, name := range []string{file.Name(), fmt.Sprintf("/proc/self/fd/%d", file.Fd())} {
		if _, err := os.ReadFile(name); err != nil {
			return err
		}
	}
	// A child begins anew: it reads its own environment as it always does, and a
	// pipe by its name.
	out, err := exec.Command("sh", "-c", `cat /proc/self/environ | tr '\0' '\n' | grep -c PROC_TEST_ROLE; echo in | cat /dev/stdin; ulimit -c; ulimit -H -c; ulimit -c 1024 2>/dev/null || echo refused`).CombinedOutput()
	fmt.Printf("child: %q\n", out)
	return err
}

// A process of the same user cannot read what a protected one holds.
func TestProtect(t *testing.T) {
	// Not beside others: a child that they start while the program is being copied
	// would hold it open for writing, and it could not be run.
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can")
	}
	program, attr := os.Args[0], &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		// Root reads everything: be somebody else, who can reach the program.
		dir, err := os.MkdirTemp("", "protect")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		program = filepath.Join(dir, "test")
		from, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		to, err := os.OpenFile(program, os.O_WRONLY|os.O_CREATE, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(to, from)
		if err = errors.Join(err, to.Close(), os.Chmod(dir, 0o755), os.Chmod(program, 0o755)); err != nil {
			t.Fatal(err)
		}
		attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = []string{role + "=protected", "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = attr
	out, err := cmd.Output()
	if errors.Is(err, os.ErrPermission) && attr.Credential != nil {
		t.Skipf("root without the right to be another user: %v", err)
	}
	const want = "before: [environ mem maps]\nafter: []\nchild: \"1\\nin\\n0\\n0\\nrefused\\n\"\n"
	if err != nil || string(out) != want {
		t.Errorf("got %q, want %q: %v", out, want, err)
	}
}
