// Package survey looks through a tree of infrastructure code for what a lifecycle can
// be made of: root modules of Terraform with their providers and backends, templates
// of Packer, targets of Makefiles and scripts that push images. Package
// draft, below, writes a whittle.yaml of that.
//
// It runs nothing and changes nothing.
package survey

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is what a tree holds. Paths are relative to it, with slashes.
type Tree struct {
	// Roots are the Terraform folders that no other one calls, in the order in which
	// they are best applied: a local state comes before a remote one, whose bucket
	// somebody has to make first.
	Roots []Module
	// Called are those that others call, and those below a folder called modules or
	// wrappers that no one calls and that have no provider or backend of their own.
	Called    []Module
	Templates []Template
	Targets   []Target
	Scripts   []Script
}

// Module is a folder of Terraform code.
type Module struct {
	Dir string // "." for the tree itself
	// Clouds are those of its providers and its resources, and of the modules below
	// the tree that it calls: "aws", "gcp", "azure", in order.
	Clouds []string
	// Providers are the names of its providers, in order.
	Providers []string
	// Backend is where its state is kept: "s3", "gcs", "azurerm", "cloud" (HCP
	// Terraform), "local", or empty if it says nothing.
	Backend string
	// Variables are those that have no default and that no file gives which Terraform
	// reads by itself.
	Variables []Variable
	// VarFiles are the *.tfvars that Terraform does not read by itself.
	VarFiles []string

	calls []string // folders of the tree
	bound bool     // it has a provider or a backend block
	given []string // variables that a file gives
}

// Variable is one that has to be given.
type Variable struct {
	Name   string
	Type   string // "string", "number", "bool", "list", "map", …; empty if it says none
	Secret bool   // marked as sensitive
	File   string
	Line   int
}

// Template is one of Packer's.
type Template struct {
	Path      string // a file, or the folder of several
	Clouds    []string
	Sources   []string // the types of its sources: "amazon-ebs"
	Variables []Variable
}

// Target is a target of a Makefile that has to do with a cloud.
type Target struct {
	Name, File string
	Line       int
	Does       Doing
}

// Script is a shell script that pushes images.
type Script struct {
	Path string
	Line int
	Does Doing
}

// Doing is what a recipe or a script does, as far as its words show.
type Doing struct {
	// Pushes is the program that pushes images: "docker", "crane"; empty if none
	// does.
	Pushes string
	// Tool is "terraform" or "packer" where it runs one.
	Tool string
	// Clouds are those whose command lines it calls.
	Clouds []string
	// Calls are those command lines' programs: "aws", "gcloud", "kubectl".
	Calls []string
}

// skipped are folders that hold nothing of a user's own.
var skipped = []string{"node_modules", "vendor", "testdata"}

// What is looked at is bounded: so many files, and so many bytes of one.
const (
	mostFiles = 20000
	mostBytes = 4 << 20
)

// errBig: a file is too big to be code that somebody wrote.
var errBig = fmt.Errorf("it is larger than %d MiB", mostBytes>>20)

// Look looks through the tree below dir. A file of Terraform or Packer that cannot
// be read is a [lifecycle.Error] with its file and line.
func Look(dir string) (Tree, error) {
	folders := make(map[string][]string) // their files
	files := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != dir && (strings.HasPrefix(name, ".") || slices.Contains(skipped, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() { // a link may lead out of the tree, or round
			return nil
		}
		if files++; files > mostFiles {
			return fmt.Errorf("%s holds more than %d files: name the folder of the infrastructure code", dir, mostFiles)
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		folders[path.Dir(rel)] = append(folders[path.Dir(rel)], rel)
		return nil
	})
	if err != nil {
		return Tree{}, fmt.Errorf("look through %s: %w", dir, err)
	}
	return sorted(dir, folders)
}

// sorted reads the files of each folder.
func sorted(dir string, folders map[string][]string) (Tree, error) {
	var t Tree
	modules := make(map[string]*Module)
	for _, folder := range order(folders) {
		var code, packer, vars []string
		for _, f := range folders[folder] {
			switch kindOf(f) {
			case kindTerraform:
				code = append(code, f)
			case kindPacker:
				packer = append(packer, f)
			case kindVariables:
				vars = append(vars, f)
			case kindMakefile:
				found, err := targets(dir, f)
				if err != nil {
					return Tree{}, err
				}
				t.Targets = append(t.Targets, found...)
			case kindScript:
				found, err := script(dir, f)
				if err != nil {
					return Tree{}, err
				}
				t.Scripts = append(t.Scripts, found...)
			}
		}
		if len(code) > 0 {
			m, err := readModule(dir, folder, code, vars)
			if err != nil {
				return Tree{}, err
			}
			if m != nil {
				modules[folder] = m
			}
		}
		if len(packer) > 0 {
			found, err := readTemplates(dir, folder, packer)
			if err != nil {
				return Tree{}, err
			}
			t.Templates = append(t.Templates, found...)
		}
	}
	t.divide(modules)
	return t, nil
}

// library are what folders are called whose modules are for others to call.
// Registries want the first (Terraform, "Standard module structure"); the modules of
// terraform-aws-modules have the second, for Terragrunt.
var library = []string{"modules", "wrappers"}

// divide tells roots from modules that are called.
func (t *Tree) divide(modules map[string]*Module) {
	called := make(map[string]bool)
	for _, m := range modules {
		for _, c := range m.calls {
			called[c] = true
		}
	}
	for _, folder := range order(modules) {
		m := *modules[folder]
		m.Clouds = cloudsOf(modules, folder, map[string]bool{})
		if called[folder] || !m.bound && slices.ContainsFunc(strings.Split(folder, "/"), func(name string) bool { return slices.Contains(library, name) }) {
			t.Called = append(t.Called, m)
			continue
		}
		t.Roots = append(t.Roots, m)
	}
	slices.SortStableFunc(t.Roots, func(a, b Module) int {
		remote := func(m Module) int {
			if m.Remote() {
				return 1
			}
			return 0
		}
		return cmp.Compare(remote(a), remote(b))
	})
}

// Remote tells whether the module's state is kept somewhere that must be there.
func (m Module) Remote() bool { return m.Backend != "" && m.Backend != "local" }

// cloudsOf is a module's clouds with those of what it calls.
func cloudsOf(modules map[string]*Module, folder string, seen map[string]bool) []string {
	m := modules[folder]
	if m == nil || seen[folder] {
		return nil
	}
	seen[folder] = true
	clouds := slices.Clone(m.Clouds)
	for _, c := range m.calls {
		clouds = append(clouds, cloudsOf(modules, c, seen)...)
	}
	return unique(clouds)
}

func unique(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func order[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Clouds are those of everything that was found, in order.
func (t Tree) Clouds() []string {
	var all []string
	for _, m := range t.Roots {
		all = append(all, m.Clouds...)
	}
	for _, p := range t.Templates {
		all = append(all, p.Clouds...)
	}
	return unique(all)
}

// Empty tells whether there is nothing to make a lifecycle of.
func (t Tree) Empty() bool { return len(t.Roots)+len(t.Templates) == 0 }

type kind int

const (
	kindOther kind = iota
	kindTerraform
	kindPacker
	kindVariables
	kindMakefile
	kindScript
)

func kindOf(file string) kind {
	name := path.Base(file)
	has := func(endings ...string) bool {
		return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) && name != e })
	}
	switch {
	case has(".pkr.hcl", ".pkr.json"):
		return kindPacker
	case has(".tf", ".tf.json", ".tofu", ".tofu.json"):
		return kindTerraform
	case has(".tfvars", ".tfvars.json"):
		return kindVariables
	case slices.Contains([]string{"Makefile", "makefile", "GNUmakefile"}, name), has(".mk"):
		return kindMakefile
	case has(".sh", ".bash"):
		return kindScript
	}
	return kindOther
}

// content reads a file of the tree; one that is too big to be code is [errBig].
func content(dir, file string) ([]byte, error) {
	full := filepath.Join(dir, filepath.FromSlash(file))
	info, err := os.Stat(full)
	if err != nil {
		return nil, err
	}
	if info.Size() > mostBytes {
		return nil, errBig
	}
	return os.ReadFile(full)
}
