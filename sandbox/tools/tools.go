// Package tools builds real tools from source, on demand: each is pinned, with
// all that it is made of, by the go.mod and go.sum of a small Go module that
// whittle carries, and is built by the go on PATH, once a machine, into the
// user's cache folder.
//
// A tool is a folder of this one that holds a module, each file with .txt after
// its name. (A folder that has a go.mod is a module of its own, and go:embed and
// the module proxy would leave it out.) go.mod.txt names the tool's version by
// its requirement, the package to build by its `tool` line, and by comments
// that begin with "// whittle:" what else there is to say:
//
//	// whittle:takes 4m           about how long the build takes on two cores
//	// whittle:module M           whose version is the tool's, if not the package's
//	// whittle:version 4.9.0      the tool's version, if no module's
//	// whittle:binary DIR/NAME    where the binary lies in the tool's folder; {version}, {os} and {arch} stand for what they say
//	// whittle:ldflags -X p.v=x   flags for the linker
//	// whittle:apart              not built with all others, only by name: it takes too long
//
// To add or change one, write go.mod in an empty folder, run `go get -tool
// PACKAGE@VERSION` (or edit it) and `go mod tidy` there, and copy go.mod and
// go.sum. Code of one's own is needed only where a program does not build as it
// is.
//
// It knows nothing of what a tool does, and looks for no other copy of it.
package tools

import (
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

//go:embed */*.txt */*/*.txt
var modules embed.FS

// Tool is one tool that can be built.
type Tool struct {
	Name    string // the folder's name, and the binary's: "packer"
	Version string // "1.15.4"
	Package string // what is built: "github.com/hashicorp/packer"
	// Takes is about how long the build takes on two cores.
	Takes time.Duration
	// Apart tools are built only by name or where a step needs them, not with all
	// others.
	Apart bool

	linker string // flags for the linker
	module string // whose version is the tool's
	place  string // of the binary in the tool's folder, as a pattern; empty for the tool's name
	files  []file // in the order of their names
}

// file is one file of a tool's module.
type file struct {
	name string // relative to the module, with slashes
	data []byte
}

// All gives every tool, in the order of their names.
func All() ([]Tool, error) { return all(modules) }

func all(modules fs.FS) ([]Tool, error) {
	folders, err := fs.ReadDir(modules, ".")
	if err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	var found []Tool
	for _, f := range folders {
		t, err := read(modules, f.Name())
		if err != nil {
			return nil, fmt.Errorf("tools: %s: %w", f.Name(), err)
		}
		found = append(found, t)
	}
	return found, nil
}

// Named gives the tool called name.
func Named(name string) (Tool, error) {
	tools, err := All()
	if err != nil {
		return Tool{}, err
	}
	var names []string
	for _, t := range tools {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Tool{}, fmt.Errorf("tools: no tool is called %q: there are %s", name, strings.Join(names, ", "))
}

func read(modules fs.FS, name string) (Tool, error) {
	t := Tool{Name: name}
	err := fs.WalkDir(modules, name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(modules, p)
		t.files = append(t.files, file{strings.TrimSuffix(strings.TrimPrefix(p, name+"/"), ".txt"), data})
		return err
	})
	if err != nil {
		return t, err
	}
	mod, ok := t.file("go.mod")
	if _, sum := t.file("go.sum"); !ok || !sum {
		return t, errors.New("a tool has a go.mod.txt and a go.sum.txt")
	}
	f, err := modfile.Parse("go.mod.txt", mod, nil)
	if err != nil {
		return t, err
	}
	if len(f.Tool) != 1 {
		return t, fmt.Errorf("go.mod.txt has %d tool lines, want one", len(f.Tool))
	}
	t.Package = f.Tool[0].Path
	if err := t.directives(mod); err != nil {
		return t, err
	}
	if t.Version != "" { // no module's
		return t, nil
	}
	longest := "" // of the modules whose path fits, the one that has the package
	for _, r := range f.Require {
		within := t.Package == r.Mod.Path || strings.HasPrefix(t.Package, r.Mod.Path+"/")
		if r.Mod.Path == t.module || t.module == "" && within && len(r.Mod.Path) > len(longest) {
			longest, t.Version = r.Mod.Path, strings.TrimPrefix(r.Mod.Version, "v")
		}
	}
	if t.Version == "" {
		return t, fmt.Errorf("go.mod.txt requires no module with %s; name it by whittle:module", t.Package)
	}
	return t, nil
}

func (t Tool) file(name string) (data []byte, ok bool) {
	for _, f := range t.files {
		if f.name == name {
			return f.data, true
		}
	}
	return nil, false
}

// directives reads the comments that are for whittle.
func (t *Tool) directives(mod []byte) error {
	for line := range strings.Lines(string(mod)) {
		directive, ok := strings.CutPrefix(strings.TrimSpace(line), "// whittle:")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(directive, " ")
		switch key {
		case "takes":
			var err error
			if t.Takes, err = time.ParseDuration(value); err != nil {
				return fmt.Errorf("whittle:takes: %w", err)
			}
		case "module":
			t.module = value
		case "version":
			t.Version = value
		case "binary":
			if !filepath.IsLocal(filepath.FromSlash(value)) {
				return fmt.Errorf("whittle:binary: %q is no path in the tool's folder", value)
			}
			t.place = value
		case "ldflags":
			t.linker = value
		case "apart":
			t.Apart = true
		default:
			return fmt.Errorf("whittle:%s is not known", key)
		}
	}
	if t.Takes == 0 {
		return errors.New("go.mod.txt does not say what whittle:takes")
	}
	return nil
}

// folder is where the tool lies in the cache. Its name holds all that decides
// what is built but for the Go version, which decides nothing that matters.
func (t Tool) folder() string {
	h := sha256.New()
	for _, f := range append([]file{{"platform", []byte(runtime.GOOS + "/" + runtime.GOARCH)}}, t.files...) {
		fmt.Fprintf(h, "%s\n%d\n%s", f.name, len(f.data), f.data) // a hash's Write gives no error
	}
	return fmt.Sprintf("%s-%s-%x", t.Name, t.Version, h.Sum(nil)[:6])
}
