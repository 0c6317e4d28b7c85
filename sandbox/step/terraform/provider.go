package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"github.com/whittle-iam/whittle/sandbox/tools"
)

// providerTool is how the tools are called that are providers.
const providerTool = "terraform-provider-"

// BuiltProviders gives mirrors of providers that whittle builds from source:
// those that the root modules (folders) require, or modules in folders that they
// call, and that neither a mirror has nor the product's registry ("terraform" or
// "tofu"). A provider whose version here does not fulfil what is required is not
// built; `terraform init` then says what it misses. tell is called with a line
// for people before anything that takes long.
func BuiltProviders(ctx context.Context, product string, mirrors []Mirror, modules []string, tell func(string)) ([]Mirror, error) {
	return builtProviders(ctx, mirrors, modules, supply{
		listed: func(ctx context.Context, name string) error { return listed(ctx, product, name) },
		build: func(ctx context.Context, t tools.Tool) (string, error) {
			c := tools.Config{Tell: tell}
			if _, err := t.Build(ctx, c); err != nil {
				return "", err
			}
			return t.Dir(c)
		},
		tell: tell,
	})
}

// supply is where a provider comes from that no mirror has.
type supply struct {
	// listed is nil if the registry has a version of the provider
	// ("hashicorp/google") for this platform.
	listed func(ctx context.Context, name string) error
	// build gives the mirror that a tool has been built into.
	build func(context.Context, tools.Tool) (string, error)
	tell  func(string)
}

func builtProviders(ctx context.Context, mirrors []Mirror, modules []string, from supply) ([]Mirror, error) {
	all, err := tools.All()
	if err != nil {
		return nil, err
	}
	required := requirements(modules)
	var built []Mirror
	for _, t := range all {
		kind, ok := strings.CutPrefix(t.Name, providerTool)
		name := "hashicorp/" + kind
		constraints, needed := required[name]
		if !ok || !needed || !fulfils(t.Version, constraints) || slices.ContainsFunc(mirrors, func(m Mirror) bool { return m.has(name) }) {
			continue
		}
		missing := from.listed(ctx, name)
		if missing == nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("provider %s: %w", name, ctx.Err())
		}
		from.tell(fmt.Sprintf("no mirror has the provider %s, and the registry has not (%v): using %s, built from source", name, missing, t.Version))
		dir, err := from.build(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", name, err)
		}
		built = append(built, Mirror{Dir: dir, Providers: []string{terraformRegistry + "/" + name}})
	}
	return built, nil
}

// has tells whether the mirror holds the provider for either registry.
func (m Mirror) has(name string) bool {
	return slices.Contains(m.Providers, terraformRegistry+"/"+name) || slices.Contains(m.Providers, tofuRegistry+"/"+name)
}

func fulfils(v string, constraints []string) bool {
	have, err := version.NewVersion(v)
	if err != nil {
		return false
	}
	for _, c := range constraints {
		want, err := version.NewConstraint(c)
		if err != nil || !want.Check(have) {
			return false
		}
	}
	return true
}

// requirements are the providers that the modules require, those in folders
// that they call included, with the constraints on their versions:
// "hashicorp/google" → "~> 4.9". What cannot be read is Terraform's to tell.
func requirements(modules []string) map[string][]string {
	found := map[string][]string{}
	seen := map[string]bool{}
	var walk func(dir string)
	walk = func(dir string) {
		dir = filepath.Clean(dir)
		if seen[dir] {
			return
		}
		seen[dir] = true
		m, _ := tfconfig.LoadModule(dir) // gives what could be read
		for name, r := range m.RequiredProviders {
			source := r.Source
			if source == "" {
				source = "hashicorp/" + name
			}
			source = shortName(source)
			found[source] = append(found[source], r.VersionConstraints...)
		}
		for _, call := range m.ModuleCalls {
			if strings.HasPrefix(call.Source, "./") || strings.HasPrefix(call.Source, "../") {
				walk(filepath.Join(dir, filepath.FromSlash(call.Source)))
			}
		}
	}
	for _, dir := range modules {
		walk(dir)
	}
	return found
}

// registryWait is how long a registry may take to answer.
const registryWait = 10 * time.Second

// listed asks the product's registry for the versions of a provider
// (https://developer.hashicorp.com/terraform/internals/provider-registry-protocol).
func listed(ctx context.Context, product, name string) error {
	host := terraformRegistry
	if product == "tofu" {
		host = tofuRegistry
	}
	return ask(ctx, http.DefaultClient, "https://"+host+"/v1/providers/"+name+"/versions")
}

func ask(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, registryWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	var answer struct {
		Versions []struct {
			Platforms []struct{ OS, Arch string }
		}
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	for _, v := range answer.Versions {
		for _, p := range v.Platforms {
			if p.OS == runtime.GOOS && p.Arch == runtime.GOARCH {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: no version for %s_%s", url, runtime.GOOS, runtime.GOARCH)
}
