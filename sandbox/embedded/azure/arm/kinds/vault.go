package kinds

import (
	"net/http"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/vault"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// vaults are the types of Microsoft.KeyVault.
func vaults() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.KeyVault/vaults": {OK: true, Prepare: prepareVault, Remove: removeVault},
		"Microsoft.KeyVault/locations/deletedVaults": {Bare: true, Operations: "operationResults", Location: true,
			Missing: func(c *arm.Call) error {
				return wire.New(404, "DeletedVaultNotFound", "The specified deleted vault '%s' does not exist.", c.Path.Name())
			},
			Post: map[string]func(*arm.Call, store.Object) (*arm.Reply, error){"purge": purgeVault}},
	}
}

func deletedVault(subscription, place, name string) string {
	return "/subscriptions/" + subscription + "/providers/Microsoft.KeyVault/locations/" + place + "/deletedVaults/" + name
}

func prepareVault(c *arm.Call, o, old store.Object) error {
	name, p := c.Path.Name(), store.Child(o, "properties")
	gone := deletedVault(c.Path.Subscription, arm.Place(o), name)
	switch there := c.Store.Has(gone); {
	case old != nil:
	case taken(c):
		return wire.New(409, "VaultAlreadyExists", "The vault name '%s' is already in use. Vault names are globally unique so it is possible that the name is already taken.", name)
	case there && !strings.EqualFold(store.Text(p, "createMode"), "recover"):
		return wire.New(409, "ConflictError", "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.")
	case there:
		c.Store.Delete(gone)
	}
	delete(p, "createMode")
	p["vaultUri"] = "https://" + strings.ToLower(name) + ".vault.azure.net/"
	p["enableSoftDelete"] = true
	store.Default(p, "softDeleteRetentionInDays", float64(90))
	store.Default(p, "enableRbacAuthorization", false)
	store.Default(p, "accessPolicies", []any{})
	store.Default(p, "publicNetworkAccess", "Enabled")
	o["location"] = arm.Place(o)
	return nil
}

func removeVault(c *arm.Call, o store.Object) error {
	place := arm.Place(o)
	id := deletedVault(c.Path.Subscription, place, c.Path.Name())
	days, _ := store.At(o, "properties", "softDeleteRetentionInDays").(float64)
	c.Store.Put(id, store.Object{"id": id, "name": c.Path.Name(), "type": "Microsoft.KeyVault/deletedVaults", "properties": store.Object{
		"vaultId": c.Path.ID, "location": place, "tags": store.Object{}, "deletionDate": c.Now.UTC().Format(time.RFC3339),
		"scheduledPurgeDate": c.Now.AddDate(0, 0, int(days)).UTC().Format(time.RFC3339),
	}})
	return nil
}

func purgeVault(c *arm.Call, o store.Object) (*arm.Reply, error) {
	h := c.Begin("")
	c.Store.Delete(c.Path.ID)
	for _, k := range c.Store.Below(vault.Secrets(c.Path.Name())) {
		c.Store.Delete(k)
	}
	return &arm.Reply{Status: http.StatusAccepted, Header: h}, nil
}
