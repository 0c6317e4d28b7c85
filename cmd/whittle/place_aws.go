package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	auditaws "github.com/whittle-iam/whittle/sandbox/audit/aws"
	"github.com/whittle-iam/whittle/sandbox/decoy"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	roleaws "github.com/whittle-iam/whittle/sandbox/role/aws"
)

// onAWS is the operator of an AWS account.
type onAWS struct{ sdk aws.Config }

func awsOperator(ctx context.Context, s lifecycle.Sandbox) (operator, error) {
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
	if err != nil {
		return nil, fmt.Errorf("the operator's AWS configuration: %w", err)
	}
	return onAWS{sdk}, nil
}

func embeddedAWS(cloud *embedded.Cloud) operator {
	id, secret := cloud.Operator()
	return onAWS{aws.Config{
		Region:      cloud.Region(),
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
		HTTPClient:  clientOf(cloud),
	}}
}

func (o onAWS) config(c poolConfig) roleaws.Config {
	return roleaws.Config{
		SDK: o.sdk, Stack: c.stack, RunID: c.run, Announce: c.announce, Log: c.log,
		Poll: roleaws.Poll{Initial: c.wait.initial, Max: c.wait.max, Limit: c.wait.limit},
	}
}

func (o onAWS) pool(ctx context.Context, c poolConfig) (identities, error) {
	pool, err := roleaws.Open(ctx, o.config(c))
	if err != nil {
		return nil, err
	}
	return pool, nil
}

// decoys are those of the account, for a lifecycle that asks for scope or conditions.
func (o onAWS) decoys(lc lifecycle.Lifecycle, at record.Place) harness.Decoys {
	return &decoy.AWS{SDK: o.sdk, Account: at.Account, Owned: lc.OwnedByTag}
}

func (o onAWS) clean(ctx context.Context, c poolConfig, purge bool) (emptied, deleted []string, err error) {
	report, err := roleaws.Clean(ctx, o.config(c), purge)
	return report.Emptied, report.Deleted, err
}

func (o onAWS) witness(trail lifecycle.Trail) (log auditLog, soon, late time.Duration) {
	return auditaws.New(o.sdk, auditaws.Trail(trail)), auditaws.Usual, auditaws.Latest
}
