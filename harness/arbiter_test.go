package harness

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/journal"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestLeast(t *testing.T) {
	a, b := Entry{Class: "A"}, Entry{Class: "B"}
	guess := Entry{Class: "A", Guess: true}
	tests := []struct{ there, e, want Entry }{{a, b, a}, {b, a, a}, {b, guess, b}, {guess, b, b}}
	for _, tt := range tests {
		if got := least(map[grant.Grant]Entry{{}: tt.there}, tt.e); got != tt.want {
			t.Errorf("least of %+v and %+v is %+v", tt.there, tt.e, got)
		}
	}
	if got := least(nil, b); got != b {
		t.Errorf("least of nothing and %+v is %+v", b, got)
	}
}

// Only a reply that is no refusal shows that a request was let through.
func TestWhatCountsAsLetThrough(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   bool
	}{
		{200, "", true},
		{404, "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>", true},
		{403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", false},
		{403, "what is this", false},
		{400, "<Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>", false},
		{503, "", false},
		{0, "", false},
	}
	for _, tt := range tests {
		l := &loop{Config: Config{Journal: nowhere{}, Pool: nobody{}}}
		arb := l.newArbiter(t.Context(), lifecycle.Step{Name: "s"}, passGrow, hold, Identity{Credentials: nobody{}}, setOf(nil))
		x := refusal.Exchange{Method: "GET", URL: &url.URL{Scheme: "https", Host: "artifacts.s3.us-east-1.amazonaws.com", Path: "/k"},
			Header: http.Header{}, Reply: http.Header{}, Status: tt.status, ReplyBody: []byte(tt.body)}
		arb.Observed(x, 0)
		if got := len(arb.through) == 1; got != tt.want {
			t.Errorf("%d %s: let through %t", tt.status, tt.body, got)
		}
	}
}

type nowhere struct{}

func (nowhere) Append(journal.Event) error { return nil }

type nobody struct{ Pool }

func (nobody) Env(context.Context) (map[string]string, error) { return nil, nil }
func (nobody) Issued(string) bool                             { return true }
func (nobody) Is(string) bool                                 { return true }
