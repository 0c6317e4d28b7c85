// Package secrets is what is particular to Secret Manager in the embedded GCP
// sandbox: the versions of a secret and their payloads.
package secrets

import (
	"encoding/base64"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Secret Manager's particulars of the methods that all services have.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Missing: missing, Existing: func(c *api.Call, path string) error {
		return wire.New(409, "Secret [%s] already exists.", c.Named(path))
	}}
}

// Handlers serve the methods that are Secret Manager's own, by id.
func Handlers() map[string]api.Handler {
	m := map[string]api.Handler{}
	for _, parent := range []string{"secretmanager.projects.secrets.", "secretmanager.projects.locations.secrets."} {
		m[parent+"addVersion"] = addVersion
		m[parent+"versions.get"] = getVersion
		m[parent+"versions.list"] = listVersions
		m[parent+"versions.access"] = access
		m[parent+"versions.enable"] = become("ENABLED")
		m[parent+"versions.disable"] = become("DISABLED")
		m[parent+"versions.destroy"] = become("DESTROYED")
	}
	return m
}

func missing(c *api.Call, path string) error {
	if strings.Contains(path, "/versions/") {
		return wire.New(404, "Secret Version [%s] not found.", c.Named(path))
	}
	return wire.New(404, "Secret [%s] not found.", c.Named(path))
}

func create(c *api.Call, path string, o store.Object) error {
	global := !strings.Contains(path, "/locations/")
	replication := api.Object(o, "replication")
	if global && (replication["automatic"] == nil) == (replication["userManaged"] == nil) {
		return wire.New(400, "The field [secret.replication] must be one of automatic and user_managed.")
	}
	return nil
}

func update(c *api.Call, path string, old, o store.Object) error {
	if api.Fingerprint(old["replication"]) != api.Fingerprint(o["replication"]) {
		return wire.New(400, "The field [secret.replication] is immutable.")
	}
	return nil
}

func addVersion(c *api.Call) (*api.Reply, error) {
	secret, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	data, err := base64.StdEncoding.DecodeString(api.String(c.Body, "payload.data"))
	if err != nil {
		return nil, wire.New(400, "Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed.")
	}
	if len(data) == 0 || len(data) > 64<<10 {
		return nil, wire.New(400, "The secret payload must have from 1 to 65536 bytes.")
	}
	if sum := api.String(c.Body, "payload.dataCrc32c"); sum != "" && sum != checksum(data) {
		return nil, wire.New(400, "The checksum of the secret payload does not match.")
	}
	n := 1
	if newest := newest(c, c.Path); newest > 0 {
		n = newest + 1
	}
	path := c.Path + "/versions/" + strconv.Itoa(n)
	o := store.Object{"name": c.Named(path), "createTime": api.Time(c.Now), "state": "ENABLED"}
	if r := api.Object(secret, "replication"); r["userManaged"] != nil {
		var replicas []any
		for _, replica := range api.List(r, "userManaged.replicas") {
			replicas = append(replicas, store.Object{"location": replica["location"]})
		}
		o["replicationStatus"] = store.Object{"userManaged": store.Object{"replicas": replicas}}
	} else if r != nil {
		o["replicationStatus"] = store.Object{"automatic": store.Object{}}
	}
	if api.String(c.Body, "payload.dataCrc32c") != "" {
		o["clientSpecifiedPayloadChecksum"] = true
	}
	mark(c, o)
	c.Tx.PutBlob(c.KeyOf(path), o, data)
	return api.OK(o)
}

func mark(c *api.Call, o store.Object) {
	o["etag"] = `"` + api.Fingerprint(c.Tx.Serial()) + `"`
}

func checksum(data []byte) string {
	return strconv.FormatInt(int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))), 10)
}

// numbers are those of a secret's versions, the newest first.
func numbers(c *api.Call, secret string) []int {
	prefix := c.KeyOf(secret) + "/versions/"
	var list []int
	for key := range c.Tx.Scan(prefix) {
		if n, err := strconv.Atoi(strings.TrimPrefix(key, prefix)); err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list
}

func newest(c *api.Call, secret string) int {
	if list := numbers(c, secret); len(list) > 0 {
		return list[0]
	}
	return 0
}

// version finds the version that the path names: by number, by an alias, or as
// the latest. Source: Secret Manager, "Access a secret version".
func version(c *api.Call) (path string, o store.Object, err error) {
	secret, id, _ := strings.Cut(c.Path, "/versions/")
	parent, ok := c.Tx.Get(c.KeyOf(secret))
	if !ok {
		return "", nil, missing(c, secret)
	}
	if id == "latest" {
		id = strconv.Itoa(newest(c, secret))
	} else if alias := api.String(api.Object(parent, "versionAliases"), id); alias != "" {
		id = alias
	}
	path = secret + "/versions/" + id
	if o, ok = c.Tx.Get(c.KeyOf(path)); !ok {
		return "", nil, missing(c, c.Path)
	}
	return path, o, nil
}

func getVersion(c *api.Call) (*api.Reply, error) {
	_, o, err := version(c)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

func listVersions(c *api.Call) (*api.Reply, error) {
	secret := strings.TrimSuffix(c.Path, "/versions")
	if _, ok := c.Tx.Get(c.KeyOf(secret)); !ok {
		return nil, missing(c, secret)
	}
	filter, err := generic.ParseFilter(c.Query.Get("filter"))
	if err != nil {
		return nil, wire.New(400, "Invalid filter: %v", err)
	}
	items, total := []any{}, 0
	from, _ := strconv.Atoi(c.Query.Get("pageToken")) // 0 for none
	size, _ := strconv.Atoi(c.Query.Get("pageSize"))
	reply := store.Object{}
	for i, n := range numbers(c, secret) {
		o, _ := c.Tx.Get(c.KeyOf(secret + "/versions/" + strconv.Itoa(n)))
		if !filter(o) {
			continue
		}
		total++
		switch {
		case i < from:
		case size > 0 && len(items) == size:
			if reply["nextPageToken"] == nil {
				reply["nextPageToken"] = strconv.Itoa(i)
			}
		default:
			items = append(items, o)
		}
	}
	if len(items) > 0 {
		reply["versions"], reply["totalSize"] = items, float64(total)
	}
	return api.OK(reply)
}

func access(c *api.Call) (*api.Reply, error) {
	path, o, err := version(c)
	if err != nil {
		return nil, err
	}
	if state := api.String(o, "state"); state != "ENABLED" {
		return nil, wire.New(400, "Secret Version [%s] is in %s state.", c.Named(path), state).Stating("FAILED_PRECONDITION")
	}
	data, _ := c.Tx.Blob(c.KeyOf(path))
	return api.OK(store.Object{"name": c.Named(path), "payload": store.Object{"data": base64.StdEncoding.EncodeToString(data), "dataCrc32c": checksum(data)}})
}

// become serves the methods that set a version's state; one that is destroyed
// stays so, without its payload.
func become(state string) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		path, old, err := version(c)
		if err != nil {
			return nil, err
		}
		if e := api.String(c.Body, "etag"); e != "" && e != old["etag"] {
			return nil, wire.New(400, "The etag does not match the version's.").Stating("FAILED_PRECONDITION")
		}
		if old["state"] == "DESTROYED" {
			return nil, wire.New(400, "Secret Version [%s] is in DESTROYED state.", c.Named(path)).Stating("FAILED_PRECONDITION")
		}
		o := store.Clone(old)
		o["state"] = state
		mark(c, o)
		if state == "DESTROYED" {
			o["destroyTime"] = api.Time(c.Now)
			c.Tx.PutBlob(c.KeyOf(path), o, nil)
		} else {
			c.Tx.Put(c.KeyOf(path), o)
		}
		return api.OK(o)
	}
}
