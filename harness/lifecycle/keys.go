package lifecycle

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/lifecycle/strictyaml"
)

// The keys of the file, by where they may stand.
var (
	fileKeys      = []string{"cloud", "sandbox", "approve", "ceiling", "scope", "conditions", "owned_by_tag", "start", "reference", "trust", "audit", "names", "terraform", "lifecycle", "variants"}
	auditKeys     = []string{"trail"}
	startKeys     = []string{"audit"}
	usedKeys      = []string{"principal", "since", "until", "files"}
	sandboxKeys   = []string{"embedded", "propagation", "apis", "account", "region", "project", "subscription"}
	toolKeys      = []string{"path", "version", "provider_mirror", "parallelism"}
	stepKeys      = []string{"name", "phase", "role", "access", "env", "terraform", "packer", "command", "succeeds_when", "timeout", "reset", "uses"}
	terraformKeys = []string{"dir", "command", "target", "var_file", "var", "lock"}
	packerKeys    = []string{"template", "var_file", "var"}
	succeedsKeys  = []string{"exit", "output", "stop"}
	variantKeys   = []string{"name", "with", "env", "var", "steps"}
	changeKeys    = []string{"name", "args", "env", "var", "var_file"}
)

// vocabulary is all of them, for the reader.
var vocabulary = []strictyaml.Words{
	{Keys: stepKeys, Where: "a key of a step"},
	{Keys: terraformKeys, Where: `a key of the step's "terraform"`},
	{Keys: packerKeys, Where: `a key of the step's "packer"`},
	{Keys: succeedsKeys, Where: `a key of the step's "succeeds_when"`},
	{Keys: fileKeys, Where: "a key of the whole file"},
	{Keys: variantKeys, Where: `a key of one of "variants"`},
	{Keys: changeKeys, Where: `a key of a variant's step`},
	{Keys: toolKeys, Where: `a key of the whole file's "terraform"`},
	{Keys: sandboxKeys, Where: `a key of "sandbox"`},
	{Keys: auditKeys, Where: `a key of the file's "audit"`},
	{Keys: usedKeys, Where: `a key of "audit" in "start"`},
}

// The values of keys that take one of a few.
var (
	cloudValues     = []string{"aws", "gcp", "azure"}
	phaseValues     = []string{string(Init), string(Ongoing), string(Teardown)}
	terraformValues = []string{"plan", "apply", "destroy"}
	accessValues    = []string{"read"}
	scopeValues     = []string{string(ScopeAction), string(ScopeType), string(ScopeResource)}
	trustValues     = []string{"output"}
)

// ownedEnv are the variables that Whittle sets for a step, or keeps from it,
// because they would give it another identity or lead it around the proxy. A
// star at the end stands for any rest.
var ownedEnv = []string{
	// the way to the cloud
	"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
	"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "CLOUDSDK_PROXY_*",
	"AWS_ENDPOINT_URL*", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	// who the step is: AWS
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CREDENTIAL_*",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_*", "AWS_EC2_METADATA_*",
	// Google
	"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON",
	"GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "CLOUDSDK_AUTH_*", "CLOUDSDK_CONFIG",
	// Azure
	"ARM_CLIENT_*", "ARM_OIDC_*", "ARM_USE_*", "ARM_TENANT_ID", "ARM_ACCESS_KEY", "ARM_SAS_TOKEN",
	"AZURE_CLIENT_*", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CONFIG_DIR",
	// how Terraform is run
	"TF_CLI_CONFIG_FILE", "TERRAFORM_CONFIG", "TF_DATA_DIR", "TF_PLUGIN_CACHE_DIR", "TF_CLI_ARGS*", "TF_INPUT",
	"TF_IN_AUTOMATION", "TF_LOG*", "TF_REATTACH_PROVIDERS", "TF_APPEND_USER_AGENT", "TF_WORKSPACE",
	"TF_DISABLE_PLUGIN_TLS", "TF_SKIP_PROVIDER_VERIFY", "CHECKPOINT_DISABLE",
	// how Packer is run
	"PACKER_PLUGIN_PATH", "PACKER_CONFIG", "PACKER_CONFIG_DIR",
	"WHITTLE_*",
}

// isOwned tells whether a step may not set the variable. Case does not count:
// proxies are obeyed in either.
func isOwned(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(ownedEnv, func(o string) bool {
		prefix, family := strings.CutSuffix(o, "*")
		return name == o || family && strings.HasPrefix(name, prefix)
	})
}
