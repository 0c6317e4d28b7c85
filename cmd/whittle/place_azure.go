package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	auditazure "github.com/whittle-iam/whittle/sandbox/audit/azure"
	"github.com/whittle-iam/whittle/sandbox/decoy/azure"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	roleazure "github.com/whittle-iam/whittle/sandbox/role/azure"
)

// onAzure is the operator of a subscription of Azure.
type onAzure struct {
	subscription string
	credential   azcore.TokenCredential
	http         *http.Client // nil leads to the real cloud
}

// azureOperator finds the operator's credentials as Microsoft's libraries do: in
// the environment, of a managed identity, of az.
func azureOperator(s lifecycle.Sandbox) (operator, error) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("the operator's Azure credentials: %w; log in with `az login`", err)
	}
	return onAzure{subscription: s.Subscription, credential: credential}, nil
}

func embeddedAzure(cloud *embedded.Cloud) (operator, error) {
	id, secret := cloud.Operator()
	client := clientOf(cloud)
	credential, err := azidentity.NewClientSecretCredential(cloud.Tenant(), id, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: client},
	})
	if err != nil {
		return nil, fmt.Errorf("the embedded sandbox's operator: %w", err)
	}
	return onAzure{subscription: cloud.Account(), credential: credential, http: client}, nil
}

func (o onAzure) config(c poolConfig) roleazure.Config {
	return roleazure.Config{
		Credential: o.credential, HTTP: o.http, Subscription: o.subscription, Stack: c.stack, RunID: c.run, Announce: c.announce, Log: c.log,
		Poll: roleazure.Poll{Initial: c.wait.initial, Max: c.wait.max, Limit: c.wait.limit},
	}
}

func (o onAzure) pool(ctx context.Context, c poolConfig) (identities, error) {
	pool, err := roleazure.Open(ctx, o.config(c))
	if err != nil {
		return nil, err
	}
	return pool, nil
}

// decoys are those of the subscription, for a lifecycle that asks for a scope.
func (o onAzure) decoys(_ lifecycle.Lifecycle, at record.Place) harness.Decoys {
	client := o.http
	if client == nil {
		client = &http.Client{}
	}
	operator := func(ctx context.Context, host string) (string, error) {
		scope, ok := roleazure.Scope(host)
		if !ok {
			return "", errors.New("no token is for " + host)
		}
		t, err := o.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
		return t.Token, err
	}
	return &azure.Decoys{HTTP: client, Operator: operator, Subscription: at.Account}
}

func (o onAzure) clean(ctx context.Context, c poolConfig, purge bool) (emptied, deleted []string, err error) {
	report, err := roleazure.Clean(ctx, o.config(c), purge)
	return report.Emptied, report.Deleted, err
}

func (o onAzure) witness(lifecycle.Trail) (log auditLog, soon, late time.Duration) {
	return auditazure.Log{Credential: o.credential, HTTP: o.http, Subscription: o.subscription}, auditazure.Usual, auditazure.Latest
}
