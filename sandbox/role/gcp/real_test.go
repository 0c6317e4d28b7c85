//go:build cloud

package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/roletest"
	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// TestConformanceReal runs the suite that the embedded sandbox passes on a real
// project, as whoever Application Default Credentials are for.
func TestConformanceReal(t *testing.T) {
	project := roletest.Place(t, "gcp")
	client, _, err := htransport.NewClient(t.Context(), option.WithScopes(scope, "https://www.googleapis.com/auth/userinfo.email"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Project: project, Stack: "conformance", RunID: "1", HTTP: client}
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	target, err := p.Target(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guard.Check(target, ""); err != nil {
		t.Fatal(err)
	}
	s := suite(nil, cfg)
	s.Patience = 10 * time.Minute
	s.Act = func(ctx context.Context, id harness.Identity, want grant.Grant) error {
		own := id.Credentials.(*Credentials)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf(acts[want.Permission], project), nil)
		if err != nil {
			return err
		}
		reply, err := own.client().Do(r)
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		switch reply.StatusCode {
		case http.StatusForbidden:
			return fmt.Errorf("%w: %s", roletest.ErrRefused, reply.Status)
		case http.StatusOK:
			return nil
		}
		return errors.New(reply.Status)
	}
	roletest.Run(t, s)
	if _, err := Clean(t.Context(), cfg, true); err != nil {
		t.Error(err)
	}
}
