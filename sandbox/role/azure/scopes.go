package azure

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// NeedsScoped is what the operator must hold besides [Needs] where roles are to be
// assigned on less than the subscription.
func NeedsScoped() grant.Set {
	var all []grant.Grant
	for _, p := range []string{groupsRead, resourcesRead, networksRead} {
		all = append(all, grant.Grant{Permission: p, Resource: "*"})
	}
	return grant.Of(all...)
}

const (
	groupsRead    = "Microsoft.Resources/subscriptions/resourceGroups/read"
	resourcesRead = "Microsoft.Resources/subscriptions/resources/read"
	networksRead  = "Microsoft.Network/virtualNetworks/read"
)

const networks = "/providers/Microsoft.Network/virtualNetworks"

// Scopes implements [harness.Scoper]: the resource groups, the resources as Resource
// Manager lists them, and the subnets. The list of resources has no parts of resources
// ("Resources - List": top-level resources and some nested ones), so nothing is
// assigned on a container of an account or a secret of a vault; subnets are asked for,
// since to join somebody else's is what is refused on a part most often.
func (p *Pool) Scopes(ctx context.Context) ([]string, error) {
	var ids []string
	type resource struct {
		ID         string `json:"id"`
		Properties struct {
			Subnets []struct {
				ID string `json:"id"`
			} `json:"subnets"`
		} `json:"properties"`
	}
	list := func(what, path, permission string) error {
		for address := managerHost + p.scope() + path; address != ""; {
			var page struct {
				Value []resource `json:"value"`
				Next  string     `json:"nextLink"`
			}
			if err := call(ctx, p.manager, http.MethodGet, address, nil, &page); err != nil {
				return p.explain("list the "+what+" of subscription "+p.cfg.Subscription, permission, err)
			}
			for _, r := range page.Value {
				ids = append(ids, r.ID)
				for _, s := range r.Properties.Subnets {
					ids = append(ids, s.ID)
				}
			}
			if address = page.Next; address != "" && !strings.HasPrefix(address, managerHost+"/") {
				return fmt.Errorf("list the %s of subscription %s: the next page is on another host, which gets no token", what, p.cfg.Subscription)
			}
		}
		return nil
	}
	if err := list("resource groups", "/resourcegroups?api-version=2021-04-01", groupsRead); err != nil {
		return nil, err
	}
	if err := list("resources", "/resources?api-version=2021-04-01", resourcesRead); err != nil {
		return nil, err
	}
	if err := list("virtual networks", networks+"?api-version=2024-05-01", networksRead); err != nil {
		return nil, err
	}
	return ids, nil
}
