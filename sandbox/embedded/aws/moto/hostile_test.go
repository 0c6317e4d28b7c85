package moto

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Whoever is on the machine can write to the ports of moto: what he writes is
// not obeyed, and moto lives on.
func TestNoisyStrangers(t *testing.T) {
	h := start(t)
	create(t, h, "10.1.0.0/16")
	for _, line := range []string{
		`{"token": "\ud800", "do": "exit"}`, // no text: it has no encoding
		`{"token": "` + "\xff" + `", "do": "exit"}`,
		`{"token": ` + strings.Repeat("[", 4000),
		`{"token": 1e999}`, `{"token": null}`, `{}`, `[]`, `"token"`, `1`, ``, `{`, strings.Repeat("x", 8192),
		`{"token": "` + strings.Repeat("9", 4000) + `"}`, `{"token": ` + strings.Repeat("9", 4050) + `}`,
	} {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.active.Control))
		if err != nil {
			t.Fatalf("after %.40q: %v", line, err)
		}
		fmt.Fprintln(c, line)
		if answer, _ := io.ReadAll(c); len(answer) > 0 {
			t.Errorf("%.40q was answered with %s", line, answer)
		}
		c.Close()
	}
	for _, token := range []string{"\xff", "é", "\xed\xa0\x80", strings.Repeat("9", 10000)} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://127.0.0.1:%d/", h.active.Port), nil)
		r.Header.Set("X-Whittle-Token", token)
		reply, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatalf("token %.10q: %v", token, err)
		}
		reply.Body.Close()
		if reply.StatusCode != http.StatusForbidden {
			t.Errorf("token %.10q: status %d", token, reply.StatusCode)
		}
	}
	// Orders of its own that nobody waits for, nor reads.
	for range 3 {
		for _, do := range []string{"fork", "no such order"} {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.active.Control))
			if err != nil {
				t.Fatalf("after an order that was left: %v", err)
			}
			fmt.Fprintf(c, "{\"token\": %q, \"do\": %q}\n", h.token, do)
			c.(*net.TCPConn).SetLinger(0) // a reset, so that a write fails at once
			c.Close()
		}
	}
	if _, err := h.Snapshot(t.Context()); err != nil {
		t.Errorf("moto does not obey any more: %v", err)
	}
	want(t, h, "10.1")
}

// A step of the same user cannot read the token in moto's memory, which would
// lead it past the gate.
func TestMemoryIsClosed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can")
	}
	python, err := Find(t.Context(), os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	var as []string
	if os.Getuid() == 0 {
		// Root reads everything by its capabilities: everybody is without them.
		as = []string{"setpriv", "--bounding-set", "-all", "--inh-caps", "-all"}
	}
	run := func(args ...string) *exec.Cmd {
		args = append(as[:len(as):len(as)], args...)
		return exec.CommandContext(t.Context(), args[0], args[1:]...)
	}
	if err := run("true").Run(); err != nil {
		t.Skipf("root that cannot do without its capabilities: %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, scripts); err != nil {
		t.Fatal(err)
	}
	family := run(python, filepath.Join(dir, "host.py"))
	family.Env = environment("123456789012", os.LookupEnv)
	open := run(python, "-c", "print('control', flush=True); input()")
	for _, cmd := range []*exec.Cmd{family, open} {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close()
			_ = cmd.Wait()
		})
		if cmd == family {
			fmt.Fprintln(stdin, "token")
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || !strings.Contains(line, "control") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	for _, what := range []string{"mem", "environ"} {
		for cmd, want := range map[*exec.Cmd]bool{family: false, open: true} {
			got := run("sh", "-c", `: < "$1"`, "sh", fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, what)).Run() == nil
			switch {
			case want && !got && what == "mem":
				t.Log("this kernel closes the memory of all") // Yama, ptrace_scope
			case got != want:
				t.Errorf("%s can be read: %v (moto's: %v)", what, got, cmd == family)
			}
		}
	}
}
