package gcp_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/artifactregistry/v1"
	"google.golang.org/api/certificatemanager/v1"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/secretmanager/v1"
	"google.golang.org/api/serviceusage/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

const parent = "projects/" + project

// A secret's versions are added, read, disabled and destroyed.
func TestSecrets(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	root := must[*secretmanager.Service](t)(secretmanager.NewService(t.Context(), as(g, g.Operator()))).Projects.Secrets
	_, token := principal(t, g, "secretmanager.secrets.create")
	c := must[*secretmanager.Service](t)(secretmanager.NewService(t.Context(), as(g, token))).Projects.Secrets
	name, payload := parent+"/secrets/consul", &secretmanager.AddSecretVersionRequest{Payload: &secretmanager.SecretPayload{Data: base64.StdEncoding.EncodeToString([]byte("s3cret"))}}

	_, err := c.Create(parent, &secretmanager.Secret{}).SecretId("consul").Do()
	refused(t, err, 400, "replication")
	made := must[*secretmanager.Secret](t)(c.Create(parent, &secretmanager.Secret{Replication: &secretmanager.Replication{Automatic: &secretmanager.Automatic{}}}).SecretId("consul").Do())
	if made.Name != "projects/123456789012/secrets/consul" || made.CreateTime == "" || made.Etag == "" {
		t.Errorf("the secret is %+v", made)
	}
	_, err = root.Create(parent, made).SecretId("consul").Do()
	refused(t, err, 409, "Secret [projects/123456789012/secrets/consul] already exists.")
	_, err = c.AddVersion(name, payload).Do()
	refused(t, err, 403, "Permission 'secretmanager.versions.add' denied for resource 'projects/123456789012/secrets/consul' (or it may not exist).", "IAM_PERMISSION_DENIED")
	grant(t, operator, "secretmanager.versions.add")
	if v := must[*secretmanager.SecretVersion](t)(c.AddVersion(name, payload).Do()); v.State != "ENABLED" || !strings.HasSuffix(v.Name, "/secrets/consul/versions/1") {
		t.Errorf("the version is %+v", v)
	}
	_, err = c.Versions.Access(name + "/versions/latest").Do()
	refused(t, err, 403, "secretmanager.versions.access", "versions/latest")
	grant(t, operator, "secretmanager.versions.access", "secretmanager.versions.list", "secretmanager.versions.get")
	read := must[*secretmanager.AccessSecretVersionResponse](t)(c.Versions.Access(name + "/versions/latest").Do())
	if text, _ := base64.StdEncoding.DecodeString(read.Payload.Data); string(text) != "s3cret" || !strings.HasSuffix(read.Name, "/versions/1") {
		t.Errorf("the payload is %q of %s", text, read.Name)
	}
	must[*secretmanager.SecretVersion](t)(root.Versions.Disable(name+"/versions/1", &secretmanager.DisableSecretVersionRequest{}).Do())
	_, err = c.Versions.Access(name + "/versions/1").Do()
	refused(t, err, 400, "is in DISABLED state", "FAILED_PRECONDITION")
	for range 11 {
		must[*secretmanager.SecretVersion](t)(root.AddVersion(name, payload).Do())
	}
	list := must[*secretmanager.ListSecretVersionsResponse](t)(c.Versions.List(name).PageSize(10).Do())
	if len(list.Versions) != 10 || !strings.HasSuffix(list.Versions[0].Name, "/12") || list.NextPageToken == "" {
		t.Errorf("the list is of %d, next %q", len(list.Versions), list.NextPageToken)
	}
	rest := must[*secretmanager.ListSecretVersionsResponse](t)(c.Versions.List(name).PageSize(10).PageToken(list.NextPageToken).Do())
	if len(rest.Versions) != 2 || !strings.HasSuffix(rest.Versions[1].Name, "/1") {
		t.Errorf("the rest is %+v", rest.Versions)
	}
	if v := must[*secretmanager.SecretVersion](t)(root.Versions.Destroy(name+"/versions/2", &secretmanager.DestroySecretVersionRequest{}).Do()); v.State != "DESTROYED" || v.DestroyTime == "" {
		t.Errorf("the destroyed version is %+v", v)
	}
	_, err = root.Versions.Enable(name+"/versions/2", &secretmanager.EnableSecretVersionRequest{}).Do()
	refused(t, err, 400, "DESTROYED")
	must[*secretmanager.Empty](t)(root.Delete(name).Do())
	_, err = root.Versions.Access(name + "/versions/1").Do()
	refused(t, err, 404, "not found")
}

// An API that is disabled refuses; it is enabled by an operation.
func TestServiceUsage(t *testing.T) {
	g := start(t, gcp.Config{Enabled: []string{"iam.googleapis.com", "iamcredentials.googleapis.com", "cloudresourcemanager.googleapis.com"}, Polls: 2})
	operator := connect(t, g, g.Operator())
	c, token := principal(t, g, "compute.zones.list")
	su := must[*serviceusage.Service](t)(serviceusage.NewService(t.Context(), as(g, token)))
	name := parent + "/services/compute.googleapis.com"
	_, err := su.Services.Enable(name, &serviceusage.EnableServiceRequest{}).Do()
	refused(t, err, 403, "Permission denied to enable service [compute.googleapis.com]", "AUTH_PERMISSION_DENIED")
	_, err = su.Services.BatchEnable(parent, &serviceusage.BatchEnableServicesRequest{ServiceIds: []string{"compute.googleapis.com", "dns.googleapis.com"}}).Do()
	refused(t, err, 403, "Permission denied to batch enable services [compute.googleapis.com, dns.googleapis.com]")
	_, err = c.compute.Zones.List(project).Do()
	refused(t, err, 403, "SERVICE_DISABLED")
	grant(t, operator, "compute.zones.list", "serviceusage.services.enable", "serviceusage.services.get", "serviceusage.services.list", "serviceusage.services.disable")
	if s := must[*serviceusage.GoogleApiServiceusageV1Service](t)(su.Services.Get(name).Do()); s.State != "DISABLED" {
		t.Errorf("before: %s", s.State)
	}
	op := must[*serviceusage.Operation](t)(su.Services.Enable(name, &serviceusage.EnableServiceRequest{}).Do())
	for n := 0; !op.Done; n++ {
		if n > 3 {
			t.Fatal("the operation is never done")
		}
		op = must[*serviceusage.Operation](t)(su.Operations.Get(op.Name).Do())
	}
	if _, err := c.compute.Zones.List(project).Do(); err != nil {
		t.Error(err)
	}
	if op := must[*serviceusage.Operation](t)(su.Services.Enable(name, &serviceusage.EnableServiceRequest{}).Do()); !op.Done || op.Name != "operations/noop.DONE_OPERATION" {
		t.Errorf("again: %+v", op)
	}
	list := must[*serviceusage.ListServicesResponse](t)(su.Services.List(parent).Filter("state:ENABLED").Do())
	if len(list.Services) != 5 {
		t.Errorf("%d are enabled", len(list.Services))
	}
	must[*serviceusage.Operation](t)(su.Services.Disable(name, &serviceusage.DisableServiceRequest{}).Do())
	_, err = c.compute.Zones.List(project).Do()
	refused(t, err, 403, "SERVICE_DISABLED")
	_, err = su.Services.Get("projects/another/services/compute.googleapis.com").Do()
	refused(t, err, 403, "Permission denied to get service")
}

// An image is pushed and pulled by the registry protocol.
func TestRegistry(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	root := must[*artifactregistry.Service](t)(artifactregistry.NewService(t.Context(), as(g, g.Operator()))).Projects.Locations
	location := parent + "/locations/us-west1"
	op := must[*artifactregistry.Operation](t)(root.Repositories.Create(location, &artifactregistry.Repository{Format: "DOCKER"}).RepositoryId("images").Do())
	op = must[*artifactregistry.Operation](t)(root.Operations.Get(op.Name).Do())
	if !op.Done || !strings.Contains(string(op.Response), "type.googleapis.com/google.devtools.artifactregistry.v1.Repository") {
		t.Errorf("the operation is %+v", op)
	}
	repository := location + "/repositories/images"
	if r := must[*artifactregistry.Repository](t)(root.Repositories.Get(repository).Do()); r.RegistryUri != "us-west1-docker.pkg.dev/"+project+"/images" || r.Mode != "STANDARD_REPOSITORY" {
		t.Errorf("the repository is %+v", r)
	}
	_, token := principal(t, g)
	d := docker{t, g, token, "https://us-west1-docker.pkg.dev/v2/" + project + "/images/e2b/api/"}
	if code, _, h := d.call("GET", "https://us-west1-docker.pkg.dev/v2/", nil, nil); code != 401 || !strings.Contains(h.Get("WWW-Authenticate"), `realm="https://us-west1-docker.pkg.dev/v2/token"`) {
		t.Errorf("without a token: %d %v", code, h)
	}
	d.login()
	config, layer := []byte(`{"architecture":"amd64","os":"linux"}`), bytes.Repeat([]byte("layer"), 1000)
	if code, text, _ := d.call("POST", d.base+"blobs/uploads/", nil, nil); code != 403 || !strings.Contains(text, "DENIED") ||
		!strings.Contains(text, `Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \"`+repository+`\" (or it may not exist)`) {
		t.Errorf("without the permission: %d %s", code, text)
	}
	grant(t, operator, "artifactregistry.repositories.uploadArtifacts")
	for _, blob := range [][]byte{config, layer} {
		code, _, h := d.call("POST", d.base+"blobs/uploads/", nil, nil)
		if code != 202 {
			t.Fatalf("begin: %d", code)
		}
		if code, _, h = d.call("PATCH", h.Get("Location"), blob[:10], nil); code != 202 || h.Get("Range") != "0-9" {
			t.Fatalf("patch: %d %v", code, h)
		}
		if code, text, _ := d.call("PUT", h.Get("Location")+"?digest="+sum(blob), blob[10:], nil); code != 201 {
			t.Fatalf("put: %d %s", code, text)
		}
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, sum(config), len(config), sum(layer), len(layer))
	if code, text, _ := d.call("PUT", d.base+"manifests/bad", []byte(strings.ReplaceAll(manifest, sum(layer), sum(nil))), nil); code != 404 || !strings.Contains(text, "MANIFEST_BLOB_UNKNOWN") {
		t.Errorf("a manifest of what is not there: %d %s", code, text)
	}
	if code, text, h := d.call("PUT", d.base+"manifests/latest", []byte(manifest), nil); code != 201 || h.Get("Docker-Content-Digest") != sum([]byte(manifest)) {
		t.Fatalf("the manifest: %d %s", code, text)
	}
	if code, text, _ := d.call("GET", d.base+"manifests/latest", nil, nil); code != 403 || !strings.Contains(text, "downloadArtifacts") {
		t.Errorf("a pull without the permission: %d %s", code, text)
	}
	grant(t, operator, "artifactregistry.repositories.downloadArtifacts")
	if code, text, h := d.call("GET", d.base+"manifests/latest", nil, nil); code != 200 || text != manifest || h.Get("Content-Type") != "application/vnd.oci.image.manifest.v1+json" {
		t.Errorf("the manifest is %d %s %v", code, text, h)
	}
	if code, text, _ := d.call("GET", d.base+"blobs/"+sum(layer), nil, nil); code != 200 || text != string(layer) {
		t.Errorf("the layer is %d, %d bytes", code, len(text))
	}
	images := must[*artifactregistry.ListDockerImagesResponse](t)(root.Repositories.DockerImages.List(repository).Do())
	if len(images.DockerImages) != 1 || images.DockerImages[0].Tags[0] != "latest" || images.DockerImages[0].Uri != "us-west1-docker.pkg.dev/"+project+"/images/e2b/api@"+sum([]byte(manifest)) {
		t.Fatalf("the images are %+v", images.DockerImages)
	}
	if _, err := root.Repositories.DockerImages.Get(images.DockerImages[0].Name).Do(); err != nil {
		t.Error(err)
	}
	policy := must[*artifactregistry.Policy](t)(root.Repositories.GetIamPolicy(repository).Do())
	policy.Bindings = []*artifactregistry.Binding{{Role: "roles/artifactregistry.writer", Members: []string{"serviceAccount:probe-account@" + project + ".iam.gserviceaccount.com"}}}
	must[*artifactregistry.Policy](t)(root.Repositories.SetIamPolicy(repository, &artifactregistry.SetIamPolicyRequest{Policy: policy}).Do())
	grant(t, operator)
	if code, text, _ := d.call("PUT", d.base+"manifests/v2", []byte(manifest), nil); code != 201 {
		t.Errorf("with a binding on the repository: %d %s", code, text)
	}
	op = must[*artifactregistry.Operation](t)(root.Repositories.Delete(repository).Do())
	must[*artifactregistry.Operation](t)(root.Operations.Get(op.Name).Do())
	_, err := root.Repositories.Get(repository).Do()
	refused(t, err, 404, "Requested entity was not found.")
}

// docker is a client of the registry protocol.
type docker struct {
	t           *testing.T
	g           *gcp.Gate
	token, base string
}

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func (d *docker) login() {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), "GET", "https://us-west1-docker.pkg.dev/v2/token?service=us-west1-docker.pkg.dev", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.SetBasicAuth("oauth2accesstoken", d.token)
	reply := must[*http.Response](d.t)(way{handler: d.g}.RoundTrip(r))
	text := must[[]byte](d.t)(io.ReadAll(reply.Body))
	_, after, ok := strings.Cut(string(text), `"token": "`)
	if !ok || reply.StatusCode != 200 {
		d.t.Fatalf("login: %d %s", reply.StatusCode, text)
	}
	d.token, _, _ = strings.Cut(after, `"`)
	d.base = strings.TrimSpace(d.base)
}

func (d *docker) call(method, url string, body []byte, header http.Header) (int, string, http.Header) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if !strings.HasSuffix(url, "/v2/") {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	reply := must[*http.Response](d.t)(way{handler: d.g}.RoundTrip(r))
	return reply.StatusCode, string(must[[]byte](d.t)(io.ReadAll(reply.Body))), reply.Header
}

// A certificate with its authorization, in a map that a proxy uses.
func TestCertificates(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	operator := connect(t, g, g.Operator())
	root := must[*certificatemanager.Service](t)(certificatemanager.NewService(t.Context(), as(g, g.Operator()))).Projects.Locations
	_, token := principal(t, g, "certificatemanager.certs.create")
	c := must[*certificatemanager.Service](t)(certificatemanager.NewService(t.Context(), as(g, token))).Projects.Locations
	global := parent + "/locations/global"
	wait := func(op *certificatemanager.Operation, err error) {
		t.Helper()
		if err == nil {
			op, err = root.Operations.Get(op.Name).Do()
		}
		if err != nil || !op.Done || op.Error != nil {
			t.Fatalf("the operation is %+v %v", op, err)
		}
	}
	wait(root.DnsAuthorizations.Create(global, &certificatemanager.DnsAuthorization{Domain: "e2b.example.com"}).DnsAuthorizationId("auth").Do())
	auth := must[*certificatemanager.DnsAuthorization](t)(root.DnsAuthorizations.Get(global + "/dnsAuthorizations/auth").Do())
	if auth.DnsResourceRecord.Name != "_acme-challenge.e2b.example.com." || auth.DnsResourceRecord.Type != "CNAME" {
		t.Errorf("the record is %+v", auth.DnsResourceRecord)
	}
	cert := &certificatemanager.Certificate{Managed: &certificatemanager.ManagedCertificate{Domains: []string{"e2b.example.com"}, DnsAuthorizations: []string{auth.Name}}}
	_, err := c.Certificates.Create(global, cert).CertificateId("cert").Do()
	refused(t, err, 403, "Permission 'certificatemanager.dnsauthorizations.use' denied on resource '//certificatemanager.googleapis.com/"+auth.Name+"' (or it may not exist).", "IAM_PERMISSION_DENIED")
	grant(t, operator, "certificatemanager.certs.create", "certificatemanager.dnsauthorizations.use")
	op := must[*certificatemanager.Operation](t)(c.Certificates.Create(global, cert).CertificateId("cert").Do())
	_, err = c.Operations.Get(op.Name).Do()
	refused(t, err, 403, "certificatemanager.operations.get")
	wait(op, nil)
	states := ""
	for range 2 {
		states += must[*certificatemanager.Certificate](t)(root.Certificates.Get(global+"/certificates/cert").Do()).Managed.State + " "
	}
	if states != "PROVISIONING ACTIVE " {
		t.Errorf("the certificate was %s", states)
	}
	wait(root.CertificateMaps.Create(global, &certificatemanager.CertificateMap{}).CertificateMapId("map").Do())
	entry := &certificatemanager.CertificateMapEntry{Certificates: []string{global + "/certificates/cert"}, Hostname: "e2b.example.com"}
	grant(t, operator, "certificatemanager.certmapentries.create")
	_, err = c.CertificateMaps.CertificateMapEntries.Create(global+"/certificateMaps/map", entry).CertificateMapEntryId("e").Do()
	refused(t, err, 403, "certificatemanager.certs.use")
	wait(root.CertificateMaps.CertificateMapEntries.Create(global+"/certificateMaps/map", entry).CertificateMapEntryId("e").Do())
	_, err = root.Certificates.Delete(global + "/certificates/cert").Do()
	refused(t, err, 400, "can't delete", "FAILED_PRECONDITION")
	wait(root.Certificates.Patch(global+"/certificates/cert", &certificatemanager.Certificate{Description: "x"}).UpdateMask("description").Do())

	operator.done(t)(operator.compute.HealthChecks.Insert(project, &compute.HealthCheck{Name: "hc", Type: "TCP", TcpHealthCheck: &compute.TCPHealthCheck{Port: 80}}).Do())
	operator.done(t)(operator.compute.BackendServices.Insert(project, &compute.BackendService{Name: "be", HealthChecks: []string{"global/healthChecks/hc"}}).Do())
	operator.done(t)(operator.compute.UrlMaps.Insert(project, &compute.UrlMap{Name: "um", DefaultService: "global/backendServices/be"}).Do())
	operator.done(t)(operator.compute.TargetHttpsProxies.Insert(project, &compute.TargetHttpsProxy{Name: "px", UrlMap: "global/urlMaps/um",
		CertificateMap: "//certificatemanager.googleapis.com/" + global + "/certificateMaps/map"}).Do())
	m := must[*certificatemanager.CertificateMap](t)(root.CertificateMaps.Get(global + "/certificateMaps/map").Do())
	if len(m.GclbTargets) != 1 || !strings.HasSuffix(m.GclbTargets[0].TargetHttpsProxy, "/targetHttpsProxies/px") {
		t.Errorf("the map is used by %+v", m.GclbTargets)
	}
	wait(root.CertificateMaps.CertificateMapEntries.Delete(global + "/certificateMaps/map/certificateMapEntries/e").Do())
	_, err = root.CertificateMaps.Delete(global + "/certificateMaps/map").Do()
	refused(t, err, 400, "targetHttpsProxies/px")
	wait(root.Certificates.Delete(global + "/certificates/cert").Do())
}
