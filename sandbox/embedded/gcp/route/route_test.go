package route_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route/discovery"
)

// The tables are what go generate makes of the discovery documents in go.mod's
// version of google.golang.org/api.
func TestTablesAreCurrent(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range discovery.Documents {
		want, err := discovery.Table(filepath.Join(strings.TrimSpace(string(dir)), file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("tables", name+".tsv"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s.tsv is not current: run go generate ./sandbox/embedded/gcp/route (%v)", name, err)
		}
	}
}

func TestFind(t *testing.T) {
	tests := []struct{ method, url, id, path string }{
		{"POST", "https://compute.googleapis.com/compute/v1/projects/p/global/networks", "compute.networks.insert", "projects/p/global/networks"},
		{"POST", "https://compute.googleapis.com/compute/beta/projects/p/global/networks", "compute.networks.insert", "projects/p/global/networks"},
		{"GET", "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/i", "compute.instances.get", "projects/p/zones/z/instances/i"},
		{"POST", "https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i/setLabels", "compute.instances.setLabels", "projects/p/zones/z/instances/i"},
		{"GET", "https://compute.googleapis.com/compute/v1/projects/p/global/images/family/f", "compute.images.getFromFamily", "projects/p/global/images/family/f"},
		{"GET", "https://compute.googleapis.com/compute/v1/projects/p/aggregated/instances", "compute.instances.aggregatedList", "projects/p/aggregated/instances"},
		{"POST", "https://cloudresourcemanager.googleapis.com/v1/projects/p:setIamPolicy", "cloudresourcemanager.projects.setIamPolicy", "projects/p"},
		{"GET", "https://secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/latest:access", "secretmanager.projects.secrets.versions.access", "projects/p/secrets/s/versions/latest"},
		{"GET", "https://storage.googleapis.com/storage/v1/b/bucket/o/a%2Fb", "storage.objects.get", "b/bucket/o/a/b"},
		{"POST", "https://storage.googleapis.com/upload/storage/v1/b/bucket/o?uploadType=media&name=x", "storage.objects.insert", "b/bucket/o"},
		{"GET", "https://monitoring.googleapis.com/v3/projects/p/metricDescriptors/custom.googleapis.com/a/b", "monitoring.projects.metricDescriptors.get", "projects/p/metricDescriptors/custom.googleapis.com/a/b"},
		{"POST", "https://dns.googleapis.com/dns/v1/projects/p/managedZones/z/changes", "dns.changes.create", "projects/p/managedZones/z/changes"},
		{"POST", "https://iam.googleapis.com/v1/permissions:queryTestablePermissions", "iam.permissions.queryTestablePermissions", "permissions"},
		{"GET", "https://compute.googleapis.com/compute/v1/projects/p/global/nonsense", "", ""},
		{"GET", "https://dns.googleapis.com/compute/v1/projects/p/global/networks", "", ""},
		{"PUT", "https://compute.googleapis.com/compute/v1/projects/p/global/networks", "", ""},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := route.Find(u.Host, tt.method, u)
		if ok != (tt.id != "") || ok && (m.ID != tt.id || m.Path != tt.path) {
			t.Errorf("%s %s is %v %q, want %s %q", tt.method, tt.url, m.Method, m.Path, tt.id, tt.path)
		}
	}
}

func TestSchema(t *testing.T) {
	m := route.ByID("compute.firewalls.list")
	field, item, ok := m.Service.Schema(m.Response).Items()
	if !ok || field != "items" || item != "Firewall" {
		t.Errorf("the list's items are %q %q %v", field, item, ok)
	}
	f := m.Service.Schema("Firewall")
	if f.Constant() != "compute#firewall" || !f.Fields["selfLink"].OutputOnly || f.Fields["network"].OutputOnly || f.Fields["id"].Type.Kind != route.Long {
		t.Errorf("the schema is %+v", f)
	}
}
