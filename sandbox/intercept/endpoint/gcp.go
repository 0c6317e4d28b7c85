package endpoint

import "strings"

// googleServices are the services of Google Cloud whose API hosts are opened:
// NAME.googleapis.com. Source: the rootUrl of each discovery document in
// google.golang.org/api v0.311.0 whose scopes have cloud-platform, with the hosts
// that give and show tokens (oauth2, sts, openidconnect). Left out is
// firebasestorage, which serves the files of customers' users by rules that
// customers write.
var googleServices = names(`
	accessapproval accesscontextmanager addressvalidation admin admin-remotebuildexecution
	advisorynotifications agentidentity agentidentitycredentials agentregistry aiplatform airquality alloydb
	analyticshub apigateway apigee apigeeregistry apihub apikeys apim appengine apphub areainsights
	artifactregistry assuredworkloads auditmanager backupdr baremetalsolution batch beyondcorp biglake
	bigquery bigqueryconnection bigquerydatapolicy bigquerydatatransfer bigqueryreservation bigtableadmin
	billingbudgets binaryauthorization blockchainnodeengine certificatemanager ces cloudasset cloudbilling
	cloudbuild cloudcommerceprocurement cloudcontrolspartner clouddebugger clouddeploy clouderrorreporting
	cloudfunctions cloudidentity cloudiot cloudkms cloudlocationfinder cloudnumberregistry
	cloudprivatecatalog cloudprivatecatalogproducer cloudprofiler cloudresourcemanager cloudscheduler
	cloudshell cloudsupport cloudtasks cloudtrace composer compute config connectors contactcenteraiplatform
	contactcenterinsights container containeranalysis contentwarehouse databasecenter datacatalog dataflow
	dataform datafusion datalabeling datalineage datamigration datapipelines dataplex dataproc datastore
	datastream deepreview deploymentmanager developerconnect developerknowledge devicerun dialogflow
	discoveryengine dlp dns documentai domains essentialcontacts eventarc fcm fcmdata file firebase
	firebaseappcheck firebaseappdistribution firebaseapphosting firebasecrashlytics firebasedatabase
	firebasedataconnect firebasehosting firebaseml firebaserules firestore ftp gameservices genomics
	gkebackup gkehub gkeonprem health healthcare hypercomputecluster iam iamcredentials iap identitytoolkit
	ids integrations jobs kmsinventory language libraryagent lifesciences logging looker managedidentities
	managedkafka memcache metastore migrationcenter ml monitoring netapp networkconnectivity
	networkmanagement networksecurity networkservices notebooks oauth2 observability ondemandscanning
	openidconnect oracledatabase orgpolicy osconfig oslogin parallelstore parametermanager places
	policyanalyzer policysimulator policytroubleshooter pollen privateca prod-tt-sasportal publicca pubsub
	pubsublite rapidmigrationassessment recaptchaenterprise recommendationengine recommender redis
	remotebuildexecution resourcesettings retail run runtimeconfig saasservicemgmt sasportal secretmanager
	securesourcemanager securitycenter securityposture servicebroker serviceconsumermanagement servicecontrol
	servicedirectory servicemanagement servicenetworking serviceusage serviceuser solar sourcerepo spanner
	speech sqladmin storage storagebatchoperations storagetransfer sts testing texttospeech
	threatintelligence toolresults tpu tracing trafficdirector transcoder translation videointelligence
	vision vmmigration vmwareengine vpcaccess webrisk websecurityscanner workflowexecutions workflows
	workloadmanager workstations
`)

// googleAreas are how the names of Google's regions begin. Source: the endpoints
// of the discovery documents.
var googleAreas = names(`africa asia australia europe me northamerica southamerica us`)

// googleDomain knows
//
//	SERVICE  REGION-SERVICE  SERVICE.mtls  SERVICE.REGION.rep  www  BUCKET.storage
//
// all below googleapis.com. www serves the older services by path. A bucket's
// host is Cloud Storage's XML API ("Request endpoints"); c.storage is not: there
// the host of a website that a customer serves from a bucket leads.
func googleDomain(labels []string) bool {
	switch n := len(labels); {
	case n == 0:
		return false
	case n > 1 && labels[n-1] == "storage":
		return n > 2 || labels[0] != "c"
	case n == 3 && labels[2] == "rep":
		return googleServices[labels[0]] && (isGoogleRegion(labels[1]) || labels[1] == "us" || labels[1] == "eu")
	case n == 2 && labels[1] == "mtls":
		return googleServices[labels[0]] || labels[0] == "www"
	case n != 1:
		return false
	case labels[0] == "www" || googleServices[labels[0]]:
		return true
	}
	// REGION-SERVICE: us-central1-aiplatform.
	area, rest, _ := strings.Cut(labels[0], "-")
	place, service, ok := strings.Cut(rest, "-")
	return ok && isGoogleRegion(area+"-"+place) && googleServices[service]
}

// isGoogleRegion tells whether s is area-direction-number: europe-southwest1.
func isGoogleRegion(s string) bool {
	area, place, ok := strings.Cut(s, "-")
	direction := strings.TrimRight(place, "0123456789")
	return ok && googleAreas[area] && awsDirections[direction] && len(place) > len(direction) && len(place)-len(direction) <= 2
}

// packageDomain knows Artifact Registry's hosts for container images,
// LOCATION-docker.pkg.dev, where the location is a region or us, europe or asia
// (Artifact Registry, "Repository and image names"). Those of other formats
// answer package managers in forms of their own.
func packageDomain(labels []string) bool {
	if len(labels) != 1 {
		return false
	}
	place, ok := strings.CutSuffix(labels[0], "-docker")
	return ok && (isGoogleRegion(place) || place == "us" || place == "europe" || place == "asia")
}

// registryDomain knows Container Registry's: gcr.io and us, eu and asia below it
// (Container Registry, "Registry names"). mirror.gcr.io and others with public
// images are for everybody.
func registryDomain(labels []string) bool {
	return len(labels) == 0 || len(labels) == 1 && (labels[0] == "us" || labels[0] == "eu" || labels[0] == "asia")
}

// tunnelDomain knows Identity-Aware Proxy's hosts for tunnels to instances:
// tunnel.cloudproxy.app and, with client certificates, mtls.tunnel.cloudproxy.app.
// Source: gcloud's iap_tunnel_websocket_utils.py.
func tunnelDomain(labels []string) bool {
	return len(labels) == 0 || len(labels) == 1 && labels[0] == "mtls"
}

// Greets tells whether a host's WebSockets begin with a message of the server's,
// or with its refusal.
func Greets(host string) bool {
	name, ok := Canonical(host)
	return ok && (name == "tunnel.cloudproxy.app" || name == "mtls.tunnel.cloudproxy.app")
}

// itself knows the domain's own name and nothing below it.
func itself(labels []string) bool { return len(labels) == 0 }
