// Package hold is how long a client may be kept waiting for a reply, when within
// that time its request may be sent again, and what the client is told when the
// time is spent.
package hold

import (
	"context"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	short = 45 * time.Second
	long  = 100 * time.Second
)

// Default is how long a client with this User-Agent is kept waiting for a
// reply. botocore's reads time out after 60 s; the AWS SDKs for Go and
// Google's Go clients set no limit of their own, and their callers wait longer
// than the 100 s given here.
func Default(userAgent string) time.Duration {
	ua := strings.ToLower(userAgent)
	// botocore first: what wraps it may name other things, too.
	for _, name := range []string{"botocore", "boto3", "aws-cli"} {
		if strings.Contains(ua, name) {
			return short
		}
	}
	for _, name := range []string{"aws-sdk-go", "terraform", "opentofu", "google-api-go-client", "gcloud-golang", "grpc-go"} {
		if strings.Contains(ua, name) {
			return long
		}
	}
	return short
}

// Hold is the time that one request may be held, and the waits within it.
type Hold struct {
	// End is when the client has its reply.
	End  time.Time
	last time.Time // no repeat starts after it
	wait *backoff.ExponentialBackOff
}

// New is a hold of d from start. In its last quarter, at most the last ten
// seconds, no repeat starts: it needs time for its own answer.
func New(start time.Time, d time.Duration) *Hold {
	// A repeat needs time for its own answer before the client gives up.
	reserve := 10 * time.Second
	if d < 4*reserve {
		reserve = d / 4
	}
	return &Hold{
		End:  start.Add(d),
		last: start.Add(d - reserve),
		wait: backoff.NewExponentialBackOff(
			// A cloud where a grant is in force at once is asked at once, and one
			// that takes seconds no more often than by smaller steps from later on.
			backoff.WithInitialInterval(20*time.Millisecond),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0.2),
			// With the randomization on top no wait is longer than 3 s.
			backoff.WithMaxInterval(2500*time.Millisecond),
			backoff.WithMaxElapsedTime(0), // last ends it
		),
	}
}

// Next waits before the next repeat; false means that none may start any more
// or that ctx ended.
func (h *Hold) Next(ctx context.Context) bool {
	d := h.wait.NextBackOff()
	if time.Now().Add(d).After(h.last) {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
