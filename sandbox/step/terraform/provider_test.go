package terraform

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/tools"
)

// modules writes root modules, one file each, and gives their folders.
func modules(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	dir := modules(t, map[string]string{
		"main.tf": `terraform {
		  required_providers {
		    google = { source = "hashicorp/google", version = "~> 4.9" }
		  }
		}
		module "a" { source = "./a" }
		module "away" { source = "hashicorp/consul/aws" }`,
		"a/main.tf": `module "b" { source = "../b" }
		module "root" { source = "../" }
		terraform {
		  required_providers { google = ">= 4" }
		}`,
		"b/main.tf":    `resource "random_id" "x" { byte_length = 4 }`,
		"b/broken.tf":  `resource "google_`,
		"apart/any.tf": `resource "aws_sqs_queue" "q" {}`,
	})
	want := map[string][]string{"hashicorp/google": {"~> 4.9", ">= 4"}, "hashicorp/random": nil}
	if diff := cmp.Diff(want, requirements([]string{dir, filepath.Join(dir, "gone")})); diff != "" {
		t.Error(diff)
	}
}

func TestBuiltProviders(t *testing.T) {
	t.Parallel()
	needs := func(version string) []string {
		return []string{modules(t, map[string]string{"main.tf": "terraform {\nrequired_providers {\ngoogle = { source = \"hashicorp/google\", version = \"" + version + "\" }\n}\n}"})}
	}
	held := []Mirror{{Dir: "/m", Providers: []string{"registry.terraform.io/hashicorp/google"}}}
	tofus := []Mirror{{Dir: "/m", Providers: []string{"registry.opentofu.org/hashicorp/google"}}}
	other := []Mirror{{Dir: "/m", Providers: []string{"registry.terraform.io/hashicorp/aws"}}}
	absent := errors.New("no such host")
	for name, test := range map[string]struct {
		mirrors []Mirror
		modules []string
		listed  error
		build   error
		want    []Mirror
		err     bool
	}{
		"nowhere else":     {mirrors: other, modules: needs("~> 4.9"), listed: absent, want: []Mirror{{Dir: "/built", Providers: []string{"registry.terraform.io/hashicorp/google"}}}},
		"in a mirror":      {mirrors: held, modules: needs("~> 4.9"), listed: absent},
		"in one for tofu":  {mirrors: tofus, modules: needs("~> 4.9"), listed: absent},
		"in the registry":  {modules: needs("~> 4.9")},
		"another version":  {modules: needs(">= 5"), listed: absent},
		"not a constraint": {modules: needs("new"), listed: absent},
		"not required":     {modules: []string{modules(t, map[string]string{"main.tf": `resource "aws_sqs_queue" "q" {}`})}, listed: absent},
		"cannot be built":  {modules: needs("4.9.0"), listed: absent, build: errors.New("no go"), err: true},
		"no root module":   {listed: absent},
		"required unsourced": {modules: []string{modules(t, map[string]string{"main.tf": `provider "google" {}`})}, listed: absent,
			want: []Mirror{{Dir: "/built", Providers: []string{"registry.terraform.io/hashicorp/google"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := ""
			got, err := builtProviders(t.Context(), test.mirrors, test.modules, supply{
				listed: func(_ context.Context, name string) error {
					if name != "hashicorp/google" {
						t.Errorf("asked for %s", name)
					}
					return test.listed
				},
				build: func(_ context.Context, tool tools.Tool) (string, error) {
					if tool.Name != "terraform-provider-google" {
						t.Errorf("built %s", tool.Name)
					}
					return "/built", test.build
				},
				tell: func(s string) { told += s },
			})
			if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.err {
				t.Errorf("%v %s", err, diff)
			}
			if test.want != nil && !strings.Contains(told, "no such host") {
				t.Errorf("told %q", told)
			}
		})
	}
}

func TestAskRegistry(t *testing.T) {
	t.Parallel()
	here := `{"versions":[{"version":"3.0.0","platforms":[]},{"version":"4.9.0","platforms":[{"os":"` + runtime.GOOS + `","arch":"` + runtime.GOARCH + `"}]}]}`
	for name, test := range map[string]struct {
		status int
		body   string
		want   string // what the error says; empty for none
	}{
		"here":             {200, here, ""},
		"another platform": {200, `{"versions":[{"version":"4.9.0","platforms":[{"os":"plan9","arch":"mips"}]}]}`, "no version for"},
		"none":             {404, `{"errors":["Not Found"]}`, "404"},
		"a login page":     {200, "<html>", "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				if _, err := w.Write([]byte(test.body)); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			err := ask(t.Context(), server.Client(), server.URL)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
