package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// Mirror is a folder laid out as a Terraform filesystem mirror, with the
// providers that it holds for this platform.
type Mirror struct {
	Dir       string
	Providers []string // "registry.terraform.io/hashicorp/aws", in order
}

// Mirrors finds the provider mirrors of this machine: t.ProviderMirror, the
// folder that TF_PLUGIN_DIR names, the ones that Terraform itself looks into
// (in each of the root modules given, in the home folder and in the system's
// data folders), and whatever is laid out like a mirror one level below /opt.
// Only t.ProviderMirror must be one.
func Mirrors(t lifecycle.Tool, environ []string, modules ...string) ([]Mirror, error) {
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	var found []Mirror
	seen := map[string]bool{}
	add := func(dir string) bool {
		abs, err := filepath.Abs(dir)
		if err != nil || seen[abs] {
			return err == nil
		}
		providers := scan(abs, runtime.GOOS+"_"+runtime.GOARCH)
		if len(providers) == 0 {
			return false
		}
		seen[abs] = true
		found = append(found, Mirror{Dir: abs, Providers: providers})
		return true
	}
	if t.ProviderMirror != "" && !add(t.ProviderMirror) {
		return nil, fmt.Errorf("provider_mirror %s: holds no provider for %s_%s; a mirror is laid out as host/namespace/type/version/os_arch (`terraform providers mirror` makes one)",
			t.ProviderMirror, runtime.GOOS, runtime.GOARCH)
	}
	for _, dir := range mirrorDirs(env, runtime.GOOS, modules) {
		add(dir)
	}
	below, err := filepath.Glob("/opt/*")
	if err != nil {
		return nil, fmt.Errorf("provider mirrors: %w", err)
	}
	for _, dir := range below {
		add(dir)
	}
	return found, nil
}

// mirrorDirs lists where a mirror may be without being named: TF_PLUGIN_DIR and
// then Terraform's implied local mirror directories
// (https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories).
func mirrorDirs(env map[string]string, goos string, modules []string) []string {
	var dirs []string
	add := func(base string, parts ...string) {
		if base != "" {
			dirs = append(dirs, filepath.Join(append([]string{base}, parts...)...))
		}
	}
	add(env["TF_PLUGIN_DIR"])
	for _, m := range modules {
		add(m, "terraform.d", "plugins")
	}
	home := env["HOME"]
	add(home, ".terraform.d", "plugins")
	if goos == "darwin" {
		add(home, "Library", "Application Support", "io.terraform", "plugins")
		add("/Library/Application Support/io.terraform", "plugins")
		return dirs
	}
	if data := env["XDG_DATA_HOME"]; data != "" {
		add(data, "terraform", "plugins")
	} else {
		add(home, ".local", "share", "terraform", "plugins")
	}
	data := env["XDG_DATA_DIRS"]
	if data == "" {
		data = "/usr/local/share:/usr/share"
	}
	for _, d := range filepath.SplitList(data) {
		add(d, "terraform", "plugins")
	}
	return dirs
}

// The registries that an address without a host stands for.
const (
	terraformRegistry = "registry.terraform.io"
	tofuRegistry      = "registry.opentofu.org"
)

// TofuView makes a mirror in dir, of links, in which OpenTofu finds the
// providers of the given mirrors: hashicorp/aws is registry.opentofu.org's to
// OpenTofu, and mirrors are laid out for registry.terraform.io as a rule. What
// the mirrors themselves hold for OpenTofu is left to them. A lock file that
// holds the hashes of OpenTofu's own packages does not take others: tofu init
// then says so.
func TofuView(mirrors []Mirror, dir string) (Mirror, error) {
	seen := map[string]bool{}
	for _, m := range mirrors {
		for _, p := range m.Providers {
			seen[p] = true
		}
	}
	view := Mirror{Dir: dir}
	for _, m := range mirrors {
		for _, p := range m.Providers {
			name, ok := strings.CutPrefix(p, terraformRegistry+"/")
			theirs := tofuRegistry + "/" + name
			if !ok || seen[theirs] {
				continue
			}
			seen[theirs] = true
			if err := linkPackages(filepath.Join(m.Dir, filepath.FromSlash(p)), filepath.Join(dir, filepath.FromSlash(theirs))); err != nil {
				return Mirror{}, fmt.Errorf("provider mirror for OpenTofu: %w", err)
			}
			view.Providers = append(view.Providers, theirs)
		}
	}
	slices.Sort(view.Providers)
	return view, nil
}

// linkPackages makes links to the packages of one provider: archives, and the
// folders VERSION/PLATFORM. Links further up would not be followed.
func linkPackages(from, to string) error {
	for _, pattern := range []string{"*.zip", filepath.Join("*", "*")} {
		found, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil {
			return err
		}
		for _, target := range found {
			rel, err := filepath.Rel(from, target)
			if err != nil {
				return err
			}
			at := filepath.Join(to, rel)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				return err
			}
			if err := os.Symlink(target, at); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	return nil
}

var (
	hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[0-9]+)?$`)
	label    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$`)
)

// scan lists the providers that dir holds for platform, packed or unpacked. A
// folder that is no mirror, or cannot be read, holds none. It goes into
// folders only while their names fit the layout: what is below /opt can be
// large.
func scan(dir, platform string) []string {
	var found []string
	for _, host := range names(dir, hostname) {
		for _, namespace := range names(filepath.Join(dir, host), label) {
			for _, kind := range names(filepath.Join(dir, host, namespace), label) {
				if holds(filepath.Join(dir, host, namespace, kind), kind, platform) {
					found = append(found, host+"/"+namespace+"/"+kind)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// holds tells whether the folder of one provider has a package for platform:
// terraform-provider-TYPE_VERSION_PLATFORM.zip, or VERSION/PLATFORM/.
func holds(dir, kind, platform string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if v, ok := strings.CutPrefix(e.Name(), "terraform-provider-"+kind+"_"); ok {
			if v, ok = strings.CutSuffix(v, "_"+platform+".zip"); ok && isVersion(v) {
				return true
			}
		}
		if isVersion(e.Name()) {
			if info, err := os.Stat(filepath.Join(dir, e.Name(), platform)); err == nil && info.IsDir() {
				return true
			}
		}
	}
	return false
}

func isVersion(s string) bool {
	_, err := version.NewSemver(s)
	return err == nil && strings.Count(s, ".") >= 2
}

// names lists the folders below dir whose names fit; links are followed.
func names(dir string, fit *regexp.Regexp) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var fits []string
	for _, e := range entries {
		if !fit.MatchString(e.Name()) {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() {
			fits = append(fits, e.Name())
		}
	}
	return fits
}

// CLIConfig is the text of a CLI configuration (for TF_CLI_CONFIG_FILE) that
// takes each provider from the mirrors that have it, and only what no mirror
// has from its registry. Terraform asks every method that includes a provider
// for the versions it has, so the registry must exclude what the mirrors hold,
// or a machine off the network could install nothing. The other side of it: a
// version that no mirror has is not looked for in the registry, as with
// Terraform's own implied mirrors.
//
// cache is a folder into which providers are unpacked once, however many
// working directories there are. The user's own CLI configuration is not read:
// its credentials, credential helpers and plugin cache stay out of the sandbox,
// and so does its provider_installation.
func CLIConfig(mirrors []Mirror, cache string) string {
	var b strings.Builder
	b.WriteString("# Written by whittle for one run; the user's own CLI configuration is not used.\n")
	b.WriteString("disable_checkpoint = true\n")
	fmt.Fprintf(&b, "plugin_cache_dir   = %s\n\nprovider_installation {\n", strconv.Quote(cache))
	var held []string
	for _, m := range mirrors {
		fmt.Fprintf(&b, "  filesystem_mirror {\n    path    = %s\n    include = %s\n  }\n", strconv.Quote(m.Dir), list(m.Providers))
		held = append(held, m.Providers...)
	}
	slices.Sort(held)
	held = slices.Compact(held)
	if len(held) == 0 {
		b.WriteString("  direct {}\n")
	} else {
		fmt.Fprintf(&b, "  direct {\n    exclude = %s\n  }\n", list(held))
	}
	b.WriteString("}\n")
	return b.String()
}

func list(s []string) string {
	quoted := make([]string, len(s))
	for i := range s {
		quoted[i] = strconv.Quote(s[i])
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
