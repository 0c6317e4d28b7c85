package kinds

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// containers are the types of the registry and of Kubernetes.
func containers() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.ContainerRegistry/registries": {Own: true, Operations: "operationStatuses", Prepare: prepareRegistry,
			Post: map[string]func(*arm.Call, store.Object) (*arm.Reply, error){"listcredentials": listCredentials}},
		"Microsoft.ContainerService/managedClusters": {Operations: "operations", Prepare: prepareCluster, After: afterCluster, Remove: removeCluster, View: viewCluster,
			Post: map[string]func(*arm.Call, store.Object) (*arm.Reply, error){"listclusterusercredential": kubeconfig, "listclusteradmincredential": kubeconfig}},
		"Microsoft.ContainerService/managedClusters/agentPools": {Operations: "operations", Prepare: preparePool},
	}
}

// Container Registry.

func prepareRegistry(c *arm.Call, o, old store.Object) error {
	if taken(c) {
		return wire.New(409, "AlreadyInUse", "The registry DNS name %s.azurecr.io is already in use. You can check if the name is already claimed using following API: https://docs.microsoft.com/en-us/rest/api/containerregistry/registries/checknameavailability", strings.ToLower(c.Path.Name()))
	}
	p := store.Child(o, "properties")
	p["loginServer"] = strings.ToLower(c.Path.Name()) + ".azurecr.io"
	store.Default(p, "creationDate", c.Now.UTC().Format(time.RFC3339))
	for name, v := range map[string]any{"adminUserEnabled": false, "dataEndpointEnabled": false, "publicNetworkAccess": "Enabled", "networkRuleBypassOptions": "AzureServices",
		"zoneRedundancy": "Disabled", "anonymousPullEnabled": false, "dataEndpointHostNames": []any{}, "privateEndpointConnections": []any{}} {
		store.Default(p, name, v)
	}
	policies := store.Child(p, "policies")
	for name, v := range map[string]store.Object{
		"quarantinePolicy": {"status": "disabled"}, "trustPolicy": {"type": "Notary", "status": "disabled"}, "retentionPolicy": {"days": float64(7), "status": "disabled"},
		"exportPolicy": {"status": "enabled"}, "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
	} {
		store.Default(policies, name, v)
	}
	if sku, ok := o["sku"].(store.Object); ok {
		sku["tier"] = sku["name"]
	}
	return nil
}

func listCredentials(c *arm.Call, o store.Object) (*arm.Reply, error) {
	if enabled, _ := store.At(o, "properties", "adminUserEnabled").(bool); !enabled {
		return nil, wire.New(400, "AdminUserDisabled", "The admin user is disabled for registry %s.", c.Path.Name())
	}
	return arm.OK(store.Object{"username": c.Path.Name(), "passwords": []any{store.Object{"name": "password", "value": arm.GUID(c.Path.ID + "1")}, store.Object{"name": "password2", "value": arm.GUID(c.Path.ID + "2")}}}), nil
}

// Kubernetes.

const kubernetesVersion = "1.33.2"

func prepareCluster(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	name, place := c.Path.Name(), arm.Place(o)
	store.Default(p, "nodeResourceGroup", "MC_"+c.Path.Group+"_"+name+"_"+place)
	store.Default(p, "dnsPrefix", name)
	fqdn := strings.ToLower(store.Text(p, "dnsPrefix")) + "-" + arm.GUID(c.Path.ID)[:8] + ".hcp." + place + ".azmk8s.io"
	p["fqdn"], p["azurePortalFQDN"] = fqdn, strings.Replace(fqdn, ".hcp.", ".portal.hcp.", 1)
	store.Default(p, "kubernetesVersion", kubernetesVersion)
	p["currentKubernetesVersion"], p["powerState"] = p["kubernetesVersion"], store.Object{"code": "Running"}
	for field, v := range map[string]any{"enableRBAC": true, "supportPlan": "KubernetesOfficial", "disableLocalAccounts": false, "maxAgentPools": float64(100),
		"servicePrincipalProfile": store.Object{"clientId": "msi"}, "storageProfile": store.Object{"diskCSIDriver": store.Object{"enabled": true}, "fileCSIDriver": store.Object{"enabled": true}, "snapshotController": store.Object{"enabled": true}},
		"autoUpgradeProfile": store.Object{"nodeOSUpgradeChannel": "NodeImage"}, "securityProfile": store.Object{}, "workloadAutoScalerProfile": store.Object{},
		"metricsProfile": store.Object{"costAnalysis": store.Object{"enabled": false}}, "bootstrapProfile": store.Object{"artifactSource": "Direct"},
		"nodeProvisioningProfile": store.Object{"mode": "Manual", "defaultNodePools": "Auto"}} {
		store.Default(p, field, v)
	}
	if issuer, ok := p["oidcIssuerProfile"].(store.Object); ok {
		if on, _ := issuer["enabled"].(bool); on {
			issuer["issuerURL"] = "https://" + place + ".oic.prod-aks.azure.com/" + c.Tenant + "/" + arm.GUID(c.Path.ID) + "/"
		}
	}
	n := store.Child(p, "networkProfile")
	for field, v := range map[string]any{"networkPlugin": "kubenet", "loadBalancerSku": "standard", "outboundType": "loadBalancer", "serviceCidr": "10.0.0.0/16", "dnsServiceIP": "10.0.0.10",
		"ipFamilies": []any{"IPv4"}, "networkDataplane": "azure", "podLinkLocalAccess": "IMDS"} {
		store.Default(n, field, v)
	}
	if store.Text(n, "networkPlugin") == "kubenet" {
		store.Default(n, "podCidr", "10.244.0.0/16")
	}
	if store.Text(n, "loadBalancerSku") == "standard" {
		b := store.Child(n, "loadBalancerProfile")
		store.Default(b, "managedOutboundIPs", store.Object{"count": float64(1)})
		store.Default(b, "effectiveOutboundIPs", []any{})
		store.Default(b, "backendPoolType", "nodeIPConfiguration")
	}
	if sku, ok := o["sku"].(store.Object); ok {
		store.Default(sku, "tier", "Free")
	} else {
		o["sku"] = store.Object{"name": "Base", "tier": "Free"}
	}
	return nil
}

// afterCluster makes what a cluster makes: the group of its nodes, the kubelet's
// identity, and its pools as resources of their own.
func afterCluster(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	group := "/subscriptions/" + c.Path.Subscription + "/resourceGroups/" + store.Text(p, "nodeResourceGroup")
	if !c.Store.Has(group) {
		c.Store.Put(group, store.Object{"id": group, "name": store.Text(p, "nodeResourceGroup"), "type": "Microsoft.Resources/subscriptions/resourceGroups", "location": o["location"],
			"managedBy": c.Path.ID, "properties": store.Object{"provisioningState": "Succeeded"}})
	}
	if profile, ok := p["identityProfile"].(store.Object); !ok || profile["kubeletidentity"] == nil {
		id := group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + c.Path.Name() + "-agentpool"
		u, there := c.Store.Get(id)
		if !there {
			u = store.Object{"id": id, "name": c.Path.Name() + "-agentpool", "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "location": o["location"],
				"properties": store.Object{"tenantId": c.Tenant, "principalId": entra.NewID(), "clientId": entra.NewID()}}
			c.Store.Put(id, u)
			entra.AddManaged(c.Store, c.Path.Name()+"-agentpool", store.Text(u, "properties", "principalId"), store.Text(u, "properties", "clientId"))
		}
		p["identityProfile"] = store.Object{"kubeletidentity": store.Object{"resourceId": id, "objectId": store.Text(u, "properties", "principalId"), "clientId": store.Text(u, "properties", "clientId")}}
	}
	list, there := p["agentPoolProfiles"].([]any)
	keep := map[string]bool{}
	for _, e := range list {
		profile, _ := e.(store.Object)
		one := c.Child("agentPools", store.Text(profile, "name"), "Microsoft.ContainerService/managedClusters/agentPools")
		keep[strings.ToLower(one.Path.ID)] = true
		pool := one.Fresh(store.Object{"properties": store.Clone(profile)})
		delete(store.Child(pool, "properties"), "name")
		if err := preparePool(one, pool, nil); err != nil {
			return err
		}
		store.Child(pool, "properties")["provisioningState"] = "Succeeded"
		c.Store.Put(one.Path.ID, pool)
	}
	if there {
		for _, k := range c.Store.Below(c.Path.ID + "/agentPools/") {
			if !keep[k] {
				c.Store.Delete(k)
			}
		}
		delete(p, "agentPoolProfiles")
	}
	c.Store.Put(c.Path.ID, o)
	return nil
}

func preparePool(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	for field, v := range map[string]any{"mode": "User", "osType": "Linux", "osSKU": "Ubuntu", "osDiskType": "Managed", "osDiskSizeGB": float64(128), "maxPods": float64(110), "type": "VirtualMachineScaleSets",
		"kubeletDiskType": "OS", "scaleDownMode": "Delete", "enableAutoScaling": false, "enableNodePublicIP": false, "enableEncryptionAtHost": false, "enableUltraSSD": false, "enableFIPS": false,
		"upgradeSettings": store.Object{"maxSurge": "10%", "maxUnavailable": "0"}} {
		store.Default(p, field, v)
	}
	version := kubernetesVersion
	if cluster, ok := c.Store.Get(c.Path.Parent()); ok {
		if v := store.Text(cluster, "properties", "kubernetesVersion"); v != "" {
			version = v
		}
	}
	store.Default(p, "orchestratorVersion", version)
	p["currentOrchestratorVersion"], p["powerState"] = p["orchestratorVersion"], store.Object{"code": "Running"}
	return nil
}

func viewCluster(c *arm.Call, id string, o store.Object) {
	list := []any{}
	for _, k := range c.Store.Below(id + "/agentPools/") {
		pool, _ := c.Store.Get(k)
		p := store.Child(pool, "properties")
		p["name"] = pool["name"]
		list = append(list, p)
	}
	store.Child(o, "properties")["agentPoolProfiles"] = list
}

func removeCluster(c *arm.Call, o store.Object) error {
	c.Drop("/subscriptions/" + c.Path.Subscription + "/resourceGroups/" + store.Text(o, "properties", "nodeResourceGroup"))
	return nil
}

// kubeconfig gives the file that leads to the cluster, with a token that only the
// sandbox would know; there is no cluster behind it.
func kubeconfig(c *arm.Call, o store.Object) (*arm.Reply, error) {
	user := "clusterUser"
	if strings.Contains(strings.ToLower(c.Path.Verb), "admin") {
		user = "clusterAdmin"
	}
	name, b64 := c.Path.Name(), base64.StdEncoding.EncodeToString
	text := strings.NewReplacer("{name}", name, "{user}", user+"_"+c.Path.Group+"_"+name, "{fqdn}", store.Text(o, "properties", "fqdn"),
		"{none}", b64([]byte("none\n")), "{token}", strings.ReplaceAll(arm.GUID(c.Path.ID+user), "-", "")).Replace(kubeconfigText)
	return arm.OK(store.Object{"kubeconfigs": []any{store.Object{"name": user, "value": b64([]byte(text))}}}), nil
}

const kubeconfigText = `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: {none}
    server: https://{fqdn}:443
  name: {name}
contexts:
- context:
    cluster: {name}
    user: {user}
  name: {name}
current-context: {name}
users:
- name: {user}
  user:
    client-certificate-data: {none}
    client-key-data: {none}
    token: {token}
`
