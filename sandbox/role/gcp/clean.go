package gcp

import (
	"context"
	"errors"
	"maps"
	"slices"

	"google.golang.org/api/iam/v1"

	"github.com/whittle-iam/whittle/sandbox/role/pool"
)

// Report is what [Clean] did, by names: the accounts that are bound to nothing now and
// the roles that hold nothing, and those of both that are gone.
type Report = pool.Report

// Clean takes all bindings of the stack's accounts away and empties its roles
// (by their marks), whichever run made them. With purge it deletes both; a
// deleted role can be brought back for a week, and its id is blocked for longer.
// It goes on past errors and joins them; repeating it is harmless. Nothing
// without the stack's mark is touched.
func Clean(ctx context.Context, cfg Config, purge bool) (Report, error) {
	var done Report
	p, err := Open(ctx, cfg)
	if err != nil {
		return done, err
	}
	accounts, err := p.accounts(ctx)
	if err != nil {
		return done, err
	}
	roles, err := p.roles(ctx)
	if err != nil {
		return done, err
	}
	var all []error
	if err := p.unbindAccounts(ctx, roles); err != nil {
		return done, err
	}
	var members []string
	for _, a := range accounts {
		members = append(members, "serviceAccount:"+a.Email)
	}
	if len(members) > 0 {
		// Before the accounts go: a binding of one that is gone has another name.
		if err := p.rebind(ctx, func(b *bindings) { b.remove(members...) }); err != nil {
			return done, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		err := (&role{pool: p, name: name}).fill(ctx, nil)
		if err == nil && purge {
			if _, err = p.iam.Projects.Roles.Delete(name).Context(ctx).Do(); err != nil {
				err = p.explain("delete role "+name, "iam.roles.delete", err)
			}
		}
		done.Note(name, purge && err == nil, err)
		all = append(all, err)
	}
	for _, a := range accounts {
		var err error
		if purge {
			if _, err = p.iam.Projects.ServiceAccounts.Delete(a.Name).Context(ctx).Do(); err != nil {
				err = p.explain("delete service account "+a.Email, "iam.serviceAccounts.delete", err)
			}
		}
		done.Note(a.Name, purge && err == nil, nil)
		all = append(all, err)
	}
	return done, errors.Join(all...)
}

// accounts finds the stack's service accounts.
func (p *Pool) accounts(ctx context.Context) (ours []*iam.ServiceAccount, err error) {
	err = p.iam.Projects.ServiceAccounts.List(p.parent()).PageSize(100).Pages(ctx, func(page *iam.ListServiceAccountsResponse) error {
		for _, a := range page.Accounts {
			if _, ok := p.owned(a.Description); ok {
				ours = append(ours, a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, p.explain("list service accounts", "iam.serviceAccounts.list", err)
	}
	return ours, nil
}

// roles finds the stack's custom roles, those that are deleted left out.
func (p *Pool) roles(ctx context.Context) (ours map[string]owner, err error) {
	ours = map[string]owner{}
	err = p.iam.Projects.Roles.List(p.parent()).PageSize(300).Pages(ctx, func(page *iam.ListRolesResponse) error {
		for _, r := range page.Roles {
			if o, ok := p.owned(r.Description); ok && !r.Deleted {
				ours[r.Name] = o
			}
		}
		return nil
	})
	if err != nil {
		return nil, p.explain("list roles", "iam.roles.list", err)
	}
	return ours, nil
}
