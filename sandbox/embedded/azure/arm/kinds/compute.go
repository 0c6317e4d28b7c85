package kinds

import (
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

// machines are the types of Microsoft.Compute.
func machines() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.Compute/disks":           {Operations: "operations", Prepare: prepareDisk},
		"Microsoft.Compute/virtualMachines": {Operations: "operations", Prepare: prepareMachine},
	}
}

func prepareDisk(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "diskState", "Unattached")
	p["uniqueId"] = arm.GUID(c.Path.ID)
	return nil
}

func prepareMachine(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["vmId"] = arm.GUID(c.Path.ID)
	if profile, ok := p["osProfile"].(store.Object); ok {
		delete(profile, "adminPassword")
		store.Default(profile, "allowExtensionOperations", true)
		store.Default(profile, "secrets", []any{})
	}
	disk := store.Child(store.Child(p, "storageProfile"), "osDisk")
	store.Default(disk, "name", c.Path.Name()+"_OsDisk_1_"+strings.ReplaceAll(arm.GUID(c.Path.ID), "-", ""))
	store.Default(disk, "diskSizeGB", float64(30))
	managed := store.Child(disk, "managedDisk")
	if managed["id"] == nil {
		id := "/subscriptions/" + c.Path.Subscription + "/resourceGroups/" + c.Path.Group + "/providers/Microsoft.Compute/disks/" + store.Text(disk, "name")
		managed["id"] = id
		c.Store.Put(id, store.Object{"id": id, "name": disk["name"], "type": "Microsoft.Compute/disks", "location": o["location"], "managedBy": c.Path.ID,
			"sku":        store.Object{"name": store.Text(managed, "storageAccountType"), "tier": "Standard"},
			"properties": store.Object{"provisioningState": "Succeeded", "diskSizeGB": disk["diskSizeGB"], "diskState": "Attached", "uniqueId": arm.GUID(id), "creationData": store.Object{"createOption": "FromImage"}}})
	}
	return nil
}
