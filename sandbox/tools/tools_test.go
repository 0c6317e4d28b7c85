package tools

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/goproxytest"
)

// What whittle carries can be read, and says all that a build needs.
func TestAll(t *testing.T) {
	t.Parallel()
	found, err := All()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, tool := range found {
		if tool.Version == "" || tool.Package == "" || tool.Takes < time.Second || len(tool.files) < 2 {
			t.Errorf("%s %s: %s, %d files", tool.Name, tool.Version, tool.Package, len(tool.files))
		}
		if seen[tool.folder()] || !strings.HasPrefix(tool.folder(), tool.Name+"-"+tool.Version+"-") {
			t.Errorf("%s lies in %s", tool.Name, tool.folder())
		}
		seen[tool.folder()] = true
		if got, err := Named(tool.Name); err != nil || got.Version != tool.Version {
			t.Errorf("%s: %+v, %v", tool.Name, got, err)
		}
	}
	if _, err := Named("no-such-tool"); err == nil || !strings.Contains(err.Error(), "packer") {
		t.Errorf("an unknown tool: %v", err)
	}
}

const helloMod = `// whittle:takes 90s
// whittle:ldflags -X main.word=hello
module whittle/tools/hello

go 1.24

tool example.com/hello/cmd/hello

require example.com/hello v1.2.3
`

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for want, mod := range map[string]string{
		"has 0 tool lines":          strings.Replace(helloMod, "tool example", "// example", 1),
		"name it by whittle:module": "// whittle:module example.com/other\n" + helloMod,
		"requires no module with":   strings.Replace(helloMod, "tool example.com/hello/", "tool example.com/other/", 1),
		"unknown directive":         "nonsense here\n" + helloMod,
		"whittle:takes":             strings.Replace(helloMod, "90s", "long", 1),
		"whittle:colour is not":     "// whittle:colour red\n" + helloMod,
		"no path in the tool's":     "// whittle:binary ../hello\n" + helloMod,
		"does not say what":         strings.Replace(helloMod, "// whittle:takes 90s\n", "", 1),
		"and a go.sum.txt":          "",
	} {
		files := fstest.MapFS{"hello/go.mod.txt": {Data: []byte(mod)}, "hello/go.sum.txt": {}}
		if mod == "" {
			delete(files, "hello/go.sum.txt")
		}
		if _, err := all(files); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hello") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// hello is a small tool, and the environment of a module proxy that has it.
func hello(t *testing.T) (Tool, []string) {
	t.Helper()
	server, err := goproxytest.NewServer("testdata/proxy", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	modcache := t.TempDir()
	t.Cleanup(func() { // which go makes read-only
		_ = filepath.WalkDir(modcache, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(p, 0o755)
			}
			return err
		})
	})
	environ := append(os.Environ(), "GOPROXY="+server.URL, "GONOSUMDB=*", "GONOPROXY=none", "GOMODCACHE="+modcache, "GOWORK=off",
		"GOFLAGS=-mod=vendor", "GOOS=plan9") // neither must reach the build
	// As one adds a tool.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(helloMod), 0o644); err != nil {
		t.Fatal(err)
	}
	tidy := exec.CommandContext(t.Context(), "go", "mod", "tidy")
	tidy.Dir, tidy.Env = dir, append(slices.Clone(environ), "GOFLAGS=")
	if out, err := tidy.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := fstest.MapFS{}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files["hello/"+name+".txt"] = &fstest.MapFile{Data: data}
	}
	found, err := all(files)
	if err != nil {
		t.Fatal(err)
	}
	return found[0], environ
}

func TestBuild(t *testing.T) {
	t.Parallel()
	tool, environ := hello(t)
	if tool.Version != "1.2.3" || tool.Takes != 90*time.Second {
		t.Errorf("%+v", tool)
	}
	var mu sync.Mutex
	var told []string
	c := Config{Cache: filepath.Join(t.TempDir(), "cache"), Environ: environ, Tell: func(s string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, s)
	}}
	if path, ok := tool.Cached(c); ok {
		t.Errorf("%s is there", path)
	}
	// Two at a time: one builds.
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			path, err := tool.Build(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			out, err := exec.CommandContext(t.Context(), path, "world").CombinedOutput()
			if err != nil || string(out) != "hello world\n" {
				t.Errorf("%s, %v", out, err)
			}
		})
	}
	both.Wait()
	built := "building hello 1.2.3 from source (once, about 2 min on two cores)"
	if n := len(slices.DeleteFunc(slices.Clone(told), func(s string) bool { return s != built })); n != 1 {
		t.Errorf("told %q", told)
	}
	// A third time nothing is built, and nothing but the binary is left.
	c.Environ = []string{"PATH=" + t.TempDir()}
	path, err := tool.Build(t.Context(), c)
	if cached, ok := tool.Cached(c); err != nil || !ok || cached != path {
		t.Errorf("%s, %v", path, err)
	}
	entries, err := os.ReadDir(c.Cache)
	if err != nil || len(entries) != 2 || entries[0].Name() != filepath.Base(filepath.Dir(path)) || entries[1].Name() != "hello.lock" {
		t.Errorf("in the cache: %v, %v", entries, err)
	}
	// Another go.sum is another tool.
	other := tool
	other.files = slices.Clone(tool.files)
	other.files[1].data = append(slices.Clone(tool.files[1].data), '\n')
	if _, ok := other.Cached(c); ok {
		t.Error("another go.sum, the same tool")
	}
}

// A tool may say which version it is, and where its binary belongs.
func TestPlace(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"hello/go.sum.txt": {}, "hello/go.mod.txt": {Data: []byte(
		"// whittle:version 2.0.0\n// whittle:binary example.com/{version}/{os}_{arch}/hello_v{version}_x5\n" + helloMod)}}
	found, err := all(files)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Cache: t.TempDir()}
	dir, err := found[0].Dir(c)
	if err != nil || filepath.Dir(dir) != c.Cache || !strings.HasPrefix(filepath.Base(dir), "hello-2.0.0-") {
		t.Errorf("%s, %v", dir, err)
	}
	want := filepath.Join(dir, "example.com", "2.0.0", runtime.GOOS+"_"+runtime.GOARCH, "hello_v2.0.0_x5")
	if binary, ok := found[0].Cached(c); ok || strings.TrimSuffix(binary, ".exe") != want {
		t.Errorf("%s, want %s", binary, want)
	}
}

func TestRemind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		stop := remind(func(s string) { told = append(told, s) }, "hello")
		time.Sleep(65 * time.Second)
		stop()
		time.Sleep(time.Hour)
		want := []string{"still building hello, for 30s now", "still building hello, for 1m0s now"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBuildErrors(t *testing.T) {
	t.Parallel()
	tool, environ := hello(t)
	hints := func(err error) string {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		return strings.Join(e.Hints(), "\n")
	}
	c := Config{Cache: t.TempDir(), Environ: []string{"PATH=" + t.TempDir()}}
	if _, err := tool.Build(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no go on PATH") || !strings.Contains(hints(err), "go.dev/dl") {
		t.Errorf("no go: %v, %q", err, hints(err))
	}
	c.Environ = append(environ, "GOPROXY=off", "GOMODCACHE="+t.TempDir())
	if _, err := tool.Build(t.Context(), c); err == nil || !strings.Contains(err.Error(), "build hello 1.2.3: go build ended with exit code 1") ||
		!strings.Contains(err.Error(), "GOPROXY=off") || !strings.Contains(hints(err), "module proxy") {
		t.Errorf("no network: %v, %q", err, hints(err))
	}
	// What does not have the pinned bytes is not built.
	forged := tool
	forged.files = slices.Clone(tool.files)
	forged.files[1].data = []byte(strings.ReplaceAll(string(tool.files[1].data), "h1:", "h1:AA"))
	c.Environ = environ
	if _, err := forged.Build(t.Context(), c); err == nil || !strings.Contains(err.Error(), "go.sum") {
		t.Errorf("other bytes: %v", err)
	}
	// Who waits for another process can be stopped.
	unlock, err := tool.lock(t.Context(), c.Cache, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	c.Tell = func(s string) {
		if !strings.Contains(s, "waiting for another process") {
			t.Errorf("told %q", s)
		}
		cancel()
	}
	if _, err := tool.Build(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Cache, "part-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
