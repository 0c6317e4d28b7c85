package named

import "strings"

// gcpNouns gives the collection of what Terraform's google provider calls a
// resource in its errors ("Error creating ManagedZone"), squashed; the types of
// gcpResources are called alike and not repeated.
var gcpNouns = map[string]string{
	"topic": "pubsub.topics", "subscription": "pubsub.subscriptions", "pubsubtopic": "pubsub.topics", "pubsubsubscription": "pubsub.subscriptions",
	"managedzone": "dns.managedZones", "dnsrecordset": "dns.resourceRecordSets", "dnspolicy": "dns.policies",
	"network": "compute.networks", "subnetwork": "compute.subnetworks", "firewall": "compute.firewalls", "address": "compute.addresses", "globaladdress": "compute.globalAddresses",
	"instance": "compute.instances", "instancetemplate": "compute.instanceTemplates", "instancegroupmanager": "compute.instanceGroupManagers", "disk": "compute.disks", "image": "compute.images", "snapshot": "compute.snapshots",
	"router": "compute.routers", "routernat": "compute.routers", "route": "compute.routes", "healthcheck": "compute.healthChecks", "backendservice": "compute.backendServices", "urlmap": "compute.urlMaps",
	"forwardingrule": "compute.forwardingRules", "globalforwardingrule": "compute.globalForwardingRules", "targethttpproxy": "compute.targetHttpProxies", "targethttpsproxy": "compute.targetHttpsProxies",
	"cluster": "container.clusters", "gkecluster": "container.clusters", "nodepool": "container.clusters", "keyring": "cloudkms.keyRings", "cryptokey": "cloudkms.cryptoKeys",
	"secret": "secretmanager.secrets", "secretversion": "secretmanager.versions", "repository": "artifactregistry.repositories", "serviceaccount": "iam.serviceAccounts", "customrole": "iam.roles",
	"project": "resourcemanager.projects", "folder": "resourcemanager.folders", "organization": "resourcemanager.organizations", "storagebucket": "storage.buckets", "bucket": "storage.buckets",
	"dataset": "bigquery.datasets", "table": "bigquery.tables", "connector": "vpcaccess.connectors", "trigger": "cloudbuild.builds", "function": "cloudfunctions.functions", "cloudfunctions": "cloudfunctions.functions",
	"sink": "logging.sinks", "loggingsink": "logging.sinks", "alertpolicy": "monitoring.alertPolicies", "notificationchannel": "monitoring.notificationChannels", "dashboard": "monitoring.dashboards", "uptimecheckconfig": "monitoring.uptimeCheckConfigs",
	"workloadidentitypool": "iam.workloadIdentityPools", "workloadidentitypoolprovider": "iam.workloadIdentityPoolProviders", "connection": "servicenetworking.services", "projectservice": "serviceusage.services", "projectservices": "serviceusage.services", "apis": "serviceusage.services",
	"service": "run.services", "job": "cloudscheduler.jobs", "queue": "cloudtasks.queues", "environment": "composer.environments",
}

// gcpOf holds the collections of the services whose vague refusals tell which
// service they are of.
var gcpOf = map[string]map[string]string{
	"cloudsql": {"instance": "cloudsql.instances", "databaseinstance": "cloudsql.instances", "database": "cloudsql.databases", "user": "cloudsql.users", "sqluser": "cloudsql.users", "sqldatabase": "cloudsql.databases", "sqldatabaseinstance": "cloudsql.instances", "sslcert": "cloudsql.sslCerts", "replica": "cloudsql.instances"},
	"pubsub":   {"topic": "pubsub.topics", "subscription": "pubsub.subscriptions", "pubsubtopic": "pubsub.topics", "pubsubsubscription": "pubsub.subscriptions", "snapshot": "pubsub.snapshots", "schema": "pubsub.schemas"},
}

// gcpWords names the permissions of a verb and the tool's own words for what it
// was about: "creating ManagedZone", "retrieving IAM policy for pubsub topic".
func gcpWords(c Call) []string {
	phrase := strings.ToLower(c.Noun)
	if policy, of, ok := strings.Cut(phrase, " for "); ok && strings.HasPrefix(policy, "iam policy") {
		base := gcpNoun(c.Service, of)
		if base == "" {
			return nil
		}
		if gcpVerb(c.Verb) == "get" {
			return []string{base + ".getIamPolicy"}
		}
		return []string{base + ".setIamPolicy", base + ".getIamPolicy"}
	}
	// "Request `Create IAM Members roles/editor …` returned error".
	if strings.HasPrefix(phrase, "iam members") || strings.HasPrefix(phrase, "iam binding") {
		return []string{"resourcemanager.projects.setIamPolicy", "resourcemanager.projects.getIamPolicy"}
	}
	base := gcpNoun(c.Service, phrase)
	if base == "" || c.Verb == "" {
		return nil
	}
	return gcpDone(base, c.Verb)
}

// gcpDone gives the permissions of a verb on a collection.
func gcpDone(base, verb string) []string {
	v := gcpVerb(verb)
	switch {
	case base == "serviceusage.services" && (v == "create" || v == "update"):
		return []string{base + ".enable"}
	case base == "cloudsql.users" && v == "get":
		return []string{base + ".list", base + ".get"} // the provider lists them
	}
	return []string{base + "." + v}
}

// gcpNoun finds the collection that a phrase begins with.
func gcpNoun(service, phrase string) string {
	table := gcpNouns
	if of := gcpOf[service]; of != nil {
		table = of
	}
	list := nouns(phrase)
	for _, n := range list {
		if base, ok := table[n]; ok {
			return base
		}
		if base, ok := table[strings.TrimSuffix(n, "s")]; ok {
			return base
		}
	}
	return ""
}
