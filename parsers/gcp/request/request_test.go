package request

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"compute.googleapis.com": true, "www.googleapis.com": true, "Storage.googleapis.com": true, "bkt.storage.googleapis.com": true,
		"a.b-c.storage.googleapis.com": true, "us-central1-run.googleapis.com": true, "us-central1-aiplatform.googleapis.com": true,
		"secretmanager.us-central1.rep.googleapis.com": true, "compute.mtls.googleapis.com": true, "compute.googleapis.com:443": true,
		"us-central1-docker.pkg.dev": true, "europe-docker.pkg.dev": true, "gcr.io": true, "eu.gcr.io": true, "oauth2.googleapis.com": true, "accounts.google.com": true,
		"svc-abc.a.run.app": false, "proj.appspot.com": false, "us-central1-proj.cloudfunctions.net": false, "storage.cloud.google.com": false,
		"fonts.googleapis.com": false, "googleapis.com": false, "compute.googleapis.com.example.com": false, "evil-compute.googleapis.com": false,
		"compute.example.googleapis.com": false, "xgcr.io": false, "": false, ".storage.googleapis.com": false,
	} {
		if Host(host) != want {
			t.Errorf("Host(%q) = %v", host, !want)
		}
	}
}

func TestPermissions(t *testing.T) {
	for request, want := range map[string]string{
		"GET compute.googleapis.com/compute/v1/projects/p":                                              "compute.projects.get",
		"GET compute.googleapis.com/compute/v1/projects/p/global/images/x":                              "compute.images.get",
		"GET compute.googleapis.com/compute/beta/projects/p/global/images/family/debian":                "compute.images.getFromFamily",
		"GET compute.googleapis.com/compute/v1/projects/p/zones":                                        "compute.zones.list",
		"GET compute.googleapis.com/compute/v1/projects/p/zones/z":                                      "compute.zones.get",
		"GET compute.googleapis.com/compute/v1/projects/p/zones/z/operations/o":                         "compute.zoneOperations.get",
		"GET compute.googleapis.com/compute/v1/projects/p/regions/r/operations/o":                       "compute.regionOperations.get",
		"GET compute.googleapis.com/compute/v1/projects/p/global/operations/o":                          "compute.globalOperations.get",
		"GET compute.googleapis.com/compute/v1/projects/p/aggregated/instances":                         "compute.instances.list",
		"POST compute.googleapis.com/compute/v1/projects/p/zones/z/instances":                           "compute.instances.create",
		"POST compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i/setMetadata":             "compute.instances.setMetadata",
		"POST compute.googleapis.com/compute/v1/projects/p/setCommonInstanceMetadata":                   "compute.projects.setCommonInstanceMetadata",
		"POST compute.googleapis.com/compute/v1/projects/p/global/addresses":                            "compute.globalAddresses.create",
		"POST compute.googleapis.com/compute/v1/projects/p/regions/r/addresses":                         "compute.addresses.create",
		"PATCH compute.googleapis.com/compute/v1/projects/p/regions/r/backendServices/b":                "compute.regionBackendServices.update",
		"POST compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i/testIamPermissions":      "",
		"GET storage.googleapis.com/storage/v1/b?project=p":                                             "storage.buckets.list",
		"GET monitoring.googleapis.com/v3/projects/p/metricDescriptors/custom.googleapis.com/app/queue": "monitoring.metricDescriptors.get",
		"PATCH storage.googleapis.com/storage/v1/b/bkt":                                                 "storage.buckets.update",
		"GET storage.googleapis.com/storage/v1/b/bkt/iam":                                               "storage.buckets.getIamPolicy",
		"PUT storage.googleapis.com/storage/v1/b/bkt/iam":                                               "storage.buckets.setIamPolicy",
		"GET storage.googleapis.com/storage/v1/b/bkt/o":                                                 "storage.objects.list",
		"GET storage.googleapis.com/storage/v1/b/bkt/o/a%2Fb?alt=media":                                 "storage.objects.get",
		"POST storage.googleapis.com/upload/storage/v1/b/bkt/o":                                         "storage.objects.create",
		"PUT storage.googleapis.com/upload/storage/v1/b/bkt/o?upload_id=x":                              "storage.objects.create",
		"HEAD storage.googleapis.com/bkt/a/b":                                                           "storage.objects.get",
		"GET bkt.storage.googleapis.com/":                                                               "storage.objects.list",
		"PUT bkt.storage.googleapis.com/k":                                                              "storage.objects.create",
		"POST cloudresourcemanager.googleapis.com/v1/projects/p:getIamPolicy":                           "resourcemanager.projects.getIamPolicy",
		"POST cloudresourcemanager.googleapis.com/v1/projects":                                          "resourcemanager.projects.create",
		"GET cloudresourcemanager.googleapis.com/v1/projects/p":                                         "resourcemanager.projects.get",
		"GET iam.googleapis.com/v1/projects/p/serviceAccounts/a@p.iam.gserviceaccount.com":              "iam.serviceAccounts.get",
		"POST iam.googleapis.com/v1/projects/p/serviceAccounts/a@p.iam.gserviceaccount.com/keys":        "iam.serviceAccountKeys.create",
		"POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a:generateAccessToken":        "iam.serviceAccounts.getAccessToken",
		"POST serviceusage.googleapis.com/v1/projects/1/services:batchEnable":                           "serviceusage.services.enable",
		"POST serviceusage.googleapis.com/v1/projects/1/services/run.googleapis.com:enable":             "serviceusage.services.enable",
		"POST sqladmin.googleapis.com/sql/v1beta4/projects/p/instances/i/users":                         "cloudsql.users.create",
		"GET www.googleapis.com/dns/v1/projects/p/managedZones":                                         "dns.managedZones.list",
		"GET dns.googleapis.com/dns/v1/projects/p/managedZones/z/rrsets":                                "dns.resourceRecordSets.list",
		"POST container.googleapis.com/v1/projects/p/locations/l/clusters/c/nodePools":                  "container.clusters.update",
		"GET secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/latest:access":               "secretmanager.versions.access",
		"POST cloudkms.googleapis.com/v1/projects/p/locations/l/keyRings/r/cryptoKeys/k:encrypt":        "cloudkms.cryptoKeyVersions.useToEncrypt",
		"GET us-central1-run.googleapis.com/apis/serving.knative.dev/v1/namespaces/p/services/s":        "run.services.get",
		"GET run.googleapis.com/v2/projects/p/locations/l/services/s":                                   "run.services.get",
		"PUT pubsub.googleapis.com/v1/projects/p/topics/t":                                              "pubsub.topics.create",
		"PATCH pubsub.googleapis.com/v1/projects/p/topics/t":                                            "pubsub.topics.update",
		"PUT pubsub.googleapis.com/v1/projects/p/subscriptions/s":                                       "pubsub.subscriptions.create pubsub.topics.attachSubscription",
		"POST pubsub.googleapis.com/v1/projects/p/topics/t:publish":                                     "pubsub.topics.publish",
		"GET us-central1-docker.pkg.dev/v2/p/r/i/manifests/latest":                                      "artifactregistry.repositories.downloadArtifacts",
		"PUT us-central1-docker.pkg.dev/v2/p/r/i/manifests/latest":                                      "artifactregistry.repositories.uploadArtifacts artifactregistry.repositories.downloadArtifacts",
		"GET gcr.io/v2/token?scope=repository%3Ap%2Fi%3Apush%2Cpull&service=gcr.io":                     "artifactregistry.repositories.uploadArtifacts artifactregistry.repositories.downloadArtifacts",
		"GET svc.a.run.app/v1/projects/p":                                                               "",
		"POST oauth2.googleapis.com/token":                                                              "",
		"OPTIONS compute.googleapis.com/compute/v1/projects/p/global/images/x":                          "",
	} {
		method, address, _ := strings.Cut(request, " ")
		u, err := url.Parse("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Permissions(refusal.Exchange{Method: method, URL: u, Header: http.Header{}}), " "); got != want {
			t.Errorf("Permissions(%s) = %q, want %q", request, got, want)
		}
	}
}

// Two requests that differ only in names have one class, and it holds none of
// them.
func TestClass(t *testing.T) {
	class := func(method, address, body string) string {
		u, err := url.Parse("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		return Class(refusal.Exchange{Method: method, URL: u, Header: http.Header{}, Body: []byte(body)})
	}
	for _, c := range []struct{ method, one, two, body, want string }{
		{"GET", "compute.googleapis.com/compute/v1/projects/p1/global/networks/n1?alt=json", "compute.googleapis.com/compute/v1/projects/p2/global/networks/n2", "", "GET compute.googleapis.com/compute/v1/projects/{}/global/networks/{}"},
		{"POST", "compute.googleapis.com/compute/v1/projects/p1/zones/a/instances", "compute.googleapis.com/compute/v1/projects/p2/zones/b/instances", `{"labels":{"a":"b"},"tags":{},"name":"x"}`, "POST compute.googleapis.com/compute/v1/projects/{}/zones/{}/instances labels"},
		{"GET", "storage.googleapis.com/storage/v1/b/one/o/a%2Fb?alt=media", "storage.googleapis.com/storage/v1/b/two/o/c?alt=media", "", "GET storage.googleapis.com/storage/v1/b/{}/o/{}?alt=media"},
		{"PUT", "one.storage.googleapis.com/a/b", "two.storage.googleapis.com/c/d/e", "", "PUT {}.storage.googleapis.com/{}/{}"},
		{"POST", "iam.googleapis.com/v1/projects/p1/serviceAccounts/a@b.c:setIamPolicy", "iam.googleapis.com/v1/projects/p2/serviceAccounts/d@e.f:setIamPolicy", "", "POST iam.googleapis.com/v1/projects/{}/serviceAccounts/{}:setIamPolicy"},
		{"POST", "serviceusage.googleapis.com/v1/projects/1/services:batchEnable", "serviceusage.googleapis.com/v1/projects/2/services:batchEnable", "", "POST serviceusage.googleapis.com/v1/projects/{}/services:batchEnable"},
		{"GET", "monitoring.googleapis.com/v3/projects/p1/metricDescriptors/custom.googleapis.com/app/queue", "monitoring.googleapis.com/v3/projects/p2/metricDescriptors/custom.googleapis.com/e2b/a/b", "", "GET monitoring.googleapis.com/v3/projects/{}/metricDescriptors/{}"},
		{"GET", "us-central1-docker.pkg.dev/v2/p1/r/i/manifests/latest", "us-central1-docker.pkg.dev/v2/p2/s/j/manifests/v1", "", "GET us-central1-docker.pkg.dev/v2/{}/{}/{}/manifests/{}"},
	} {
		if got := class(c.method, c.one, c.body); got != c.want {
			t.Errorf("Class = %q, want %q", got, c.want)
		}
		if got := class(c.method, c.two, c.body); got != c.want {
			t.Errorf("Class = %q, want %q", got, c.want)
		}
	}
}
