package terraform

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// tree makes empty files, and folders of the names that end in a slash.
func tree(t *testing.T, dir string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if strings.HasSuffix(p, "/") {
			p += "file"
		}
		write(t, filepath.Join(dir, p), "")
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir,
		"registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64/",
		"registry.terraform.io/hashicorp/google/terraform-provider-google_6.0.0_linux_amd64.zip",
		"registry.terraform.io/hashicorp/random/3.6.0/darwin_arm64/",                           // another platform
		"registry.terraform.io/hashicorp/null/terraform-provider-null_3.2.0_windows_amd64.zip", // another platform
		"registry.terraform.io/hashicorp/tls/latest/linux_amd64/",                              // not a version
		"registry.terraform.io/hashicorp/dns/terraform-provider-aws_5.0.0_linux_amd64.zip",     // another type
		"registry.terraform.io/hashicorp/index.json",                                           // a file
		"example.com:8443/team/thing/1.0.0-beta.1/linux_amd64/",                                //
		"lib/hashicorp/aws/5.100.0/linux_amd64/",                                               // not a host
		"Some.Thing/hashicorp/aws/5.100.0/linux_amd64/",                                        // not a host
		"registry.terraform.io/hash.corp/aws/5.100.0/linux_amd64/",                             // not a namespace
		"registry.terraform.io/hashicorp/archive/2.0.0/linux_amd64",                            // a file
		"registry.terraform.io/hashicorp/both/1.0.0/linux_amd64/", "registry.terraform.io/hashicorp/both/2.0.0/linux_amd64/",
	)
	want := []string{"example.com:8443/team/thing", "registry.terraform.io/hashicorp/aws", "registry.terraform.io/hashicorp/both", "registry.terraform.io/hashicorp/google"}
	if diff := cmp.Diff(want, scan(dir, "linux_amd64")); diff != "" {
		t.Error(diff)
	}
	if got := scan(filepath.Join(dir, "none"), "linux_amd64"); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestMirrorDirs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, goos string
		env        map[string]string
		want       []string
	}{
		{"plain", "linux", map[string]string{"HOME": "/h"}, []string{"/m/terraform.d/plugins", "/h/.terraform.d/plugins",
			"/h/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"}},
		{"said", "linux", map[string]string{"HOME": "/h", "TF_PLUGIN_DIR": "/p", "XDG_DATA_HOME": "/x", "XDG_DATA_DIRS": "/a:/b"},
			[]string{"/p", "/m/terraform.d/plugins", "/h/.terraform.d/plugins", "/x/terraform/plugins", "/a/terraform/plugins", "/b/terraform/plugins"}},
		{"mac", "darwin", map[string]string{"HOME": "/h"}, []string{"/m/terraform.d/plugins", "/h/.terraform.d/plugins",
			"/h/Library/Application Support/io.terraform/plugins", "/Library/Application Support/io.terraform/plugins"}},
		{"homeless", "linux", map[string]string{"XDG_DATA_DIRS": "/a"}, []string{"/m/terraform.d/plugins", "/a/terraform/plugins"}},
	} {
		if diff := cmp.Diff(test.want, mirrorDirs(test.env, test.goos, []string{"/m"})); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestMirrors(t *testing.T) {
	t.Parallel()
	platform := runtime.GOOS + "_" + runtime.GOARCH
	named, plugins, home, module := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	tree(t, named, "registry.terraform.io/a/named/1.0.0/"+platform+"/")
	tree(t, plugins, "registry.terraform.io/a/plugin/1.0.0/"+platform+"/")
	tree(t, home, ".terraform.d/plugins/registry.terraform.io/a/home/1.0.0/"+platform+"/")
	tree(t, module, "terraform.d/plugins/registry.terraform.io/a/module/1.0.0/"+platform+"/")
	got, err := Mirrors(lifecycle.Tool{ProviderMirror: named}, []string{"HOME=" + home, "TF_PLUGIN_DIR=" + plugins, "XDG_DATA_DIRS=" + named}, module, module)
	if err != nil {
		t.Fatal(err)
	}
	// The machine may have mirrors of its own below /opt: they come last.
	want := []Mirror{
		{named, []string{"registry.terraform.io/a/named"}},
		{plugins, []string{"registry.terraform.io/a/plugin"}},
		{filepath.Join(module, "terraform.d/plugins"), []string{"registry.terraform.io/a/module"}},
		{filepath.Join(home, ".terraform.d/plugins"), []string{"registry.terraform.io/a/home"}},
	}
	if len(got) < len(want) || !cmp.Equal(want, got[:len(want)]) {
		t.Errorf("want %v, got %v", want, got)
	}
	for _, m := range got[len(want):] {
		if filepath.Dir(m.Dir) != "/opt" {
			t.Errorf("found %s", m.Dir)
		}
	}
	if _, err := Mirrors(lifecycle.Tool{ProviderMirror: t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "holds no provider for "+platform) {
		t.Errorf("an empty mirror: %v", err)
	}
}

func TestCLIConfig(t *testing.T) {
	t.Parallel()
	got := CLIConfig([]Mirror{{"/m 1", []string{"h.io/a/b", "h.io/a/c"}}, {`/m"2`, []string{"h.io/a/b"}}}, "/cache")
	want := `# Written by whittle for one run; the user's own CLI configuration is not used.
disable_checkpoint = true
plugin_cache_dir   = "/cache"

provider_installation {
  filesystem_mirror {
    path    = "/m 1"
    include = ["h.io/a/b", "h.io/a/c"]
  }
  filesystem_mirror {
    path    = "/m\"2"
    include = ["h.io/a/b"]
  }
  direct {
    exclude = ["h.io/a/b", "h.io/a/c"]
  }
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := CLIConfig(nil, "/cache"); !strings.Contains(got, "  direct {}\n") {
		t.Error(got)
	}
}

// Terraform takes a provider from a mirror without asking any registry, and
// the registry is asked for the others: the proxy that nobody listens on makes
// a question to it an error.
func TestRealMirror(t *testing.T) {
	t.Parallel()
	c := realConfig(t, lifecycle.Terraform{Command: "plan"}, `
terraform {
  required_providers {
    here = { source = "example.com/team/here" }
  }
}
`)
	mirror, cache := t.TempDir(), t.TempDir()
	program := filepath.Join(mirror, "example.com/team/here/1.2.3", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-here_v1.2.3")
	write(t, program, "#!/bin/sh\nexit 1\n")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := Mirrors(lifecycle.Tool{ProviderMirror: mirror}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rc := filepath.Join(t.TempDir(), "terraform.rc")
	write(t, rc, CLIConfig(found, cache))
	c.Env["TF_CLI_CONFIG_FILE"] = rc
	c.Env["HTTPS_PROXY"] = "http://127.0.0.1:9"
	inv, err := build(c)
	if err != nil {
		t.Fatal(err)
	}
	ui := newReader(nil)
	if err := inv.init(t.Context(), ui); err != nil {
		t.Fatalf("%v\n%s", err, ui.output)
	}
	link := filepath.Join(c.Dir, ".terraform/providers/example.com/team/here/1.2.3", runtime.GOOS+"_"+runtime.GOARCH)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the provider was copied: %v, %v", info, err)
	}
	tf, err := inv.instance()
	if err != nil {
		t.Fatal(err)
	}
	_, providers, err := tf.Version(t.Context(), false)
	if err != nil || providers["example.com/team/here"].String() != "1.2.3" {
		t.Errorf("%v, %v", providers, err)
	}

	write(t, filepath.Join(c.Dir, "main.tf"), `
terraform {
  required_providers {
    gone = { source = "example.org/team/gone" }
  }
}
`)
	ui = newReader(nil)
	if err := inv.init(t.Context(), ui); err == nil || len(ui.errors) == 0 {
		t.Errorf("%v, %v", err, ui.errors)
	}
	if !slices.ContainsFunc(ui.errors, func(d Diagnostic) bool { return strings.Contains(d.Detail, "example.org") }) {
		t.Errorf("the registry was not asked: %v", ui.errors)
	}
}

func TestTofuView(t *testing.T) {
	t.Parallel()
	one, two, dir := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "view")
	platform := runtime.GOOS + "_" + runtime.GOARCH
	tree(t, one, "registry.terraform.io/hashicorp/aws/5.100.0/"+platform+"/", "registry.terraform.io/hashicorp/tls/1.0.0/"+platform+"/",
		"example.com/team/thing/1.0.0/"+platform+"/")
	tree(t, two, "registry.terraform.io/hashicorp/aws/4.0.0/"+platform+"/", "registry.opentofu.org/hashicorp/tls/2.0.0/"+platform+"/",
		"registry.terraform.io/hashicorp/google/terraform-provider-google_6.0.0_"+platform+".zip")
	mirrors := []Mirror{{one, scan(one, platform)}, {two, scan(two, platform)}}
	for range 2 { // a run that is resumed makes it again
		view, err := TofuView(mirrors, dir)
		want := Mirror{Dir: dir, Providers: []string{"registry.opentofu.org/hashicorp/aws", "registry.opentofu.org/hashicorp/google"}}
		if diff := cmp.Diff(want, view); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
		if diff := cmp.Diff(want.Providers, scan(dir, platform)); diff != "" {
			t.Errorf("what is there: %s", diff)
		}
	}
	target, err := os.Readlink(filepath.Join(dir, "registry.opentofu.org/hashicorp/aws/5.100.0", platform))
	if err != nil || target != filepath.Join(one, "registry.terraform.io/hashicorp/aws/5.100.0", platform) {
		t.Errorf("%s, %v", target, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "registry.opentofu.org/hashicorp/aws/4.0.0")); err == nil {
		t.Error("the second mirror's package is mixed with the first's")
	}
	if view, err := TofuView(nil, filepath.Join(dir, "none")); err != nil || view.Providers != nil {
		t.Errorf("%+v, %v", view, err)
	}
}
