package arm

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// Storage.

// taken tells whether another resource of a type has a name that the whole world
// shares.
func (c *Call) taken() bool {
	for _, k := range c.Store.Below("") {
		if strings.EqualFold(k, c.Path.ID) || !strings.HasSuffix(k, "/"+strings.ToLower(c.Path.Name())) {
			continue
		}
		if o, _ := c.Store.Get(k); store.Text(o, "type") == c.kind {
			return true
		}
	}
	return false
}

func prepareAccount(c *Call, o, old store.Object) error {
	name := c.Path.Name()
	if c.taken() {
		return wire.New(409, "StorageAccountAlreadyTaken", "The storage account named %s is already taken.", name)
	}
	p := store.Child(o, "properties")
	p["primaryLocation"], p["statusOfPrimary"] = location(o), "available"
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

func listKeys(c *Call, o store.Object) (*Reply, error) {
	var list []any
	for i, k := range AccountKeys(c.Store, c.Path.ID) {
		list = append(list, store.Object{"keyName": "key" + string(rune('1'+i)), "value": k, "permissions": "FULL", "creationTime": store.At(o, "properties", "creationTime")})
	}
	return OK(store.Object{"keys": list}), nil
}

// BlobContainer is the key of a container of the data plane.
func BlobContainer(account, container string) string {
	return "blob/" + strings.ToLower(account) + "/" + container
}

func prepareContainer(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	store.Default(p, "publicAccess", "None")
	p["lastModifiedTime"] = c.Now.UTC().Format(time.RFC3339)
	store.Default(p, "leaseStatus", "Unlocked")
	store.Default(p, "leaseState", "Available")
	store.Default(p, "hasImmutabilityPolicy", false)
	store.Default(p, "hasLegalHold", false)
	store.Default(p, "defaultEncryptionScope", "$account-encryption-key")
	store.Default(p, "denyEncryptionScopeOverride", false)
	o["etag"] = `"` + guid(c.Path.ID) + `"`
	return nil
}

func removeContainer(c *Call, o store.Object) error {
	for _, k := range c.Store.Below(BlobContainer(c.Path.Names[0], c.Path.Name()) + "/") {
		c.Store.Delete(k)
	}
	return nil
}

// Key Vault.

func deletedVault(subscription, place, name string) string {
	return "/subscriptions/" + subscription + "/providers/Microsoft.KeyVault/locations/" + place + "/deletedVaults/" + name
}

// VaultSecrets is how the keys of a vault's secrets begin.
func VaultSecrets(name string) string { return "vault/" + strings.ToLower(name) + "/" }

func prepareVault(c *Call, o, old store.Object) error {
	name, p := c.Path.Name(), store.Child(o, "properties")
	gone := deletedVault(c.Path.Subscription, location(o), name)
	switch there := c.Store.Has(gone); {
	case old != nil:
	case c.taken():
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
	o["location"] = location(o)
	return nil
}

func removeVault(c *Call, o store.Object) error {
	place := location(o)
	id := deletedVault(c.Path.Subscription, place, c.Path.Name())
	days, _ := store.At(o, "properties", "softDeleteRetentionInDays").(float64)
	c.Store.Put(id, store.Object{"id": id, "name": c.Path.Name(), "type": "Microsoft.KeyVault/deletedVaults", "properties": store.Object{
		"vaultId": c.Path.ID, "location": place, "tags": store.Object{}, "deletionDate": c.Now.UTC().Format(time.RFC3339),
		"scheduledPurgeDate": c.Now.AddDate(0, 0, int(days)).UTC().Format(time.RFC3339),
	}})
	return nil
}

func purgeVault(c *Call, o store.Object) (*Reply, error) {
	h := c.begin(kinds[c.kind], "")
	c.Store.Delete(c.Path.ID)
	for _, k := range c.Store.Below(VaultSecrets(c.Path.Name())) {
		c.Store.Delete(k)
	}
	return &Reply{Status: http.StatusAccepted, Header: h}, nil
}

// Container Registry.

func prepareRegistry(c *Call, o, old store.Object) error {
	if c.taken() {
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

func listCredentials(c *Call, o store.Object) (*Reply, error) {
	if enabled, _ := store.At(o, "properties", "adminUserEnabled").(bool); !enabled {
		return nil, wire.New(400, "AdminUserDisabled", "The admin user is disabled for registry %s.", c.Path.Name())
	}
	return OK(store.Object{"username": c.Path.Name(), "passwords": []any{store.Object{"name": "password", "value": guid(c.Path.ID + "1")}, store.Object{"name": "password2", "value": guid(c.Path.ID + "2")}}}), nil
}

// Kubernetes.

const kubernetesVersion = "1.33.2"

func prepareCluster(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	name, place := c.Path.Name(), location(o)
	store.Default(p, "nodeResourceGroup", "MC_"+c.Path.Group+"_"+name+"_"+place)
	store.Default(p, "dnsPrefix", name)
	fqdn := strings.ToLower(store.Text(p, "dnsPrefix")) + "-" + guid(c.Path.ID)[:8] + ".hcp." + place + ".azmk8s.io"
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
			issuer["issuerURL"] = "https://" + place + ".oic.prod-aks.azure.com/" + c.Tenant + "/" + guid(c.Path.ID) + "/"
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
func afterCluster(c *Call, o, old store.Object) error {
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
		one := c.child("agentPools", store.Text(profile, "name"), "Microsoft.ContainerService/managedClusters/agentPools")
		keep[strings.ToLower(one.Path.ID)] = true
		pool := one.fresh(store.Object{"properties": store.Clone(profile)})
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

func preparePool(c *Call, o, old store.Object) error {
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

func viewCluster(c *Call, id string, o store.Object) {
	list := []any{}
	for _, k := range c.Store.Below(id + "/agentPools/") {
		pool, _ := c.Store.Get(k)
		p := store.Child(pool, "properties")
		p["name"] = pool["name"]
		list = append(list, p)
	}
	store.Child(o, "properties")["agentPoolProfiles"] = list
}

func removeCluster(c *Call, o store.Object) error {
	remove(c.Store, "/subscriptions/"+c.Path.Subscription+"/resourceGroups/"+store.Text(o, "properties", "nodeResourceGroup"))
	return nil
}

// kubeconfig gives the file that leads to the cluster, with a token that only the
// sandbox would know; there is no cluster behind it.
func kubeconfig(c *Call, o store.Object) (*Reply, error) {
	user := "clusterUser"
	if strings.Contains(strings.ToLower(c.Path.Verb), "admin") {
		user = "clusterAdmin"
	}
	name, b64 := c.Path.Name(), base64.StdEncoding.EncodeToString
	text := strings.NewReplacer("{name}", name, "{user}", user+"_"+c.Path.Group+"_"+name, "{fqdn}", store.Text(o, "properties", "fqdn"),
		"{none}", b64([]byte("none\n")), "{token}", strings.ReplaceAll(guid(c.Path.ID+user), "-", "")).Replace(kubeconfigText)
	return OK(store.Object{"kubeconfigs": []any{store.Object{"name": user, "value": b64([]byte(text))}}}), nil
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

// Log Analytics.

func prepareWorkspace(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	p["customerId"] = guid(c.Path.ID)
	store.Default(p, "retentionInDays", float64(30))
	store.Default(p, "publicNetworkAccessForIngestion", "Enabled")
	store.Default(p, "publicNetworkAccessForQuery", "Enabled")
	store.Default(p, "workspaceCapping", store.Object{"dailyQuotaGb": float64(-1)})
	store.Default(p, "features", store.Object{})
	return nil
}

func sharedKeys(c *Call, o store.Object) (*Reply, error) {
	return OK(store.Object{"primarySharedKey": guid(c.Path.ID + "1"), "secondarySharedKey": guid(c.Path.ID + "2")}), nil
}
