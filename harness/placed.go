package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/catalog/scope"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Grounder is a [Pool] of Google Cloud that says what its roles can be bound on.
type Grounder interface {
	// Ground gives the project's number and the addresses of the service accounts that
	// are in it, but for those of the pool's own.
	Ground(ctx context.Context) (number string, accounts []string, err error)
}

// placing grants on less than the whole of a project or a subscription. Nil, where the
// lifecycle asks for no scope, grants on the whole.
type placing struct {
	ground attribute.Ground // before the first step
	byType bool
	azure  *under // on Azure; nothing else is set then

	mu       sync.Mutex
	accounts map[string]map[string]bool // by step: those that were there before it
	// unbound are the permissions that were refused on a service account which was
	// not there before its step was run.
	unbound map[string]bool
}

// standing asks the pool which accounts are there before a step is run; of those that
// it makes itself there is nothing to bind on when its role is made.
func (l *loop) standing(ctx context.Context, step string) error {
	if l.place == nil || l.place.azure != nil {
		return nil
	}
	_, accounts, err := l.Pool.(Grounder).Ground(ctx)
	if err != nil {
		return fmt.Errorf("step %s: %w", step, err)
	}
	l.place.mu.Lock()
	defer l.place.mu.Unlock()
	l.place.accounts[step] = setOfNames(accounts)
	return nil
}

func setOfNames(names []string) map[string]bool {
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	return all
}

// bindMade brings a step's role into force once more where it is bound on an account
// that was not there when the lifecycle began: an earlier step has made it.
func (l *loop) bindMade(ctx context.Context, pass, step string, set grant.Set) error {
	if l.place == nil || l.place.azure != nil || !slices.ContainsFunc(set.Slice(), l.place.late) {
		return nil
	}
	return l.settle(ctx, pass, map[string]grant.Set{step: set})
}

// late tells whether a grant is on an account that was not there at the start.
func (p *placing) late(g grant.Grant) bool {
	return strings.HasPrefix(g.Resource, attribute.Account) && !p.ground.Accounts[g.Resource[strings.LastIndexByte(g.Resource, '/')+1:]]
}

// placing asks the pool, before the lifecycle has made anything.
func (l *loop) placing(ctx context.Context) (*placing, error) {
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
	return &placing{
		ground:   attribute.Ground{Project: l.Account, Number: number, Accounts: setOfNames(accounts)},
		byType:   asked == lifecycle.ScopeType,
		accounts: map[string]map[string]bool{}, unbound: map[string]bool{},
	}, nil
}

// rules are the rules with the place that a refused request shows.
func (p *placing) rules(r Rules, x refusal.Exchange, step string) Rules {
	if p == nil {
		return r
	}
	if p.azure != nil {
		r.Place = p.azure.place
		return r
	}
	ground := p.ground
	p.mu.Lock()
	if there := p.accounts[step]; there != nil {
		ground.Accounts = there
	}
	p.mu.Unlock()
	r.Place = func(permission, named string) (string, string) {
		if named == "*" {
			named = ""
		}
		// What could raise the identity's own rights is never granted on all of a type.
		byType := p.byType && catalog.Risk(permission) == ""
		at := attribute.Of(attribute.Refused{URL: x.URL, Body: x.Body, Permission: permission, Resource: named}, ground, byType)
		if at.Resource == "*" && attribute.OnAccount(permission) {
			p.mu.Lock()
			p.unbound[permission] = true
			p.mu.Unlock()
		}
		return at.Resource, at.Condition.String()
	}
	return r
}

// excusePlaced is [excuse] on Google Cloud: the grant that lets a request for a decoy
// through, and why it could not be narrower. Where there is no reason, it should have
// been refused.
func (l *loop) excusePlaced(t Trial, r StepResult) (by grant.Grant, why string) {
	if l.Lifecycle.Cloud == "azure" {
		return l.excuseOnAzure(t, r)
	}
	for g := range r.Set().All() {
		if g.Permission != t.Permission || g.Resource != "*" {
			continue
		}
		by = g
		switch asked := l.Lifecycle.ScopeOrDefault(); {
		case l.place == nil, l.place.byType && catalog.Risk(g.Permission) == "":
			return g, "scope: " + string(asked)
		case strings.Contains(g.Condition, `"resource.type"`):
			return g, "no request has the name, which the cloud makes up"
		case g.Condition == "" && (l.place.unbounded(g.Permission) || l.kept(r.Step.Name, g)):
			return g, attribute.Why(g.Permission)
		}
	}
	return by, ""
}

// unbounded tells whether there was no account to bind a permission on.
func (p *placing) unbounded(permission string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unbound[permission]
}

// wider tells whether an interrupted run's entry may hold on more than a refusal would
// be granted on now: what does is found anew.
func (p *placing) wider(g grant.Grant) bool {
	switch {
	case p == nil:
		return false
	case p.azure != nil:
		return !p.azure.ground.Has(g.Resource)
	case g.Condition != "":
		_, name := onName(g)
		return name == "" && !p.byType
	}
	return p.anew(g)
}

// anew tells whether a grant that a role begins with is better found anew, since it could
// hold on less than the whole project.
func (p *placing) anew(g grant.Grant) bool {
	return p != nil && p.azure == nil && g.Resource == "*" && g.Condition == "" && (attribute.Why(g.Permission) == "" || attribute.OnAccount(g.Permission))
}

// unplaced leaves out what is granted on a service account and on the whole project as
// well, or on a scope of Azure and on one that it lies in.
func unplaced(entries []Entry) []Entry {
	set := setOf(entries)
	return slices.DeleteFunc(entries, func(e Entry) bool {
		if below(e.Grant.Resource) {
			return slices.ContainsFunc(set.Slice(), func(g grant.Grant) bool {
				return g.Resource != e.Grant.Resource && g.Permission == e.Grant.Permission && scope.Holds(g.Resource, e.Grant.Resource)
			})
		}
		return strings.HasPrefix(e.Grant.Resource, attribute.Account) && set.Has(grant.Grant{Permission: e.Grant.Permission, Resource: "*"})
	})
}

// Whole are permissions that hold on all of the project or the subscription, and why they
// do.
type Whole struct {
	Why         string   `json:"why"`
	Permissions []string `json:"permissions"`
}

// whole lists what could not be granted on less.
func (l *loop) whole() []Whole {
	if l.place == nil {
		return nil
	}
	found := map[string]map[string]bool{}
	for _, r := range l.result.Steps {
		for _, e := range r.Entries {
			if e.Grant.Resource != "*" || e.Grant.Condition != "" {
				continue
			}
			why := attribute.Why(e.Grant.Permission)
			switch {
			case l.place.azure != nil:
				why = l.place.azure.whyWhole(e)
			case why == "":
				why = "the refusal names no resource"
			case attribute.OnAccount(e.Grant.Permission) && l.place.byType && catalog.Risk(e.Grant.Permission) == "":
				why = "IAM Conditions know no attributes of service accounts"
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

// otherwise notes names that a verification has otherwise than growth had them: a
// permission is held on one and refused on the other, where both are of one type, in one
// place, and the same but for an end of the same length after their last hyphen, of four
// characters or more. Such a name the cloud has made up (GKE's of what it makes in
// Compute Engine, say), and it is what both begin with. A step that chooses its names
// so can have that too; it is in the record.
func (l *loop) otherwise(r *StepResult, back []Entry) {
	if l.place == nil || l.place.azure != nil {
		return
	}
	learned := false
	for _, b := range back {
		place, name := onName(b.Grant)
		for _, e := range r.Entries {
			there, was := onName(e.Grant)
			prefix := beginning(name, was)
			if e.Grant.Permission != b.Grant.Permission || there != place || prefix == "" {
				continue
			}
			l.names[name], l.names[was], learned = prefix, prefix, true
		}
	}
	if !learned {
		return
	}
	for i := range l.result.Steps {
		r := &l.result.Steps[i]
		r.Entries, r.Optional = l.renamed(r.Entries), l.renamed(r.Optional)
		r.Addresses = l.readdressed(r.Addresses)
	}
}

// onName gives the name that a grant's condition is on, and what that is in; empty
// where it is on none alone.
func onName(g grant.Grant) (place, name string) {
	c, err := grant.ParseCondition(g.Condition)
	if err != nil || len(c) != 1 {
		return "", ""
	}
	for _, operator := range []string{"==", "within"} {
		if values := c[operator]["resource.name"]; len(values) == 1 {
			i := strings.LastIndexByte(values[0], '/') + 1
			return values[0][:i], values[0][i:]
		}
	}
	return "", ""
}

// leastEnd is how long an end must be that the cloud made up.
const leastEnd = 4

// beginning is what two names have alike, up to and with a hyphen.
func beginning(a, b string) string {
	i := strings.LastIndexByte(a, '-') + 1
	if a == b || i == 0 || len(a) != len(b) || len(a)-i < leastEnd || !strings.HasPrefix(b, a[:i]) || strings.Contains(b[i:], "-") {
		return ""
	}
	return a[:i]
}
