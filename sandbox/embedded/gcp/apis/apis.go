// Package apis is Service Usage in the embedded GCP sandbox: which APIs are
// enabled.
package apis

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Handlers serve the methods, by id.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"serviceusage.services.enable":      enable,
		"serviceusage.services.disable":     disable,
		"serviceusage.services.batchEnable": batchEnable,
		"serviceusage.services.batchGet":    batchGet,
		"serviceusage.services.get":         get,
		"serviceusage.services.list":        list,
	}
}

// always are the hosts that need not be enabled.
var always = map[string]bool{"serviceusage.googleapis.com": true, "www.googleapis.com": true, "oauth2.googleapis.com": true, "sts.googleapis.com": true}

// titles are the names of APIs, as people read them.
var titles = map[string]string{
	"artifactregistry": "Artifact Registry API", "certificatemanager": "Certificate Manager API", "cloudkms": "Cloud Key Management Service (KMS) API",
	"cloudresourcemanager": "Cloud Resource Manager API",
	"compute":              "Compute Engine API", "container": "Kubernetes Engine API", "dns": "Cloud DNS API", "iam": "Identity and Access Management (IAM) API",
	"iamcredentials": "IAM Service Account Credentials API", "logging": "Cloud Logging API", "monitoring": "Cloud Monitoring API", "pubsub": "Cloud Pub/Sub API",
	"secretmanager": "Secret Manager API", "serviceusage": "Service Usage API", "storage": "Cloud Storage API",
}

// Title is an API's name as people read it.
func Title(host string) string {
	if t := titles[strings.TrimSuffix(host, ".googleapis.com")]; t != "" {
		return t
	}
	return host
}

func key(project, host string) string {
	return "serviceusage/projects/" + project + "/services/" + host
}

// Enabled tells whether an API can be called.
func Enabled(tx *store.Tx, p api.Project, host string) bool {
	o, _ := tx.Get(key(p.ID, host))
	return always[host] || o["state"] == "ENABLED"
}

// Seed enables an API at the start.
func Seed(tx *store.Tx, p api.Project, host string) { set(tx, p, host, "ENABLED") }

func set(tx *store.Tx, p api.Project, host, state string) store.Object {
	o := service(p, host, state)
	tx.Put(key(p.ID, host), o)
	return o
}

func service(p api.Project, host, state string) store.Object {
	return store.Object{"name": "projects/" + p.Number + "/services/" + host, "parent": "projects/" + p.Number, "state": state,
		"config": store.Object{"name": host, "title": Title(host)}}
}

// hostName is the form of an API's name. Any such API can be enabled, also one
// that the sandbox does not have: calls to it are then answered with 501.
var hostName = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*\.googleapis\.com$`)

func named(c *api.Call, host string) error {
	if !hostName.MatchString(host) {
		return wire.New(403, "Not found or permission denied for service(s): %s.", host)
	}
	return nil
}

// state is an API as it is: one that was never enabled is disabled.
func state(c *api.Call, host string) store.Object {
	if o, ok := c.Tx.Get(key(c.Project.ID, host)); ok {
		return o
	}
	return service(c.Project, host, "DISABLED")
}

const types = "type.googleapis.com/google.api.serviceusage.v1."

// finished is the operation that answers what has nothing to do. Source:
// recorded in issues of hashicorp/terraform-provider-google.
func finished(response store.Object) (*api.Reply, error) {
	return api.OK(store.Object{"name": "operations/noop.DONE_OPERATION", "done": true, "response": response})
}

func enable(c *api.Call) (*api.Reply, error) {
	host := c.Params["servicesId"]
	if err := named(c, host); err != nil {
		return nil, err
	}
	was := state(c, host)["state"]
	response := store.Object{"@type": types + "EnableServiceResponse", "service": set(c.Tx, c.Project, host, "ENABLED")}
	if was == "ENABLED" {
		return finished(response)
	}
	return api.OK(operation.Start(c, c.Path, response))
}

func disable(c *api.Call) (*api.Reply, error) {
	host := c.Params["servicesId"]
	if err := named(c, host); err != nil {
		return nil, err
	}
	if state(c, host)["state"] != "ENABLED" {
		return nil, wire.New(400, "The operation cannot be executed because service %s is not enabled for consumer projects/%s.", host, c.Project.Number).Stating("FAILED_PRECONDITION")
	}
	response := store.Object{"@type": types + "DisableServiceResponse", "service": set(c.Tx, c.Project, host, "DISABLED")}
	return api.OK(operation.Start(c, c.Path, response))
}

func batchEnable(c *api.Call) (*api.Reply, error) {
	ids, _ := c.Body["serviceIds"].([]any)
	if len(ids) == 0 || len(ids) > 20 {
		return nil, wire.New(400, "A batch has from 1 to 20 services, not %d.", len(ids))
	}
	var hosts []string
	for _, id := range ids {
		host := fmt.Sprint(id)
		if err := named(c, host); err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
	}
	changed := false
	var services []any
	for _, host := range hosts {
		changed = changed || state(c, host)["state"] != "ENABLED"
		services = append(services, set(c.Tx, c.Project, host, "ENABLED"))
	}
	response := store.Object{"@type": types + "BatchEnableServicesResponse", "services": services}
	if !changed {
		return finished(response)
	}
	return api.OK(operation.Start(c, c.Path, response))
}

func batchGet(c *api.Call) (*api.Reply, error) {
	var services []any
	for _, name := range c.Query["names"] {
		host := name[strings.LastIndexByte(name, '/')+1:]
		if err := named(c, host); err != nil {
			return nil, err
		}
		services = append(services, state(c, host))
	}
	return api.OK(store.Object{"services": services})
}

func get(c *api.Call) (*api.Reply, error) {
	host := c.Params["servicesId"]
	if err := named(c, host); err != nil {
		return nil, err
	}
	return api.OK(state(c, host))
}

func list(c *api.Call) (*api.Reply, error) {
	want, filtered := strings.CutPrefix(c.Query.Get("filter"), "state:")
	if !filtered && c.Query.Get("filter") != "" || filtered && want != "ENABLED" && want != "DISABLED" {
		return nil, wire.New(400, "Invalid filter %q: state:ENABLED and state:DISABLED are the only ones.", c.Query.Get("filter"))
	}
	var keys []string
	for k, o := range c.Tx.Scan(key(c.Project.ID, "")) {
		if !filtered || o["state"] == want {
			keys = append(keys, k)
		}
	}
	page, next, err := generic.Page(c, keys)
	if err != nil {
		return nil, err
	}
	reply := store.Object{}
	var items []any
	for _, k := range page {
		o, _ := c.Tx.Get(k)
		items = append(items, o)
	}
	if len(items) > 0 {
		reply["services"] = items
	}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}
