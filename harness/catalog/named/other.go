package named

import (
	"net/url"
	"strings"
)

// gcpCall names the permission of a request's URL or of a Terraform resource with
// the verb: SERVICE.COLLECTION.VERB, as Google Cloud builds almost all of its
// permissions (IAM documentation, "Permissions reference").
func gcpCall(c Call) []string {
	if c.URL != "" {
		if p := gcpURL(c.Method, c.URL); p != "" {
			return []string{p}
		}
	}
	if command, ok := strings.CutPrefix(c.Operation, "gcloud."); ok {
		return gcloud(command)
	}
	name, ok := strings.CutPrefix(c.Type, "google_")
	if !ok {
		return gcpWords(c)
	}
	if strings.HasPrefix(strings.ToLower(c.Noun), "iam policy for ") {
		if p := gcpWords(c); p != nil {
			return p
		}
	}
	verb := gcpVerb(c.Verb)
	for _, suffix := range []string{"_iam_member", "_iam_binding", "_iam_policy"} {
		if of, ok := strings.CutSuffix(name, suffix); ok {
			if of == "project" {
				return []string{"resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"}
			}
			name = of
			base := gcpCollection(name)
			if verb == "get" || verb == "list" {
				return []string{base + ".getIamPolicy"}
			}
			return []string{base + ".setIamPolicy", base + ".getIamPolicy"}
		}
	}
	return gcpDone(gcpCollection(name), c.Verb)
}

func gcpVerb(verb string) string {
	switch verb {
	case "create", "update", "delete", "list":
		return verb
	case "put", "enable", "attach":
		return "update"
	}
	return "get"
}

// gcpServices gives the service of a Terraform type's first word, where the
// permission's is another.
var gcpServices = map[string]string{
	"sql": "cloudsql", "kms": "cloudkms", "secret": "secretmanager", "service": "iam", "folder": "resourcemanager", "cloudfunctions": "cloudfunctions",
	"cloudfunctions2": "cloudfunctions", "cloud": "run", "artifact": "artifactregistry", "vpc": "vpcaccess", "monitoring": "monitoring", "project": "resourcemanager",
}

// gcpResources holds the types whose permission is not made of their words.
var gcpResources = map[string]string{
	"project": "resourcemanager.projects", "folder": "resourcemanager.folders", "service_account": "iam.serviceAccounts", "service_account_key": "iam.serviceAccountKeys",
	"project_service": "serviceusage.services", "project_iam_custom_role": "iam.roles", "sql_database_instance": "cloudsql.instances", "sql_database": "cloudsql.databases",
	"sql_user": "cloudsql.users", "dns_record_set": "dns.changes", "dns_managed_zone": "dns.managedZones", "storage_bucket": "storage.buckets", "storage_bucket_object": "storage.objects",
	"cloud_run_service": "run.services", "cloud_run_v2_service": "run.services", "cloud_run_v2_job": "run.jobs", "kms_crypto_key": "cloudkms.cryptoKeys", "kms_key_ring": "cloudkms.keyRings",
	"secret_manager_secret": "secretmanager.secrets", "secret_manager_secret_version": "secretmanager.versions", "container_node_pool": "container.clusters",
	"artifact_registry_repository": "artifactregistry.repositories", "cloudbuild_trigger": "cloudbuild.builds", "logging_project_sink": "logging.sinks",
	"compute_router_nat": "compute.routers", "compute_global_address": "compute.globalAddresses", "bigquery_table": "bigquery.tables",
}

func gcpCollection(name string) string {
	if p, ok := gcpResources[name]; ok {
		return p
	}
	first, rest, ok := strings.Cut(name, "_")
	if !ok {
		return first + "." + first + "s"
	}
	if s, ok := gcpServices[first]; ok {
		first = s
	}
	words := strings.Split(rest, "_")
	out := words[0]
	for _, w := range words[1:] {
		if w != "" {
			out += strings.ToUpper(w[:1]) + w[1:]
		}
	}
	switch {
	case strings.HasSuffix(out, "y") && !strings.HasSuffix(out, "ey") && !strings.HasSuffix(out, "ay"):
		out = strings.TrimSuffix(out, "y") + "ies"
	case strings.HasSuffix(out, "ss"):
		out += "es"
	case !strings.HasSuffix(out, "s"):
		out += "s"
	}
	return first + "." + out
}

// gcpURL reads a REST URL: its last collection, and whether a name stands behind
// it.
func gcpURL(method, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(u.Hostname(), ".googleapis.com")
	parts := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	if host == "www" || host == "content" {
		if len(parts) == 0 {
			return ""
		}
		host, parts = parts[0], parts[1:]
	}
	if host == u.Hostname() || len(parts) < 2 {
		return ""
	}
	last := parts[len(parts)-1]
	last, action, custom := strings.Cut(last, ":")
	// Collections and names take turns, from the first collection on.
	from := 0
	for from < len(parts) && parts[from] != "projects" && parts[from] != "b" && parts[from] != "folders" && parts[from] != "organizations" {
		from++
	}
	if from == len(parts) {
		return ""
	}
	var path []string
	for _, p := range parts[from:] {
		if p != "global" {
			path = append(path, p)
		}
	}
	path[len(path)-1] = last
	collection, named := path[len(path)-1], false
	if len(path)%2 == 0 && len(path) > 1 {
		collection, named = path[len(path)-2], true
	}
	verb := map[string]string{"GET": "list", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}[strings.ToUpper(method)]
	if named && verb == "list" {
		verb = "get"
	}
	if custom {
		verb = action
	}
	if collection == "projects" {
		host = "resourcemanager"
	}
	if verb == "" || collection == "" {
		return ""
	}
	return host + "." + collection + "." + verb
}

// azureTypes gives the registered type of a Terraform resource (Azure, "Azure
// resource provider operations").
var azureTypes = map[string]string{
	"resource_group": "Microsoft.Resources/subscriptions/resourceGroups", "virtual_network": "Microsoft.Network/virtualNetworks", "subnet": "Microsoft.Network/virtualNetworks/subnets",
	"network_security_group": "Microsoft.Network/networkSecurityGroups", "network_interface": "Microsoft.Network/networkInterfaces", "public_ip": "Microsoft.Network/publicIPAddresses",
	"linux_virtual_machine": "Microsoft.Compute/virtualMachines", "windows_virtual_machine": "Microsoft.Compute/virtualMachines", "managed_disk": "Microsoft.Compute/disks",
	"storage_account": "Microsoft.Storage/storageAccounts", "storage_container": "Microsoft.Storage/storageAccounts/blobServices/containers",
	"key_vault": "Microsoft.KeyVault/vaults", "kubernetes_cluster": "Microsoft.ContainerService/managedClusters", "container_registry": "Microsoft.ContainerRegistry/registries",
	"role_assignment": "Microsoft.Authorization/roleAssignments", "role_definition": "Microsoft.Authorization/roleDefinitions",
	"user_assigned_identity": "Microsoft.ManagedIdentity/userAssignedIdentities", "lb": "Microsoft.Network/loadBalancers", "route_table": "Microsoft.Network/routeTables",
	"private_dns_zone": "Microsoft.Network/privateDnsZones", "dns_zone": "Microsoft.Network/dnsZones", "log_analytics_workspace": "Microsoft.OperationalInsights/workspaces",
	"service_plan": "Microsoft.Web/serverfarms", "linux_web_app": "Microsoft.Web/sites", "mssql_server": "Microsoft.Sql/servers", "mssql_database": "Microsoft.Sql/servers/databases",
	"postgresql_flexible_server": "Microsoft.DBforPostgreSQL/flexibleServers", "virtual_machine": "Microsoft.Compute/virtualMachines", "image": "Microsoft.Compute/images",
}

// azureCall names the action of a Terraform resource with the verb. What the
// clients' own methods say is the parser's to know.
func azureCall(c Call) []string {
	t, ok := azureTypes[strings.TrimPrefix(c.Type, "azurerm_")]
	if !ok || !strings.HasPrefix(c.Type, "azurerm_") {
		return nil
	}
	switch c.Verb {
	case "delete":
		return []string{t + "/delete"}
	case "create", "update", "put", "tag", "enable", "attach", "detach":
		return []string{t + "/write", t + "/read"}
	}
	return []string{t + "/read"}
}
