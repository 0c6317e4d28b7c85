package packer

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const proxied = `  ssh_proxy_host     = var.whittle_ssh_proxy_host
  ssh_proxy_port     = var.whittle_ssh_proxy_port
  ssh_proxy_username = var.whittle_ssh_proxy_username
  ssh_proxy_password = var.whittle_ssh_proxy_password
`

func TestLeadThroughProxy(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a source": {
			"# A comment.\nsource \"googlecompute\" \"a\" {\n  zone = \"x\" # why\n}\nbuild {\n  sources = [\"source.googlecompute.a\"]\n}\n",
			"# A comment.\nsource \"googlecompute\" \"a\" {\n  zone               = \"x\" # why\n" + proxied + "}\nbuild {\n  sources = [\"source.googlecompute.a\"]\n}\n" + proxyVariables,
		},
		"of another type":         {text: "source \"amazon-ebs\" \"a\" {\n}\n"},
		"with a proxy of its own": {text: "source \"googlecompute\" \"a\" {\n  ssh_proxy_host = \"p\"\n}\n"},
		"with a bastion":          {text: "source \"googlecompute\" \"a\" {\n  ssh_bastion_host = var.b\n}\n"},
		"with a tunnel": {
			"source \"googlecompute\" \"a\" {\n  use_iap = var.iap || true\n}\n",
			"source \"googlecompute\" \"a\" {\n  use_iap            = var.iap || true\n" +
				strings.Replace(proxied, "= var.whittle_ssh_proxy_host", "= (var.iap || true) ? \"\" : var.whittle_ssh_proxy_host", 1) + "}\n" + proxyVariables,
		},
		"that cannot be read": {text: "source \"googlecompute\" {{\n"},
	} {
		file := filepath.Join(t.TempDir(), "a.pkr.hcl")
		if err := os.WriteFile(file, []byte(tt.text), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := LeadThroughProxy(file, "googlecompute"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := tt.want
		if want == "" {
			want = tt.text
		}
		if diff := cmp.Diff(fields(want), fields(string(got))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// fields leaves out how a text is laid out, which hclwrite changes.
func fields(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// In a folder, the variables are declared once; a file that is elsewhere as well
// is changed here alone; a link is not followed.
func TestLeadFolderThroughProxy(t *testing.T) {
	dir, away := t.TempDir(), t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	source := func(name string) string { return "source \"googlecompute\" \"" + name + "\" {\n}\n" }
	write(filepath.Join(dir, "a.pkr.hcl"), source("a"))
	write(filepath.Join(dir, "other.txt"), source("c"))
	kept := write(filepath.Join(away, "b"), source("b"))
	if err := os.Link(kept, filepath.Join(dir, "b.pkr.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := LeadThroughProxy(dir, "googlecompute"); err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, name := range []string{"a.pkr.hcl", "b.pkr.hcl", "other.txt"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	if strings.Count(all, "variable \"whittle_ssh_proxy_host\"") != 1 || strings.Count(all, "ssh_proxy_password =") != 2 {
		t.Errorf("the folder has\n%s", all)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != source("b") {
		t.Errorf("the file elsewhere is now %q, %v", text, err)
	}
	if err := os.Symlink(kept, filepath.Join(dir, "link.pkr.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := LeadThroughProxy(filepath.Join(dir, "link.pkr.hcl"), "googlecompute"); err == nil {
		t.Error("a link was changed")
	}
}

func TestProxyEnv(t *testing.T) {
	want := map[string]string{
		"PKR_VAR_whittle_ssh_proxy_host": "127.0.0.1", "PKR_VAR_whittle_ssh_proxy_port": "1080",
		"PKR_VAR_whittle_ssh_proxy_username": "u", "PKR_VAR_whittle_ssh_proxy_password": "p",
	}
	if diff := cmp.Diff(want, ProxyEnv(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1080}, "u", "p")); diff != "" {
		t.Error(diff)
	}
}
