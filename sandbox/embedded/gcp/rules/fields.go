package rules

import (
	"fmt"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

// values are what a field's path leads to, in the body or, after "old:", in the
// resource as it is. "->" goes on in the compute resource that is named.
func (r reader) values(path string) []any {
	root := r.c.Body
	if rest, ok := strings.CutPrefix(path, "old:"); ok {
		root, path = r.old, rest
	}
	head, rest, deeper := strings.Cut(path, "->")
	var found []any
	for _, way := range strings.Split(head, "|") {
		if found = walk(root, way); len(found) > 0 {
			break
		}
	}
	if !deeper {
		return found
	}
	var inner []any
	for _, v := range found {
		if o, ok := r.named1(v); ok {
			inner = append(inner, walk(o, rest)...)
		}
	}
	return inner
}

// named1 is the compute resource that a link names.
func (r reader) named1(v any) (store.Object, bool) {
	link, _ := v.(string)
	path, ok := api.Relative(link, r.c.Project.ID)
	if !ok {
		return nil, false
	}
	return r.c.Tx.Get("compute/" + path)
}

// walk follows a path of fields, "#" for any element, "[field=value]" for one
// that has it.
func walk(v any, path string) []any {
	found := []any{v}
	for _, part := range strings.Split(path, ".") {
		name, filter, filtered := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		var next []any
		for _, v := range found {
			switch v := v.(type) {
			case store.Object:
				if filtered && name != "#" { // "[mode=READ_ONLY]source"
					continue
				}
				if x, ok := v[name]; ok && x != nil {
					next = append(next, x)
				}
			case []any:
				if name != "#" {
					continue
				}
				for _, item := range v {
					if !filtered || has(item, filter) {
						next = append(next, item)
					}
				}
			}
		}
		found = next
	}
	return found
}

func has(v any, filter string) bool {
	o, _ := v.(store.Object)
	if field, value, ok := strings.Cut(filter, "!="); ok {
		return fmt.Sprint(o[field]) != value
	}
	field, value, _ := strings.Cut(filter, "=")
	return fmt.Sprint(o[field]) == value
}

// refs are the keys of the compute resources that a field names, by URL or, for
// an address, by the address itself. Public images are everybody's to use.
func (r reader) refs(path string) []string {
	if strings.HasPrefix(path, "[") { // a condition on the body itself
		filter, field, _ := strings.Cut(path[1:], "]")
		if !has(r.c.Body, filter) {
			return nil
		}
		path = field
	}
	var keys []string
	for _, v := range r.values(path) {
		link, _ := v.(string)
		rel, ok := api.Relative(link, r.c.Project.ID)
		if !ok {
			if key := r.address(link); key != "" {
				keys = append(keys, key)
			}
			continue
		}
		if parts := strings.Split(rel, "/"); !api.PublicProject(parts[1]) {
			keys = append(keys, "compute/"+rel)
		}
	}
	return keys
}

// address is the key of the reserved address that has an IP.
func (r reader) address(ip string) string {
	if !strings.ContainsAny(ip, ".:") {
		return ""
	}
	for key, o := range r.c.Tx.Scan("compute/projects/" + r.c.Project.ID + "/") {
		if strings.Contains(key, "/addresses/") && o["address"] == ip {
			return key
		}
	}
	return ""
}

// accounts are the keys of the service accounts whose addresses a field has.
func (r reader) accounts(path string) []string {
	var keys []string
	for _, v := range r.values(path) {
		email, _ := v.(string)
		if email == "" || email == "default" {
			email = r.c.Project.Number + "-compute@developer.gserviceaccount.com"
		}
		keys = append(keys, "iam/projects/"+r.c.Project.ID+"/serviceAccounts/"+email)
	}
	return keys
}

// named are the keys of the resources of google.api services that a field
// names: "projects/…" or "//SERVICE.googleapis.com/projects/…".
func (r reader) named(path, permission string) []string {
	service, _, _ := strings.Cut(permission, ".")
	var keys []string
	for _, v := range r.values(path) {
		name, _ := v.(string)
		if rest, ok := strings.CutPrefix(name, "//"); ok {
			_, name, _ = strings.Cut(rest, "/")
		}
		name = strings.TrimPrefix(name, "https://"+service+".googleapis.com/v1/")
		if strings.HasPrefix(name, "projects/") {
			keys = append(keys, api.Key(service, r.c.Project, name))
		}
	}
	return keys
}

// disks are the keys of the disks that are made with an instance, or of those
// among them that are given labels.
func (r reader) disks(path string, labelled bool) []string {
	name := api.String(r.c.Body, "name")
	if base := api.String(r.c.Body, "baseInstanceName"); base != "" {
		name = base + "-0000"
	}
	var keys []string
	for _, list := range r.values(path) {
		items, _ := list.([]any)
		for i, item := range items {
			d, _ := item.(store.Object)
			if api.String(d, "source") != "" || d["type"] == "SCRATCH" || labelled && len(api.Object(d, "initializeParams.labels")) == 0 {
				continue
			}
			disk := api.String(d, "initializeParams.diskName")
			if disk == "" {
				disk = name
				if i > 0 {
					disk = fmt.Sprintf("%s-%d", name, i)
				}
			}
			keys = append(keys, r.c.KeyOf(r.place()+"/disks/"+disk))
		}
	}
	return keys
}

// interfaces are the keys of what an instance's interfaces use: the subnetwork
// of each, of those with an external address, or reserved addresses.
func (r reader) interfaces(what, path string) []string {
	var keys []string
	for _, list := range r.values(path) {
		items, _ := list.([]any)
		for _, item := range items {
			n, _ := item.(store.Object)
			external := api.List(n, "accessConfigs")
			switch {
			case what == "addresses":
				for _, a := range external {
					if key := r.address(api.String(a, "natIP")); key != "" {
						keys = append(keys, key)
					}
				}
			case what == "subnet" || len(external) > 0:
				if key := r.subnetwork(n); key != "" {
					keys = append(keys, key)
				}
			}
		}
	}
	return keys
}

// subnetwork is the key of an interface's subnetwork: the one that is named, or
// that of an auto mode network in the region; a network that has none is meant
// itself.
func (r reader) subnetwork(n store.Object) string {
	if path, ok := api.Relative(api.String(n, "subnetwork"), r.c.Project.ID); ok {
		return "compute/" + path
	}
	network, ok := api.Relative(api.String(n, "network"), r.c.Project.ID)
	if !ok {
		network = "projects/" + r.c.Project.ID + "/global/networks/default"
	}
	region := Region(r.place())
	auto := "compute/projects/" + r.c.Project.ID + "/regions/" + region + "/subnetworks/" + network[strings.LastIndexByte(network, '/')+1:]
	if _, there := r.c.Tx.Get(auto); there {
		return auto
	}
	return "compute/" + network
}

// Region is the region of a zone's or region's path.
func Region(place string) string {
	name := place[strings.LastIndexByte(place, '/')+1:]
	if strings.Contains(place, "/zones/") {
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			return name[:i]
		}
	}
	return name
}
