package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Tests that need whittle as processes of their own, the cloud in one and the
// probe in another: what a crash takes with it, and what it leaves.

// cloudProcess is a `whittle cloud` in a process of its own.
type cloudProcess struct {
	dir string
	env map[string]string // how it is reached, as its operator
}

// startCloud starts a cloud that ends with the test.
func startCloud(t *testing.T, cloud string, flags ...string) cloudProcess {
	t.Helper()
	c := cloudProcess{dir: t.TempDir(), env: map[string]string{}}
	out, err := os.Create(filepath.Join(c.dir, "cloud.env"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("whittle", append([]string{"cloud", "--cloud", cloud}, flags...)...)
	said := &strings.Builder{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may be gone
		if err := <-ended; err != nil {
			t.Errorf("the cloud: %v\n%s", err, said)
		}
		out.Close()
	})
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(out.Name())
		if !strings.Contains(string(text), "SSL_CERT_FILE") || !strings.HasSuffix(string(text), "'\n") {
			continue
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
			c.env[name] = strings.Trim(value, "'")
		}
		return c
	}
	t.Fatalf("the cloud did not come up: %s", said)
	return c
}

// command is a program as the cloud's operator runs it, in dir, with more
// variables.
func (c cloudProcess) command(ctx context.Context, dir string, env map[string]string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	for _, vars := range []map[string]string{c.env, env} {
		for k, v := range vars {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// ran is how a program ended, and what it said.
type ran struct {
	code        int
	out, errors string
}

func (c cloudProcess) run(t *testing.T, dir string, env map[string]string, name string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := c.command(ctx, dir, env, name, args...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), said.String()}
}

// stackIn writes the files of a lifecycle into a new folder.
func stackIn(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "stack")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
