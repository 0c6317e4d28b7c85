package kinds

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/blob"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// storage are the types of Microsoft.Storage.
func storage() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.Storage/storageAccounts": {Operations: "asyncoperations", Location: true, Accepted: true, Prepare: prepareAccount, Gone: goneAccount,
			Post: map[string]func(*arm.Call, store.Object) (*arm.Reply, error){"listkeys": listKeys}},
		"Microsoft.Storage/storageAccounts/blobServices":            {Bare: true, Implied: true, OK: true},
		"Microsoft.Storage/storageAccounts/fileServices":            {Bare: true, Implied: true, OK: true},
		"Microsoft.Storage/storageAccounts/queueServices":           {Bare: true, Implied: true, OK: true},
		"Microsoft.Storage/storageAccounts/tableServices":           {Bare: true, Implied: true, OK: true},
		"Microsoft.Storage/storageAccounts/blobServices/containers": {Bare: true, Prepare: prepareContainer, Remove: removeContainer},
		"Microsoft.Storage/storageAccounts/fileServices/shares":     {Bare: true},
		"Microsoft.Storage/storageAccounts/queueServices/queues":    {Bare: true},
		"Microsoft.Storage/storageAccounts/tableServices/tables":    {Bare: true},
		"Microsoft.Storage/storageAccounts/managementPolicies":      {Bare: true},
	}
}

func prepareAccount(c *arm.Call, o, old store.Object) error {
	name := c.Path.Name()
	if taken(c) {
		return wire.New(409, "StorageAccountAlreadyTaken", "The storage account named %s is already taken.", name)
	}
	p := store.Child(o, "properties")
	p["primaryLocation"], p["statusOfPrimary"] = arm.Place(o), "available"
	endpoints := store.Object{}
	for _, s := range []string{"blob", "queue", "table", "file", "dfs"} {
		endpoints[s] = "https://" + name + "." + s + ".core.windows.net/"
	}
	endpoints["web"] = "https://" + name + ".z13.web.core.windows.net/"
	p["primaryEndpoints"] = endpoints
	store.Default(p, "creationTime", c.Now.UTC().Format("2006-01-02T15:04:05.0000000Z"))
	if old != nil {
		p["creationTime"] = store.At(old, "properties", "creationTime")
	}
	store.Default(p, "supportsHttpsTrafficOnly", true)
	store.Default(p, "allowSharedKeyAccess", true)
	store.Default(p, "networkAcls", store.Object{"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": []any{}, "virtualNetworkRules": []any{}, "resourceAccessRules": []any{}})
	store.Default(p, "encryption", store.Object{"keySource": "Microsoft.Storage", "services": store.Object{}})
	if sku, ok := o["sku"].(store.Object); ok {
		tier, _, _ := strings.Cut(store.Text(sku, "name"), "_")
		sku["tier"] = tier
	}
	key := keysOf(c.Path.ID)
	if !c.Store.Has(key) {
		c.Store.Put(key, store.Object{"key1": newKey(), "key2": newKey()})
	}
	return nil
}

func keysOf(id string) string { return id + "/#keys" }

func newKey() string {
	return base64.StdEncoding.EncodeToString([]byte(entra.NewID() + entra.NewID())[:64])
}

// AccountKeys gives a storage account's keys.
func AccountKeys(s *store.Store, id string) (keys []string) {
	o, _ := s.Get(keysOf(id))
	return []string{store.Text(o, "key1"), store.Text(o, "key2")}
}

func listKeys(c *arm.Call, o store.Object) (*arm.Reply, error) {
	var list []any
	for i, k := range AccountKeys(c.Store, c.Path.ID) {
		list = append(list, store.Object{"keyName": "key" + string(rune('1'+i)), "value": k, "permissions": "FULL", "creationTime": store.At(o, "properties", "creationTime")})
	}
	return arm.OK(store.Object{"keys": list}), nil
}

func prepareContainer(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "publicAccess", "None")
	p["lastModifiedTime"] = c.Now.UTC().Format(time.RFC3339)
	store.Default(p, "leaseStatus", "Unlocked")
	store.Default(p, "leaseState", "Available")
	store.Default(p, "hasImmutabilityPolicy", false)
	store.Default(p, "hasLegalHold", false)
	store.Default(p, "defaultEncryptionScope", "$account-encryption-key")
	store.Default(p, "denyEncryptionScopeOverride", false)
	o["etag"] = `"` + arm.GUID(c.Path.ID) + `"`
	return nil
}

func removeContainer(c *arm.Call, o store.Object) error {
	for _, k := range c.Store.Below(blob.Container(c.Path.Names[0], c.Path.Name()) + "/") {
		c.Store.Delete(k)
	}
	return nil
}

func goneAccount(s *store.Store, o store.Object) {
	for _, b := range s.Below(blob.Account(store.Text(o, "name"))) {
		s.Delete(b)
	}
}
