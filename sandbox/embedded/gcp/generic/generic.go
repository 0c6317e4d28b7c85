// Package generic serves the methods that all services have alike: insert or
// create, get, list and aggregatedList, patch, update, delete, and Compute
// Engine's setLabels. The routes' tables say what a resource looks like; what
// is particular to a service comes in as [Hooks].
package generic

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are what is particular to a service. Nil means nothing is.
type Hooks struct {
	// Create checks a resource that is to be made at path, and completes it.
	Create func(c *api.Call, path string, o store.Object) error
	// Update checks what a resource is to become, and completes it.
	Update func(c *api.Call, path string, old, o store.Object) error
	// Delete checks whether a resource may go, and takes along what goes with it.
	Delete func(c *api.Call, path string, o store.Object) error
	// Missing words that there is no such resource, Existing that there is one.
	Missing, Existing func(c *api.Call, path string) error
	// Name is the path of what is to be made, empty where the request says it as
	// most do.
	Name func(c *api.Call) (string, error)
	// Show changes what a client sees of a resource; it gets a copy.
	Show func(c *api.Call, o store.Object) store.Object
}

// Serves tells whether the method is one of those that are served here.
func Serves(m *route.Method) bool {
	switch m.Verb() {
	case "get", "delete":
		return m.Item()
	case "list":
		_, _, ok := m.Service.Schema(m.Response).Items()
		return !m.Item() && ok
	case "aggregatedList":
		return strings.Contains(m.Template, "/aggregated/")
	case "insert", "create", "patch", "update":
		// Where the request wraps the resource, the service has a handler.
		return m.Request != "" && (m.Request == m.Response || operation.Is(m.Response))
	case "setLabels":
		return m.Service.Name == "compute"
	}
	return false
}

// Handle serves a method.
func Handle(c *api.Call, h Hooks) (*api.Reply, error) {
	switch c.Verb() {
	case "get":
		return get(c, h)
	case "list":
		return list(c, h)
	case "aggregatedList":
		return aggregated(c, h)
	case "insert", "create":
		return create(c, h)
	case "patch", "update":
		return update(c, h)
	case "delete":
		return remove(c, h)
	case "setLabels":
		return setLabels(c, h)
	}
	return nil, fmt.Errorf("generic: %s is not served", c.ID)
}

// Missing is the error for a resource that is not there.
func (h Hooks) missing(c *api.Call, path string) error {
	if h.Missing != nil {
		return h.Missing(c, path)
	}
	return Missing(c, path)
}

// Missing is the error for a resource that is not there, as most services say
// it.
func Missing(c *api.Call, path string) error {
	if wire.FormOf(c.Service.Name) == wire.Errors {
		return wire.New(404, "The resource '%s' was not found", path)
	}
	return wire.New(404, "Resource '%s' was not found", path)
}

// Existing is the error for a resource that is there already.
func Existing(c *api.Call, path string) error {
	if wire.FormOf(c.Service.Name) == wire.Errors {
		return wire.New(409, "The resource '%s' already exists", path).With("alreadyExists")
	}
	return wire.New(409, "Resource '%s' already exists", path)
}

func (h Hooks) show(c *api.Call, o store.Object) store.Object {
	shown := store.Clone(o)
	for key := range shown {
		if strings.HasPrefix(key, "-") {
			delete(shown, key)
		}
	}
	if h.Show != nil {
		shown = h.Show(c, shown)
	}
	return shown
}

func get(c *api.Call, h Hooks) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, h.missing(c, c.Path)
	}
	return api.OK(h.show(c, o))
}

// Page cuts a list as maxResults or pageSize says; next is empty at its end.
func Page(c *api.Call, keys []string) (page []string, next string, err error) {
	if token := c.Query.Get("pageToken"); token != "" {
		from, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", wire.New(400, "Invalid value for field 'pageToken': '%s'.", token).With("invalid")
		}
		keys = keys[max(0, slices.IndexFunc(append(slices.Clone(keys), "\xff"), func(k string) bool { return k >= string(from) })):]
	}
	size := 500
	for _, name := range []string{"maxResults", "pageSize"} {
		if s := c.Query.Get(name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return nil, "", wire.New(400, "Invalid value for field '%s': '%s'.", name, s).With("invalid")
			}
			if n > 0 {
				size = n
			}
		}
	}
	if len(keys) > size {
		return keys[:size], base64.RawURLEncoding.EncodeToString([]byte(keys[size])), nil
	}
	return keys, "", nil
}

// below matches the keys right below a collection whose path may have "-" for
// any one.
func below(collection string) *regexp.Regexp {
	parts := strings.Split(collection, "/")
	for i, p := range parts {
		if p == "-" {
			parts[i] = `[^/]+`
		} else {
			parts[i] = regexp.QuoteMeta(p)
		}
	}
	return regexp.MustCompile("^" + strings.Join(parts, "/") + "/([^/]+)$")
}

func list(c *api.Call, h Hooks) (*api.Reply, error) {
	schema := c.Service.Schema(c.Response)
	field, _, _ := schema.Items()
	filter, err := ParseFilter(c.Query.Get("filter"))
	if err != nil {
		return nil, wire.New(400, "Invalid value for field 'filter': '%s'. Invalid list filter expression.", c.Query.Get("filter")).With("invalid")
	}
	collection := c.Key()
	prefix, _, _ := strings.Cut(collection, "/-")
	pattern := below(collection)
	shown := map[string]store.Object{}
	var keys []string
	for key, o := range c.Tx.Scan(prefix) {
		deep := strings.HasSuffix(c.Template, "**}") || strings.HasPrefix(key, collection+"/") && deepNames[c.Collection()]
		if pattern.MatchString(key) || deep {
			if filter(o) {
				keys, shown[key] = append(keys, key), o
			}
		}
	}
	page, next, err := Page(c, keys)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, key := range page {
		items = append(items, h.show(c, shown[key]))
	}
	reply := store.Object{}
	if len(items) > 0 || wire.FormOf(c.Service.Name) != wire.RPC && c.Service.Name != "compute" {
		reply[field] = items
	}
	if next != "" {
		reply["nextPageToken"] = next
	}
	listFields(c, schema, reply)
	return api.OK(reply)
}

// deepNames are the collections whose resources' names have slashes.
var deepNames = map[string]bool{"metricDescriptors": true, "monitoredResourceDescriptors": true, "logs": true}

func listFields(c *api.Call, schema *route.Schema, reply store.Object) {
	if kind := schema.Constant(); kind != "" {
		reply["kind"] = kind
	}
	if schema.Has("selfLink") {
		reply["selfLink"] = "https://www.googleapis.com" + c.Request.URL.Path
	}
	if schema.Has("id") && c.Service.Name == "compute" {
		reply["id"] = c.Path
	}
}

// aggregated lists a collection over all zones, regions and what is global.
func aggregated(c *api.Call, h Hooks) (*api.Reply, error) {
	schema := c.Service.Schema(c.Response)
	filter, err := ParseFilter(c.Query.Get("filter"))
	if err != nil {
		return nil, wire.New(400, "Invalid value for field 'filter': '%s'. Invalid list filter expression.", c.Query.Get("filter")).With("invalid")
	}
	project, collection, _ := strings.Cut(c.Path, "/aggregated/")
	scopes := store.Object{}
	pattern := regexp.MustCompile("^" + regexp.QuoteMeta(c.KeyOf(project)) + "/(global|zones/[^/]+|regions/[^/]+)/" + regexp.QuoteMeta(collection) + "/[^/]+$")
	for key, o := range c.Tx.Scan(c.KeyOf(project) + "/") {
		m := pattern.FindStringSubmatch(key)
		if m == nil || !filter(o) {
			continue
		}
		scope, _ := scopes[m[1]].(store.Object)
		if scope == nil {
			scope = store.Object{collection: []any{}}
			scopes[m[1]] = scope
		}
		scope[collection] = append(scope[collection].([]any), h.show(c, o))
	}
	reply := store.Object{"items": scopes}
	listFields(c, schema, reply)
	return api.OK(reply)
}

// idParameter is the query parameter by which a client names what it creates.
func idParameter(m *route.Method) string {
	for _, q := range m.Query {
		if strings.HasSuffix(q, "Id") && q != "requestId" && q != "clientOperationId" {
			return q
		}
	}
	return ""
}

func (h Hooks) target(c *api.Call) (string, error) {
	if h.Name != nil {
		if path, err := h.Name(c); path != "" || err != nil {
			return path, err
		}
	}
	return Target(c)
}

// Target is the path of what a method makes, from the query or the body.
func Target(c *api.Call) (string, error) {
	if c.Item() {
		return c.Path, nil // PUT to its name
	}
	if q := idParameter(c.Method); q != "" {
		id := c.Query.Get(q)
		if id == "" {
			return "", wire.New(400, "%s is required", q)
		}
		return c.Path + "/" + id, nil
	}
	name := api.String(c.Body, "name")
	if name == "" {
		return "", wire.New(400, "Invalid value for field 'resource.name': ''. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'").With("invalid")
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 && wire.FormOf(c.Service.Name) == wire.RPC {
		name = name[i+1:]
	}
	return c.Path + "/" + name, nil
}

// computeName is the form of Compute Engine's names (RFC 1035).
var computeName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func create(c *api.Call, h Hooks) (*api.Reply, error) {
	path, err := h.target(c)
	if err != nil {
		return nil, err
	}
	schema := c.Resource()
	o, err := Conform(c.Service, schema, c.Body)
	if err != nil {
		return nil, err
	}
	if _, name := splitLast(path); c.Service.Name == "compute" && !computeName.MatchString(name) {
		return nil, wire.New(400, "Invalid value for field 'resource.name': '%s'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'", name).With("invalid")
	}
	if _, there := c.Tx.Get(c.KeyOf(path)); there {
		if h.Existing != nil {
			return nil, h.Existing(c, path)
		}
		return nil, Existing(c, path)
	}
	o, err = Add(c, h, schema, path, o)
	if err != nil {
		return nil, err
	}
	if operation.Is(c.Response) {
		return api.OK(operation.Start(c, path, h.show(c, o)))
	}
	return api.OK(h.show(c, o))
}

func splitLast(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// Add completes a resource, checks it and puts it into the state.
func Add(c *api.Call, h Hooks, schema *route.Schema, path string, o store.Object) (store.Object, error) {
	standard(c, schema, path, o)
	if h.Create != nil {
		if err := h.Create(c, path, o); err != nil {
			return nil, err
		}
	}
	stamp(c, schema, o)
	c.Tx.Put(c.KeyOf(path), o)
	return o, nil
}

// standard sets the fields that every resource has, as far as its schema does.
func standard(c *api.Call, schema *route.Schema, path string, o store.Object) {
	if kind := schema.Constant(); kind != "" {
		o["kind"] = kind
	}
	_, name := splitLast(path)
	if schema.Has("id") && schema.Fields["id"].Type.Kind == route.Long {
		o["id"] = strconv.FormatUint(c.Tx.ID(), 10)
	}
	if schema.Has("name") {
		o["name"] = name
		if wire.FormOf(c.Service.Name) == wire.RPC && c.Service.Name != "container" {
			o["name"] = c.Named(path)
		}
	}
	if schema.Has("uid") {
		o["uid"] = fmt.Sprintf("%x", c.Tx.ID())
	}
	for _, f := range []string{"createTime", "updateTime"} {
		if schema.Has(f) {
			o[f] = api.Time(c.Now)
		}
	}
	if schema.Has("creationTimestamp") {
		o["creationTimestamp"] = api.PacificTime(c.Now)
	}
	if schema.Has("creationTime") && c.Service.Name == "dns" {
		o["creationTime"] = api.Time(c.Now)
	}
	if schema.Has("selfLink") {
		o["selfLink"] = "https://www.googleapis.com/" + c.Service.Prefix + path
		if c.Service.Name == "container" {
			o["selfLink"] = "https://container.googleapis.com/v1/" + path
		}
	}
	if c.Service.Name == "compute" {
		for _, scope := range []string{"zone", "region"} {
			if parts := strings.Split(path, "/"); schema.Has(scope) && parts[2] == scope+"s" {
				o[scope] = api.Link(strings.Join(parts[:4], "/"))
			}
		}
	}
}

// stamp sets what tells one version of a resource from another.
func stamp(c *api.Call, schema *route.Schema, o store.Object) {
	if schema.Has("labelFingerprint") {
		o["labelFingerprint"] = api.Fingerprint(o["labels"])
	}
	content := maps.Clone(o)
	for _, volatile := range []string{"fingerprint", "etag", "updateTime"} {
		delete(content, volatile)
	}
	if schema.Has("fingerprint") {
		o["fingerprint"] = api.Fingerprint(content)
	}
	if schema.Has("etag") && c.Service.Name != "compute" {
		o["etag"] = fmt.Sprintf("%q", api.Fingerprint([]any{content, c.Tx.Serial()}))
	}
}

// Current checks that the client means the version of the resource that is
// there.
func Current(c *api.Call, old store.Object) error {
	if f := api.String(c.Body, "fingerprint"); f != "" && old["fingerprint"] != nil && f != old["fingerprint"] {
		return wire.New(412, "Invalid fingerprint.")
	}
	if e := api.String(c.Body, "etag"); e != "" && old["etag"] != nil && c.Service.Name != "compute" && e != old["etag"] {
		return wire.New(409, "The etag provided is out of date with the resource's current etag.").Stating("ABORTED")
	}
	return nil
}

func update(c *api.Call, h Hooks) (*api.Reply, error) {
	old, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, h.missing(c, c.Path)
	}
	if err := Current(c, old); err != nil {
		return nil, err
	}
	schema := c.Resource()
	given, err := Conform(c.Service, schema, c.Body)
	if err != nil {
		return nil, err
	}
	o := store.Clone(old)
	mask := c.Query.Get("updateMask")
	switch {
	case mask != "" && mask != "*":
		for _, path := range strings.Split(mask, ",") {
			place(o, given, strings.Split(snake(path), "."))
		}
	case c.HTTP == "PATCH":
		merge(o, given)
	default:
		for key := range o {
			if f, known := schema.Fields[key]; known && !f.OutputOnly && !standing[key] {
				delete(o, key)
			}
		}
		for key, v := range given {
			if v != nil && !standing[key] {
				o[key] = v
			}
		}
	}
	o, err = Change(c, h, schema, c.Path, old, o)
	if err != nil {
		return nil, err
	}
	if operation.Is(c.Response) {
		return api.OK(operation.Start(c, c.Path, h.show(c, o)))
	}
	return api.OK(h.show(c, o))
}

// standing are fields that stay as they were made.
var standing = map[string]bool{"id": true, "name": true, "kind": true, "selfLink": true, "creationTimestamp": true, "fingerprint": true,
	"labelFingerprint": true, "etag": true, "createTime": true, "uid": true, "zone": true, "region": true}

// Change completes a resource's new version, checks it and puts it into the
// state.
func Change(c *api.Call, h Hooks, schema *route.Schema, path string, old, o store.Object) (store.Object, error) {
	for key := range standing {
		if v, ok := old[key]; ok {
			o[key] = v
		}
	}
	if h.Update != nil {
		if err := h.Update(c, path, old, o); err != nil {
			return nil, err
		}
	}
	if schema.Has("updateTime") {
		o["updateTime"] = api.Time(c.Now)
	}
	stamp(c, schema, o)
	c.Tx.Put(c.KeyOf(path), o)
	return o, nil
}

// Camel turns a field mask's name_of_field into JSON's nameOfField.
func Camel(path string) string { return snake(path) }

// snake turns a field mask's name_of_field into JSON's nameOfField.
func snake(path string) string {
	parts := strings.Split(strings.TrimSpace(path), "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

// place copies one path of a field mask; what was not given is taken away.
func place(to, from store.Object, path []string) {
	if len(path) == 1 {
		if v, ok := from[path[0]]; ok && v != nil {
			to[path[0]] = v
		} else {
			delete(to, path[0])
		}
		return
	}
	inner, _ := to[path[0]].(store.Object)
	if inner == nil {
		inner = store.Object{}
	}
	given, _ := from[path[0]].(store.Object)
	place(inner, given, path[1:])
	to[path[0]] = inner
}

// merge applies a JSON merge patch (RFC 7396).
func merge(to, patch store.Object) {
	for key, v := range patch {
		inner, isObject := v.(store.Object)
		was, hasObject := to[key].(store.Object)
		switch {
		case v == nil:
			delete(to, key)
		case isObject && hasObject:
			merge(was, inner)
		default:
			to[key] = v
		}
	}
}

// Merge applies a JSON merge patch (RFC 7396).
func Merge(to, patch store.Object) { merge(to, patch) }

func remove(c *api.Call, h Hooks) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, h.missing(c, c.Path)
	}
	if e := c.Query.Get("etag"); e != "" && o["etag"] != nil && e != o["etag"] {
		return nil, wire.New(409, "The etag provided is out of date with the resource's current etag.").Stating("ABORTED")
	}
	if err := Remove(c, h, c.Path, o); err != nil {
		return nil, err
	}
	switch {
	case operation.Is(c.Response) && c.Service.Name == "compute":
		return api.OK(operation.Start(c, c.Path, o))
	case operation.Is(c.Response):
		return api.OK(operation.Start(c, c.Path, nil))
	case c.Response == "":
		return &api.Reply{Status: 204}, nil
	}
	return api.OK(store.Object{})
}

// Remove takes a resource out of the state, with all below it and the policies
// on them.
func Remove(c *api.Call, h Hooks, path string, o store.Object) error {
	if h.Delete != nil {
		if err := h.Delete(c, path, o); err != nil {
			return err
		}
	}
	key := c.KeyOf(path)
	for _, k := range []string{key, "policy:" + key} {
		if _, ok := c.Tx.Get(k); ok {
			c.Tx.Delete(k)
		}
		for inner := range c.Tx.Scan(k + "/") {
			c.Tx.Delete(inner)
		}
	}
	return nil
}

func setLabels(c *api.Call, h Hooks) (*api.Reply, error) {
	old, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, h.missing(c, c.Path)
	}
	if f := api.String(c.Body, "labelFingerprint"); f != old["labelFingerprint"] {
		return nil, wire.New(412, "Labels fingerprint either invalid or resource labels have changed")
	}
	o := store.Clone(old)
	delete(o, "labels")
	if labels := api.Object(c.Body, "labels"); len(labels) > 0 {
		o["labels"] = store.Clone(labels)
	}
	o["labelFingerprint"] = api.Fingerprint(o["labels"])
	c.Tx.Put(c.Key(), o)
	return api.OK(operation.Start(c, c.Path, o))
}
