// Package operation makes the operations by which Google Cloud's services
// answer what takes time, and serves the methods that read them.
//
// What an operation does is done when it is made, in one step with it; only its
// state goes on, from PENDING over RUNNING to DONE, each time that it is asked
// for. A client that never asks never sees it done.
package operation

import (
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// hidden keeps how often an operation was asked for; no client sees it.
const hidden = "-polls"

// Is tells whether a method answers with an operation.
func Is(response string) bool {
	return response == "Operation" || response == "GoogleLongrunningOperation"
}

// Start makes an operation. The target is the path of what it is about, and
// result the resource as it is afterwards, nil for none.
func Start(c *api.Call, target string, result store.Object) store.Object {
	switch c.Service.Name {
	case "compute":
		return compute(c, target, result)
	case "container":
		return container(c, target)
	case "dns":
		return zone(c, target, result)
	}
	return longRunning(c, target, result)
}

// compute makes an operation of Compute Engine: zonal, regional or global, as
// its target is.
func compute(c *api.Call, target string, result store.Object) store.Object {
	id := strconv.FormatUint(c.Tx.ID(), 10)
	name := fmt.Sprintf("operation-%d-%s", c.Now.UnixMilli(), id[:13])
	scope, _, _ := strings.Cut(strings.TrimPrefix(target, "projects/"+c.Project.ID+"/"), "/")
	path := "projects/" + c.Project.ID + "/global/operations/" + name
	now := api.PacificTime(c.Now)
	op := store.Object{
		"kind": "compute#operation", "id": id, "name": name, "operationType": c.Verb(), "status": "PENDING", "progress": 0.0,
		"user": c.Principal, "insertTime": now, "startTime": now, "targetLink": api.Link(target), hidden: 0.0,
	}
	if parts := strings.Split(target, "/"); (scope == "zones" || scope == "regions") && len(parts) > 3 {
		path = strings.Join(parts[:4], "/") + "/operations/" + name
		op[strings.TrimSuffix(scope, "s")] = api.Link(strings.Join(parts[:4], "/"))
	}
	if id := api.String(result, "id"); id != "" {
		op["targetId"] = id
	}
	op["selfLink"] = api.Link(path)
	c.Tx.Put(c.KeyOf(path), op)
	return visible(op)
}

// container makes an operation of Kubernetes Engine.
func container(c *api.Call, target string) store.Object {
	parts := strings.Split(target, "/")
	name := fmt.Sprintf("operation-%d-%08x", c.Now.UnixMilli(), uint32(c.Tx.ID()))
	path := strings.Join(parts[:4], "/") + "/operations/" + name
	kinds := map[string]string{"create": "CREATE_", "delete": "DELETE_", "update": "UPDATE_"}
	of := "CLUSTER"
	if strings.Contains(target, "/nodePools/") {
		of = "NODE_POOL"
	}
	kind := kinds[c.Verb()]
	if kind == "" {
		kind = "UPDATE_"
	}
	op := store.Object{
		"name": name, "zone": parts[3], "location": parts[3], "operationType": kind + of, "status": "PENDING",
		"startTime": api.Time(c.Now), "selfLink": "https://container.googleapis.com/v1/" + path,
		"targetLink": "https://container.googleapis.com/v1/" + target, hidden: 0.0,
	}
	c.Tx.Put(c.KeyOf(path), op)
	return visible(op)
}

// zone makes an operation of Cloud DNS, on a zone.
func zone(c *api.Call, target string, result store.Object) store.Object {
	id := fmt.Sprintf("%x", c.Tx.ID())
	op := store.Object{"kind": "dns#operation", "id": id, "startTime": api.Time(c.Now), "status": "pending", "type": "update", "user": c.Principal,
		"zoneContext": store.Object{"newValue": result}, hidden: 0.0}
	c.Tx.Put(c.KeyOf(target+"/operations/"+id), op)
	return visible(op)
}

// packages are the names under which services' resources are packed into the
// result of an operation. Source: the services' definitions in
// github.com/googleapis/googleapis.
var packages = map[string]string{
	"artifactregistry": "google.devtools.artifactregistry.v1", "certificatemanager": "google.cloud.certificatemanager.v1",
	"serviceusage": "google.api.serviceusage.v1", "cloudresourcemanager": "google.cloud.resourcemanager.v3",
	"iam": "google.iam.v1", "logging": "google.logging.v2", "storage": "google.storage.control.v2",
}

// prefixes are those of the names of operations that are below no location.
var prefixes = map[string]string{"serviceusage": "operations/acat.p2-", "cloudresourcemanager": "operations/cp."}

// longRunning makes a google.longrunning.Operation.
func longRunning(c *api.Call, target string, result store.Object) store.Object {
	id := c.Tx.ID()
	name := fmt.Sprintf("%s%d", prefixes[c.Service.Name], id)
	if prefixes[c.Service.Name] == "" {
		parts := strings.Split(target, "/")
		name = fmt.Sprintf("%s/operations/operation-%d-%x", strings.Join(parts[:min(4, len(parts))], "/"), c.Now.UnixMilli(), id)
	}
	op := store.Object{"name": name, "done": false, hidden: 0.0, "-verb": c.Verb()}
	pack := packages[c.Service.Name]
	if c.Service.Name != "serviceusage" {
		op["metadata"] = store.Object{
			"@type": "type.googleapis.com/" + pack + ".OperationMetadata", "createTime": api.Time(c.Now),
			"target": target, "verb": c.Verb(), "apiVersion": c.Service.Version, "requestedCancellation": false,
		}
	}
	switch resource := c.Resource(); {
	case result == nil:
		op["-response"] = store.Object{"@type": "type.googleapis.com/google.protobuf.Empty"}
	case result["@type"] != nil || resource == nil:
		op["-response"] = result
	default:
		response := maps.Clone(result)
		response["@type"] = "type.googleapis.com/" + pack + "." + resource.Name
		op["-response"] = response
	}
	c.Tx.Put(c.KeyOf(name), op)
	return visible(op)
}

// visible is an operation without what is kept beside it.
func visible(op store.Object) store.Object {
	shown := maps.Clone(op)
	for key := range shown {
		if strings.HasPrefix(key, "-") {
			delete(shown, key)
		}
	}
	return shown
}

// Serves tells whether a method is about operations, and so is this package's.
func Serves(id string) bool {
	parts := strings.Split(id, ".")
	collection, verb := parts[len(parts)-2], parts[len(parts)-1]
	switch verb {
	case "get", "wait", "delete", "list":
		return strings.HasSuffix(strings.ToLower(collection), "operations")
	}
	return false
}

// Handle serves get, wait, list and delete of operations.
func Handle(c *api.Call) (*api.Reply, error) {
	if c.Verb() == "list" {
		return list(c)
	}
	op, ok := c.Tx.Get(c.Key())
	if !ok {
		if c.Service.Name == "compute" {
			return nil, wire.New(404, "The resource '%s' was not found", c.Path)
		}
		return nil, wire.New(404, "Operation not found: %s", c.Path)
	}
	if c.Verb() == "delete" {
		c.Tx.Delete(c.Key())
		return api.OK(store.Object{})
	}
	op = maps.Clone(op)
	polls := op[hidden].(float64) + 1
	if c.Verb() == "wait" {
		polls = max(polls, float64(c.Polls))
	}
	op[hidden] = polls
	advance(op, polls >= float64(c.Polls), api.PacificTime(c.Now), api.Time(c.Now))
	c.Tx.Put(c.Key(), op)
	return api.OK(visible(op))
}

// advance sets an operation's state.
func advance(op store.Object, done bool, pacific, utc string) {
	switch {
	case op["kind"] == "compute#operation":
		op["status"], op["progress"] = "RUNNING", 50.0
		if done {
			op["status"], op["progress"] = "DONE", 100.0
			if op["endTime"] == nil {
				op["endTime"] = pacific
			}
		}
	case op["kind"] == "dns#operation":
		if done {
			op["status"] = "done"
		}
	case op["operationType"] != nil:
		op["status"] = "RUNNING"
		if done {
			op["status"] = "DONE"
			if op["endTime"] == nil {
				op["endTime"] = utc
			}
		}
	case done && op["done"] == false:
		op["done"], op["response"] = true, op["-response"]
	}
}

func list(c *api.Call) (*api.Reply, error) {
	field, _, ok := c.Service.Schema(c.Response).Items()
	if !ok {
		return nil, fmt.Errorf("operation: %s has no list in its reply", c.ID)
	}
	path := strings.TrimSuffix(c.Path, "/operations") + "/operations/"
	if c.Path == "" || c.Path == "operations" {
		path = "operations/"
	}
	items := []any{}
	for _, op := range c.Tx.Scan(c.KeyOf(path)) {
		items = append(items, visible(op))
	}
	reply := store.Object{field: items}
	if kind := c.Service.Schema(c.Response).Constant(); kind != "" {
		reply["kind"], reply["selfLink"] = kind, selfLink(c.Request.URL)
	}
	return api.OK(reply)
}

func selfLink(u *url.URL) string { return "https://www.googleapis.com" + u.Path }
