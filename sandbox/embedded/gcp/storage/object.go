package storage

import (
	"crypto/md5" //nolint:gosec // the API's checksum
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

func objectKey(bucket, name string) string { return bucketKey(bucket) + "/o/" + name }

// object finds the object that the path names.
func object(c *api.Call, bucketParam, objectParam string) (string, store.Object, error) {
	if _, err := bucket(c, bucketParam); err != nil {
		return "", nil, err
	}
	b, name := c.Params[bucketParam], c.Params[objectParam]
	o, ok := c.Tx.Get(objectKey(b, name))
	if g := c.Query.Get("generation"); ok && g != "" && g != o["generation"] {
		ok = false // noncurrent versions are not kept
	}
	if !ok {
		return "", nil, wire.New(404, "No such object: %s/%s", b, name)
	}
	return objectKey(b, name), o, nil
}

// add puts an object with its content into the state. The metadata is as a
// client gave it.
func add(c *api.Call, bucket, name string, metadata store.Object, content []byte) (store.Object, error) {
	if name == "" || len(name) > 1024 || strings.ContainsAny(name, "\r\n") {
		return nil, wire.New(400, "Required").With("required")
	}
	key := objectKey(bucket, name)
	old, _ := c.Tx.Get(key)
	if err := matches(c, old, "Generation", "Metageneration"); err != nil {
		return nil, err
	}
	o, err := generic.Conform(c.Service, c.Service.Schema("Object"), metadata)
	if err != nil {
		return nil, err
	}
	sum := md5.Sum(content) //nolint:gosec // the API's checksum
	crc := crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
	md5Hash, crc32c := base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
	if want := api.String(o, "md5Hash"); want != "" && want != md5Hash {
		return nil, wire.New(400, "Provided MD5 hash %q doesn't match calculated MD5 hash %q.", want, md5Hash).With("invalid")
	}
	if want := api.String(o, "crc32c"); want != "" && want != crc32c {
		return nil, wire.New(400, "Provided CRC32C %q doesn't match calculated CRC32C %q.", want, crc32c).With("invalid")
	}
	if o["contentType"] == nil {
		o["contentType"] = "application/octet-stream"
	}
	if o["storageClass"] == nil {
		b, _ := c.Tx.Get(bucketKey(bucket))
		o["storageClass"] = b["storageClass"]
	}
	generation, now := serial(c), stamp(c.Now)
	link := "https://www.googleapis.com/storage/v1/b/" + bucket + "/o/" + url.PathEscape(name)
	generic.Merge(o, store.Object{"kind": "storage#object", "id": bucket + "/" + name + "/" + generation, "name": name, "bucket": bucket,
		"generation": generation, "metageneration": "1", "size": strconv.Itoa(len(content)), "md5Hash": md5Hash, "crc32c": crc32c,
		"etag": etag(number(store.Object{"n": generation}, "n")), "timeCreated": now, "updated": now, "timeStorageClassUpdated": now, "timeFinalized": now,
		"selfLink":  link,
		"mediaLink": "https://storage.googleapis.com/download/storage/v1/b/" + bucket + "/o/" + url.PathEscape(name) + "?generation=" + generation + "&alt=media"})
	c.Tx.PutBlob(key, o, content)
	return o, nil
}

func insertObject(c *api.Call) (*api.Reply, error) {
	if _, err := bucket(c); err != nil {
		return nil, err
	}
	if c.Upload && c.Query.Get("uploadType") == "resumable" {
		return resumable(c)
	}
	if !c.Upload {
		c.Content = nil // it was the metadata
	}
	name := c.Query.Get("name")
	if name == "" {
		name = api.String(c.Body, "name")
	}
	o, err := add(c, c.Params["bucket"], name, c.Body, c.Content)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

func getObject(c *api.Call) (*api.Reply, error) {
	key, o, err := object(c, "bucket", "object")
	if err != nil {
		return nil, err
	}
	if err := matches(c, o, "Generation", "Metageneration"); err != nil {
		return nil, err
	}
	if c.Query.Get("alt") != "media" {
		return api.OK(o)
	}
	content, _ := c.Tx.Blob(key)
	return media(c.Request, o, content)
}

// media answers with an object's content, or the range of it that is asked for.
func media(r *http.Request, o store.Object, content []byte) (*api.Reply, error) {
	reply := &api.Reply{Content: content, ContentType: api.String(o, "contentType"), Header: http.Header{}}
	set := func(key, value string) {
		if value != "" {
			reply.Header.Set(key, value)
		}
	}
	set("X-Goog-Generation", api.String(o, "generation"))
	set("X-Goog-Metageneration", api.String(o, "metageneration"))
	set("X-Goog-Hash", "crc32c="+api.String(o, "crc32c")+",md5="+api.String(o, "md5Hash"))
	set("X-Goog-Stored-Content-Length", api.String(o, "size"))
	set("X-Goog-Stored-Content-Encoding", "identity")
	set("X-Goog-Storage-Class", api.String(o, "storageClass"))
	set("Etag", `"`+hexOf(api.String(o, "md5Hash"))+`"`)
	set("Accept-Ranges", "bytes")
	set("Cache-Control", api.String(o, "cacheControl"))
	set("Content-Disposition", api.String(o, "contentDisposition"))
	set("Content-Encoding", api.String(o, "contentEncoding"))
	if t, err := time.Parse(time.RFC3339, api.String(o, "updated")); err == nil {
		set("Last-Modified", t.UTC().Format(http.TimeFormat))
	}
	if encoding := api.String(o, "contentEncoding"); encoding != "" {
		set("X-Goog-Stored-Content-Encoding", encoding)
	}
	for key, v := range api.Object(o, "metadata") {
		set("X-Goog-Meta-"+key, fmt.Sprint(v))
	}
	from, to, ok, err := span(r.Header.Get("Range"), len(content))
	if err != nil {
		return nil, err
	}
	if ok {
		reply.Status, reply.Content = http.StatusPartialContent, content[from:to]
		set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
	}
	return reply, nil
}

// hexOf writes a checksum as an etag has it.
func hexOf(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err) // it was encoded here
	}
	return hex.EncodeToString(b)
}

// span reads a Range header of one range; to is exclusive.
func span(header string, size int) (from, to int, ok bool, err error) {
	text, is := strings.CutPrefix(header, "bytes=")
	if !is || strings.Contains(text, ",") {
		return 0, size, false, nil
	}
	first, last, _ := strings.Cut(text, "-")
	from, to = 0, size
	if first == "" { // the last bytes
		n, bad := strconv.Atoi(last)
		if bad != nil {
			return 0, size, false, nil
		}
		return max(0, size-n), size, true, nil
	}
	if from, err = strconv.Atoi(first); err != nil {
		return 0, size, false, nil
	}
	if last != "" {
		n, bad := strconv.Atoi(last)
		if bad != nil {
			return 0, size, false, nil
		}
		to = min(size, n+1)
	}
	if from >= size || from >= to {
		return 0, 0, false, wire.New(416, "The requested range cannot be satisfied.")
	}
	return from, to, true, nil
}

func listObjects(c *api.Call) (*api.Reply, error) {
	if _, err := bucket(c); err != nil {
		return nil, err
	}
	names, prefixes, next, err := listed(c)
	if err != nil {
		return nil, err
	}
	reply := store.Object{"kind": "storage#objects"}
	var items []any
	for _, name := range names {
		o, _ := c.Tx.Get(objectKey(c.Params["bucket"], name))
		items = append(items, o)
	}
	if len(items) > 0 {
		reply["items"] = items
	}
	if list := sorted(prefixes); len(list) > 0 {
		reply["prefixes"] = list
	}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}

// listed gives the names of a bucket's objects as the query asks for them, and
// the prefixes that stand for those below a delimiter.
func listed(c *api.Call) (names []string, prefixes map[string]bool, next string, err error) {
	prefix, delimiter := c.Query.Get("prefix"), c.Query.Get("delimiter")
	root := objectKey(c.Params["bucket"], "")
	prefixes = map[string]bool{}
	for key := range c.Tx.Scan(root + prefix) {
		name := strings.TrimPrefix(key, root)
		if s := c.Query.Get("startOffset"); s != "" && name < s {
			continue
		}
		if e := c.Query.Get("endOffset"); e != "" && name >= e {
			continue
		}
		if delimiter != "" {
			if inner, _, deeper := strings.Cut(strings.TrimPrefix(name, prefix), delimiter); deeper {
				prefixes[prefix+inner+delimiter] = true
				if c.Query.Get("includeTrailingDelimiter") != "true" || name != prefix+inner+delimiter {
					continue
				}
			}
		}
		names = append(names, name)
	}
	names, next, err = generic.Page(c, names)
	return names, prefixes, next, err
}

// patchable are the fields of an object that can change.
var patchable = []string{"cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime", "eventBasedHold", "metadata", "temporaryHold", "retention"}

func patchObject(c *api.Call) (*api.Reply, error) {
	key, old, err := object(c, "bucket", "object")
	if err != nil {
		return nil, err
	}
	if err := matches(c, old, "Generation", "Metageneration"); err != nil {
		return nil, err
	}
	given, err := generic.Conform(c.Service, c.Service.Schema("Object"), c.Body)
	if err != nil {
		return nil, err
	}
	o, change := store.Clone(old), store.Object{}
	for _, f := range patchable {
		if c.HTTP == "PUT" && f != "contentType" {
			delete(o, f)
		}
		if v, ok := given[f]; ok {
			change[f] = v
		}
	}
	generic.Merge(o, change)
	o["metageneration"], o["updated"] = strconv.Itoa(number(old, "metageneration")+1), stamp(c.Now)
	c.Tx.Put(key, o)
	return api.OK(o)
}

func deleteObject(c *api.Call) (*api.Reply, error) {
	key, o, err := object(c, "bucket", "object")
	if err != nil {
		return nil, err
	}
	if err := matches(c, o, "Generation", "Metageneration"); err != nil {
		return nil, err
	}
	if api.Bool(o, "temporaryHold") || api.Bool(o, "eventBasedHold") {
		return nil, wire.New(403, "Object '%s/%s' is under active hold and cannot be deleted, overwritten or archived until the hold is removed.", c.Params["bucket"], c.Params["object"])
	}
	c.Tx.Delete(key)
	c.Tx.Delete(iam.PolicyKey(key))
	return &api.Reply{Status: 204}, nil
}

// copyObject serves copy, and rewrite, which is always done at once.
func copyObject(c *api.Call) (*api.Reply, error) {
	key, source, err := object(c, "sourceBucket", "sourceObject")
	if err != nil {
		return nil, err
	}
	if _, err := bucket(c, "destinationBucket"); err != nil {
		return nil, err
	}
	metadata := store.Object{}
	for _, f := range append([]string{"contentType", "storageClass"}, patchable...) {
		if v, ok := source[f]; ok {
			metadata[f] = v
		}
	}
	for f, v := range c.Body {
		metadata[f] = v
	}
	for _, f := range []string{"md5Hash", "crc32c", "generation"} {
		delete(metadata, f)
	}
	content, _ := c.Tx.Blob(key)
	o, err := add(c, c.Params["destinationBucket"], c.Params["destinationObject"], metadata, content)
	if err != nil {
		return nil, err
	}
	if c.Verb() == "copy" {
		return api.OK(o)
	}
	return api.OK(store.Object{"kind": "storage#rewriteResponse", "done": true, "objectSize": o["size"], "totalBytesRewritten": o["size"], "resource": o})
}

func composeObject(c *api.Call) (*api.Reply, error) {
	if _, err := bucket(c, "destinationBucket"); err != nil {
		return nil, err
	}
	b := c.Params["destinationBucket"]
	sources := api.List(c.Body, "sourceObjects")
	if len(sources) == 0 || len(sources) > 32 {
		return nil, wire.New(400, "The number of source components provided (%d) must be from 1 to 32.", len(sources)).With("invalid")
	}
	var content []byte
	for _, s := range sources {
		part, ok := c.Tx.Blob(objectKey(b, api.String(s, "name")))
		if !ok {
			return nil, wire.New(404, "Object %s not found in bucket %s.", api.String(s, "name"), b)
		}
		content = append(content, part...)
	}
	metadata := api.Object(c.Body, "destination")
	if metadata == nil {
		metadata = store.Object{}
	}
	o, err := add(c, b, c.Params["destinationObject"], metadata, content)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}
