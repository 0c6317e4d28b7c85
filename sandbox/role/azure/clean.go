package azure

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"

	"github.com/whittle-iam/whittle/sandbox/role/pool"
)

// Report is what [Clean] did, by names: the applications and roles of which nobody
// holds anything any more, and those that are gone.
type Report = pool.Report

// Clean takes away all assignments that Whittle made to the stack's identities, and
// the secrets that it made for them, whichever run it was. With purge it deletes the roles and the applications as
// well. It goes on past errors and joins them; repeating it is harmless. Nothing
// without the stack's mark is touched.
func Clean(ctx context.Context, cfg Config, purge bool) (Report, error) {
	var done Report
	p, err := Open(ctx, cfg)
	if err != nil {
		return done, err
	}
	apps, err := p.applications(ctx, "startswith(displayName,'"+p.prefix()+"')")
	if err != nil {
		return done, err
	}
	var all []error
	for _, a := range apps {
		o, _ := p.owned(a.Notes)
		principal, err := p.ensurePrincipal(ctx, a)
		if err == nil {
			err = (&role{pool: p, identity: o.Identity, principal: principal}).empty(ctx)
		}
		for _, s := range a.Passwords { // of runs that were killed
			if err == nil && strings.HasPrefix(s.Name, secretName) {
				err = p.removePassword(ctx, a, s.KeyID)
			}
		}
		if err == nil && purge {
			if err = call(ctx, p.graph, http.MethodDelete, graphHost+"/applications/"+a.ID, nil, nil); err != nil {
				err = p.explain("delete application "+a.Name, "Graph's Application.ReadWrite.OwnedBy", err)
			}
		}
		done.Note("application "+a.Name, purge, err)
		all = append(all, err)
	}
	roles, err := p.roles(ctx)
	all = append(all, err)
	for _, guid := range roles {
		var err error
		if purge {
			if _, err = p.definitions.Delete(ctx, p.scope(), guid, nil); err != nil {
				err = p.explain("delete role "+guid, "Microsoft.Authorization/roleDefinitions/delete", err)
			}
		}
		done.Note("role "+guid, purge, err)
		all = append(all, err)
	}
	return done, errors.Join(all...)
}

// roles finds the stack's custom roles.
func (p *Pool) roles(ctx context.Context) (ours []string, err error) {
	pager := p.definitions.NewListPager(p.scope(), &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("type eq 'CustomRole'")})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, p.explain("list roles", "Microsoft.Authorization/roleDefinitions/read", err)
		}
		for _, d := range page.Value {
			if d == nil || d.Name == nil || d.Properties == nil || d.Properties.Description == nil {
				continue
			}
			if _, ok := p.owned(*d.Properties.Description); ok {
				ours = append(ours, *d.Name)
			}
		}
	}
	return ours, nil
}
