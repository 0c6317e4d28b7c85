package gcp

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/gcp/request"
	"github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Fits tells whether a refusal of a permission can be the answer to a request:
// the permission belongs to the API that was asked, or to one that is known to
// be checked on its behalf with the caller's own rights. A denial that does not
// fit is not believed, so that no text which a reply carries can turn a
// harmless request into a grant somewhere else.
func Fits(x refusal.Exchange, permission string) bool {
	if !words.IsPermission(permission) {
		return false
	}
	at, known := request.Locate(x)
	if !known || at.Service == "" || at.Label == "oauth2" {
		return false
	}
	service, rest, _ := strings.Cut(permission, ".")
	if service == at.Service || slices.Contains(own[at.Service], service) {
		return true
	}
	if slices.Contains(anywhere, permission) {
		return true
	}
	// Nobody else checks rights over policies, identities and keys.
	if service == "iam" || service == "resourcemanager" || strings.HasSuffix(rest, "setIamPolicy") {
		return slices.Contains(single[at.Service], permission)
	}
	return slices.Contains(behind[at.Service], service) || slices.Contains(single[at.Service], permission)
}

// anywhere holds what any API can check with the caller's rights: an account
// that a resource is to run as, the project that pays, the project itself.
var anywhere = []string{"iam.serviceAccounts.actAs", "serviceusage.services.use", "serviceusage.services.get", "resourcemanager.projects.get"}

// own holds the permission prefixes of an API that has more than one.
var own = map[string][]string{
	"bigquery":          {"bigquerymigration"},
	"datastore":         {"firestore"},
	"firebaseauth":      {"identitytoolkit", "identityplatform", "firebase"},
	"firebase":          {"firebasehosting", "firebaserules", "firebasedatabase", "firebaseanalytics"},
	"iap":               {"clientauthconfig", "oauthconfig"},
	"logging":           {"observability"},
	"monitoring":        {"stackdriver", "cloudnotifications", "opsconfigmonitoring", "uptimecheckconfigs"},
	"oslogin":           {"compute"},
	"policysimulator":   {"cloudasset"},
	"resourcemanager":   {"orgpolicy", "cloudresourcemanager"},
	"serviceusage":      {"servicemanagement", "apikeys"},
	"servicemanagement": {"serviceusage"},
	"sts":               {"iam"},
	"pubsublite":        {"pubsub"},
	"notebooks":         {"aiplatform"},
	"ml":                {"aiplatform"},
	"gkehub":            {"gkeconnect", "gkemulticloud"},
	"artifactregistry":  {"containerregistry"},
	"storage":           {"storageinsights"},
	"vmmigration":       {"compute"},
}

// single holds dependents that are one permission.
var single = map[string][]string{
	"billing":                 {"resourcemanager.projects.createBillingAssignment", "resourcemanager.projects.deleteBillingAssignment"},
	"essentialcontacts":       {"resourcemanager.folders.get", "resourcemanager.organizations.get"},
	"accesscontextmanager":    {"resourcemanager.organizations.get", "resourcemanager.folders.get"},
	"orgpolicy":               {"resourcemanager.organizations.get", "resourcemanager.folders.get"},
	"logging":                 {"resourcemanager.folders.get", "resourcemanager.organizations.get"},
	"cloudasset":              {"resourcemanager.folders.get", "resourcemanager.organizations.get"},
	"storage":                 {"pubsub.topics.publish"},
	"deploymentmanager":       {"resourcemanager.projects.getIamPolicy"},
	"composer":                {"iam.serviceAccounts.get"},
	"cloudfunctions":          {"iam.serviceAccounts.signBlob"},
	"dataflow":                {"iam.serviceAccounts.get"},
	"privilegedaccessmanager": {"resourcemanager.projects.getIamPolicy"},
	"iap":                     {"resourcemanager.organizations.get"},
	"cloudscheduler":          {"iam.serviceAccounts.get"},
}

// behind holds the services that stand behind another: their permissions are
// checked with the caller's rights when the first is asked (the "Permissions"
// sections of the methods' reference pages and the access-control page of each
// product). What a product does with its own service agent is in no row.
var behind = map[string][]string{
	"aiplatform":          {"artifactregistry", "bigquery", "compute", "notebooks", "storage"},
	"alloydb":             {"compute"},
	"apigateway":          {"servicemanagement"},
	"appengine":           {"artifactregistry", "cloudbuild", "storage", "vpcaccess"},
	"artifactregistry":    {"storage"},
	"backupdr":            {"compute"},
	"batch":               {"compute", "logging", "storage"},
	"bigquery":            {"datacatalog", "storage"},
	"binaryauthorization": {"containeranalysis"},
	"certificatemanager":  {"compute"},
	"cloudbuild":          {"artifactregistry", "logging", "pubsub", "secretmanager", "source", "storage"},
	"clouddeploy":         {"cloudbuild", "container", "run", "storage"},
	"cloudfunctions":      {"artifactregistry", "cloudbuild", "eventarc", "pubsub", "run", "secretmanager", "storage", "vpcaccess"},
	"cloudscheduler":      {"appengine", "pubsub"},
	"cloudsql":            {"compute", "servicenetworking", "storage"},
	"cloudtasks":          {"appengine"},
	"composer":            {"artifactregistry", "compute", "container", "storage"},
	"compute":             {"certificatemanager", "networksecurity", "networkservices", "run", "storage"},
	"container":           {"binaryauthorization", "compute", "gkehub", "logging"},
	"dataflow":            {"compute", "storage"},
	"dataform":            {"bigquery", "secretmanager"},
	"dataplex":            {"bigquery", "datacatalog", "storage"},
	"dataproc":            {"compute", "metastore", "storage"},
	"datamigration":       {"cloudsql", "compute", "alloydb"},
	"datastream":          {"compute"},
	"datastore":           {"appengine", "storage"},
	"dns":                 {"compute", "servicedirectory"},
	"eventarc":            {"cloudfunctions", "container", "pubsub", "run", "workflows"},
	"file":                {"compute"},
	"gkebackup":           {"container"},
	"gkehub":              {"container"},
	"iap":                 {"appengine", "compute", "run"},
	"logging":             {"bigquery", "pubsub", "storage"},
	"managedidentities":   {"compute"},
	"memcache":            {"compute"},
	"metastore":           {"compute", "storage"},
	"monitoring":          {"logging"},
	"netapp":              {"compute"},
	"networkconnectivity": {"compute"},
	"networkmanagement":   {"compute"},
	"networksecurity":     {"certificatemanager", "compute", "privateca"},
	"networkservices":     {"certificatemanager", "compute", "networksecurity"},
	"notebooks":           {"compute", "storage"},
	"ondemandscanning":    {"artifactregistry", "containeranalysis"},
	"containeranalysis":   {"artifactregistry"},
	"osconfig":            {"compute"},
	"privateca":           {"storage"},
	"redis":               {"compute"},
	"run":                 {"artifactregistry", "cloudbuild", "cloudsql", "compute", "secretmanager", "storage", "vpcaccess"},
	"servicenetworking":   {"compute", "dns"},
	"serviceusage":        {"servicemanagement"},
	"storagetransfer":     {"storage"},
	"tpu":                 {"compute"},
	"vpcaccess":           {"compute"},
	"workstations":        {"compute"},
}
