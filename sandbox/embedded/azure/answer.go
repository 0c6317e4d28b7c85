package azure

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm/kinds"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/blob"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rbac"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/template"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/vault"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

const (
	managerHost = "management.azure.com"
	loginHost   = "login.microsoftonline.com"
	graphHost   = "graph.microsoft.com"
	vaultSuffix = ".vault.azure.net"
	blobSuffix  = ".blob.core.windows.net"
)

func planeOf(host string) wire.Plane {
	switch {
	case host == loginHost:
		return wire.Login
	case host == graphHost:
		return wire.Graph
	case strings.HasSuffix(host, vaultSuffix):
		return wire.Vault
	case strings.HasSuffix(host, ".core.windows.net"):
		return wire.Storage
	}
	return wire.Manager
}

// answer finds what to answer a request.
func (g *Gate) answer(r *request) (*reply, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.host == loginHost:
		o, ok, err := g.directory.Login(g.state, r.Request, r.body, r.now)
		if !ok && err == nil {
			return nil, &unknownError{"Entra ID has no such endpoint here"}
		}
		return &reply{object: o}, err
	case r.host == managerHost && strings.EqualFold(strings.Trim(r.URL.Path, "/"), "metadata/endpoints") && r.Method == http.MethodGet:
		return &reply{object: entra.Metadata(g.c.Tenant)}, nil
	case r.host == managerHost:
		return g.manager(r)
	case r.host == graphHost:
		return g.graph(r)
	case strings.HasSuffix(r.host, vaultSuffix):
		return g.vault(r)
	case strings.HasSuffix(r.host, blobSuffix):
		return g.blob(r)
	}
	return nil, &unknownError{"the host is none that it stands for"}
}

// authenticate finds who shows the request's token.
func (g *Gate) authenticate(r *request, audiences ...string) error {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return unauthenticated(r, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	who, err := g.directory.Holder(g.state, strings.TrimSpace(bearer), audiences, r.now)
	switch {
	case errors.Is(err, entra.ErrExpired):
		return unauthenticated(r, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
	case errors.Is(err, entra.ErrAudience):
		return unauthenticated(r, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource. It should exactly match (including forward slash) with one of the allowed audiences '"+audiences[0]+"'.")
	case err != nil:
		return unauthenticated(r, "InvalidAuthenticationToken", "The access token is invalid.")
	}
	r.who = who
	return nil
}

// unauthenticated is the error for who is not known. Source: "Common error
// response"; recorded replies of each service.
func unauthenticated(r *request, code, message string) error {
	e := wire.New(http.StatusUnauthorized, code, "%s", message)
	switch r.plane {
	case wire.Storage:
		e.Code, e.Message = "InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
		e.Header = http.Header{"Www-Authenticate": {"Bearer authorization_uri=https://" + loginHost + "/common/oauth2/authorize resource_id=https://storage.azure.com"}}
	case wire.Graph:
		e.Code = "InvalidAuthenticationToken"
	}
	return e
}

// object reads a request's body.
func object(r *request) (store.Object, error) {
	if len(strings.TrimSpace(string(r.body))) == 0 || strings.TrimSpace(string(r.body)) == "null" {
		return store.Object{}, nil
	}
	var o store.Object
	if err := json.Unmarshal(r.body, &o); err != nil {
		return nil, wire.New(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	return o, nil
}

// manager answers a request to Resource Manager.
func (g *Gate) manager(r *request) (*reply, error) {
	if err := g.authenticate(r, "https://"+managerHost); err != nil {
		return nil, err
	}
	path, ok := resource.Parse(r.Method, r.URL.Path)
	if !ok {
		return nil, &unknownError{"the path is none of Resource Manager's"}
	}
	body, err := object(r)
	if err != nil {
		return nil, err
	}
	call := &arm.Call{Method: r.Method, Path: path, Query: r.URL.Query(), Body: body, Store: g.state, Tables: g.tables, Holder: r.who, Tenant: g.c.Tenant, Now: r.now, Polls: g.c.Polls, Kinds: g.kinds,
		Held: func(scope string) []any { return g.held(r, scope) }, Events: func(q url.Values) (*arm.Reply, error) { return g.activity(q, r.now) }}
	needs, known := g.tables.Manager(r.Method, path, body)
	if !known {
		return nil, &unknownError{r.Method + " of " + path.Type + " " + path.Verb + " is not in its tables"}
	}
	r.action = needs[0].Action
	if path.Subscription != "" && !strings.EqualFold(path.Subscription, g.c.Subscription) {
		return nil, wire.New(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", path.Subscription)
	}
	if err := g.allow(r, needs); err != nil {
		return nil, err
	}
	if strings.EqualFold(path.Type, "Microsoft.Resources/deployments") && path.Verb == "" && r.Method == http.MethodPut {
		if err := g.template(r, path, body); err != nil {
			return nil, err
		}
	}
	space := path.Namespace
	if r.Method != http.MethodGet && path.Verb != "register" && !g.state.Has("registered/"+g.c.Subscription+"/"+space) {
		return nil, wire.New(http.StatusConflict, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace '%s'. See https://aka.ms/rps-not-found for how to register subscriptions.", space)
	}
	out, err := g.keep(r, func() (*arm.Reply, error) { return arm.Serve(call) })
	if errors.Is(err, arm.ErrUnknown) {
		return nil, &unknownError{r.action + ": " + err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return &reply{status: out.Status, header: out.Header, object: out.Object}, nil
}

// keep lets a request change the state: all of it or, where it fails, nothing.
func (g *Gate) keep(r *request, serve func() (*arm.Reply, error)) (*arm.Reply, error) {
	before := g.state.Snapshot()
	out, err := serve()
	if err != nil {
		g.state.Restore(before)
		return nil, err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		g.timeline.Add(r.now, rbac.Read(g.state))
	}
	return out, nil
}

// template asks for what a template's resources need, as Resource Manager does
// before it begins. Source: "Azure deployment preflight"; recorded refusals,
// "InvalidTemplateDeployment" with AuthorizationFailed in its details.
func (g *Gate) template(r *request, path resource.Path, body store.Object) error {
	all, err := template.Resources(path, body)
	if err != nil {
		return err
	}
	for _, t := range all {
		needs, known := g.tables.Manager(http.MethodPut, t.Path, t.Body)
		if !known {
			return &unknownError{"the template's " + t.Path.Type + " is not in its tables"}
		}
		if err := g.allow(r, needs); err != nil {
			return err
		}
	}
	return nil
}

// allow checks what a request needs: first the action itself, then what it
// links to, of which a refusal names all that is missing.
func (g *Gate) allow(r *request, needs []rules.Need) error {
	var actions, scopes []string
	for i, n := range needs {
		d, err := g.holds(r, n)
		if err != nil {
			return err
		}
		switch {
		case d.Denied != nil:
			return wire.Denied(r.who.Who(), n.Action, n.Scope, d.Denied.Name, d.Denied.ID, d.Denied.Scope)
		case d.Allowed:
		case i == 0 || n.Form == rules.Plain:
			return wire.Unauthorized(r.who.Who(), n.Action, n.Scope)
		case n.Form == rules.Access:
			return wire.LinkedAccess(r.who.Who(), n.Action, n.Scope)
		default:
			actions, scopes = append(actions, n.Action), append(scopes, n.Scope)
		}
	}
	if len(actions) > 0 {
		return wire.Linked(r.who.Who(), needs[0].Action, needs[0].Scope, actions, scopes)
	}
	return nil
}

// holds tells whether who asks may do one thing.
func (g *Gate) holds(r *request, n rules.Need) (rbac.Decision, error) {
	if !everybodys(n) {
		r.needs = append(r.needs, trace.Needed{Action: n.Action, Resource: n.Scope})
	}
	if r.who.Operator || everybodys(n) {
		return rbac.Decision{Allowed: true}, nil
	}
	d, err := g.timeline.InForce(r.now).Decide(r.who.ObjectID, n.Action, n.Data, n.Scope)
	if d.Allowed && r.binding[1] == "" {
		r.binding = d.By
	}
	if g.c.Open {
		return rbac.Decision{Allowed: true}, nil
	}
	return d, err
}

// held lists what who asks holds on a scope. Source: "Permissions - List For Resource
// Group", Permission.
func (g *Gate) held(r *request, scope string) []any {
	list := func(s []string) []any {
		all := make([]any, 0, len(s))
		for _, one := range s {
			all = append(all, one)
		}
		return all
	}
	permissions := []rbac.Permission{{Actions: []string{"*"}, DataActions: []string{"*"}}}
	if !r.who.Operator {
		permissions = g.timeline.InForce(r.now).Held(r.who.ObjectID, scope)
	}
	all := []any{}
	for _, p := range permissions {
		all = append(all, store.Object{"actions": list(p.Actions), "notActions": list(p.NotActions), "dataActions": list(p.DataActions), "notDataActions": list(p.NotDataActions)})
	}
	return all
}

// everybodys tells whether a need is met for everybody who is authenticated: the
// list of the subscriptions that he sees ("Subscriptions - List"), and what the
// providers' actions are, which is above every subscription that a role can be
// assigned on, and read by whoever writes a custom role ("Get-AzProviderOperation").
func everybodys(n rules.Need) bool {
	return n.Scope == "" && strings.HasSuffix(n.Action, "/read") || n.Action == "Microsoft.Authorization/providerOperations/read"
}

// graph answers a request to Microsoft Graph.
func (g *Gate) graph(r *request) (*reply, error) {
	if err := g.authenticate(r, "https://"+graphHost); err != nil {
		return nil, err
	}
	body, err := object(r)
	if err != nil {
		return nil, err
	}
	call := entra.Call{Method: r.Method, URL: r.URL, Body: body, Now: r.now, By: r.who.ObjectID}
	allowed, known := g.directory.Allowed(g.state, r.who, call)
	if !known {
		return nil, &unknownError{"Microsoft Graph has no such method here"}
	}
	r.action = "graph:" + r.Method + " " + strings.Trim(r.URL.Path, "/")
	if !allowed && !g.c.Open {
		return nil, wire.RequestDenied()
	}
	out, err := g.directory.Graph(g.state, call)
	switch {
	case err != nil:
		return nil, err
	case out == nil:
		return nil, &unknownError{"Microsoft Graph has no such method here"}
	case out.Object == nil:
		return &reply{status: out.Status}, nil
	}
	return &reply{status: out.Status, object: out.Object}, nil
}

// named finds the resource of a type whose name all the world shares.
func (g *Gate) named(kind, name string) (id string, o store.Object) {
	for _, k := range g.state.Below("/subscriptions/") {
		if !strings.HasSuffix(k, "/"+strings.ToLower(name)) {
			continue
		}
		if o, _ := g.state.Get(k); store.Text(o, "type") == kind {
			return store.Text(o, "id"), o
		}
	}
	return "", nil
}

// vault answers a request to a vault.
func (g *Gate) vault(r *request) (*reply, error) {
	name := strings.TrimSuffix(r.host, vaultSuffix)
	id, o := g.named("Microsoft.KeyVault/vaults", name)
	if o == nil {
		return nil, &unknownError{"there is no vault of that name; its host would not be found"}
	}
	if r.Header.Get("Authorization") == "" {
		// Source: "Authentication, requests and responses"; recorded reply.
		e := wire.New(http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
		e.Header = http.Header{"Www-Authenticate": {`Bearer authorization="https://` + loginHost + "/" + g.c.Tenant + `", resource="https://vault.azure.net"`}}
		return nil, e
	}
	if err := g.authenticate(r, "https://vault.azure.net"); err != nil {
		return nil, err
	}
	need, known := g.tables.DataPlane("vault", r.Method, r.URL, id, "")
	if !known {
		return nil, &unknownError{"Key Vault has no such method here"}
	}
	r.action = need.Action
	if rbacOn, _ := store.At(o, "properties", "enableRbacAuthorization").(bool); !rbacOn {
		return nil, &unknownError{"the vault goes by access policies, which the sandbox does not evaluate: say enableRbacAuthorization"}
	}
	d, err := g.holds(r, need)
	switch {
	case err != nil:
		return nil, err
	case d.Denied != nil:
		return nil, wire.ForbiddenByRbac(r.who.Who(), need.Action, strings.ToLower(need.Scope), name, store.Text(o, "location"), d.Denied.ID)
	case !d.Allowed:
		return nil, wire.ForbiddenByRbac(r.who.Who(), need.Action, strings.ToLower(need.Scope), name, store.Text(o, "location"), "")
	}
	body, err := object(r)
	if err != nil {
		return nil, err
	}
	days, _ := store.At(o, "properties", "softDeleteRetentionInDays").(float64)
	out, err := vault.Call{Method: r.Method, URL: r.URL, Body: body, Store: g.state, Now: r.now, Name: name, Days: days}.Serve()
	switch {
	case err != nil:
		return nil, err
	case out == nil:
		return nil, &unknownError{"Key Vault has no such method here"}
	case out.Object == nil:
		return &reply{status: out.Status}, nil
	}
	return &reply{status: out.Status, object: out.Object}, nil
}

// blob answers a request to a storage account's blobs.
func (g *Gate) blob(r *request) (*reply, error) {
	name := strings.TrimSuffix(r.host, blobSuffix)
	id, o := g.named("Microsoft.Storage/storageAccounts", name)
	if o == nil {
		return nil, &unknownError{"there is no storage account of that name; its host would not be found"}
	}
	if strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey ") {
		if on, _ := store.At(o, "properties", "allowSharedKeyAccess").(bool); !on {
			return nil, wire.New(http.StatusForbidden, "KeyBasedAuthenticationNotPermitted", "Key based authentication is not permitted on this storage account.")
		}
		if !blob.Signed(r.Request, name, kinds.AccountKeys(g.state, id)) {
			return nil, wire.New(http.StatusForbidden, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.")
		}
		return g.blobState(r, name, id)
	}
	if err := g.authenticate(r, "https://storage.azure.com", "https://"+r.host); err != nil {
		return nil, err
	}
	need, known := g.tables.DataPlane("blob", r.Method, r.URL, id, "blobServices/default/containers")
	if !known {
		return nil, &unknownError{"Blob Storage has no such method here"}
	}
	r.action = need.Action
	d, err := g.holds(r, need)
	if err == nil && d.Denied == nil && !d.Allowed && g.adds(r, name, need) {
		// Who may only add can write a blob that is not there ("Authorize with
		// Microsoft Entra ID", Put Blob: write, or add/action for a new blob).
		needs := r.needs
		add := need
		add.Action = strings.TrimSuffix(need.Action, "write") + "add/action"
		r.needs = r.needs[:len(r.needs)-1]
		if d, err = g.holds(r, add); !d.Allowed {
			r.needs = needs
		}
	}
	if err != nil {
		return nil, err
	}
	if !d.Allowed {
		return nil, wire.Mismatch()
	}
	return g.blobState(r, name, id)
}

// adds tells whether a request makes a blob that is not there.
func (g *Gate) adds(r *request, account string, need rules.Need) bool {
	container, name, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	comp := r.URL.Query().Get("comp")
	return strings.HasSuffix(need.Action, "/blobs/write") && (comp == "" || comp == "block" || comp == "blocklist") &&
		!g.state.Has(blob.Container(account, container)+"/"+name)
}

func (g *Gate) blobState(r *request, name, id string) (*reply, error) {
	u := *r.URL
	out, err := blob.Call{Method: r.Method, URL: &u, Header: r.Header, Content: r.body, Store: g.state, Now: r.now, Account: name, ID: id}.Serve()
	switch {
	case err != nil:
		return nil, err
	case out == nil:
		return nil, &unknownError{"Blob Storage has no such method here"}
	}
	return &reply{status: out.Status, header: out.Header, content: out.Content}, nil
}
