package azure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/cenkalti/backoff/v4"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/sandbox/role/settle"
)

// administrators are the built-in roles that together stand for everything: no
// one role has the data actions of all services. Source: "Azure built-in roles":
// Key Vault Administrator, Storage Blob Data Owner, Owner. The last is the one that the
// canary sees, so that the others are in force when it is.
var administrators = []string{"00482a5a-887f-4fb3-b363-3b7fe8e74483", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"}

// maxActions bounds a custom role. Source: "Azure RBAC limits": 2,048 KB for a
// definition is far more; a role that needs so much is no least one.
const maxActions = 2000

// role is what one identity holds: a custom role for each scope.
type role struct {
	pool      *Pool
	identity  string
	principal string // the service principal's object id
	as        *Credentials

	mu sync.Mutex
	// held are the scopes that a custom role of this identity was assigned on, and
	// whether the assignment was there when it was last looked for.
	held  map[string]bool
	admin bool
}

var _ harness.Role = (*role)(nil)

// content is what is granted on one scope.
type content struct{ actions, data []string }

// contents takes a set apart: by scope, in lower case since Azure gives them back in
// other cases than they were written in, and into actions and data actions.
func (r *role) contents(ctx context.Context, s grant.Set) (map[string]content, error) {
	all := map[string]content{}
	for g := range s.All() {
		if g.Permission == "*" {
			continue
		}
		scope := r.pool.scope()
		if g.Resource != "*" && !sameID(g.Resource, scope) {
			if !strings.HasPrefix(strings.ToLower(g.Resource), strings.ToLower(scope)+"/") || strings.ContainsAny(g.Resource, "*?") {
				return nil, &ResourceError{Grant: g, Subscription: r.pool.cfg.Subscription}
			}
			scope = strings.TrimRight(g.Resource, "/")
		}
		scope = strings.ToLower(scope)
		if strings.Contains(g.Permission, "*") {
			return nil, fmt.Errorf("role of %s: %s: a pattern would grant more than what it was seen to need", r.identity, g)
		}
		data, err := r.pool.isData(ctx, g.Permission)
		if err != nil {
			return nil, err
		}
		c := all[scope]
		if data {
			c.data = append(c.data, g.Permission)
		} else {
			c.actions = append(c.actions, g.Permission)
		}
		if n := len(c.actions) + len(c.data); n > maxActions {
			return nil, &TooLargeError{Identity: r.identity, Scope: scope, Actions: n}
		}
		all[scope] = c
	}
	return all, nil
}

// Put implements [harness.Role].
func (r *role) Put(ctx context.Context, s grant.Set) error {
	all, err := r.contents(ctx, s)
	if err != nil {
		return r.ended(ctx, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// What is there is looked up: a sandbox that was brought back to a snapshot has
	// other assignments than were last made. What a list does not show yet, or
	// still, is known from having done it.
	there, admin, err := r.found(ctx)
	if err != nil {
		return r.ended(ctx, err)
	}
	for scope := range r.held {
		if !there[scope] {
			r.held[scope] = false
		}
	}
	for scope := range there {
		if _, known := r.held[scope]; !known {
			r.held[scope] = true
		}
	}
	// What is too much first: a crash in between leaves too little.
	for _, scope := range slices.Sorted(maps.Keys(r.held)) {
		if _, wanted := all[scope]; !wanted {
			if err := r.unassign(ctx, scope, r.pool.role(r.identity, scope)); err != nil {
				return r.ended(ctx, err)
			}
			delete(r.held, scope)
		}
	}
	// The narrowest first: what a canary on the subscription shows to be in force was
	// written last.
	for _, scope := range slices.Backward(slices.Sorted(maps.Keys(all))) {
		if err := r.fill(ctx, scope, all[scope]); err != nil {
			return r.ended(ctx, err)
		}
	}
	if want := s.HasEverything(); want != r.admin || want != admin {
		for _, a := range administrators {
			if want {
				err = r.assign(ctx, r.pool.scope(), a)
			} else {
				err = r.unassign(ctx, r.pool.scope(), a)
			}
			if err != nil {
				return r.ended(ctx, err)
			}
		}
		r.admin = want
	}
	return nil
}

// ended is err, or that the context has ended.
func (r *role) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("role of %s: %w", r.identity, context.Cause(ctx))
	}
	return err
}

// fill makes c the content of the scope's role, and assigns it.
func (r *role) fill(ctx context.Context, scope string, c content) error {
	guid := r.pool.role(r.identity, scope)
	if !r.held[scope] {
		if err := r.claim(ctx, scope, guid); err != nil {
			return err
		}
	}
	_, err := r.pool.definitions.CreateOrUpdate(ctx, r.pool.scope(), guid, armauthorization.RoleDefinition{Properties: &armauthorization.RoleDefinitionProperties{
		RoleName: to.Ptr(r.pool.name(r.identity) + " " + guid[:8]), Description: to.Ptr(r.pool.describe(r.identity, scope)), RoleType: to.Ptr("CustomRole"),
		AssignableScopes: []*string{to.Ptr(r.pool.scope())},
		Permissions:      []*armauthorization.Permission{{Actions: pointers(c.actions), DataActions: pointers(c.data), NotActions: []*string{}, NotDataActions: []*string{}}},
	}}, nil)
	if code(err) == "InvalidActionOrNotAction" {
		return fmt.Errorf("write the role of %s: %w; Azure names an action in its refusals that no role can hold: grant a built-in role that has it, outside Whittle", r.identity, err)
	}
	if err != nil {
		return r.pool.explain("write role "+guid, "Microsoft.Authorization/roleDefinitions/write", err)
	}
	if r.held[scope] {
		return nil
	}
	if err := r.assign(ctx, scope, guid); err != nil {
		return err
	}
	r.held[scope] = true
	return nil
}

// claim refuses a role of that id that does not carry the identity's mark.
func (r *role) claim(ctx context.Context, scope, guid string) error {
	got, err := r.pool.definitions.Get(ctx, r.pool.scope(), guid, nil)
	switch {
	case status(err) == http.StatusNotFound:
		return r.pool.cfg.Announce.Tell(KindRole, guid)
	case err != nil:
		return r.pool.explain("read role "+guid, "Microsoft.Authorization/roleDefinitions/read", err)
	}
	if got.Properties == nil || got.Properties.Description == nil {
		return &ForeignError{Name: guid, Stack: r.pool.cfg.Stack}
	}
	if o, ours := r.pool.owned(*got.Properties.Description); !ours || o.Identity != r.identity || !sameID(o.Scope, scope) {
		return &ForeignError{Name: guid, Stack: r.pool.cfg.Stack}
	}
	return nil
}

func pointers(list []string) []*string {
	all := []*string{}
	for _, s := range list {
		all = append(all, to.Ptr(s))
	}
	return all
}

// assign assigns a role on a scope. A principal that was just made is not known
// everywhere at once.
func (r *role) assign(ctx context.Context, scope, guid string) error {
	name := assignment(r.principal, scope, guid)
	if err := r.pool.cfg.Announce.Tell(KindAssignment, scope+" "+name); err != nil {
		return err
	}
	err := backoff.Retry(func() error {
		_, err := r.pool.assignments.Create(ctx, scope, name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
			PrincipalID: to.Ptr(r.principal), PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal),
			RoleDefinitionID: to.Ptr(r.pool.scope() + "/providers/Microsoft.Authorization/roleDefinitions/" + guid),
		}}, nil)
		switch c := code(err); {
		case err == nil, c == "RoleAssignmentExists":
			return nil
		case c == "PrincipalNotFound", c == "RoleDefinitionDoesNotExist":
			return err
		}
		return backoff.Permanent(err)
	}, backoff.WithContext(r.pool.cfg.Poll.Backoff(), ctx))
	if status(err) == http.StatusNotFound {
		return fmt.Errorf("assign role %s on %s: %w; a role is assigned on what is there: make it before the lifecycle is run, or probe anew", guid, scope, err)
	}
	if err != nil {
		return r.pool.explain("assign role "+guid+" on "+scope, "Microsoft.Authorization/roleAssignments/write", err)
	}
	return nil
}

// unassign takes an assignment of Whittle's away; one that is gone holds nothing.
func (r *role) unassign(ctx context.Context, scope, guid string) error {
	_, err := r.pool.assignments.Delete(ctx, scope, assignment(r.principal, scope, guid), nil)
	if err != nil && status(err) != http.StatusNotFound && status(err) != http.StatusNoContent {
		return r.pool.explain("take role "+guid+" away on "+scope, "Microsoft.Authorization/roleAssignments/delete", err)
	}
	return nil
}

// find looks for what the identity holds of an earlier run: the assignments that
// Whittle made, which are known by their ids. Every other is left alone.
func (r *role) find(ctx context.Context) error {
	held, admin, err := r.found(ctx)
	r.held, r.admin = held, admin
	return err
}

func (r *role) found(ctx context.Context) (held map[string]bool, admin bool, err error) {
	held = map[string]bool{}
	pager := r.pool.assignments.NewListForSubscriptionPager(&armauthorization.RoleAssignmentsClientListForSubscriptionOptions{Filter: to.Ptr("principalId eq '" + r.principal + "'")})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, false, r.pool.explain("list role assignments", "Microsoft.Authorization/roleAssignments/read", err)
		}
		for _, a := range page.Value {
			if a == nil || a.Name == nil || a.Properties == nil || a.Properties.Scope == nil || a.Properties.RoleDefinitionID == nil {
				continue
			}
			scope, role := strings.ToLower(*a.Properties.Scope), last(*a.Properties.RoleDefinitionID)
			switch {
			case !strings.EqualFold(*a.Name, assignment(r.principal, scope, role)): // not ours
			case slices.Contains(administrators, role):
				admin = true
			case strings.EqualFold(role, r.pool.role(r.identity, scope)):
				held[scope] = true
			}
		}
	}
	return held, admin, nil
}

func last(id string) string { return strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]) }

// empty takes away all that Whittle assigned to the identity.
func (r *role) empty(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, admin, err := r.found(ctx)
	if err != nil {
		return err
	}
	maps.Copy(held, r.held)
	var all []error
	for _, scope := range slices.Sorted(maps.Keys(held)) {
		all = append(all, r.unassign(ctx, scope, r.pool.role(r.identity, scope)))
	}
	if admin || r.admin {
		for _, a := range administrators {
			all = append(all, r.unassign(ctx, r.pool.scope(), a))
		}
	}
	r.held, r.admin = map[string]bool{}, false
	return errors.Join(all...)
}

// canaries are actions that list what is no secret: they are granted and asked for
// to see whether a change is in force, and are never used. Each with the version of
// its API.
var canaries = map[string]string{
	"Microsoft.Network/routeTables/read":      "2024-05-01",
	"Microsoft.Compute/availabilitySets/read": "2024-07-01",
	"Microsoft.Network/natGateways/read":      "2024-05-01",
	"Microsoft.Network/loadBalancers/read":    "2024-05-01",
	"Microsoft.Compute/sshPublicKeys/read":    "2024-07-01",
}

// Settle implements [harness.Role]; see [settle.Settler]. A call of the identity
// itself that needs the canary, on the subscription, is let through or refused.
func (r *role) Settle(ctx context.Context, s grant.Set) error {
	return settle.Settler{
		Role: "role of " + r.identity, Canaries: slices.Sorted(maps.Keys(canaries)), Put: r.Put, Poll: r.pool.cfg.Poll, Log: r.pool.cfg.Log,
		Advice: "look for other role assignments of the service principal, also on management groups, and for deny assignments",
		Ask: func(ctx context.Context, canary string) (held bool, err error) {
			path := "/providers/" + strings.TrimSuffix(canary, "/read")
			err = r.as.call(ctx, http.MethodGet, managerHost+r.pool.scope()+path+"?api-version="+canaries[canary])
			switch {
			case err == nil:
				return true, nil
			case code(err) == "AuthorizationFailed":
				return false, nil
			case isTransient(err):
				return false, err
			}
			return false, backoff.Permanent(r.pool.explain("ask what the identity holds", "nothing", err))
		},
	}.Settle(ctx, s)
}
