// Package rules tells which permissions Google Cloud checks for a request, and
// on which resources, by a table whose rows cite their sources.
package rules

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

//go:embed rows.tsv
var text string

// Need is one permission on one resource that a request needs.
type Need struct {
	Permission string
	Key        string // the resource's name in the store
	Shown      string // as a refusal shows it
	Name, Type string // as conditions see it
	Kind       string // of Cloud Storage: project, bucket, object
}

// Row is one line of the table.
type Row struct {
	Permission, Resource, When, Source string
}

type table struct {
	sources, services, verbs, collections map[string]string
	rows                                  map[string][]Row
	order                                 []string
}

var load = sync.OnceValue(func() *table {
	t, err := parse(text)
	if err != nil {
		panic(err) // a test reads the table
	}
	return t
})

func parse(text string) (*table, error) {
	t := &table{map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string][]Row{}, nil}
	var method string
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if into := map[string]map[string]string{"!source": t.sources, "!service": t.services, "!verb": t.verbs, "!collection": t.collections}[f[0]]; into != nil {
			if len(f) != 3 {
				return nil, fmt.Errorf("rules: line %d has %d columns, not 3", n, len(f))
			}
			into[f[1]] = f[2]
			continue
		}
		if len(f) != 5 {
			return nil, fmt.Errorf("rules: line %d has %d columns, not 5", n, len(f))
		}
		if t.sources[f[4]] == "" {
			return nil, fmt.Errorf("rules: line %d: there is no source %q", n, f[4])
		}
		if f[0] != "+" {
			method = f[0]
			if t.rows[method] != nil {
				return nil, fmt.Errorf("rules: line %d: %s has rows already", n, method)
			}
			t.order = append(t.order, method)
		}
		t.rows[method] = append(t.rows[method], Row{f[1], f[2], f[3], f[4]})
	}
	for method, rows := range t.rows {
		if other, ok := strings.CutPrefix(rows[0].Permission, "as "); ok {
			if t.rows[other] == nil {
				return nil, fmt.Errorf("rules: %s is as %s, which has no rows", method, other)
			}
			t.rows[method] = t.rows[other]
		}
	}
	return t, nil
}

// Permission is what a method checks by the rule, without the table's rows.
func Permission(m *route.Method) string { return load().permission(m) }

func (t *table) permission(m *route.Method) string {
	service, verb, collection := m.Service.Name, m.Verb(), m.Collection()
	for _, name := range []string{service + "." + collection + "." + verb, service + "." + verb, verb} {
		if as := t.verbs[name]; as != "" {
			verb = as
			break
		}
	}
	if as := t.collections[service+"."+collection]; as != "" {
		collection = as
	}
	if as := t.services[service]; as != "" {
		service = as
	}
	return service + "." + collection + "." + verb
}

// Rows are the lines that hold for a method: its own, or the rule's.
func Rows(m *route.Method) []Row {
	t := load()
	rows := t.rows[m.ID]
	if rows == nil {
		switch verb := m.Verb(); {
		case verb == "testIamPermissions":
			rows = []Row{{"-", "self", "-", "test"}}
		case verb == "patch" && (m.Service.Name == "compute" || m.Service.Name == "dns"):
			rows = []Row{{"=", "self", "-", "rest"}, {t.get(m), "self", "-", "rest"}}
		case verb == "list" && m.Service.Name == "compute" || verb == "aggregatedList" || m.Service.Name == "dns":
			rows = []Row{{"=", "project", "-", "rest"}}
		case verb == "create" && m.Service.Name != "compute" || verb == "list":
			rows = []Row{{"=", "parent", "-", "rest"}}
		default:
			rows = []Row{{"=", "self", "-", "rest"}}
		}
	}
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].Permission == "=" {
			rows[i].Permission = t.permission(m)
		}
	}
	return rows
}

// get is the permission to read what a method changes.
func (t *table) get(m *route.Method) string {
	p := t.permission(m)
	return p[:strings.LastIndexByte(p, '.')] + ".get"
}

// Needs gives what a request needs, in the order in which it is checked.
func Needs(c *api.Call) []Need {
	r := reader{c: c}
	r.old, _ = c.Tx.Get(c.Key())
	var needs []Need
	for _, row := range Rows(c.Method) {
		if row.Permission == "-" || !r.holds(row.When) {
			continue
		}
		for _, key := range r.resources(row) {
			permission := row.Permission
			if strings.HasPrefix(key, "compute/") {
				permission = adapt(permission, key)
			}
			need := Describe(c, permission, key)
			if !slices.Contains(needs, need) {
				needs = append(needs, need)
			}
		}
	}
	return needs
}

// regional are the collections whose regional resources have permissions of
// their own. Source: IAM permissions reference, compute.region….
var regional = map[string]string{
	"backendServices": "regionBackendServices", "healthChecks": "regionHealthChecks", "urlMaps": "regionUrlMaps",
	"targetHttpProxies": "regionTargetHttpProxies", "targetHttpsProxies": "regionTargetHttpsProxies",
	"sslCertificates": "regionSslCertificates", "sslPolicies": "regionSslPolicies", "securityPolicies": "regionSecurityPolicies",
	"notificationEndpoints": "regionNotificationEndpoints", "operations": "regionOperations",
}

// global are the collections that are called otherwise where they are global.
var global = map[string]string{"addresses": "globalAddresses", "forwardingRules": "globalForwardingRules", "operations": "globalOperations",
	"networkEndpointGroups": "globalNetworkEndpointGroups", "publicDelegatedPrefixes": "globalPublicDelegatedPrefixes"}

// adapt gives a permission of the kind use the collection of what is really
// named: a regional health check has a permission of its own.
func adapt(permission, key string) string {
	parts := strings.Split(strings.TrimPrefix(key, "compute/"), "/")
	if len(parts) < 4 {
		return permission
	}
	collection := parts[len(parts)-2]
	switch parts[2] {
	case "regions":
		if as := regional[collection]; as != "" {
			collection = as
		}
	case "global":
		if as := global[collection]; as != "" {
			collection = as
		}
	}
	p := strings.Split(permission, ".")
	switch {
	case permission == "@use":
		return "compute." + collection + ".use"
	case p[0] == "compute" && strings.HasPrefix(p[2], "use"):
		return "compute." + collection + "." + p[2]
	}
	return permission
}

// Describe completes a need from its resource's name in the store.
func Describe(c *api.Call, permission, key string) Need {
	service, path, _ := strings.Cut(key, "/")
	if service == "container" { // node pools have no permissions of their own: GKE, "IAM permissions by method"
		path, _, _ = strings.Cut(path, "/nodePools/")
		key = service + "/" + path
	}
	n := Need{Permission: permission, Key: key, Shown: path, Name: path, Type: TypeOf(key)}
	switch service {
	case "storage":
		bucket, object, _ := strings.Cut(strings.TrimPrefix(path, "b/"), "/o/")
		n.Kind, n.Name = "bucket", "projects/_/buckets/"+bucket
		if object != "" {
			n.Kind, n.Name = "object", n.Name+"/objects/"+object
		}
		n.Shown = n.Name
	case "compute":
		if rest, ok := strings.CutPrefix(path, "projects/"+c.Project.ID+"/"); ok && strings.HasPrefix(permission, "iap.") {
			// Source: IAM, "Resource attributes for conditions".
			n.Name, n.Type = "projects/"+c.Project.Number+"/iap_tunnel/"+rest, "iap.googleapis.com/TunnelInstance"
		}
	case "container":
		// Source: IAM, "Resource attributes for IAM Conditions", its formats of names.
		if parts := strings.Split(path, "/"); len(parts) > 4 && parts[2] == "locations" && strings.Count(parts[3], "-") == 2 {
			parts[2] = "zones"
			n.Name = strings.Join(parts, "/")
		}
	case "cloudresourcemanager":
		n.Kind = "project"
	case "secretmanager":
		if rest, ok := strings.CutPrefix(path, "projects/"+c.Project.ID); ok {
			n.Name = "projects/" + c.Project.Number + rest
			n.Shown = n.Name
		}
	}
	return n
}

var types = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, method := range route.Methods() {
		if method.Verb() == "get" && method.Item() && method.Response != "" {
			m[method.Service.Name+"/"+collectionOf(method.Template)] = method.Service.Host + "/" + method.Response
		}
	}
	m["storage/b"], m["storage/o"] = "storage.googleapis.com/Bucket", "storage.googleapis.com/Object"
	m["cloudresourcemanager/projects"] = "cloudresourcemanager.googleapis.com/Project"
	return m
})

func collectionOf(template string) string {
	parts := strings.Split(template, "/")
	if len(parts) < 2 {
		return template
	}
	return parts[len(parts)-2]
}

// TypeOf is the type of a resource, as conditions see it.
func TypeOf(key string) string {
	service, path, _ := strings.Cut(key, "/")
	if service == "storage" && strings.Contains(path, "/o/") {
		return types()["storage/o"]
	}
	return types()[service+"/"+collectionOf(path)]
}

// reader finds what a row's columns speak of.
type reader struct {
	c   *api.Call
	old store.Object // the resource as it is; may be nil
}

// holds tells whether a row's condition does.
func (r reader) holds(when string) bool {
	if when == "-" {
		return true
	}
	if when == "replaced" {
		_, there := r.c.Tx.Get(r.object())
		return there
	}
	if when == "acls" {
		bucket, _ := r.c.Tx.Get("storage/b/" + r.c.Params["bucket"])
		return r.c.Query.Get("projection") == "full" && !api.Bool(bucket, "iamConfiguration.uniformBucketLevelAccess.enabled")
	}
	if query, ok := strings.CutPrefix(when, "query:"); ok {
		name, value, _ := strings.Cut(query, "=")
		return r.c.Query.Get(name) == value
	}
	field, none := strings.CutPrefix(when, "!")
	field, value, compare := strings.Cut(field, "=")
	for _, v := range r.values(field) {
		if list, ok := v.([]any); ok && len(list) == 0 {
			continue
		}
		if m, ok := v.(store.Object); ok && len(m) == 0 {
			continue
		}
		if v != nil && v != "" && (!compare || fmt.Sprint(v) == value) {
			return !none
		}
	}
	return none
}

// resources are the keys that a row's permission is checked on.
func (r reader) resources(row Row) []string {
	c := r.c
	function, argument, _ := strings.Cut(strings.TrimSuffix(row.Resource, ")"), "(")
	project := "cloudresourcemanager/projects/" + c.Project.ID
	if p := r.project(); p != "" {
		project = api.Key("cloudresourcemanager", c.Project, "projects/"+p)
	}
	switch function {
	case "project":
		return []string{project}
	case "self":
		return []string{r.self(project)}
	case "parent":
		return []string{r.parent(project)}
	case "ref":
		return r.refs(argument)
	case "was":
		return r.refs("old:" + argument)
	case "account":
		return r.accounts(argument)
	case "named":
		return r.named(argument, row.Permission)
	case "named-query":
		name := c.Query.Get(argument)
		if name == "" {
			name = api.String(c.Body, "name")
		}
		return []string{c.KeyOf(c.Path + "/" + name)}
	case "query":
		if path, ok := api.Relative(c.Query.Get(argument), c.Project.ID); ok {
			return []string{c.KeyOf(path)}
		}
	case "made":
		return []string{c.KeyOf("projects/" + c.Project.ID + "/global/" + argument + "/" + api.String(c.Body, "name"))}
	case "group":
		return []string{strings.Replace(c.Key(), "/instanceGroupManagers/", "/instanceGroups/", 1)}
	case "instances":
		base := api.String(c.Body, "baseInstanceName")
		if base == "" {
			base = api.String(r.old, "baseInstanceName")
		}
		return []string{c.KeyOf(r.place() + "/instances/" + base + "-0000")}
	case "disks", "labelled":
		return r.disks(argument, function == "labelled")
	case "subnet", "external", "addresses":
		return r.interfaces(function, argument)
	case "bucket":
		return []string{"storage/b/" + c.Param("bucket", "sourceBucket", "destinationBucket")}
	case "object", "destination":
		return []string{r.object()}
	case "source":
		return []string{"storage/b/" + c.Params["sourceBucket"] + "/o/" + c.Params["sourceObject"]}
	}
	return nil
}

// project is the project that the request names, empty when it names none.
func (r reader) project() string {
	if p := r.c.Param("project", "projectsId", "projectId"); p != "" {
		return p
	}
	if rest, ok := strings.CutPrefix(r.c.Path, "projects/"); ok {
		p, _, _ := strings.Cut(rest, "/")
		return p
	}
	if r.c.Service.Name == "storage" {
		return r.c.Query.Get("project")
	}
	return ""
}

// self is what the path names; for a method that makes something, what it
// makes.
func (r reader) self(project string) string {
	c := r.c
	switch {
	case c.Service.Name == "storage":
		if b := c.Params["bucket"]; b != "" {
			if o := c.Params["object"]; o != "" {
				return "storage/b/" + b + "/o/" + o
			}
			return "storage/b/" + b
		}
		return project
	case c.Service.Name == "compute" && c.Verb() == "insert":
		name := api.String(c.Body, "name")
		if name == "" {
			return project
		}
		return c.KeyOf(c.Path + "/" + name)
	}
	key := c.Key()
	if !strings.Contains(key, "/projects/") {
		return project
	}
	return r.accountKey(key)
}

// accountKey is the key of a service account by its address, in IAM, however the
// request names it: to IAM Credentials it is the same account, and its unique id
// names it too.
func (r reader) accountKey(key string) string {
	service, path, _ := strings.Cut(key, "/")
	before, rest, ok := strings.Cut(path, "/serviceAccounts/")
	if !ok || service != "iam" && service != "iamcredentials" {
		return key
	}
	name, below, deeper := strings.Cut(rest, "/")
	accounts := "iam/" + before + "/serviceAccounts/"
	if !strings.Contains(name, "@") {
		for _, o := range r.c.Tx.Scan(accounts) {
			if o["uniqueId"] == name {
				name = api.String(o, "email")
				break
			}
		}
	}
	if deeper {
		name += "/" + below
	}
	return accounts + name
}

// parent is what the named collection, or resource, is in.
func (r reader) parent(project string) string {
	key := r.accountKey(r.c.Key())
	i := strings.LastIndexByte(key, '/')
	if r.c.Item() && i > 0 {
		i = strings.LastIndexByte(key[:i], '/')
	}
	if i < 0 || !strings.Contains(key[:i], "/projects/") {
		return project
	}
	up := key[:i]
	if strings.Count(up, "/") == 2 { // SERVICE/projects/ID
		return project
	}
	return up
}

// object is the key of the object that a Cloud Storage method makes or is
// about.
func (r reader) object() string {
	c := r.c
	bucket := c.Param("bucket", "destinationBucket")
	object := c.Param("object", "destinationObject")
	if object == "" {
		object = c.Query.Get("name")
	}
	if object == "" {
		object = api.String(c.Body, "name")
	}
	return "storage/b/" + bucket + "/o/" + object
}

// place is the zone, or region, of what the request is about.
func (r reader) place() string {
	parts := strings.Split(r.c.Path, "/")
	if len(parts) >= 4 {
		return strings.Join(parts[:4], "/")
	}
	return r.c.Path
}
