package arm

import (
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rbac"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// kind is what is particular to a type.
type kind struct {
	// operations is where its operations are asked for, below
	// providers/NAMESPACE/locations/PLACE; empty: it is made at once.
	operations string
	// location: they are named by Location, not by Azure-AsyncOperation.
	location bool
	// own: they lie below the resource itself.
	own bool
	// bare resources have no provisioningState.
	bare bool
	// ok: making one is told with 200 as well.
	ok bool
	// accepted: making one is told with 202, and nothing of it is shown; changing
	// and deleting one is done at once.
	accepted bool
	// created: changing one is told with 201 as well.
	created bool
	// implied: one called "default" comes with what it is in.
	implied bool
	// prepare completes a resource before it is kept, or refuses it; old is nil
	// for a new one.
	prepare func(c *Call, o, old store.Object) error
	// after does what making it does to others.
	after func(c *Call, o, old store.Object) error
	// remove does what taking it away does to others, or refuses it.
	remove func(c *Call, o store.Object) error
	// view puts in what is computed from others.
	view func(c *Call, id string, o store.Object)
	post map[string]func(c *Call, o store.Object) (*Reply, error)
}

// kinds are the types that are more than what was put. A type that is not here is
// kept and shown as it is.
var kinds map[string]kind

// They are put together here, since some lead back to them.
func init() {
	kinds = map[string]kind{
		"Microsoft.Resources/subscriptions/resourceGroups":                              {prepare: prepareGroup, operations: "operationresults", location: true},
		"Microsoft.Resources/deployments":                                               {prepare: prepareDeployment, own: true, operations: "operationstatuses"},
		"Microsoft.Authorization/roleAssignments":                                       {bare: true, created: true, prepare: prepareAssignment},
		"Microsoft.Authorization/roleDefinitions":                                       {bare: true, created: true, prepare: prepareDefinition, remove: removeDefinition},
		"Microsoft.Resources/tags":                                                      {bare: true, ok: true},
		"Microsoft.Authorization/locks":                                                 {bare: true},
		"Microsoft.ManagedIdentity/userAssignedIdentities":                              {bare: true, prepare: prepareIdentity},
		"Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": {bare: true},

		"Microsoft.Network/virtualNetworks":                        network(kind{prepare: prepareVirtualNetwork, after: inline("subnets", "Microsoft.Network/virtualNetworks/subnets"), view: viewInline("subnets")}),
		"Microsoft.Network/virtualNetworks/subnets":                network(kind{prepare: prepareSubnet}),
		"Microsoft.Network/virtualNetworks/virtualNetworkPeerings": network(kind{prepare: preparePeering}),
		"Microsoft.Network/networkSecurityGroups":                  network(kind{prepare: prepareSecurityGroup, after: inline("securityRules", "Microsoft.Network/networkSecurityGroups/securityRules"), view: viewInline("securityRules")}),
		"Microsoft.Network/networkSecurityGroups/securityRules":    network(kind{}),
		"Microsoft.Network/routeTables":                            network(kind{after: inline("routes", "Microsoft.Network/routeTables/routes"), view: viewInline("routes")}),
		"Microsoft.Network/routeTables/routes":                     network(kind{}),
		"Microsoft.Network/publicIPAddresses":                      network(kind{prepare: preparePublicIP}),
		"Microsoft.Network/networkInterfaces":                      network(kind{prepare: prepareInterface}),
		"Microsoft.Network/natGateways":                            network(kind{}),
		"Microsoft.Network/loadBalancers":                          network(kind{}),
		"Microsoft.Network/virtualNetworkGateways":                 network(kind{}),
		"Microsoft.Network/privateEndpoints":                       network(kind{}),

		"Microsoft.Compute/disks":           {operations: "operations", prepare: prepareDisk},
		"Microsoft.Compute/virtualMachines": {operations: "operations", prepare: prepareMachine},

		"Microsoft.Storage/storageAccounts": {operations: "asyncoperations", location: true, accepted: true, prepare: prepareAccount,
			post: map[string]func(*Call, store.Object) (*Reply, error){"listkeys": listKeys}},
		"Microsoft.Storage/storageAccounts/blobServices":            {bare: true, implied: true, ok: true},
		"Microsoft.Storage/storageAccounts/fileServices":            {bare: true, implied: true, ok: true},
		"Microsoft.Storage/storageAccounts/queueServices":           {bare: true, implied: true, ok: true},
		"Microsoft.Storage/storageAccounts/tableServices":           {bare: true, implied: true, ok: true},
		"Microsoft.Storage/storageAccounts/blobServices/containers": {bare: true, prepare: prepareContainer, remove: removeContainer},
		"Microsoft.Storage/storageAccounts/fileServices/shares":     {bare: true},
		"Microsoft.Storage/storageAccounts/queueServices/queues":    {bare: true},
		"Microsoft.Storage/storageAccounts/tableServices/tables":    {bare: true},
		"Microsoft.Storage/storageAccounts/managementPolicies":      {bare: true},

		"Microsoft.KeyVault/vaults": {ok: true, prepare: prepareVault, remove: removeVault},
		"Microsoft.KeyVault/locations/deletedVaults": {bare: true, operations: "operationResults", location: true,
			post: map[string]func(*Call, store.Object) (*Reply, error){"purge": purgeVault}},

		"Microsoft.ContainerRegistry/registries": {own: true, operations: "operationStatuses", prepare: prepareRegistry,
			post: map[string]func(*Call, store.Object) (*Reply, error){"listcredentials": listCredentials}},
		"Microsoft.ContainerService/managedClusters": {operations: "operations", prepare: prepareCluster, after: afterCluster, remove: removeCluster, view: viewCluster,
			post: map[string]func(*Call, store.Object) (*Reply, error){"listclusterusercredential": kubeconfig, "listclusteradmincredential": kubeconfig}},
		"Microsoft.ContainerService/managedClusters/agentPools": {operations: "operations", prepare: preparePool},
		"Microsoft.OperationalInsights/workspaces": {prepare: prepareWorkspace,
			post: map[string]func(*Call, store.Object) (*Reply, error){"sharedkeys": sharedKeys}},
	}
}

func network(k kind) kind {
	k.operations = "operations"
	return k
}

// managed gives a resource the identities that it asks for: one of its own, and
// those that are assigned.
func managed(c *Call, o, old store.Object) {
	identity, ok := o["identity"].(store.Object)
	if !ok {
		return
	}
	kind := strings.ToLower(store.Text(identity, "type"))
	if strings.Contains(kind, "systemassigned") {
		identity["principalId"] = store.Text(old, "identity", "principalId")
		if identity["principalId"] == "" {
			id := entra.NewID()
			identity["principalId"] = id
			entra.AddManaged(c.Store, c.Path.Name(), id, entra.NewID())
		}
		identity["tenantId"] = c.Tenant
	}
	assigned, _ := identity["userAssignedIdentities"].(store.Object)
	for id := range assigned {
		u, _ := c.Store.Get(id)
		assigned[id] = store.Object{"principalId": store.Text(u, "properties", "principalId"), "clientId": store.Text(u, "properties", "clientId")}
	}
}

// Groups.

func prepareGroup(c *Call, o, old store.Object) error {
	if old != nil && !strings.EqualFold(location(o), location(old)) {
		return wire.New(409, "InvalidResourceGroupLocation", "Invalid resource group location '%s'. The Resource group already exists in location '%s'.", location(o), location(old))
	}
	o["location"] = location(o)
	return nil
}

// Authorization.

func prepareAssignment(c *Call, o, old store.Object) error {
	role, principal := store.Text(o, "properties", "roleDefinitionId"), store.Text(o, "properties", "principalId")
	name := role[strings.LastIndexByte(role, '/')+1:]
	if old != nil {
		if strings.EqualFold(store.Text(old, "properties", "principalId"), principal) && strings.HasSuffix(store.Text(old, "properties", "roleDefinitionId"), "/"+strings.ToLower(name)) {
			o["properties"] = old["properties"]
			return nil
		}
		return wire.New(409, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
	}
	if !c.roleThere(name) {
		return wire.New(404, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(name, "-", ""))
	}
	if !entra.Known(c.Store, principal) {
		return wire.New(400, "PrincipalNotFound", "Principal %s does not exist in the directory %s. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype", strings.ReplaceAll(principal, "-", ""), c.Tenant)
	}
	if c.Path.Scope != "" && !c.scopeThere() {
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
func (c *Call) scopeThere() bool {
	return c.Store.Has(c.Path.Scope) || strings.EqualFold(c.Path.Scope, "/subscriptions/"+c.Path.Subscription) ||
		strings.HasPrefix(strings.ToLower(c.Path.Scope), "/providers/microsoft.management/") || implicitScope(c)
}

// implicitScope lets a part of a storage account or a registry be assigned on
// that comes with it.
func implicitScope(c *Call) bool {
	at := strings.Index(strings.ToLower(c.Path.Scope), "/blobservices/default")
	return at > 0 && c.Store.Has(c.Path.Scope[:at])
}

func (c *Call) roleThere(name string) bool {
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
func prepareDefinition(c *Call, o, old store.Object) error {
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
				if text, _ := a.(string); !c.action(text, data) {
					return wire.New(400, "InvalidActionOrNotAction", "'%s' does not match any of the actions supported by the providers.", text)
				}
			}
		}
	}
	p["type"] = "CustomRole"
	return nil
}

// action tells whether there is an action that a pattern takes in.
func (c *Call) action(pattern string, data bool) bool {
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

func removeDefinition(c *Call, o store.Object) error {
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

// Identities.

func prepareIdentity(c *Call, o, old store.Object) error {
	p := store.Child(o, "properties")
	if old != nil {
		o["properties"] = old["properties"]
		return nil
	}
	p["tenantId"], p["principalId"], p["clientId"] = c.Tenant, entra.NewID(), entra.NewID()
	entra.AddManaged(c.Store, c.Path.Name(), store.Text(p, "principalId"), store.Text(p, "clientId"))
	return nil
}

// assignments lists role assignments and definitions, which are seen from scopes
// below their own too, filtered as clients ask.
func (c *Call) assignments(part string) (*Reply, error) {
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
			return nil, ErrUnknown
		}
		found = append(found, o)
	}
	if part == rbac.Definitions && filter != "type eq 'CustomRole'" {
		for _, d := range rbac.BuiltIn() {
			if len(words) == 3 && !strings.EqualFold(d.Description, words[1]) {
				continue
			}
			found = append(found, c.builtIn(d))
		}
	}
	return OK(store.Object{"value": found}), nil
}

// builtIn is a built-in role as it is shown: with an id of the subscription in
// which it was looked for.
func (c *Call) builtIn(d rbac.Definition) store.Object {
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
func (c *Call) authorization() (*Reply, error) {
	part := rbac.Assignments
	if c.kind == "Microsoft.Authorization/roleDefinitions" {
		part = rbac.Definitions
	}
	switch {
	case c.Method == http.MethodGet && !c.Path.Named:
		return c.assignments(part)
	case part == rbac.Definitions && c.Method == http.MethodGet && c.Path.Named:
		for _, d := range rbac.BuiltIn() {
			if strings.EqualFold(d.Name, c.Path.Name()) {
				return OK(c.builtIn(d)), nil
			}
		}
		for _, k := range c.Store.Below("") { // a role is found by its id at any scope
			if strings.HasSuffix(k, part+strings.ToLower(c.Path.Name())) {
				o, _ := c.Store.Get(k)
				return OK(o), nil
			}
		}
	}
	return nil, nil
}
