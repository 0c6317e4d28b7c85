package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Serves tells whether a method is about a resource's policy.
func Serves(verb string) bool {
	return verb == "getIamPolicy" || verb == "setIamPolicy" || verb == "testIamPermissions"
}

// Handle serves getIamPolicy, setIamPolicy and testIamPermissions of any
// resource.
func Handle(c *api.Call) (*api.Reply, error) {
	key := Subject(c)
	if c.Verb() == "testIamPermissions" {
		return test(c, key)
	}
	if _, ok := c.Tx.Get(key); !ok {
		_, path, _ := strings.Cut(key, "/")
		if c.Service.Name == "storage" {
			return nil, wire.New(404, "The specified bucket does not exist.")
		}
		return nil, wire.New(404, "The resource '%s' was not found", path)
	}
	if c.Verb() == "setIamPolicy" {
		return set(c, key)
	}
	version := c.Query.Get("options.requestedPolicyVersion") + c.Query.Get("optionsRequestedPolicyVersion")
	if v, ok := api.Field(c.Body, "options.requestedPolicyVersion").(float64); ok {
		version = fmt.Sprint(v)
	}
	policy, _ := c.Tx.Get(PolicyKey(key))
	return api.OK(shown(c, policy, version == "3"))
}

// Subject is the key of the resource whose policy a request is about.
func Subject(c *api.Call) string {
	if c.Service.Name == "storage" {
		bucket := "b/" + c.Params["bucket"]
		if o := c.Param("object"); o != "" {
			return c.KeyOf(bucket + "/o/" + o)
		}
		if f := c.Param("managedFolder"); f != "" {
			return c.KeyOf(bucket + "/managedFolders/" + f)
		}
		return c.KeyOf(bucket)
	}
	return c.Key()
}

// shown is a policy as a client sees it. One that did not ask for version 3
// sees a binding's condition as a mark on its role.
func shown(c *api.Call, policy store.Object, conditions bool) store.Object {
	p := store.Clone(policy)
	if p == nil {
		p = store.Object{}
	}
	if p["etag"] == nil {
		p["etag"] = "ACAB"
	}
	version := 1.0
	for _, b := range api.List(p, "bindings") {
		if b["condition"] == nil {
			continue
		}
		if conditions {
			version = 3
			continue
		}
		b["role"] = fmt.Sprintf("%s_withcond_%s", b["role"], strings.TrimRight(fmt.Sprintf("%x", api.Fingerprint(b["condition"])), "=")[:20])
		delete(b, "condition")
	}
	p["version"] = version
	if c.Service.Name == "storage" {
		p["kind"], p["resourceId"] = "storage#policy", "projects/_/buckets/"+c.Params["bucket"]
	}
	return p
}

var customRole = regexp.MustCompile(`^(projects|organizations)/[^/]+/roles/[a-zA-Z0-9_.]+$`)

func set(c *api.Call, key string) (*api.Reply, error) {
	given := api.Object(c.Body, "policy")
	if c.Service.Name == "storage" {
		given = c.Body
	}
	if given == nil && (c.Body["bindings"] != nil || c.Body["etag"] != nil) { // compute's older form
		given = store.Object{"bindings": c.Body["bindings"], "etag": c.Body["etag"]}
	}
	given = store.Clone(given)
	old, _ := c.Tx.Get(PolicyKey(key))
	was := api.String(old, "etag")
	if was == "" {
		was = "ACAB"
	}
	if etag := api.String(given, "etag"); etag != "" && etag != was {
		if c.Service.Name == "storage" {
			return nil, wire.New(412, "At least one of the pre-conditions you specified did not hold.")
		}
		return nil, wire.New(409, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.").Stating("ABORTED").With("aborted")
	}
	version, _ := given["version"].(float64)
	var bindings []any
	for _, b := range api.List(given, "bindings") {
		if err := check(c, b, version); err != nil {
			return nil, err
		}
		if len(api.Texts(b["members"])) > 0 {
			bindings = append(bindings, canonical(b))
		}
	}
	policy := store.Object{"etag": etag(c)}
	if len(bindings) > 0 {
		policy["bindings"] = joined(bindings)
	}
	for _, keep := range []string{"auditConfigs"} {
		if v := given[keep]; v != nil {
			policy[keep] = v
		}
	}
	c.Tx.Put(PolicyKey(key), policy)
	return api.OK(shown(c, policy, version == 3))
}

// SeedAudit turns on the project's Data Access audit logs, of all services and for
// everybody.
func SeedAudit(c *api.Call) {
	key := PolicyKey(ProjectKey(c.Project.ID))
	policy, _ := c.Tx.Get(key)
	if policy = store.Clone(policy); policy == nil {
		policy = store.Object{}
	}
	var types []any
	for _, t := range []string{"ADMIN_READ", "DATA_READ", "DATA_WRITE"} {
		types = append(types, store.Object{"logType": t})
	}
	policy["auditConfigs"] = []any{store.Object{"service": "allServices", "auditLogConfigs": types}}
	c.Tx.Put(key, policy)
}

// etag marks a version of a policy or role, in the form of the real ones.
func etag(c *api.Call) string { return "BwY" + api.Fingerprint(c.Tx.Serial())[:8] + "=" }

// canonical leaves out a binding's repeated members and sorts them.
func canonical(b store.Object) store.Object {
	members := api.Texts(b["members"])
	slices.Sort(members)
	var list []any
	for _, m := range slices.Compact(members) {
		list = append(list, m)
	}
	clean := store.Object{"role": b["role"], "members": list}
	if condition := api.Object(b, "condition"); condition != nil {
		clean["condition"] = condition
	}
	return clean
}

// joined puts bindings of the same role and condition into one, in order.
func joined(bindings []any) []any {
	name := func(b store.Object) string { return fmt.Sprint(b["role"], api.Fingerprint(b["condition"])) }
	var list []any
	at := map[string]int{}
	for _, item := range bindings {
		b := item.(store.Object)
		i, there := at[name(b)]
		if !there {
			at[name(b)] = len(list)
			list = append(list, b)
			continue
		}
		was := list[i].(store.Object)
		was["members"] = append(was["members"].([]any), b["members"].([]any)...)
		list[i] = canonical(was)
	}
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(name(a.(store.Object)), name(b.(store.Object))) })
	return list
}

// check finds what is wrong with a binding. Source of the sentences: replies
// recorded in issues of hashicorp/terraform-provider-google.
func check(c *api.Call, b store.Object, version float64) error {
	role := api.String(b, "role")
	if b["condition"] != nil && version < 3 {
		return wire.New(400, "Policy version must be set to 3 when a binding has a condition.")
	}
	switch {
	case strings.HasPrefix(role, "roles/"):
		if !Predefined(role) {
			c.Note(fmt.Sprintf("role %s is bound, and is not in the sandbox's table: it grants nothing here", role))
		}
	case customRole.MatchString(role):
		if r, ok := c.Tx.Get("iam/" + role); !ok || api.Bool(r, "deleted") && !bound(c, role) {
			return wire.New(400, "Role (%s) does not exist in the resource's hierarchy.", role)
		}
	default:
		return wire.New(400, "Role %s is not supported for this resource.", role)
	}
	for _, m := range api.Texts(b["members"]) {
		kind, id, hasID := strings.Cut(m, ":")
		switch kind {
		case "allUsers", "allAuthenticatedUsers":
			hasID = true
		case "serviceAccount":
			if own := "@" + c.Project.ID + ".iam.gserviceaccount.com"; strings.HasSuffix(id, own) {
				if _, ok := c.Tx.Get("iam/projects/" + c.Project.ID + "/serviceAccounts/" + id); !ok {
					return wire.New(400, "Service account %s does not exist.", id)
				}
			}
		case "user", "group", "domain", "deleted", "projectOwner", "projectEditor", "projectViewer", "principal", "principalSet":
		default:
			hasID = false
		}
		if !hasID {
			return wire.New(400, "Invalid member %q: it has no known type.", m)
		}
	}
	return nil
}

// bound tells whether the project's policy has the role already: a binding of a
// role that was deleted can stay.
func bound(c *api.Call, role string) bool {
	policy, _ := c.Tx.Get(PolicyKey(ProjectKey(c.Project.ID)))
	return slices.ContainsFunc(api.List(policy, "bindings"), func(b store.Object) bool { return b["role"] == role })
}

func test(c *api.Call, key string) (*api.Reply, error) {
	asked := api.Texts(c.Body["permissions"])
	if c.Service.Name == "storage" {
		asked = c.Query["permissions"]
	}
	var held []any
	for _, p := range asked {
		if !Permission.MatchString(p) {
			return nil, wire.New(400, "Permission %s is not valid for this resource.", p)
		}
		ok, err := c.Holds(p, key)
		if err != nil {
			return nil, err
		}
		if ok {
			held = append(held, p)
		}
	}
	reply := store.Object{}
	if len(held) > 0 {
		reply["permissions"] = held
	}
	if c.Service.Name == "storage" {
		reply["kind"] = "storage#testIamPermissionsResponse"
	}
	return api.OK(reply)
}

// Permission is the form of a permission's name.
var Permission = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-zA-Z0-9]+\.[a-zA-Z0-9]+$`)

// Rename changes a member in every policy: an account that is deleted keeps its
// bindings under another name.
func Rename(tx *store.Tx, from, to string) {
	for key, policy := range tx.Scan("policy:") {
		p := store.Clone(policy)
		changed := false
		for _, b := range api.List(p, "bindings") {
			members := b["members"].([]any)
			for i, m := range members {
				if m == from {
					members[i], changed = to, true
				}
			}
		}
		if changed {
			tx.Put(key, p)
		}
	}
}
