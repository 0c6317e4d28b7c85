package azure

import "slices"

// kind is a type of resource that decoys are made of.
type kind struct {
	name  string
	id    string // {group} is the decoys' resource group, {name} the decoy's name
	make  []request
	tries []attempt
}

// request is one to an API: {group} is the path of the decoys' resource group, {name} the
// decoy's name.
type request struct{ method, url, body string }

// attempt is a request for a decoy by an action.
type attempt struct {
	permission string
	request
}

const (
	manager = "https://management.azure.com{group}"
	group   = manager + "?api-version=2021-04-01"
	located = `{"location":"eastus"}`
	secrets = "https://{name}.vault.azure.net/secrets"
	secret  = secrets + "/one?api-version=7.4"
	files   = "https://{name}.blob.core.windows.net/c"
	nobody  = "11111111-2222-4333-8444-555555555555"
	roles   = "/providers/Microsoft.Authorization/roleAssignments"
	subnet  = `{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}}`
	network = `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[` + subnet + `]}}`
	account = `{"location":"eastus","sku":{"name":"Standard_LRS"},"kind":"StorageV2"}`
	vault   = `{"location":"eastus","properties":{"tenantId":"` + nobody + `","sku":{"family":"A","name":"standard"},"enableRbacAuthorization":true}}`
)

// of is a type of Resource Manager: made by a PUT, read, written and deleted by its
// actions of these names, and between the two what else can be tried on it.
func of(name, space, noun, version, body string, more ...attempt) kind {
	id, at := "{group}/providers/"+space+"/"+noun+"/{name}", "?api-version="+version
	url := "https://management.azure.com" + id
	put := request{"PUT", url + at, body}
	tries := []attempt{{space + "/" + noun + "/read", request{"GET", url + at, ""}}, {space + "/" + noun + "/write", put}}
	for _, m := range more {
		if m.url == "" { // what a POST asks of it
			m.request = request{"POST", url + "/" + m.body + at, ""}
			m.permission = space + "/" + noun + "/" + m.permission + "/action"
		}
		tries = append(tries, m)
	}
	return kind{name, id, []request{put}, append(tries, attempt{space + "/" + noun + "/delete", request{"DELETE", url + at, ""}})}
}

// asks is a POST.
func asks(verb string) attempt { return attempt{verb, request{body: verb}} }

// and adds to what is made first, and to what is tried, before what takes it away.
func (k kind) and(made []request, tries ...attempt) kind {
	k.make = append(k.make, made...)
	k.tries = slices.Insert(k.tries, len(k.tries)-1, tries...)
	return k
}

// parts are what is read, written and deleted of a part of a resource.
func parts(action, url, body string) []attempt {
	return []attempt{{action + "/read", request{"GET", url, ""}}, {action + "/write", request{"PUT", url, body}}, {action + "/delete", request{"DELETE", url, ""}}}
}

const (
	subnetsURL = manager + "/providers/Microsoft.Network/virtualNetworks/{name}/subnets/s?api-version=2024-05-01"
	rulesURL   = manager + "/providers/Microsoft.Network/networkSecurityGroups/{name}/securityRules/r?api-version=2024-05-01"
	rule       = `{"properties":{"protocol":"*","access":"Deny","direction":"Inbound","priority":100,"sourcePortRange":"*","destinationPortRange":"*","sourceAddressPrefix":"*","destinationAddressPrefix":"*"}}`
)

// kinds are the types, with what can be tried on each: what takes it away comes last, and
// the resource group after all that is in it. Which action a request needs is in the
// tables of "Azure permissions for …" of each service, of data planes in "Azure RBAC for
// Key Vault" and "Authorize with Microsoft Entra ID" (Blob Storage).
var kinds = []kind{
	{"resource group", "{group}", nil, []attempt{
		{"Microsoft.Resources/subscriptions/resourceGroups/read", request{"GET", group, ""}},
		{"Microsoft.Resources/subscriptions/resourceGroups/write", request{"PATCH", group, `{"tags":{"touched":"yes"}}`}},
		{"Microsoft.Authorization/roleAssignments/read", request{"GET", manager + roles + "?api-version=2022-04-01", ""}},
		// Of a role that there is not: who may assign roles is told so.
		{"Microsoft.Authorization/roleAssignments/write", request{"PUT", manager + roles + "/" + nobody + "?api-version=2022-04-01", `{"properties":{"principalId":"` + nobody + `","roleDefinitionId":"{group}/providers/Microsoft.Authorization/roleDefinitions/` + nobody + `"}}`}},
		{"Microsoft.Authorization/roleAssignments/delete", request{"DELETE", manager + roles + "/" + nobody + "?api-version=2022-04-01", ""}},
	}},
	of("network security group", "Microsoft.Network", "networkSecurityGroups", "2024-05-01", located).and(nil, parts("Microsoft.Network/networkSecurityGroups/securityRules", rulesURL, rule)...),
	of("public IP address", "Microsoft.Network", "publicIPAddresses", "2024-05-01", located),
	of("virtual network", "Microsoft.Network", "virtualNetworks", "2024-05-01", network).and(nil, parts("Microsoft.Network/virtualNetworks/subnets", subnetsURL, subnet)...),
	of("route table", "Microsoft.Network", "routeTables", "2024-05-01", located),
	of("network interface", "Microsoft.Network", "networkInterfaces", "2024-05-01", located),
	of("load balancer", "Microsoft.Network", "loadBalancers", "2024-05-01", located),
	of("NAT gateway", "Microsoft.Network", "natGateways", "2024-05-01", located),
	of("application security group", "Microsoft.Network", "applicationSecurityGroups", "2024-05-01", located),
	of("disk", "Microsoft.Compute", "disks", "2024-03-02", `{"location":"eastus","properties":{"creationData":{"createOption":"Empty"},"diskSizeGB":1}}`),
	of("availability set", "Microsoft.Compute", "availabilitySets", "2024-07-01", located),
	of("user-assigned identity", "Microsoft.ManagedIdentity", "userAssignedIdentities", "2023-01-31", located),
	of("log workspace", "Microsoft.OperationalInsights", "workspaces", "2023-09-01", located, asks("sharedKeys")),
	of("registry", "Microsoft.ContainerRegistry", "registries", "2023-07-01", `{"location":"eastus","sku":{"name":"Basic"},"properties":{"adminUserEnabled":true}}`, asks("listCredentials")),
	of("storage account", "Microsoft.Storage", "storageAccounts", "2023-05-01", account, asks("listKeys")).and(
		[]request{{"PUT", files + "?restype=container", ""}, {"PUT", files + "/b", "text"}},
		attempt{"Microsoft.Storage/storageAccounts/blobServices/containers/read", request{"GET", files + "?restype=container", ""}},
		attempt{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", request{"GET", files + "/b", ""}},
		attempt{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", request{"PUT", files + "/b", "other"}},
		attempt{"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete", request{"DELETE", files + "/b", ""}},
		attempt{"Microsoft.Storage/storageAccounts/blobServices/containers/write", request{"PUT", "https://{name}.blob.core.windows.net/d?restype=container", ""}},
		attempt{"Microsoft.Storage/storageAccounts/blobServices/containers/delete", request{"DELETE", files + "?restype=container", ""}},
	),
	of("vault", "Microsoft.KeyVault", "vaults", "2023-07-01", vault).and(
		[]request{{"PUT", secret, `{"value":"nothing"}`}},
		attempt{"Microsoft.KeyVault/vaults/secrets/readMetadata/action", request{"GET", secrets + "?api-version=7.4", ""}},
		attempt{"Microsoft.KeyVault/vaults/secrets/getSecret/action", request{"GET", secret, ""}},
		attempt{"Microsoft.KeyVault/vaults/secrets/setSecret/action", request{"PUT", secret, `{"value":"other"}`}},
		attempt{"Microsoft.KeyVault/vaults/secrets/delete", request{"DELETE", secret, ""}},
	),
	{"resource group", "{group}", nil, []attempt{{"Microsoft.Resources/subscriptions/resourceGroups/delete", request{"DELETE", group, ""}}}},
}
