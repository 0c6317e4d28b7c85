package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/decide"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// placing asks the pool, before the lifecycle has made anything.
func (l *loop) placing(ctx context.Context) (*place.Ground, error) {
	asked := l.Lifecycle.ScopeOrDefault()
	if l.Lifecycle.Cloud == "azure" && asked == lifecycle.ScopeResource {
		return l.placingOnAzure(ctx)
	}
	if l.Lifecycle.Cloud != "gcp" || asked == lifecycle.ScopeAction {
		return nil, nil
	}
	pool, ok := l.Pool.(Grounder)
	if !ok {
		return nil, fmt.Errorf("scope: %s: the roles of this sandbox cannot be bound on less than the project", asked)
	}
	number, accounts, err := pool.Ground(ctx)
	if err != nil {
		return nil, fmt.Errorf("scope: %s: %w", asked, err)
	}
	return place.NewProject(l.Account, number, accounts, asked == lifecycle.ScopeType), nil
}

// placingOnAzure asks the pool, before the lifecycle has made anything.
func (l *loop) placingOnAzure(ctx context.Context) (*place.Ground, error) {
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
	return place.NewSubscription(l.Account, ids, pool.Scopes), nil
}

// standing asks the pool which accounts are there before a step is run; of those that
// it makes itself there is nothing to bind on when its role is made.
func (l *loop) standing(ctx context.Context, step string) error {
	if !l.place.OnAccounts() {
		return nil
	}
	_, accounts, err := l.Pool.(Grounder).Ground(ctx)
	if err != nil {
		return fmt.Errorf("step %s: %w", step, err)
	}
	l.place.Before(step, accounts)
	return nil
}

// bindMade brings a step's role into force once more where it is bound on an account
// that was not there when the lifecycle began: an earlier step has made it.
func (l *loop) bindMade(ctx context.Context, pass, step string, set grant.Set) error {
	if !slices.ContainsFunc(set.Slice(), l.place.Late) {
		return nil
	}
	return l.settle(ctx, pass, map[string]grant.Set{step: set})
}

// shown are the rules with the place and the condition that a refused request shows.
func (a *arbiter) shown(x refusal.Exchange) decide.Rules {
	r := a.rules
	r.When, r.Lacks = a.owned.When(x), a.owned.Lacks
	r.Place = a.place.Of(x, a.step.Name)
	return r
}

// said are the rules for what a tool's output names.
func (a *arbiter) said() decide.Rules {
	r := a.rules
	r.Place = a.place.Said()
	return r
}

// realForce is after which time a grant on a real cloud counts as in force, and a
// refusal of it as a want of the tags in its condition: AWS says of IAM that changes
// are visible within seconds and names no bound ("Changes that I make are not always
// immediately visible", IAM User Guide). A grant that is late loses its condition,
// and no more.
const realForce = 20 * time.Second

// ownership is that of a step, which lasts from run to run.
func (l *loop) ownership(s lifecycle.Step) *place.Tags {
	if !l.Lifecycle.Conditions || l.Lifecycle.Cloud == "gcp" { // whose resources are told by their names
		return nil
	}
	if l.owned[s.Name] == nil {
		force := realForce
		if sandbox := l.Lifecycle.Sandbox; sandbox.Embedded {
			force = sandbox.Propagation + 250*time.Millisecond
		}
		l.owned[s.Name] = place.NewTags(l.Lifecycle.OwnedByTag, force, setOf(l.Known[s.Name].Entries))
	}
	return l.owned[s.Name]
}

// inForce tells whether a grant that the role holds has been there for so long, or
// since before the attempt. a.mu is held.
func (a *arbiter) inForce(g grant.Grant, after time.Duration) bool {
	if a.mode == watch { // the role was settled before
		return true
	}
	since, ok := a.since[g]
	if !ok {
		a.since[g] = time.Now()
		return false
	}
	return time.Since(since) > after
}

// undoubled leaves out what another of the entries does as well.
func undoubled(entries []Entry) []Entry {
	set := place.Undoubled(setOf(entries))
	return slices.DeleteFunc(entries, func(e Entry) bool { return !set.Has(e.Grant) })
}

// Whole are permissions that hold on all of the project or the subscription, and why they
// do.
type Whole struct {
	Why         string   `json:"why"`
	Permissions []string `json:"permissions"`
}

// whole lists what could not be granted on less.
func (l *loop) whole() []Whole {
	found := map[string]map[string]bool{}
	for _, r := range l.result.Steps {
		for _, e := range r.Entries {
			why, whole := l.place.Why(e.Grant)
			if !whole {
				continue
			}
			if found[why] == nil {
				found[why] = map[string]bool{}
			}
			found[why][e.Grant.Permission] = true
		}
	}
	var all []Whole
	for _, why := range slices.Sorted(maps.Keys(found)) {
		all = append(all, Whole{why, slices.Sorted(maps.Keys(found[why]))})
	}
	return all
}
