package azure

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
)

// actions is what has been learnt of which actions are data actions.
type actions struct {
	mu     sync.Mutex
	spaces map[string]map[string]bool // provider → its data actions, in lower case
}

// isData tells whether an action is a data action, as the provider itself says
// ("Provider Operations Metadata - Get"): a role that names one among its
// actions is refused, and one that does the opposite grants nothing. Of a
// provider that nobody knows all are plain actions.
func (p *Pool) isData(ctx context.Context, action string) (bool, error) {
	space, _, _ := strings.Cut(strings.ToLower(action), "/")
	p.actions.mu.Lock()
	defer p.actions.mu.Unlock()
	data, known := p.actions.spaces[space]
	if !known {
		got, err := p.providers.Get(ctx, space, &armauthorization.ProviderOperationsMetadataClientGetOptions{Expand: to.Ptr("resourceTypes")})
		if err != nil && status(err) != http.StatusNotFound {
			return false, p.explain("ask provider "+space+" for its actions", "Microsoft.Authorization/providerOperations/read", err)
		}
		data = map[string]bool{}
		note := func(list []*armauthorization.ProviderOperation) {
			for _, o := range list {
				if o != nil && o.Name != nil && o.IsDataAction != nil && *o.IsDataAction {
					data[strings.ToLower(*o.Name)] = true
				}
			}
		}
		note(got.Operations)
		for _, t := range got.ResourceTypes {
			if t != nil {
				note(t.Operations)
			}
		}
		if p.actions.spaces == nil {
			p.actions.spaces = map[string]map[string]bool{}
		}
		p.actions.spaces[space] = data
	}
	return data[strings.ToLower(action)], nil
}
