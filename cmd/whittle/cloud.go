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
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/intercept"
)

func newCloud(g *globals) *cobra.Command {
	var (
		region      string
		listen      string
		gate        string
		propagation time.Duration
	)
	c := &cobra.Command{
		Use:   "cloud",
		Short: "Serve the embedded AWS sandbox until interrupted",
		Long: `Cloud serves the simulated cloud on its own. It prints the environment with
which any AWS client finds it behind the real host names: a proxy, the
certificate to trust, and an administrator's keys. It ends with Ctrl-C, and
what was made in it ends with it.`,
		Example: `  whittle cloud > cloud.env &
  (. ./cloud.env; aws sqs list-queues)
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
			p, err := openEmbedded(c.Context(), embedded.Config{Cloud: "aws", Region: region, Propagation: propagation, Open: gate == "open", Log: log})
			if err != nil {
				return err
			}
			return errors.Join(serveCloud(c.Context(), p, listen, g), p.close())
		},
	}
	f := c.Flags()
	f.StringVar(&region, "region", "us-east-1", "the AWS region that the environment names")
	f.StringVar(&listen, "listen", "127.0.0.1:0", "the loopback `address` of the proxy; port 0 takes a free one")
	f.DurationVar(&propagation, "propagation", 0, "how long a change of a policy takes to come into force")
	f.StringVar(&gate, "gate", "closed", "closed, or open to allow everything")
	_ = f.MarkHidden("gate") // fails only for a flag that is not there
	return c
}

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
	proxy, err := intercept.Start(ctx, intercept.Config{CA: ca, Dial: p.dial, RootCAs: p.roots, Listen: listen})
	if err != nil {
		return fmt.Errorf("--listen=%s: %w; name another address, or port 0 for any free one", listen, err)
	}
	defer func() { err = errors.Join(err, proxy.Close()) }()

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
	id, secret := p.embedded.Operator()
	err = printEnv(g, map[string]string{
		"HTTPS_PROXY":           proxy.URL().String(),
		"NO_PROXY":              "127.0.0.1,localhost",
		"SSL_CERT_FILE":         file,
		"AWS_CA_BUNDLE":         file,
		"AWS_REGION":            p.sdk.Region,
		"AWS_DEFAULT_REGION":    p.sdk.Region,
		"AWS_ACCESS_KEY_ID":     id,
		"AWS_SECRET_ACCESS_KEY": secret,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(g.err, "whittle: the embedded AWS sandbox is up; Ctrl-C ends it")
	<-ctx.Done()
	return unknownRequests(p.embedded)
}

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
