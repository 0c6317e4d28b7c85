// Package request tells what a request to a Google Cloud API is, from the
// request alone: where it went ([Locate]), which permission its method asks
// for first ([Permissions]), and what stays the same when it is made again
// ([Class]).
package request

import (
	"net/http"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Place is where a request went.
type Place struct {
	// Label is the API's own name: "compute", "cloudresourcemanager".
	Label string
	// Service is what the API's permissions begin with: "compute",
	// "resourcemanager".
	Service string
	// Path is the path behind the API's name and version: "projects/p/zones".
	// Of a path without a version it is all of it.
	Path []string
	// Verb is the custom method that ends the path behind a colon, "" if none.
	Verb string
	// Bare says that the path has no version: gRPC, a registry, XML.
	Bare bool
}

// prefixes holds what the permissions of an API begin with, where it is not
// the API's own name (IAM documentation, "IAM permissions reference").
var prefixes = map[string]string{
	"bigqueryconnection":       "bigquery",
	"bigquerydatapolicy":       "bigquery",
	"bigquerydatatransfer":     "bigquery",
	"bigqueryreservation":      "bigquery",
	"bigquerystorage":          "bigquery",
	"bigtable":                 "bigtable",
	"bigtableadmin":            "bigtable",
	"cloudbilling":             "billing",
	"billingbudgets":           "billing",
	"cloudresourcemanager":     "resourcemanager",
	"commondatastorage":        "storage",
	"firestore":                "datastore",
	"gcr":                      "artifactregistry",
	"iamcredentials":           "iam",
	"identitytoolkit":          "firebaseauth",
	"ondemandscanning":         "ondemandscanning",
	"pkg":                      "artifactregistry",
	"servicecontrol":           "servicemanagement",
	"sourcerepo":               "source",
	"sql":                      "cloudsql",
	"sqladmin":                 "cloudsql",
	"storage-component":        "storage",
	"websecurityscanner":       "cloudsecurityscanner",
	"workflowexecutions":       "workflows",
	"logging":                  "logging",
	"policysimulator":          "policysimulator",
	"storagetransfer":          "storagetransfer",
	"eventarcpublishing":       "eventarc",
	"clouderrorreporting":      "errorreporting",
	"cloudtrace":               "cloudtrace",
	"assuredworkloads":         "assuredworkloads",
	"contactcenterinsights":    "contactcenterinsights",
	"networkmanagement":        "networkmanagement",
	"dataproc-control":         "dataproc",
	"compute":                  "compute",
	"servicedirectory":         "servicedirectory",
	"cloudcommerceprocurement": "consumerprocurement",
}

// apis are the APIs whose permissions begin with their own name (Google API
// discovery directory, without those that take an end user's consent).
var apis = set(`
	accessapproval accesscontextmanager aiplatform alloydb analyticshub apigateway apigee apigeeregistry apikeys apphub
	appengine artifactregistry automl backupdr baremetalsolution batch beyondcorp bigquery binaryauthorization blockchainnodeengine
	certificatemanager cloudaicompanion cloudasset cloudbuild clouddeploy clouddebugger cloudfunctions cloudidentity cloudkms cloudprofiler
	cloudquotas cloudscheduler cloudsupport cloudtasks composer config connectors container containeranalysis
	datacatalog dataflow dataform datafusion datalineage datamigration datapipelines dataplex dataproc datastore datastream
	deploymentmanager developerconnect dialogflow discoveryengine dlp dns documentai domains edgecontainer edgenetwork essentialcontacts
	eventarc fcmdata file firebase firebaseappcheck firebasehosting firebaserules firebaseremoteconfig gkebackup gkehub gkemulticloud gkeonprem
	healthcare iam iap identityplatform ids integrations kmsinventory lifesciences livestream looker managedidentities memcache metastore
	migrationcenter ml monitoring netapp networkconnectivity networksecurity networkservices notebooks
	orgpolicy osconfig oslogin parallelstore parametermanager policyanalyzer policyremediatormanager policytroubleshooter privateca privilegedaccessmanager
	pubsub pubsublite rapidmigrationassessment recaptchaenterprise recommender redis retail run runapps runtimeconfig secretmanager
	securesourcemanager securitycenter securitycentermanagement securityposture servicehealth servicemanagement servicenetworking serviceusage
	spanner speech storage storageinsights sts texttospeech tpu trafficdirector transcoder translate videointelligence vision vmmigration vmwareengine
	vpcaccess webrisk workflows workloadmanager workstations memorystore oauth2 telemetry
`)

var (
	// regional hosts put the region before the API's name, or after it.
	regionBefore  = expr.New(`^(?:[a-z]+-[a-z]+\d{1,2}|us|eu|asia|global|[a-z]+-[a-z]+\d-[a-z])-([a-z0-9]+)$`)
	regionShape   = expr.New(`^[a-z]+-[a-z]+\d{1,2}$`)
	packageHost   = expr.New(`^[a-z0-9-]+-(?:docker|maven|npm|python|apt|yum|go|generic|kfp)\.pkg\.dev$`)
	registryHost  = expr.New(`^(?:[a-z]+\.)?gcr\.io$`)
	versionShape  = expr.New(`^(?:v\d+[a-z0-9]*|beta|alpha|staging_(?:v1|beta|alpha))$`)
	bucketHost    = expr.New(`^[a-z0-9][a-z0-9._-]*[a-z0-9]$`)
	identityHosts = []string{"accounts.google.com", "oauth2.googleapis.com", "sts.googleapis.com"}
)

// tunnel tells whether a host is Identity-Aware Proxy's for tunnels to instances
// (gcloud, iap_tunnel_websocket_utils.py).
func tunnel(host string) bool {
	return host == "tunnel.cloudproxy.app" || host == "mtls.tunnel.cloudproxy.app"
}

// Tunnel tells whether a request is one for a tunnel to an instance.
func Tunnel(x refusal.Exchange) bool {
	return x.URL != nil && tunnel(strings.ToLower(x.URL.Hostname())) && strings.HasSuffix(x.URL.Path, "/connect")
}

// Host tells whether a host is one of Google Cloud's own API endpoints, whose
// refusals are Google's own words. Hosts that serve what customers run or
// publish (run.app, appspot.com, cloudfunctions.net, web.app) are none.
func Host(host string) bool {
	_, ok := label(host)
	return ok
}

// label gives the name of the API that a host serves; "www" for the host that
// tells it in the path.
func label(host string) (string, bool) {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	host = strings.TrimSuffix(host, ".")
	switch {
	case slices.Contains(identityHosts, host):
		return "oauth2", true
	case packageHost.MatchString(host):
		return "pkg", true
	case registryHost.MatchString(host):
		return "gcr", true
	case tunnel(host):
		return "iap", true
	}
	name, ours := strings.CutSuffix(host, ".googleapis.com")
	if !ours {
		return "", false
	}
	if name == "www" || name == "content" {
		return "www", true
	}
	name = strings.TrimSuffix(name, ".mtls")
	// X.REGION.rep: a regional endpoint.
	if first, rest, found := strings.Cut(name, "."); found {
		if region, rep := strings.CutSuffix(rest, ".rep"); rep && (regionShape.MatchString(region) || region == "us" || region == "eu") {
			name = first
		}
	}
	if known(name) {
		return name, true
	}
	if m := regionBefore.FindStringSubmatch(name); m != nil && known(m[1]) {
		return m[1], true
	}
	name = strings.TrimPrefix(name, "content-")
	if known(name) {
		return name, true
	}
	if bucket, found := strings.CutSuffix(name, ".storage"); found && bucketHost.MatchString(bucket) {
		return "storage", true
	}
	return "", false
}

func known(name string) bool { return apis[name] || prefixes[name] != "" }

// Service gives what the permissions of an API begin with.
func Service(label string) string {
	if p := prefixes[label]; p != "" {
		return p
	}
	return label
}

// Locate tells where a request went. ok is false for a host that is none of
// the cloud's.
func Locate(x refusal.Exchange) (at Place, ok bool) {
	if x.URL == nil {
		return Place{}, false
	}
	at.Label, ok = label(x.URL.Host)
	if !ok {
		return Place{}, false
	}
	segments := split(x.URL.EscapedPath())
	version := slices.IndexFunc(segments, versionShape.MatchString)
	if at.Label == "pkg" || at.Label == "gcr" {
		version = -1
	}
	if version >= 0 && version <= 3 {
		before := segments[:version]
		if at.Label == "www" && len(before) > 0 {
			at.Label = strings.ToLower(before[len(before)-1])
		}
		at.Path = segments[version+1:]
		// The discovery-less services of Cloud Run: apis/GROUP/VERSION/….
	} else {
		at.Path, at.Bare = segments, true
		if at.Label == "www" {
			at.Label = ""
		}
	}
	if n := len(at.Path); n > 0 {
		if head, verb, found := strings.Cut(at.Path[n-1], ":"); found && wordShape.MatchString(verb) {
			at.Path = append(slices.Clone(at.Path[:n-1]), head)
			at.Verb = verb
			if head == "" {
				at.Path = at.Path[:n-1]
			}
		}
	}
	at.Service = Service(at.Label)
	return at, true
}

var wordShape = expr.New(`^[a-z][A-Za-z]*$`)

func split(path string) []string {
	var segments []string
	for _, s := range strings.Split(path, "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	return segments
}

// GRPC tells whether a request is a gRPC call, whose path names the method.
func GRPC(x refusal.Exchange) bool {
	return x.Method == http.MethodPost && strings.HasPrefix(x.Header.Get("Content-Type"), "application/grpc")
}

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
