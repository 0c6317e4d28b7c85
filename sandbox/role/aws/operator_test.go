package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	auditaws "github.com/whittle-iam/whittle/sandbox/audit/aws"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// trail is one that the account's log is read from as well.
var trail = auditaws.Trail{Bucket: "acme-trail", Prefix: "logs"}

// plain makes a user with exactly the set, and gives the configuration of an operator
// who is that user, for a stack of his own.
func plain(t *testing.T, cfg Config, name string, s grant.Set) Config {
	t.Helper()
	ctx, api := t.Context(), iam.NewFromConfig(cfg.SDK)
	if _, err := api.CreateUser(ctx, &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	var all []grant.Grant
	for g := range s.All() {
		g.Resource = strings.ReplaceAll(g.Resource, "{account}", "123456789012")
		all = append(all, g)
	}
	document, err := policy.FromSet(grant.Of(all...)).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: awssdk.String("operator"), PolicyDocument: awssdk.String(string(document))}); err != nil {
		t.Fatal(err)
	}
	key, err := api.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	cfg.SDK = cfg.SDK.Copy()
	cfg.SDK.Credentials = sdkcredentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	cfg.SDK.Retryer = func() awssdk.Retryer { return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 2 }) }
	cfg.Stack, cfg.Poll.Limit, cfg.Poll.InARow = name, time.Second, 1
	return cfg
}

// large is a set that takes a managed policy beside the inline one.
func large(n int) grant.Set {
	var all []grant.Grant
	for i := range 260 {
		all = append(all, grant.Grant{Permission: "s3:GetBucketAcl", Resource: fmt.Sprintf("arn:aws:s3:::%s-%d-%03d", strings.Repeat("x", 40), n, i)})
	}
	return grant.Of(all...)
}

// work is all that Whittle asks of an operator: what he holds, a run with a reference
// and with a role that grows large, its events, and cleaning up after it and after a
// run that was killed.
func work(ctx context.Context, admin, cfg Config) error {
	// Another operator has made the role: its trust is changed.
	theirs := admin
	theirs.Stack = cfg.Stack
	if other, err := Open(ctx, theirs); err != nil {
		return err
	} else if _, err := other.Acquire(ctx, "step"); err != nil {
		return err
	}
	p, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := p.Target(ctx); err != nil {
		return err
	}
	if _, err := p.Lacks(ctx, Needs()); err != nil {
		return err
	}
	if _, err := p.Left(ctx); err != nil {
		return err
	}
	if q, err := p.Quotas(ctx); err != nil {
		return err
	} else if q.Roles < 1 || q.MaxRoles < q.Roles || q.MaxPolicies < q.Policies || q.MaxPolicies == 0 || q.MaxAttached == 0 {
		return fmt.Errorf("quotas %+v", q)
	}
	if _, err := p.Acquire(ctx, "step"); err != nil {
		return err
	}
	id, err := p.Acquire(ctx, "other")
	if err != nil {
		return err
	}
	if err := id.Role.Settle(ctx, grant.Everything()); err != nil {
		return err
	}
	for n := range 6 { // a policy keeps five versions
		if err := id.Role.Put(ctx, large(n)); err != nil {
			return err
		}
	}
	if err := id.Role.Put(ctx, grant.Of(grant.Grant{Permission: "s3:ListAllMyBuckets", Resource: "*"})); err != nil {
		return err
	}
	log := auditaws.New(cfg.SDK, trail)
	if _, err := log.Read(ctx, []string{id.Principal}, time.Now().Add(-time.Second), time.Now()); err != nil {
		return err
	}
	if _, err := log.Others(ctx, []string{id.Principal}); err != nil {
		return err
	}
	if _, err := p.Decode(ctx, "none"); err != nil && strings.Contains(err.Error(), "not authorized") {
		return err
	}
	if err := p.Release(ctx); err != nil {
		return err
	}
	_, err = Clean(ctx, cfg, true)
	return err
}

// The operator's role is sufficient, and no action in it can be left out: what is
// missing is named, by what fails and by IAM's simulation before it.
func TestOperator(t *testing.T) {
	_, admin := startEmbedded(t, embedded.Config{TrailBucket: trail.Bucket, TrailPrefix: trail.Prefix})
	needs := Needs().Union(trail.Needs())
	all := plain(t, admin, "all", needs)
	if err := work(t.Context(), admin, all); err != nil {
		t.Errorf("with all of it: %v", err)
	}
	if p, err := Open(t.Context(), all); err != nil {
		t.Error(err)
	} else if lacks, err := p.Lacks(t.Context(), needs); err != nil || len(lacks) > 0 {
		t.Errorf("with all of it the operator is said to lack %q, %v", lacks, err)
	}
	for i, g := range needs.Slice() {
		cfg := plain(t, admin, fmt.Sprintf("without-%d", i), needs.Without(g))
		if g.Permission != "iam:SimulatePrincipalPolicy" {
			p, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if lacks, err := p.Lacks(t.Context(), needs); err != nil || !slices.Equal(lacks, []string{g.Permission}) {
				t.Errorf("without %s the operator is said to lack %q, %v", g.Permission, lacks, err)
			}
		}
		if err := work(t.Context(), admin, cfg); err == nil || !strings.Contains(err.Error(), g.Permission) {
			t.Errorf("without %s: %v", g.Permission, err)
		}
	}
}
