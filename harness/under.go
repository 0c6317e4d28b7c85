package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/harness/catalog/scope"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Scoper is a [Pool] of Azure that says on what its roles can be assigned.
type Scoper interface {
	// Scopes gives the ids of the resource groups that are in the subscription, and of
	// the resources in them.
	Scopes(ctx context.Context) ([]string, error)
}

// under grants on the scopes of a subscription that were there before the lifecycle was
// run.
type under struct {
	pool         Scoper
	subscription string
	ground       scope.Ground

	mu  sync.Mutex
	why map[string]map[string]bool // permission → why it is on the whole subscription

	asking sync.Mutex
	made   map[string]string // the end of an id → the id of what the lifecycle made
}

// placingOnAzure asks the pool, before the lifecycle has made anything.
func (l *loop) placingOnAzure(ctx context.Context) (*placing, error) {
	pool, ok := l.Pool.(Scoper)
	if !ok {
		return nil, errors.New("scope: resource: the roles of this sandbox cannot be assigned on less than the subscription")
	}
	if len(l.Known) > 0 && l.World == nil {
		return nil, errors.New("scope: resource: the interrupted run has made things that cannot be told from what was there before it; take them down, and run anew without --resume")
	}
	ids, err := pool.Scopes(ctx)
	if err != nil {
		return nil, fmt.Errorf("scope: resource: %w", err)
	}
	return &placing{azure: &under{pool: pool, subscription: l.Account, ground: scope.GroundOf(l.Account, ids), why: map[string]map[string]bool{}, made: map[string]string{}}}, nil
}

// place is where a permission is granted that was refused on the id.
func (u *under) place(permission, named string) (resource, condition string) {
	at, why := u.ground.Of(named)
	if why != "" {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.why[permission] == nil {
			u.why[permission] = map[string]bool{}
		}
		u.why[permission][why] = true
	}
	return at, ""
}

// located completes a refusal of a data plane that names no resource by whose host it
// was: the resource has the host to itself. What the lifecycle has made itself the pool
// is asked for, once.
func (p *placing) located(ctx context.Context, x refusal.Exchange, d refusal.Denial) refusal.Denial {
	if p == nil || p.azure == nil || d.Resource != "" || x.URL == nil {
		return d
	}
	u := p.azure
	end, ok := scope.Served(x.URL.Hostname())
	if !ok {
		return d
	}
	if d.Resource, ok = u.ground.Ending(end); ok {
		return d
	}
	u.asking.Lock()
	defer u.asking.Unlock()
	if d.Resource, ok = u.made[end]; ok {
		return d
	}
	// Without an answer it is granted on the subscription, as the reason says.
	if ids, err := u.pool.Scopes(ctx); err == nil {
		d.Resource, _ = scope.GroundOf(u.subscription, ids).Ending(end)
	}
	if d.Resource != "" {
		u.made[end] = d.Resource
	}
	return d
}

// candidate is the resource that what an opaque refusal may be about is looked at on.
func (p *placing) candidate(d refusal.Denial) string {
	if p == nil || p.azure == nil || d.Resource == "" {
		return scope.Everywhere
	}
	return d.Resource
}

// hinted are the rules for what a tool's output names. It can name a scope, which is as
// narrow as a refusal's would be; on Google Cloud it has no request to read one from.
func (p *placing) hinted(r Rules) Rules {
	if p != nil && p.azure != nil {
		r.Place = p.azure.place
	}
	return r
}

// reasons say why a permission is granted on the whole subscription.
func (u *under) reasons(permission string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(u.why[permission])), "; ")
}

// excuseOnAzure is [excuse] on Azure: what lets a request for a decoy through that lies
// in another resource group, and why it could not be narrower.
func (l *loop) excuseOnAzure(t Trial, r StepResult) (by grant.Grant, why string) {
	for g := range r.Set().All() {
		if !strings.EqualFold(g.Permission, t.Permission) || !scope.Holds(g.Resource, t.Resource) {
			continue
		}
		by = g
		switch {
		case l.Lifecycle.ScopeOrDefault() == lifecycle.ScopeAction:
			return g, "scope: action"
		case g.Resource != scope.Everywhere || l.place == nil:
		case l.place.azure.reasons(g.Permission) != "":
			return g, l.place.azure.reasons(g.Permission)
		case l.kept(r.Step.Name, g):
			return g, begun
		}
	}
	return by, ""
}

// begun is why a grant is as wide as it is that the run did not make.
const begun = "the role begins with it"

// whyWhole is why an entry is on the whole subscription.
func (u *under) whyWhole(e Entry) string {
	if why := u.reasons(e.Grant.Permission); why != "" {
		return why
	}
	return begun
}

// below tells whether a scope of Azure is one of its resources or resource groups.
func below(resource string) bool { return strings.HasPrefix(resource, "/subscriptions/") }
