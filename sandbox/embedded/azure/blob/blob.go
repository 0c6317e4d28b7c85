// Package blob is the state of Blob Storage's data plane in the embedded Azure
// sandbox: containers and block blobs. Source: "Blob Storage REST API".
//
// It authorizes nothing but a shared key's signature ([Signed]). A request that
// it does not know is nil.
package blob

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// Account is how the keys of an account's blobs begin in the store.
func Account(name string) string { return "blob/" + strings.ToLower(name) + "/" }

// Container is the key of a container of an account.
func Container(account, name string) string { return Account(account) + name }

// Call is a request that is allowed.
type Call struct {
	Method  string
	URL     *url.URL
	Header  http.Header
	Content []byte
	Store   *store.Store
	Now     time.Time
	// Account is the storage account's name, ID its id in Resource Manager.
	Account, ID string
}

// Reply is what it is answered with.
type Reply struct {
	Status  int
	Header  http.Header
	Content []byte
}

const base = "/blobServices/default/containers/"

// Serve answers a request; a nil reply is one that it does not know.
func (c Call) Serve() (*Reply, error) {
	q := c.URL.Query()
	container, name, inside := strings.Cut(strings.Trim(c.URL.Path, "/"), "/")
	comp, restype := q.Get("comp"), q.Get("restype")
	switch {
	case container == "" && restype == "service" && comp == "properties":
		return c.service()
	case container == "" && comp == "list" && c.Method == http.MethodGet:
		return c.containers()
	case container != "" && !inside && restype == "container":
		return c.container(container, comp)
	case inside:
		return c.blob(container, name, comp)
	}
	return nil, nil
}

func (c Call) service() (*Reply, error) {
	key := "blob/" + c.Account + "#service"
	if c.Method == http.MethodPut {
		c.Store.Put(key, store.Object{"xml": c.Content})
		return &Reply{Status: 202}, nil
	}
	if c.Method != http.MethodGet {
		return nil, nil
	}
	content := []byte(`<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties><Logging><Version>1.0</Version><Read>false</Read><Write>false</Write><Delete>false</Delete><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging></StorageServiceProperties>`)
	if o, ok := c.Store.Get(key); ok {
		content, _ = o["xml"].([]byte)
	}
	return xmlReply(content), nil
}

func xmlReply(content []byte) *Reply {
	return &Reply{Status: 200, Header: http.Header{"Content-Type": {"application/xml"}}, Content: content}
}

func text(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) //nolint:errcheck // a Builder's Write gives none
	return b.String()
}

func (c Call) containers() (*Reply, error) {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://` + c.Account + `.blob.core.windows.net/"><Containers>`)
	for _, k := range c.Store.Below(c.ID + base) {
		o, _ := c.Store.Get(k)
		fmt.Fprintf(&b, "<Container><Name>%s</Name><Properties><Last-Modified>%s</Last-Modified><Etag>%s</Etag></Properties></Container>", text(store.Text(o, "name")), c.Now.UTC().Format(http.TimeFormat), text(store.Text(o, "etag")))
	}
	b.WriteString("</Containers><NextMarker/></EnumerationResults>")
	return xmlReply([]byte(b.String())), nil
}

func noContainer() error {
	return wire.New(404, "ContainerNotFound", "The specified container does not exist.")
}

func (c Call) container(name, comp string) (*Reply, error) {
	id := c.ID + base + name
	o, there := c.Store.Get(id)
	headers := func(o store.Object) http.Header {
		h := http.Header{"Etag": {store.Text(o, "etag")}, "Last-Modified": {c.Now.UTC().Format(http.TimeFormat)}, "X-Ms-Lease-Status": {"unlocked"}, "X-Ms-Lease-State": {"available"},
			"X-Ms-Has-Immutability-Policy": {"false"}, "X-Ms-Has-Legal-Hold": {"false"}}
		meta, _ := store.At(o, "properties", "metadata").(store.Object)
		for k, v := range meta {
			if s, ok := v.(string); ok {
				h.Set("X-Ms-Meta-"+k, s)
			}
		}
		return h
	}
	switch {
	case c.Method == http.MethodPut && comp == "":
		if there {
			return nil, wire.New(409, "ContainerAlreadyExists", "The specified container already exists.")
		}
		p := store.Object{"publicAccess": "None", "leaseStatus": "Unlocked", "leaseState": "Available", "metadata": c.meta(), "hasImmutabilityPolicy": false, "hasLegalHold": false,
			"defaultEncryptionScope": "$account-encryption-key", "denyEncryptionScopeOverride": false}
		o = store.Object{"id": id, "name": name, "type": "Microsoft.Storage/storageAccounts/blobServices/containers", "etag": etag([]byte(id)), "properties": p}
		c.Store.Put(id, o)
		return &Reply{Status: 201, Header: headers(o)}, nil
	case !there:
		return nil, noContainer()
	case (c.Method == http.MethodGet || c.Method == http.MethodHead) && (comp == "" || comp == "metadata"):
		return &Reply{Status: 200, Header: headers(o)}, nil
	case c.Method == http.MethodDelete && comp == "":
		c.Store.Delete(id)
		for _, k := range c.Store.Below(Container(c.Account, name) + "/") {
			c.Store.Delete(k)
		}
		return &Reply{Status: 202}, nil
	case c.Method == http.MethodGet && comp == "list":
		return c.list(name)
	}
	return nil, nil
}

func (c Call) list(container string) (*Reply, error) {
	var b strings.Builder
	prefix := c.URL.Query().Get("prefix")
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://` + c.Account + `.blob.core.windows.net/" ContainerName="` + text(container) + `"><Blobs>`)
	for _, k := range c.Store.Below(Container(c.Account, container) + "/") {
		o, _ := c.Store.Get(k)
		name := store.Text(o, "name")
		if content, ok := o["content"].([]byte); ok && strings.HasPrefix(name, prefix) {
			fmt.Fprintf(&b, "<Blob><Name>%s</Name><Properties><Content-Length>%d</Content-Length><Content-Type>%s</Content-Type><Etag>%s</Etag><BlobType>BlockBlob</BlobType></Properties></Blob>", text(name), len(content), text(store.Text(o, "type")), text(etag(content)))
		}
	}
	b.WriteString("</Blobs><NextMarker/></EnumerationResults>")
	return xmlReply([]byte(b.String())), nil
}

func etag(content []byte) string {
	sum := md5.Sum(content)
	return fmt.Sprintf(`"0x%X"`, sum[:8])
}

// meta are the metadata that a request brings.
func (c Call) meta() store.Object {
	m := store.Object{}
	for name, values := range c.Header {
		if key, ok := strings.CutPrefix(name, "X-Ms-Meta-"); ok {
			m[strings.ToLower(key)] = values[0]
		}
	}
	return m
}

func (c Call) blob(container, name, comp string) (*Reply, error) {
	if !c.Store.Has(c.ID + base + container) {
		return nil, noContainer()
	}
	key := Container(c.Account, container) + "/" + name
	o, there := c.Store.Get(key)
	content, _ := o["content"].([]byte)
	switch {
	case c.Method == http.MethodPut && comp == "":
		if kind := c.Header.Get("X-Ms-Blob-Type"); kind != "BlockBlob" {
			return nil, nil
		}
		if c.Header.Get("If-None-Match") == "*" && there {
			return nil, wire.New(409, "BlobAlreadyExists", "The specified blob already exists.")
		}
		return c.write(key, name, c.Content), nil
	case c.Method == http.MethodPut && comp == "block":
		c.Store.Put(key+"#"+c.URL.Query().Get("blockid"), store.Object{"block": c.Content})
		return &Reply{Status: 201}, nil
	case c.Method == http.MethodPut && comp == "blocklist":
		return c.commit(key, name)
	case !there || o["content"] == nil:
		return nil, wire.New(404, "BlobNotFound", "The specified blob does not exist.")
	case c.Method == http.MethodPut && comp == "metadata":
		o["meta"] = c.meta()
		c.Store.Put(key, o)
		return &Reply{Status: 200, Header: c.headers(o, content)}, nil
	case c.Method == http.MethodPut && comp == "properties":
		o["type"] = c.Header.Get("X-Ms-Blob-Content-Type")
		c.Store.Put(key, o)
		return &Reply{Status: 200, Header: c.headers(o, content)}, nil
	case c.Method == http.MethodPut && comp == "lease":
		return c.lease(key, o)
	case (c.Method == http.MethodGet || c.Method == http.MethodHead) && comp == "":
		return c.read(o, content)
	case c.Method == http.MethodDelete && comp == "":
		if held := store.Text(o, "lease"); held != "" && c.Header.Get("X-Ms-Lease-Id") != held {
			return nil, wire.New(412, "LeaseIdMissing", "There is currently a lease on the blob and no lease ID was specified in the request.")
		}
		c.Store.Delete(key)
		return &Reply{Status: 202}, nil
	}
	return nil, nil
}

func (c Call) write(key, name string, content []byte) *Reply {
	kind := c.Header.Get("X-Ms-Blob-Content-Type")
	if kind == "" {
		kind = c.Header.Get("Content-Type")
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	old, _ := c.Store.Get(key)
	sum := md5.Sum(content)
	o := store.Object{"name": name, "content": content, "md5": base64.StdEncoding.EncodeToString(sum[:]), "type": kind, "meta": c.meta(), "lease": store.Text(old, "lease")}
	c.Store.Put(key, o)
	return &Reply{Status: 201, Header: c.headers(o, content)}
}

// commit makes a blob of blocks that were put before.
func (c Call) commit(key, name string) (*Reply, error) {
	var list struct {
		Blocks []string `xml:",any"`
	}
	if err := xml.Unmarshal(c.Content, &list); err != nil {
		return nil, wire.New(400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
	}
	content := []byte{}
	for _, id := range list.Blocks {
		b, ok := c.Store.Get(key + "#" + id)
		part, _ := b["block"].([]byte)
		if !ok {
			return nil, wire.New(400, "InvalidBlockList", "The specified block list is invalid.")
		}
		content = append(content, part...)
	}
	for _, k := range c.Store.Below(key + "#") {
		c.Store.Delete(k)
	}
	c.write(key, name, content)
	// Of a blob that is put together the service computes no MD5.
	o, _ := c.Store.Get(key)
	o["md5"] = c.Header.Get("X-Ms-Blob-Content-Md5")
	c.Store.Put(key, o)
	return &Reply{Status: 201, Header: c.headers(o, content)}, nil
}

func (c Call) headers(o store.Object, content []byte) http.Header {
	h := http.Header{"Etag": {etag(content)}, "Last-Modified": {c.Now.UTC().Format(http.TimeFormat)}, "X-Ms-Blob-Type": {"BlockBlob"}, "X-Ms-Access-Tier": {"Hot"}, "X-Ms-Lease-State": {"available"}, "X-Ms-Lease-Status": {"unlocked"}, "X-Ms-Server-Encrypted": {"true"}}
	if sum := store.Text(o, "md5"); sum != "" {
		h.Set("Content-Md5", sum)
	}
	if store.Text(o, "lease") != "" {
		h.Set("X-Ms-Lease-State", "leased")
		h.Set("X-Ms-Lease-Status", "locked")
	}
	meta, _ := o["meta"].(store.Object)
	keys := make([]string, 0, len(meta))
	for k := range meta {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if s, ok := meta[k].(string); ok {
			h.Set("X-Ms-Meta-"+k, s)
		}
	}
	return h
}

func (c Call) read(o store.Object, content []byte) (*Reply, error) {
	h := c.headers(o, content)
	h.Set("Content-Type", store.Text(o, "type"))
	h.Set("Accept-Ranges", "bytes")
	status := http.StatusOK
	want := c.Header.Get("X-Ms-Range")
	if want == "" {
		want = c.Header.Get("Range")
	}
	if from, to, ok := span(want, len(content)); ok {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(content)))
		h.Del("Content-Md5")
		content, status = content[from:to+1], http.StatusPartialContent
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	return &Reply{Status: status, Header: h, Content: content}, nil
}

func span(s string, size int) (from, to int, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes=")
	a, b, dash := strings.Cut(s, "-")
	from, err := strconv.Atoi(a)
	if !ok || !dash || err != nil || from < 0 || from >= size {
		return 0, 0, false
	}
	if to, err = strconv.Atoi(b); err != nil || to >= size {
		to = size - 1
	}
	return from, to, to >= from
}

// lease locks a blob, as Terraform's backend does with a state.
func (c Call) lease(key string, o store.Object) (*Reply, error) {
	held := store.Text(o, "lease")
	content, _ := o["content"].([]byte)
	switch c.Header.Get("X-Ms-Lease-Action") {
	case "acquire":
		if held != "" {
			return nil, wire.New(409, "LeaseAlreadyPresent", "There is already a lease present.")
		}
		id := c.Header.Get("X-Ms-Proposed-Lease-Id")
		if id == "" {
			id = "00000000-0000-4000-8000-000000000000"
		}
		o["lease"] = id
		c.Store.Put(key, o)
		h := c.headers(o, content)
		h.Set("X-Ms-Lease-Id", id)
		return &Reply{Status: 201, Header: h}, nil
	case "release":
		if held == "" || held != c.Header.Get("X-Ms-Lease-Id") {
			return nil, wire.New(409, "LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID for the blob.")
		}
		o["lease"] = ""
		c.Store.Put(key, o)
		return &Reply{Status: 200, Header: c.headers(o, content)}, nil
	}
	return nil, nil
}
