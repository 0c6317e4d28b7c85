package aws

import (
	"context"
	"net/http"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/roletest"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

func startEmbedded(t *testing.T, c embedded.Config) (*embedded.Cloud, Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs moto")
	}
	cloud, err := embedded.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, u := range cloud.Unknown() {
			t.Errorf("the sandbox does not know %v", u)
		}
		for _, p := range cloud.Problems() {
			t.Errorf("the sandbox had a problem: %v", p)
		}
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	id, secret := cloud.Operator()
	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DialContext = cloud.Dial
		tr.TLSClientConfig.RootCAs = cloud.RootCAs()
		tr.Proxy = nil
	})
	return cloud, Config{Stack: "conformance", RunID: "1", Poll: Poll{Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond, Limit: time.Minute},
		SDK: awssdk.Config{Region: cloud.Region(), HTTPClient: client, Credentials: sdkcredentials.NewStaticCredentialsProvider(id, secret, "")}}
}

func TestConformanceEmbedded(t *testing.T) {
	_, cfg := startEmbedded(t, embedded.Config{Propagation: 50 * time.Millisecond})
	roletest.Run(t, suite(cfg, 30*time.Second))

	// What is left is removed, by its tags.
	report, err := Clean(t.Context(), cfg, true)
	if err != nil || len(report.Deleted) == 0 || len(report.Emptied) != 0 {
		t.Errorf("clean: %+v, %v", report, err)
	}
	if again, err := Clean(t.Context(), cfg, true); err != nil || len(again.Deleted) != 0 {
		t.Errorf("clean again: %+v, %v", again, err)
	}
}

// With the gate open nothing is refused, and Settle must not believe it.
func TestSettleOpenGate(t *testing.T) {
	_, cfg := startEmbedded(t, embedded.Config{Open: true})
	cfg.Poll.Limit = 200 * time.Millisecond
	id := acquireIn(t, cfg, "open")
	if err := id.Role.Settle(t.Context(), many(0, 1)); err == nil {
		t.Error("settled where everything is let through")
	}
}

// An identity outlives a snapshot that comes back: its role was in it.
func TestRestoreEmbedded(t *testing.T) {
	cloud, cfg := startEmbedded(t, embedded.Config{})
	s := suite(cfg, 10*time.Second)
	id := acquireIn(t, cfg, "restore")
	one, all := grant.Of(s.Grants[0]), grant.Of(s.Grants...)
	if err := id.Role.Put(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	snapshot, err := cloud.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []grant.Set{all.Union(many(0, 40)), all, {}} {
		if err := id.Role.Put(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		if err := cloud.Restore(t.Context(), snapshot); err != nil {
			t.Fatal(err)
		}
		for _, g := range s.Grants {
			if err := s.Act(t.Context(), id, g); (err == nil) != one.Has(g) {
				t.Errorf("after restoring: %v: %v", g, err)
			}
		}
		if err := id.Role.Settle(t.Context(), all.Union(many(0, 40))); err != nil {
			t.Fatal(err)
		}
		for _, g := range s.Grants {
			if err := s.Act(t.Context(), id, g); err != nil {
				t.Errorf("after settling: %v: %v", g, err)
			}
		}
	}
}

func acquireIn(t *testing.T, cfg Config, name string) harness.Identity {
	t.Helper()
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Release(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return acquire(t, p, name)
}
