package settle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/harness/grant"
)

// place is a cloud in which a change is in force after lag.
type place struct {
	lag     time.Duration
	held    []grant.Set
	at      []time.Time
	failing error // what the first looks end with
	fails   int
}

func (p *place) put(_ context.Context, s grant.Set) error {
	p.held, p.at = append(p.held, s), append(p.at, time.Now().Add(p.lag))
	return nil
}

func (p *place) ask(_ context.Context, canary string) (bool, error) {
	if p.fails > 0 {
		p.fails--
		return false, p.failing
	}
	var now grant.Set
	for i, s := range p.held {
		if !p.at[i].After(time.Now()) {
			now = s
		}
	}
	return slices.Contains(now.Permissions(), canary) || now.Has(grant.Grant{Permission: "*", Resource: "*"}), nil
}

func (p *place) settler() Settler {
	return Settler{Role: "role r", Canaries: []string{"a.b.list", "c.d.list"}, Put: p.put, Ask: p.ask, Advice: "look elsewhere", Log: slog.New(slog.DiscardHandler),
		Poll: Poll{}.Or(Poll{Initial: time.Second, Max: 10 * time.Second, Limit: 7 * time.Minute, InARow: 3})}
}

func TestSettle(t *testing.T) {
	one := grant.Of(grant.Grant{Permission: "x.y.get", Resource: "*"})
	all := one.With(grant.Grant{Permission: "a.b.list", Resource: "*"}).With(grant.Grant{Permission: "c.d.list", Resource: "*"})
	for name, s := range map[string]grant.Set{"one": one, "empty": {}, "every canary": all, "everything": grant.Everything()} {
		synctest.Test(t, func(t *testing.T) {
			p := &place{lag: time.Minute, failing: errors.New("throttled"), fails: 2}
			if err := p.settler().Settle(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			last := len(p.held) - 1
			if !p.held[last].Equal(s) || p.at[last].After(time.Now()) {
				t.Errorf("%s: the last put is %v, in force at %v; it is %v", name, p.held[last], p.at[last], time.Now())
			}
		})
	}
}

func TestNotSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var unsettled *UnsettledError
		p := &place{lag: time.Hour}
		if err := p.settler().Settle(t.Context(), grant.Set{}); !errors.As(err, &unsettled) || unsettled.Waited < 6*time.Minute || !unsettled.Held {
			t.Errorf("too slow: %v", err)
		}
		gone := errors.New("no such project")
		p = &place{failing: backoff.Permanent(gone), fails: 1}
		if err := p.settler().Settle(t.Context(), grant.Set{}); err != gone {
			t.Errorf("an error that stays: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p = &place{lag: time.Hour}
		if err := p.settler().Settle(ctx, grant.Set{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

func TestTransient(t *testing.T) {
	for status, want := range map[int]bool{200: false, 400: false, 401: true, 403: false, 404: false, 429: true, 500: true, 501: false, 503: true} {
		if Transient(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
}
