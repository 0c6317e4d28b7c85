package shell

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func machine(t *testing.T) *Machine {
	t.Helper()
	m, err := New("node-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(m.dir); !os.IsNotExist(err) {
			t.Errorf("the disk is still there: %v", err)
		}
	})
	return m
}

func run(t *testing.T, m *Machine, line, in string) (int, string, string) {
	t.Helper()
	var out, err bytes.Buffer
	status := m.Run(t.Context(), "packer", line, nil, Streams{strings.NewReader(in), &out, &err})
	return status, out.String(), err.String()
}

// What a provisioner does, as people write it.
func TestRun(t *testing.T) {
	m := machine(t)
	for _, tt := range []struct {
		line, in, out string
		status        int
	}{
		{line: "pwd; whoami; hostname; echo $HOME", out: "/home/packer\npacker\nnode-1\n/home/packer\n"},
		{line: "sudo whoami", out: "root\n"},
		{line: "sudo -E env A=1 sh -c 'echo $A $USER'", out: "1 root\n"},
		{line: "A=2 sudo sh -c 'echo $A.'", out: ".\n"},
		{line: "mkdir -p /opt/a/b && echo one > /opt/a/b/f && cat /opt/a/b/f", out: "one\n"},
		{line: "cd /opt/a && cat b/f && cd b && pwd", out: "one\n/opt/a/b\n"},
		{line: "echo two | sudo tee -a /opt/a/b/f >/dev/null; cat < /opt/a/b/f", out: "one\ntwo\n"},
		{line: "cp -r /opt/a /opt/c && mv /opt/c/b/f /opt/c/g && ls /opt/c /opt/c/b", out: "b\ng\n"},
		{line: "rm /opt/a", status: 1},
		{line: "rm -f \n"},
		{line: "rm", status: 1},
		{line: "rm -rf /opt/a /opt/none && ls /opt", out: "c\n"},
		{line: "printf '#!/bin/sh -eu\\necho $1 $X\\n' > /tmp/s.sh; /tmp/s.sh a", status: 126},
		{line: "chmod +x /tmp/s.sh; X=y /tmp/s.sh a", out: "a y\n"},
		{line: "/tmp/s.sh a", status: 1}, // X is unset, and -u says that it must not be
		{line: "mv /tmp/s.sh /usr/local/bin/s; X=z s a; command -v s tee cd", out: "a z\n/usr/local/bin/s\n/usr/bin/tee\ncd\n"},
		{line: "chmod 0640 /opt/c/g; chmod u-r,g=w,o+x /opt/c/g; ls -l /opt/c | while read mode rest; do echo $mode; done", out: "drwxr-xr-x\n--w--w---x\n"},
		{line: "set -e; false; echo not here", status: 1},
		{line: "exit 7", status: 7},
		{line: "cat > /tmp/in; sha256sum < /tmp/in", in: "hello\n", out: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  -\n"},
		{line: "", in: "echo read\nexit 3\n", out: "read\n", status: 3},
		{line: "[ -x /usr/local/bin/s ] && [ ! -e /usr/bin/s ] && for f in /usr/local/*; do echo $f; done", out: "/usr/local/bin\n"},
		{line: "cat <(echo sub)", status: 2},
		{line: "apt-get update", status: 127},
		{line: "ls --color", status: 2},
		{line: "if", status: 2},
	} {
		status, out, said := run(t, m, tt.line, tt.in)
		if status != tt.status || out != tt.out {
			t.Errorf("%q: status %d, %q, %q; want %d, %q", tt.line, status, out, said, tt.status, tt.out)
		}
		if strings.Contains(said, m.dir) || status != 0 && status != 7 && status != 3 && said == "" && !strings.Contains(tt.line, "false") {
			t.Errorf("%q: said %q", tt.line, said)
		}
	}
}

// Nothing leads to the machine that Whittle runs on: no program, no file, by a
// path, by a link, or by what the interpreter has for itself.
func TestConfined(t *testing.T) {
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("of the operator\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(outside, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ntouch "+outside+"/ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	m := machine(t)
	if err := os.Symlink(outside, filepath.Join(m.dir, "opt", "away")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WHITTLE_TEST_SECRET", "of the operator")
	for _, line := range []string{
		"cat " + secret, "cat < " + secret, ". " + secret, "cat ../../.." + secret, "cat /opt/away/secret", "cat ~/../.." + secret,
		"cat $(cd /opt/away; pwd)/secret", "scp -f " + secret, "cp " + secret + " /tmp/x; cat /tmp/x", "echo $WHITTLE_TEST_SECRET", "env", "ls -a /opt/away",
		"sudo cat /opt/away/secret", "ls " + outside, "for f in " + outside + "/*; do echo $f; done | cat",
		program, "sh " + program, "command -v " + program, "command -v go", "exec " + program, "sudo -u root " + program,
		"echo x > " + outside + "/made", "touch " + outside + "/made", "echo x > /opt/away/made", "mkdir /opt/away/made", "rm -rf /opt/away/", "rm -r /opt/away/secret",
		"TMPDIR=" + outside + " sh -c 'echo x > " + outside + "/sh-interp-made'", "export TMPDIR=" + outside + "; echo x > $TMPDIR/sh-interp-made",
		"TMPDIR=" + outside + " sh -c 'cat <(echo x)'",
		"mv " + secret + " /tmp/got", "chmod 777 " + secret, "id", "curl http://127.0.0.1", "/bin/ls /", "/bin/cat /etc/passwd",
	} {
		_, out, _ := run(t, m, line, "\x00")
		if strings.Contains(out, "of the operator") || strings.Contains(out, "root:") || line != "ls "+outside && strings.Contains(out, "program\n") {
			t.Errorf("%q printed %q", line, out)
		}
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 2 {
		t.Errorf("there is now %v, %v", entries, err)
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file outside is now %v, %v", info, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	m := machine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := m.Run(ctx, "packer", "while true; do sleep 1; done", nil, Streams{strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}}); status == 0 {
		t.Error("it ended well")
	}
}

// The older protocol of scp, byte by byte.
func TestSCP(t *testing.T) {
	m := machine(t)
	file := func(mode, name, content string) string {
		return fmt.Sprintf("C%s %d %s\n%s\x00", mode, len(content), name, content)
	}
	for _, tt := range []struct {
		line, in, out string
		status        int
	}{
		{line: "scp -vt /tmp", in: file("0644", "a", "one"), out: "\x00\x00\x00"},
		{line: "scp -t /tmp/b", in: file("0755", "a", "two"), out: "\x00\x00\x00"},
		{line: "cat /tmp/a /tmp/b; ls -l /tmp | while read mode rest; do echo $mode; done", out: "onetwo-rw-r--r--\n-rwxr-xr-x\n"},
		{line: "scp -rvt /opt", in: "T1 0 1 0\nD0755 0 d\n" + file("0600", "f", "three") + "D0700 0 e\nE\nE\n", out: strings.Repeat("\x00", 8)},
		{line: "ls /opt/d; cat /opt/d/f", out: "e\nf\nthree"},
		{line: "scp -f /tmp/a", in: "\x00\x00\x00", out: "C0644 3 a\none\x00"},
		{line: "scp -vrf /opt/d", in: strings.Repeat("\x00", 8), out: "D0755 0 d\nD0700 0 e\nE\nC0600 5 f\nthree\x00E\n"},
		{line: "scp -t /tmp", in: file("0644", "../a", "x"), out: "\x00\x01scp: unexpected \"C0644 1 ../a\"\n", status: 1},
		{line: "scp -t /none/b", in: file("0644", "a", "x"), out: "\x00\x00\x01scp: /none/b: no such file or directory\n", status: 1},
		{line: "scp -f /none", in: "\x00", out: "\x01scp: /none: no such file or directory\n", status: 1},
		{line: "scp /tmp/a", out: "\x01scp: want -t or -f, and one path\n", status: 1},
	} {
		status, out, said := run(t, m, tt.line, tt.in)
		if status != tt.status || out != tt.out {
			t.Errorf("%q: status %d, %q, %q; want %d, %q", tt.line, status, out, said, tt.status, tt.out)
		}
	}
}
