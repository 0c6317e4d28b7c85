package aws

import (
	"context"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/sandbox/role/aws/endpoint"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
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

// credentials are those of one identity. They are in memory only, and a child
// process fetches them from the pool's endpoint.
type credentials struct {
	pool  *Pool
	name  string // the identity
	arn   string // the role
	token string // what the child shows to fetch them
	// session begins the name of the sessions.
	session string
	// kind is what a new key is announced as, before it is used; empty: it is not.
	kind string

	mu      sync.Mutex
	current awssdk.Credentials
	issued  map[string]bool
}

func newCredentials(p *Pool, name, arn string) (*credentials, error) {
	token, err := endpoint.NewToken()
	if err != nil {
		return nil, err
	}
	return &credentials{pool: p, name: name, arn: arn, token: token, session: "whittle-", issued: map[string]bool{}}, nil
}

// Env gives the environment with which every AWS SDK fetches the credentials
// from the loopback endpoint (SDKs and tools reference guide, "Container
// credential provider"), and finds nothing of the operator's own.
func (c *credentials) Env(ctx context.Context) (map[string]string, error) {
	if _, err := c.Retrieve(ctx); err != nil { // here, not as a riddle in the child
		return nil, err
	}
	address, err := c.pool.server.Serve(ctx, endpoint.Identity{Name: c.name, RoleARN: c.arn, Token: c.token, Credentials: c})
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

// Is tells whether a refusal's principal is this identity: its role, or a
// session of it (IAM identifiers, "arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION",
// which leaves out the role's path). A principal that is no ARN says too little
// to be somebody else.
func (c *credentials) Is(principal string) bool {
	if !strings.HasPrefix(principal, "arn:") || principal == c.arn {
		return true
	}
	role := strings.SplitN(c.arn, ":", 6)
	asked := strings.SplitN(principal, ":", 6)
	if len(role) != 6 || len(asked) != 6 || asked[1] != role[1] || asked[2] != "sts" || asked[4] != role[4] {
		return false
	}
	return strings.HasPrefix(asked[5], "assumed-role/"+path.Base(role[5])+"/")
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
		RoleArn: &c.arn, RoleSessionName: awssdk.String(owned.Slug(c.session+c.pool.cfg.RunID, 64)),
		DurationSeconds: awssdk.Int32(int32(sessionLength / time.Second)),
	})
	if err != nil {
		return awssdk.Credentials{}, c.pool.own.Explain("assume role "+c.arn, "sts:AssumeRole on it (AWS lets no root user assume a role)", err)
	}
	if c.kind != "" {
		if err := c.pool.own.Announce.Tell(c.kind, awssdk.ToString(out.Credentials.AccessKeyId)); err != nil {
			return awssdk.Credentials{}, err
		}
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
		if err != nil && !owned.IsRefused(err) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(c.pool.cfg.Poll.Backoff(), ctx))
}
