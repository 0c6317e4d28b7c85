package gcp

import (
	"net/url"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

func TestFits(t *testing.T) {
	for _, c := range []struct {
		address, permission string
		want                bool
	}{
		{"https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances", "compute.instances.create", true},
		{"https://www.googleapis.com/compute/v1/projects/p/zones/z/instances", "compute.instances.create", true},
		{"https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances", "iam.serviceAccounts.actAs", true},
		{"https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances", "serviceusage.services.use", true},
		{"https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances", "iam.serviceAccountKeys.create", false},
		{"https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances", "resourcemanager.projects.setIamPolicy", false},
		{"https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances", "cloudkms.cryptoKeyVersions.useToEncrypt", false},
		{"https://container.googleapis.com/v1/projects/p/locations/l/clusters", "compute.networks.get", true},
		{"https://container.googleapis.com/v1/projects/p/locations/l/clusters", "compute.instances.setIamPolicy", false},
		{"https://sqladmin.googleapis.com/sql/v1beta4/projects/p/instances", "cloudsql.instances.create", true},
		{"https://cloudresourcemanager.googleapis.com/v1/projects/p:setIamPolicy", "resourcemanager.projects.setIamPolicy", true},
		{"https://cloudbilling.googleapis.com/v1/projects/p/billingInfo", "resourcemanager.projects.createBillingAssignment", true},
		{"https://us-central1-run.googleapis.com/apis/serving.knative.dev/v1/namespaces/p/services", "run.services.create", true},
		{"https://bkt.storage.googleapis.com/key", "storage.objects.get", true},
		{"https://gcr.io/v2/p/i/manifests/latest", "storage.objects.get", true},
		{"https://oauth2.googleapis.com/token", "oauth2.tokens.create", false},
		{"https://svc.a.run.app/", "run.routes.invoke", false},
		{"https://compute.googleapis.com/compute/v1/projects/p", "compute.*", false},
		{"https://compute.googleapis.com/compute/v1/projects/p", "", false},
	} {
		u, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		if got := Fits(refusal.Exchange{Method: "POST", URL: u}, c.permission); got != c.want {
			t.Errorf("Fits(%s, %q) = %v", c.address, c.permission, got)
		}
	}
	if Fits(refusal.Exchange{}, "compute.instances.create") {
		t.Error("a request without a URL fits")
	}
}
