package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

const domain = "-docker.pkg.dev"

// IsDocker tells whether a host is that of a Docker registry.
func IsDocker(host string) bool { return strings.HasSuffix(host, domain) }

// Docker is one request of the registry protocol.
type Docker struct {
	Method *route.Method // docker.blobs.get and so on: what the rules go by
	Path   string        // of the repository: projects/P/locations/L/repositories/R
	Image  string        // within it, with "%2F" for slashes, as names have it
	what   string
	id     string // a tag, a digest or an upload
}

var parts = regexp.MustCompile(`^/v2/([^/]+)/([^/]+)/(.+)/(blobs|manifests|tags|referrers)/(.*)$`)

// verbs are the operations, by what the path ends in and the HTTP method.
var verbs = map[string]string{
	"blobs GET": "get", "blobs HEAD": "get", "blobs DELETE": "delete",
	"uploads POST": "create", "uploads PATCH": "update", "uploads PUT": "update", "uploads GET": "get", "uploads DELETE": "delete",
	"manifests GET": "get", "manifests HEAD": "get", "manifests PUT": "create", "manifests DELETE": "delete",
	"tags GET": "list", "referrers GET": "list",
}

// ReadDocker takes a request apart, false when it is none of the protocol.
func ReadDocker(host string, r *http.Request) (*Docker, bool) {
	m := parts.FindStringSubmatch(r.URL.Path)
	location, ok := strings.CutSuffix(host, domain)
	if m == nil || !ok {
		return nil, false
	}
	d := &Docker{Path: "projects/" + m[1] + "/locations/" + location + "/repositories/" + m[2], Image: strings.ReplaceAll(m[3], "/", "%2F"), what: m[4], id: m[5]}
	if rest, upload := strings.CutPrefix(m[5], "uploads/"); upload && m[4] == "blobs" {
		d.what, d.id = "uploads", rest
	}
	verb := verbs[d.what+" "+r.Method]
	if verb == "" || d.what == "tags" && d.id != "list" || d.what == "blobs" && verb == "delete" {
		return nil, false
	}
	d.Method = &route.Method{ID: "docker." + d.what + "." + verb, HTTP: r.Method, Service: route.ByID("artifactregistry.projects.locations.repositories.get").Service}
	return d, true
}

// failed is an error of the protocol: code is one of the specification's.
func failed(status int, code, format string, args ...any) error {
	return wire.New(status, format, args...).With(code)
}

// Serve answers a request that was authorized.
func (d *Docker) Serve(c *api.Call) (*api.Reply, error) {
	repository, ok := c.Tx.Get(c.KeyOf(d.Path))
	if !ok {
		return nil, failed(404, "NAME_UNKNOWN", "Repository %q not found", d.Path[strings.LastIndexByte(d.Path, '/')+1:])
	}
	if repository["format"] != "DOCKER" {
		return nil, failed(400, "UNSUPPORTED", "Repository is not of the DOCKER format")
	}
	switch d.what {
	case "blobs":
		return d.blob(c)
	case "uploads":
		return d.upload(c)
	case "manifests":
		return d.manifest(c)
	case "tags":
		return d.tags(c)
	}
	return content(c, "application/vnd.oci.image.index.v1+json", []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`), "")
}

func (d *Docker) blobKey(c *api.Call, digest string) string {
	return c.KeyOf(d.Path) + "/-blobs/" + digest
}

func (d *Docker) packageKey(c *api.Call) string { return c.KeyOf(d.Path) + "/packages/" + d.Image }

// url is where the image's part is, as the Location header says it.
func (d *Docker) url(c *api.Call, rest string) string {
	p := strings.Split(d.Path, "/")
	return "https://" + c.Request.Host + "/v2/" + p[1] + "/" + p[5] + "/" + strings.ReplaceAll(d.Image, "%2F", "/") + "/" + rest
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func content(c *api.Call, kind string, text []byte, digest string) (*api.Reply, error) {
	h := http.Header{"Docker-Distribution-Api-Version": {"registry/2.0"}}
	if digest != "" {
		h.Set("Docker-Content-Digest", digest)
	}
	return &api.Reply{Content: text, ContentType: kind, Header: h}, nil
}

func (d *Docker) blob(c *api.Call) (*api.Reply, error) {
	text, ok := c.Tx.Blob(d.blobKey(c, d.id))
	if !ok {
		return nil, failed(404, "BLOB_UNKNOWN", "blob unknown to registry")
	}
	return content(c, "application/octet-stream", text, d.id)
}

// upload takes a blob: whole with the request that begins it, or in parts.
func (d *Docker) upload(c *api.Call) (*api.Reply, error) {
	digest := c.Query.Get("digest")
	key := c.KeyOf(d.Path) + "/-uploads/" + d.id
	switch c.Request.Method {
	case http.MethodPost:
		if mount := c.Query.Get("mount"); mount != "" {
			if _, ok := c.Tx.Blob(d.blobKey(c, mount)); ok {
				return d.made(c, mount)
			}
		}
		if digest != "" {
			return d.keep(c, digest, c.Content)
		}
		d.id = fmt.Sprintf("%x", c.Tx.ID())
		c.Tx.PutBlob(c.KeyOf(d.Path)+"/-uploads/"+d.id, store.Object{}, nil)
		return d.progress(c, 0)
	case http.MethodPatch, http.MethodPut:
		have, ok := c.Tx.Blob(key)
		if !ok {
			return nil, failed(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
		}
		if at := c.Request.Header.Get("Content-Range"); at != "" {
			first, _, _ := strings.Cut(strings.TrimPrefix(at, "bytes "), "-")
			if first != strconv.Itoa(len(have)) {
				return nil, failed(416, "BLOB_UPLOAD_INVALID", "the part does not begin at %d", len(have))
			}
		}
		all := slices.Concat(have, c.Content)
		if c.Request.Method == http.MethodPut {
			c.Tx.Delete(key)
			return d.keep(c, digest, all)
		}
		c.Tx.PutBlob(key, store.Object{}, all)
		return d.progress(c, len(all))
	case http.MethodDelete:
		c.Tx.Delete(key)
		return &api.Reply{Status: 204}, nil
	}
	have, ok := c.Tx.Blob(key)
	if !ok {
		return nil, failed(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
	}
	reply, err := d.progress(c, len(have))
	reply.Status = http.StatusNoContent
	return reply, err
}

func (d *Docker) progress(c *api.Call, size int) (*api.Reply, error) {
	h := http.Header{"Location": {d.url(c, "blobs/uploads/"+d.id)}, "Docker-Upload-Uuid": {d.id}, "Range": {"0-" + strconv.Itoa(max(0, size-1))}}
	return &api.Reply{Status: http.StatusAccepted, Header: h}, nil
}

func (d *Docker) keep(c *api.Call, digest string, text []byte) (*api.Reply, error) {
	if got := digestOf(text); got != digest {
		return nil, failed(400, "DIGEST_INVALID", "provided digest %q did not match uploaded content %q", digest, got)
	}
	c.Tx.PutBlob(d.blobKey(c, digest), store.Object{}, text)
	return d.made(c, digest)
}

func (d *Docker) made(c *api.Call, digest string) (*api.Reply, error) {
	return &api.Reply{Status: http.StatusCreated, Header: http.Header{"Location": {d.url(c, "blobs/"+digest)}, "Docker-Content-Digest": {digest}}}, nil
}

// resolve is the digest that a tag or digest stands for.
func (d *Docker) resolve(c *api.Call) string {
	if strings.HasPrefix(d.id, "sha256:") {
		return d.id
	}
	tag, _ := c.Tx.Get(d.packageKey(c) + "/tags/" + d.id)
	version := api.String(tag, "version")
	return version[strings.LastIndexByte(version, '/')+1:]
}

func (d *Docker) manifest(c *api.Call) (*api.Reply, error) {
	if c.Request.Method == http.MethodPut {
		return d.push(c)
	}
	digest := d.resolve(c)
	key := d.packageKey(c) + "/versions/" + digest
	version, ok := c.Tx.Get(key)
	if !ok {
		return nil, failed(404, "MANIFEST_UNKNOWN", "Failed to fetch %q", d.id)
	}
	if c.Request.Method == http.MethodDelete {
		return d.untag(c, digest)
	}
	text, _ := c.Tx.Blob(key)
	return content(c, api.String(version, "-mediaType"), text, digest)
}

func (d *Docker) untag(c *api.Call, digest string) (*api.Reply, error) {
	if !strings.HasPrefix(d.id, "sha256:") {
		c.Tx.Delete(d.packageKey(c) + "/tags/" + d.id)
		return &api.Reply{Status: http.StatusAccepted}, nil
	}
	path := strings.TrimPrefix(d.packageKey(c), c.Service.Name+"/") + "/versions/" + digest
	if err := remove(c, path, nil); err != nil {
		return nil, err
	}
	c.Tx.Delete(c.KeyOf(path))
	return &api.Reply{Status: http.StatusAccepted}, nil
}

var tagName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// push takes a manifest whose parts were all pushed before.
func (d *Docker) push(c *api.Call) (*api.Reply, error) {
	var m struct {
		MediaType         string
		Config            *struct{ Digest string }
		Layers, Manifests []struct {
			Digest string
			Size   int64
		}
	}
	if err := json.Unmarshal(c.Content, &m); err != nil {
		return nil, failed(400, "MANIFEST_INVALID", "manifest invalid: %v", err)
	}
	digest := digestOf(c.Content)
	if isDigest := strings.HasPrefix(d.id, "sha256:"); isDigest && d.id != digest {
		return nil, failed(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
	} else if !isDigest && !tagName.MatchString(d.id) {
		return nil, failed(400, "TAG_INVALID", "invalid tag %q", d.id)
	}
	size := int64(len(c.Content))
	for _, layer := range m.Layers {
		if _, ok := c.Tx.Blob(d.blobKey(c, layer.Digest)); !ok {
			return nil, failed(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry: %s", layer.Digest)
		}
		size += layer.Size
	}
	if m.Config != nil {
		if _, ok := c.Tx.Blob(d.blobKey(c, m.Config.Digest)); !ok {
			return nil, failed(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry: %s", m.Config.Digest)
		}
	}
	for _, inner := range m.Manifests {
		if _, ok := c.Tx.Get(d.packageKey(c) + "/versions/" + inner.Digest); !ok {
			return nil, failed(404, "MANIFEST_UNKNOWN", "manifest unknown: %s", inner.Digest)
		}
	}
	kind := m.MediaType
	if kind == "" {
		kind = c.Request.Header.Get("Content-Type")
	}
	d.record(c, digest, kind, size)
	return &api.Reply{Status: http.StatusCreated, Header: http.Header{"Location": {d.url(c, "manifests/"+digest)}, "Docker-Content-Digest": {digest}}}, nil
}

// record puts a manifest into the state as the API shows it: a package's
// version, an image, and a tag.
func (d *Docker) record(c *api.Call, digest, kind string, size int64) {
	key, now := d.packageKey(c), api.Time(c.Now)
	name := func(k string) string { return strings.TrimPrefix(k, c.Service.Name+"/") }
	if _, there := c.Tx.Get(key); !there {
		c.Tx.Put(key, store.Object{"name": name(key), "createTime": now, "updateTime": now})
	}
	version := key + "/versions/" + digest
	if _, there := c.Tx.Get(version); !there {
		c.Tx.PutBlob(version, store.Object{"name": name(version), "createTime": now, "updateTime": now, "-mediaType": kind}, c.Content)
	}
	image := c.KeyOf(d.Path) + "/dockerImages/" + d.Image + "@" + digest
	if _, there := c.Tx.Get(image); !there {
		p := strings.Split(d.Path, "/")
		c.Tx.Put(image, store.Object{"name": name(image), "uploadTime": now, "updateTime": now, "mediaType": kind, "imageSizeBytes": strconv.FormatInt(size, 10),
			"uri": c.Request.Host + "/" + p[1] + "/" + p[5] + "/" + strings.ReplaceAll(d.Image, "%2F", "/") + "@" + digest})
	}
	if !strings.HasPrefix(d.id, "sha256:") {
		tag := key + "/tags/" + d.id
		c.Tx.Put(tag, store.Object{"name": name(tag), "version": name(version)})
	}
}

func (d *Docker) tags(c *api.Call) (*api.Reply, error) {
	if _, ok := c.Tx.Get(d.packageKey(c)); !ok {
		return nil, failed(404, "NAME_UNKNOWN", "Package %q not found", d.Image)
	}
	tags := []string{}
	prefix := d.packageKey(c) + "/tags/"
	for key := range c.Tx.Scan(prefix) {
		tags = append(tags, strings.TrimPrefix(key, prefix))
	}
	p := strings.Split(d.Path, "/")
	text, err := json.Marshal(map[string]any{"name": p[1] + "/" + p[5] + "/" + strings.ReplaceAll(d.Image, "%2F", "/"), "tags": tags})
	if err != nil {
		return nil, err
	}
	return content(c, "application/json", text, "")
}
