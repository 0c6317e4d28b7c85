// Package settle says how it is waited until a change has reached every place, and
// finds out when a change of a role is in force everywhere, for clouds in which the
// identity itself can be asked what it holds: Google Cloud and Azure. A canary, a
// permission that is never used, is put beside a set and taken away again, and asked for
// until the answers agree.
//
// It makes no requests of its own, and knows no cloud.
package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Poll says how to wait until a change has reached every place. What is 0 is left
// to the cloud's own default.
type Poll struct {
	// Initial is the time between the first two looks, and between those that
	// confirm. Max is where growing waits end.
	Initial, Max time.Duration
	// Limit ends a wait without success.
	Limit time.Duration
	// InARow is how many looks in a row must agree.
	InARow int
}

// Or is p with what it leaves open from d.
func (p Poll) Or(d Poll) Poll {
	if p.Initial <= 0 {
		p.Initial = d.Initial
	}
	if p.Max <= 0 {
		p.Max = d.Max
	}
	if p.Limit <= 0 {
		p.Limit = d.Limit
	}
	if p.InARow <= 0 {
		p.InARow = d.InARow
	}
	return p
}

// Backoff gives the waits between looks that do not agree.
func (p Poll) Backoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.Initial), backoff.WithMaxInterval(p.Max), backoff.WithMaxElapsedTime(p.Limit))
}

// Settler settles one role.
type Settler struct {
	// Role names it in errors: "role projects/p/roles/r".
	Role string
	// Canaries are permissions whose being held can be asked for, and that are never
	// used.
	Canaries []string
	// Put makes a set the role's whole content.
	Put func(context.Context, grant.Set) error
	// Ask asks as the identity whether it holds the canary. An error is asked about
	// again, one that is a [backoff.PermanentError] ends it.
	Ask  func(ctx context.Context, canary string) (held bool, err error)
	Poll Poll
	// Advice says what else can decide what the identity holds.
	Advice string
	Log    *slog.Logger
}

// Settle puts s and waits until the cloud shows that s is in force, and nothing
// else: with a canary beside s, in the same role, the identity holds it; and then,
// without, it does not. A set that has all canaries is put after the empty one
// instead, and seen by its own. Each is seen several times in a row. Another
// service may still go by an older answer of its own for a while.
func (r Settler) Settle(ctx context.Context, s grant.Set) error {
	i := slices.IndexFunc(r.Canaries, func(c string) bool { return !slices.Contains(s.Permissions(), c) })
	if i < 0 || s.HasEverything() {
		if err := r.show(ctx, grant.Set{}, r.Canaries[0], false); err != nil {
			return err
		}
		return r.show(ctx, s, r.Canaries[0], true)
	}
	// What was in force before may have held the canary or not: seen and then
	// gone, it shows what came after.
	beside := s.With(grant.Grant{Permission: r.Canaries[i], Resource: "*"})
	if err := r.show(ctx, beside, r.Canaries[i], true); err != nil {
		return err
	}
	return r.show(ctx, s, r.Canaries[i], false)
}

// show puts s and looks for what comes with it.
func (r Settler) show(ctx context.Context, s grant.Set, canary string, held bool) error {
	if err := r.Put(ctx, s); err != nil {
		return err
	}
	return r.look(ctx, canary, held)
}

// look asks whether the canary is held, until the answer was the wanted one
// several times in a row.
func (r Settler) look(ctx context.Context, canary string, held bool) error {
	start, wait := time.Now(), r.Poll.Backoff()
	seen, inARow := "", 0
	for {
		got, err := r.Ask(ctx, canary)
		if ctx.Err() != nil {
			return fmt.Errorf("%s: settle: %w", r.Role, context.Cause(ctx))
		}
		if permanent := (*backoff.PermanentError)(nil); errors.As(err, &permanent) {
			return permanent.Err
		}
		pause := r.Poll.Initial
		if err == nil && got == held {
			if inARow++; inARow >= r.Poll.InARow {
				r.Log.Debug("settled", "role", r.Role, "canary", canary, "held", held, "after", time.Since(start))
				return nil
			}
		} else {
			inARow, seen = 0, fmt.Sprintf("held %v", got)
			if err != nil {
				seen = err.Error()
			}
			if pause = wait.NextBackOff(); pause == backoff.Stop {
				return &UnsettledError{Role: r.Role, Canary: canary, Held: held, Seen: seen, Waited: time.Since(start), Advice: r.Advice}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// UnsettledError says that the cloud did not come to show what a role holds.
type UnsettledError struct {
	Role   string
	Canary string // the permission that was looked at
	Held   bool   // whether it should be held
	Seen   string // the last answer
	Waited time.Duration
	Advice string
}

func (e *UnsettledError) Error() string {
	should := "not be held"
	if e.Held {
		should = "be held"
	}
	return fmt.Sprintf("%s: %s should %s, and after %s: %s; %s", e.Role, e.Canary, should, e.Waited.Round(time.Second), e.Seen, e.Advice)
}

// Transient tells whether an error with this status may go away by itself: a token
// of an identity that was just made is not taken everywhere at once.
func Transient(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 && status != http.StatusNotImplemented
}
