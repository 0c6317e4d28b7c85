// Package rbac evaluates Azure's role-based access control: role definitions,
// assignments and deny assignments, as they are in force.
//
// Source: "Steps to assign an Azure role", "How Azure RBAC determines if a user
// has access to a resource", "Understand Azure role definitions", "Understand
// Azure deny assignments".
package rbac

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

// The types of what is evaluated, with how their keys in the store go on.
const (
	Definitions = "/providers/microsoft.authorization/roledefinitions/"
	Assignments = "/providers/microsoft.authorization/roleassignments/"
	Denials     = "/providers/microsoft.authorization/denyassignments/"
)

// Touches tells whether a change of an object changes who may do what.
func Touches(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, Definitions) || strings.Contains(key, Assignments) || strings.Contains(key, Denials)
}

// Permission is one element of a role definition's permissions.
type Permission struct{ Actions, NotActions, DataActions, NotDataActions []string }

// allows tells whether an action is among the actions and not among those that
// are taken away again.
func (p Permission) allows(action string, data bool) bool {
	in, out := p.Actions, p.NotActions
	if data {
		in, out = p.DataActions, p.NotDataActions
	}
	return matches(in, action) && !matches(out, action)
}

func matches(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Match(p, action) })
}

// Match tells whether a pattern takes in an action. "*" stands for any text, and
// case does not count ("Understand Azure role definitions", Actions format).
func Match(pattern, action string) bool {
	pattern, action = strings.ToLower(pattern), strings.ToLower(action)
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == action
	}
	if !strings.HasPrefix(action, parts[0]) {
		return false
	}
	action = action[len(parts[0]):]
	for _, middle := range parts[1 : len(parts)-1] {
		at := strings.Index(action, middle)
		if at < 0 {
			return false
		}
		action = action[at+len(middle):]
	}
	return strings.HasSuffix(action, parts[len(parts)-1])
}

// Within tells whether a scope is another, or in it. The root holds everything.
func Within(scope, outer string) bool {
	scope, outer = strings.ToLower(strings.TrimRight(scope, "/")), strings.ToLower(strings.TrimRight(outer, "/"))
	return scope == outer || strings.HasPrefix(scope, outer+"/")
}

// Definition is a role.
type Definition struct {
	ID, Name, Description string
	BuiltIn               bool
	Permissions           []Permission
}

// said is the role's name for people: of a built-in one its own name is an id.
func (d Definition) said() string {
	if d.BuiltIn {
		return d.Description
	}
	return d.Name
}

type assignment struct {
	id, principal, scope string
	role                 string // its GUID
	condition            bool
}

type denial struct {
	id, name, scope string
	principals      []string
	excluded        []string
	notChildren     bool
	permissions     []Permission
}

// View is who may do what at one time.
type View struct {
	roles       map[string]Definition // by GUID
	assignments []assignment
	denials     []denial
}

// Read makes the view of what is in a store.
func Read(s *store.Store) View {
	v := View{roles: map[string]Definition{}}
	for _, d := range BuiltIn() {
		v.roles[d.Name] = d
	}
	for _, k := range s.Below("") {
		switch {
		case strings.Contains(k, Definitions):
			o, _ := s.Get(k)
			v.roles[last(k)] = Definition{ID: k, Name: store.Text(o, "properties", "roleName"), Permissions: permissions(o)}
		case strings.Contains(k, Assignments):
			o, _ := s.Get(k)
			v.assignments = append(v.assignments, assignment{
				id: k, principal: strings.ToLower(store.Text(o, "properties", "principalId")), scope: before(k, Assignments),
				role: last(strings.ToLower(store.Text(o, "properties", "roleDefinitionId"))), condition: store.Text(o, "properties", "condition") != "",
			})
		case strings.Contains(k, Denials):
			o, _ := s.Get(k)
			d := denial{id: k, name: store.Text(o, "properties", "denyAssignmentName"), scope: before(k, Denials), permissions: permissions(o)}
			d.notChildren, _ = store.At(o, "properties", "doNotApplyToChildScopes").(bool)
			d.principals, d.excluded = ids(store.At(o, "properties", "principals")), ids(store.At(o, "properties", "excludePrincipals"))
			v.denials = append(v.denials, d)
		}
	}
	return v
}

func last(k string) string { return k[strings.LastIndexByte(k, '/')+1:] }

func before(k, part string) string { return k[:strings.Index(k, part)] }

func ids(v any) (all []string) {
	list, _ := v.([]any)
	for _, e := range list {
		if o, ok := e.(store.Object); ok {
			all = append(all, strings.ToLower(store.Text(o, "id")))
		}
	}
	return all
}

func permissions(o store.Object) (all []Permission) {
	list, _ := store.At(o, "properties", "permissions").([]any)
	for _, e := range list {
		p, _ := e.(store.Object)
		all = append(all, Permission{texts(p, "actions"), texts(p, "notActions"), texts(p, "dataActions"), texts(p, "notDataActions")})
	}
	return all
}

func texts(o store.Object, name string) (all []string) {
	list, _ := store.At(o, name).([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// Decision is what comes of asking whether a principal may do something.
type Decision struct {
	Allowed bool
	// By is what allows it: the role's name, the assignment's id and scope.
	By [3]string
	// Denied names the deny assignment that forbids what a role would allow.
	Denied *Denial
}

// Denial is a deny assignment as a refusal names it.
type Denial struct{ Name, ID, Scope string }

// everyone is the id of all principals in a deny assignment.
const everyone = "00000000-0000-0000-0000-000000000000"

// Decide tells whether a principal may do something on a scope. The error is
// about an assignment whose condition would decide it: the sandbox evaluates
// none.
func (v View) Decide(principal, action string, data bool, scope string) (Decision, error) {
	principal = strings.ToLower(principal)
	var d Decision
	var condition string
	for _, a := range v.assignments {
		if a.principal != principal || !Within(scope, a.scope) {
			continue
		}
		if slices.ContainsFunc(v.roles[a.role].Permissions, func(p Permission) bool { return p.allows(action, data) }) {
			if a.condition {
				condition = a.id
				continue
			}
			d.Allowed = true
			if d.By[1] == "" {
				d.By = [3]string{v.roles[a.role].said(), last(a.id), a.scope}
			}
		}
	}
	if !d.Allowed && condition != "" {
		return d, fmt.Errorf("the sandbox does not evaluate conditions, and that of role assignment %s decides on %s", condition, action)
	}
	if !d.Allowed {
		return d, nil
	}
	for _, deny := range v.denials {
		applies := Within(scope, deny.scope) && (!deny.notChildren || strings.EqualFold(scope, deny.scope))
		named := slices.Contains(deny.principals, principal) || slices.Contains(deny.principals, everyone)
		if applies && named && !slices.Contains(deny.excluded, principal) &&
			slices.ContainsFunc(deny.permissions, func(p Permission) bool { return p.allows(action, data) }) {
			return Decision{Denied: &Denial{deny.name, last(deny.id), deny.scope}}, nil
		}
	}
	return d, nil
}

// Held gives the permissions of the roles that a principal is assigned on a scope, or
// on what that is in. Deny assignments and conditions are not looked at.
func (v View) Held(principal, scope string) (all []Permission) {
	for _, a := range v.assignments {
		if a.principal == strings.ToLower(principal) && Within(scope, a.scope) && !a.condition {
			all = append(all, v.roles[a.role].Permissions...)
		}
	}
	return all
}

//go:embed roles.tsv
var rolesTSV string

// BuiltIn gives the built-in roles that the sandbox knows.
func BuiltIn() []Definition {
	var all []Definition
	for lines := bufio.NewScanner(strings.NewReader(rolesTSV)); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		list := func(i int) []string {
			if i >= len(f) || f[i] == "" {
				return nil
			}
			return strings.Fields(f[i])
		}
		all = append(all, Definition{
			ID: "/providers/Microsoft.Authorization/roleDefinitions/" + f[0], Name: f[0], Description: f[1], BuiltIn: true,
			Permissions: []Permission{{list(2), list(3), list(4), nil}},
		})
	}
	return all
}
