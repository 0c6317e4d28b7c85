// Package canary finds out when a change of a role has reached every place: it
// makes calls that change nothing, as the role, until their answers show that
// nothing but what the role should hold is in force.
//
// IAM is eventually consistent and names no upper bound, so that no fixed wait
// is enough, and one answer is no evidence.
package canary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy"
	"github.com/whittle-iam/whittle/harness/policy/evaluate"
	"github.com/whittle-iam/whittle/sandbox/role/aws/owned"
)

// Canary is a call that changes nothing, whose permission has no resource,
// and which no resource's own policy can allow.
type Canary struct {
	Permission string
	Call       func(context.Context, awssdk.Config) error
}

// All gives the canaries in the order in which they are tried.
func All() []Canary { return slices.Clone(canaries) }

// canaries: those of a region come first, since it is there that most of a
// step's own requests are decided.
var canaries = []Canary{
	{"sqs:ListQueues", func(ctx context.Context, c awssdk.Config) error {
		_, err := sqs.NewFromConfig(c).ListQueues(ctx, &sqs.ListQueuesInput{MaxResults: awssdk.Int32(1)})
		return err
	}},
	{"kms:ListAliases", func(ctx context.Context, c awssdk.Config) error {
		_, err := kms.NewFromConfig(c).ListAliases(ctx, &kms.ListAliasesInput{Limit: awssdk.Int32(1)})
		return err
	}},
	{"iam:GetAccountSummary", func(ctx context.Context, c awssdk.Config) error {
		_, err := iam.NewFromConfig(c).GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
		return err
	}},
	{"iam:ListAccountAliases", func(ctx context.Context, c awssdk.Config) error {
		_, err := iam.NewFromConfig(c).ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
		return err
	}},
}

// Settler settles one role.
type Settler struct {
	// Role names it in errors.
	Role string
	// Put makes a set the role's whole content.
	Put func(context.Context, grant.Set) error
	// SDK makes the canaries' calls, as the role: with its credentials.
	SDK  awssdk.Config
	Poll Poll
	// Log may be nil.
	Log *slog.Logger
}

// Settle puts s and waits until the cloud shows that nothing else is in force,
// and that s is: the emptied role's canary is refused; with the canary's
// permission beside s, in the same document, it is let through; without it,
// it is refused again. Each is seen several times in a row. If s itself lets
// every canary through, the emptied role is refused and s is let through.
//
// An [UnsettledError] says what was seen instead, an error of Put is returned
// as it is.
func (r Settler) Settle(ctx context.Context, s grant.Set) error {
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	var unusable error
	for _, c := range canaries {
		if touches(s, c.Permission) {
			continue
		}
		err := r.settleBeside(ctx, s, c)
		if u := (*unusableError)(nil); errors.As(err, &u) {
			unusable = errors.Join(unusable, u)
			continue
		}
		return err
	}
	for _, c := range canaries {
		if !allows(s, c.Permission) {
			continue
		}
		err := r.settleWithin(ctx, s, c)
		if u := (*unusableError)(nil); errors.As(err, &u) {
			unusable = errors.Join(unusable, u)
			continue
		}
		return err
	}
	if unusable == nil {
		return fmt.Errorf("role %s: settle: the set covers a part of every canary's permission, so that none can tell it from another", r.Role)
	}
	return fmt.Errorf("role %s: settle: no canary can be used: %w", r.Role, unusable)
}

func (r Settler) settleBeside(ctx context.Context, s grant.Set, c Canary) error {
	if err := r.Put(ctx, grant.Set{}); err != nil {
		return err
	}
	if err := r.look(ctx, c, false); err != nil {
		return err
	}
	// Also of an empty set: that a canary is refused which the role may never
	// have held does not show that what it did hold is gone.
	if err := r.Put(ctx, s.With(grant.Grant{Permission: c.Permission, Resource: "*"})); err != nil {
		return err
	}
	if err := r.look(ctx, c, true); err != nil {
		return err
	}
	if err := r.Put(ctx, s); err != nil {
		return err
	}
	return r.look(ctx, c, false)
}

// Swap puts s in place of what the role holds, and waits until it is in force
// where the canary's calls are decided: with the canary's permission beside s,
// in the same document, it is let through. Unlike Settle it never empties the
// role, and so does not disturb who works under it; and it looks from one place
// only. Where no canary can tell, it is Settle.
func (r Settler) Swap(ctx context.Context, s grant.Set) error {
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	for _, c := range canaries {
		if touches(s, c.Permission) {
			continue
		}
		err := r.swapBeside(ctx, s, c)
		if u := (*unusableError)(nil); errors.As(err, &u) {
			continue
		}
		return err
	}
	return r.Settle(ctx, s)
}

func (r Settler) swapBeside(ctx context.Context, s grant.Set, c Canary) error {
	// What is left in force of the swap before this one would be taken for it.
	if err := r.look(ctx, c, false); err != nil {
		return err
	}
	if err := r.Put(ctx, s.With(grant.Grant{Permission: c.Permission, Resource: "*"})); err != nil {
		return err
	}
	if err := r.look(ctx, c, true); err != nil {
		return err
	}
	return r.Put(ctx, s)
}

func (r Settler) settleWithin(ctx context.Context, s grant.Set, c Canary) error {
	if err := r.Put(ctx, grant.Set{}); err != nil {
		return err
	}
	if err := r.look(ctx, c, false); err != nil {
		return err
	}
	if err := r.Put(ctx, s); err != nil {
		return err
	}
	return r.look(ctx, c, true)
}

// touches tells whether a grant of s is of the permission, on any resource.
func touches(s grant.Set, permission string) bool {
	var anywhere []grant.Grant
	for _, p := range s.Permissions() {
		anywhere = append(anywhere, grant.Grant{Permission: p, Resource: "*"})
	}
	return allows(grant.Of(anywhere...), permission)
}

func allows(s grant.Set, permission string) bool {
	d, err := evaluate.Documents([]policy.Document{policy.FromSet(s)}, evaluate.Request{Action: permission, Resource: "*"})
	return err == nil && d == evaluate.Allow
}

// sight is what one call of a canary showed.
type sight int

const (
	unclear sight = iota // throttled, broken, not authenticated yet: look again
	let                  // let through
	refused              // refused for want of a permission of the role
	useless              // nothing that the role holds can change the answer
)

// sighted reads a canary's error.
func sighted(err error) sight {
	if err == nil {
		return let
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unclear
	}
	if owned.IsRefused(err) {
		// The reason is named since 2021 (IAM user guide,
		// troubleshoot_access-denied). Refused by something else than the role's
		// own policies, the canary would be refused whatever these hold.
		m := api.ErrorMessage()
		if strings.Contains(m, "explicit deny") || strings.Contains(m, "because no ") && !strings.Contains(m, "because no identity-based policy") {
			return useless
		}
		return refused
	}
	switch api.ErrorCode() {
	case "InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled", "ServiceUnavailable":
		return unclear
	}
	var reply *smithyhttp.ResponseError
	if errors.As(err, &reply) && reply.HTTPStatusCode() >= 500 && reply.HTTPStatusCode() != http.StatusNotImplemented {
		return unclear
	}
	return useless
}

// Refused tells whether a canary's error shows that the role lacks its
// permission.
func Refused(err error) bool { return sighted(err) == refused }

// unusableError says that a canary cannot serve as one here.
type unusableError struct {
	permission string
	err        error
}

func (e *unusableError) Error() string { return fmt.Sprintf("%s: %v", e.permission, e.err) }
func (e *unusableError) Unwrap() error { return e.err }

// look calls the canary as the identity until it was allowed, or refused,
// several times in a row.
func (r Settler) look(ctx context.Context, c Canary, allowed bool) error {
	poll, want := r.Poll.Or(Usual()), refused
	if allowed {
		want = let
	}
	// One look is one call: what a retry would hide is what is looked for.
	cfg := r.SDK.Copy()
	cfg.Retryer = func() awssdk.Retryer { return awssdk.NopRetryer{} }

	start, wait := time.Now(), poll.Backoff()
	seen, inARow := "", 0
	for {
		err := c.Call(ctx, cfg)
		if ctx.Err() != nil {
			return fmt.Errorf("role %s: settle: %w", r.Role, context.Cause(ctx))
		}
		pause := poll.Initial
		switch got := sighted(err); got {
		case useless:
			return &unusableError{c.Permission, err}
		case want:
			if inARow++; inARow >= poll.InARow {
				r.Log.Debug("settled", "role", r.Role, "canary", c.Permission, "allowed", allowed, "after", time.Since(start))
				return nil
			}
		default:
			inARow, seen = 0, "let through"
			if err != nil {
				seen = err.Error()
			}
			if pause = wait.NextBackOff(); pause == backoff.Stop {
				e := &UnsettledError{Role: r.Role, Canary: c.Permission, Want: "refused", Seen: seen, Waited: time.Since(start)}
				if allowed {
					e.Want = "allowed"
				}
				return e
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
	Want   string // "refused" or "allowed"
	Seen   string // the last reply
	Waited time.Duration
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("role %s: %s should be %s, and after %s is not: last seen: %s; look for other policies on the role, a boundary or a service control policy",
		e.Role, e.Canary, e.Want, e.Waited.Round(time.Second), e.Seen)
}
