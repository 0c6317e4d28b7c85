package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-version"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// bin makes a program that says which version it is.
func bin(t *testing.T, dir, name, banner string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	write(t, path, fmt.Sprintf("#!/bin/sh\n[ -z \"$AWS_PROFILE\" ] || exit 9\necho 'a warning'\necho '%s'\necho 'on linux_amd64'\n", banner))
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	old, tofu, both, empty := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	bin(t, old, "terraform", "Terraform v1.5.7")
	bin(t, tofu, "tofu", "OpenTofu v1.9.1")
	bin(t, both, "terraform", "Terraform v1.11.4")
	bin(t, both, "tofu", "OpenTofu v1.9.1")
	other := bin(t, empty, "other", "Terraform v1.12.0-beta1")
	liar := bin(t, empty, "liar", "Packer v1.12.0")
	plain := filepath.Join(empty, "plain")
	write(t, plain, "")
	downloaded := bin(t, filepath.Join(empty, "cache"), "terraform", "Terraform v1.10.0")

	for _, test := range []struct {
		name, path string
		tool       lifecycle.Tool
		want       Binary
		err        string // part of the error; with none, a download is allowed
	}{
		{"terraform first", both, lifecycle.Tool{}, Binary{filepath.Join(both, "terraform"), "terraform", "1.11.4"}, ""},
		{"the first that fits", old + ":" + both, lifecycle.Tool{Version: ">= 1.9, < 2"}, Binary{filepath.Join(both, "terraform"), "terraform", "1.11.4"}, ""},
		{"tofu where there is no terraform", tofu, lifecycle.Tool{}, Binary{filepath.Join(tofu, "tofu"), "tofu", "1.9.1"}, ""},
		{"a version does not change the product", both, lifecycle.Tool{Version: "1.9.1"}, Binary{downloaded, "terraform", "1.10.0"}, ""},
		{"nothing", empty, lifecycle.Tool{}, Binary{downloaded, "terraform", "1.10.0"}, ""},
		{"by path", both, lifecycle.Tool{Path: other}, Binary{other, "terraform", "1.12.0-beta1"}, ""},
		{"by name", both, lifecycle.Tool{Path: "tofu"}, Binary{filepath.Join(both, "tofu"), "tofu", "1.9.1"}, ""},
		{"by path, wrong version", both, lifecycle.Tool{Path: other, Version: "~> 1.11.0"}, Binary{}, "change path or version"},
		{"by path, nothing there", both, lifecycle.Tool{Path: empty + "/none"}, Binary{}, "not an executable file"},
		{"by path, not executable", both, lifecycle.Tool{Path: plain}, Binary{}, "not an executable file"},
		{"by path, something else", both, lifecycle.Tool{Path: liar}, Binary{}, "does not say that it is Terraform"},
		{"by name, unknown", both, lifecycle.Tool{Path: "terrafrom"}, Binary{}, "not found"},
		{"version that is none", both, lifecycle.Tool{Version: "newest"}, Binary{}, "no version constraint"},
		{"off the network", empty, lifecycle.Tool{}, Binary{}, "no terraform and no tofu on PATH"},
		{"off the network, with a version", old, lifecycle.Tool{Version: "1.11.4"}, Binary{}, "no tofu 1.11.4 on PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PATH", test.path+":/usr/bin:/bin")
			t.Setenv("AWS_PROFILE", "prod") // not for the binary to see
			// The machine's own terraform may be in /usr/bin.
			if strings.Contains(test.path, empty) || test.err != "" || test.path == tofu {
				t.Setenv("PATH", test.path)
			}
			got, err := find(t.Context(), test.tool, sources{
				download: func(context.Context, version.Constraints) (string, error) {
					if test.err != "" {
						return "", errors.New("no route to host")
					}
					return downloaded, nil
				},
				tofu: func(context.Context, version.Constraints, func(string)) (string, error) {
					return "", errors.New("no go on PATH")
				},
			}, func(string) {})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("want %q, got %v", test.err, err)
				}
				return
			}
			if err != nil || !cmp.Equal(test.want, got) {
				t.Errorf("want %+v, got %+v, %v", test.want, got, err)
			}
		})
	}
}

func TestFindCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, lifecycle.Tool{Version: "1.11.4"}, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Without any terraform, and off the network, OpenTofu is built, and that is
// said; but not where the product or the version would be another than asked
// for.
func TestFindBuildsTofu(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: builds OpenTofu")
	}
	old := t.TempDir()
	bin(t, old, "terraform", "Terraform v1.5.7")
	from := sources{
		download: func(context.Context, version.Constraints) (string, error) { return "", errors.New("no route to host") },
		tofu:     buildTofu,
	}
	goPath, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	goBin := t.TempDir() // go alone, without a terraform beside it
	if err := os.Symlink(goPath, filepath.Join(goBin, "go")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path, version string
		told                int
		err                 string
	}{
		{"none", goBin, "", 2, ""},
		{"a version that fits", goBin, ">= 1.9, < 2", 2, ""},
		{"another version", goBin, "~> 1.11", 1, "OpenTofu 1.10.6, which whittle can build, is not ~> 1.11"},
		{"a terraform that does not fit", old + ":" + goBin, ">= 1.9, < 2", 0, "no route to host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PATH", test.path)
			var told []string
			b, err := find(t.Context(), lifecycle.Tool{Version: test.version}, from, func(s string) {
				if !strings.HasPrefix(s, "building ") { // only where it is not there yet
					told = append(told, s)
				}
			})
			if len(told) != test.told || test.told > 0 && !strings.Contains(told[0], "cannot be downloaded (no route to host)") {
				t.Errorf("told %q", told)
			}
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v", err)
				}
			} else if err != nil || b.Product != "tofu" || b.Version != "1.10.6" {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}
