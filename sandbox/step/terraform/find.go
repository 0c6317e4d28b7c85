package terraform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/fs"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
	"github.com/whittle-iam/whittle/sandbox/tools"
)

// Binary is Terraform or OpenTofu as found on this machine.
type Binary struct {
	Path    string // absolute
	Product string // "terraform" or "tofu"
	Version string // "1.11.4"
}

// Find gives the binary that t asks for: at t.Path where that is set (a name
// without a slash is looked up on PATH), else terraform on PATH, else tofu on
// PATH, the first in each case that fulfils t.Version. tofu is looked for only
// where PATH has no terraform at all: a version that does not fit must not
// change the product. What cannot be found is downloaded from
// releases.hashicorp.com, checked against HashiCorp's signature, and kept in
// the user's cache folder. Where PATH has neither and nothing can be downloaded,
// the way out is the OpenTofu that whittle builds from source, if t.Version
// allows it: tell is called with a line for people, as before anything that
// takes long.
func Find(ctx context.Context, t lifecycle.Tool, tell func(string)) (Binary, error) {
	return find(ctx, t, sources{download, buildTofu}, tell)
}

// sources are where a binary comes from that is not on PATH.
type sources struct {
	// download gets terraform.
	download func(context.Context, version.Constraints) (string, error)
	// tofu gives the OpenTofu that can be built; it is not asked for unless its
	// version fits.
	tofu func(context.Context, version.Constraints, func(string)) (string, error)
}

func find(ctx context.Context, t lifecycle.Tool, from sources, tell func(string)) (Binary, error) {
	var want version.Constraints
	if t.Version != "" {
		var err error
		if want, err = version.NewConstraint(t.Version); err != nil {
			return Binary{}, fmt.Errorf("terraform: version %q is no version constraint (write \"1.11.4\" or \">= 1.9, < 2\"): %w", t.Version, err)
		}
	}
	if t.Path != "" {
		return at(ctx, t.Path, want)
	}
	neither := true
	for _, name := range []string{"terraform", "tofu"} {
		path, err := onPath(ctx, name, want)
		if err == nil {
			return identify(ctx, path)
		}
		if ctx.Err() != nil {
			return Binary{}, fmt.Errorf("find %s: %w", name, ctx.Err())
		}
		if _, err := onPath(ctx, name, nil); err == nil {
			neither = false
			break
		}
	}
	path, err := from.download(ctx, want)
	if err != nil && neither && ctx.Err() == nil {
		tell(fmt.Sprintf("there is no terraform and no tofu on PATH, and terraform cannot be downloaded (%v): looking to OpenTofu from source", err))
		var tofuErr error
		if path, tofuErr = from.tofu(ctx, want, tell); tofuErr == nil {
			return identify(ctx, path)
		}
		err = errors.Join(err, tofuErr)
	}
	if err != nil {
		what := "no terraform and no tofu on PATH"
		if t.Version != "" {
			what = fmt.Sprintf("no terraform and no tofu %s on PATH", t.Version)
		}
		return Binary{}, fmt.Errorf("%s, and terraform could not be downloaded: install one of them, or name it by `terraform: {path: …}`: %w", what, err)
	}
	return identify(ctx, path)
}

// at is the binary that the lifecycle names.
func at(ctx context.Context, path string, want version.Constraints) (Binary, error) {
	if !strings.ContainsRune(path, filepath.Separator) {
		found, err := exec.LookPath(path)
		if err != nil {
			return Binary{}, fmt.Errorf("terraform: path: %w", err)
		}
		path = found
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, fmt.Errorf("terraform: path %s: %w", path, err)
	}
	if _, err := (&fs.AnyVersion{ExactBinPath: abs}).Find(ctx); err != nil {
		return Binary{}, fmt.Errorf("terraform: path %s: not an executable file: %w", path, err)
	}
	b, err := identify(ctx, abs)
	if err != nil {
		return Binary{}, err
	}
	v, err := version.NewVersion(b.Version)
	if err != nil {
		return Binary{}, fmt.Errorf("terraform: version of %s: %w", path, err)
	}
	if want != nil && !want.Check(v) {
		return Binary{}, fmt.Errorf("terraform: %s is version %s, and the lifecycle asks for %s: change path or version", path, v, want)
	}
	return b, nil
}

// onPath is the first binary called name on PATH that fulfils want.
func onPath(ctx context.Context, name string, want version.Constraints) (string, error) {
	p := product.Product{
		Name:       name,
		BinaryName: func() string { return name },
		GetVersion: func(ctx context.Context, path string) (*version.Version, error) {
			b, err := identify(ctx, path)
			if err != nil {
				return nil, err
			}
			return version.NewVersion(b.Version)
		},
	}
	if want == nil {
		return (&fs.AnyVersion{Product: &p}).Find(ctx)
	}
	return (&fs.Version{Product: p, Constraints: want}).Find(ctx)
}

// banner is the first line of `terraform version`.
var banner = regexp.MustCompile(`(?m)^(Terraform|OpenTofu) v(\d+\.\d+\.\d+\S*)`)

// identify asks a binary what it is. hc-install could ask for the version, but
// it hands the operator's whole environment to the binary, lets it look for
// news on the network, and does not know OpenTofu.
func identify(ctx context.Context, path string) (Binary, error) {
	env := proc.Environment(os.Environ())
	env["CHECKPOINT_DISABLE"] = "1"
	res, err := proc.Run(ctx, proc.Command{Path: path, Args: []string{"version"}, Env: env})
	if err != nil {
		return Binary{}, fmt.Errorf("%s version: %w", path, err)
	}
	m := banner.FindStringSubmatch(res.Output)
	if res.ExitCode != 0 || m == nil {
		return Binary{}, fmt.Errorf("%s version: exit code %d, and it does not say that it is Terraform or OpenTofu: %s",
			path, res.ExitCode, firstLine(res.Output))
	}
	b := Binary{Path: path, Product: "terraform", Version: m[2]}
	if m[1] == "OpenTofu" {
		b.Product = "tofu"
	}
	return b, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// buildTofu builds OpenTofu, unless its version is not what is wanted.
func buildTofu(ctx context.Context, want version.Constraints, tell func(string)) (string, error) {
	t, err := tools.Named("tofu")
	if err != nil {
		return "", err
	}
	v, err := version.NewVersion(t.Version)
	if err != nil {
		return "", fmt.Errorf("tofu: %w", err)
	}
	if want != nil && !want.Check(v) {
		return "", fmt.Errorf("OpenTofu %s, which whittle can build, is not %s", v, want)
	}
	path, err := t.Build(ctx, tools.Config{Tell: tell})
	if err == nil {
		tell(fmt.Sprintf("using OpenTofu %s in place of terraform", v))
	}
	return path, err
}

// download gets Terraform itself, or what an earlier run has got.
func download(ctx context.Context, want version.Constraints) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("user's cache folder: %w", err)
	}
	// One folder per wish: the newest of ">= 1.9" today stays what the wish
	// means here until the folder is removed.
	wish := "latest"
	if len(want) > 0 {
		wish = strings.Map(func(r rune) rune {
			if strings.ContainsRune("<>=!~, /", r) {
				return '_'
			}
			return r
		}, want.String())
	}
	dir := filepath.Join(cache, "whittle", "terraform-"+wish)
	kept := filepath.Join(dir, product.Terraform.BinaryName())
	if _, err := (&fs.AnyVersion{ExactBinPath: kept}).Find(ctx); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	// Unpacked beside its place and moved there, so that an interrupted
	// download is never taken for a binary.
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	// A plain client: hc-install's own repeats for long where there is no
	// network.
	latest := releases.LatestVersion{Product: product.Terraform, Constraints: want, InstallDir: part, HTTPClient: &http.Client{}}
	if _, err := latest.Install(ctx); err != nil {
		return "", err
	}
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return kept, nil
}
