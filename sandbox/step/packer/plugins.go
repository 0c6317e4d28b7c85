package packer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/whittle-iam/whittle/sandbox/proc"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

// Setup is what [Prepare] works on.
type Setup struct {
	Binary Binary
	// Plugins is the folder to fill, of this run alone; Private is one for
	// whatever Packer keeps.
	Plugins, Private string
	// Environ is the operator's environment: it says where plugins are
	// installed, and how the network is reached.
	Environ []string
	// Tell is called with a line for people before something long.
	Tell func(string)
	// Cache is where tools are built; empty means the user's cache folder.
	Cache string
}

// Prepare fills s.Plugins with what the template (a file or folder, absolute)
// needs: the plugins that the operator has installed; else those that whittle
// has built already; else what `packer init` installs; else those that whittle
// can build. It gives the versions of the plugins that the template requires:
// "hashicorp/amazon" → "1.3.4".
//
// Nothing of the template is run, so this is not the sandbox's affair. A
// template that cannot be read is an error here, before anything was changed.
func Prepare(ctx context.Context, s Setup, template string) (map[string]string, error) {
	if err := linkPlugins(installed(s.Environ), s.Plugins); err != nil {
		return nil, fmt.Errorf("packer: installed plugins: %w", err)
	}
	ask := s.required
	if isJSON(template) {
		ask = s.requiredByJSON
	}
	needs, err := ask(ctx, template)
	if err != nil {
		return nil, err
	}
	for _, n := range missing(needs) {
		if err := s.build(ctx, n, true); err != nil {
			return nil, err
		}
	}
	if needs, err = ask(ctx, template); err != nil {
		return nil, err
	}
	var initErr error
	if !isJSON(template) && len(missing(needs)) > 0 {
		s.Tell("packer init: " + strings.Join(sources(missing(needs)), ", "))
		if initErr = s.init(ctx, template); ctx.Err() != nil {
			return nil, fmt.Errorf("packer init: %w", ctx.Err())
		}
		if needs, err = ask(ctx, template); err != nil {
			return nil, err
		}
	}
	for _, n := range missing(needs) {
		if err := s.build(ctx, n, false); err != nil {
			return nil, errors.Join(initErr, err)
		}
	}
	if needs, err = ask(ctx, template); err != nil {
		return nil, err
	}
	if left := missing(needs); len(left) > 0 {
		return nil, &MissingError{Template: template, Plugins: sources(left), Init: initErr}
	}
	versions := map[string]string{}
	for _, n := range needs {
		versions[strings.TrimPrefix(n.source, "github.com/")] = n.version
	}
	return versions, nil
}

// MissingError is a template whose plugins cannot be had.
type MissingError struct {
	Template string
	Plugins  []string
	Init     error // what packer init said; nil if it was of no use
}

func (e *MissingError) Error() string {
	s := fmt.Sprintf("packer: %s needs %s, which is not installed", e.Template, strings.Join(e.Plugins, " and "))
	if e.Init != nil {
		s += ", and could not be: " + e.Init.Error()
	}
	return s
}

// Hints says what to do.
func (e *MissingError) Hints() []string {
	return []string{"install it: packer plugins install SOURCE, or packer init where the network is; whittle looks where Packer does, in PACKER_PLUGIN_PATH too"}
}

// need is one plugin that a template requires.
type need struct {
	source      string // "github.com/hashicorp/amazon"
	constraints string // ">= 1.3, < 2", empty for any
	version     string // of what is installed, empty if nothing fits
}

func missing(needs []need) []need {
	return slices.DeleteFunc(slices.Clone(needs), func(n need) bool { return n.version != "" })
}

func sources(needs []need) []string {
	var s []string
	for _, n := range needs {
		s = append(s, strings.TrimSpace(n.source+" "+n.constraints))
	}
	return s
}

// required asks Packer which plugins a template in HCL2 requires, and which of
// them are in the plugin folder.
func (s Setup) required(ctx context.Context, template string) ([]need, error) {
	res, err := s.packer(ctx, template, "plugins", "required")
	if err != nil {
		return nil, err
	}
	var needs []need
	var wrong []string
	for raw := range strings.Lines(res.Output) {
		switch l := parseLine(strings.TrimSuffix(raw, "\n")); l.kind {
		case lineSaidError:
			wrong = append(wrong, strings.TrimSpace(l.message))
		case lineSaid:
			if n, ok := parseNeed(l.text); ok {
				needs = append(needs, n)
			}
		}
	}
	if res.ExitCode != 0 {
		return nil, fmt.Errorf("packer: template %s: %s", template, strings.Join(wrong, "\n"))
	}
	return needs, nil
}

// needLine is `accessor source "constraints" path path…`.
var needLine = regexp.MustCompile(`^\s*\S+ (\S+/\S+) ("(?:[^"\\]|\\.)*")(.*)$`)

// parseNeed reads one line of `packer plugins required`. Of the paths it looks
// at the last, which is of the newest.
func parseNeed(text string) (need, bool) {
	m := needLine.FindStringSubmatch(text)
	if m == nil {
		return need{}, false
	}
	constraints, err := strconv.Unquote(m[2])
	if err != nil {
		return need{}, false
	}
	return need{source: m[1], constraints: constraints, version: versionOf(path.Base(filepath.ToSlash(m[3])))}, true
}

// versionIn is in the names of plugins: packer-plugin-amazon_v1.3.4_x5.0_linux_amd64.
var versionIn = regexp.MustCompile(`^packer-plugin-[^_]+_v([^_]+)_x`)

func versionOf(name string) string {
	if m := versionIn.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

func (s Setup) init(ctx context.Context, template string) error {
	res, err := s.packer(ctx, template, "init")
	if err != nil || res.ExitCode == 0 {
		return err
	}
	var said []string
	for raw := range strings.Lines(res.Output) {
		if l := parseLine(strings.TrimSuffix(raw, "\n")); l.kind == lineSaidError {
			said = append(said, strings.Join(strings.Fields(l.message), " "))
		}
	}
	return fmt.Errorf("packer init: %s", strings.Join(said, "; "))
}

// packer runs a command of Packer on the template, in the folder that it is in,
// with the operator's way to the network.
func (s Setup) packer(ctx context.Context, template string, args ...string) (proc.Result, error) {
	env := proc.Environment(s.Environ)
	for _, kv := range s.Environ {
		k, v, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(k) {
		case "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "PACKER_GITHUB_API_TOKEN":
			env[k] = v
		}
	}
	for k, v := range own(s.Plugins, s.Private) {
		env[k] = v
	}
	return proc.Run(ctx, proc.Command{Path: s.Binary.Path, Args: append(append(args, "-machine-readable"), template), Dir: filepath.Dir(template), Env: env})
}

// build lays out the plugin that whittle itself can build for n, if there is
// one that fits. With cachedOnly it builds nothing.
func (s Setup) build(ctx context.Context, n need, cachedOnly bool) error {
	name, ok := strings.CutPrefix(n.source, "github.com/hashicorp/")
	if !ok {
		return nil
	}
	t, err := tools.Named("packer-plugin-" + name)
	if err != nil || !fits(t.Version, n.constraints) {
		return nil // there is none
	}
	c := tools.Config{Cache: s.Cache, Tell: s.Tell}
	if _, ok := t.Cached(c); !ok && cachedOnly {
		return nil
	}
	binary, err := t.Build(ctx, c)
	if err != nil {
		return fmt.Errorf("packer: plugin %s: %w", n.source, err)
	}
	return layOut(ctx, binary, n.source, s.Plugins)
}

func fits(v, constraints string) bool {
	if constraints == "" {
		return true
	}
	want, err := version.NewConstraint(constraints)
	if err != nil {
		return false
	}
	have, err := version.NewVersion(v)
	return err == nil && want.Check(have)
}

// layOut puts a plugin where Packer finds it: named by source, version, API and
// platform, beside the checksum without which it is not trusted
// (https://developer.hashicorp.com/packer/docs/configure#packer-s-plugin-directory).
func layOut(ctx context.Context, binary, source, plugins string) error {
	res, err := proc.Run(ctx, proc.Command{Path: binary, Args: []string{"describe"}, Env: proc.Environment(os.Environ())})
	var about struct {
		Version string `json:"version"`
		API     string `json:"api_version"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(res.Output), &about)
	}
	if err != nil {
		return fmt.Errorf("packer: describe %s: %w", binary, err)
	}
	dir := filepath.Join(plugins, filepath.FromSlash(source))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("packer: plugin %s: %w", source, err)
	}
	name := fmt.Sprintf("packer-plugin-%s_v%s_%s_%s_%s%s", path.Base(source), about.Version, about.API, runtime.GOOS, runtime.GOARCH, filepath.Ext(binary))
	sum, err := sumFile(binary)
	if err != nil {
		return fmt.Errorf("packer: plugin %s: %w", source, err)
	}
	if err := link(binary, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("packer: plugin %s: %w", source, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+"_SHA256SUM"), []byte(sum), 0o600); err != nil {
		return fmt.Errorf("packer: plugin %s: %w", source, err)
	}
	return nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// link makes a link to a file; one that is there is left.
func link(target, at string) error {
	if err := os.Symlink(target, at); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// linkPlugins makes links to the plugins in the folder from. A folder that is
// not there has none.
func linkPlugins(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if from == "" {
		return nil
	}
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && p == from:
			return nil
		case err != nil:
			return err
		case d.IsDir() || !strings.HasPrefix(d.Name(), "packer-plugin-"):
			return nil
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(rel)), 0o700); err != nil {
			return err
		}
		return link(p, filepath.Join(to, rel))
	})
}

// installed is where Packer looks for plugins in the operator's environment
// (https://developer.hashicorp.com/packer/docs/configure#packer-s-plugin-directory).
func installed(environ []string) string {
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	home := env["HOME"]
	switch {
	case env["PACKER_PLUGIN_PATH"] != "":
		return env["PACKER_PLUGIN_PATH"]
	case env["PACKER_CONFIG_DIR"] != "":
		return filepath.Join(env["PACKER_CONFIG_DIR"], ".packer.d", "plugins")
	case home == "":
		return ""
	}
	old := filepath.Join(home, ".packer.d")
	if _, err := os.Stat(old); err == nil {
		return filepath.Join(old, "plugins")
	}
	if data := env["XDG_CONFIG_HOME"]; data != "" {
		return filepath.Join(data, "packer", "plugins")
	}
	return filepath.Join(home, ".config", "packer", "plugins")
}

// isJSON tells whether the template is one of the older kind, in JSON, which
// cannot say what it requires.
func isJSON(template string) bool {
	return strings.HasSuffix(template, ".json") && !strings.HasSuffix(template, ".pkr.json")
}

// requiredByJSON finds which of the plugins that whittle can build a template
// of the older kind uses, by the types of its parts: "amazon-ebs" is of the
// plugin amazon. Others are Packer's to find.
func (s Setup) requiredByJSON(_ context.Context, template string) ([]need, error) {
	text, err := os.ReadFile(template)
	if err != nil {
		return nil, fmt.Errorf("packer: template: %w", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("packer: template %s: %w", template, err)
	}
	all, err := tools.All()
	if err != nil {
		return nil, err
	}
	var needs []need
	for _, kind := range types([]any{doc["builders"], doc["provisioners"], doc["post-processors"]}) {
		for _, t := range all {
			name, ok := strings.CutPrefix(t.Name, "packer-plugin-")
			source := "github.com/hashicorp/" + name
			if !ok || kind != name && !strings.HasPrefix(kind, name+"-") || slices.ContainsFunc(needs, func(n need) bool { return n.source == source }) {
				continue
			}
			n := need{source: source}
			found, err := filepath.Glob(filepath.Join(s.Plugins, filepath.FromSlash(source), "packer-plugin-"+name+"_*_"+runtime.GOOS+"_"+runtime.GOARCH+"*"))
			if err != nil {
				return nil, err
			}
			for _, f := range found {
				if !strings.HasSuffix(f, "_SHA256SUM") {
					n.version = versionOf(filepath.Base(f))
				}
			}
			needs = append(needs, n)
		}
	}
	return needs, nil
}

// types lists the types of a JSON template's parts, however they are nested.
func types(v any) []string {
	var found []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			found = append(found, types(e)...)
		}
	case map[string]any:
		if t, ok := v["type"].(string); ok {
			found = append(found, t)
		}
	case string: // a post-processor may be its type alone
		found = append(found, v)
	}
	return found
}
