package tools

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/whittle-iam/whittle/sandbox/proc"
)

// Config says how tools are built; its zero value is what a user wants.
type Config struct {
	// Cache is the folder to keep them in; empty means whittle/tools in the
	// user's cache folder.
	Cache string
	// Environ is the environment that go is run in; nil means os.Environ(). It
	// is the operator's own: nothing of a lifecycle is run here.
	Environ []string
	// Tell is called with a line for people before something long; nil means
	// that nobody listens.
	Tell func(string)
}

// poll is how often a lock that another process has is asked for.
const poll = 200 * time.Millisecond

// Cached gives the path of the tool's binary, and whether it has been built.
func (t Tool) Cached(c Config) (string, bool) {
	cache, err := c.cache()
	if err != nil {
		return "", false
	}
	binary := filepath.Join(cache, t.folder(), t.binary())
	info, err := os.Stat(binary)
	return binary, err == nil && info.Mode().IsRegular()
}

// Dir gives the folder that holds the tool's binary, and nothing but what leads
// to it; it is there once the tool has been built.
func (t Tool) Dir(c Config) (string, error) {
	cache, err := c.cache()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, t.folder()), nil
}

// Build gives the path of the tool's binary, and builds it first if it has not
// been. Only one process of the machine builds a tool at a time; the others
// wait for it.
func (t Tool) Build(ctx context.Context, c Config) (string, error) {
	if c.Tell == nil {
		c.Tell = func(string) {}
	}
	if binary, ok := t.Cached(c); ok {
		return binary, nil
	}
	cache, err := c.cache()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", t.Name, err)
	}
	unlock, err := t.lock(ctx, cache, c.Tell)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", t.Name, err)
	}
	defer unlock()
	if binary, ok := t.Cached(c); ok {
		return binary, nil // by whoever had the lock
	}
	if err := t.build(ctx, c, cache); err != nil {
		return "", err
	}
	binary, ok := t.Cached(c)
	if !ok {
		return "", fmt.Errorf("build %s: go made no %s", t.Name, binary)
	}
	return binary, nil
}

func (c Config) cache() (string, error) {
	if c.Cache != "" {
		return c.Cache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("tools: user's cache folder: %w", err)
	}
	return filepath.Join(dir, "whittle", "tools"), nil
}

// binary is the path of the binary in the tool's folder.
func (t Tool) binary() string {
	name := t.Name
	if t.place != "" {
		name = filepath.FromSlash(strings.NewReplacer("{version}", t.Version, "{os}", runtime.GOOS, "{arch}", runtime.GOARCH).Replace(t.place))
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}

// build builds beside the tool's place in the cache and moves it there, so that
// an interrupted build is never taken for a tool.
func (t Tool) build(ctx context.Context, c Config, cache string) error {
	part, err := os.MkdirTemp(cache, "part-")
	if err != nil {
		return fmt.Errorf("build %s: %w", t.Name, err)
	}
	defer os.RemoveAll(part)
	for _, f := range t.files {
		path := filepath.Join(part, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("build %s: %w", t.Name, err)
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			return fmt.Errorf("build %s: %w", t.Name, err)
		}
	}
	c.Tell(fmt.Sprintf("building %s %s from source (once, about %s on two cores)", t.Name, t.Version, minutes(t.Takes)))
	started := time.Now()
	stop := remind(c.Tell, t.Name)
	res, err := proc.Run(ctx, t.command(c.Environ, part))
	stop()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return &Error{Tool: t, Problem: "there is no go on PATH", Hint: "install Go from https://go.dev/dl, or " + t.Name + " itself"}
	case err != nil:
		return fmt.Errorf("build %s: %w", t.Name, err)
	case res.ExitCode != 0:
		return &Error{Tool: t, Problem: fmt.Sprintf("go build ended with exit code %d", res.ExitCode), Output: lastLines(res.Output, 8),
			Hint: "go build needs the module proxy (see GOPROXY) and about 2 GB of disk; or install " + t.Name + " itself"}
	}
	if err := os.Rename(filepath.Join(part, "bin"), filepath.Join(cache, t.folder())); err != nil {
		return fmt.Errorf("build %s: %w", t.Name, err)
	}
	c.Tell(fmt.Sprintf("built %s in %s", t.Name, time.Since(started).Round(time.Second)))
	return nil
}

// remind tells every half minute that the build goes on, until it is stopped;
// nothing is told once stop has returned.
func remind(tell func(string), name string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	started, tick := time.Now(), time.NewTicker(30*time.Second)
	go func() {
		defer close(ended)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				tell(fmt.Sprintf("still building %s, for %s now", name, time.Since(started).Round(time.Second)))
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// command is the build, in the folder that holds the module.
func (t Tool) command(environ []string, dir string) proc.Command {
	if environ == nil {
		environ = os.Environ()
	}
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	// What would build something else, or for another machine. Nothing here
	// needs a C compiler.
	for _, name := range []string{"GOFLAGS", "GOOS", "GOARCH", "GOEXPERIMENT"} {
		delete(env, name)
	}
	env["GOWORK"], env["GO111MODULE"], env["CGO_ENABLED"] = "off", "on", "0"
	return proc.Command{
		Path: "go",
		Args: []string{"build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", strings.TrimSpace("-s -w " + t.linker),
			"-o", filepath.Join("bin", t.binary()), t.Package},
		Dir: dir, Env: env,
	}
}

// lock waits until no other process builds the tool. The lock belongs to the
// open file and goes with it, so a crash leaves none behind.
func (t Tool) lock(ctx context.Context, cache string, tell func(string)) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(cache, t.Name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	unlock = func() { f.Close() } // what was written is nothing
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return unlock, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			unlock()
			return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
		if !told {
			tell(fmt.Sprintf("waiting for another process that builds %s", t.Name))
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			unlock()
			return nil, fmt.Errorf("wait for another build: %w", ctx.Err())
		}
	}
}

// Error is a tool that could not be built.
type Error struct {
	Tool    Tool
	Problem string
	Output  string // the end of what go printed
	Hint    string // what to do
}

func (e *Error) Error() string {
	s := fmt.Sprintf("build %s %s: %s", e.Tool.Name, e.Tool.Version, e.Problem)
	if e.Output != "" {
		s += ":\n    " + strings.ReplaceAll(e.Output, "\n", "\n    ")
	}
	return s
}

// Hints says what to do.
func (e *Error) Hints() []string { return []string{e.Hint} }

func minutes(d time.Duration) string {
	return fmt.Sprintf("%.0f min", math.Max(1, math.Round(d.Minutes())))
}

// lastLines is the end of s, without what go says of its downloads.
func lastLines(s string, n int) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(s)) {
		if !strings.HasPrefix(line, "go: downloading ") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
