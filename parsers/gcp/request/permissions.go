package request

import (
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Permissions gives the permissions that a request's own method asks for, as
// its REST path tells them, the likeliest first:
//
//	GET compute/v1/projects/p/global/images/x    compute.images.get
//
// It gives none for what the path does not tell. What a request's content asks
// for beside it is not among them.
func Permissions(x refusal.Exchange) []string {
	at, ok := Locate(x)
	if !ok || at.Service == "" || at.Label == "oauth2" {
		return nil
	}
	if GRPC(x) {
		return grpcPermissions(x, at)
	}
	if Tunnel(x) { // IAP, "Using IAP for TCP forwarding"
		return []string{"iap.tunnelInstances.accessViaIAP"}
	}
	switch at.Service {
	case "compute":
		return computePermissions(x, at)
	case "storage":
		return storagePermissions(x, at)
	case "artifactregistry":
		if at.Bare {
			return registryPermissions(x)
		}
	}
	if at.Bare || len(at.Path) == 0 {
		return nil
	}
	noun, id := lastCollection(at.Path)
	if noun == "" {
		return nil
	}
	verb := at.Verb
	if verb == "" {
		verb = plainVerb(x.Method, id)
		if at.Service == "pubsub" && verb == "update" && x.Method == http.MethodPut { // it changes by PATCH
			verb = "create"
		}
	}
	if verb == "" || verb == "testIamPermissions" {
		return nil
	}
	if special, found := specials[at.Service+"."+noun+"."+verb]; found {
		return strings.Fields(special)
	}
	if renamed, found := nouns[at.Service+"."+noun]; found {
		noun = renamed
	}
	return []string{at.Service + "." + noun + "." + verb}
}

func plainVerb(method string, id bool) string {
	switch {
	case method == http.MethodGet && id, method == http.MethodHead && id:
		return "get"
	case method == http.MethodGet:
		return "list"
	case method == http.MethodPost && !id:
		return "create"
	case method == http.MethodPut && id, method == http.MethodPatch && id:
		return "update"
	case method == http.MethodDelete && id:
		return "delete"
	}
	return ""
}

// lastCollection gives the last collection of a path, and whether a name
// stands behind it.
func lastCollection(path []string) (noun string, id bool) {
	place := 0
	for _, s := range path {
		switch {
		case place%2 == 0 && singles[s] && s != "default":
			continue
		case place%2 == 0:
			if !collection.MatchString(s) {
				return "", false
			}
			noun, id = s, false
		case slashed[noun]:
			return noun, true
		default:
			id = true
		}
		place++
	}
	return noun, id
}

// nouns holds collections that permissions name otherwise.
var nouns = map[string]string{
	"iam.keys":                        "serviceAccountKeys",
	"iam.providers":                   "workloadIdentityPoolProviders",
	"dns.rrsets":                      "resourceRecordSets",
	"run.namespaces":                  "services",
	"monitoring.notificationChannels": "notificationChannels",
	"bigquery.queries":                "jobs",
	"billing.billingAccounts":         "accounts",
	"cloudsql.sslCerts":               "sslCerts",
	"pubsub.schemas":                  "schemas",
	"serviceusage.services":           "services",
}

// specials holds methods whose permissions are not their own names (the
// "Permissions" or "Authorization" section of each method's reference page).
var specials = map[string]string{
	"bigquery.data.list":              "bigquery.tables.getData",
	"bigquery.insertAll.create":       "bigquery.tables.updateData",
	"bigquery.queries.create":         "bigquery.jobs.create",
	"bigquery.queries.get":            "bigquery.jobs.create",
	"billing.billingInfo.list":        "resourcemanager.projects.get",
	"resourcemanager.projects.list":   "resourcemanager.projects.list resourcemanager.projects.get",
	"resourcemanager.projects.search": "resourcemanager.projects.get",

	"cloudkms.cryptoKeys.encrypt":                  "cloudkms.cryptoKeyVersions.useToEncrypt",
	"cloudkms.cryptoKeys.decrypt":                  "cloudkms.cryptoKeyVersions.useToDecrypt",
	"cloudkms.cryptoKeys.updatePrimaryVersion":     "cloudkms.cryptoKeys.update",
	"cloudkms.cryptoKeyVersions.asymmetricSign":    "cloudkms.cryptoKeyVersions.useToSign",
	"cloudkms.cryptoKeyVersions.asymmetricDecrypt": "cloudkms.cryptoKeyVersions.useToDecrypt",
	"cloudkms.cryptoKeyVersions.macSign":           "cloudkms.cryptoKeyVersions.useToSign",
	"cloudkms.cryptoKeyVersions.macVerify":         "cloudkms.cryptoKeyVersions.useToVerify",
	"cloudkms.publicKey.list":                      "cloudkms.cryptoKeyVersions.viewPublicKey",

	"container.nodePools.create":              "container.clusters.update",
	"container.nodePools.delete":              "container.clusters.update",
	"container.nodePools.get":                 "container.clusters.get",
	"container.nodePools.list":                "container.clusters.get",
	"container.nodePools.update":              "container.clusters.update",
	"container.nodePools.setManagement":       "container.clusters.update",
	"container.nodePools.setSize":             "container.clusters.update",
	"container.nodePools.setAutoscaling":      "container.clusters.update",
	"container.nodePools.rollback":            "container.clusters.update",
	"container.clusters.setMasterAuth":        "container.clusters.update",
	"container.clusters.setResourceLabels":    "container.clusters.update",
	"container.clusters.setNetworkPolicy":     "container.clusters.update",
	"container.clusters.setMaintenancePolicy": "container.clusters.update",
	"container.clusters.setLegacyAbac":        "container.clusters.update",
	"container.clusters.startIpRotation":      "container.clusters.update",
	"container.serverConfig.list":             "container.clusters.list",

	"dns.rrsets.list":    "dns.resourceRecordSets.list",
	"dns.changes.create": "dns.changes.create dns.resourceRecordSets.create dns.resourceRecordSets.delete dns.resourceRecordSets.update",

	"iam.serviceAccounts.generateAccessToken": "iam.serviceAccounts.getAccessToken",
	"iam.serviceAccounts.generateIdToken":     "iam.serviceAccounts.getOpenIdToken",
	"iam.roles.patch":                         "iam.roles.update",
	"iam.keys.upload":                         "iam.serviceAccountKeys.create",

	"logging.entries.list":  "logging.logEntries.list",
	"logging.entries.write": "logging.logEntries.create",
	"logging.sinks.update":  "logging.sinks.update logging.sinks.create",

	"monitoring.timeSeries.create": "monitoring.timeSeries.create",

	"pubsub.topics.create":                   "pubsub.topics.create",
	"pubsub.subscriptions.create":            "pubsub.subscriptions.create pubsub.topics.attachSubscription",
	"pubsub.snapshots.create":                "pubsub.snapshots.create pubsub.subscriptions.consume",
	"pubsub.subscriptions.pull":              "pubsub.subscriptions.consume",
	"pubsub.subscriptions.acknowledge":       "pubsub.subscriptions.consume",
	"pubsub.subscriptions.modifyAckDeadline": "pubsub.subscriptions.consume",
	"pubsub.subscriptions.modifyPushConfig":  "pubsub.subscriptions.update",
	"pubsub.subscriptions.list":              "pubsub.subscriptions.list",

	"run.jobs.run":                     "run.jobs.run",
	"secretmanager.secrets.addVersion": "secretmanager.versions.add",
	"secretmanager.versions.destroy":   "secretmanager.versions.destroy",

	"serviceusage.services.batchEnable": "serviceusage.services.enable",
	"serviceusage.services.batchGet":    "serviceusage.services.get",
	"servicemanagement.services.enable": "serviceusage.services.enable servicemanagement.services.bind",

	"cloudsql.instances.restart":   "cloudsql.instances.restart",
	"cloudsql.instances.serverCas": "cloudsql.instances.listServerCas",
	"cloudsql.listServerCas.list":  "cloudsql.instances.listServerCas",
	"cloudsql.operations.get":      "cloudsql.instances.get",
	"cloudsql.operations.list":     "cloudsql.instances.get",
	"cloudsql.flags.list":          "cloudsql.instances.list",
	"cloudsql.tiers.list":          "cloudsql.instances.list",
}

// computePermissions reads Compute Engine's paths: projects/P, a scope, a
// collection, a name and perhaps a method behind it.
func computePermissions(x refusal.Exchange, at Place) []string {
	p := at.Path
	if len(p) < 2 || p[0] != "projects" {
		return nil
	}
	p = p[2:]
	if len(p) == 0 {
		return []string{"compute.projects.get"}
	}
	scope := ""
	switch {
	case p[0] == "global" || p[0] == "aggregated":
		scope, p = p[0], p[1:]
		if len(p) == 0 {
			return nil
		}
	case (p[0] == "zones" || p[0] == "regions") && len(p) > 2:
		scope, p = p[0], p[2:]
	case (p[0] == "zones" || p[0] == "regions") && len(p) <= 2:
	default:
		// projects/P/setCommonInstanceMetadata and its like.
		if len(p) == 1 && wordShape.MatchString(p[0]) {
			return []string{"compute.projects." + p[0]}
		}
		return nil
	}
	noun := p[0]
	if !collection.MatchString(noun) {
		return nil
	}
	noun = computeNoun(scope, noun)
	switch {
	case len(p) >= 3 && p[0] == "images" && p[1] == "family":
		return []string{"compute.images.getFromFamily"}
	case len(p) == 3:
		verb := p[2]
		if !wordShape.MatchString(verb) || verb == "testIamPermissions" {
			return nil
		}
		if x.Method == http.MethodGet && verb == "serialPort" {
			verb = "getSerialPortOutput"
		}
		return []string{"compute." + noun + "." + verb}
	case len(p) > 3:
		return nil
	}
	verb := plainVerb(x.Method, len(p) == 2)
	if verb == "" {
		return nil
	}
	return []string{"compute." + noun + "." + verb}
}

// computeNoun gives the name that a collection has in permissions, which for
// some tells the scope.
func computeNoun(scope, noun string) string {
	switch scope {
	case "global":
		switch noun {
		case "addresses", "forwardingRules", "networkEndpointGroups", "operations", "publicDelegatedPrefixes":
			return "global" + strings.ToUpper(noun[:1]) + noun[1:]
		}
	case "regions":
		switch noun {
		case "backendServices", "healthChecks", "urlMaps", "targetHttpProxies", "targetHttpsProxies", "targetTcpProxies", "sslCertificates", "sslPolicies",
			"operations", "networkEndpointGroups", "securityPolicies", "notificationEndpoints", "firewallPolicies":
			return "region" + strings.ToUpper(noun[:1]) + noun[1:]
		}
	case "zones":
		if noun == "operations" {
			return "zoneOperations"
		}
	}
	return noun
}

// storagePermissions reads the JSON and the XML paths of Cloud Storage.
func storagePermissions(x refusal.Exchange, at Place) []string {
	if at.Bare {
		// XML: /BUCKET/OBJECT, or the bucket in the host.
		depth := len(at.Path)
		if host := strings.ToLower(x.URL.Hostname()); host != "storage.googleapis.com" && strings.HasSuffix(host, ".storage.googleapis.com") {
			depth++
		}
		switch {
		case depth == 0 && x.Method == http.MethodGet:
			return []string{"storage.buckets.list"}
		case depth == 1 && x.Method == http.MethodGet:
			return []string{"storage.objects.list"}
		case depth == 1:
			return one("storage.buckets.", map[string]string{"HEAD": "get", "PUT": "create", "DELETE": "delete"}[x.Method])
		case depth > 1:
			return one("storage.objects.", map[string]string{"GET": "get", "HEAD": "get", "PUT": "create", "POST": "create", "DELETE": "delete"}[x.Method])
		}
		return nil
	}
	p := at.Path
	if len(p) > 0 && p[0] == "projects" {
		if len(p) >= 3 && p[2] == "hmacKeys" {
			return one("storage.hmacKeys.", plainVerb(x.Method, len(p) > 3))
		}
		if len(p) == 3 && p[2] == "serviceAccount" {
			return []string{"resourcemanager.projects.get"}
		}
		return nil
	}
	if len(p) == 0 || p[0] != "b" {
		return nil
	}
	iam := map[string]string{http.MethodGet: "getIamPolicy", http.MethodPut: "setIamPolicy"}[x.Method]
	switch {
	case len(p) <= 2:
		return one("storage.buckets.", plainVerb(x.Method, len(p) == 2))
	case p[2] == "iam" && len(p) == 3:
		return one("storage.buckets.", iam)
	case p[2] == "acl" || p[2] == "defaultObjectAcl":
		if x.Method == http.MethodGet {
			return []string{"storage.buckets.get", "storage.buckets.getIamPolicy"}
		}
		return []string{"storage.buckets.update", "storage.buckets.setIamPolicy"}
	case p[2] == "notificationConfigs":
		if x.Method == http.MethodGet {
			return []string{"storage.buckets.get"}
		}
		return []string{"storage.buckets.update"}
	case p[2] == "managedFolders":
		return one("storage.managedFolders.", plainVerb(x.Method, len(p) > 3))
	case p[2] != "o":
		return nil
	case len(p) == 3 && x.Method == http.MethodPut: // a part of a resumable upload
		return []string{"storage.objects.create"}
	case len(p) <= 4:
		return one("storage.objects.", plainVerb(x.Method, len(p) == 4))
	case p[4] == "iam":
		return one("storage.objects.", iam)
	case p[4] == "acl" && x.Method == http.MethodGet:
		return []string{"storage.objects.getIamPolicy"}
	case p[4] == "acl":
		return []string{"storage.objects.setIamPolicy"}
	case p[4] == "compose":
		return []string{"storage.objects.create", "storage.objects.get"}
	case p[4] == "rewriteTo" || p[4] == "copyTo":
		return []string{"storage.objects.create", "storage.objects.get", "storage.objects.delete"}
	}
	return nil
}

func one(prefix, verb string) []string {
	if verb == "" {
		return nil
	}
	return []string{prefix + verb}
}

// registryPermissions reads the paths of the registry protocol.
func registryPermissions(x refusal.Exchange) []string {
	push := x.Method == http.MethodPost || x.Method == http.MethodPut || x.Method == http.MethodPatch
	if strings.Contains(x.URL.Query().Get("scope"), "push") {
		push = true
	}
	switch {
	case x.Method == http.MethodDelete:
		return []string{"artifactregistry.versions.delete", "artifactregistry.tags.delete"}
	case push:
		return []string{"artifactregistry.repositories.uploadArtifacts", "artifactregistry.repositories.downloadArtifacts"}
	}
	return []string{"artifactregistry.repositories.downloadArtifacts"}
}

// grpcPermissions reads a gRPC method by its name: CreateTopic, ListSecrets.
func grpcPermissions(x refusal.Exchange, at Place) []string {
	segments := split(x.URL.Path)
	if len(segments) != 2 || !wordAny.MatchString(segments[1]) {
		return nil
	}
	for _, verb := range []string{"Create", "Delete", "Get", "List", "Update"} {
		noun, found := strings.CutPrefix(segments[1], verb)
		if !found || noun == "" {
			continue
		}
		noun = strings.ToLower(noun[:1]) + noun[1:]
		if verb != "List" {
			noun = plural(noun)
		}
		return []string{at.Service + "." + noun + "." + strings.ToLower(verb)}
	}
	return nil
}

func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "y") && !strings.HasSuffix(noun, "ey"):
		return noun[:len(noun)-1] + "ies"
	case strings.HasSuffix(noun, "s"):
		return noun
	}
	return noun + "s"
}
