package attempt

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/proc"
	"github.com/whittle-iam/whittle/sandbox/step/terraform"
)

// own is what Whittle writes for the steps of a run and points them at.
type own struct {
	bundle    string // the system's certificate authorities and the run's, PEM
	cliConfig string // Terraform's CLI configuration
	plugins   string // Terraform's plugin cache
	empty     string // an empty file
	private   string // a folder for configuration of tools, empty at first
	packer    string // Packer's own folder, in private
	// packerPlugins is the folder of Packer's plugins.
	packerPlugins string
	// tofuMirror is a provider mirror of links, made where OpenTofu is used.
	tofuMirror string
}

func (e *Executor) writeOwn() (own, error) {
	at := func(name string) string { return filepath.Join(e.c.Work, name) }
	o := own{bundle: at("ca.pem"), cliConfig: at("terraform.rc"), plugins: at("plugins"), empty: at("empty"), private: at("private"),
		packer: at(filepath.Join("private", "packer")), packerPlugins: at("packer-plugins"), tofuMirror: at("tofu-mirror")}
	pem, err := e.ca.Bundle()
	if err != nil {
		return own{}, err
	}
	for path, data := range map[string][]byte{o.bundle: pem, o.empty: nil} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return own{}, err
		}
	}
	for _, dir := range []string{o.plugins, o.packerPlugins, o.private, o.packer, filepath.Join(o.private, "gcloud"), filepath.Join(o.private, "azure")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return own{}, err
		}
	}
	return o, nil
}

// away turns tools away from the credentials that they would find by
// themselves: the files in the operator's home, and the machine's own identity.
func (o own) away() map[string]string {
	return map[string]string{
		"AWS_CONFIG_FILE":             o.empty,
		"AWS_SHARED_CREDENTIALS_FILE": o.empty,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"CLOUDSDK_CONFIG":             filepath.Join(o.private, "gcloud"),
		"AZURE_CONFIG_DIR":            filepath.Join(o.private, "azure"),
	}
}

// network leads every client through the proxy and makes it trust the run's
// certificate authority beside the system's.
func (o own) network(proxy *url.URL) map[string]string {
	const direct = "127.0.0.1,localhost" // where the credentials are served
	return map[string]string{
		"HTTPS_PROXY": proxy.String(), "https_proxy": proxy.String(),
		"HTTP_PROXY": proxy.String(), "http_proxy": proxy.String(),
		"NO_PROXY": direct, "no_proxy": direct,
		"SSL_CERT_FILE":                      o.bundle,
		"AWS_CA_BUNDLE":                      o.bundle,
		"REQUESTS_CA_BUNDLE":                 o.bundle,
		"CURL_CA_BUNDLE":                     o.bundle,
		"NODE_EXTRA_CA_CERTS":                o.bundle,
		"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": o.bundle,
		"TF_CLI_CONFIG_FILE":                 o.cliConfig,
		"CHECKPOINT_DISABLE":                 "1",
	}
}

// taken are the variables that a step cannot set beside those of [own]: they
// would bring in another identity than the one that is probed, lead around the
// proxy, or move what Whittle keeps in its place.
var taken = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"ALL_PROXY", "all_proxy", "SSL_CERT_DIR",
	"TERRAFORM_CONFIG", "TF_DATA_DIR", "TF_PLUGIN_CACHE_DIR",
	"PACKER_PLUGIN_PATH", "PACKER_CONFIG", "PACKER_CONFIG_DIR",
}

// takenPrefixes are the families of variables that a step cannot set.
var takenPrefixes = []string{"WHITTLE_", "AWS_CONTAINER_"}

// regional are the variables that an identity's credentials come with and that
// a step may set all the same: they say where, not who.
var regional = []string{"AWS_REGION", "AWS_DEFAULT_REGION", "GOOGLE_REGION", "CLOUDSDK_COMPUTE_REGION"}

// checkEnv refuses a step that sets what is Whittle's to set.
func checkEnv(s lifecycle.Step) error {
	var o own
	names := slices.Concat(taken, slices.Collect(maps.Keys(o.away())), slices.Collect(maps.Keys(o.network(&url.URL{}))))
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		mine := slices.Contains(names, k) || slices.ContainsFunc(takenPrefixes, func(p string) bool { return strings.HasPrefix(k, p) })
		switch {
		case mine:
			return fmt.Errorf("env: %s is set by whittle itself: remove it", k)
		case k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(s.Env[k], "\x00"):
			return fmt.Errorf("env: %q cannot be a variable", k)
		}
	}
	if s.Terraform != nil {
		if err := terraform.CheckEnv(s.Env); err != nil {
			return fmt.Errorf("env: %w", err)
		}
	}
	return nil
}

// environment is a step's whole environment.
func (e *Executor) environment(s lifecycle.Step, credentials map[string]string, proxy *url.URL) (map[string]string, error) {
	if err := checkEnv(s); err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		if _, ok := credentials[k]; ok && !slices.Contains(regional, k) {
			return nil, fmt.Errorf("env: %s is set by the probe identity: remove it", k)
		}
	}
	env := proc.Environment(e.c.Environ)
	if region := e.c.Lifecycle.Sandbox.Region; region != "" && e.c.Lifecycle.Cloud == "aws" {
		// The operator's configuration, which would have said so, is away.
		env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = region, region
	}
	maps.Copy(env, s.Env)
	maps.Copy(env, e.own.away())
	maps.Copy(env, credentials)
	for _, k := range regional {
		if v, ok := s.Env[k]; ok {
			env[k] = v
		}
	}
	// Last: nothing leads around the proxy.
	maps.Copy(env, e.own.network(proxy))
	return env, nil
}

// variables are those that a step gives its tool.
func variables(s lifecycle.Step) map[string]string {
	switch {
	case s.Terraform != nil:
		return s.Terraform.Var
	case s.Packer != nil:
		return s.Packer.Var
	}
	return nil
}

// secrets lists what must not be seen in a step's output: the proxy's password,
// the identity's credentials and what the lifecycle gives the step, told by their
// names. What is short is no secret, and its removal would make output unreadable.
func secrets(proxy *url.URL, given ...map[string]string) []string {
	var found []string
	if password, ok := proxy.User.Password(); ok {
		found = append(found, password)
	}
	for _, values := range given {
		for _, k := range slices.Sorted(maps.Keys(values)) {
			name := strings.ToUpper(k)
			named := slices.ContainsFunc([]string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY"}, func(w string) bool { return strings.Contains(name, w) })
			if v := values[k]; named && len(v) >= 8 {
				found = append(found, v)
			}
		}
	}
	return found
}
