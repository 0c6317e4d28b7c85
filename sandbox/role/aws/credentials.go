package aws

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/cenkalti/backoff/v4"
)

const (
	// sessionLength is how long a session's credentials live: the most that STS
	// gives an operator who is a role itself (role chaining).
	sessionLength = time.Hour
	// freshLength is how long credentials that are handed out still live at
	// least. SDKs fetch new ones up to 15 minutes before the end (botocore's
	// advisory refresh), and must then get others.
	freshLength = 30 * time.Minute
)

// credentials are those of one identity. They are in memory only.
type credentials struct {
	pool  *Pool
	name  string // the identity
	arn   string // the role
	token string // what the child shows to fetch them

	mu      sync.Mutex
	current awssdk.Credentials
	issued  map[string]bool
}

func newCredentials(p *Pool, name, arn string) (*credentials, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("draw a random token: %w", err)
	}
	return &credentials{pool: p, name: name, arn: arn, token: hex.EncodeToString(secret), issued: map[string]bool{}}, nil
}

// Env gives the environment with which every AWS SDK fetches the credentials
// from the loopback endpoint (SDKs and tools reference guide, "Container
// credential provider"), and finds nothing of the operator's own.
func (c *credentials) Env(ctx context.Context) (map[string]string, error) {
	if _, err := c.Retrieve(ctx); err != nil { // here, not as a riddle in the child
		return nil, err
	}
	address, err := c.pool.server.serve(ctx, c)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": address,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN":  c.token,
		"AWS_REGION":                         c.pool.Region(),
		"AWS_DEFAULT_REGION":                 c.pool.Region(),
		"AWS_EC2_METADATA_DISABLED":          "true",
		"AWS_CONFIG_FILE":                    os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE":        os.DevNull,
	}, nil
}

// Issued tells whether the access key ID is of this identity.
func (c *credentials) Issued(accessKeyID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issued[accessKeyID]
}

// Retrieve gives credentials that live for another half hour at least. It
// makes *credentials an [awssdk.CredentialsProvider] for the canaries.
func (c *credentials) Retrieve(ctx context.Context) (awssdk.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Until(c.current.Expires) > freshLength {
		return c.current, nil
	}
	out, err := c.pool.sts.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: &c.arn, RoleSessionName: awssdk.String(slug("whittle-"+c.pool.cfg.RunID, 64)),
		DurationSeconds: awssdk.Int32(int32(sessionLength / time.Second)),
	})
	if err != nil {
		return awssdk.Credentials{}, c.pool.explain("assume role "+c.arn, "sts:AssumeRole on it (AWS lets no root user assume a role)", err)
	}
	c.current = awssdk.Credentials{
		AccessKeyID: awssdk.ToString(out.Credentials.AccessKeyId), SecretAccessKey: awssdk.ToString(out.Credentials.SecretAccessKey),
		SessionToken: awssdk.ToString(out.Credentials.SessionToken), CanExpire: true, Expires: awssdk.ToTime(out.Credentials.Expiration),
		Source: "whittle",
	}
	c.issued[c.current.AccessKeyID] = true
	return c.current, nil
}

// await retrieves the first credentials: a role that was just made is refused
// until STS has learnt of it.
func (c *credentials) await(ctx context.Context) error {
	return backoff.Retry(func() error {
		_, err := c.Retrieve(ctx)
		if err != nil && !isRefused(err) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(c.pool.cfg.Poll.backoff(), ctx))
}

func (p Poll) backoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.Initial), backoff.WithMaxInterval(p.Max), backoff.WithMaxElapsedTime(p.Limit))
}

// server is the loopback endpoint that child processes fetch credentials from.
// It listens from its first use until close.
type server struct {
	mu     sync.Mutex
	http   *http.Server
	done   chan error
	base   string
	served map[string]*credentials // by path
}

// serve gives the address at which c can be fetched.
func (s *server) serve(ctx context.Context, c *credentials) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("credentials endpoint: %w; child processes fetch their credentials from a port on 127.0.0.1", err)
		}
		s.base, s.served, s.done = "http://"+l.Addr().String(), map[string]*credentials{}, make(chan error, 1)
		s.http = &http.Server{Handler: http.HandlerFunc(s.handle), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
		go func(h *http.Server, done chan<- error) { done <- h.Serve(l) }(s.http, s.done)
	}
	s.served["/"+c.name] = c
	return s.base + "/" + url.PathEscape(c.name), nil
}

func (s *server) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	if served := <-s.done; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	s.http, s.served = nil, nil
	if err != nil {
		return fmt.Errorf("credentials endpoint: %w", err)
	}
	return nil
}

// handle answers in the form that the container credential provider reads.
func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	c := s.served[r.URL.Path]
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	reply := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
	}
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	switch {
	case r.Method != http.MethodGet:
		reply(http.StatusMethodNotAllowed, failure{"MethodNotAllowed", "only GET"})
	case c == nil || !equal(r.Header.Get("Authorization"), c.token):
		// One answer for both: who has no token learns no names.
		reply(http.StatusForbidden, failure{"Forbidden", "unknown identity or wrong token"})
	default:
		k, err := c.Retrieve(r.Context())
		if err != nil {
			c.pool.cfg.Log.Error("could not renew credentials", "identity", c.name, "error", err)
			reply(http.StatusBadGateway, failure{"AssumeRole", err.Error()})
			return
		}
		reply(http.StatusOK, map[string]string{
			"AccessKeyId": k.AccessKeyID, "SecretAccessKey": k.SecretAccessKey, "Token": k.SessionToken,
			"Expiration": k.Expires.UTC().Format(time.RFC3339), "RoleArn": c.arn,
		})
	}
}

// equal compares in a time that tells nothing of either, not even a length.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
