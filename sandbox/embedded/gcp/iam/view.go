// Package iam decides who may do what in the embedded GCP sandbox: allow
// policies on the project and on its resources, predefined and custom roles,
// and conditions on the resource's name and type.
package iam

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

//go:embed roles.tsv
var table string

type patterns struct{ has, without []string }

var predefined = sync.OnceValue(func() map[string]patterns {
	m := map[string]patterns{}
	for line := range strings.Lines(table) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			p := patterns{has: strings.Fields(f[1])}
			if f[2] != "-" {
				p.without = strings.Fields(f[2])
			}
			m[f[0]] = p
		}
	}
	return m
})

// Predefined tells whether a predefined role is in the sandbox's table. One
// that is not can be bound, and grants nothing.
func Predefined(role string) bool {
	_, ok := predefined()[role]
	return ok
}

func (p patterns) allow(permission string) bool {
	matches := func(pattern string) bool { return covers(pattern, permission) }
	return slices.ContainsFunc(p.has, matches) && !slices.ContainsFunc(p.without, matches)
}

// covers tells whether a pattern of roles.tsv has a permission.
func covers(pattern, permission string) bool {
	before, after, any := strings.Cut(pattern, "*")
	switch {
	case !any:
		return pattern == permission
	case after == "":
		return strings.HasPrefix(permission, before)
	}
	return len(permission) > len(before)+len(after) && strings.HasPrefix(permission, before) && strings.HasSuffix(permission, after)
}

// PolicyKey is the name in the store of the policy on a resource.
func PolicyKey(key string) string { return "policy:" + key }

// ProjectKey is the name in the store of the project.
func ProjectKey(id string) string { return "cloudresourcemanager/projects/" + id }

// binding is one binding of a policy.
type binding struct {
	role      string
	members   []string
	condition string
}

// View is the IAM of one moment: policies and custom roles. It is immutable.
type View struct {
	project  string
	policies map[string][]binding       // by the resource's key
	roles    map[string]map[string]bool // custom roles in force: their permissions
}

// Read makes the view of the state.
func Read(tx *store.Tx, project string) *View {
	v := &View{project: project, policies: map[string][]binding{}, roles: map[string]map[string]bool{}}
	for key, policy := range tx.Scan("policy:") {
		var list []binding
		for _, b := range api.List(policy, "bindings") {
			list = append(list, binding{api.String(b, "role"), api.Texts(b["members"]), api.String(b, "condition.expression")})
		}
		v.policies[strings.TrimPrefix(key, "policy:")] = list
	}
	prefix := "iam/projects/" + project + "/roles/"
	for key, role := range tx.Scan(prefix) {
		if api.Bool(role, "deleted") || role["stage"] == "DISABLED" {
			continue
		}
		has := map[string]bool{}
		for _, p := range api.Texts(role["includedPermissions"]) {
			has[p] = true
		}
		v.roles[strings.TrimPrefix(key, "iam/")] = has
	}
	return v
}

// Touches tells whether a change of what has this name in the store is one of
// IAM.
func Touches(key string) bool {
	return strings.HasPrefix(key, "policy:") || strings.HasPrefix(key, "iam/") && strings.Contains(key, "/roles/")
}

// Resource is what a permission is checked on.
type Resource struct {
	Key  string // its name in the store
	Name string // as conditions see it
	Type string // "compute.googleapis.com/Instance"
}

// ConditionError is a condition that cannot be evaluated.
type ConditionError struct {
	Key, Role, Expression string
	Err                   error
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("condition %q of %s on %s cannot be evaluated: %v", e.Expression, e.Role, e.Key, e.Err)
}

func (e *ConditionError) Unwrap() error { return e.Err }

// Decide tells whether a member ("serviceAccount:…", "user:…") has a permission
// on a resource: by a binding on it or on anything above it. A condition that
// cannot be evaluated is an error, unless the permission is granted without it.
func (v *View) Decide(member, permission string, r Resource, now time.Time) (bool, error) {
	var conditional []string
	var keys []binding
	for _, key := range v.above(r.Key) {
		for _, b := range v.policies[key] {
			if !v.member(b.members, member) || !v.has(b.role, permission) {
				continue
			}
			if b.condition == "" {
				return true, nil
			}
			conditional, keys = append(conditional, key), append(keys, b)
		}
	}
	var failed error
	for i, b := range keys {
		ok, err := evaluate(b.condition, attributes{r, now})
		if err != nil {
			failed = &ConditionError{conditional[i], b.role, b.condition, err}
		} else if ok {
			return true, nil
		}
	}
	return false, failed
}

// above lists a resource's key and those of what it is in, up to the project.
func (v *View) above(key string) []string {
	project := ProjectKey(v.project)
	if key == "" {
		return nil
	}
	service, path, _ := strings.Cut(key, "/")
	if rest, ok := strings.CutPrefix(path, "projects/"); ok {
		if id, _, _ := strings.Cut(rest, "/"); id != v.project {
			return nil // another project, where nobody of ours may do anything
		}
	}
	var list []string
	for path != "" && key != project {
		list = append(list, service+"/"+path)
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return append(list, project)
}

func (v *View) has(role, permission string) bool {
	if perms, custom := v.roles[role]; custom {
		return perms[permission]
	}
	return predefined()[role].allow(permission)
}

func (v *View) member(members []string, who string) bool {
	for _, m := range members {
		switch kind, id, _ := strings.Cut(m, ":"); {
		case m == who, m == "allUsers", m == "allAuthenticatedUsers" && who != "":
			return true
		case kind == "domain" && strings.HasPrefix(who, "user:") && strings.HasSuffix(who, "@"+id):
			return true
		case convenience[kind] != "" && id == v.project:
			for _, b := range v.policies[ProjectKey(v.project)] {
				if b.role == convenience[kind] && b.condition == "" && slices.Contains(b.members, who) {
					return true
				}
			}
		}
	}
	return false
}

// convenience are Cloud Storage's members that stand for a basic role on the
// project.
var convenience = map[string]string{"projectOwner": "roles/owner", "projectEditor": "roles/editor", "projectViewer": "roles/viewer"}

// Grants tells whether a predefined role has a permission.
func Grants(role, permission string) bool { return predefined()[role].allow(permission) }

// Ours tells whether a resource is in the project.
func (v *View) Ours(key string) bool { return v.above(key) != nil }
