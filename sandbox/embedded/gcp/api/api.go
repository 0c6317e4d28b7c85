// Package api is what the gate hands to the services of the embedded GCP
// sandbox, and what they hand back.
package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// Project is the one project that everything lives in.
type Project struct {
	ID     string
	Number string
}

// Call is one request that was authenticated and, when a service sees it,
// authorized.
type Call struct {
	route.Match
	Tx        *store.Tx
	Request   *http.Request
	Query     url.Values
	Body      store.Object // the JSON of the body, nil when there is none
	Content   []byte       // the body as it came
	Project   Project
	Now       time.Time
	Principal string // the e-mail address of who calls
	// Holds tells whether who calls has a permission on what Key names.
	Holds func(permission, key string) (bool, error)
	// Polls is how often an operation is asked for until it is done.
	Polls int
	// Note tells the operator something that he should know.
	Note func(string)
	// Audit gives what the audit logs show now.
	Audit func() []store.Object
}

// Reply is what a service answers when it does not fail.
type Reply struct {
	Status      int          // 0 means 200
	Object      store.Object // written as JSON
	Content     []byte       // else these bytes
	ContentType string       // of Content
	Header      http.Header
}

// Handler serves one method.
type Handler func(*Call) (*Reply, error)

// NotServedError is a request, of a method that is served, that is for something which
// the sandbox does not have. It is answered with 501.
type NotServedError struct{ What string }

func (e *NotServedError) Error() string { return "there are no " + e.What + " here" }

// OK answers with a resource.
func OK(o store.Object) (*Reply, error) { return &Reply{Object: o}, nil }

// Key is the name in the store of what the request is about.
func (c *Call) Key() string { return c.KeyOf(c.Path) }

// KeyOf is the name in the store of another resource of the same service.
func (c *Call) KeyOf(path string) string { return Key(c.Service.Name, c.Project, path) }

// Key is the name in the store of a service's resource. A project's number, and
// "-" where a service account's e-mail address says it all, stand for its id.
func Key(service string, p Project, path string) string {
	if rest, ok := strings.CutPrefix(path, "projects/"); ok {
		id, below, deeper := strings.Cut(rest, "/")
		if id == p.Number || id == "-" && service == "iam" || id == "-" && service == "iamcredentials" {
			id = p.ID
		}
		path = "projects/" + id
		if deeper {
			path += "/" + below
		}
	}
	return service + "/" + path
}

// Named is a path as a reply shows it: with the project's number where the
// service does so.
func (c *Call) Named(path string) string {
	path = strings.TrimPrefix(c.KeyOf(path), c.Service.Name+"/")
	if c.Service.Name == "secretmanager" || c.Service.Name == "serviceusage" {
		if rest, ok := strings.CutPrefix(path, "projects/"+c.Project.ID); ok {
			return "projects/" + c.Project.Number + rest
		}
	}
	return path
}

// Param is a path parameter, whatever its name: the first of the names that is
// there.
func (c *Call) Param(names ...string) string {
	for _, n := range names {
		if v, ok := c.Params[n]; ok {
			return v
		}
	}
	return ""
}

// Resource is the schema of what the method is about: what get gives, what
// insert takes.
func (c *Call) Resource() *route.Schema { return Resource(c.Method) }

// Resource is the schema of what a method is about.
func Resource(m *route.Method) *route.Schema {
	switch m.Verb() {
	case "list", "aggregatedList":
		if _, item, ok := m.Service.Schema(m.Response).Items(); ok {
			return m.Service.Schema(item)
		}
	case "insert", "create", "patch", "update":
		return m.Service.Schema(m.Request)
	case "get":
		return m.Service.Schema(m.Response)
	}
	return nil
}

// String reads a field of text; a path's parts are parted by dots.
func String(o store.Object, path string) string {
	s, _ := Field(o, path).(string)
	return s
}

// Field reads a field, nil when it is not there.
func Field(o store.Object, path string) any {
	var v any = o
	for _, part := range strings.Split(path, ".") {
		m, ok := v.(store.Object)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

// List reads a list of objects.
func List(o store.Object, path string) []store.Object {
	items, _ := Field(o, path).([]any)
	var list []store.Object
	for _, i := range items {
		if m, ok := i.(store.Object); ok {
			list = append(list, m)
		}
	}
	return list
}

// Texts gives the texts of a list, none of what is no list.
func Texts(v any) []string {
	items, _ := v.([]any)
	var list []string
	for _, i := range items {
		if s, ok := i.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// Object reads a field that is an object, nil when it is not.
func Object(o store.Object, path string) store.Object {
	m, _ := Field(o, path).(store.Object)
	return m
}

// Bool reads a field that is true or false.
func Bool(o store.Object, path string) bool {
	b, _ := Field(o, path).(bool)
	return b
}

// Fingerprint is a short hash of a value, as services give it to clients that
// want to change it.
func Fingerprint(v any) string {
	h := fnv.New64a()
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	h.Write(text) //nolint:errcheck // a hash never fails
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Time is a moment as google.api services write it.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// PacificTime is a moment as Compute Engine writes it.
func PacificTime(t time.Time) string {
	return t.UTC().Add(-8*time.Hour).Format("2006-01-02T15:04:05.000") + "-08:00"
}

// Email takes the kind off a policy's member.
func Email(member string) string {
	_, email, _ := strings.Cut(member, ":")
	return email
}

// Link is the URL of a compute resource, from its path.
func Link(path string) string { return "https://www.googleapis.com/compute/v1/" + path }

// Relative is the path of a compute resource from any form of its URL, in the
// given project; what is no such URL is false. A URL without a host is taken,
// too: Packer names its disks so.
func Relative(link, project string) (string, bool) {
	for _, prefix := range []string{"https://www.googleapis.com/compute/v1/", "https://www.googleapis.com/compute/beta/",
		"https://compute.googleapis.com/compute/v1/", "https://compute.googleapis.com/compute/beta/", "/compute/v1/", "/compute/beta/"} {
		if rest, ok := strings.CutPrefix(link, prefix); ok {
			link = rest
			break
		}
	}
	parts := strings.Split(link, "/")
	if len(parts) > 2 && parts[0] == "projects" {
		project, parts = parts[1], parts[2:]
	}
	switch {
	case len(parts) >= 3 && parts[0] == "global":
	case len(parts) >= 4 && (parts[0] == "zones" || parts[0] == "regions"):
	case len(parts) == 2 && (parts[0] == "zones" || parts[0] == "regions"):
	default:
		return "", false
	}
	for _, p := range parts {
		if p == "" || strings.ContainsAny(p, " :?#") {
			return "", false
		}
	}
	return fmt.Sprintf("projects/%s/%s", project, strings.Join(parts, "/")), true
}

// public are the projects whose images everybody may use. Source: Compute
// Engine, "Operating system details" and "Creating an HPC-ready VM instance";
// Cloud TPU, "TPU software versions"; Kubernetes Engine, "Node images", node
// image source projects; for coreos-cloud and google-containers the
// lists of public projects in the clients gcloud and Packer.
var public = func() map[string]bool {
	projects := map[string]bool{}
	for id := range strings.FieldsSeq(`almalinux-cloud centos-cloud cloud-hpc-image-public coreos-cloud cos-cloud debian-cloud fedora-cloud fedora-coreos-cloud
		freebsd-org-cloud-dev gke-node-images google-containers ml-images opensuse-cloud rhel-cloud rhel-sap-cloud rocky-linux-cloud suse-cloud suse-sap-cloud
		ubuntu-os-cloud ubuntu-os-pro-cloud windows-cloud windows-sql-cloud`) {
		projects[id] = true
	}
	return projects
}()

// PublicProject tells whether a project's images are everybody's to use.
func PublicProject(id string) bool { return public[id] }
