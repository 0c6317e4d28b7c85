// Package compute is what is particular to Compute Engine in the embedded GCP
// sandbox: defaults, references between resources, instances and groups of
// them, and the methods that do more than change fields.
package compute

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute/catalog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

//go:embed defaults.tsv
var defaultsTable string

type value struct {
	path []string
	json string
}

var defaults = sync.OnceValue(func() map[string][]value {
	m := map[string][]value{}
	for line := range strings.Lines(defaultsTable) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 && f[0][0] != '#' {
			m[f[0]] = append(m[f[0]], value{strings.Split(f[1], "."), f[2]})
		}
	}
	return m
})

// Hooks are Compute Engine's particulars of the methods that all services have.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Delete: remove, Missing: missing, Show: show}
}

func missing(c *api.Call, path string) error {
	return wire.New(404, "The resource '%s' was not found", path)
}

// Collection is the name of the kind of resource that a path has:
// "globalAddresses" for a global address.
func Collection(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) < 5 {
		return ""
	}
	name := parts[len(parts)-2]
	if parts[2] == "global" && (name == "addresses" || name == "forwardingRules") {
		return "global" + strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

func fill(collection string, o store.Object) {
	for _, d := range defaults()[collection] {
		at := o
		for _, part := range d.path[:len(d.path)-1] {
			inner, ok := at[part].(store.Object)
			if !ok {
				inner = store.Object{}
				at[part] = inner
			}
			at = inner
		}
		if last := d.path[len(d.path)-1]; at[last] == nil {
			var v any
			if err := json.Unmarshal([]byte(d.json), &v); err != nil {
				panic(err) // the table is ours
			}
			at[last] = v
		}
	}
}

func create(c *api.Call, path string, o store.Object) error {
	if parts := strings.Split(path, "/"); parts[2] == "zones" || parts[2] == "regions" {
		if _, ok := c.Tx.Get(c.KeyOf(strings.Join(parts[:4], "/"))); !ok {
			return wire.New(400, "Invalid value for field '%s': '%s'. Unknown %s.", strings.TrimSuffix(parts[2], "s"), parts[3], strings.TrimSuffix(parts[2], "s")).With("invalid")
		}
	}
	if err := resolve(c, o); err != nil {
		return err
	}
	collection := Collection(path)
	if collection != "instanceTemplates" {
		fill(collection, o)
	}
	if special := creators()[collection]; special != nil {
		if err := special(c, path, o); err != nil {
			return err
		}
	}
	return nil
}

func update(c *api.Call, path string, old, o store.Object) error {
	if err := resolve(c, o); err != nil {
		return err
	}
	fill(Collection(path), o)
	if special := updaters()[Collection(path)]; special != nil {
		return special(c, path, old, o)
	}
	return nil
}

func remove(c *api.Call, path string, o store.Object) error {
	if special := removers()[Collection(path)]; special != nil {
		if err := special(c, path, o); err != nil {
			return err
		}
	}
	return InUse(c, path, o)
}

// literal are fields whose text is no reference, whatever it looks like.
var literal = map[string]bool{"metadata": true, "labels": true, "description": true, "selfLink": true, "users": true, "subnetworks": false,
	"zone": true, "region": true, "licenses": true, "items": true, "deprecated": true, "matchRules": true, "tests": true}

// visit calls f for each text that can be a reference, and puts in what f gives.
func visit(v any, f func(field, text string) (string, error)) error {
	switch v := v.(type) {
	case store.Object:
		for key, inner := range v {
			if literal[key] || strings.HasPrefix(key, "-") {
				continue
			}
			if text, ok := inner.(string); ok {
				changed, err := f(key, text)
				if err != nil {
					return err
				}
				v[key] = changed
				continue
			}
			if list, ok := inner.([]any); ok {
				for i, item := range list {
					if text, ok := item.(string); ok {
						changed, err := f(key, text)
						if err != nil {
							return err
						}
						list[i] = changed
					}
				}
			}
			if err := visit(inner, f); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := visit(item, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve makes every reference a full URL, and finds those that lead nowhere.
func resolve(c *api.Call, o store.Object) error {
	return visit(o, func(field, text string) (string, error) {
		path, ok := api.Relative(text, c.Project.ID)
		if !ok {
			return text, nil
		}
		if !exists(c, path) {
			if strings.Contains(path, "/machineTypes/") || strings.Contains(path, "/diskTypes/") {
				return "", wire.New(400, "Invalid value for field 'resource.%s': '%s'. The referenced resource does not exist.", field, text).With("invalid")
			}
			return "", missing(c, path)
		}
		return api.Link(path), nil
	})
}

func exists(c *api.Call, path string) bool {
	if isFamily(path) {
		return Family(c, path) != nil
	}
	if _, ok := catalog.Type(path); ok {
		return true
	}
	_, ok := c.Tx.Get(c.KeyOf(path))
	return ok
}

// blocks tells whether a reference keeps what it names from being deleted. What
// was made from an image, a disk or a snapshot does not need it any more,
// and a template is only a description.
func blocks(key, field string) bool {
	return !strings.Contains(key, "/operations/") && !strings.Contains(key, "/instanceTemplates/") && !strings.Contains(key, "/images/") &&
		!strings.Contains(key, "/snapshots/") && (field == "source" || !strings.HasPrefix(field, "source")) && field != "instanceGroup" && field != "targetLink"
}

// Users are the paths of the resources that name this one.
func Users(c *api.Call, path string) []string {
	var users []string
	link := api.Link(path)
	prefix := c.KeyOf("projects/" + c.Project.ID + "/")
	for key, o := range c.Tx.Scan(prefix) {
		if key == c.KeyOf(path) || o["-auto"] == path {
			continue
		}
		uses := false
		visit(store.Clone(o), func(field, text string) (string, error) { //nolint:errcheck // the function never fails
			uses = uses || text == link && blocks(key, field)
			return text, nil
		})
		if uses {
			users = append(users, strings.TrimPrefix(key, "compute/"))
		}
	}
	return users
}

// InUse refuses to delete what another resource uses.
func InUse(c *api.Call, path string, o store.Object) error {
	for _, user := range Users(c, path) {
		if Collection(path) == "networks" && Collection(user) == "networks" {
			continue
		}
		return wire.New(400, "The %s resource '%s' is already being used by '%s'", noun(o), path, user).With("resourceInUseByAnotherResource")
	}
	return nil
}

// noun is the kind of a resource as sentences call it: "instance_template".
func noun(o store.Object) string {
	var b strings.Builder
	for _, r := range strings.TrimPrefix(api.String(o, "kind"), "compute#") {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// show adds what depends on other resources.
func show(c *api.Call, o store.Object) store.Object {
	path, _ := api.Relative(api.String(o, "selfLink"), c.Project.ID)
	switch Collection(path) {
	case "disks", "addresses", "globalAddresses":
		users := Users(c, path)
		if address := api.String(o, "address"); address != "" {
			for key, rule := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/")) {
				if rule["IPAddress"] == address && strings.Contains(key, "orwardingRules/") {
					users = append(users, strings.TrimPrefix(key, "compute/"))
				}
			}
		}
		slices.Sort(users)
		if users = slices.Compact(users); len(users) > 0 {
			links := []any{}
			for _, u := range users {
				links = append(links, api.Link(u))
			}
			o["users"] = links
			if o["address"] != nil {
				o["status"] = "IN_USE"
			}
		}
	case "networks":
		subnets := []any{}
		for _, s := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/regions/")) {
			if s["kind"] == "compute#subnetwork" && s["network"] == o["selfLink"] {
				subnets = append(subnets, s["selfLink"])
			}
		}
		if len(subnets) > 0 {
			o["subnetworks"] = subnets
		}
	case "instanceGroupManagers":
		if group, ok := c.Tx.Get(c.KeyOf(strings.Replace(path, "/instanceGroupManagers/", "/instanceGroups/", 1))); ok {
			o["namedPorts"] = group["namedPorts"]
		}
	case "instanceGroups":
		o["size"] = float64(len(Members(c, path)))
	}
	return o
}

// done answers a method that has changed the resource at path.
func done(c *api.Call, path string, o store.Object) (*api.Reply, error) {
	return api.OK(operation.Start(c, path, o))
}

// change makes a handler of a function that changes one resource. A fingerprint
// in the body is the resource's.
func change(f func(c *api.Call, o store.Object) error) api.Handler {
	return changePart(func(c *api.Call, o store.Object) error {
		if err := generic.Current(c, o); err != nil {
			return err
		}
		return f(c, o)
	})
}

// changePart is change where a fingerprint in the body is not the resource's but
// that of a part, which f looks at.
func changePart(f func(c *api.Call, o store.Object) error) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		old, ok := c.Tx.Get(c.Key())
		if !ok {
			return nil, missing(c, c.Path)
		}
		o := store.Clone(old)
		if err := f(c, o); err != nil {
			return nil, err
		}
		if o["fingerprint"] != nil {
			delete(o, "fingerprint")
			o["fingerprint"] = api.Fingerprint(o)
		}
		c.Tx.Put(c.Key(), o)
		return done(c, c.Path, o)
	}
}

// reference makes a handler that sets one field to the resource that the body
// names, or takes the field away.
func reference(field, from string) api.Handler {
	return change(func(c *api.Call, o store.Object) error {
		given := store.Object{}
		if v := c.Body[from]; v != nil && v != "" {
			given[field] = v
		}
		if err := resolve(c, given); err != nil {
			return err
		}
		delete(o, field)
		generic.Merge(o, given)
		return nil
	})
}

// invalid is the error for a field that cannot have its value.
func invalid(field, text, why string) error {
	return wire.New(400, "Invalid value for field '%s': '%s'. %s", field, text, why).With("invalid")
}
