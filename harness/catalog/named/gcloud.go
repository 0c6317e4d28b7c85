package named

import "strings"

// gcloud names the permissions of a command of Google's CLI: "compute.networks.create",
// as it is printed in its errors. Its groups are called like the collections of the
// APIs, with exceptions (gcloud reference).
func gcloud(command string) []string {
	parts := strings.Split(command, ".")
	for len(parts) > 1 && (parts[0] == "alpha" || parts[0] == "beta") {
		parts = parts[1:]
	}
	if len(parts) < 2 {
		return nil
	}
	if list, ok := gcloudCommands[strings.Join(parts, ".")]; ok {
		return strings.Fields(list)
	}
	verbs, ok := gcloudVerbs[parts[len(parts)-1]]
	if !ok {
		return nil
	}
	groups := parts[:len(parts)-1]
	collection, ok := gcloudGroups[strings.Join(groups, ".")]
	if !ok {
		if len(groups) < 2 {
			return nil
		}
		service := groups[0]
		if s, known := gcloudServices[service]; known {
			service = s
		}
		collection = service + "." + camel(groups[len(groups)-1])
	}
	var out []string
	for _, verb := range strings.Fields(verbs) {
		out = append(out, collection+"."+verb)
	}
	return out
}

// camel writes "health-checks" as healthChecks.
func camel(s string) string {
	words := strings.Split(s, "-")
	out := words[0]
	for _, w := range words[1:] {
		if w != "" {
			out += strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return out
}

// gcloudVerbs gives the permissions' verbs of a command's last word.
var gcloudVerbs = map[string]string{
	"create": "create", "delete": "delete", "describe": "get", "list": "list", "update": "update get", "enable": "enable", "disable": "disable",
	"deploy": "create update get", "replace": "update get", "import": "create", "undelete": "undelete", "cancel": "cancel", "patch": "update",
	"add-iam-policy-binding": "getIamPolicy setIamPolicy", "remove-iam-policy-binding": "getIamPolicy setIamPolicy",
	"set-iam-policy": "setIamPolicy", "get-iam-policy": "getIamPolicy", "start": "start", "stop": "stop", "reset": "reset", "resize": "update",
	"publish": "publish", "pull": "consume", "call": "call", "restore": "restore", "access": "access", "wait": "get", "get-ancestors": "get",
}

// gcloudGroups holds the groups that are not called like a collection.
var gcloudGroups = map[string]string{
	"projects": "resourcemanager.projects", "organizations": "resourcemanager.organizations", "resource-manager.folders": "resourcemanager.folders",
	"services": "serviceusage.services", "secrets": "secretmanager.secrets", "secrets.versions": "secretmanager.versions",
	"kms.keys": "cloudkms.cryptoKeys", "kms.keyrings": "cloudkms.keyRings", "kms.keys.versions": "cloudkms.cryptoKeyVersions",
	"iam.service-accounts.keys": "iam.serviceAccountKeys", "dns.record-sets": "dns.resourceRecordSets", "dns.record-sets.transaction": "dns.changes",
	"functions": "cloudfunctions.functions", "run": "run.services", "builds": "cloudbuild.builds", "builds.triggers": "cloudbuild.builds",
	"container.node-pools": "container.clusters", "artifacts.docker.images": "artifactregistry.dockerimages", "artifacts.packages": "artifactregistry.packages",
	"logging.metrics": "logging.logMetrics", "app": "appengine.versions", "app.services": "appengine.services", "app.versions": "appengine.versions", "workflows": "workflows.workflows",
	"compute.networks.subnets": "compute.subnetworks", "compute.firewall-rules": "compute.firewalls", "compute.instance-groups.managed": "compute.instanceGroupManagers",
	"compute.instance-groups.unmanaged": "compute.instanceGroups", "compute.instances.network-interfaces": "compute.instances", "compute.network-endpoint-groups": "compute.networkEndpointGroups",
	"iam.workload-identity-pools.providers": "iam.workloadIdentityPoolProviders", "storage.objects": "storage.objects", "storage.buckets": "storage.buckets",
	"billing.projects": "resourcemanager.projects", "billing.accounts": "billing.accounts", "compute.networks.vpc-access.connectors": "vpcaccess.connectors",
}

// gcloudServices holds the first groups whose permissions begin otherwise.
var gcloudServices = map[string]string{
	"sql": "cloudsql", "artifacts": "artifactregistry", "scheduler": "cloudscheduler", "tasks": "cloudtasks", "ai": "aiplatform", "kms": "cloudkms",
	"filestore": "file", "functions": "cloudfunctions", "deploy": "clouddeploy", "data-catalog": "datacatalog", "certificate-manager": "certificatemanager",
	"network-services": "networkservices", "network-security": "networksecurity", "network-connectivity": "networkconnectivity", "memcache": "memcache",
	"access-context-manager": "accesscontextmanager", "binary-authorization": "binaryauthorization", "resource-manager": "resourcemanager",
}

// gcloudCommands holds the commands whose verb is none of an API's.
var gcloudCommands = map[string]string{
	"builds.submit": "cloudbuild.builds.create storage.objects.create serviceusage.services.use", "container.builds.submit": "cloudbuild.builds.create storage.objects.create",
	"builds.log":   "cloudbuild.builds.get logging.logEntries.list",
	"logging.read": "logging.logEntries.list", "logging.write": "logging.logEntries.create", "logging.tail": "logging.logEntries.list", "logging.logs.list": "logging.logs.list",
	"storage.cp": "storage.objects.create storage.objects.get storage.objects.list", "storage.mv": "storage.objects.create storage.objects.get storage.objects.delete", "storage.rsync": "storage.objects.list storage.objects.create storage.objects.get",
	"storage.ls": "storage.objects.list storage.buckets.list", "storage.rm": "storage.objects.delete storage.objects.list", "storage.cat": "storage.objects.get", "storage.du": "storage.objects.list",
	"container.clusters.get-credentials": "container.clusters.get", "container.clusters.upgrade": "container.clusters.update",
	"app.deploy": "appengine.applications.get appengine.versions.create cloudbuild.builds.create", "app.create": "appengine.applications.create",
	"compute.ssh": "compute.instances.get compute.projects.get compute.instances.setMetadata", "compute.scp": "compute.instances.get compute.projects.get compute.instances.setMetadata",
	"compute.start-iap-tunnel": "iap.tunnelInstances.accessViaIAP compute.instances.get", "compute.instances.add-metadata": "compute.instances.setMetadata", "compute.instances.add-tags": "compute.instances.setTags",
	"compute.instances.attach-disk": "compute.instances.attachDisk compute.disks.use", "compute.project-info.describe": "compute.projects.get", "compute.project-info.add-metadata": "compute.projects.setCommonInstanceMetadata",
	"secrets.versions.add": "secretmanager.versions.add", "secrets.create": "secretmanager.secrets.create",
	"kms.encrypt": "cloudkms.cryptoKeyVersions.useToEncrypt", "kms.decrypt": "cloudkms.cryptoKeyVersions.useToDecrypt",
	"sql.connect": "cloudsql.instances.get cloudsql.instances.update", "sql.export.sql": "cloudsql.instances.export", "sql.import.sql": "cloudsql.instances.import", "sql.backups.create": "cloudsql.backupRuns.create",
	"auth.print-identity-token": "iam.serviceAccounts.getOpenIdToken", "auth.print-access-token": "iam.serviceAccounts.getAccessToken",
	"iam.service-accounts.sign-blob": "iam.serviceAccounts.signBlob", "iam.service-accounts.sign-jwt": "iam.serviceAccounts.signJwt",
	"billing.projects.link": "resourcemanager.projects.createBillingAssignment billing.resourceAssociations.create",
	"projects.create":       "resourcemanager.projects.create", "run.deploy": "run.services.get run.services.create run.services.update iam.serviceAccounts.actAs",
	"functions.deploy":      "cloudfunctions.functions.get cloudfunctions.functions.create cloudfunctions.functions.update iam.serviceAccounts.actAs",
	"pubsub.topics.publish": "pubsub.topics.publish", "pubsub.subscriptions.pull": "pubsub.subscriptions.consume",
	"monitoring.dashboards.create": "monitoring.dashboards.create", "artifacts.docker.images.list": "artifactregistry.dockerimages.list",
}
