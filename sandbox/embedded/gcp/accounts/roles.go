package accounts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Limits of a custom role. Source: IAM, "Quotas and limits".
const (
	maxPermissions = 3000
	maxBytes       = 64 << 10 // of title, description and the permissions' names
	maxRoles       = 300      // in a project, deleted ones too
)

// notInProject are the permissions, as beginnings of names, that a custom role
// of a project cannot hold. Sources: IAM, "Understanding IAM custom roles"
// (resourcemanager.projects.list is for folders and organizations alone, as is
// what acts on those); "Support levels for permissions in custom roles".
var notInProject = []string{
	"resourcemanager.projects.list", "resourcemanager.folders.", "resourcemanager.organizations.", "billing.accounts.",
	"accesscontextmanager.", "axt.", "cloudprivatecatalogproducer.", "essentialcontacts.", "iam.workforcePool", "recommender.organizations.",
	"compute.organizations.", "securitycenter.organizations.",
}

var roleID = regexp.MustCompile(`^[a-zA-Z0-9_.]{3,64}$`)

// checkRole finds what is wrong with a role's content.
func checkRole(role store.Object) error {
	size := len(api.String(role, "title")) + len(api.String(role, "description"))
	permissions, _ := role["includedPermissions"].([]any)
	if len(permissions) > maxPermissions {
		return wire.New(400, "The role has %d permissions, which is more than the maximum of %d.", len(permissions), maxPermissions)
	}
	for _, p := range permissions {
		name, _ := p.(string)
		size += len(name)
		if !iam.Permission.MatchString(name) || slices.ContainsFunc(notInProject, func(no string) bool { return strings.HasPrefix(name, no) }) {
			return wire.New(400, "Permission %s is not valid.", name)
		}
	}
	if size > maxBytes {
		return wire.New(400, "The role's title, description and permissions are %d bytes, which is more than the maximum of %d.", size, maxBytes)
	}
	if len(api.String(role, "title")) > 100 {
		return wire.New(400, "The role's title is longer than 100 characters.")
	}
	switch s := api.String(role, "stage"); s {
	case "", "ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP":
	default:
		return wire.New(400, "Invalid value at 'role.stage', %q", s)
	}
	return nil
}

func roleEtag(c *api.Call) string { return "BwY" + api.Fingerprint(c.Tx.Serial())[:8] + "=" }

// sorted puts a role's permissions in order, each once.
func sorted(role store.Object) {
	items, _ := role["includedPermissions"].([]any)
	var names []string
	for _, i := range items {
		names = append(names, i.(string))
	}
	slices.Sort(names)
	delete(role, "includedPermissions")
	if names = slices.Compact(names); len(names) > 0 {
		list := make([]any, len(names))
		for i, n := range names {
			list[i] = n
		}
		role["includedPermissions"] = list
	}
}

func createRole(c *api.Call) (*api.Reply, error) {
	id := api.String(c.Body, "roleId")
	if !roleID.MatchString(id) {
		return nil, wire.New(400, "The role_id %q must have 3 to 64 characters of [a-zA-Z0-9_.].", id)
	}
	role := store.Clone(api.Object(c.Body, "role"))
	if role == nil {
		role = store.Object{}
	}
	if err := checkRole(role); err != nil {
		return nil, err
	}
	prefix := "iam/projects/" + c.Project.ID + "/roles/"
	key := prefix + id
	if was, there := c.Tx.Get(key); there {
		if api.Bool(was, "deleted") {
			return nil, wire.New(400, "You can't create a role with role_id (%s) where there is an existing role with that role_id in a deleted state.", id).Stating("FAILED_PRECONDITION")
		}
		return nil, wire.New(409, "A role named %s in projects/%s already exists.", id, c.Project.ID)
	}
	count := 0
	for range c.Tx.Scan(prefix) {
		count++
	}
	if count >= maxRoles {
		return nil, wire.New(429, "Maximum number of roles reached. Maximum is: %d", maxRoles)
	}
	role["name"], role["etag"] = strings.TrimPrefix(key, "iam/"), roleEtag(c)
	if role["stage"] == nil {
		role["stage"] = "ALPHA"
	}
	sorted(role)
	c.Tx.Put(key, role)
	return api.OK(role)
}

func role(c *api.Call) (store.Object, error) {
	o, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, wire.New(404, "The role named %s was not found.", c.Path)
	}
	return o, nil
}

func getRole(c *api.Call) (*api.Reply, error) {
	o, err := role(c)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

func listRoles(c *api.Call) (*api.Reply, error) {
	deleted := c.Query.Get("showDeleted") == "true"
	reply, err := listed(c, "iam/projects/"+c.Project.ID+"/roles/", "roles", func(o store.Object) bool { return deleted || !api.Bool(o, "deleted") })
	if err != nil || c.Query.Get("view") == "FULL" {
		return reply, err
	}
	for _, r := range api.List(reply.Object, "roles") {
		delete(r, "includedPermissions")
	}
	return reply, nil
}

func patchRole(c *api.Call) (*api.Reply, error) {
	old, err := role(c)
	if err != nil {
		return nil, err
	}
	if api.Bool(old, "deleted") {
		return nil, wire.New(400, "You can't update a role that is in a deleted state: %s.", c.Path).Stating("FAILED_PRECONDITION")
	}
	if etag := api.String(c.Body, "etag"); etag != "" && etag != old["etag"] {
		return nil, concurrent()
	}
	changed := store.Clone(old)
	fields := []string{"title", "description", "includedPermissions", "stage"}
	if mask := c.Query.Get("updateMask"); mask != "" {
		fields = nil
		for _, f := range strings.Split(mask, ",") {
			if f == "included_permissions" {
				f = "includedPermissions"
			}
			fields = append(fields, f)
		}
	} else {
		fields = slices.DeleteFunc(fields, func(f string) bool { return c.Body[f] == nil })
	}
	given := store.Clone(c.Body)
	for _, f := range fields {
		switch f {
		case "title", "description", "includedPermissions", "stage":
			delete(changed, f)
			if v := given[f]; v != nil {
				changed[f] = v
			}
		case "etag":
		default:
			return nil, wire.New(400, "Invalid update mask path: %s", f)
		}
	}
	if err := checkRole(changed); err != nil {
		return nil, err
	}
	sorted(changed)
	changed["etag"] = roleEtag(c)
	c.Tx.Put(c.Key(), changed)
	return api.OK(changed)
}

// deleteRole deletes a role, so that it can be brought back, or does that.
func deleteRole(deleted bool) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		old, err := role(c)
		if err != nil {
			return nil, err
		}
		etag := c.Query.Get("etag")
		if !deleted {
			etag = api.String(c.Body, "etag")
		}
		if etag != "" && etag != old["etag"] {
			return nil, concurrent()
		}
		if api.Bool(old, "deleted") == deleted {
			return nil, wire.New(400, "The role %s is already in that state: deleted is %v.", c.Path, deleted).Stating("FAILED_PRECONDITION")
		}
		changed := store.Clone(old)
		delete(changed, "deleted")
		if deleted {
			changed["deleted"] = true
		}
		changed["etag"] = roleEtag(c)
		c.Tx.Put(c.Key(), changed)
		return api.OK(changed)
	}
}

// known are the permissions that the gate can check.
func known() []string {
	var names []string
	for _, m := range route.Methods() {
		for _, row := range rules.Rows(m) {
			if iam.Permission.MatchString(row.Permission) {
				names = append(names, row.Permission)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// getPredefined shows a predefined role: of its permissions those that the gate
// can check.
func getPredefined(c *api.Call) (*api.Reply, error) {
	name := c.Path
	if !iam.Predefined(name) {
		return nil, wire.New(404, "The role named %s was not found.", name)
	}
	permissions := []any{}
	for _, p := range known() {
		if iam.Grants(name, p) {
			permissions = append(permissions, p)
		}
	}
	return api.OK(store.Object{"name": name, "title": name[strings.IndexByte(name, '/')+1:], "stage": "GA", "etag": "AA==", "includedPermissions": permissions})
}

// testable lists the permissions that the gate can check, and whether a custom
// role may hold them.
func testable(c *api.Call) (*api.Reply, error) {
	if name := api.String(c.Body, "fullResourceName"); !strings.HasPrefix(name, "//cloudresourcemanager.googleapis.com/projects/") {
		return nil, wire.New(400, "The full_resource_name %q is not supported here: it must be the project's.", name)
	}
	c.Query = map[string][]string{"pageToken": {api.String(c.Body, "pageToken")}}
	if size, ok := c.Body["pageSize"].(float64); ok {
		c.Query.Set("pageSize", fmt.Sprint(int(size)))
	}
	page, next, err := generic.Page(c, known())
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, p := range page {
		level := "SUPPORTED"
		if checkRole(store.Object{"includedPermissions": []any{p}}) != nil {
			level = "NOT_SUPPORTED"
		}
		o := store.Object{"name": p, "stage": "GA"}
		if level != "SUPPORTED" {
			o["customRolesSupportLevel"] = level
		}
		items = append(items, o)
	}
	reply := store.Object{"permissions": items}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}
