package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/sandbox/attempt"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
)

// place is the cloud a lifecycle runs on: the embedded sandbox or an account.
type place struct {
	sdk      aws.Config // the operator's
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	roots    *x509.CertPool
	upstream func(*http.Request) (*url.URL, error)
	embedded *embedded.Cloud // nil on a real cloud
	// propagation is the embedded sandbox's.
	propagation time.Duration
}

// checkGate refuses a --gate that is neither.
func checkGate(gate string) error {
	if gate != "open" && gate != "closed" {
		return &usageError{err: fmt.Errorf("--gate=%s: not known", gate), hint: "use closed or open"}
	}
	return nil
}

// openPlace starts the embedded sandbox, with the region and the propagation
// that the lifecycle names, or loads the operator's own configuration for a
// real account.
func openPlace(ctx context.Context, s lifecycle.Sandbox, c embedded.Config) (*place, error) {
	if s.Embedded {
		c.Cloud, c.Region, c.Propagation = "aws", s.Region, s.Propagation
		return openEmbedded(ctx, c)
	}
	if c.Open {
		return nil, &usageError{err: errors.New("--gate=open is for the embedded sandbox only"), hint: "leave it out, or say sandbox: embedded in whittle.yaml"}
	}
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
	if err != nil {
		return nil, fmt.Errorf("the operator's AWS configuration: %w", err)
	}
	return &place{sdk: sdk, upstream: http.ProxyFromEnvironment}, nil
}

func openEmbedded(ctx context.Context, c embedded.Config) (*place, error) {
	cloud, err := embedded.Start(ctx, c)
	if err != nil {
		return nil, err // it says whose it is
	}
	id, secret := cloud.Operator()
	return &place{
		sdk: aws.Config{
			Region:      cloud.Region(),
			Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
			HTTPClient:  clientOf(cloud),
		},
		dial:     cloud.Dial,
		roots:    cloud.RootCAs(),
		embedded: cloud, propagation: c.Propagation,
	}, nil
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
	if p.embedded == nil {
		return nil
	}
	return p.embedded
}

// poll is how to wait for the cloud's IAM.
func (p *place) poll(patience time.Duration) roleaws.Poll {
	if p.embedded == nil {
		return roleaws.Poll{Limit: patience}
	}
	return roleaws.Poll{Initial: 10 * time.Millisecond, Max: 100 * time.Millisecond, Limit: 30*time.Second + 3*p.propagation}
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
	cloud *embedded.Cloud
}

// Attempt implements harness.Executor.
func (g guarded) Attempt(ctx context.Context, a harness.Attempt) (harness.Outcome, error) {
	out, err := g.Executor.Attempt(ctx, a)
	if err != nil {
		return out, err
	}
	return out, unknownRequests(g.cloud)
}

// unknownRequests names what the embedded sandbox could not answer.
func unknownRequests(cloud *embedded.Cloud) error {
	unknown := cloud.Unknown()
	problems := cloud.Problems()
	if len(unknown) == 0 && len(problems) == 0 {
		return nil
	}
	var lines []string
	for _, u := range unknown {
		lines = append(lines, fmt.Sprint(u))
	}
	for _, p := range problems {
		lines = append(lines, fmt.Sprint(p))
	}
	return &unknownError{lines}
}

// unknownError: the embedded sandbox met what it does not know.
type unknownError struct{ lines []string }

func (e *unknownError) Error() string {
	return "the embedded sandbox does not know how to answer:\n    " + strings.Join(e.lines, "\n    ")
}

// Hints says what can be done about it.
func (e *unknownError) Hints() []string {
	return []string{"docs/embedded.md lists what it knows; run against a real sandbox account for the rest, and report the request"}
}
