package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
			if gate != "open" && gate != "closed" {
				return &usageError{err: fmt.Errorf("--gate=%s: not known", gate), hint: "use closed or open"}
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
	must(f.MarkHidden("gate"))
	return c
}

// serveCloud puts a proxy before the cloud and prints how to reach it.
func serveCloud(ctx context.Context, p *place, listen string, g *globals) (err error) {
	ca, err := intercept.NewCA()
	if err != nil {
		return err
	}
	proxy, err := intercept.Start(ctx, intercept.Config{CA: ca, Dial: p.dial, RootCAs: p.roots, Listen: listen})
	if err != nil {
		return err
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
	for _, kv := range [][2]string{
		{"HTTPS_PROXY", proxy.URL().String()},
		{"NO_PROXY", "127.0.0.1,localhost"},
		{"SSL_CERT_FILE", file},
		{"AWS_CA_BUNDLE", file},
		{"AWS_REGION", p.sdk.Region},
		{"AWS_DEFAULT_REGION", p.sdk.Region},
		{"AWS_ACCESS_KEY_ID", id},
		{"AWS_SECRET_ACCESS_KEY", secret},
	} {
		fmt.Fprintf(g.out, "export %s='%s'\n", kv[0], kv[1])
	}
	fmt.Fprintln(g.err, "whittle: the embedded AWS sandbox is up; Ctrl-C ends it")
	<-ctx.Done()
	return unknownRequests(p.embedded)
}
