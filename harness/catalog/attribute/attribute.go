// Package attribute says on which resources a permission of Google Cloud is granted
// that a request was refused: under which condition on a resource's name or type, or
// on which service account.
//
// IAM Conditions can tell the resources of few services: [Kinds], each with its
// source. It holds facts and pure functions over them, and does no I/O. What is in no
// table is granted on the whole project, and [Why] says why.
package attribute

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/harness/grant"
)

// Kind is a type of resource that IAM Conditions know attributes of.
type Kind struct {
	// Type is the value of resource.type.
	Type string
	// Service and Collection are what permissions about it begin with.
	Service, Collection string
	// Source is where it is documented, besides the page of all: IAM, "Resource
	// attributes for IAM Conditions", its tables of types and of name formats.
	Source string

	name *regexp.Regexp
	// holds says that conditions on its name take in what lies in it, by the names
	// that begin with its own and a slash.
	holds bool
}

const (
	typesPage  = `IAM, "Resource attributes for IAM Conditions"`
	acceptPage = `IAM, "Resource types that accept conditional role bindings"`
	plainName  = `[A-Za-z0-9][A-Za-z0-9._-]*`
	within     = `projects/` + plainName + `/`
)

// kinds are in the order in which a name is looked for: what lies in another after it,
// since a grant on it is one on what it lies in.
var kinds = []Kind{
	{"secretmanager.googleapis.com/Secret", "secretmanager", "secrets", typesPage + `: projects/NUMBER/secrets/ID`, regexp.MustCompile(`^projects/[0-9]+/(?:locations/` + plainName + `/)?secrets/` + plainName + `$`), true},
	{"secretmanager.googleapis.com/SecretVersion", "secretmanager", "versions", typesPage + `: below the secret`, nil, false},
	{"storage.googleapis.com/Bucket", "storage", "buckets", typesPage + `: projects/_/buckets/NAME`, regexp.MustCompile(`^projects/_/buckets/` + plainName + `$`), true},
	{"storage.googleapis.com/Object", "storage", "objects", typesPage + `: below the bucket`, nil, false},
	{"compute.googleapis.com/Disk", "compute", "disks", typesPage, regexp.MustCompile(`^` + within + `(?:zones|regions)/` + plainName + `/disks/` + plainName + `$`), false},
	{"compute.googleapis.com/Firewall", "compute", "firewalls", typesPage, regexp.MustCompile(`^` + within + `global/firewalls/` + plainName + `$`), false},
	{"compute.googleapis.com/Image", "compute", "images", typesPage, regexp.MustCompile(`^` + within + `global/images/` + plainName + `$`), false},
	{"compute.googleapis.com/Instance", "compute", "instances", typesPage, regexp.MustCompile(`^` + within + `zones/` + plainName + `/instances/` + plainName + `$`), false},
	{"compute.googleapis.com/InstanceTemplate", "compute", "instanceTemplates", typesPage, regexp.MustCompile(`^` + within + `global/instanceTemplates/` + plainName + `$`), false},
	{"compute.googleapis.com/Snapshot", "compute", "snapshots", acceptPage, regexp.MustCompile(`^` + within + `global/snapshots/` + plainName + `$`), false},
	{"compute.googleapis.com/BackendService", "compute", "backendServices", typesPage + `: the global ones`, regexp.MustCompile(`^` + within + `global/backendServices/` + plainName + `$`), false},
	{"cloudkms.googleapis.com/KeyRing", "cloudkms", "keyRings", typesPage, regexp.MustCompile(`^` + within + `locations/` + plainName + `/keyRings/` + plainName + `$`), true},
	{"cloudkms.googleapis.com/CryptoKey", "cloudkms", "cryptoKeys", typesPage, regexp.MustCompile(`^` + within + `locations/` + plainName + `/keyRings/` + plainName + `/cryptoKeys/` + plainName + `$`), true},
	{"cloudkms.googleapis.com/CryptoKeyVersion", "cloudkms", "cryptoKeyVersions", typesPage + `: below the key`, nil, false},
	{"container.googleapis.com/Cluster", "container", "clusters", typesPage + `: zonal clusters are projects/ID/zones/ZONE/clusters/NAME, regional ones projects/ID/locations/REGION/clusters/NAME`, regexp.MustCompile(`^` + within + `(?:zones|locations)/` + plainName + `/clusters/` + plainName + `$`), true},
}

// Blind is a type of resource that a lifecycle is often about and that conditions are
// not used for.
type Blind struct {
	Service, Collection string
	// Source says where it is documented that there are none, or what is not known.
	Source string
}

const (
	// The service itself is not there.
	neither = `on neither page: ` + typesPage + `; ` + acceptPage
	// Of the first page the part behind InstanceTemplate was not to be had.
	notCompute = `not among Compute Engine's: ` + acceptPage + `; ` + typesPage + `, as far as it could be read`
)

// blind are those that were looked up. A type that is neither here nor among [Kinds]
// was not.
var blind = []Blind{
	{"compute", "networks", notCompute},
	{"compute", "subnetworks", notCompute + `. A subnetwork has an allow policy of its own, which Whittle does not write`},
	{"compute", "instanceGroupManagers", notCompute},
	{"compute", "instanceGroups", notCompute},
	{"compute", "addresses", notCompute},
	{"compute", "routers", notCompute},
	{"compute", "forwardingRules", typesPage + `: has the type compute.googleapis.com/ForwardingRule; the format of its name was not found`},
	{"compute", "globalForwardingRules", typesPage + `: has the type compute.googleapis.com/GlobalForwardingRule; the format of its name was not found`},
	{"compute", "regionBackendServices", acceptPage + `: has regional backend services; their type was not found`},
	{"container", "operations", typesPage + `: of Google Kubernetes Engine it has clusters only`},
	{"pubsub", "topics", neither},
	{"pubsub", "subscriptions", neither},
	{"artifactregistry", "repositories", neither},
	{"monitoring", "alertPolicies", neither},
	{"serviceusage", "services", neither},
	{"iam", "roles", neither},
	{"dns", "managedZones", `not in Google's own page; ` + typesPage + ` has the service in the edition of S3NS, and no type or name of it was found`},
	{"logging", "sinks", typesPage + `: has the service, and its buckets and views; no type of sinks was found`},
}

// Blinds lists the types that were looked up and that no condition is used for.
func Blinds() []Blind { return append([]Blind{}, blind...) }

// Kinds lists the types.
func Kinds() []Kind { return append([]Kind{}, kinds...) }

// Ground is the project that roles are bound in.
type Ground struct {
	Project, Number string
	// Accounts are the addresses of the service accounts that are there before the
	// lifecycle is run. Of those that it makes itself there is nothing to bind on when
	// its role is made.
	Accounts map[string]bool
}

// Refused is a permission that a request was refused.
type Refused struct {
	URL  *url.URL
	Body []byte
	// Permission and Resource are as the refusal names them.
	Permission, Resource string
}

// Place is on what a permission is granted.
type Place struct {
	// Resource is "*", the whole project, or a service account's full name.
	Resource string
	// Condition is on the name or the type of what is asked for; nil is none.
	Condition grant.Condition
}

// Account begins the full name of a service account of a project
// (IAM, "Full resource names").
const Account = "//iam.googleapis.com/projects/"

// Of gives the narrowest place that the request shows and IAM is documented to tell:
// the resource, or all of its type where byType says so or its name is none that the
// request has. Service accounts have no attributes; a role is bound on the account
// itself ("Other services and resource types do not recognize resource attributes",
// IAM, "Resource attributes for IAM Conditions"; "Attach service accounts to
// resources": the role on the single account).
func Of(x Refused, g Ground, byType bool) Place {
	everywhere := Place{Resource: "*"}
	service, _, _ := strings.Cut(x.Permission, ".")
	if service == "iam" {
		account := accountOf(x)
		if byType || !g.Accounts[account] || !OnAccount(x.Permission) {
			return everywhere
		}
		return Place{Resource: Account + g.Project + "/serviceAccounts/" + account}
	}
	name := nameOf(x, g)
	for _, k := range kinds {
		if k.Service != service || k.name == nil {
			continue
		}
		own := name
		if k.holds { // of what lies in it, the part that is its own
			own = k.cut(name)
		}
		if !k.name.MatchString(own) {
			continue
		}
		if byType || !says(x, own) {
			return Place{"*", grant.Condition{"==": {"resource.type": {k.typeOf(name, own)}}}}
		}
		if k.holds {
			return Place{"*", grant.Condition{"within": {"resource.name": {own}}}}
		}
		return Place{"*", grant.Condition{"==": {"resource.name": {own}}}}
	}
	return everywhere
}

// cut is the part of a name that names the resource of the kind which it lies in.
func (k Kind) cut(name string) string {
	marker := "/" + k.Collection + "/"
	before, after, ok := strings.Cut(name, marker)
	if !ok {
		return name
	}
	id, below, deeper := strings.Cut(after, "/")
	if deeper && k.Collection == "keyRings" && strings.HasPrefix(below, "cryptoKeys/") {
		return "" // a key is the narrower place
	}
	return before + marker + id
}

// typeOf is the type of a resource that is own, or lies in it.
func (k Kind) typeOf(name, own string) string {
	if name == own {
		return k.Type
	}
	for _, in := range kinds {
		if below := strings.TrimPrefix(name, own+"/"); in.Service == k.Service && in.name == nil && strings.HasPrefix(below, in.Collection+"/") {
			return in.Type
		}
	}
	return k.Type
}

// says tells whether the last part of a name stands in the request: what does not, the
// cloud or another service made up, and the next run has another.
func says(x Refused, name string) bool {
	last := name[strings.LastIndexByte(name, '/')+1:]
	if u := x.URL; u != nil && (word(u.Host, last) || word(u.Path, last) || word(u.RawQuery, last)) {
		return true
	}
	return word(string(x.Body), last)
}

// word tells whether a name stands in a text and is not a part of another.
func word(text, name string) bool {
	for at := 0; name != ""; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(name)
		if (i == 0 || !nameByte(text[i-1])) && (end == len(text) || !nameByte(text[end])) {
			return true
		}
		at = i + 1
	}
	return false
}

func nameByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_'
}

// nameOf is what a request was refused on, as conditions see it; empty where neither
// the refusal nor the request names it.
func nameOf(x Refused, g Ground) string {
	name := x.Resource
	if rest, ok := strings.CutPrefix(name, "//"); ok {
		_, name, _ = strings.Cut(rest, "/")
	}
	switch service, rest, _ := strings.Cut(x.Permission, "."); service {
	case "secretmanager": // "projects/NUMBER", whichever way the request names the project
		if rest, ok := strings.CutPrefix(name, "projects/"+g.Project+"/"); ok {
			name = "projects/" + g.Number + "/" + rest
		}
	case "container": // zonal clusters are named by their zone, whichever way the request does
		if m := zonalCluster.FindStringSubmatch(name); m != nil {
			name = m[1] + "/zones/" + m[2]
		}
	case "storage": // its refusals name nothing
		if !strings.HasPrefix(name, "projects/_/") {
			name = bucketOf(x.URL, strings.HasSuffix(rest, ".create") || strings.HasSuffix(rest, ".delete"))
		}
		if rest == "buckets.create" || rest == "buckets.list" {
			return ""
		}
	}
	return name
}

// zonalCluster is a cluster, or what lies in it, by a location that is a zone: a region
// and a letter (Compute Engine, "Regions and zones").
var zonalCluster = regexp.MustCompile(`^(projects/[^/]+)/locations/([a-z]+-[a-z]+[0-9]+-[a-z]/clusters/.+)$`)

// bucketOf is the bucket, or object, of a request to Cloud Storage: of one that copies
// the source, or the target where it says so.
func bucketOf(u *url.URL, target bool) string {
	if u == nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	path := u.EscapedPath()
	if bucket, ok := strings.CutSuffix(host, ".storage.googleapis.com"); ok { // XML, a bucket's own host
		return objectIn(bucket, strings.TrimPrefix(path, "/"))
	}
	if host != "storage.googleapis.com" && host != "www.googleapis.com" {
		return ""
	}
	found := apiBucket.FindAllStringSubmatch(path, -1)
	switch {
	case len(found) > 1 && target:
		return objectIn(found[len(found)-1][1], found[len(found)-1][2])
	case len(found) > 0:
		return objectIn(found[0][1], found[0][2])
	case strings.Contains(path, "/storage/v1"), host == "www.googleapis.com":
		return ""
	}
	bucket, object, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/") // XML
	return objectIn(bucket, object)
}

var apiBucket = regexp.MustCompile(`/b/([^/]+)(?:/o/([^/]+))?`)

func objectIn(bucket, object string) string {
	if bucket == "" {
		return ""
	}
	name := "projects/_/buckets/" + bucket
	if object != "" {
		name += "/objects/" + object
	}
	return name
}

// accountOf is the address of the service account that a request was refused.
func accountOf(x Refused) string {
	name := strings.TrimPrefix(x.Resource, "service account ")
	if i := strings.LastIndex(name, "/serviceAccounts/"); i >= 0 {
		name, _, _ = strings.Cut(name[i+len("/serviceAccounts/"):], "/")
	}
	if strings.Contains(name, "@") {
		return name
	}
	if x.URL == nil || x.Resource != "" {
		return ""
	}
	_, after, ok := strings.Cut(x.URL.Path, "/serviceAccounts/")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(after, "/")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// OnAccount tells whether a permission is checked on a service account.
func OnAccount(permission string) bool {
	return (strings.HasPrefix(permission, "iam.serviceAccounts.") || strings.HasPrefix(permission, "iam.serviceAccountKeys.")) && !onParent[permission]
}

// Why says why a permission is granted on the whole project, whatever the scope; empty
// where a condition, or a binding on less, could have been.
func Why(permission string) string {
	service, rest, _ := strings.Cut(permission, ".")
	collection, verb, _ := strings.Cut(rest, ".")
	switch {
	case OnAccount(permission):
		return "the step makes the service account itself: there is nothing to bind the role on before, and IAM Conditions know no attributes of it"
	case collection == "projects" || onParent[service+"."+verb] || onParent[permission]:
		return "it is checked on the project"
	}
	for _, k := range kinds {
		if k.Service == service && k.Collection == collection {
			return ""
		}
	}
	for _, b := range blind {
		if b.Service == service && b.Collection == collection && !strings.HasPrefix(b.Source, neither) && !strings.HasPrefix(b.Source, notCompute) {
			return "no condition on what it is about is used (" + b.Source + ")"
		}
	}
	return "IAM Conditions know no attributes of what it is about"
}

// onParent are the permissions that are checked on the project, of services whose
// resources have attributes. Source: each service's table of permissions ("Access
// control with IAM").
var onParent = map[string]bool{
	"compute.list": true, "secretmanager.secrets.create": true, "secretmanager.secrets.list": true,
	"storage.buckets.create": true, "storage.buckets.list": true, "iam.serviceAccounts.create": true, "iam.serviceAccounts.list": true,
	"cloudkms.keyRings.create": true, "cloudkms.keyRings.list": true, "container.clusters.create": true, "container.clusters.list": true,
}

// Unnamed writes what begins with a name that a tool made up with a prefix as all that
// begins with the prefix; a name without one has none, and stays.
func Unnamed(c grant.Condition, names map[string]string) grant.Condition {
	out := grant.Condition{}
	add := func(operator, key, value string) {
		if out[operator] == nil {
			out[operator] = map[string][]string{}
		}
		out[operator][key] = append(out[operator][key], value)
	}
	for operator, keys := range c {
		for key, values := range keys {
			for _, v := range values {
				before, last := v[:strings.LastIndexByte(v, '/')+1], v[strings.LastIndexByte(v, '/')+1:]
				if prefix := names[last]; key == "resource.name" && prefix != "" && strings.HasPrefix(last, prefix) {
					add("startsWith", key, before+prefix)
					continue
				}
				add(operator, key, v)
			}
		}
	}
	return out
}
