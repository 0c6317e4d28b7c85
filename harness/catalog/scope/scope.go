// Package scope says on which scope of Azure a permission is granted that a request was
// refused: the narrowest at or above what was refused that was there before the
// lifecycle made anything, since a role can be assigned on nothing that is yet to be
// made.
//
// It is pure functions over the ids of what was there, and does no I/O. Ids are compared
// without regard to case ("Resource Manager: resource IDs are case-insensitive", Azure
// REST API guidelines); what is given back is written as the list of what was there has
// it. What a role on a scope holds it holds on all that lies in it (Azure RBAC,
// "Understand scope").
package scope

import "strings"

// Everywhere is the scope of the whole subscription, as grants have it.
const Everywhere = "*"

// Why a permission is granted on the whole subscription.
const (
	NoName   = "the refusal names no resource"
	AskedOf  = "it is asked of the subscription"
	NotThere = "its resource group was not there before"
)

// Ground is what was in a subscription before the lifecycle was run.
type Ground struct {
	root string // "/subscriptions/…"
	ids  map[string]string
}

// GroundOf is a ground of the ids of resource groups and resources, with the parts of
// resources where they are known. Ids in no resource group of the subscription are left
// out: nothing is granted on them.
func GroundOf(subscription string, ids []string) Ground {
	g := Ground{root: "/subscriptions/" + subscription, ids: map[string]string{}}
	for _, id := range ids {
		id = strings.TrimRight(id, "/")
		rest, ok := g.below(id)
		if ok && hasPrefix(rest, "/resourceGroups/") && !strings.ContainsAny(id, "*?${}") {
			g.ids[strings.ToLower(id)] = g.root + rest
		}
	}
	// Lists of resources can have their group in another case than the list of groups.
	for lower, id := range g.ids {
		if n := groupEnd(lower, len(g.root)); n < len(lower) && g.ids[lower[:n]] != "" {
			g.ids[lower] = g.ids[lower[:n]] + id[n:]
		}
	}
	return g
}

// groupEnd is where the resource group of an id ends, which begins with the subscription.
func groupEnd(id string, from int) int {
	from += len("/resourceGroups/")
	if n := strings.IndexByte(id[from:], '/'); n >= 0 {
		return from + n
	}
	return len(id)
}

// below is the part of an id after the subscription's.
func (g Ground) below(id string) (rest string, ok bool) {
	if !hasPrefix(id, g.root) {
		return "", false
	}
	rest = id[len(g.root):]
	return rest, rest == "" || rest[0] == '/'
}

func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// Of gives the scope to grant on for what was refused on the id; why it is no narrower,
// where it is [Everywhere].
func (g Ground) Of(id string) (at, why string) {
	id = strings.TrimRight(id, "/")
	rest, ok := g.below(id)
	if id == Everywhere || !ok {
		return Everywhere, NoName
	}
	for one := strings.ToLower(id); len(one) > len(g.root); one = one[:strings.LastIndexByte(one, '/')] {
		if there, ok := g.ids[one]; ok {
			return there, ""
		}
	}
	if hasPrefix(rest, "/resourceGroups/") {
		return Everywhere, NotThere
	}
	return Everywhere, AskedOf
}

// Has tells whether a grant may be on a scope.
func (g Ground) Has(at string) bool {
	there, ok := g.ids[strings.ToLower(at)]
	return ok && there == at
}

// services are the types whose resources have a host each, called by their name, which
// no two in the world share. Sources: "Naming rules and restrictions for Azure
// resources" (scope: global); "Azure Key Vault: vault name", "Storage account
// endpoints" (standard endpoints), "Container registry: registry name".
var services = []struct{ suffix, kind string }{
	{".vault.azure.net", "Microsoft.KeyVault/vaults"},
	{".blob.core.windows.net", "Microsoft.Storage/storageAccounts"},
	{".dfs.core.windows.net", "Microsoft.Storage/storageAccounts"},
	{".file.core.windows.net", "Microsoft.Storage/storageAccounts"},
	{".queue.core.windows.net", "Microsoft.Storage/storageAccounts"},
	{".table.core.windows.net", "Microsoft.Storage/storageAccounts"},
	{".azurecr.io", "Microsoft.ContainerRegistry/registries"},
}

// Served tells which resource a host of a data plane is of: its type and name, as the
// end of its id. ok is false for a host that is no single resource's.
func Served(host string) (end string, ok bool) {
	host = strings.ToLower(host)
	for _, s := range services {
		name, is := strings.CutSuffix(host, s.suffix)
		if is && name != "" && !strings.Contains(name, ".") {
			return "/providers/" + s.kind + "/" + strings.TrimSuffix(name, "-secondary"), true
		}
	}
	return "", false
}

// Ending is the id that ends so, if there is one.
func (g Ground) Ending(end string) (id string, ok bool) {
	end = strings.ToLower(end)
	for lower, id := range g.ids {
		if strings.HasSuffix(lower, end) {
			return id, true
		}
	}
	return "", false
}

// Holds tells whether what is granted on a scope holds on an id.
func Holds(at, id string) bool {
	at = strings.TrimRight(at, "/")
	return at == Everywhere || hasPrefix(id, at) && (len(id) == len(at) || id[len(at)] == '/')
}
