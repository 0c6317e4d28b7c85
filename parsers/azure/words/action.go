package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
)

var actionShape = expr.New(`^[A-Z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)+(?:/[A-Za-z0-9$][A-Za-z0-9._$-]*)*/(?:read|write|delete|action)$`)

// cosmosShape is an action of Cosmos DB's data plane, some of which end in
// their operation ("Data plane security reference" of Azure Cosmos DB).
var cosmosShape = expr.New(`^Microsoft\.DocumentDB/databaseAccounts(?:/[A-Za-z0-9]+){1,4}$`)

// maxAction bounds the length of an action, in bytes.
const maxAction = 256

// IsAction tells whether s is one plain action of Azure's access control, for
// control or data (NAMESPACE/TYPE/…/VERB), without wildcards.
func IsAction(s string) bool {
	return len(s) <= maxAction && (actionShape.MatchString(s) || cosmosShape.MatchString(s))
}

// Canonical gives an action in the case in which its provider registers it, as
// far as the provider and type are known, and tells whether it is one. Azure
// compares actions without regard to case, and prints them in any. A line break
// inside the name is taken out.
func Canonical(s string) (string, bool) {
	s = strings.Join(strings.Fields(s), "")
	if len(s) > maxAction {
		return "", false
	}
	parts := strings.Split(s, "/")
	if proper, known := namespaces[strings.ToLower(parts[0])]; known {
		parts[0] = proper
	} else if strings.HasPrefix(parts[0], "microsoft.") {
		parts[0] = "Microsoft." + strings.ToUpper(parts[0][10:min(11, len(parts[0]))]) + parts[0][min(11, len(parts[0])):]
	}
	key := strings.ToLower(parts[0])
	for i := 1; i < len(parts); i++ {
		key += "/" + strings.ToLower(parts[i])
		switch lower := strings.ToLower(parts[i]); {
		case i == len(parts)-1 && (lower == "read" || lower == "write" || lower == "delete" || lower == "action"):
			parts[i] = lower
		case types[key] != "":
			parts[i] = types[key]
		case i == len(parts)-2 && operations[lower] != "":
			parts[i] = operations[lower]
		}
	}
	s = strings.Join(parts, "/")
	return s, IsAction(s)
}

// Namespace gives a provider's namespace in its registered case where that is
// known.
func Namespace(s string) string {
	if proper, known := namespaces[strings.ToLower(s)]; known {
		return proper
	}
	return s
}

// TypeOf gives the resource type of a resource ID, in its registered case where
// that is known: Microsoft.Network/virtualNetworks/subnets. It gives "" for what
// is no ID of a provider's resource.
func TypeOf(id string) string {
	lower := strings.ToLower(id)
	i := strings.LastIndex(lower, "/providers/")
	if i < 0 {
		return ""
	}
	segments := strings.Split(strings.Trim(id[i+len("/providers/"):], "/"), "/")
	parts := segments[:1:1]
	for j := 1; j < len(segments); j += 2 {
		parts = append(parts, segments[j])
	}
	if len(parts) < 2 {
		return ""
	}
	action, ok := Canonical(strings.Join(parts, "/") + "/read")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(action, "/read")
}

// operations are the names of operations that stand before /action, by their
// lower case.
var operations = lowered(strings.Fields(`
	join joinViaServiceEndpoint joinViaServiceTag joinLoadBalancer joinViaBackendPool assign register unregister listKeys listKey listSecrets listAccountSas listServiceSas
	regenerateKey start restart powerOff deallocate redeploy generalize capture runCommand extensions validate cancel whatIf exportTemplate
	listClusterAdminCredential listClusterUserCredential listClusterMonitoringUserCredential listCredentials listBuildSourceUploadUrl
	getSecret setSecret readMetadata backup restore recover purge update create import encrypt decrypt wrap unwrap sign verify rotate release
	elevateAccess deploy sharedKeys list listConnectionStrings publish listUsages push pull scheduleRun moveResources validateMoveResources getAccessToken
	beginGetAccess endGetAccess login loginAsAdmin swap listSyncFunctionTriggers add move filter permanentDelete immutableStorage process send receive
	joinPerimeterRule updatePrivateEndpointProxy privateEndpointConnectionsApproval privateEndpointConnectionProxies
`))

func lowered(names []string) map[string]string {
	m := make(map[string]string, len(names))
	for _, n := range names {
		m[strings.ToLower(n)] = n
	}
	return m
}

// registered are the providers and resource types in the case in which they are
// registered ("Azure permissions" and "Resource providers for Azure services"
// in the Azure documentation): a namespace, then its types.
const registered = `
Microsoft.AAD domainServices
Microsoft.AlertsManagement actionRules alerts smartDetectorAlertRules prometheusRuleGroups
Microsoft.ApiManagement service/apis/operations service/apis/policies service/backends service/certificates service/diagnostics service/groups service/loggers service/namedValues service/products service/subscriptions service/users
Microsoft.App containerApps/revisions managedEnvironments/certificates managedEnvironments/daprComponents managedEnvironments/storages jobs
Microsoft.AppConfiguration configurationStores/keyValues configurationStores/replicas
Microsoft.AppPlatform Spring/apps/deployments
Microsoft.Authorization classicAdministrators denyAssignments locks permissions policyAssignments policyDefinitions policyExemptions policySetDefinitions roleAssignments roleAssignmentScheduleRequests roleDefinitions roleEligibilityScheduleRequests roleManagementPolicies roleManagementPolicyAssignments
Microsoft.Automation automationAccounts/runbooks automationAccounts/schedules automationAccounts/variables automationAccounts/jobSchedules automationAccounts/credentials automationAccounts/modules automationAccounts/softwareUpdateConfigurations
Microsoft.Batch batchAccounts/applications/versions batchAccounts/pools batchAccounts/certificates
Microsoft.Billing billingAccounts/billingProfiles/invoiceSections billingAccounts/enrollmentAccounts billingProperty
Microsoft.BotService botServices/channels
Microsoft.Cache redis/firewallRules redis/linkedServers redis/patchSchedules redis/accessPolicies redis/accessPolicyAssignments redisEnterprise/databases
Microsoft.Capacity reservationOrders/reservations
Microsoft.Cdn profiles/afdEndpoints/routes profiles/customDomains profiles/endpoints/origins profiles/originGroups/origins profiles/ruleSets/rules profiles/secrets profiles/securityPolicies cdnWebApplicationFirewallPolicies
Microsoft.CognitiveServices accounts/deployments accounts/projects accounts/privateEndpointConnections accounts/OpenAI/deployments/chat/completions accounts/OpenAI/deployments/completions accounts/OpenAI/deployments/embeddings accounts/OpenAI/responses accounts/AIServices/agents
Microsoft.Communication communicationServices emailServices/domains
Microsoft.Compute availabilitySets capacityReservationGroups/capacityReservations cloudServices diskAccesses diskEncryptionSets disks galleries/applications/versions galleries/images/versions hostGroups/hosts images locations/operations locations/publishers/artifacttypes/offers/skus/versions locations/usages locations/vmSizes proximityPlacementGroups restorePointCollections/restorePoints skus snapshots sshPublicKeys virtualMachineScaleSets/extensions virtualMachineScaleSets/instanceView virtualMachineScaleSets/networkInterfaces virtualMachineScaleSets/publicIPAddresses virtualMachineScaleSets/virtualMachines/instanceView virtualMachines/extensions virtualMachines/instanceView virtualMachines/runCommands virtualMachines/vmSizes
Microsoft.Consumption budgets
Microsoft.ContainerInstance containerGroups/containers/exec containerGroups/containers/logs
Microsoft.ContainerRegistry registries/agentPools registries/cacheRules registries/connectedRegistries registries/credentialSets registries/privateEndpointConnections registries/replications registries/scopeMaps registries/tasks registries/tokens registries/webhooks
Microsoft.ContainerService fleets/members managedClusters/accessProfiles managedClusters/agentPools managedClusters/maintenanceConfigurations managedClusters/upgradeProfiles managedClusters/trustedAccessRoleBindings managedclustersnapshots snapshots locations/kubernetesVersions
Microsoft.CostManagement exports scheduledActions views
Microsoft.Dashboard grafana/privateEndpointConnections
Microsoft.DataFactory factories/datasets factories/integrationRuntimes factories/linkedServices factories/pipelines factories/triggers factories/managedVirtualNetworks/managedPrivateEndpoints factories/dataflows
Microsoft.DataLakeStore accounts
Microsoft.DataProtection backupVaults/backupInstances backupVaults/backupPolicies
Microsoft.Databricks accessConnectors workspaces/privateEndpointConnections workspaces/virtualNetworkPeerings
Microsoft.DBforMariaDB servers/configurations servers/databases servers/firewallRules
Microsoft.DBforMySQL flexibleServers/administrators flexibleServers/configurations flexibleServers/databases flexibleServers/firewallRules servers/configurations servers/databases servers/firewallRules servers/virtualNetworkRules
Microsoft.DBforPostgreSQL flexibleServers/administrators flexibleServers/configurations flexibleServers/databases flexibleServers/firewallRules flexibleServers/virtualendpoints servers/configurations servers/databases servers/firewallRules servers/virtualNetworkRules serverGroupsv2
Microsoft.DesktopVirtualization applicationGroups/applications hostPools/sessionHosts hostPools/privateEndpointConnections scalingPlans workspaces
Microsoft.DevCenter devcenters/catalogs devcenters/environmentTypes projects/environmentTypes networkConnections
Microsoft.Devices IotHubs/certificates IotHubs/eventHubEndpoints/consumerGroups IotHubs/IotHubKeys provisioningServices
Microsoft.DevTestLab labs/virtualMachines labs/virtualNetworks schedules
Microsoft.DocumentDB cassandraClusters/dataCenters databaseAccounts/cassandraKeyspaces/tables databaseAccounts/gremlinDatabases/graphs databaseAccounts/mongodbDatabases/collections databaseAccounts/readMetadata databaseAccounts/sqlDatabases/containers/items databaseAccounts/sqlDatabases/containers/storedProcedures databaseAccounts/sqlDatabases/containers/throughputSettings databaseAccounts/sqlDatabases/throughputSettings databaseAccounts/sqlRoleAssignments databaseAccounts/sqlRoleDefinitions databaseAccounts/tables mongoClusters
Microsoft.EventGrid domains/topics eventSubscriptions namespaces/topics partnerTopics systemTopics/eventSubscriptions topics/eventSubscriptions
Microsoft.EventHub clusters namespaces/authorizationRules namespaces/eventhubs/authorizationRules namespaces/eventhubs/consumergroups namespaces/messages namespaces/networkRuleSets namespaces/privateEndpointConnections namespaces/schemagroups
Microsoft.Features providers/features
Microsoft.GuestConfiguration guestConfigurationAssignments
Microsoft.HDInsight clusters/applications
Microsoft.HealthcareApis services workspaces/dicomservices workspaces/fhirservices workspaces/iotconnectors
Microsoft.HybridCompute machines/extensions privateLinkScopes
Microsoft.HybridNetwork networkFunctions
Microsoft.Insights actionGroups activityLogAlerts autoscaleSettings components/ApiKeys dataCollectionEndpoints dataCollectionRuleAssociations dataCollectionRules diagnosticSettings diagnosticSettingsCategories logDefinitions logs metricAlerts metricDefinitions metrics privateLinkScopes/scopedResources scheduledQueryRules webTests workbooks eventtypes/values
Microsoft.KeyVault checkNameAvailability deletedVaults hsmPools locations/deletedManagedHsms locations/deletedVaults locations/operationResults managedHSMs vaults/accessPolicies vaults/certificatecas vaults/certificatecontacts vaults/certificates vaults/keyrotationpolicies vaults/keys/versions vaults/privateEndpointConnections vaults/secrets/versions vaults/storageaccounts/sas
Microsoft.Kubernetes connectedClusters
Microsoft.KubernetesConfiguration extensions fluxConfigurations
Microsoft.Kusto clusters/attachedDatabaseConfigurations clusters/databases/dataConnections clusters/databases/principalAssignments clusters/principalAssignments
Microsoft.LoadTestService loadTests
Microsoft.Logic integrationAccounts workflows/runs workflows/triggers
Microsoft.MachineLearningServices registries workspaces/computes workspaces/datastores workspaces/hubs workspaces/jobs workspaces/onlineEndpoints/deployments workspaces/connections
Microsoft.Maintenance configurationAssignments maintenanceConfigurations
Microsoft.ManagedIdentity identities userAssignedIdentities/federatedIdentityCredentials
Microsoft.ManagedNetworkFabric networkTapRules
Microsoft.ManagedServices registrationAssignments registrationDefinitions
Microsoft.Management managementGroups/subscriptions managementGroups/settings getEntities
Microsoft.Maps accounts/creators
Microsoft.MarketplaceOrdering agreements/offers/plans offertypes/publishers/offers/plans/agreements
Microsoft.Media mediaservices/assets mediaservices/streamingEndpoints
Microsoft.Migrate assessmentProjects migrateProjects
Microsoft.Monitor accounts
Microsoft.NetApp netAppAccounts/capacityPools/volumes/snapshots netAppAccounts/snapshotPolicies
Microsoft.Network applicationGatewayWebApplicationFirewallPolicies applicationGateways/backendAddressPools applicationGateways/privateEndpointConnections applicationSecurityGroups azureFirewalls bastionHosts connections customIpPrefixes ddosProtectionPlans dnsForwardingRulesets/forwardingRules dnsForwardingRulesets/virtualNetworkLinks dnsResolvers/inboundEndpoints dnsResolvers/outboundEndpoints dnsZones/A dnsZones/AAAA dnsZones/CAA dnsZones/CNAME dnsZones/MX dnsZones/NS dnsZones/PTR dnsZones/recordsets dnsZones/SOA dnsZones/SRV dnsZones/TXT expressRouteCircuits/authorizations expressRouteCircuits/peerings expressRouteGateways/expressRouteConnections expressRoutePorts firewallPolicies/ruleCollectionGroups frontDoorWebApplicationFirewallPolicies frontDoors ipGroups loadBalancers/backendAddressPools loadBalancers/frontendIPConfigurations loadBalancers/inboundNatPools loadBalancers/inboundNatRules loadBalancers/loadBalancingRules loadBalancers/outboundRules loadBalancers/probes localNetworkGateways locations/operations locations/operationResults locations/usages natGateways networkInterfaces/ipconfigurations networkInterfaces/tapConfigurations networkManagers/networkGroups networkManagers/ipamPools networkProfiles networkSecurityGroups/defaultSecurityRules networkSecurityGroups/securityRules networkSecurityPerimeters networkVirtualAppliances networkWatchers/connectionMonitors networkWatchers/flowLogs networkWatchers/packetCaptures p2sVpnGateways privateDnsZones/A privateDnsZones/AAAA privateDnsZones/CNAME privateDnsZones/MX privateDnsZones/PTR privateDnsZones/SOA privateDnsZones/SRV privateDnsZones/TXT privateDnsZones/recordsets privateDnsZones/virtualNetworkLinks privateEndpoints/privateDnsZoneGroups privateEndpoints/privateLinkServiceProxies privateLinkServices/privateEndpointConnections publicIPAddresses publicIPPrefixes routeFilters/routeFilterRules routeServers routeTables/routes serviceEndpointPolicies/serviceEndpointPolicyDefinitions trafficManagerProfiles/azureEndpoints trafficManagerProfiles/externalEndpoints trafficManagerProfiles/nestedEndpoints virtualHubs/bgpConnections virtualHubs/hubRouteTables virtualHubs/hubVirtualNetworkConnections virtualHubs/routeMaps virtualHubs/routingIntent virtualNetworkGateways virtualNetworkTaps virtualNetworks/subnets/virtualMachines virtualNetworks/virtualMachines virtualNetworks/virtualNetworkPeerings virtualRouters virtualWans vpnGateways/vpnConnections vpnServerConfigurations vpnSites
Microsoft.NotificationHubs namespaces/notificationHubs
Microsoft.OperationalInsights clusters workspaces/dataExports workspaces/datasources workspaces/linkedServices workspaces/linkedStorageAccounts workspaces/query workspaces/savedSearches workspaces/sharedKeys workspaces/tables queryPacks
Microsoft.OperationsManagement solutions
Microsoft.PolicyInsights attestations remediations
Microsoft.Portal dashboards
Microsoft.PowerBIDedicated capacities
Microsoft.Purview accounts
Microsoft.RecoveryServices vaults/backupFabrics/protectionContainers/protectedItems vaults/backupPolicies vaults/backupProtectedItems vaults/backupconfig vaults/backupstorageconfig vaults/replicationFabrics vaults/replicationPolicies
Microsoft.RedHatOpenShift openShiftClusters
Microsoft.Relay namespaces/hybridConnections namespaces/wcfRelays
Microsoft.ResourceGraph resources
Microsoft.ResourceHealth availabilityStatuses
Microsoft.Resources builtInTemplateSpecs deploymentScripts deploymentStacks deployments/operations links providers subscriptionRegistrations subscriptions/locations subscriptions/operationresults subscriptions/providers subscriptions/resourceGroups/deployments subscriptions/resourceGroups/resources subscriptions/resources subscriptions/tagNames/tagValues tags templateSpecs/versions tenants
Microsoft.Search searchServices/indexes searchServices/privateEndpointConnections
Microsoft.Security assessments automations autoProvisioningSettings pricings securityContacts settings workspaceSettings
Microsoft.SecurityInsights alertRules automationRules dataConnectors onboardingStates watchlists
Microsoft.SerialConsole serialPorts
Microsoft.ServiceBus namespaces/authorizationRules namespaces/disasterRecoveryConfigs namespaces/messages namespaces/networkRuleSets namespaces/privateEndpointConnections namespaces/queues/authorizationRules namespaces/topics/authorizationRules namespaces/topics/subscriptions/rules
Microsoft.ServiceFabric clusters managedClusters/nodeTypes
Microsoft.ServiceNetworking trafficControllers/associations trafficControllers/frontends trafficControllers/securityPolicies
Microsoft.SignalRService SignalR/privateEndpointConnections WebPubSub/hubs
Microsoft.Solutions applicationDefinitions applications
Microsoft.Sql instancePools managedInstances/administrators managedInstances/databases servers/administrators servers/auditingSettings servers/azureADOnlyAuthentications servers/connectionPolicies servers/databases/auditingSettings servers/databases/backupLongTermRetentionPolicies servers/databases/backupShortTermRetentionPolicies servers/databases/securityAlertPolicies servers/databases/transparentDataEncryption servers/elasticPools servers/encryptionProtector servers/extendedAuditingSettings servers/failoverGroups servers/firewallRules servers/keys servers/outboundFirewallRules servers/privateEndpointConnections servers/restorableDroppedDatabases servers/securityAlertPolicies servers/virtualNetworkRules servers/vulnerabilityAssessments
Microsoft.SqlVirtualMachine sqlVirtualMachines
Microsoft.Storage checknameavailability locations/usages skus storageAccounts/blobServices/containers/blobs/tags storageAccounts/blobServices/containers/immutabilityPolicies storageAccounts/blobServices/generateUserDelegationKey storageAccounts/encryptionScopes storageAccounts/fileServices/fileshares/files storageAccounts/fileServices/shares storageAccounts/inventoryPolicies storageAccounts/localUsers storageAccounts/managementPolicies storageAccounts/objectReplicationPolicies storageAccounts/privateEndpointConnections storageAccounts/queueServices/queues/messages storageAccounts/tableServices/tables/entities
Microsoft.StorageCache amlFilesystems caches/storageTargets
Microsoft.StorageSync storageSyncServices/syncGroups/cloudEndpoints
Microsoft.StreamAnalytics clusters streamingjobs/inputs streamingjobs/outputs streamingjobs/functions
Microsoft.Subscription aliases subscriptions
Microsoft.Synapse privateLinkHubs workspaces/bigDataPools workspaces/firewallRules workspaces/integrationRuntimes workspaces/managedVirtualNetworks workspaces/sqlPools workspaces/administrators
Microsoft.VirtualMachineImages imageTemplates/runOutputs
Microsoft.Web certificates connections customApis hostingEnvironments/workerPools kubeEnvironments publishingUsers serverfarms/virtualNetworkConnections sites/basicPublishingCredentialsPolicies sites/config/appsettings sites/config/connectionstrings sites/config/web sites/functions sites/host sites/hostNameBindings sites/hybridConnectionNamespaces sites/networkConfig sites/privateEndpointConnections sites/publishxml sites/siteextensions sites/slots/config sites/slots/functions sites/sourcecontrols sites/virtualNetworkConnections staticSites/builds staticSites/customDomains sourcecontrols
`

// namespaces and types are what registered holds, by the lower case: of a type
// the last part, by the whole.
var namespaces, types = func() (map[string]string, map[string]string) {
	spaces, kinds := make(map[string]string), make(map[string]string)
	for _, line := range strings.Split(strings.TrimSpace(registered), "\n") {
		fields := strings.Fields(line)
		spaces[strings.ToLower(fields[0])] = fields[0]
		for _, t := range fields[1:] {
			key := strings.ToLower(fields[0])
			for _, part := range strings.Split(t, "/") {
				key += "/" + strings.ToLower(part)
				kinds[key] = part
			}
		}
	}
	return spaces, kinds
}()
