package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/attempt"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// place is the cloud a lifecycle runs on: the embedded sandbox, or an account,
// project or subscription.
type place struct {
	operator // who makes the probe identities
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	roots    *x509.CertPool
	upstream func(*http.Request) (*url.URL, error)
	embedded *embedded.Cloud // nil on a real cloud, and where the sandbox is another process's
	lasting  *lasting        // the sandbox of another process
	strange  strangers       // of the embedded cloud
	// propagation is the embedded sandbox's.
	propagation time.Duration
}

// operator is what is needed on one cloud to make probe identities and to take
// them away. Who he is, no child process learns.
type operator interface {
	pool(ctx context.Context, c poolConfig) (identities, error)
	clean(ctx context.Context, c poolConfig, purge bool) (emptied, deleted []string, err error)
}

// identities are the probe identities of one account or project.
type identities interface {
	harness.Pool
	Account() string
	// Target is what the identities are made in, with its marks.
	Target(ctx context.Context) (guard.Target, error)
	// Makes names what is made for an identity.
	Makes(identity string) []string
}

// poolConfig says under which names identities are made.
type poolConfig struct {
	stack, run string
	files      string // the folder for credential files
	announce   func(kind, id string) error
	wait       wait
	log        *slog.Logger
}

// wait says how long to wait for the cloud's IAM, and how often to look; zeros
// are for whoever waits to say.
type wait struct{ initial, max, limit time.Duration }

// checkGate refuses a --gate that is neither.
func checkGate(gate string) error {
	if gate != "open" && gate != "closed" {
		return &usageError{err: fmt.Errorf("--gate=%s: not known", gate), hint: "use closed or open"}
	}
	return nil
}

// openPlace starts the embedded sandbox, with the region and the propagation
// that the lifecycle names, or loads the operator's own configuration for a
// real account or project.
func openPlace(ctx context.Context, cloud string, s lifecycle.Sandbox, c embedded.Config) (*place, error) {
	if s.Embedded {
		if l, err := openLasting(ctx, cloud); err != nil || l != nil {
			if err != nil {
				return nil, err
			}
			return l.place(ctx)
		}
		return openOwn(ctx, cloud, s, c)
	}
	if c.Open {
		return nil, &usageError{err: errors.New("--gate=open is for the embedded sandbox only"), hint: "leave it out, or say sandbox: embedded in whittle.yaml"}
	}
	p := &place{upstream: http.ProxyFromEnvironment}
	var err error
	p.operator, err = operatorOf(ctx, cloud, s)
	return p, err
}

// operatorOf finds the operator's own credentials for a cloud.
func operatorOf(ctx context.Context, cloud string, s lifecycle.Sandbox) (operator, error) {
	switch cloud {
	case "gcp":
		return gcpOperator(ctx, s)
	case "azure":
		return azureOperator(s)
	}
	return awsOperator(ctx, s)
}

// openOwn starts an embedded sandbox that ends with the run.
func openOwn(ctx context.Context, cloud string, s lifecycle.Sandbox, c embedded.Config) (*place, error) {
	c.Cloud, c.Region, c.Propagation, c.APIs = cloud, s.Region, s.Propagation, s.APIs
	return openEmbedded(ctx, c)
}

func openEmbedded(ctx context.Context, c embedded.Config) (*place, error) {
	cloud, err := embedded.Start(ctx, c)
	if err != nil {
		return nil, err // it says whose it is
	}
	p := &place{roots: cloud.RootCAs(), embedded: cloud, propagation: c.Propagation}
	p.dial = p.strange.dial(cloud)
	switch c.Cloud {
	case "gcp":
		p.operator = embeddedGCP(cloud)
	case "azure":
		if p.operator, err = embeddedAzure(cloud); err != nil {
			return nil, errors.Join(err, cloud.Close())
		}
	default:
		p.operator = embeddedAWS(cloud)
	}
	return p, nil
}

// clientOf is an HTTP client that finds the embedded cloud behind the real
// cloud's host names, over verified TLS.
func clientOf(cloud *embedded.Cloud) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.DialContext = cloud.Dial
	t.TLSClientConfig.RootCAs = cloud.RootCAs()
	return &http.Client{Transport: t}
}

// state is the cloud's snapshots, nil on a real cloud.
func (p *place) state() attempt.CloudState {
	switch {
	case p.embedded != nil:
		return p.embedded
	case p.lasting != nil:
		return p.lasting
	}
	return nil
}

// real tells whether the place is a real account or project, as far as Whittle
// can tell.
func (p *place) real() bool { return p.embedded == nil && p.lasting == nil }

// simulated is the type of Packer's sources whose instances answer on the
// embedded sandbox alone.
func (p *place) simulated() string {
	if _, ok := p.operator.(onGCP); ok && p.embedded != nil {
		return "googlecompute"
	}
	return ""
}

// wait is how to wait for the cloud's IAM.
func (p *place) wait(patience time.Duration) wait {
	if p.real() {
		return wait{limit: patience}
	}
	return wait{10 * time.Millisecond, 100 * time.Millisecond, 30*time.Second + 3*p.propagation}
}

func (p *place) close() error {
	if p.embedded == nil {
		return nil
	}
	return p.embedded.Close()
}

// guarded is an executor that ends the run when the embedded sandbox was asked
// for something it does not know: what follows from there is not evidence.
type guarded struct {
	harness.Executor
	place *place
}

// Attempt implements harness.Executor.
func (g guarded) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	out, err := g.Executor.Attempt(ctx, a)
	if err != nil {
		return out, err
	}
	return out, g.place.unknown(ctx)
}

// unknown names what the embedded sandbox could not answer.
func (p *place) unknown(ctx context.Context) error {
	var lines []string
	if p.lasting == nil {
		lines = p.strangeness()
	} else {
		var err error
		if lines, err = p.lasting.unknown(ctx); err != nil {
			return fmt.Errorf("ask the sandbox what it could not answer: %w", err)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &unknownError{lines}
}

// strangeness is what this process's own sandbox could not answer.
func (p *place) strangeness() []string {
	var lines []string
	for _, u := range p.embedded.Unknown() {
		lines = append(lines, fmt.Sprint(u))
	}
	lines = append(lines, p.strange.lines()...)
	for _, p := range p.embedded.Problems() {
		lines = append(lines, fmt.Sprint(p))
	}
	return lines
}

// unknownError: the embedded sandbox met what it does not know.
type unknownError struct{ lines []string }

func (e *unknownError) Error() string {
	return "the embedded sandbox does not know how to answer:\n    " + strings.Join(e.lines, "\n    ")
}

// Hints says what can be done about it.
func (e *unknownError) Hints() []string {
	return []string{"docs/embedded.md (AWS), docs/embedded-gcp.md and docs/embedded-azure.md list what it knows; run against a real sandbox account for the rest, and report the request"}
}
