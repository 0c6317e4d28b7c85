package attribute

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/grant"
)

var ground = Ground{Project: "my-project", Number: "123456789012", Accounts: map[string]bool{"node@my-project.iam.gserviceaccount.com": true}}

func TestOf(t *testing.T) {
	const (
		secrets = "https://secretmanager.googleapis.com/v1/projects/my-project/secrets"
		compute = "https://compute.googleapis.com/compute/v1/projects/my-project"
		storage = "https://storage.googleapis.com/storage/v1/b"
		iam     = "https://iam.googleapis.com/v1/projects/my-project/serviceAccounts"
		gke     = "https://container.googleapis.com/v1/projects/my-project/locations"
		own     = "https://node@my-project.iam.gserviceaccount.com"
	)
	within := func(name string) string { return `{"within":{"resource.name":"` + name + `"}}` }
	is := func(name string) string { return `{"==":{"resource.name":"` + name + `"}}` }
	of := func(kind string) string { return `{"==":{"resource.type":"` + kind + `"}}` }
	for _, tt := range []struct {
		permission, resource, url, body string
		on, condition, byType           string // on is "*" unless said
	}{
		{"secretmanager.secrets.get", "projects/123456789012/secrets/key", secrets + "/key", "", "", within("projects/123456789012/secrets/key"), of("secretmanager.googleapis.com/Secret")},
		{"secretmanager.secrets.get", "projects/my-project/secrets/key", secrets + "/key", "", "", within("projects/123456789012/secrets/key"), of("secretmanager.googleapis.com/Secret")},
		{"secretmanager.versions.access", "projects/123456789012/secrets/key/versions/latest", secrets + "/key/versions/latest:access", "", "", within("projects/123456789012/secrets/key"), of("secretmanager.googleapis.com/SecretVersion")},
		{"secretmanager.secrets.create", "projects/123456789012", secrets + "?secretId=key", "", "", "", ""},
		{"container.clusters.get", "projects/my-project/locations/us-west1/clusters/c", gke + "/us-west1/clusters/c", "", "", within("projects/my-project/locations/us-west1/clusters/c"), of("container.googleapis.com/Cluster")},
		{"container.clusters.get", "projects/my-project/locations/us-west1-a/clusters/c", gke + "/us-west1-a/clusters/c", "", "", within("projects/my-project/zones/us-west1-a/clusters/c"), of("container.googleapis.com/Cluster")},
		{"container.clusters.update", "projects/my-project/locations/us-west1-a/clusters/c/nodePools/p", gke + "/us-west1-a/clusters/c/nodePools/p", "", "", within("projects/my-project/zones/us-west1-a/clusters/c"), of("container.googleapis.com/Cluster")},
		{"container.clusters.create", "projects/my-project", gke + "/us-west1/clusters", "", "", "", ""},
		{"container.operations.get", "projects/my-project/locations/us-west1/operations/o", gke + "/us-west1/operations/o", "", "", "", ""},
		{"storage.buckets.get", "", storage + "/b-1", "", "", within("projects/_/buckets/b-1"), of("storage.googleapis.com/Bucket")},
		{"storage.buckets.create", "", storage + "?project=my-project", `{"name":"b-1"}`, "", "", ""},
		{"storage.objects.get", "", storage + "/b-1/o/a%2Fb", "", "", within("projects/_/buckets/b-1"), of("storage.googleapis.com/Object")},
		{"storage.objects.get", "*", "https://storage.googleapis.com/b-1/a/b", "", "", "", ""}, // "*" is what the caller leaves out
		{"storage.objects.get", "", "https://storage.googleapis.com/b-1/a/b", "", "", within("projects/_/buckets/b-1"), of("storage.googleapis.com/Object")},
		{"storage.objects.get", "", "https://b-1.storage.googleapis.com/a/b", "", "", within("projects/_/buckets/b-1"), of("storage.googleapis.com/Object")},
		{"storage.objects.create", "", "https://storage.googleapis.com/upload/storage/v1/b/b-1/o?name=x", "", "", within("projects/_/buckets/b-1"), of("storage.googleapis.com/Bucket")},
		{"storage.objects.get", "", storage + "/b-1/o/x/rewriteTo/b/b-2/o/y", "", "", within("projects/_/buckets/b-1"), of("storage.googleapis.com/Object")},
		{"storage.objects.create", "", storage + "/b-1/o/x/rewriteTo/b/b-2/o/y", "", "", within("projects/_/buckets/b-2"), of("storage.googleapis.com/Object")},
		{"compute.disks.create", "projects/my-project/zones/z-1/disks/d", compute + "/zones/z-1/disks", `{"name":"d"}`, "", is("projects/my-project/zones/z-1/disks/d"), of("compute.googleapis.com/Disk")},
		{"compute.instances.create", "projects/my-project/zones/z-1/instances/node-0000", compute + "/zones/z-1/instanceGroupManagers", `{"baseInstanceName":"node"}`, "", of("compute.googleapis.com/Instance"), of("compute.googleapis.com/Instance")},
		{"compute.instances.list", "projects/my-project", compute + "/zones/z-1/instances", "", "", "", ""},
		{"compute.networks.get", "projects/my-project/global/networks/n", compute + "/global/networks/n", "", "", "", ""},
		{"compute.backendServices.get", "projects/my-project/regions/r/backendServices/n", compute + "/regions/r/backendServices/n", "", "", "", ""},
		{"compute.images.useReadOnly", `projects/my-project/global/images/a"||true||"`, compute, `a"||true||"`, "", "", ""},
		{"cloudkms.cryptoKeyVersions.useToEncrypt", "projects/my-project/locations/l/keyRings/r/cryptoKeys/k", "https://cloudkms.googleapis.com/v1/projects/my-project/locations/l/keyRings/r/cryptoKeys/k:encrypt", "", "", within("projects/my-project/locations/l/keyRings/r/cryptoKeys/k"), of("cloudkms.googleapis.com/CryptoKey")},
		{"cloudkms.cryptoKeys.list", "projects/my-project/locations/l/keyRings/r", "https://cloudkms.googleapis.com/v1/projects/my-project/locations/l/keyRings/r/cryptoKeys", "", "", within("projects/my-project/locations/l/keyRings/r"), of("cloudkms.googleapis.com/KeyRing")},
		{"iam.serviceAccounts.get", "", iam + "/node@my-project.iam.gserviceaccount.com", "", own, "", ""},
		{"iam.serviceAccounts.get", "", iam + "/made@my-project.iam.gserviceaccount.com", "", "", "", ""},
		{"iam.serviceAccounts.create", "", iam, "", "", "", ""},
		{"iam.serviceAccountKeys.create", "", iam + "/node@my-project.iam.gserviceaccount.com/keys", "", own, "", ""},
		{"iam.serviceAccounts.actAs", "service account node@my-project.iam.gserviceaccount.com", compute, "", own, "", ""},
		{"iam.serviceAccounts.actAs", "node@my-project.iam.gserviceaccount.com", compute, "", own, "", ""},
		{"pubsub.topics.get", "projects/my-project/topics/t", "https://pubsub.googleapis.com/v1/projects/my-project/topics/t", "", "", "", ""},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		x := Refused{URL: u, Body: []byte(tt.body), Permission: tt.permission, Resource: tt.resource}
		want := "*"
		if tt.on != "" {
			want = "//iam.googleapis.com/projects/my-project/serviceAccounts/node@my-project.iam.gserviceaccount.com"
		}
		if got := Of(x, ground, false); tt.resource != "*" && (got.Resource != want || got.Condition.String() != tt.condition) {
			t.Errorf("%s on %q, %s: on %s if %s, want on %s if %s", tt.permission, tt.resource, tt.url, got.Resource, got.Condition, want, tt.condition)
		}
		if got := Of(x, ground, true); tt.resource != "*" && (got.Resource != "*" || got.Condition.String() != tt.byType) {
			t.Errorf("%s on %q, %s: of the type, on %s if %s, want %s", tt.permission, tt.resource, tt.url, got.Resource, got.Condition, tt.byType)
		}
	}
}

// Whatever a refusal and a request name, no value of a condition holds anything that
// could end a text in an expression.
func TestOfIsPlain(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`(projects/(my-project|1|_)/)?((zones/[a-z"|]{0,3}/disks|secrets|buckets|global/images)/)?[a-z"'\\|*{}/ é]{0,6}`).Draw(t, "name")
		permission := rapid.SampledFrom([]string{"compute.disks.get", "compute.images.get", "secretmanager.secrets.get", "storage.buckets.get", "storage.objects.get", "iam.serviceAccounts.get"}).Draw(t, "permission")
		u := &url.URL{Host: "storage.googleapis.com", Path: "/storage/v1/b/" + name}
		for _, byType := range []bool{false, true} {
			for _, keys := range Of(Refused{URL: u, Body: []byte(name), Permission: permission, Resource: name}, ground, byType).Condition {
				for _, values := range keys {
					for _, v := range values {
						if !plain.MatchString(v) {
							t.Fatalf("%q", v)
						}
					}
				}
			}
		}
	})
}

func TestWhy(t *testing.T) {
	for permission, want := range map[string]string{
		"secretmanager.secrets.get": "", "secretmanager.versions.access": "", "storage.objects.create": "", "compute.instances.create": "", "cloudkms.cryptoKeys.get": "",
		"container.clusters.get": "", "container.clusters.create": "checked on the project", "container.clusters.list": "checked on the project",
		"container.operations.get": "clusters only", "compute.forwardingRules.create": "format of its name", "dns.managedZones.get": "S3NS",
		"secretmanager.secrets.create": "checked on the project", "compute.instances.list": "checked on the project", "storage.buckets.list": "checked on the project",
		"compute.projects.get": "checked on the project", "resourcemanager.projects.get": "checked on the project", "iam.serviceAccounts.create": "checked on the project",
		"compute.networks.create": "know no attributes", "pubsub.topics.get": "know no attributes", "compute.subnetworks.use": "know no attributes", "iam.roles.get": "know no attributes",
		"iam.serviceAccounts.actAs": "makes the service account itself", "iam.serviceAccountKeys.create": "makes the service account itself",
	} {
		if got := Why(permission); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", permission, got, want)
		}
	}
}

func TestKinds(t *testing.T) {
	for _, k := range Kinds() {
		if k.Type == "" || k.Source == "" || k.Collection == "" || !strings.HasPrefix(k.Type, k.Service+".googleapis.com/") {
			t.Errorf("%+v", k)
		}
	}
}

// What is said to be known of no type is not among those of which it is.
func TestBlinds(t *testing.T) {
	for _, b := range Blinds() {
		for _, k := range Kinds() {
			if k.Service == b.Service && k.Collection == b.Collection {
				t.Errorf("%s.%s: has attributes and has none", b.Service, b.Collection)
			}
		}
		if b.Source == "" || Why(b.Service+"."+b.Collection+".get") == "" {
			t.Errorf("%+v: no source, or no reason", b)
		}
	}
}

func TestUnnamed(t *testing.T) {
	names := map[string]string{"tpl-2026": "tpl-", "id-1": ""}
	for in, want := range map[string]string{
		`{"==":{"resource.name":"projects/p/global/instanceTemplates/tpl-2026"}}`:  `{"startsWith":{"resource.name":"projects/p/global/instanceTemplates/tpl-"}}`,
		`{"within":{"resource.name":"projects/_/buckets/tpl-2026"}}`:               `{"startsWith":{"resource.name":"projects/_/buckets/tpl-"}}`,
		`{"==":{"resource.name":"projects/p/global/instanceTemplates/tpl-20267"}}`: ``,
		`{"==":{"resource.name":"projects/p/global/instanceTemplates/id-1"}}`:      ``,
		`{"==":{"resource.type":"tpl-2026"}}`:                                      ``,
		`{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`:             ``,
	} {
		c, err := grant.ParseCondition(in)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = in
		}
		if got := Unnamed(c, names).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
