package gcp

import (
	"net/url"
	"strings"
	"testing"
)

// needs are what a request may need, in order; what is seldom needed with a ?.
func needs(t *testing.T, method, address, body string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range Needs(method, u, []byte(body)) {
		if n.Resource != "*" {
			t.Errorf("%s is on %q", n.Permission, n.Resource)
		}
		name := n.Permission
		if n.Seldom {
			name += "?"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestNeeds(t *testing.T) {
	const (
		zones  = "https://dns.googleapis.com/dns/v1/projects/p/managedZones"
		pubsub = "https://pubsub.googleapis.com/v1/projects/p/"
		crm    = "https://cloudresourcemanager.googleapis.com/v1/projects/p"
		usage  = "https://serviceusage.googleapis.com/v1/projects/p/services"
	)
	for _, tt := range []struct{ method, url, body, want string }{
		{"POST", zones, `{"name":"z","visibility":"public"}`, "dns.managedZones.create"},
		{"POST", zones, `{"name":"z","privateVisibilityConfig":{"networks":[{}]}}`, "dns.managedZones.create dns.networks.bindPrivateDNSZone"},
		{"POST", zones, `{"name":"z","privateVisibilityConfig":{}}`, "dns.managedZones.create"},
		{"POST", zones, `{"name":"cut of`, "dns.managedZones.create dns.networks.bindPrivateDNSZone"},
		{"GET", zones, "", "dns.managedZones.list"},
		{"GET", zones + "/z", "", "dns.managedZones.get"},
		{"DELETE", zones + "/z", "", "dns.managedZones.delete"},
		{"POST", zones + "/z/changes", `{"additions":[{"name":"a."}]}`, "dns.changes.create dns.resourceRecordSets.create dns.resourceRecordSets.update?"},
		{"POST", zones + "/z/changes", `{"deletions":[{"name":"a."}],"additions":[]}`, "dns.changes.create dns.resourceRecordSets.delete dns.resourceRecordSets.update?"},
		{"GET", zones + "/z/changes/1", "", "dns.changes.get"},
		{"GET", zones + "/z/rrsets?name=a.", "", "dns.resourceRecordSets.list"},
		{"GET", "https://www.googleapis.com/dns/v1/projects/p/managedZones", "", "dns.managedZones.list"},
		{"PUT", pubsub + "topics/t", `{}`, "pubsub.topics.create"},
		{"PUT", pubsub + "topics/t", `{"schemaSettings":{"schema":"s"}}`, "pubsub.topics.create pubsub.schemas.attach"},
		{"PATCH", pubsub + "topics/t", `{"topic":{"schemaSettings":{"schema":"s"}}}`, "pubsub.topics.update pubsub.schemas.attach"},
		{"PUT", pubsub + "subscriptions/s", `{"topic":"t"}`, "pubsub.subscriptions.create pubsub.topics.attachSubscription"},
		{"POST", pubsub + "subscriptions/s:pull", `{"maxMessages":1}`, "pubsub.subscriptions.consume"},
		{"POST", pubsub + "topics/t:setIamPolicy", `{}`, "pubsub.topics.setIamPolicy"},
		{"POST", pubsub + "topics/t:testIamPermissions", `{}`, ""},
		{"POST", crm + ":getIamPolicy", `{}`, "resourcemanager.projects.getIamPolicy"},
		{"POST", crm + ":setIamPolicy", `{}`, "resourcemanager.projects.setIamPolicy"},
		{"GET", crm, "", "resourcemanager.projects.get"},
		{"GET", "https://cloudresourcemanager.googleapis.com/v1/projects", "", "resourcemanager.projects.get"},
		{"POST", usage + "/dns.googleapis.com:enable", `{}`, "serviceusage.services.enable"},
		{"POST", usage + ":batchEnable", `{"serviceIds":["a"]}`, "serviceusage.services.enable"},
		{"GET", usage + "?filter=state:ENABLED", "", "serviceusage.services.list"},
		{"HEAD", "https://storage.googleapis.com/bucket/some/object", "", "storage.objects.get"},
		{"HEAD", "https://bucket.storage.googleapis.com/object", "", "storage.objects.get"},
		{"HEAD", "https://bucket.storage.googleapis.com/", "", "storage.buckets.get"},
		{"GET", "https://storage.googleapis.com/storage/v1/b/bucket/o/a%2Fb?alt=media", "", "storage.objects.get"},
		{"POST", "https://secretmanager.us-central1.rep.googleapis.com/v1/projects/p/secrets", `{}`, "secretmanager.secrets.create"},
		// Not told by the path, or no API of Google's.
		{"POST", "https://compute.googleapis.com/batch/compute/v1", "", ""},
		{"POST", zones + "/z", "{}", ""},
		{"GET", "https://compute.googleapis.com/", "", ""},
		{"GET", "https://project.appspot.com/v1/projects/p", "", ""},
		{"GET", "https://sqs.us-east-1.amazonaws.com/", "", ""},
		{"GET", "https://dns.googleapis.com/dns/v1/projects/p/managed-zones", "", ""},
	} {
		if got := needs(t, tt.method, tt.url, tt.body); got != tt.want {
			t.Errorf("%s %s %s needs %q, want %q", tt.method, tt.url, tt.body, got, tt.want)
		}
	}
}

// Nothing of a request's own names becomes a permission.
func FuzzNeeds(f *testing.F) {
	f.Add("POST", "pubsub.googleapis.com", "/v1/projects/p/topics/t:setIamPolicy", `{"a":1}`)
	f.Add("GET", "www.googleapis.com", "/dns/v1/projects/*/managedZones", "")
	f.Fuzz(func(t *testing.T, method, host, path, body string) {
		for _, n := range Needs(method, &url.URL{Scheme: "https", Host: host, Path: path}, []byte(body)) {
			if strings.ContainsAny(n.Permission, "*?:/ ") || strings.Count(n.Permission, ".") != 2 {
				t.Errorf("%s %s%s gives %q", method, host, path, n.Permission)
			}
		}
	})
}
