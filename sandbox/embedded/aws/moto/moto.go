// Package moto keeps the state of the embedded AWS sandbox: moto, a simulation
// of AWS in Python, as a child process.
//
// It decides nothing about authorization: moto's own enforcement is off, and
// whoever holds a [Host] may do everything. A snapshot is a fork of the process:
// it costs milliseconds and shares its memory with its parent until one of them
// writes.
package moto

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// scripts are host.py and what it imports.
//
//go:embed host.py edge.py gaps.py kubernetes.py lacking.py
var scripts embed.FS

// startTimeout bounds how long the interpreter may take to import moto.
const startTimeout = 60 * time.Second

// Options say how to run moto.
type Options struct {
	// Python is the interpreter that can import moto. Empty: see [Find].
	Python string
	// Account is the twelve digits of the account that everything lives in.
	Account string
	// Log takes what moto prints. Nil discards it.
	Log *slog.Logger
}

// Host is a running moto. Its methods may be called from many goroutines.
type Host struct {
	token string
	dir   string
	cmd   *exec.Cmd
	stdin io.Closer
	tail  *tail

	// root is the first process. It serves nothing: it is the empty state, and
	// keeps the process group's id from being given to a stranger.
	root process

	// mu is held for reading by every request, so that a fork finds none.
	mu        sync.RWMutex
	active    process
	snapshots map[string]process
	made      int
	closed    bool
}

// process is one of the family, as host.py announces it.
type process struct {
	PID     int    `json:"pid"`
	Port    int    `json:"port"`
	Control int    `json:"control"`
	Version string `json:"version"`
	Error   string `json:"error"`
}

// Start runs moto and waits until it serves.
func Start(ctx context.Context, o Options) (*Host, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	python := o.Python
	if python == "" {
		var err error
		if python, err = Find(ctx, os.Getenv); err != nil {
			return nil, err
		}
	}
	// The script runs from a directory of its own: Python imports from there
	// first, and a moto.py in the user's directory must not be taken for moto.
	dir, err := os.MkdirTemp("", "whittle-moto-")
	if err != nil {
		return nil, fmt.Errorf("moto: %w", err)
	}
	h := &Host{token: rand.Text(), dir: dir, snapshots: map[string]process{}, tail: &tail{log: log}}
	if err := h.start(ctx, python, o.Account); err != nil {
		h.Close()
		return nil, fmt.Errorf("moto (%s): %w%s", python, err, h.tail.hint())
	}
	log.Debug("moto serves", "version", h.root.Version, "pid", h.active.PID)
	return h, nil
}

func (h *Host) start(ctx context.Context, python, account string) error {
	if err := os.CopyFS(h.dir, scripts); err != nil {
		return err
	}
	// Not CommandContext: the child lives until Close, ctx is for starting it.
	cmd := exec.Command(python, filepath.Join(h.dir, "host.py"))
	cmd.Dir = h.dir
	cmd.Env = environment(account, os.LookupEnv)
	cmd.Stderr = h.tail
	cmd.WaitDelay = 10 * time.Second // forks hold the pipe of standard error too
	// A group of its own: a Ctrl-C at the terminal is Whittle's to handle, and
	// Close can reach every fork.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	h.cmd, h.stdin = cmd, stdin
	io.WriteString(stdin, h.token+"\n") //nolint:errcheck // a child that ended says why below
	announced := make(chan error, 1)
	go func() { // ends with the child, whose standard output it reads
		lines := bufio.NewReader(stdout)
		line, err := lines.ReadBytes('\n')
		if err != nil {
			announced <- fmt.Errorf("ended before it served: %w", err)
			return
		}
		announced <- json.Unmarshal(line, &h.root)
		io.Copy(h.tail, lines) //nolint:errcheck // moto prints here too; nothing depends on it
	}()
	select {
	case err := <-announced:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(startTimeout):
		return fmt.Errorf("does not serve after %v", startTimeout)
	}
	if h.root.Error != "" {
		return fmt.Errorf("%s: %s", h.root.Error, install)
	}
	h.active, err = h.order(ctx, h.root, "fork")
	return err
}

// environment is what moto gets of the process's environment: what a Python
// interpreter needs to run, and no credential.
func environment(account string, lookup func(string) (string, bool)) []string {
	env := []string{
		"MOTO_ACCOUNT_ID=" + account,
		"MOTO_IAM_LOAD_MANAGED_POLICIES=true",
		"MOTO_DISABLE_GLOBAL_CORS=true",
		// Objects stay in memory: a file would be shared by forks.
		"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE=" + strconv.Itoa(1<<30),
	}
	for _, key := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYENV_ROOT",
		"PYENV_VERSION", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := lookup(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}

// Version is moto's own.
func (h *Host) Version() string { return h.root.Version }

// RoundTrip sends a request to the state, whatever host the request's URL
// names; the request's Host is kept, for moto tells services apart by it. The
// reply's body is in memory when RoundTrip returns.
func (h *Host) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return nil, errors.New("moto is closed")
	}
	out := r.Clone(r.Context())
	if out.Host == "" {
		out.Host = r.URL.Host
	}
	out.URL.Scheme = "http"
	out.URL.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(h.active.Port))
	out.Header.Set("X-Whittle-Token", h.token)
	// host.py answers one request a connection.
	transport := http.Transport{DisableKeepAlives: true, DisableCompression: true}
	reply, err := transport.RoundTrip(out)
	if err != nil {
		return nil, fmt.Errorf("moto: %w%s", err, h.tail.hint())
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, fmt.Errorf("moto: read the reply: %w", err)
	}
	reply.Body = io.NopCloser(bytes.NewReader(body))
	return reply, nil
}

// Snapshot keeps the present state, and gives the name to restore it by.
func (h *Host) Snapshot(ctx context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept, err := h.order(ctx, h.active, "fork")
	if err != nil {
		return "", fmt.Errorf("moto: snapshot: %w", err)
	}
	h.made++
	id := "snapshot-" + strconv.Itoa(h.made)
	h.snapshots[id] = kept
	return id, nil
}

// Restore makes the state that Snapshot kept the present one. It can be
// repeated: the snapshot stays as it is.
func (h *Host) Restore(ctx context.Context, id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept, ok := h.snapshots[id]
	if !ok {
		return fmt.Errorf("moto: no snapshot %q: Snapshot gives the names", id)
	}
	next, err := h.order(ctx, kept, "fork")
	if err != nil {
		return fmt.Errorf("moto: restore %s: %w", id, err)
	}
	past := h.active
	h.active = next
	if _, err := h.order(ctx, past, "exit"); err != nil {
		return fmt.Errorf("moto: end the state before %s: %w", id, err)
	}
	return nil
}

// order asks one process of the family for something.
func (h *Host) order(ctx context.Context, p process, do string) (process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var answer process
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Control)))
	if err != nil {
		return answer, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := json.NewEncoder(c).Encode(map[string]string{"token": h.token, "do": do}); err != nil {
		return answer, err
	}
	if err := json.NewDecoder(c).Decode(&answer); err != nil {
		return answer, fmt.Errorf("%s: %w", do, err)
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("%s: %s", do, answer.Error)
	}
	return answer, nil
}

// Close ends moto and every fork of it. The state is lost.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	if h.cmd != nil {
		h.stdin.Close() // ends every process of the family, if it can still read
		// The leader is not waited for yet, so the group's id is still its own.
		syscall.Kill(-h.cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended already
		h.cmd.Wait()                                      //nolint:errcheck // killed
	}
	return os.RemoveAll(h.dir)
}

// tail keeps the end of what moto printed, for the error that follows.
type tail struct {
	log  *slog.Logger
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log.Debug("moto prints", "text", string(p))
	t.text = append(t.text, p...)
	if over := len(t.text) - 4096; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

// hint is the last line printed, which is where Python names the exception.
func (t *tail) hint() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return ""
	}
	return "; it printed last: " + text[strings.LastIndexByte(text, '\n')+1:]
}
