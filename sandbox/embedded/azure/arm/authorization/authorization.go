// Package authorization has the roles of the embedded Azure sandbox, custom and
// built in, and their assignments, as Resource Manager keeps and shows them. What
// they allow is decided in package rbac.
package authorization

import (
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rbac"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// Kinds are the types of roles and assignments.
func Kinds() map[string]arm.Kind {
	return map[string]arm.Kind{
		"Microsoft.Authorization/roleAssignments": {Bare: true, Created: true, Prepare: prepareAssignment, Answer: authorization, Missing: func(c *arm.Call) error {
			return wire.New(404, "RoleAssignmentNotFound", "The role assignment '%s' is not found.", c.Path.Name())
		}},
		"Microsoft.Authorization/roleDefinitions": {Bare: true, Created: true, Prepare: prepareDefinition, Remove: removeDefinition, Answer: authorization, Missing: func(c *arm.Call) error {
			return wire.New(404, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", c.Path.Name())
		}},
	}
}

func prepareAssignment(c *arm.Call, o, old store.Object) error {
	role, principal := store.Text(o, "properties", "roleDefinitionId"), store.Text(o, "properties", "principalId")
	name := role[strings.LastIndexByte(role, '/')+1:]
	if old != nil {
		if strings.EqualFold(store.Text(old, "properties", "principalId"), principal) && strings.HasSuffix(store.Text(old, "properties", "roleDefinitionId"), "/"+strings.ToLower(name)) {
			o["properties"] = old["properties"]
			return nil
		}
		return wire.New(409, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
	}
	if !roleThere(c, name) {
		return wire.New(404, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(name, "-", ""))
	}
	if !entra.Known(c.Store, principal) {
		return wire.New(400, "PrincipalNotFound", "Principal %s does not exist in the directory %s. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype", strings.ReplaceAll(principal, "-", ""), c.Tenant)
	}
	if c.Path.Scope != "" && !scopeThere(c) {
		return wire.New(404, "ResourceNotFound", "The resource '%s' was not found, so nothing can be assigned on it.", c.Path.Scope)
	}
	for _, k := range c.Store.Below(c.Path.Scope + rbac.Assignments) {
		have, _ := c.Store.Get(k)
		if strings.EqualFold(store.Text(have, "properties", "principalId"), principal) && strings.HasSuffix(strings.ToLower(store.Text(have, "properties", "roleDefinitionId")), strings.ToLower(name)) {
			return wire.New(409, "RoleAssignmentExists", "The role assignment already exists. The ID of the conflicting role assignment is %s.", strings.ReplaceAll(store.Text(have, "name"), "-", ""))
		}
	}
	p := store.Child(o, "properties")
	p["scope"] = c.Path.Scope
	p["roleDefinitionId"] = "/subscriptions/" + c.Path.Subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + strings.ToLower(name)
	store.Default(p, "principalType", "ServicePrincipal")
	p["createdBy"] = c.Holder.ObjectID
	return nil
}

// scopeThere tells whether there is what something is to be assigned on.
func scopeThere(c *arm.Call) bool {
	return c.Store.Has(c.Path.Scope) || strings.EqualFold(c.Path.Scope, "/subscriptions/"+c.Path.Subscription) ||
		strings.HasPrefix(strings.ToLower(c.Path.Scope), "/providers/microsoft.management/") || implicitScope(c)
}

// implicitScope lets a part of a storage account or a registry be assigned on
// that comes with it.
func implicitScope(c *arm.Call) bool {
	at := strings.Index(strings.ToLower(c.Path.Scope), "/blobservices/default")
	return at > 0 && c.Store.Has(c.Path.Scope[:at])
}

func roleThere(c *arm.Call, name string) bool {
	for _, d := range rbac.BuiltIn() {
		if strings.EqualFold(d.Name, name) {
			return true
		}
	}
	for _, k := range c.Store.Below("") {
		if strings.HasSuffix(k, rbac.Definitions+strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// prepareDefinition checks a custom role as Azure does. Source: "Azure custom
// roles", "Troubleshoot Azure RBAC": InvalidActionOrNotAction.
func prepareDefinition(c *arm.Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	name := store.Text(p, "roleName")
	if name == "" {
		return wire.New(400, "InvalidRoleDefinitionName", "The role definition name is empty.")
	}
	scopes, _ := p["assignableScopes"].([]any)
	if len(scopes) == 0 {
		return wire.New(400, "RoleDefinitionAssignableScopeRequired", "The role definition must have at least one assignable scope.")
	}
	for _, k := range c.Store.Below("") {
		if !strings.Contains(k, rbac.Definitions) || strings.EqualFold(k, c.Path.ID) {
			continue
		}
		if have, _ := c.Store.Get(k); strings.EqualFold(store.Text(have, "properties", "roleName"), name) {
			return wire.New(409, "RoleDefinitionWithSameNameExists", "A custom role with the same name already exists in this directory. Use a different name.")
		}
	}
	list, _ := p["permissions"].([]any)
	for _, e := range list {
		one, _ := e.(store.Object)
		for field, data := range map[string]bool{"actions": false, "notActions": false, "dataActions": true, "notDataActions": true} {
			actions, _ := store.At(one, field).([]any)
			for _, a := range actions {
				if text, _ := a.(string); !action(c, text, data) {
					return wire.New(400, "InvalidActionOrNotAction", "'%s' does not match any of the actions supported by the providers.", text)
				}
			}
		}
	}
	p["type"] = "CustomRole"
	return nil
}

// action tells whether there is an action that a pattern takes in.
func action(c *arm.Call, pattern string, data bool) bool {
	space, _, _ := strings.Cut(pattern, "/")
	if pattern == "*" || strings.Contains(space, "*") {
		return true
	}
	for _, o := range c.Tables.Operations(space) {
		if o.Data == data && rbac.Match(pattern, o.Name) {
			return true
		}
	}
	return false
}

func removeDefinition(c *arm.Call, o store.Object) error {
	for _, k := range c.Store.Below("") {
		if !strings.Contains(k, rbac.Assignments) {
			continue
		}
		if have, _ := c.Store.Get(k); strings.HasSuffix(strings.ToLower(store.Text(have, "properties", "roleDefinitionId")), "/"+strings.ToLower(c.Path.Name())) {
			return wire.New(400, "RoleDefinitionHasAssignments", "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).")
		}
	}
	return nil
}

// assignments lists role assignments and definitions, which are seen from scopes
// below their own too, filtered as clients ask.
func assignments(c *arm.Call, part string) (*arm.Reply, error) {
	found := []any{}
	filter := c.Query.Get("$filter")
	words := strings.Split(filter, "'")
	for _, k := range c.Store.Below("") {
		at := strings.Index(k, part)
		if at < 0 || strings.Contains(k[at+len(part):], "/") {
			continue
		}
		scope := k[:at]
		above := rbac.Within(c.Path.Scope, scope)
		below := rbac.Within(scope, c.Path.Scope)
		if !above && !below || strings.HasPrefix(filter, "atScope()") && !above {
			continue
		}
		o, _ := c.Store.Get(k)
		switch {
		case filter == "" || filter == "atScope()":
		case strings.HasSuffix(strings.TrimSpace(words[0]), "principalId eq") && len(words) == 3:
			if !strings.EqualFold(store.Text(o, "properties", "principalId"), words[1]) {
				continue
			}
		case strings.HasSuffix(strings.TrimSpace(words[0]), "roleName eq") && len(words) == 3:
			if !strings.EqualFold(store.Text(o, "properties", "roleName"), words[1]) {
				continue
			}
		case strings.EqualFold(filter, "type eq 'CustomRole'"):
		default:
			return nil, arm.ErrUnknown
		}
		found = append(found, o)
	}
	if part == rbac.Definitions && filter != "type eq 'CustomRole'" {
		for _, d := range rbac.BuiltIn() {
			if len(words) == 3 && !strings.EqualFold(d.Description, words[1]) {
				continue
			}
			found = append(found, builtIn(c, d))
		}
	}
	return arm.OK(store.Object{"value": found}), nil
}

// builtIn is a built-in role as it is shown: with an id of the subscription in
// which it was looked for.
func builtIn(c *arm.Call, d rbac.Definition) store.Object {
	if c.Path.Subscription != "" {
		d.ID = "/subscriptions/" + c.Path.Subscription + d.ID
	}
	list := func(s []string) []any {
		l := []any{}
		for _, e := range s {
			l = append(l, e)
		}
		return l
	}
	var permissions []any
	for _, p := range d.Permissions {
		permissions = append(permissions, store.Object{"actions": list(p.Actions), "notActions": list(p.NotActions), "dataActions": list(p.DataActions), "notDataActions": list(p.NotDataActions)})
	}
	return store.Object{"id": d.ID, "name": d.Name, "type": "Microsoft.Authorization/roleDefinitions", "properties": store.Object{
		"roleName": d.Description, "type": "BuiltInRole", "description": d.Description, "assignableScopes": []any{"/"}, "permissions": permissions}}
}

// authorization answers what role definitions and assignments have of their own.
func authorization(c *arm.Call) (*arm.Reply, error) {
	part := rbac.Assignments
	if c.Kind == "Microsoft.Authorization/roleDefinitions" {
		part = rbac.Definitions
	}
	switch {
	case c.Method == http.MethodGet && !c.Path.Named:
		return assignments(c, part)
	case part == rbac.Definitions && c.Method == http.MethodGet && c.Path.Named:
		for _, d := range rbac.BuiltIn() {
			if strings.EqualFold(d.Name, c.Path.Name()) {
				return arm.OK(builtIn(c, d)), nil
			}
		}
		for _, k := range c.Store.Below("") { // a role is found by its id at any scope
			if strings.HasSuffix(k, part+strings.ToLower(c.Path.Name())) {
				o, _ := c.Store.Get(k)
				return arm.OK(o), nil
			}
		}
	}
	return nil, nil
}
