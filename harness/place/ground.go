package place

import (
	"context"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/catalog/scope"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Ground is what was there before a lifecycle was run, for its grants to be placed on:
// on less than the whole of a project of Google Cloud or a subscription of Azure. Nil,
// where the lifecycle asks for no scope, places all on the whole.
type Ground struct {
	project attribute.Ground // before the first step
	byType  bool
	azure   *subscription // on Azure; nothing else is set then

	mu       sync.Mutex
	accounts map[string]map[string]bool // by step: those that were there before it
	// unbound are the permissions that were refused on a service account which was
	// not there before its step was run.
	unbound map[string]bool
}

// NewProject is the ground of a project of Google Cloud, by its id and its number, with
// the addresses of the service accounts in it. ByType grants on all of a type.
func NewProject(id, number string, accounts []string, byType bool) *Ground {
	return &Ground{
		project:  attribute.Ground{Project: id, Number: number, Accounts: setOfNames(accounts)},
		byType:   byType,
		accounts: map[string]map[string]bool{}, unbound: map[string]bool{},
	}
}

// NewSubscription is the ground of a subscription of Azure, with the ids of what is in
// it. There asks for these ids again, when the lifecycle has made more.
func NewSubscription(id string, ids []string, there func(context.Context) ([]string, error)) *Ground {
	return &Ground{azure: &subscription{
		id: id, there: there, ground: scope.GroundOf(id, ids), why: map[string]map[string]bool{}, made: map[string]string{},
	}}
}

func setOfNames(names []string) map[string]bool {
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	return all
}

// OnAccounts tells whether grants are placed on service accounts.
func (g *Ground) OnAccounts() bool { return g != nil && g.azure == nil }

// Before notes which accounts are there before a step is run. It is for a ground that
// is [Ground.OnAccounts].
func (g *Ground) Before(step string, accounts []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accounts[step] = setOfNames(accounts)
}

// Late tells whether a grant is on an account that was not there before the first step:
// an earlier step of the lifecycle has made it.
func (g *Ground) Late(of grant.Grant) bool {
	return g.OnAccounts() && strings.HasPrefix(of.Resource, attribute.Account) && !g.project.Accounts[of.Resource[strings.LastIndexByte(of.Resource, '/')+1:]]
}

// Of gives on what a permission is granted that a request of the step was refused, and
// under which condition: a function of the permission and of what the cloud named. Nil
// leaves it to others.
func (g *Ground) Of(x refusal.Exchange, step string) func(permission, named string) (resource, condition string) {
	if !g.OnAccounts() {
		return g.Said()
	}
	ground := g.project
	g.mu.Lock()
	if there := g.accounts[step]; there != nil {
		ground.Accounts = there
	}
	g.mu.Unlock()
	return func(permission, named string) (string, string) {
		if named == "*" {
			named = ""
		}
		// What could raise the identity's own rights is never granted on all of a type.
		byType := g.byType && catalog.Risk(permission) == ""
		at := attribute.Of(attribute.Refused{URL: x.URL, Body: x.Body, Permission: permission, Resource: named}, ground, byType)
		if at.Resource == "*" && attribute.OnAccount(permission) {
			g.mu.Lock()
			g.unbound[permission] = true
			g.mu.Unlock()
		}
		return at.Resource, at.Condition.String()
	}
}

// Said is [Ground.Of] for what a tool's output names. It can name a scope of Azure, which
// is as narrow as a refusal's would be; on Google Cloud it has no request to read one
// from, and Said is nil.
func (g *Ground) Said() func(permission, named string) (resource, condition string) {
	if g == nil || g.azure == nil {
		return nil
	}
	return g.azure.place
}

// unbounded tells whether there was no account to bind a permission on.
func (g *Ground) unbounded(permission string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unbound[permission]
}

// Wider tells whether an interrupted run's grant may hold on more than a refusal would
// be granted on now: what does is found anew.
func (g *Ground) Wider(of grant.Grant) bool {
	switch {
	case g == nil:
		return false
	case g.azure != nil:
		return !g.azure.ground.Has(of.Resource)
	case of.Condition != "":
		_, name := OnName(of)
		return name == "" && !g.byType
	}
	return g.Anew(of)
}

// Anew tells whether a grant that a role begins with is better found anew, since it could
// hold on less than the whole project.
func (g *Ground) Anew(of grant.Grant) bool {
	return g.OnAccounts() && of.Resource == "*" && of.Condition == "" && (attribute.Why(of.Permission) == "" || attribute.OnAccount(of.Permission))
}

// Why says why a grant is on the whole of the project or the subscription; whole is
// false where it is not, or nothing else was asked for.
func (g *Ground) Why(of grant.Grant) (why string, whole bool) {
	if g == nil || of.Resource != "*" || of.Condition != "" {
		return "", false
	}
	why = attribute.Why(of.Permission)
	switch {
	case g.azure != nil:
		why = g.azure.whyWhole(of.Permission)
	case why == "":
		why = "the refusal names no resource"
	case attribute.OnAccount(of.Permission) && g.byType && catalog.Risk(of.Permission) == "":
		why = "IAM Conditions know no attributes of service accounts"
	}
	return why, true
}

// Undoubled leaves out of a set what another grant of it does as well: under a condition
// on tags what is there without it, and on a part of a project or a subscription what is
// there on more of it.
func Undoubled(set grant.Set) grant.Set { return unplaced(untagged(set)) }

// unplaced leaves out what is granted on a service account and on the whole project as
// well, or on a scope of Azure and on one that it lies in.
func unplaced(set grant.Set) grant.Set {
	return without(set, func(of grant.Grant) bool {
		if below(of.Resource) {
			for g := range set.All() {
				if g.Resource != of.Resource && g.Permission == of.Permission && scope.Holds(g.Resource, of.Resource) {
					return true
				}
			}
			return false
		}
		return strings.HasPrefix(of.Resource, attribute.Account) && set.Has(grant.Grant{Permission: of.Permission, Resource: "*"})
	})
}
