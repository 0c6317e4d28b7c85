package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/intercept"
	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
	rolegcp "github.com/whittle-iam/whittle/sandbox/role/gcp"
)

func newCloud(g *globals) *cobra.Command {
	var (
		cloud       string
		region      string
		listen      string
		gate        string
		propagation time.Duration
		olderForms  bool
		dataAccess  bool
		faults      auditlog.Faults
		trail       string
	)
	c := &cobra.Command{
		Use:   "cloud",
		Short: "Serve an embedded sandbox until interrupted",
		Long: `Cloud serves the simulated cloud on its own: AWS, Google Cloud or Azure. It prints the
environment with which any client of that cloud finds it behind the real host
names: a proxy, the certificate to trust, and an administrator's credentials. It
ends with Ctrl-C, and what was made in it ends with it.`,
		Example: `  whittle cloud > cloud.env &
  (. ./cloud.env; aws sqs list-queues)
  whittle cloud --cloud gcp > cloud.env &
  whittle cloud --listen 127.0.0.1:4000 --propagation 3s`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := g.logger()
			if err != nil {
				return err
			}
			if err := checkGate(gate); err != nil {
				return err
			}
			if err := checkLoopback(listen); err != nil {
				return err
			}
			if cloud != "aws" && cloud != "gcp" && cloud != "azure" {
				return &usageError{err: fmt.Errorf("--cloud=%s: not known", cloud), hint: "use aws, gcp or azure"}
			}
			if !regionName.MatchString(region) {
				return &usageError{err: fmt.Errorf("--region=%s: not the name of a region", region), hint: "use one such as eu-west-1, europe-west1 or westeurope"}
			}
			to, ok := strings.CutPrefix(trail, "s3://")
			bucket, prefix, _ := strings.Cut(to, "/")
			if trail != "" && (!ok || bucket == "" || cloud != "aws") {
				return &usageError{err: fmt.Errorf("--trail=%s: no bucket of a trail of AWS's", trail), hint: "use s3://BUCKET or s3://BUCKET/PREFIX, with --cloud aws"}
			}
			p, err := openEmbedded(c.Context(), embedded.Config{Cloud: cloud, Region: region, Propagation: propagation, Open: gate == "open", EncodedOnly: olderForms,
				DataAccess: dataAccess, TrailBucket: bucket, TrailPrefix: strings.Trim(prefix, "/"), Audit: faults, Log: log})
			if err != nil {
				return err
			}
			return errors.Join(serveCloud(c.Context(), p, listen, g), p.close())
		},
	}
	f := c.Flags()
	f.StringVar(&cloud, "cloud", "aws", "which cloud: aws, gcp or azure")
	f.StringVar(&region, "region", "", "the region that the environment names (default: us-east-1, us-central1 on gcp, eastus on azure)")
	f.StringVar(&listen, "listen", "127.0.0.1:0", "the loopback `address` of the proxy; port 0 takes a free one")
	f.DurationVar(&propagation, "propagation", 0, "how long a change of a policy takes to come into force")
	f.StringVar(&gate, "gate", "closed", "closed, or open to allow everything")
	f.BoolVar(&olderForms, "older-forms", false, "refuse in the forms that services had some years ago")
	f.BoolVar(&dataAccess, "data-access-logs", false, "gcp: turn on the audit logs of reads and of data, which are off in a new project")
	f.StringVar(&trail, "trail", "", "aws: a trail with data events delivers to this bucket, `s3://BUCKET/PREFIX`")
	f.Var(faultsValue{&faults}, "audit-fault", "what goes wrong with the audit log")
	complete(c, "cloud", "aws", "gcp", "azure")
	for _, hidden := range []string{"gate", "older-forms", "audit-fault"} {
		_ = f.MarkHidden(hidden) // fails only for a flag that is not there
	}
	return c
}

// regionName is the name of a region of any of the three clouds, or empty. A shell reads
// it out of what is printed.
var regionName = regexp.MustCompile(`^[a-z0-9-]{0,40}$`)

// checkLoopback keeps the sandbox, whose administrator anybody may be who reads
// its environment, off the network.
func checkLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err == nil {
		if addr, perr := netip.ParseAddr(host); perr != nil || !addr.IsLoopback() {
			err = errors.New("not an address of the loopback interface")
		}
	}
	if err != nil {
		return &usageError{err: fmt.Errorf("--listen=%s: %w", listen, err), hint: "use an address such as 127.0.0.1:4000"}
	}
	return nil
}

// serveCloud puts a proxy before the cloud and prints how to reach it.
func serveCloud(ctx context.Context, p *place, listen string, g *globals) (err error) {
	ca, err := intercept.NewCA()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "whittle-cloud-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bundle, err := ca.Bundle()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		return err
	}
	env := map[string]string{"NO_PROXY": "127.0.0.1,localhost", "SSL_CERT_FILE": file}
	name, short := "AWS", "aws"
	switch p.operator.(type) {
	case onGCP:
		name, short = "GCP", "gcp"
	case onAzure:
		name, short = "Azure", "azure"
	}
	at, closed, err := controlled(ctx, short, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed()) }()
	env[lastingVariable] = at
	config := intercept.Config{CA: ca, Dial: p.dial, RootCAs: p.roots, Listen: listen}
	switch short {
	case "gcp":
		config.Token, err = envGCP(env, p.embedded, dir)
	case "azure":
		envAzure(env, p.embedded)
	default:
		envAWS(env, p.embedded)
	}
	if err != nil {
		return err
	}
	proxy, err := intercept.Start(ctx, config)
	if err != nil {
		return fmt.Errorf("--listen=%s: %w; name another address, or port 0 for any free one", listen, err)
	}
	defer func() { err = errors.Join(err, proxy.Close()) }()
	env["HTTPS_PROXY"] = proxy.URL().String()
	if err := printEnv(g, env); err != nil {
		return err
	}
	fmt.Fprintf(g.err, "whittle: the embedded %s sandbox is up; Ctrl-C ends it\n", name)
	<-ctx.Done()
	return p.unknown(ctx)
}

// envAWS is what AWS's clients need besides the proxy.
func envAWS(env map[string]string, cloud *embedded.Cloud) {
	id, secret := cloud.Operator()
	env["AWS_CA_BUNDLE"] = env["SSL_CERT_FILE"]
	env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = cloud.Region(), cloud.Region()
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = id, secret
}

// envAzure is what Microsoft's clients and azurerm need besides the proxy. They
// get tokens by the operator's secret themselves.
func envAzure(env map[string]string, cloud *embedded.Cloud) {
	id, secret := cloud.Operator()
	maps.Copy(env, roleazure.Environment(cloud.Account(), cloud.Tenant(), id, secret))
	env["REQUESTS_CA_BUNDLE"] = env["SSL_CERT_FILE"]
}

// envGCP is what Google's clients need besides the proxy: the operator's token,
// and for those that look for Application Default Credentials a file in dir that
// the proxy takes for it.
func envGCP(env map[string]string, cloud *embedded.Cloud, dir string) (intercept.Token, error) {
	token, _ := cloud.Operator()
	file := filepath.Join(dir, "credentials.json")
	text, err := rolegcp.AuthorizedUser(token)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	for _, name := range []string{"REQUESTS_CA_BUNDLE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"} {
		env[name] = env["SSL_CERT_FILE"]
	}
	for _, name := range []string{"GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"} {
		env[name] = token
	}
	for _, name := range []string{"GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"} {
		env[name] = cloud.Account()
	}
	env["GOOGLE_REGION"], env["CLOUDSDK_COMPUTE_REGION"] = cloud.Region(), cloud.Region()
	env["GOOGLE_APPLICATION_CREDENTIALS"] = file
	return operatorToken(token), err
}

// operatorToken stands for itself: who has the environment is the operator.
type operatorToken string

// Placeholder implements intercept.Token.
func (t operatorToken) Placeholder() string { return string(t) }

// Bearer implements intercept.Token.
func (t operatorToken) Bearer(context.Context, string) (string, error) { return string(t), nil }

// printEnv prints an environment for a shell to read, or as JSON.
func printEnv(g *globals, env map[string]string) error {
	if g.json {
		return printJSON(g.out, env)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if _, err := fmt.Fprintf(g.out, "export %s='%s'\n", name, env[name]); err != nil {
			return err
		}
	}
	return nil
}
