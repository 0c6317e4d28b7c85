package attempt

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// checkModule finds what a terraform step needs from outside the lifecycle's
// folder, of which alone the sandbox gets a copy: its root module, local
// modules, and var files. Without it Terraform would say that a folder is
// missing which the user has before his eyes.
func checkModule(root string, t lifecycle.Terraform) error {
	if filepath.IsAbs(t.Dir) {
		return fmt.Errorf("terraform: dir %s: must be relative to whittle.yaml", t.Dir)
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(root, t.Dir))
	if err != nil {
		return fmt.Errorf("terraform: dir: %w", err)
	}
	if !inside(root, dir) {
		return fmt.Errorf("terraform: dir %s %w", t.Dir, leads(root, dir))
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("terraform: dir %s is not a folder", t.Dir)
	}
	for _, f := range t.VarFile {
		path := f
		if !filepath.IsAbs(f) {
			if path = filepath.Join(dir, f); !inside(root, path) {
				return fmt.Errorf("terraform: var_file %s %w", f, leads(root, filepath.Dir(path)))
			}
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("terraform: var_file: %w", err)
		}
	}
	return checkSources(root, dir, map[string]bool{})
}

// checkTemplate finds what a packer step needs from outside the lifecycle's
// folder: its template and var files.
func checkTemplate(root string, p lifecycle.Packer) error {
	for _, f := range append([]string{p.Template}, p.VarFile...) {
		path := within(root, f)
		if resolved, err := filepath.EvalSymlinks(path); err != nil {
			return fmt.Errorf("packer: %w", err)
		} else if !filepath.IsAbs(f) && !inside(root, resolved) {
			return fmt.Errorf("packer: %s %w", f, leads(root, filepath.Dir(resolved)))
		}
	}
	return nil
}

// leads is the error of a path that leads out of root, to dir.
func leads(root, dir string) error {
	up := root
	for !inside(up, dir) {
		up = filepath.Dir(up)
	}
	return fmt.Errorf("leads out of %s, the folder of whittle.yaml, and only that is copied into the sandbox: move whittle.yaml up to %s", root, up)
}

// checkSources follows the local modules that the configuration in dir uses.
func checkSources(root, dir string, seen map[string]bool) error {
	if seen[dir] {
		return nil
	}
	seen[dir] = true
	sources, err := localSources(dir)
	if err != nil {
		return err
	}
	for _, s := range sources {
		at, err := filepath.Rel(root, s.file)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(s.source))
		if resolved, err := filepath.EvalSymlinks(target); err == nil {
			target = resolved
		}
		if !inside(root, target) {
			return fmt.Errorf("terraform: %s:%d: module source %q %w", at, s.line, s.source, leads(root, target))
		}
		// A module that is not there is Terraform's to tell.
		if err := checkSources(root, target, seen); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// source is where a local module is used.
type source struct {
	file   string
	line   int // from 1; 0 where it is not known
	source string
}

// moduleSource is a local source as Terraform wants it written: a literal
// string that begins with ./ or ../. Providers and required_providers have
// sources as well, which never begin so.
var moduleSource = regexp.MustCompile(`^\s*(?:module\s+"?[\w-]+"?\s*\{\s*)?source\s*=\s*"(\.\.?(?:/[^"]*)?)"`)

// localSources lists the local modules that the configuration in dir uses.
func localSources(dir string) ([]source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("terraform: module: %w", err)
	}
	var found []source
	for _, e := range entries {
		name := e.Name()
		native := slices.ContainsFunc([]string{".tf", ".tofu"}, func(x string) bool { return strings.HasSuffix(name, x) })
		inJSON := slices.ContainsFunc([]string{".tf.json", ".tofu.json"}, func(x string) bool { return strings.HasSuffix(name, x) })
		if e.IsDir() || !native && !inJSON {
			continue
		}
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("terraform: module: %w", err)
		}
		if inJSON {
			found = append(found, jsonSources(path, text)...)
			continue
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := moduleSource.FindStringSubmatch(line); m != nil {
				found = append(found, source{path, i + 1, m[1]})
			}
		}
	}
	return found, nil
}

// jsonSources lists the local modules of a configuration in JSON. What is no
// such configuration is Terraform's to tell.
func jsonSources(path string, text []byte) []source {
	var doc struct {
		Module map[string]json.RawMessage `json:"module"`
	}
	if json.Unmarshal(text, &doc) != nil {
		return nil
	}
	var found []source
	for _, raw := range doc.Module {
		type module struct {
			Source string `json:"source"`
		}
		// A block may be written as an object or as a list of one.
		var one module
		var many []module
		if json.Unmarshal(raw, &one) == nil {
			many = []module{one}
		} else if json.Unmarshal(raw, &many) != nil {
			continue
		}
		for _, m := range many {
			if strings.HasPrefix(m.Source, "./") || strings.HasPrefix(m.Source, "../") {
				found = append(found, source{path, 0, m.Source})
			}
		}
	}
	return found
}
