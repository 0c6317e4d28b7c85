package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	auditgcp "github.com/whittle-iam/whittle/sandbox/audit/gcp"
	"github.com/whittle-iam/whittle/sandbox/decoy/google"
	"github.com/whittle-iam/whittle/sandbox/embedded"
	rolegcp "github.com/whittle-iam/whittle/sandbox/role/gcp"
)

// onGCP is the operator of a project of Google Cloud.
type onGCP struct {
	project, region string
	http            *http.Client // shows the operator's token
	plain           *http.Client // leads to the same cloud and shows none
}

// gcpOperator finds the operator's Application Default Credentials.
func gcpOperator(ctx context.Context, s lifecycle.Sandbox) (operator, error) {
	client, _, err := htransport.NewClient(ctx, option.WithScopes(
		"https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/userinfo.email")) // of an account's key
	if err != nil {
		return nil, fmt.Errorf("the operator's Application Default Credentials: %w; log in with `gcloud auth application-default login`", err)
	}
	return onGCP{project: s.Project, region: s.Region, http: client, plain: &http.Client{}}, nil
}

func embeddedGCP(cloud *embedded.Cloud) operator {
	token, _ := cloud.Operator()
	plain := clientOf(cloud)
	return onGCP{project: cloud.Account(), region: cloud.Region(), plain: plain, http: &http.Client{Transport: shows{token, plain.Transport}}}
}

// shows shows a token with every request.
type shows struct {
	token string
	inner http.RoundTripper
}

func (s shows) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+s.token)
	return s.inner.RoundTrip(r)
}

func (o onGCP) config(c poolConfig) rolegcp.Config {
	return rolegcp.Config{
		HTTP: o.http, Plain: o.plain, Project: o.project, Region: o.region, Files: c.files, Stack: c.stack, RunID: c.run, Announce: c.announce, Log: c.log,
		Poll: rolegcp.Poll{Initial: c.wait.initial, Max: c.wait.max, Limit: c.wait.limit},
	}
}

func (o onGCP) pool(ctx context.Context, c poolConfig) (identities, error) {
	pool, err := rolegcp.Open(ctx, o.config(c))
	if err != nil {
		return nil, err
	}
	return pool, nil
}

// decoys are those of the project, for a lifecycle that asks for a scope.
func (o onGCP) decoys(_ lifecycle.Lifecycle, at record.Place) harness.Decoys {
	return &google.Decoys{HTTP: o.http, Plain: o.plain, Project: at.Account, Number: at.Number}
}

func (o onGCP) clean(ctx context.Context, c poolConfig, purge bool) (emptied, deleted []string, err error) {
	report, err := rolegcp.Clean(ctx, o.config(c), purge)
	return report.Emptied, report.Deleted, err
}

func (o onGCP) witness(lifecycle.Trail) (log auditLog, soon, late time.Duration) {
	return auditgcp.Log{HTTP: o.http, Project: o.project}, auditgcp.Usual, auditgcp.Latest
}
