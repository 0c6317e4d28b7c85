package gcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iam/v1"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/policy/gcp"
)

// accountsOf begins the full name of a service account of a project.
func (p *Pool) accountsOf() string {
	return "//iam.googleapis.com/" + p.parent() + "/serviceAccounts/"
}

// part is what a set holds in one place: under one condition, or on one service
// account. It is a custom role of its own, whose name follows from the place: whatever
// such a role holds is never in force anywhere else, not in between either.
type part struct {
	id          string // of the custom role
	expression  string // of the binding on the project; empty where it is bound on account
	account     string // the address of the service account
	permissions []string
}

// place is what tells parts apart.
func (p part) place() string { return p.expression + "\x00" + p.account }

// partID names the role of a part within 64 characters.
func partID(base, place string) string {
	sum := sha256.Sum256([]byte(place))
	return base + "_" + hex.EncodeToString(sum[:3])
}

// baseID is the id of the identity's role that is bound without a condition.
func (r *role) baseID() string { return r.name[strings.LastIndexByte(r.name, '/')+1:] }

// split divides a set into what holds on the whole project and the parts, by their
// ids.
func (r *role) split(s grant.Set) (whole []string, parts map[string]part, err error) {
	project := r.pool.parent()
	parts = map[string]part{}
	for g := range s.All() {
		p := part{}
		account, onAccount := strings.CutPrefix(g.Resource, r.pool.accountsOf())
		switch {
		case onAccount && account != "" && !strings.Contains(account, "/") && g.Condition == "":
			p.account = account
		case g.Resource != "*" && g.Resource != project && g.Resource != "//cloudresourcemanager.googleapis.com/"+project, onAccount:
			return nil, nil, &ResourceError{Grant: g, Project: r.pool.cfg.Project}
		case g.Condition != "":
			if p.expression, err = gcp.Expression(g.Condition); err != nil {
				return nil, nil, fmt.Errorf("role %s: %s: %w", r.name, g, err)
			}
		}
		if g.Permission == "*" && p.place() == "\x00" {
			continue
		}
		if strings.Contains(g.Permission, "*") {
			return nil, nil, fmt.Errorf("role %s: %s: a custom role has no patterns", r.name, g)
		}
		if p.place() == "\x00" {
			whole = append(whole, g.Permission)
			continue
		}
		p.id = partID(r.baseID(), p.place())
		there, ok := parts[p.id]
		if ok && there.place() != p.place() { // it would hold in both places
			return nil, nil, fmt.Errorf("role %s: two places have the same role %s; choose another stack name", r.name, p.id)
		}
		p.permissions = append(there.permissions, g.Permission)
		parts[p.id] = p
	}
	whole = slices.Compact(whole) // in order already
	if len(whole) > maxPermissions {
		return nil, nil, &TooLargeError{Role: r.name, Permissions: len(whole)}
	}
	return whole, parts, nil
}

// writes is how many roles are written at a time.
const writes = 8

// putParts makes the parts what is bound besides the identity's own role, and all tells
// whether the administrator's is. r.mu is held.
func (r *role) putParts(ctx context.Context, parts map[string]part, all bool) error {
	if err := r.fillParts(ctx, parts); err != nil {
		return err
	}
	was := r.bound
	r.bound = maps.Clone(was) // whatever fails from here on, all of it is to be taken away
	if r.bound == nil {
		r.bound = map[string]part{}
	}
	maps.Copy(r.bound, parts)
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		if p := parts[id]; p.account != "" {
			if err := r.pool.rebindAccount(ctx, p.account, r.pool.parent()+"/roles/"+id, r.member, true); err != nil {
				return err
			}
		}
	}
	if err := r.pool.rebind(ctx, func(b *bindings) {
		if all {
			b.add(administrator, r.member)
		} else {
			b.drop(administrator, r.member)
		}
		b.parts(r.name+"_", r.member, parts)
	}); err != nil {
		return err
	}
	r.owner = all
	gone := map[string]part{}
	for id, p := range was {
		if _, stays := parts[id]; !stays {
			p.permissions = nil
			gone[id] = p
		}
	}
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		if p := gone[id]; p.account != "" {
			if err := r.pool.rebindAccount(ctx, p.account, r.pool.parent()+"/roles/"+id, r.member, false); err != nil {
				return err
			}
		}
	}
	if err := r.fillParts(ctx, gone); err != nil {
		return err
	}
	r.bound = maps.Clone(parts)
	return nil
}

// fillParts writes the custom roles of parts, several at a time.
func (r *role) fillParts(ctx context.Context, parts map[string]part) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writes)
	for id, p := range parts {
		_, ours := r.bound[id]
		g.Go(func() error {
			own := &role{pool: r.pool, name: r.pool.parent() + "/roles/" + id}
			if ours {
				err := own.fill(ctx, p.permissions)
				if isMissing(err) && len(p.permissions) == 0 { // one that is gone holds nothing
					return nil
				}
				if !isMissing(err) {
					return err
				}
			}
			// Not there, or not known to be ours.
			if _, err := r.pool.ensureRole(ctx, id, owner{Identity: r.identity, On: p.account}); err != nil {
				return err
			}
			return own.fill(ctx, p.permissions)
		})
	}
	return g.Wait()
}

// leftParts are those of an identity that a run which was killed has left, emptied:
// what the identity holds by them it must not hold when it is acquired.
func (p *Pool) leftParts(ctx context.Context, identity string) (map[string]part, error) {
	roles, err := p.roles(ctx)
	if err != nil {
		return nil, err
	}
	_, base := p.id(identity)
	left := map[string]part{}
	for name, o := range roles {
		id := name[strings.LastIndexByte(name, '/')+1:]
		if o.Identity != identity || id == base {
			continue
		}
		if err := (&role{pool: p, name: name}).fill(ctx, nil); err != nil {
			return nil, err
		}
		left[id] = part{id: id, account: o.On}
	}
	return left, nil
}

// title is of a binding's condition; IAM wants one.
const title = "whittle"

// parts makes those the member's conditional bindings to roles that begin so.
func (b *bindings) parts(prefix, member string, parts map[string]part) {
	wanted := map[string]string{} // role → expression
	for id, p := range parts {
		if p.account == "" {
			wanted[prefix[:strings.LastIndexByte(prefix, '/')+1]+id] = p.expression
		}
	}
	b.filter(func(have *cloudresourcemanager.Binding, m string) bool {
		if m != member || !strings.HasPrefix(have.Role, prefix) {
			return false
		}
		expression, ok := wanted[have.Role]
		return !ok || have.Condition == nil || have.Condition.Expression != expression
	})
	for _, role := range slices.Sorted(maps.Keys(wanted)) {
		if b.has(role, member) {
			continue
		}
		b.policy.Bindings = append(b.policy.Bindings, &cloudresourcemanager.Binding{Role: role, Members: []string{member},
			Condition: &cloudresourcemanager.Expr{Title: title, Expression: wanted[role]}})
		b.changed = true
	}
}

// rebindAccount binds a role to a member on a service account, or takes it away again.
// Nobody is bound on one that is not there: a step that is yet to be run may make it.
// The policy is read, changed and written as a project's is.
func (p *Pool) rebindAccount(ctx context.Context, account, role, member string, bound bool) error {
	p.policy.Lock()
	defer p.policy.Unlock()
	name := p.parent() + "/serviceAccounts/" + account
	// Of one that is not there the policy can be refused, instead of missing.
	if _, err := p.iam.Projects.ServiceAccounts.Get(name).Context(ctx).Do(); isMissing(err) {
		return nil
	} else if err != nil {
		return p.explain("read service account "+account, "iam.serviceAccounts.get", err)
	}
	return backoff.Retry(func() error {
		policy, err := p.iam.Projects.ServiceAccounts.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion).Context(ctx).Do()
		if err != nil {
			return backoff.Permanent(p.explain("read the policy of service account "+account, "iam.serviceAccounts.getIamPolicy", err))
		}
		if !bind(policy, role, member, bound) {
			return nil
		}
		policy.Version = policyVersion
		_, err = p.iam.Projects.ServiceAccounts.SetIamPolicy(name, &iam.SetIamPolicyRequest{Policy: policy, UpdateMask: "bindings,etag,version"}).Context(ctx).Do()
		switch {
		case isConflict(err), isNew(err):
			return fmt.Errorf("write the policy of service account %s: %w", account, err)
		case err != nil:
			return backoff.Permanent(p.explain("write the policy of service account "+account, "iam.serviceAccounts.setIamPolicy", err))
		}
		return nil
	}, backoff.WithContext(p.cfg.Poll.Backoff(), ctx))
}

// bind changes a policy and tells whether it did. Bindings under a condition are
// somebody else's.
func bind(policy *iam.Policy, role, member string, bound bool) (changed bool) {
	at := slices.IndexFunc(policy.Bindings, func(b *iam.Binding) bool { return b.Role == role && b.Condition == nil })
	switch {
	case at < 0 && bound:
		policy.Bindings = append(policy.Bindings, &iam.Binding{Role: role, Members: []string{member}})
		return true
	case at < 0 || slices.Contains(policy.Bindings[at].Members, member) == bound:
		return false
	}
	b := policy.Bindings[at]
	if bound {
		b.Members = append(b.Members, member)
		return true
	}
	b.Members = slices.DeleteFunc(b.Members, func(m string) bool { return m == member })
	if len(b.Members) == 0 {
		policy.Bindings = slices.Delete(policy.Bindings, at, at+1)
	}
	return true
}

// unbindAccounts takes the member of a part's role from the account that its role's
// description names.
func (p *Pool) unbindAccounts(ctx context.Context, roles map[string]owner) error {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		o := roles[name]
		if o.On == "" {
			continue
		}
		id, _ := p.id(o.Identity)
		if err := p.rebindAccount(ctx, o.On, name, "serviceAccount:"+p.email(id), false); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// Ground implements [harness.Grounder].
func (p *Pool) Ground(ctx context.Context) (number string, accounts []string, err error) {
	err = p.iam.Projects.ServiceAccounts.List(p.parent()).PageSize(100).Pages(ctx, func(page *iam.ListServiceAccountsResponse) error {
		for _, a := range page.Accounts {
			if !strings.HasPrefix(a.Description, mark) {
				accounts = append(accounts, a.Email)
			}
		}
		return nil
	})
	if err != nil {
		return "", nil, p.explain("list service accounts", "iam.serviceAccounts.list", err)
	}
	return p.number, accounts, nil
}
