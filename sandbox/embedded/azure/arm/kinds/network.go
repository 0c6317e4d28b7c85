package kinds

import (
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// networks are the types of Microsoft.Network.
func networks() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.Network/virtualNetworks":                        network(arm.Kind{Prepare: prepareVirtualNetwork, After: inline("subnets", "Microsoft.Network/virtualNetworks/subnets"), View: viewInline("subnets")}),
		"Microsoft.Network/virtualNetworks/subnets":                network(arm.Kind{Prepare: prepareSubnet}),
		"Microsoft.Network/virtualNetworks/virtualNetworkPeerings": network(arm.Kind{Prepare: preparePeering}),
		"Microsoft.Network/networkSecurityGroups":                  network(arm.Kind{Prepare: prepareSecurityGroup, After: inline("securityRules", "Microsoft.Network/networkSecurityGroups/securityRules"), View: viewInline("securityRules")}),
		"Microsoft.Network/networkSecurityGroups/securityRules":    network(arm.Kind{}),
		"Microsoft.Network/routeTables":                            network(arm.Kind{After: inline("routes", "Microsoft.Network/routeTables/routes"), View: viewInline("routes")}),
		"Microsoft.Network/routeTables/routes":                     network(arm.Kind{}),
		"Microsoft.Network/publicIPAddresses":                      network(arm.Kind{Prepare: preparePublicIP}),
		"Microsoft.Network/networkInterfaces":                      network(arm.Kind{Prepare: prepareInterface}),
		"Microsoft.Network/natGateways":                            network(arm.Kind{}),
		"Microsoft.Network/loadBalancers":                          network(arm.Kind{}),
		"Microsoft.Network/virtualNetworkGateways":                 network(arm.Kind{}),
		"Microsoft.Network/privateEndpoints":                       network(arm.Kind{}),
	}
}

func network(k arm.Kind) arm.Kind {
	k.Operations = "operations"
	return k
}

// inline makes the parts that a resource was put with into resources of their
// own, and takes those away that it was put without.
func inline(name, kind string) func(c *arm.Call, o, old store.Object) error {
	return func(c *arm.Call, o, old store.Object) error {
		list, there := store.At(o, "properties", name).([]any)
		if there {
			keep := map[string]bool{}
			for _, e := range list {
				part, _ := e.(store.Object)
				id := store.Text(part, "name")
				one := c.Child(name, id, kind)
				keep[strings.ToLower(id)] = true
				made := store.Clone(part)
				one.Fresh(made)
				if prepare := c.Kinds[kind].Prepare; prepare != nil {
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
func viewInline(name string) func(c *arm.Call, id string, o store.Object) {
	return func(c *arm.Call, id string, o store.Object) {
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

func prepareVirtualNetwork(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "dhcpOptions", store.Object{"dnsServers": []any{}})
	store.Default(p, "enableDdosProtection", false)
	p["resourceGuid"] = arm.GUID(c.Path.ID)
	p["virtualNetworkPeerings"] = []any{}
	return nil
}

func prepareSubnet(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "delegations", []any{})
	store.Default(p, "privateEndpointNetworkPolicies", "Disabled")
	store.Default(p, "privateLinkServiceNetworkPolicies", "Enabled")
	if p["addressPrefix"] == nil && p["addressPrefixes"] == nil {
		return wire.New(400, "InvalidRequestFormat", "Subnet %s has no address prefix.", c.Path.Name())
	}
	return nil
}

func preparePeering(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "peeringState", "Initiated")
	store.Default(p, "peeringSyncLevel", "FullyInSync")
	return nil
}

func prepareSecurityGroup(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["resourceGuid"] = arm.GUID(c.Path.ID)
	p["defaultSecurityRules"] = []any{}
	return nil
}

func preparePublicIP(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "publicIPAllocationMethod", "Static")
	store.Default(p, "publicIPAddressVersion", "IPv4")
	p["ipAddress"] = "203.0.113." + strconv.Itoa(1+int(arm.Hash(c.Path.ID)%250)) // TEST-NET-3
	p["resourceGuid"] = arm.GUID(c.Path.ID)
	return nil
}

func prepareInterface(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["macAddress"], p["resourceGuid"] = "00-0D-3A-00-00-01", arm.GUID(c.Path.ID)
	list, _ := p["ipConfigurations"].([]any)
	for _, e := range list {
		one, _ := e.(store.Object)
		one["id"] = c.Path.ID + "/ipConfigurations/" + store.Text(one, "name")
		store.Default(store.Child(one, "properties"), "privateIPAddress", "10.0.0."+strconv.Itoa(4+int(arm.Hash(c.Path.ID)%200)))
	}
	return nil
}
