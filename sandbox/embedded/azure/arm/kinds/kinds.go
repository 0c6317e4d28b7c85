// Package kinds has what is particular to the types of resources in the embedded
// Azure sandbox, service by service: what a resource is shown with that it was not
// put with, what making or deleting it does to others, and what a POST to it does.
//
// A type that is not here is kept and shown by package arm as it is. Roles and their
// assignments are in package authorization.
package kinds

import (
	"maps"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm/authorization"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// All are the types that are more than what was put.
func All() map[string]arm.Kind {
	all := authorization.Kinds()
	for _, some := range []map[string]arm.Kind{resources(), networks(), machines(), storage(), vaults(), containers()} {
		maps.Copy(all, some)
	}
	return all
}

// resources are the types that others are in or lean on.
func resources() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.Resources/subscriptions/resourceGroups":                              {Prepare: prepareGroup, Operations: "operationresults", Location: true},
		"Microsoft.Resources/deployments":                                               {Prepare: prepareDeployment, Own: true, Operations: "operationstatuses"},
		"Microsoft.Resources/tags":                                                      {Bare: true, OK: true},
		"Microsoft.Authorization/locks":                                                 {Bare: true},
		"Microsoft.ManagedIdentity/userAssignedIdentities":                              {Bare: true, Prepare: prepareIdentity, Gone: goneIdentity},
		"Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": {Bare: true},
		"Microsoft.OperationalInsights/workspaces": {Prepare: prepareWorkspace,
			Post: map[string]func(*arm.Call, store.Object) (*arm.Reply, error){"sharedkeys": sharedKeys}},
	}
}

// taken tells whether another resource of a type has a name that the whole world
// shares.
func taken(c *arm.Call) bool {
	for _, k := range c.Store.Below("") {
		if strings.EqualFold(k, c.Path.ID) || !strings.HasSuffix(k, "/"+strings.ToLower(c.Path.Name())) {
			continue
		}
		if o, _ := c.Store.Get(k); store.Text(o, "type") == c.Kind {
			return true
		}
	}
	return false
}

// Groups.

func prepareGroup(c *arm.Call, o, old store.Object) error {
	if old != nil && !strings.EqualFold(arm.Place(o), arm.Place(old)) {
		return wire.New(409, "InvalidResourceGroupLocation", "Invalid resource group location '%s'. The Resource group already exists in location '%s'.", arm.Place(o), arm.Place(old))
	}
	o["location"] = arm.Place(o)
	return nil
}

// Identities.

func prepareIdentity(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	if old != nil {
		o["properties"] = old["properties"]
		return nil
	}
	p["tenantId"], p["principalId"], p["clientId"] = c.Tenant, entra.NewID(), entra.NewID()
	entra.AddManaged(c.Store, c.Path.Name(), store.Text(p, "principalId"), store.Text(p, "clientId"))
	return nil
}

func goneIdentity(s *store.Store, o store.Object) {
	entra.RemoveManaged(s, store.Text(o, "properties", "principalId"))
}

// Log Analytics.

func prepareWorkspace(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["customerId"] = arm.GUID(c.Path.ID)
	store.Default(p, "retentionInDays", float64(30))
	store.Default(p, "publicNetworkAccessForIngestion", "Enabled")
	store.Default(p, "publicNetworkAccessForQuery", "Enabled")
	store.Default(p, "workspaceCapping", store.Object{"dailyQuotaGb": float64(-1)})
	store.Default(p, "features", store.Object{})
	return nil
}

func sharedKeys(c *arm.Call, o store.Object) (*arm.Reply, error) {
	return arm.OK(store.Object{"primarySharedKey": arm.GUID(c.Path.ID + "1"), "secondarySharedKey": arm.GUID(c.Path.ID + "2")}), nil
}
