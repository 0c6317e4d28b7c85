package compute

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute/catalog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

func instanceGroup(_ *api.Call, _ string, o store.Object) error {
	o["namedPorts"] = list(o["namedPorts"])
	return nil
}

func list(v any) []any {
	items, _ := v.([]any)
	if items == nil {
		items = []any{}
	}
	return items
}

// Members are the paths of the instances of a group, by the group's path.
func Members(c *api.Call, group string) []string {
	var members []string
	manager := strings.Replace(group, "/instanceGroups/", "/instanceGroupManagers/", 1)
	for key, o := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/zones/")) {
		if o["kind"] == "compute#instance" && o["-group"] == manager {
			members = append(members, strings.TrimPrefix(key, "compute/"))
		}
	}
	o, _ := c.Tx.Get(c.KeyOf(group))
	for _, m := range list(o["-members"]) {
		members = append(members, m.(string))
	}
	return members
}

func groupMembers(add bool) api.Handler {
	return change(func(c *api.Call, o store.Object) error {
		members := list(o["-members"])
		for _, i := range api.List(c.Body, "instances") {
			path, ok := api.Relative(api.String(i, "instance"), c.Project.ID)
			if !ok || !exists(c, path) {
				return missing(c, path)
			}
			at := slices.Index(members, any(path))
			switch {
			case add && at >= 0:
				return wire.New(400, "The resource '%s' is already a member of '%s'.", path, c.Path).With("memberAlreadyExists")
			case add:
				vm, _ := c.Tx.Get(c.KeyOf(path))
				if nics := api.List(vm, "networkInterfaces"); o["network"] == nil && len(nics) > 0 {
					o["network"], o["subnetwork"] = nics[0]["network"], nics[0]["subnetwork"]
				}
				members = append(members, path)
			case at < 0:
				return wire.New(400, "The resource '%s' is not a member of '%s'.", path, c.Path).With("memberNotFound")
			default:
				members = slices.Delete(members, at, at+1)
			}
		}
		o["-members"] = members
		return nil
	})
}

func listInstances(c *api.Call) (*api.Reply, error) {
	if _, ok := c.Tx.Get(c.Key()); !ok {
		return nil, missing(c, c.Path)
	}
	items := []any{}
	for _, m := range Members(c, c.Path) {
		vm, _ := c.Tx.Get(c.KeyOf(m))
		items = append(items, store.Object{"instance": api.Link(m), "status": vm["status"]})
	}
	return api.OK(store.Object{"kind": c.Service.Schema(c.Response).Constant(), "id": c.Path, "items": items, "selfLink": api.Link(c.Path)})
}

func setNamedPorts(c *api.Call, o store.Object) error {
	o["namedPorts"] = list(c.Body["namedPorts"])
	return nil
}

// groupManager makes a managed instance group: the group, and its instances.
func groupManager(c *api.Call, path string, o store.Object) error {
	if err := templateOf(o); err != nil {
		return err
	}
	if o["baseInstanceName"] == nil {
		o["baseInstanceName"] = o["name"]
	}
	o["namedPorts"] = list(o["namedPorts"])
	if o["targetSize"] == nil {
		o["targetSize"] = 0.0
	}
	group := strings.Replace(path, "/instanceGroupManagers/", "/instanceGroups/", 1)
	made, err := inner(c, "compute.instanceGroups.insert", group, store.Object{
		"name": o["name"], "namedPorts": o["namedPorts"],
		"description": fmt.Sprintf("This instance group is controlled by Instance Group Manager '%s'. To modify instances in this group, use the Instance Group Manager API.", o["name"]),
	})
	if err != nil {
		return err
	}
	o["instanceGroup"] = made["selfLink"]
	if strings.Contains(path, "/regions/") && o["distributionPolicy"] == nil {
		zones := []any{}
		for _, z := range zonesOf(path)[:3] {
			zones = append(zones, store.Object{"zone": api.Link("projects/" + c.Project.ID + "/zones/" + z)})
		}
		o["distributionPolicy"] = store.Object{"zones": zones, "targetShape": "EVEN"}
	}
	policy := api.Object(o, "updatePolicy")
	if policy == nil {
		policy = store.Object{"type": "OPPORTUNISTIC"}
		o["updatePolicy"] = policy
	}
	for field, v := range map[string]any{"minimalAction": "REPLACE", "replacementMethod": "SUBSTITUTE",
		"maxSurge": store.Object{"fixed": 1.0, "calculated": 1.0}, "maxUnavailable": store.Object{"fixed": 1.0, "calculated": 1.0}} {
		if policy[field] == nil {
			policy[field] = v
		}
	}
	if strings.Contains(path, "/regions/") && policy["instanceRedistributionType"] == nil {
		policy["instanceRedistributionType"] = "PROACTIVE"
	}
	return reconcile(c, path, o)
}

// templateOf writes a manager's template in both of its places.
func templateOf(o store.Object) error {
	versions := api.List(o, "versions")
	t := api.String(o, "instanceTemplate")
	if t == "" && len(versions) > 0 {
		t = api.String(versions[0], "instanceTemplate")
	}
	if t == "" {
		return wire.New(400, "Required field 'resource.instanceTemplate' not specified").With("required")
	}
	o["instanceTemplate"] = t
	if len(versions) == 0 {
		o["versions"] = []any{store.Object{"instanceTemplate": t, "targetSize": store.Object{"calculated": o["targetSize"]}}}
	}
	return nil
}

// zonesOf are the names of the zones in which a group has its instances.
func zonesOf(path string) []string {
	parts := strings.Split(path, "/")
	if parts[2] == "zones" {
		return parts[3:4]
	}
	for _, r := range catalog.Regions {
		if r.Name == parts[3] {
			var zones []string
			for _, letter := range r.Zones {
				zones = append(zones, r.Name+"-"+string(letter))
			}
			return zones
		}
	}
	return nil
}

// reconcile makes or removes instances until a manager has as many as it is to
// have, each of its template.
func reconcile(c *api.Call, path string, o store.Object) error {
	target := 0
	if size, ok := o["targetSize"].(float64); ok {
		target = int(size)
	}
	group := strings.Replace(path, "/instanceGroupManagers/", "/instanceGroups/", 1)
	var keep []string
	proactive := api.String(o, "updatePolicy.type") == "PROACTIVE"
	for _, m := range Members(c, group) {
		vm, _ := c.Tx.Get(c.KeyOf(m))
		if len(keep) >= target || proactive && vm["-template"] != o["instanceTemplate"] {
			if err := drop(c, m); err != nil {
				return err
			}
			continue
		}
		keep = append(keep, m)
	}
	rel, _ := api.Relative(api.String(o, "instanceTemplate"), c.Project.ID)
	t, ok := c.Tx.Get(c.KeyOf(rel))
	if !ok {
		return missing(c, rel)
	}
	zones := zonesOf(path)
	if chosen := api.List(o, "distributionPolicy.zones"); len(chosen) > 0 {
		zones = nil
		for _, z := range chosen {
			zones = append(zones, lastPart(api.String(z, "zone")))
		}
	}
	for i := len(keep); i < target; i++ {
		name := fmt.Sprintf("%s-%04s", o["baseInstanceName"], suffix(c))
		vm := store.Clone(api.Object(t, "properties"))
		vm["name"], vm["-group"], vm["-template"] = name, path, o["instanceTemplate"]
		metadata := api.Object(vm, "metadata")
		metadata["items"] = append(list(metadata["items"]),
			store.Object{"key": "instance-template", "value": "projects/" + c.Project.Number + strings.TrimPrefix(rel, "projects/"+c.Project.ID)},
			store.Object{"key": "created-by", "value": "projects/" + c.Project.Number + strings.TrimPrefix(path, "projects/"+c.Project.ID)})
		at := "projects/" + c.Project.ID + "/zones/" + zones[i%len(zones)] + "/instances/" + name
		made, err := inner(c, "compute.instances.insert", at, vm)
		if err != nil {
			return err
		}
		if nics := api.List(made, "networkInterfaces"); len(nics) > 0 {
			g, _ := c.Tx.Get(c.KeyOf(group))
			g = store.Clone(g)
			g["network"], g["subnetwork"] = nics[0]["network"], nics[0]["subnetwork"]
			c.Tx.Put(c.KeyOf(group), g)
		}
	}
	actions := store.Object{}
	for _, a := range []string{"abandoning", "creating", "creatingWithoutRetries", "deleting", "recreating", "refreshing", "restarting", "resuming", "starting", "stopping", "suspending", "verifying"} {
		actions[a] = 0.0
	}
	actions["none"] = float64(target)
	o["currentActions"] = actions
	o["status"] = store.Object{"isStable": true, "stateful": store.Object{"hasStatefulConfig": false, "perInstanceConfigs": store.Object{"allEffective": true}},
		"versionTarget": store.Object{"isReached": true}}
	return nil
}

// suffix is four letters that tell a group's instances apart.
func suffix(c *api.Call) string {
	s := strconv.FormatUint(c.Tx.ID()%(36*36*36*36), 36)
	return strings.Repeat("0", 4-len(s)) + s
}

func drop(c *api.Call, path string) error {
	vm, ok := c.Tx.Get(c.KeyOf(path))
	if !ok {
		return missing(c, path)
	}
	return generic.Remove(c, Hooks(), path, vm)
}

func groupManagerChanged(c *api.Call, path string, old, o store.Object) error {
	if c.Body["versions"] != nil && c.Body["instanceTemplate"] == nil {
		delete(o, "instanceTemplate")
	}
	if c.Body["instanceTemplate"] != nil && c.Body["versions"] == nil {
		delete(o, "versions")
	}
	if err := templateOf(o); err != nil {
		return err
	}
	o["instanceGroup"] = old["instanceGroup"]
	return reconcile(c, path, o)
}

func groupManagerRemoved(c *api.Call, path string, o store.Object) error {
	group := strings.Replace(path, "/instanceGroupManagers/", "/instanceGroups/", 1)
	g, _ := c.Tx.Get(c.KeyOf(group))
	for _, user := range append(Users(c, group), Users(c, path)...) {
		if user == path {
			continue
		}
		return wire.New(400, "The %s resource '%s' is already being used by '%s'", noun(g), group, user).With("resourceInUseByAnotherResource")
	}
	for _, m := range Members(c, group) {
		if err := drop(c, m); err != nil {
			return err
		}
	}
	c.Tx.Delete(c.KeyOf(group))
	return nil
}

func resize(c *api.Call, o store.Object) error {
	size, err := strconv.Atoi(c.Query.Get("size"))
	if err != nil || size < 0 {
		return invalid("size", c.Query.Get("size"), "Must be a number.")
	}
	o["targetSize"] = float64(size)
	return reconcile(c, c.Path, o)
}

func setInstanceTemplate(c *api.Call, o store.Object) error {
	given := store.Object{"instanceTemplate": c.Body["instanceTemplate"]}
	if err := resolve(c, given); err != nil {
		return err
	}
	o["instanceTemplate"] = given["instanceTemplate"]
	delete(o, "versions")
	if err := templateOf(o); err != nil {
		return err
	}
	return reconcile(c, c.Path, o)
}

// deleteInstances removes instances of a managed group, which gets smaller;
// recreating puts others in their place.
func deleteInstances(recreate bool) api.Handler {
	return change(func(c *api.Call, o store.Object) error {
		given := list(c.Body["instances"])
		for _, i := range given {
			link, _ := i.(string)
			path, _ := api.Relative(link, c.Project.ID)
			if vm, _ := c.Tx.Get(c.KeyOf(path)); vm["-group"] != c.Path {
				return invalid("instances", link, "It is not a member of the group.")
			}
			if err := drop(c, path); err != nil {
				return err
			}
		}
		if size, ok := o["targetSize"].(float64); ok && !recreate {
			o["targetSize"] = size - float64(len(given))
		}
		return reconcile(c, c.Path, o)
	})
}

func listManagedInstances(c *api.Call) (*api.Reply, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	items := []any{}
	for _, m := range Members(c, strings.Replace(c.Path, "/instanceGroupManagers/", "/instanceGroups/", 1)) {
		vm, _ := c.Tx.Get(c.KeyOf(m))
		items = append(items, store.Object{"instance": api.Link(m), "id": vm["id"], "instanceStatus": vm["status"], "currentAction": "NONE",
			"version": store.Object{"instanceTemplate": vm["-template"], "name": api.String(api.List(o, "versions")[0], "name")}})
	}
	return api.OK(store.Object{"managedInstances": items})
}

func autoscaler(c *api.Call, path string, o store.Object) error {
	target := api.String(o, "target")
	if target == "" {
		return wire.New(400, "Required field 'resource.target' not specified").With("required")
	}
	for key, other := range c.Tx.Scan(c.KeyOf(place(path) + "/autoscalers/")) {
		if other["target"] == target && key != c.KeyOf(path) {
			return wire.New(400, "The instance group manager '%s' is already autoscaled.", target).With("invalid")
		}
	}
	rel, _ := api.Relative(target, c.Project.ID)
	igm, ok := c.Tx.Get(c.KeyOf(rel))
	if !ok {
		return missing(c, rel)
	}
	low, _ := api.Field(o, "autoscalingPolicy.minNumReplicas").(float64)
	if size, _ := igm["targetSize"].(float64); size < low {
		igm = store.Clone(igm)
		igm["targetSize"] = low
		if err := reconcile(c, rel, igm); err != nil {
			return err
		}
		c.Tx.Put(c.KeyOf(rel), igm)
	}
	o["recommendedSize"] = low
	return nil
}
