package arm

import (
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// child is the call that would have been made for a part of a resource.
func (c *Call) child(name, id, kind string) *Call {
	p, _ := resource.Parse(http.MethodPut, c.Path.ID+"/"+name+"/"+id)
	one := *c
	one.Path, one.kind = p, kind
	return &one
}

// inline makes the parts that a resource was put with into resources of their
// own, and takes those away that it was put without.
func inline(name, kind string) func(c *Call, o, old store.Object) error {
	return func(c *Call, o, old store.Object) error {
		list, there := store.At(o, "properties", name).([]any)
		if there {
			keep := map[string]bool{}
			for _, e := range list {
				part, _ := e.(store.Object)
				id := store.Text(part, "name")
				one := c.child(name, id, kind)
				keep[strings.ToLower(id)] = true
				made := store.Clone(part)
				one.fresh(made)
				if prepare := kinds[kind].prepare; prepare != nil {
					if err := prepare(one, made, nil); err != nil {
						return err
					}
				}
				store.Child(made, "properties")["provisioningState"] = "Succeeded"
				c.Store.Put(one.Path.ID, made)
			}
			prefix := c.Path.ID + "/" + name + "/"
			for _, k := range c.Store.Below(prefix) {
				if rest := k[len(prefix):]; !strings.Contains(rest, "/") && !keep[rest] {
					c.Store.Delete(k)
				}
			}
		}
		if p, ok := o["properties"].(store.Object); ok && there {
			delete(p, name)
			c.Store.Put(c.Path.ID, o)
		}
		return nil
	}
}

// viewInline shows a resource's parts in it.
func viewInline(name string) func(c *Call, id string, o store.Object) {
	return func(c *Call, id string, o store.Object) {
		list := []any{}
		prefix := id + "/" + name + "/"
		for _, k := range c.Store.Below(prefix) {
			if !strings.Contains(k[len(prefix):], "/") {
				part, _ := c.Store.Get(k)
				list = append(list, part)
			}
		}
		store.Child(o, "properties")[name] = list
	}
}

func prepareVirtualNetwork(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "dhcpOptions", store.Object{"dnsServers": []any{}})
	store.Default(p, "enableDdosProtection", false)
	p["resourceGuid"] = guid(c.Path.ID)
	p["virtualNetworkPeerings"] = []any{}
	return nil
}

func prepareSubnet(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "delegations", []any{})
	store.Default(p, "privateEndpointNetworkPolicies", "Disabled")
	store.Default(p, "privateLinkServiceNetworkPolicies", "Enabled")
	if p["addressPrefix"] == nil && p["addressPrefixes"] == nil {
		return wire.New(400, "InvalidRequestFormat", "Subnet %s has no address prefix.", c.Path.Name())
	}
	return nil
}

func preparePeering(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "peeringState", "Initiated")
	store.Default(p, "peeringSyncLevel", "FullyInSync")
	return nil
}

func prepareSecurityGroup(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["resourceGuid"] = guid(c.Path.ID)
	p["defaultSecurityRules"] = []any{}
	return nil
}

func preparePublicIP(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "publicIPAllocationMethod", "Static")
	store.Default(p, "publicIPAddressVersion", "IPv4")
	p["ipAddress"] = "203.0.113." + strconv.Itoa(1+int(hash(c.Path.ID)%250)) // TEST-NET-3
	p["resourceGuid"] = guid(c.Path.ID)
	return nil
}

func prepareInterface(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["macAddress"], p["resourceGuid"] = "00-0D-3A-00-00-01", guid(c.Path.ID)
	list, _ := p["ipConfigurations"].([]any)
	for _, e := range list {
		one, _ := e.(store.Object)
		one["id"] = c.Path.ID + "/ipConfigurations/" + store.Text(one, "name")
		store.Default(store.Child(one, "properties"), "privateIPAddress", "10.0.0."+strconv.Itoa(4+int(hash(c.Path.ID)%200)))
	}
	return nil
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(s))) //nolint:errcheck // a hash's Write gives none
	return h.Sum64()
}

// guid is the id of a resource that stays the same as long as its name does.
func guid(id string) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hash(id))
	binary.BigEndian.PutUint64(b[8:], hash(id+"#"))
	const digits = "0123456789abcdef"
	var s strings.Builder
	for i, v := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			s.WriteByte('-')
		}
		s.WriteByte(digits[v>>4])
		s.WriteByte(digits[v&15])
	}
	return s.String()
}

func prepareDisk(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "diskState", "Unattached")
	p["uniqueId"] = guid(c.Path.ID)
	return nil
}

func prepareMachine(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["vmId"] = guid(c.Path.ID)
	if profile, ok := p["osProfile"].(store.Object); ok {
		delete(profile, "adminPassword")
		store.Default(profile, "allowExtensionOperations", true)
		store.Default(profile, "secrets", []any{})
	}
	disk := store.Child(store.Child(p, "storageProfile"), "osDisk")
	store.Default(disk, "name", c.Path.Name()+"_OsDisk_1_"+strings.ReplaceAll(guid(c.Path.ID), "-", ""))
	store.Default(disk, "diskSizeGB", float64(30))
	managed := store.Child(disk, "managedDisk")
	if managed["id"] == nil {
		id := "/subscriptions/" + c.Path.Subscription + "/resourceGroups/" + c.Path.Group + "/providers/Microsoft.Compute/disks/" + store.Text(disk, "name")
		managed["id"] = id
		c.Store.Put(id, store.Object{"id": id, "name": disk["name"], "type": "Microsoft.Compute/disks", "location": o["location"], "managedBy": c.Path.ID,
			"sku":        store.Object{"name": store.Text(managed, "storageAccountType"), "tier": "Standard"},
			"properties": store.Object{"provisioningState": "Succeeded", "diskSizeGB": disk["diskSizeGB"], "diskState": "Attached", "uniqueId": guid(id), "creationData": store.Object{"createOption": "FromImage"}}})
	}
	return nil
}
