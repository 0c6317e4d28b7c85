// Package dns is what is particular to Cloud DNS in the embedded GCP sandbox:
// zones, their record sets, and the changes by which these change.
package dns

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Cloud DNS's particulars.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Delete: remove, Missing: missing}
}

// Handlers serve the methods that are Cloud DNS's own, by id; nil for those that
// answer in a form of their own, which nothing here has.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"dns.changes.create":            createChange,
		"dns.changes.get":               getChange,
		"dns.projects.get":              project,
		"dns.resourceRecordSets.create": createRecord,
		"dns.resourceRecordSets.get":    getRecord,
		"dns.resourceRecordSets.list":   listRecords,
		"dns.resourceRecordSets.patch":  patchRecord,
		"dns.resourceRecordSets.delete": deleteRecord,
	}
}

// Serves tells whether the methods that all services have are as usual for a
// method's resources.
func Serves(collection, verb string) bool {
	switch collection {
	case "managedZones", "managedZoneOperations":
		return true
	case "changes":
		return verb == "list"
	case "policies":
		return verb != "patch" && verb != "update" // these answer in a form of their own
	}
	return false
}

func missing(_ *api.Call, path string) error {
	parts := strings.Split(path, "/")
	noun := map[string]string{"managedZones": "managedZone", "policies": "policy", "changes": "change"}[parts[max(0, len(parts)-2)]]
	return wire.New(404, "The 'parameters.%s' resource named '%s' does not exist.", noun, parts[len(parts)-1])
}

func create(c *api.Call, path string, o store.Object) error {
	if c.Collection() != "managedZones" {
		return nil
	}
	name := api.String(o, "dnsName")
	if !strings.HasSuffix(name, ".") {
		return wire.New(400, "Invalid value for 'entity.managedZone.dnsName': '%s'", name).With("invalid")
	}
	if o["visibility"] == nil {
		o["visibility"] = "public"
	}
	if o["description"] == nil {
		return wire.New(400, "The required 'entity.managedZone.description' is missing.").With("required")
	}
	if o["visibility"] == "public" {
		delete(o, "privateVisibilityConfig") // an empty one is sent along
	}
	servers := []any{"ns-gcp-private.googledomains.com."}
	if o["visibility"] == "public" {
		servers = nil
		letter := string(rune('a' + c.Tx.Serial()%5))
		for i := 1; i <= 4; i++ {
			servers = append(servers, fmt.Sprintf("ns-cloud-%s%d.googledomains.com.", letter, i))
		}
	}
	o["nameServers"] = servers
	put(c, path, store.Object{"name": name, "type": "NS", "ttl": 21600.0, "rrdatas": servers})
	put(c, path, store.Object{"name": name, "type": "SOA", "ttl": 21600.0, "rrdatas": []any{servers[0].(string) + " cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"}})
	return nil
}

func update(_ *api.Call, _ string, old, o store.Object) error {
	for _, f := range []string{"dnsName", "nameServers", "creationTime", "visibility"} {
		o[f] = old[f]
	}
	return nil
}

func remove(c *api.Call, path string, zone store.Object) error {
	if c.Collection() != "managedZones" {
		return nil
	}
	for _, r := range c.Tx.Scan(c.KeyOf(path) + "/rrsets/") {
		if !own(zone, r) {
			return wire.New(400, "The resource named '%s' cannot be deleted because it contains one or more 'resource records'.", api.String(zone, "name")).With("containerNotEmpty")
		}
	}
	return nil
}

// own tells whether a record set is one that a zone always has.
func own(zone, r store.Object) bool {
	return r["name"] == zone["dnsName"] && (r["type"] == "NS" || r["type"] == "SOA")
}

func recordKey(c *api.Call, zone string, r store.Object) string {
	return c.KeyOf(zone) + "/rrsets/" + api.String(r, "name") + "/" + api.String(r, "type")
}

func put(c *api.Call, zone string, r store.Object) {
	r["kind"] = "dns#resourceRecordSet"
	c.Tx.Put(recordKey(c, zone, r), r)
}

// zone is the zone of the path, and its own path.
func zone(c *api.Call) (string, store.Object, error) {
	path := "projects/" + c.Params["project"] + "/managedZones/" + c.Params["managedZone"]
	o, ok := c.Tx.Get(c.KeyOf(path))
	if !ok {
		return "", nil, missing(c, path)
	}
	return path, o, nil
}

// record checks a record set that is to be in a zone.
func record(c *api.Call, z, r store.Object, at string) (store.Object, error) {
	o, err := generic.Conform(c.Service, c.Service.Schema("ResourceRecordSet"), r)
	if err != nil {
		return nil, err
	}
	name, data := api.String(o, "name"), o["rrdatas"]
	if name != z["dnsName"] && !strings.HasSuffix(name, "."+api.String(z, "dnsName")) {
		return nil, wire.New(400, "Invalid value for '%s.name': '%s'", at, name).With("invalid")
	}
	if list, _ := data.([]any); api.String(o, "type") == "" || len(list) == 0 && o["routingPolicy"] == nil {
		return nil, wire.New(400, "The required '%s.rrdatas' is missing.", at).With("required")
	}
	if o["ttl"] == nil {
		o["ttl"] = 300.0
	}
	return o, nil
}

// createChange adds and deletes record sets, all or none.
func createChange(c *api.Call) (*api.Reply, error) {
	path, z, err := zone(c)
	if err != nil {
		return nil, err
	}
	additions, deletions := api.List(c.Body, "additions"), api.List(c.Body, "deletions")
	if len(additions)+len(deletions) == 0 {
		return nil, wire.New(400, "The required 'entity.change.additions' is missing.").With("required")
	}
	for i, r := range deletions {
		old, there := c.Tx.Get(recordKey(c, path, r))
		if !there {
			return nil, wire.New(404, "The 'entity.change.deletions[%d]' resource named '%s (%s)' does not exist.", i, api.String(r, "name"), api.String(r, "type"))
		}
		if api.Fingerprint(old["rrdatas"]) != api.Fingerprint(r["rrdatas"]) || fmt.Sprint(old["ttl"]) != fmt.Sprint(r["ttl"]) {
			return nil, wire.New(412, "Precondition not met for 'entity.change.deletions[%d]'", i)
		}
		c.Tx.Delete(recordKey(c, path, r))
	}
	for i, r := range additions {
		o, err := record(c, z, r, fmt.Sprintf("entity.change.additions[%d]", i))
		if err != nil {
			return nil, err
		}
		if _, there := c.Tx.Get(recordKey(c, path, o)); there {
			return nil, existing(fmt.Sprintf("entity.change.additions[%d]", i), o)
		}
		put(c, path, o)
	}
	n := 1
	for range c.Tx.Scan(c.KeyOf(path) + "/changes/") {
		n++
	}
	change := store.Object{"kind": "dns#change", "id": strconv.Itoa(n), "status": "pending", "startTime": api.Time(c.Now)}
	for field, list := range map[string][]store.Object{"additions": additions, "deletions": deletions} {
		items := []any{}
		for _, r := range list {
			items = append(items, r)
		}
		if len(items) > 0 {
			change[field] = items
		}
	}
	c.Tx.Put(c.KeyOf(path)+"/changes/"+strconv.Itoa(n), change)
	return api.OK(change)
}

func existing(at string, r store.Object) error {
	return wire.New(409, "The resource '%s' named '%s (%s)' already exists", at, api.String(r, "name"), api.String(r, "type")).With("alreadyExists")
}

// getChange shows a change, which is done when it is asked for.
func getChange(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	if o["status"] == "pending" {
		o = store.Clone(o)
		o["status"] = "done"
		c.Tx.Put(c.Key(), o)
	}
	return api.OK(o)
}

func project(c *api.Call) (*api.Reply, error) {
	return api.OK(store.Object{"kind": "dns#project", "id": c.Project.ID, "number": c.Project.Number, "quota": store.Object{"kind": "dns#quota", "managedZones": 10000.0, "rrsetsPerManagedZone": 10000.0}})
}

func createRecord(c *api.Call) (*api.Reply, error) {
	path, z, err := zone(c)
	if err != nil {
		return nil, err
	}
	o, err := record(c, z, c.Body, "entity.rrset")
	if err != nil {
		return nil, err
	}
	if _, there := c.Tx.Get(recordKey(c, path, o)); there {
		return nil, existing("entity.rrset", o)
	}
	put(c, path, o)
	return api.OK(o)
}

// named is the record set of the path.
func named(c *api.Call) (key string, path string, z, o store.Object, err error) {
	path, z, err = zone(c)
	if err != nil {
		return "", "", nil, nil, err
	}
	key = recordKey(c, path, store.Object{"name": c.Params["name"], "type": c.Params["type"]})
	o, ok := c.Tx.Get(key)
	if !ok {
		return "", "", nil, nil, wire.New(404, "The 'parameters.name' resource named '%s (%s)' does not exist.", c.Params["name"], c.Params["type"])
	}
	return key, path, z, o, nil
}

func getRecord(c *api.Call) (*api.Reply, error) {
	_, _, _, o, err := named(c)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

func patchRecord(c *api.Call) (*api.Reply, error) {
	key, _, z, old, err := named(c)
	if err != nil {
		return nil, err
	}
	o := store.Clone(old)
	generic.Merge(o, c.Body)
	o["name"], o["type"] = old["name"], old["type"]
	if o, err = record(c, z, o, "entity.rrset"); err != nil {
		return nil, err
	}
	o["kind"] = old["kind"]
	c.Tx.Put(key, o)
	return api.OK(o)
}

func deleteRecord(c *api.Call) (*api.Reply, error) {
	key, _, z, o, err := named(c)
	if err != nil {
		return nil, err
	}
	if own(z, o) {
		return nil, wire.New(400, "The resource record set '%s (%s)' is invalid because a zone must contain exactly one resource record set of type '%s' at the apex.", api.String(o, "name"), api.String(o, "type"), api.String(o, "type")).With("invalidZoneApex")
	}
	c.Tx.Delete(key)
	return api.OK(store.Object{})
}

func listRecords(c *api.Call) (*api.Reply, error) {
	path, _, err := zone(c)
	if err != nil {
		return nil, err
	}
	var keys []string
	for key, r := range c.Tx.Scan(c.KeyOf(path) + "/rrsets/") {
		if n := c.Query.Get("name"); n != "" && n != r["name"] {
			continue
		}
		if k := c.Query.Get("type"); k != "" && k != r["type"] {
			continue
		}
		keys = append(keys, key)
	}
	page, next, err := generic.Page(c, keys)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, key := range page {
		r, _ := c.Tx.Get(key)
		items = append(items, r)
	}
	reply := store.Object{"kind": "dns#resourceRecordSetsListResponse", "rrsets": items}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}
