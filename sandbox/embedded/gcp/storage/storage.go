// Package storage is what is particular to Cloud Storage in the embedded GCP
// sandbox: buckets, objects with their content, uploads of all three kinds,
// HMAC keys, and the XML API that such keys are for.
//
// Not here: access control lists, which uniform bucket-level access has
// replaced, noncurrent versions of objects, notifications and folders.
package storage

import (
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Handlers serve the methods, by id.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"storage.buckets.insert":              insertBucket,
		"storage.buckets.get":                 getBucket,
		"storage.buckets.list":                listBuckets,
		"storage.buckets.patch":               updateBucket,
		"storage.buckets.update":              updateBucket,
		"storage.buckets.delete":              deleteBucket,
		"storage.objects.insert":              insertObject,
		"storage.objects.get":                 getObject,
		"storage.objects.list":                listObjects,
		"storage.objects.patch":               patchObject,
		"storage.objects.update":              patchObject,
		"storage.objects.delete":              deleteObject,
		"storage.objects.copy":                copyObject,
		"storage.objects.rewrite":             copyObject,
		"storage.objects.compose":             composeObject,
		"storage.projects.hmacKeys.create":    createKey,
		"storage.projects.hmacKeys.get":       getKey,
		"storage.projects.hmacKeys.list":      listKeys,
		"storage.projects.hmacKeys.update":    updateKey,
		"storage.projects.hmacKeys.delete":    deleteKey,
		"storage.projects.serviceAccount.get": serviceAccount,
	}
}

// bucketName is the form of a bucket's name. Source: Cloud Storage, "About
// buckets": bucket names.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)

// multiRegions are the places of several regions; the last two are pairs.
var multiRegions = map[string]string{"US": "multi-region", "EU": "multi-region", "ASIA": "multi-region",
	"NAM4": "dual-region", "EUR4": "dual-region", "ASIA1": "dual-region"}

func bucketKey(name string) string { return "storage/b/" + name }

func noBucket() error { return wire.New(404, "The specified bucket does not exist.") }

// bucket finds the bucket that a parameter names.
func bucket(c *api.Call, names ...string) (store.Object, error) {
	o, ok := c.Tx.Get(bucketKey(c.Param(append(names, "bucket")...)))
	if !ok {
		return nil, noBucket()
	}
	return o, nil
}

func insertBucket(c *api.Call) (*api.Reply, error) {
	if p := c.Query.Get("project"); p != c.Project.ID && p != c.Project.Number {
		return nil, wire.New(400, "Invalid argument: project %q.", p).With("invalid")
	}
	o, err := generic.Conform(c.Service, c.Service.Schema("Bucket"), c.Body)
	if err != nil {
		return nil, err
	}
	name := api.String(o, "name")
	if !bucketName.MatchString(name) || strings.HasPrefix(name, "goog") {
		return nil, wire.New(400, "Invalid bucket name: '%s'", name).With("invalid")
	}
	if _, there := c.Tx.Get(bucketKey(name)); there {
		return nil, wire.New(409, "Your previous request to create the named bucket succeeded and you already own it.")
	}
	location := strings.ToUpper(api.String(o, "location"))
	if location == "" {
		location = "US"
	}
	kind := multiRegions[location]
	if kind == "" {
		kind = "region"
	}
	if o["storageClass"] == nil {
		o["storageClass"] = "STANDARD"
	}
	now := stamp(c.Now)
	generic.Merge(o, store.Object{"kind": "storage#bucket", "id": name, "selfLink": "https://www.googleapis.com/storage/v1/b/" + name,
		"projectNumber": c.Project.Number, "generation": serial(c), "metageneration": "1", "location": location, "locationType": kind,
		"timeCreated": now, "updated": now, "etag": etag(1)})
	if o["softDeletePolicy"] == nil {
		o["softDeletePolicy"] = store.Object{"retentionDurationSeconds": "604800", "effectiveTime": now}
	}
	configure(o, nil, c.Now)
	c.Tx.Put(bucketKey(name), o)
	c.Tx.Put(iam.PolicyKey(bucketKey(name)), firstPolicy(c.Project.ID, uniform(o)))
	return api.OK(shownBucket(c, o))
}

// firstPolicy is what a new bucket's policy says: the project's basic roles
// have legacy roles on it. Source: Cloud Storage, "IAM roles": basic roles.
func firstPolicy(project string, uniform bool) store.Object {
	binding := func(role string, kinds ...any) store.Object {
		for i, kind := range kinds {
			kinds[i] = kind.(string) + ":" + project
		}
		return store.Object{"role": "roles/storage." + role, "members": kinds}
	}
	bindings := []any{binding("legacyBucketOwner", "projectEditor", "projectOwner"), binding("legacyBucketReader", "projectViewer")}
	if uniform {
		bindings = append(bindings, binding("legacyObjectOwner", "projectEditor", "projectOwner"), binding("legacyObjectReader", "projectViewer"))
	}
	return store.Object{"etag": "CAE=", "bindings": bindings}
}

func uniform(o store.Object) bool {
	return api.Bool(o, "iamConfiguration.uniformBucketLevelAccess.enabled")
}

// configure completes what says who may read a bucket. The older name of
// uniform access says the same.
func configure(o, old store.Object, now time.Time) {
	access := api.Object(o, "iamConfiguration")
	if access == nil {
		access = store.Object{}
		o["iamConfiguration"] = access
	}
	on := api.Bool(access, "uniformBucketLevelAccess.enabled")
	if access["uniformBucketLevelAccess"] == nil {
		on = api.Bool(access, "bucketPolicyOnly.enabled")
	}
	for _, name := range []string{"uniformBucketLevelAccess", "bucketPolicyOnly"} {
		state := store.Object{"enabled": on}
		if locked := api.String(old, "iamConfiguration."+name+".lockedTime"); on && locked != "" {
			state["lockedTime"] = locked
		} else if on {
			state["lockedTime"] = stamp(now.Add(90 * 24 * time.Hour))
		}
		access[name] = state
	}
	if access["publicAccessPrevention"] == nil {
		access["publicAccessPrevention"] = "inherited"
	}
}

// shownBucket leaves out what only projection=full shows.
func shownBucket(c *api.Call, o store.Object) store.Object {
	shown := store.Clone(o)
	if c.Query.Get("projection") != "full" {
		delete(shown, "acl")
		delete(shown, "defaultObjectAcl")
	} else if !uniform(o) {
		shown["owner"] = store.Object{"entity": "project-owners-" + c.Project.Number}
	}
	return shown
}

func getBucket(c *api.Call) (*api.Reply, error) {
	o, err := bucket(c)
	if err != nil {
		return nil, err
	}
	if err := matches(c, o, "Metageneration"); err != nil {
		return nil, err
	}
	return api.OK(shownBucket(c, o))
}

func listBuckets(c *api.Call) (*api.Reply, error) {
	var keys []string
	if p := c.Query.Get("project"); p != c.Project.ID && p != c.Project.Number {
		return nil, wire.New(400, "Invalid argument: project %q.", p).With("invalid")
	}
	for key := range c.Tx.Scan(bucketKey(c.Query.Get("prefix"))) {
		if !strings.Contains(strings.TrimPrefix(key, bucketKey("")), "/") {
			keys = append(keys, key)
		}
	}
	page, next, err := generic.Page(c, keys)
	if err != nil {
		return nil, err
	}
	reply := store.Object{"kind": "storage#buckets"}
	items := []any{}
	for _, key := range page {
		o, _ := c.Tx.Get(key)
		items = append(items, shownBucket(c, o))
	}
	if len(items) > 0 {
		reply["items"] = items
	}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}

// fixed are a bucket's fields that stay as they were made.
var fixed = []string{"name", "id", "kind", "selfLink", "projectNumber", "location", "locationType", "timeCreated", "generation"}

func updateBucket(c *api.Call) (*api.Reply, error) {
	old, err := bucket(c)
	if err != nil {
		return nil, err
	}
	if err := matches(c, old, "Metageneration"); err != nil {
		return nil, err
	}
	given, err := generic.Conform(c.Service, c.Service.Schema("Bucket"), c.Body)
	if err != nil {
		return nil, err
	}
	o := store.Clone(old)
	if c.HTTP == "PUT" {
		o = store.Object{"storageClass": old["storageClass"], "softDeletePolicy": old["softDeletePolicy"]}
	}
	generic.Merge(o, given)
	for _, f := range fixed {
		o[f] = old[f]
	}
	n := number(old, "metageneration") + 1
	o["metageneration"], o["etag"], o["updated"] = strconv.Itoa(n), etag(n), stamp(c.Now)
	configure(o, old, c.Now)
	if uniform(old) && !uniform(o) && api.String(old, "iamConfiguration.uniformBucketLevelAccess.lockedTime") < stamp(c.Now) {
		return nil, wire.New(400, "Uniform bucket-level access is enabled and locked: it cannot be disabled.").With("invalid")
	}
	c.Tx.Put(bucketKey(c.Params["bucket"]), o)
	return api.OK(shownBucket(c, o))
}

func deleteBucket(c *api.Call) (*api.Reply, error) {
	o, err := bucket(c)
	if err != nil {
		return nil, err
	}
	if err := matches(c, o, "Metageneration"); err != nil {
		return nil, err
	}
	key := bucketKey(c.Params["bucket"])
	for range c.Tx.Scan(key + "/o/") {
		return nil, wire.New(409, "The bucket you tried to delete is not empty.")
	}
	c.Tx.Delete(key)
	c.Tx.Delete(iam.PolicyKey(key))
	return &api.Reply{Status: 204}, nil
}

func serviceAccount(c *api.Call) (*api.Reply, error) {
	return api.OK(store.Object{"kind": "storage#serviceAccount", "email_address": "service-" + c.Project.Number + "@gs-project-accounts.iam.gserviceaccount.com"})
}

// matches checks the preconditions on the number that the query names:
// ifGenerationMatch and its like. Nothing there has the number 0.
func matches(c *api.Call, o store.Object, kinds ...string) error {
	return hold(c.Query, o, kinds...)
}

func hold(q url.Values, o store.Object, kinds ...string) error {
	for _, kind := range kinds {
		now := strconv.Itoa(number(o, strings.ToLower(kind)))
		if want := q.Get("if" + kind + "Match"); want != "" && want != now {
			return unmet("if" + kind + "Match")
		}
		if not := q.Get("if" + kind + "NotMatch"); not != "" && not == now {
			return unmet("if" + kind + "NotMatch")
		}
	}
	return nil
}

func unmet(parameter string) error {
	e := wire.New(412, "At least one of the pre-conditions you specified did not hold.")
	e.Kind, e.Place = "parameter", parameter
	return e
}

// number reads one of the numbers that the API writes as text.
func number(o store.Object, field string) int {
	n, err := strconv.Atoi(api.String(o, field))
	if err != nil {
		return 0
	}
	return n
}

// serial is a new generation: it grows with time, and with every change.
func serial(c *api.Call) string {
	return strconv.FormatInt(c.Now.UnixMicro()/1000*1000+int64(c.Tx.Serial()%1000), 10)
}

// etag is a number in the form of Cloud Storage's etags: a protocol buffer's
// field in base64.
func etag(n int) string {
	return base64.StdEncoding.EncodeToString(binary.AppendUvarint([]byte{8}, uint64(n)))
}

// stamp is a moment as Cloud Storage writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func sorted(m map[string]bool) []any {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	var list []any
	for _, name := range names {
		list = append(list, name)
	}
	return list
}
