package place

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/harness/catalog/scope"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// subscription grants on the scopes of a subscription that were there before the
// lifecycle was run.
type subscription struct {
	id     string
	ground scope.Ground
	there  func(context.Context) ([]string, error) // the ids of what is there now

	mu  sync.Mutex
	why map[string]map[string]bool // permission → why it is on the whole subscription

	asking sync.Mutex
	made   map[string]string // the end of an id → the id of what the lifecycle made
}

// place is where a permission is granted that was refused on the id.
func (s *subscription) place(permission, named string) (resource, condition string) {
	at, why := s.ground.Of(named)
	if why != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.why[permission] == nil {
			s.why[permission] = map[string]bool{}
		}
		s.why[permission][why] = true
	}
	return at, ""
}

// Located completes a refusal of a data plane of Azure that names no resource by whose
// host it was: the resource has the host to itself. What the lifecycle has made itself
// is asked for, once.
func (g *Ground) Located(ctx context.Context, x refusal.Exchange, d refusal.Denial) refusal.Denial {
	if g == nil || g.azure == nil || d.Resource != "" || x.URL == nil {
		return d
	}
	s := g.azure
	end, ok := scope.Served(x.URL.Hostname())
	if !ok {
		return d
	}
	if d.Resource, ok = s.ground.Ending(end); ok {
		return d
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	if d.Resource, ok = s.made[end]; ok {
		return d
	}
	// Without an answer it is granted on the subscription, as the reason says.
	if ids, err := s.there(ctx); err == nil {
		d.Resource, _ = scope.GroundOf(s.id, ids).Ending(end)
	}
	if d.Resource != "" {
		s.made[end] = d.Resource
	}
	return d
}

// Candidate is the resource that what an opaque refusal of Azure may be about is looked
// at on.
func (g *Ground) Candidate(d refusal.Denial) string {
	if g == nil || g.azure == nil || d.Resource == "" {
		return scope.Everywhere
	}
	return d.Resource
}

// reasons say why a permission is granted on the whole subscription.
func (s *subscription) reasons(permission string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(s.why[permission])), "; ")
}

// begun is why a grant is as wide as it is that the run did not make.
const begun = "the role begins with it"

// whyWhole is why a permission is on the whole subscription.
func (s *subscription) whyWhole(permission string) string {
	if why := s.reasons(permission); why != "" {
		return why
	}
	return begun
}

// below tells whether a scope of Azure is one of its resources or resource groups.
func below(resource string) bool { return strings.HasPrefix(resource, "/subscriptions/") }
