package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// StepDigests is a digest for each step, by name, over what that step uses, and
// so tells which steps a change concerns. Skip is as for [Digest].
//
// A step uses what it says with "uses". Without that, a Terraform step uses its
// root module's folder, the folders of local modules that it calls and its files
// of variables, but no other *.tfvars and no Packer template; a Packer step uses
// its template and the files and folders that the template names; a command can
// use anything. Where the code reaches out of its folder in a way that its text
// does not settle ("../", path.cwd, a file that cannot be read), the step counts
// as using the lifecycle's whole folder: rather a step too many than one too few.
func StepDigests(l Lifecycle, skip ...string) (map[string]string, error) {
	skipped := make([]string, 0, len(skip)+1)
	for _, s := range append(slices.Clone(skip), l.File) {
		abs, err := filepath.Abs(s)
		if err != nil {
			return nil, fmt.Errorf("digest: %w", err)
		}
		skipped = append(skipped, abs)
	}
	root, err := filepath.Abs(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	digests := map[string]string{}
	for _, s := range l.Steps {
		h := sha256.New()
		step := s
		step.Line, step.Reset = 0, nil
		rules, err := json.Marshal(struct {
			Cloud, Version string
			Step           Step
		}{l.Cloud, l.Terraform.Version, step})
		if err != nil {
			return nil, fmt.Errorf("digest: step %s: %w", s.Name, err)
		}
		add(h, "step", rules)
		for _, u := range usedBy(root, s) {
			at := filepath.Join(root, filepath.FromSlash(u.path))
			err := addTree(h, u.path, at, skipped, u.leaves)
			if errors.Is(err, fs.ErrNotExist) && len(s.Uses) == 0 {
				add(h, "missing "+u.path, nil) // the step itself will say so
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("digest: step %s: %w", s.Name, err)
			}
		}
		digests[s.Name] = "sha256:" + hex.EncodeToString(h.Sum(nil))
	}
	return digests, nil
}

// used is a file or folder, relative to the lifecycle's folder and with slashes.
type used struct {
	path string
	// leaves tells of a path below it (with slashes) that it is not used. It may
	// be nil.
	leaves func(rel string) bool
}

var whole = []used{{path: "."}}

// usedBy lists what a step uses, in order, nothing twice.
func usedBy(root string, s Step) []used {
	var all []used
	ok := true
	switch {
	case len(s.Uses) > 0:
		for _, u := range s.Uses {
			all = append(all, used{path: path.Clean(filepath.ToSlash(u))})
		}
	case s.Terraform != nil:
		all, ok = usedByTerraform(root, *s.Terraform)
	case s.Packer != nil:
		all, ok = usedByPacker(root, *s.Packer)
	default:
		ok = false
	}
	if !ok {
		return whole
	}
	slices.SortFunc(all, func(a, b used) int { return strings.Compare(a.path, b.path) })
	return slices.CompactFunc(all, func(a, b used) bool { return a.path == b.path })
}

func usedByTerraform(root string, t Terraform) ([]used, bool) {
	dir := path.Clean(filepath.ToSlash(t.Dir))
	var all []used
	for _, f := range t.VarFile {
		all = append(all, used{path: filepath.ToSlash(within(t.Dir, f))})
	}
	seen := map[string]bool{}
	for todo := []string{dir}; len(todo) > 0; todo = todo[1:] {
		module := todo[0]
		if seen[module] {
			continue
		}
		seen[module] = true
		calls, ok := moduleCalls(filepath.Join(root, filepath.FromSlash(module)))
		if !ok {
			return nil, false
		}
		for _, c := range calls {
			todo = append(todo, path.Join(module, c))
		}
		all = append(all, used{path: module, leaves: notTerraforms})
	}
	return all, true
}

// notTerraforms tells what lies in a root module's folder and is not read unless
// it is named.
func notTerraforms(rel string) bool {
	base := path.Base(rel)
	switch {
	case strings.HasSuffix(base, ".pkr.hcl"), strings.HasSuffix(base, ".pkr.json"), strings.Contains(base, ".pkrvars."):
		return true
	case base == "terraform.tfvars", base == "terraform.tfvars.json", strings.HasSuffix(base, ".auto.tfvars"), strings.HasSuffix(base, ".auto.tfvars.json"):
		return false
	}
	return strings.HasSuffix(base, ".tfvars") || strings.HasSuffix(base, ".tfvars.json")
}

// moduleCalls lists the local modules that the module in dir calls, as it names
// them. It is not ok if the module reads files outside its folder, or may.
func moduleCalls(dir string) (calls []string, ok bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasSuffix(name, ".tf"), strings.HasSuffix(name, ".tofu"):
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return nil, false
			}
			found, ok := moduleSources(name, data)
			if !ok {
				return nil, false
			}
			calls = append(calls, found...)
		case strings.HasSuffix(name, ".tf.json"), strings.HasSuffix(name, ".tofu.json"):
			return nil, false
		}
	}
	return calls, true
}

// moduleSources lists the local sources of a file's modules. It is not ok if
// another text of the file leads upwards, or if the file is of no use.
func moduleSources(name string, data []byte) (sources []string, ok bool) {
	f, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, false
	}
	known := 0
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		source, there := b.Body.Attributes["source"]
		if b.Type != "module" || !there {
			continue
		}
		v, diags := source.Expr.Value(nil)
		if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
			return nil, false
		}
		if s := v.AsString(); strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") {
			sources = append(sources, s)
			known += strings.Count(s, "..")
		}
	}
	return sources, leadsUp(name, data) == known
}

// leadsUp counts what may lead out of a file's own folder: ".." in its texts, and
// path.cwd.
func leadsUp(name string, data []byte) (n int) {
	tokens, _ := hclsyntax.LexConfig(data, name, hcl.InitialPos)
	for i, t := range tokens {
		switch text := string(t.Bytes); t.Type {
		case hclsyntax.TokenQuotedLit:
			n += strings.Count(text, "..")
		case hclsyntax.TokenIdent:
			if text == "cwd" && i >= 2 && string(tokens[i-2].Bytes) == "path" {
				n++
			}
		}
	}
	return n
}

func usedByPacker(root string, p Packer) ([]used, bool) {
	template := path.Clean(filepath.ToSlash(p.Template))
	all := []used{{path: template}}
	for _, f := range p.VarFile {
		all = append(all, used{path: path.Clean(filepath.ToSlash(f))})
	}
	at := filepath.Join(root, filepath.FromSlash(template))
	info, err := os.Stat(at)
	if err != nil || strings.HasSuffix(template, ".json") {
		return nil, false
	}
	if info.IsDir() {
		files, err := filepath.Glob(filepath.Join(at, "*.pkr.*"))
		for _, f := range files {
			data, rerr := os.ReadFile(f)
			if rerr != nil || !strings.HasSuffix(f, ".hcl") || leadsUp(f, data) > 0 {
				return nil, false
			}
		}
		return all, err == nil
	}
	data, err := os.ReadFile(at)
	if err != nil || leadsUp(template, data) > 0 {
		return nil, false
	}
	tokens, _ := hclsyntax.LexConfig(data, template, hcl.InitialPos)
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenQuotedLit {
			continue
		}
		name := strings.Trim(string(t.Bytes), "/")
		if name == "" || name == "." || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		if strings.ContainsAny(name, "*?[") {
			return nil, false // a pattern of files, maybe
		}
		// Packer runs in the lifecycle's folder; path.root is the template's.
		for _, from := range []string{".", path.Dir(template)} {
			named := path.Join(from, name)
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(named))); err == nil {
				all = append(all, used{path: named})
			}
		}
	}
	return all, true
}
