// Package embedded is a cloud that runs on this machine, for probing and for
// tests: a TLS service that stands for the cloud's API hosts, with a gate that
// authenticates and authorizes as the cloud does, before simulated state.
//
// It is reached by dialing the cloud's real host names through [Cloud.Dial];
// code, provider and the shape of credentials stay as in real use. What is
// found on it is a rehearsal, not the truth about a real cloud.
//
// Three clouds are here: AWS (gate and state are in package aws below), Google
// Cloud (package gcp) and Azure (package azure).
package embedded

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/moto"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure"
	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// Config says what cloud to run. Its zero value is AWS's account 123456789012
// with changes of IAM in force at once.
type Config struct {
	// Cloud is "aws", "gcp" or "azure"; empty means aws.
	Cloud string
	// Account is where everything lives. On AWS it is the account's twelve
	// digits, empty means 123456789012; on Google Cloud the project's id, empty
	// means whittle-sandbox; on Azure the subscription's, empty means one of the
	// sandbox's own.
	Account string
	// Region is the region that clients are told to use; empty means
	// us-east-1, us-central1 on Google Cloud, or eastus on Azure. The service answers for every
	// region.
	Region string
	// Propagation is how long a change of IAM takes to be in force, a grant as
	// well as a revocation; 0 is at once.
	Propagation time.Duration
	// APIs (Google Cloud) are the hosts of the APIs that the project has enabled
	// at the start, beside those that make roles and accounts; nil means all.
	APIs []string
	// Open lets everything through that is authenticated. It is for tests that
	// must then fail.
	Open bool
	// EncodedOnly (AWS) gives EC2's refusals the form they had until 2024: nothing but
	// an encoded message.
	EncodedOnly bool
	// DetailedS3 (AWS) gives S3's refusals the sentence that other services use,
	// instead of "Access Denied".
	DetailedS3 bool
	// Audit is what goes wrong between a request and the cloud's audit log: it is late,
	// lost, or there twice.
	Audit auditlog.Faults
	// TrailBucket and TrailPrefix (AWS) give the account a trail that delivers the event
	// history, with data events, to S3; an empty bucket is none.
	TrailBucket, TrailPrefix string
	// DataAccess (Google Cloud) turns on the project's audit logs of reads and of data,
	// which are off in a new one.
	DataAccess bool
	// Python (AWS) is the interpreter that can import moto; empty means find it.
	Python string
	// Listen is the address of the service; empty means a free port of
	// 127.0.0.1.
	Listen string
	// Trace is called with every request that was known, when it has been
	// answered; from many goroutines. Nil means that nobody listens.
	Trace func(Trace)
	// Log takes a line for each request, without anything secret. Nil discards.
	Log *slog.Logger
}

// Trace is what the gate made of one request.
type Trace = trace.Trace

// Cloud is a running sandbox.
type Cloud struct {
	simulation
	region  string
	account string
	ca      *authority
	server  *http.Server
	address string
	served  chan error // what Serve returned, once
}

// simulation is a simulated cloud that is not on a network yet.
type simulation struct {
	gate    http.Handler
	domains domains
	world   world
	// access are the operator's credentials: an access key's id and secret, an
	// access token alone, or a client's id and secret.
	access [2]string
	tenant string // of Azure
	ledger *ledger.Ledger
	// instance connects to a simulated instance, if that is what addr names; nil
	// where no instance answers.
	instance func(ctx context.Context, addr string) (c net.Conn, ours bool, err error)
	close    func() error
}

// world is the whole state of a cloud.
type world interface {
	Snapshot(ctx context.Context) (id string, err error)
	Restore(ctx context.Context, id string) error
}

// Start runs a cloud until Close. AWS's fails when moto is not installed, with
// an error that says how to.
func Start(ctx context.Context, c Config) (*Cloud, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	// First what can fail fast: a port in use is told before moto is loaded.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	simulation, err := simulate(ctx, c)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	cloud, err := serve(c, listener, simulation)
	if err != nil {
		listener.Close()
		simulation.close()
		return nil, fmt.Errorf("embedded sandbox: %w", err)
	}
	return cloud, nil
}

func simulate(ctx context.Context, c Config) (simulation, error) {
	switch c.Cloud {
	case "gcp":
		return simulateGCP(c)
	case "azure":
		return simulateAzure(c)
	}
	state, err := moto.Start(ctx, moto.Options{Python: c.Python, Account: c.Account, Log: c.Log})
	if err != nil {
		return simulation{}, err
	}
	s, err := simulateAWS(ctx, c, state)
	if err != nil {
		state.Close()
	}
	return s, err
}

// complete puts in what was left empty, and finds what cannot be.
func (c *Config) complete() error {
	switch c.Cloud {
	case "", "aws":
		c.Account, c.Region = cmp.Or(c.Account, "123456789012"), cmp.Or(c.Region, "us-east-1")
		if len(c.Account) != 12 || strings.Trim(c.Account, "0123456789") != "" {
			return fmt.Errorf("account %q is not twelve digits", c.Account)
		}
	case "gcp":
		c.Account, c.Region = cmp.Or(c.Account, "whittle-sandbox"), cmp.Or(c.Region, "us-central1")
	case "azure":
		c.Account, c.Region = cmp.Or(c.Account, azure.Subscription), cmp.Or(c.Region, "eastus")
	default:
		return fmt.Errorf("there is none for cloud %q: it simulates aws, gcp and azure", c.Cloud)
	}
	if c.Propagation < 0 {
		return fmt.Errorf("propagation %v is negative", c.Propagation)
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:0")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// serve puts a simulation on the network.
func serve(c Config, listener net.Listener, s simulation) (*Cloud, error) {
	ca, err := newAuthority(s.domains, time.Now())
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	cloud := &Cloud{
		simulation: s, region: c.Region, account: c.Account, ca: ca,
		address: listener.Addr().String(), served: make(chan error, 1),
	}
	cloud.server = &http.Server{
		Handler:           s.gate,
		TLSConfig:         &tls.Config{GetCertificate: ca.certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}},
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	go func() { cloud.served <- cloud.server.ServeTLS(listener, "", "") }() // ends with Close
	return cloud, nil
}

// domains are the domains below which a cloud has its API hosts.
type domains []string

// have tells whether a sandbox stands for a host. It is wide on purpose: with
// the sandbox's credentials nothing must reach the real cloud.
func (d domains) have(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(d, func(one string) bool { return host == one || strings.HasSuffix(host, "."+one) })
}

// errMetadata refuses what would reach the role of the machine itself.
var errMetadata = errors.New("the host machine's metadata and credential services are closed to a step")

// awsMetadata6 holds the IPv6 addresses of the instance metadata service.
// Source: EC2 User Guide, "Instance metadata service", fd00:ec2::254.
var awsMetadata6 = netip.MustParsePrefix("fd00:ec2::/32")

// guard is a net.Dialer.Control, which sees what a name resolved to. It refuses
// link-local addresses, where all clouds have such services.
func guard(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || awsMetadata6.Contains(ip) {
		return errMetadata
	}
	return nil
}

// Has tells whether the sandbox stands for a host of the cloud's domains, be it
// an API or not: nothing of it must be reached for real.
func (c *Cloud) Has(host string) bool { return c.domains.have(host) }

// Dial connects to the sandbox when addr is the cloud's, which is served on
// port 443 alone, to a simulated instance when addr is its address (on Google
// Cloud, and port 22 alone), else to where addr says, but never to the metadata
// and credential services of this machine. It fits wherever
// net.Dialer.DialContext does.
func (c *Cloud) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if !c.domains.have(host) {
		if c.instance != nil {
			if link, ours, err := c.instance(ctx, addr); ours {
				if err != nil {
					err = fmt.Errorf("dial %s: %w", addr, err)
				}
				return link, err
			}
		}
		return (&net.Dialer{Control: guard}).DialContext(ctx, network, addr)
	}
	if port != "443" {
		return nil, fmt.Errorf("dial %s: the embedded sandbox serves the cloud's hosts on port 443 only: use https", addr)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", c.address)
}

// RootCAs trusts the sandbox's own authority besides the system's. The
// authority's key is in memory only, and it can certify nothing but the cloud's
// domains.
func (c *Cloud) RootCAs() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AddCert(c.ca.root)
	return pool
}

// CertPEM is the certificate of the sandbox's authority, for clients that are
// not part of this process.
func (c *Cloud) CertPEM() []byte { return c.ca.pem() }

// Addr is where the service listens.
func (c *Cloud) Addr() string { return c.address }

// Tenant is the directory of an Azure subscription.
func (c *Cloud) Tenant() string { return c.tenant }

// Account is the account, project or subscription that everything lives in.
func (c *Cloud) Account() string { return c.account }

// Region is the region that clients should use.
func (c *Cloud) Region() string { return c.region }

// Operator gives the credentials of an administrator: on AWS an access key's id
// and its secret, on Google Cloud an access token alone, on Azure a client's id
// and its secret. They are made anew at
// each start, and the state does not show him.
func (c *Cloud) Operator() (id, secret string) { return c.access[0], c.access[1] }

// Snapshot keeps the whole account as it is, and gives the name to restore it
// by.
func (c *Cloud) Snapshot(ctx context.Context) (id string, err error) { return c.world.Snapshot(ctx) }

// Restore brings the account back to a snapshot, IAM included, at once. It can
// be repeated, in any order. Sessions stay valid as long as their role or
// service account exists.
func (c *Cloud) Restore(ctx context.Context, id string) error { return c.world.Restore(ctx, id) }

// UnknownRequest is a request that the gate has no row for.
type UnknownRequest = ledger.Unknown

// Unknown lists the requests that were answered with 501, because the gate
// cannot tell what the cloud would check. A run that has any proves nothing.
func (c *Cloud) Unknown() []UnknownRequest { return c.ledger.Unknown() }

// Problems lists what kept the sandbox from answering as the cloud would: a
// policy that it cannot evaluate, state that failed. Each was answered with
// 500, and none was let through.
func (c *Cloud) Problems() []error { return c.ledger.Problems() }

// Count is how often an operation was asked for and let through, and how often
// refused.
type Count = ledger.Count

// Stats counts the requests that were authenticated and known, by operation:
// "ec2:CreateVpc".
func (c *Cloud) Stats() map[string]Count { return c.ledger.Stats() }

// Close ends the service and the state. Nothing is left behind.
func (c *Cloud) Close() error { return errors.Join(c.hangUp(), c.close()) }

// hangUp ends the service.
func (c *Cloud) hangUp() error {
	err := c.server.Close()
	served := <-c.served
	c.served <- http.ErrServerClosed // for whoever closes again
	if !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
