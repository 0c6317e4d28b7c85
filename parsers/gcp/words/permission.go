package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
)

var permissionShape = expr.New(`^[a-z][a-zA-Z0-9]*(?:\.[a-zA-Z0-9]+)+$`)

// IsPermission tells whether s is one plain permission, SERVICE.RESOURCE.VERB
// without wildcards (IAM documentation, "Permissions").
func IsPermission(s string) bool {
	parts := strings.Count(s, ".") + 1
	return permissionShape.MatchString(s) && parts >= 3 && parts <= 6 && len(s) <= maxName && !notPermission(s)
}

// maxName bounds the length of a permission, in bytes. The longest of the
// public ones has less than 100.
const maxName = 128

// notPermission tells names that have a permission's form and are none: hosts,
// files, types.
func notPermission(s string) bool {
	for _, end := range []string{".com", ".org", ".net", ".io", ".dev", ".json", ".yaml", ".tf", ".go", ".py", ".example"} {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	switch first, _, _ := strings.Cut(s, "."); first {
	case "roles", "type", "android", "com", "docker", "io", "java", "javax", "kubernetes", "net", "org", "sun":
		return true
	}
	return false
}

// Canonical gives a permission in the spelling of the roles that hold it, and
// tells whether it is one. It takes out the line breaks of a wrapped name,
// turns the notation of deny policies (iam.googleapis.com/denypolicies.create)
// into that of roles, and mends the lower case in which a few services print
// their names (Cloud Run's iam.serviceaccounts.actAs).
func Canonical(s string) (string, bool) {
	s = strings.Join(strings.Fields(s), "")
	if host, rest, found := strings.Cut(s, ".googleapis.com/"); found {
		if p, known := servicePrefix[host]; known {
			host = p
		}
		s = host + "." + rest
	}
	parts := strings.Split(s, ".")
	for i, p := range parts {
		if proper, known := properCase[p]; known && i > 0 {
			parts[i] = proper
		}
	}
	s = strings.Join(parts, ".")
	return s, IsPermission(s)
}

// servicePrefix holds the services whose permissions begin otherwise than
// their host does.
var servicePrefix = map[string]string{
	"cloudresourcemanager": "resourcemanager", "sqladmin": "cloudsql", "cloudbilling": "billing", "bigtableadmin": "bigtable",
	"iamcredentials": "iam", "sourcerepo": "source", "firestore": "datastore",
}

// properCase holds the parts of permissions that have capitals, by their lower
// case.
var properCase = func() map[string]string {
	m := make(map[string]string)
	for _, name := range strings.Fields(`
		actAs getIamPolicy setIamPolicy getAccessToken getOpenIdToken signBlob signJwt implicitDelegation
		serviceAccounts serviceAccountKeys workloadIdentityPools workloadIdentityPoolProviders
		cryptoKeys cryptoKeyVersions keyRings importJobs useToEncrypt useToDecrypt useToSign viewPublicKey
		managedZones resourceRecordSets instanceGroups instanceGroupManagers instanceTemplates machineTypes diskTypes
		backendServices backendBuckets firewallPolicies forwardingRules globalAddresses globalForwardingRules
		globalOperations regionOperations zoneOperations healthChecks httpHealthChecks networkEndpointGroups
		securityPolicies sslCertificates sslPolicies targetHttpProxies targetHttpsProxies targetPools urlMaps vpnTunnels
		vpnGateways useExternalIp osLogin osAdminLogin uploadArtifacts downloadArtifacts nodePools backupRuns
		denyPolicies tunnelInstances accessViaIAP timeSeries metricDescriptors logEntries
	`) {
		m[strings.ToLower(name)] = name
	}
	delete(m, "denypolicies") // IAM's own roles spell it in lower case
	return m
}()
