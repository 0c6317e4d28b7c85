package gcp

import "strings"

// Risk says why a permission could raise the rights of the identity that holds it,
// "" if none is known to. Sources: Rhino Security Labs, "Privilege Escalation in
// Google Cloud Platform", parts 1 and 2 (rhino); the method's reference page, which
// says with whose rights it acts (api). What needs iam.serviceAccounts.actAs to be
// dangerous, which is itself in the list, is left out: compute.instances.create,
// cloudfunctions.functions.create, run.services.create, cloudscheduler.jobs.create,
// compute.instances.setServiceAccount.
func Risk(permission string) string {
	if why := risks[permission]; why != "" {
		return why
	}
	switch verb := permission[strings.LastIndexByte(permission, '.')+1:]; verb {
	case "setIamPolicy":
		return "sets the allow policy of a resource, and so gives rights on it (rhino)"
	case "actAs":
		return "works with the rights of a service account (rhino)"
	}
	return ""
}

// Patterns lists names that a pattern may take in, for patterns are risky where
// one of these is.
func Patterns() []string {
	names := []string{"resourcemanager.projects.setIamPolicy", "iam.serviceAccounts.setIamPolicy", "storage.buckets.setIamPolicy", "compute.instances.setIamPolicy"}
	for name := range risks {
		names = append(names, name)
	}
	return names
}

var risks = map[string]string{
	"resourcemanager.projects.setIamPolicy":      "sets the allow policy of the project, and so gives any right in it (rhino)",
	"resourcemanager.folders.setIamPolicy":       "sets the allow policy of a folder (rhino)",
	"resourcemanager.organizations.setIamPolicy": "sets the allow policy of the organization (rhino)",
	"iam.serviceAccounts.actAs":                  "works with the rights of a service account (rhino)",
	"iam.serviceAccounts.getAccessToken":         "makes a token of a service account (rhino)",
	"iam.serviceAccounts.getOpenIdToken":         "makes an identity token of a service account (rhino)",
	"iam.serviceAccounts.implicitDelegation":     "makes tokens through another service account (rhino)",
	"iam.serviceAccounts.signBlob":               "signs as a service account (rhino)",
	"iam.serviceAccounts.signJwt":                "signs a token as a service account (rhino)",
	"iam.serviceAccountKeys.create":              "makes a key of a service account (rhino)",
	"iam.roles.create":                           "makes a role of any rights, of use with a binding (api)",
	"iam.roles.update":                           "changes what a custom role holds, its own among them (rhino)",
	"iam.roles.undelete":                         "brings a role with its rights back (api)",
	"iam.workloadIdentityPoolProviders.create":   "lets outside identities in (api)",
	"iam.workloadIdentityPoolProviders.update":   "lets outside identities in (api)",
	"orgpolicy.policy.set":                       "takes a constraint of the organization away (rhino)",
	"deploymentmanager.deployments.create":       "acts with the rights of the Google APIs service agent (rhino)",
	"deploymentmanager.deployments.update":       "acts with the rights of the Google APIs service agent (rhino)",
	"cloudbuild.builds.create":                   "runs code with the rights of Cloud Build's account (rhino)",
	"cloudbuild.builds.update":                   "runs code with the rights of Cloud Build's account (rhino)",
	"compute.instances.setMetadata":              "sets SSH keys and start-up scripts, which run with the rights of an instance's account (rhino)",
	"compute.projects.setCommonInstanceMetadata": "sets SSH keys and start-up scripts of all instances (rhino)",
	"compute.instances.osLogin":                  "opens a shell with the rights of an instance's account (rhino)",
	"compute.instances.osAdminLogin":             "opens a shell with the rights of an instance's account (rhino)",
	"storage.hmacKeys.create":                    "makes a key that works as a service account (rhino)",
	"serviceusage.apiKeys.create":                "makes an API key (rhino)",
	"apikeys.keys.create":                        "makes an API key (rhino)",
	"container.clusters.getCredentials":          "gives a cluster's client certificate, where it has one (api)",
	"container.clusterRoleBindings.create":       "gives rights inside a cluster (api)",
	"container.roleBindings.create":              "gives rights inside a cluster (api)",
	"cloudfunctions.functions.sourceCodeSet":     "replaces code that runs with the rights of a function's account (api)",
	"dataproc.clusters.create":                   "runs code with the rights of a cluster's account (api)",
}
