package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The test binary is also the children that the tests run.
const role = "PROC_TEST_ROLE"

func TestMain(m *testing.M) {
	if code, ok := RunShim(os.Args, os.Environ()); ok {
		os.Exit(code)
	}
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "stubborn":
		stubborn()
	case "polite":
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		fmt.Println("ready")
		<-c
		fmt.Println("cleaned up")
		os.Exit(7)
	case "leaver":
		// Ends at once and leaves a grandchild that holds its output open.
		fmt.Println("grandchild", grandchild().Process.Pid)
	case "env":
		for _, kv := range os.Environ() {
			fmt.Println(kv)
		}
	case "parent":
		// Starts a shim as a library would, and waits for it. Protected, as
		// whittle is: the kernel tells its children of its end all the same.
		if err := Protect(); err != nil {
			panic(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), role+"=stubborn", shimExec+"="+os.Args[0], shimGrace+"=1h")
		cmd.Stdout = os.Stdout
		dieWithParent(attr(cmd))
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "whittle":
		// Runs a step below a shim, and waits for it.
		if _, err := Run(context.Background(), Command{Path: "/bin/sh", Args: []string{"-c", os.Args[1]}, Shim: os.Args[0], Stdout: os.Stdout,
			Env: map[string]string{"PATH": os.Getenv("PATH")}}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "exit":
		code, _ := strconv.Atoi(os.Args[1])
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "to stderr")
		os.Exit(code)
	case "protected":
		if err := protected(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func attr(cmd *exec.Cmd) *syscall.SysProcAttr {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.SysProcAttr
}

// stubborn ignores SIGINT and SIGTERM and has a child that does as well.
func stubborn() {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	g := grandchild()
	fmt.Println("child", os.Getpid())
	fmt.Println("grandchild", g.Process.Pid)
	for {
		time.Sleep(time.Hour) // no deadlock in the eyes of the runtime
	}
}

func grandchild() *exec.Cmd {
	g := exec.Command("sh", "-c", "trap '' INT TERM; while :; do sleep 1; done")
	g.Stdout = os.Stdout
	if err := g.Start(); err != nil {
		panic(err)
	}
	return g
}

// self is the test binary in the given role.
func self(r string, args ...string) Command {
	env := Environment(os.Environ())
	// A program with the race detector in it sleeps a second before it ends.
	env[role], env["GORACE"] = r, "atexit_sleep_ms=0"
	return Command{Path: os.Args[0], Args: args, Env: env}
}

// lines is a writer that counts on a channel what lines there were.
type lines struct {
	buf bytes.Buffer
	out chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.buf.Write(p)
	for {
		line, err := l.buf.ReadString('\n')
		if err != nil {
			l.buf.WriteString(line)
			return len(p), nil
		}
		l.out <- strings.TrimSuffix(line, "\n")
	}
}

// pid waits for the line "who N".
func pid(t *testing.T, c <-chan string, who string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(wait(t, c), who+" "))
	if err != nil {
		t.Fatalf("no %s: %v", who, err)
	}
	return n
}

func wait(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case l := <-c:
		return l
	case <-time.After(time.Minute):
		t.Fatal("the child says nothing")
		return ""
	}
}

// gone waits until no such process is there; a zombie that waits for init is gone.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 3000 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
			if _, after, ok := bytes.Cut(stat, []byte(") ")); ok && after[0] == 'Z' {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Fatalf("process %d is still there", pid)
}

func TestRunResults(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"0": 0, "3": 3, "255": 255} {
		var out, errs bytes.Buffer
		c := self("exit", code)
		c.Stdout, c.Stderr = &out, &errs
		res, err := Run(t.Context(), c)
		if err != nil || res.ExitCode != want {
			t.Errorf("exit %s: %v, %v", code, res.ExitCode, err)
		}
		if out.String() != "to stdout\n" || errs.String() != "to stderr\n" || res.Stderr != "to stderr\n" {
			t.Errorf("out %q, err %q, kept %q", out.String(), errs.String(), res.Stderr)
		}
		if !strings.Contains(res.Output, "to stdout\n") || !strings.Contains(res.Output, "to stderr\n") {
			t.Errorf("output %q", res.Output)
		}
	}
	res, err := Run(t.Context(), self("killed"))
	if err != nil || res.ExitCode != 137 {
		t.Errorf("killed: %d, %v", res.ExitCode, err)
	}
}

func TestRunFindsOnTheChildsPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool"), []byte("#!/bin/sh\necho here in $(pwd -P)\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Command{
		{Path: "tool", Dir: dir, Env: map[string]string{"PATH": ".:" + dir + ":/bin:/usr/bin"}},
		{Path: "./tool", Dir: dir, Env: map[string]string{"PATH": "/bin:/usr/bin"}},
	} {
		res, err := Run(t.Context(), c)
		if err != nil || res.Output != "here in "+real+"\n" {
			t.Errorf("%s: %q, %v", c.Path, res.Output, err)
		}
	}
	for _, c := range []Command{
		{Path: "tool", Dir: dir, Env: map[string]string{"PATH": ".:/bin"}},
		{Path: "./none", Dir: dir},
		{Path: "./", Dir: dir},
		{},
	} {
		if _, err := Run(t.Context(), c); err == nil {
			t.Errorf("%q on %q: no error", c.Path, c.Env["PATH"])
		}
	}
}

func TestRunCancelledBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, self("stubborn")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRunInterruptsBeforeItKills(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := &lines{out: make(chan string, 8)}
	c := self("polite")
	c.Stdout, c.Grace = l, time.Hour
	go func() {
		<-l.out
		cancel()
	}()
	res, err := Run(ctx, c)
	if !errors.Is(err, context.Canceled) || res.ExitCode != 7 || !strings.HasSuffix(res.Output, "cleaned up\n") {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestRunKillsTheGroup(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := &lines{out: make(chan string, 8)}
	c := self("stubborn")
	c.Stdout, c.Grace = l, 50*time.Millisecond
	ended := make(chan error, 1)
	go func() {
		res, err := Run(ctx, c)
		if res.ExitCode != 137 {
			err = errors.Join(err, fmt.Errorf("exit code %d", res.ExitCode))
		}
		ended <- err
	}()
	child, grand := pid(t, l.out, "child"), pid(t, l.out, "grandchild")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "exit code") {
		t.Error(err)
	}
	gone(t, child)
	gone(t, grand)
}

func TestRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	l := &lines{out: make(chan string, 8)}
	c := self("leaver")
	c.Stdout = l
	if res, err := Run(t.Context(), c); err != nil || res.ExitCode != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	gone(t, pid(t, l.out, "grandchild"))
}

// startShim starts a shim the way terraform-exec does: the caller reaches the
// leader only.
func startShim(t *testing.T, r string, grace time.Duration, args ...string) (*exec.Cmd, *lines) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	env := Environment(os.Environ())
	env[role], env["GORACE"] = r, "atexit_sleep_ms=0"
	maps.Copy(env, ShimEnv(os.Args[0], grace))
	cmd.Env = Slice(env)
	l := &lines{out: make(chan string, 64)}
	cmd.Stdout = l
	dieWithParent(attr(cmd))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, l
}

func TestShimPassesEverythingThrough(t *testing.T) {
	t.Parallel()
	cmd, l := startShim(t, "exit", time.Hour, "41")
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 41 || wait(t, l.out) != "to stdout" {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	cmd, _ = startShim(t, "killed", time.Hour)
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 137 {
		t.Errorf("killed: exit code %d", cmd.ProcessState.ExitCode())
	}
	cmd, l = startShim(t, "env", time.Hour)
	_ = cmd.Wait()
	close(l.out)
	for kv := range l.out {
		if strings.HasPrefix(kv, shimPrefix) {
			t.Errorf("the child sees %s", kv)
		}
	}
}

func TestShimInterruptsBeforeItKills(t *testing.T) {
	t.Parallel()
	cmd, l := startShim(t, "polite", time.Hour)
	wait(t, l.out)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

func TestShimKillsTheGroup(t *testing.T) {
	t.Parallel()
	cmd, l := startShim(t, "stubborn", 50*time.Millisecond)
	child, grand := pid(t, l.out, "child"), pid(t, l.out, "grandchild")
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 137 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	gone(t, child)
	gone(t, grand)
}

func TestShimLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	cmd, l := startShim(t, "leaver", time.Hour)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	gone(t, pid(t, l.out, "grandchild"))
}

func TestShimCannotStart(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{shimExec + "=/no/such/program"}
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 127 || !strings.Contains(string(out), "/no/such/program") {
		t.Errorf("exit code %d, %q", cmd.ProcessState.ExitCode(), out)
	}
}

func TestShimOrder(t *testing.T) {
	t.Parallel()
	program, grace, rest := shimOrder([]string{"A=1", shimExec + "=/bin/x=y", shimGrace + "=3s", shimPrefix + "OTHER=1", "B=2=3"})
	if program != "/bin/x=y" || grace != 3*time.Second || !slices.Equal(rest, []string{"A=1", "B=2=3"}) {
		t.Errorf("got %q, %v, %q", program, grace, rest)
	}
	if _, ok := RunShim([]string{"x"}, []string{"A=1"}); ok {
		t.Error("a shim without an order")
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	got := Environment([]string{
		"PATH=/bin", "HOME=/root", "LC_ALL=C", "LC_API_TOKEN=secret", "LANG=C.UTF-8", "TZ=", "NOVALUE",
		"AWS_ACCESS_KEY_ID=AKIA", "AWS_PROFILE=prod", "GOOGLE_APPLICATION_CREDENTIALS=/k.json", "ARM_CLIENT_SECRET=x",
		"GITHUB_TOKEN=x", "TF_VAR_password=x", "TF_TOKEN_app_terraform_io=x", "HTTPS_PROXY=http://u:p@proxy", "SSH_AUTH_SOCK=/s",
		"LD_PRELOAD=/x.so", "path=/evil",
	})
	want := map[string]string{"PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "LANG": "C.UTF-8", "TZ": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	tail := NewTail(12)
	io.WriteString(tail, "first line\nsecond\nthird\n")
	if got := tail.String(); got != "third\n" {
		t.Errorf("got %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 64).Draw(t, "size")
		tail, all := NewTail(size), ""
		for _, part := range rapid.SliceOf(rapid.StringMatching(`[a-z\n]{0,40}`)).Draw(t, "parts") {
			io.WriteString(tail, part)
			all += part
		}
		got := tail.String()
		if len(got) > size || !strings.HasSuffix(all, got) {
			t.Fatalf("kept %q of %q", got, all)
		}
		if len(all) <= size && got != all {
			t.Fatalf("kept %q of %q, although all of it fits", got, all)
		}
		if got == "" && all != "" {
			t.Fatalf("kept nothing of %q", all)
		}
	})
}
