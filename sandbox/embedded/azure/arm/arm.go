// Package arm is the state behind Azure Resource Manager in the embedded
// sandbox: resources by their ids, made, changed, read, listed and deleted alike
// whatever their type. What is particular to a type is told to it, as a [Kind].
//
// It authorizes nothing: whoever calls it has done so. A request that it does
// not know is [ErrUnknown].
package arm

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// ErrUnknown is a request that the state has nothing for.
var ErrUnknown = errors.New("the state has no such method")

// Call is one request to Resource Manager that is allowed.
type Call struct {
	Method string
	Path   resource.Path
	Query  url.Values
	Body   store.Object
	Store  *store.Store
	Tables rules.Tables
	Holder entra.Holder
	Tenant string
	Now    time.Time
	// Polls is how often an operation is asked for until it is done.
	Polls int
	// Events answers for the Activity Log.
	Events func(query url.Values) (*Reply, error)
	// Held gives the permissions that who asks has on a scope, as "Permissions - List For
	// Resource Group" shows them.
	Held func(scope string) []any
	// Kinds are the types that are more than what was put. One that is not there is
	// kept and shown as it is.
	Kinds map[string]Kind

	// Kind is the type in its registered case; Serve sets it.
	Kind string
}

// Reply is what a request is answered with; a nil Object is no body.
type Reply struct {
	Status int
	Header http.Header
	Object any
}

// OK is a reply with an object.
func OK(o any) *Reply { return &Reply{Status: http.StatusOK, Object: o} }

// Serve answers a request.
func Serve(c *Call) (*Reply, error) {
	if c.Query.Get("api-version") == "" {
		return nil, wire.New(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	var known bool
	if c.Kind, known = c.Tables.Canonical(c.Path.Type); !known {
		c.Kind = c.Path.Type
	}
	if r, err := c.special(); r != nil || err != nil {
		return r, err
	}
	k := c.Kinds[c.Kind]
	if k.Answer != nil {
		if r, err := k.Answer(c); r != nil || err != nil {
			return r, err
		}
	}
	if c.Path.Verb != "" {
		act := k.Post[strings.ToLower(c.Path.Verb)]
		if act == nil {
			return nil, ErrUnknown
		}
		o, err := c.have()
		if err != nil {
			return nil, err
		}
		return act(c, o)
	}
	if !c.Path.Named {
		return c.list()
	}
	switch c.Method {
	case http.MethodGet:
		o, err := c.have()
		if err != nil {
			return nil, err
		}
		return OK(c.view(c.Path.ID, o)), nil
	case http.MethodHead:
		if _, err := c.have(); err != nil {
			return nil, err
		}
		return &Reply{Status: http.StatusNoContent}, nil
	case http.MethodPut:
		return c.put()
	case http.MethodPatch:
		return c.patch()
	case http.MethodDelete:
		return c.delete()
	}
	return nil, ErrUnknown
}

// have gives the resource that the path names, or the error that tells how it
// is not there.
func (c *Call) have() (store.Object, error) {
	if o, ok := c.Store.Get(c.Path.ID); ok {
		return o, nil
	}
	if o := c.implied(); o != nil {
		return o, nil
	}
	return nil, c.missing()
}

// implied are the parts that come with an account: blobServices/default.
func (c *Call) implied() store.Object {
	if !c.Kinds[c.Kind].Implied || !strings.EqualFold(c.Path.Name(), "default") || !c.Store.Has(c.Path.Parent()) {
		return nil
	}
	return c.Fresh(store.Object{"properties": store.Object{}})
}

const resourceGroups = "Microsoft.Resources/subscriptions/resourceGroups"

// groupThere tells whether the resource group is there that something is in; a
// group itself is in none.
func (c *Call) groupThere() bool {
	return c.Path.Group == "" || c.Kind == resourceGroups || c.Store.Has("/subscriptions/"+c.Path.Subscription+"/resourceGroups/"+c.Path.Group)
}

func (c *Call) missing() error {
	switch {
	case c.Kind == resourceGroups, !c.groupThere():
		return wire.New(404, "ResourceGroupNotFound", "Resource group '%s' could not be found.", c.Path.Group)
	case c.Kinds[c.Kind].Missing != nil:
		return c.Kinds[c.Kind].Missing(c)
	case c.Path.InResource() && !c.Store.Has(c.Path.Parent()):
		return wire.New(404, "ParentResourceNotFound", "Failed to perform '%s' on resource(s) of type '%s', because the parent resource '%s' could not be found.", "read", strings.TrimPrefix(c.Kind, c.Path.Namespace+"/"), c.Path.Parent())
	case c.Path.InResource():
		return wire.New(404, "NotFound", "Resource %s not found.", c.Path.ID)
	}
	return wire.New(404, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", c.Kind, strings.Join(c.Path.Names, "/"), c.Path.Group)
}

// Fresh gives a resource its id, name and type.
func (c *Call) Fresh(o store.Object) store.Object {
	o["id"], o["name"], o["type"] = c.canonicalID(), c.Path.Name(), c.Kind
	return o
}

// canonicalID is the path's id with the type in its registered case, as services
// give it back.
func (c *Call) canonicalID() string {
	id := c.Path.ID
	s := strings.Split(id, "/")
	for i := range s {
		if strings.EqualFold(s[i], "resourcegroups") && i == 3 {
			s[i] = "resourceGroups"
		}
	}
	at := len(s)
	types := strings.Split(c.Kind, "/")
	for i := len(types) - 1; i >= 1 && at >= 2; i-- {
		at -= 2
		if strings.EqualFold(s[at], types[i]) {
			s[at] = types[i]
		}
	}
	if at >= 1 && strings.EqualFold(s[at-1], types[0]) {
		s[at-1] = types[0]
	}
	return strings.Join(s, "/")
}

// view is a resource as it is shown: with what is computed from others.
func (c *Call) view(id string, o store.Object) store.Object {
	if v := c.Kinds[typeOf(c, o)].View; v != nil {
		v(c, id, o)
	}
	return o
}

func typeOf(c *Call, o store.Object) string {
	if t := store.Text(o, "type"); t != "" {
		return t
	}
	return c.Kind
}

// list lists the resources of a type in a scope, sorted by their ids.
func (c *Call) list() (*Reply, error) {
	parent := c.Path.Parent()
	if c.Path.InResource() && c.Path.Namespace != "Microsoft.Resources" && !c.Store.Has(parent) && !c.parentImplied() && !strings.Contains(strings.ToLower(c.Kind), "/locations/") {
		return nil, c.missing()
	}
	if !c.groupThere() {
		return nil, c.missing()
	}
	found := []any{}
	for _, k := range c.Store.Below(parent + "/") {
		o, _ := c.Store.Get(k)
		if store.Text(o, "type") != c.Kind {
			continue
		}
		if c.Path.InResource() && strings.Count(k[len(parent):], "/") != 2 {
			continue
		}
		found = append(found, c.view(k, o))
	}
	return OK(store.Object{"value": found}), nil
}

// put makes a resource or replaces it.
func (c *Call) put() (*Reply, error) {
	old, existed := c.Store.Get(c.Path.ID)
	if !existed {
		if o := c.implied(); o != nil {
			old, existed = o, true
		}
	}
	if !c.groupThere() {
		return nil, wire.New(404, "ResourceGroupNotFound", "Resource group '%s' could not be found.", c.Path.Group)
	}
	if c.Path.InResource() && c.Path.Namespace != "Microsoft.Resources" && !c.Store.Has(c.Path.Parent()) && !c.parentImplied() {
		return nil, wire.New(404, "ParentResourceNotFound", "Failed to perform 'write' on resource(s) of type '%s', because the parent resource '%s' could not be found.", strings.TrimPrefix(c.Kind, c.Path.Namespace+"/"), c.Path.Parent())
	}
	if err := c.dangling(c.Body); err != nil {
		return nil, err
	}
	o := c.Fresh(store.Clone(c.Body))
	return c.keep(o, old, existed)
}

// parentImplied tells whether the parent comes with an account.
func (c *Call) parentImplied() bool {
	p, ok := resource.Parse(http.MethodGet, c.Path.Parent())
	if !ok {
		return false
	}
	kind, _ := c.Tables.Canonical(p.Type)
	return c.Kinds[kind].Implied && strings.EqualFold(p.Name(), "default") && c.Store.Has(p.Parent())
}

// dangling finds a link to a resource that is not there. Source: recorded
// replies, "InvalidResourceReference".
func (c *Call) dangling(body store.Object) error {
	needs, _ := c.Tables.Manager(http.MethodPut, c.Path, body)
	for _, n := range needs[min(1, len(needs)):] {
		if !c.Store.Has(n.Scope) {
			return wire.New(400, "InvalidResourceReference", "Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", n.Scope, c.Path.ID)
		}
	}
	return nil
}

// patch changes a resource.
func (c *Call) patch() (*Reply, error) {
	old, err := c.have()
	if err != nil {
		return nil, err
	}
	o := store.Clone(old)
	store.Merge(o, c.Body)
	return c.keep(c.Fresh(o), old, true)
}

// keep puts a resource in its place, after what its type does to it.
func (c *Call) keep(o, old store.Object, existed bool) (*Reply, error) {
	k := c.Kinds[c.Kind]
	managed(c, o, old)
	if k.Prepare != nil {
		if err := k.Prepare(c, o, old); err != nil {
			return nil, err
		}
	}
	if !k.Bare {
		store.Child(o, "properties")["provisioningState"] = "Succeeded"
	}
	c.Store.Put(c.Path.ID, o)
	if k.After != nil {
		if err := k.After(c, o, old); err != nil {
			return nil, err
		}
	}
	status := http.StatusCreated
	if (existed || k.OK) && !k.Created {
		status = http.StatusOK
	}
	reply := &Reply{Status: status, Object: c.view(c.Path.ID, store.Clone(o))}
	if k.Operations == "" {
		return reply, nil
	}
	if k.Accepted {
		if existed {
			return reply, nil
		}
		return &Reply{Status: http.StatusAccepted, Header: c.begin(k, c.Path.ID)}, nil
	}
	shown := reply.Object.(store.Object)
	state := "Creating"
	if existed {
		state = "Updating"
	}
	store.Child(shown, "properties")["provisioningState"] = state
	reply.Header = c.begin(k, c.Path.ID)
	return reply, nil
}

// Begin notes an operation of the resource itself, and gives the headers that lead
// to it; made is the id of what it makes, if it does.
func (c *Call) Begin(made string) http.Header { return c.begin(c.Kinds[c.Kind], made) }

// begin notes an operation, and gives the headers that lead to it; made is the id
// of what it makes, if it does.
func (c *Call) begin(k Kind, made string) http.Header {
	id := entra.NewID()
	o, _ := c.Store.Get(c.Path.ID)
	place := Place(o)
	if place == "" {
		place = Place(c.owner())
	}
	if place == "" {
		place = "eastus"
	}
	at := "/subscriptions/" + c.Path.Subscription + "/providers/" + c.Path.Namespace + "/locations/" + place + "/" + k.Operations + "/" + id
	switch {
	case c.Path.Namespace == "Microsoft.Resources" && k.Location: // of the subscription
		at = "/subscriptions/" + c.Path.Subscription + "/" + k.Operations + "/" + id
	case k.Own: // of the resource itself
		at = c.Path.ID + "/" + k.Operations + "/" + id
	}
	version := c.Query.Get("api-version")
	c.Store.Put("operation/"+id, store.Object{"left": float64(max(c.Polls, 1) - 1), "made": made, "location": k.Location})
	h := http.Header{"Retry-After": {"1"}}
	address := "https://management.azure.com" + at + "?api-version=" + version
	if k.Location {
		h.Set("Location", address)
	} else {
		h.Set("Azure-AsyncOperation", address)
	}
	return h
}

// Place is where a resource is, in the form of an id: "eastus".
func Place(o store.Object) string {
	return strings.ToLower(strings.ReplaceAll(store.Text(o, "location"), " ", ""))
}

// owner is the outermost resource of the path.
func (c *Call) owner() store.Object {
	p := c.Path
	for p.InResource() {
		q, ok := resource.Parse(http.MethodGet, p.Parent())
		if !ok {
			break
		}
		p = q
	}
	o, _ := c.Store.Get(p.ID)
	return o
}

// delete takes a resource away, with all that is in it.
func (c *Call) delete() (*Reply, error) {
	k := c.Kinds[c.Kind]
	o, ok := c.Store.Get(c.Path.ID)
	if !ok {
		if !c.groupThere() || c.Kind == resourceGroups {
			return nil, c.missing()
		}
		return &Reply{Status: http.StatusNoContent}, nil
	}
	if k.Remove != nil {
		if err := k.Remove(c, o); err != nil {
			return nil, err
		}
	}
	reply := &Reply{Status: http.StatusOK}
	if k.Bare {
		reply.Object = o
	}
	if k.Operations != "" && !k.Accepted {
		reply = &Reply{Status: http.StatusAccepted, Header: c.begin(k, "")}
	}
	c.Drop(c.Path.ID)
	return reply, nil
}

// Drop takes away a resource with what is in it and on it.
func (c *Call) Drop(id string) {
	for _, k := range append(c.Store.Below(id+"/"), id) {
		o, _ := c.Store.Get(k)
		if gone := c.Kinds[store.Text(o, "type")].Gone; gone != nil {
			gone(c.Store, o)
		}
		if p := store.Text(o, "identity", "principalId"); p != "" {
			entra.RemoveManaged(c.Store, p)
		}
		c.Store.Delete(k)
	}
}

// special are the paths that are no resources of a type.
func (c *Call) special() (*Reply, error) {
	switch c.Kind {
	case "Microsoft.Resources/subscriptions":
		return c.subscription()
	case "Microsoft.Resources/subscriptions/locations":
		return OK(store.Object{"value": places(c.Path.Subscription)}), nil
	case "Microsoft.Resources/subscriptions/providers":
		return c.providers()
	case "Microsoft.Resources/subscriptions/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources":
		return c.resources()
	case "Microsoft.Resources/subscriptions/operationresults":
		return c.operation(true)
	case "Microsoft.Authorization/providerOperations":
		return c.providerOperations()
	case "Microsoft.Authorization/permissions":
		if c.Held == nil || c.Method != http.MethodGet || c.Path.Named {
			return nil, ErrUnknown
		}
		return OK(store.Object{"value": c.Held(c.Path.Scope)}), nil
	case "Microsoft.Insights/eventtypes/values":
		if c.Events == nil || c.Method != http.MethodGet {
			return nil, ErrUnknown
		}
		return c.Events(c.Query)
	case "Microsoft.Resources/deployments/operations", "Microsoft.Resources/deployments/operationstatuses":
		return c.operation(false)
	}
	last := strings.ToLower(c.Kind[strings.LastIndexByte(c.Kind, '/')+1:])
	switch {
	case c.Path.Verb != "" && !strings.Contains(c.Path.Type, "/"):
		return c.register()
	case slices.Contains([]string{"operations", "operationresults", "operationstatuses", "asyncoperations"}, last):
		return c.operation(strings.EqualFold(last, "operationResults") && c.Path.Namespace == "Microsoft.KeyVault")
	}
	return nil, nil
}

// operation tells how an operation goes: by its status in the body, or by the
// status of the reply where it was named by Location ("Track asynchronous Azure
// operations").
func (c *Call) operation(byStatus bool) (*Reply, error) {
	key := "operation/" + c.Path.Name()
	o, ok := c.Store.Get(key)
	if !ok {
		return nil, wire.New(404, "OperationNotFound", "The operation '%s' was not found.", c.Path.Name())
	}
	if located, _ := o["location"].(bool); located {
		byStatus = true
	}
	left, _ := o["left"].(float64)
	status, header, code := "Succeeded", http.Header(nil), http.StatusOK
	if left > 0 {
		o["left"] = left - 1
		c.Store.Put(key, o)
		status, header, code = "InProgress", http.Header{"Retry-After": {"1"}}, http.StatusAccepted
	}
	if byStatus {
		if code == http.StatusAccepted {
			header.Set("Location", "https://management.azure.com"+c.Path.ID+"?api-version="+c.Query.Get("api-version"))
			return &Reply{Status: code, Header: header}, nil
		}
		made, ok := c.Store.Get(store.Text(o, "made"))
		if !ok {
			return &Reply{Status: http.StatusOK}, nil
		}
		return OK(c.view(store.Text(o, "made"), made)), nil
	}
	return &Reply{Status: http.StatusOK, Header: header, Object: store.Object{
		"id": c.Path.ID, "name": c.Path.Name(), "status": status, "startTime": c.Now.UTC().Format(time.RFC3339), "endTime": c.Now.UTC().Format(time.RFC3339),
		"percentComplete": float64(100),
	}}, nil
}

func (c *Call) subscription() (*Reply, error) {
	show := func(id string) store.Object {
		tags, _ := c.Store.Get("/subscriptions/" + id + "/providers/Microsoft.Resources/tags/default")
		set, ok := store.At(tags, "properties", "tags").(store.Object)
		if !ok {
			set = store.Object{}
		}
		return store.Object{
			"id": "/subscriptions/" + id, "subscriptionId": id, "tenantId": c.Tenant, "displayName": "whittle sandbox", "state": "Enabled",
			"authorizationSource": "RoleBased", "managedByTenants": []any{}, "tags": set,
			"subscriptionPolicies": store.Object{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
		}
	}
	if c.Method != http.MethodGet || c.Path.Verb != "" {
		return nil, ErrUnknown
	}
	if c.Path.Named {
		return OK(show(c.Path.Subscription)), nil
	}
	ids, _ := c.Store.Get("subscription")
	return OK(store.Object{"value": []any{show(store.Text(ids, "id"))}, "count": store.Object{"type": "Total", "value": float64(1)}}), nil
}

func places(subscription string) []any {
	var all []any
	for _, name := range []string{"eastus", "eastus2", "westus2", "northeurope", "westeurope", "uksouth", "swedencentral"} {
		all = append(all, store.Object{"id": "/subscriptions/" + subscription + "/locations/" + name, "name": name, "displayName": name, "type": "Region", "regionalDisplayName": name,
			"metadata": store.Object{"regionType": "Physical", "regionCategory": "Recommended", "geographyGroup": "US", "pairedRegion": []any{}}})
	}
	return all
}

// providers shows which providers there are, and whether they are registered.
func (c *Call) providers() (*Reply, error) {
	show := func(space string) store.Object {
		state := "NotRegistered"
		if c.Store.Has("registered/" + c.Path.Subscription + "/" + space) {
			state = "Registered"
		}
		var types []any
		for _, k := range c.Tables.Operations(space) {
			kind := k.Name[:strings.LastIndexByte(k.Name, '/')]
			if name := strings.TrimPrefix(kind, space+"/"); strings.HasSuffix(k.Name, "/read") && !k.Data {
				types = append(types, store.Object{"resourceType": name, "locations": []any{"East US"}, "apiVersions": []any{}})
			}
		}
		return store.Object{"id": "/subscriptions/" + c.Path.Subscription + "/providers/" + space, "namespace": space, "registrationState": state,
			"registrationPolicy": "RegistrationRequired", "resourceTypes": types}
	}
	if c.Method != http.MethodGet {
		return nil, ErrUnknown
	}
	all := []any{}
	for _, space := range c.Tables.Namespaces() {
		if c.Path.Named && strings.EqualFold(space, c.Path.Name()) {
			return OK(show(space)), nil
		}
		all = append(all, show(space))
	}
	if c.Path.Named {
		return nil, wire.New(404, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", c.Path.Name())
	}
	return OK(store.Object{"value": all}), nil
}

func (c *Call) register() (*Reply, error) {
	if !strings.EqualFold(c.Path.Verb, "register") {
		return nil, ErrUnknown
	}
	c.Store.Put("registered/"+c.Path.Subscription+"/"+c.Path.Type, store.Object{})
	return OK(store.Object{"id": "/subscriptions/" + c.Path.Subscription + "/providers/" + c.Path.Type, "namespace": c.Path.Type, "registrationState": "Registered",
		"registrationPolicy": "RegistrationRequired"}), nil
}

// resources lists what is in a subscription or a resource group, of all types.
func (c *Call) resources() (*Reply, error) {
	at := "/subscriptions/" + c.Path.Subscription
	if c.Path.Group != "" {
		if at += "/resourceGroups/" + c.Path.Group; !c.Store.Has(at) {
			return nil, c.missing()
		}
	}
	want := func(store.Object) bool { return true }
	if f := c.Query.Get("$filter"); f != "" {
		parts := strings.Split(f, "'")
		if len(parts) != 3 || !strings.HasPrefix(strings.ToLower(f), "resourcetype eq") {
			return nil, ErrUnknown
		}
		want = func(o store.Object) bool { return strings.EqualFold(store.Text(o, "type"), parts[1]) }
	}
	top := -1
	if t := c.Query.Get("$top"); t != "" {
		if n, err := strconv.Atoi(t); err == nil {
			top = n
		}
	}
	found := []any{}
	for _, k := range c.Store.Below(at + "/") {
		o, _ := c.Store.Get(k)
		p, ok := resource.Parse(http.MethodGet, k)
		tracked := ok && store.Text(o, "location") != "" && p.Group != "" && !p.InResource() && p.Namespace != "Microsoft.Resources" && !strings.EqualFold(p.Namespace, "Microsoft.Authorization")
		if !tracked || !want(o) || len(found) == top {
			continue
		}
		one := store.Object{}
		for _, name := range []string{"id", "name", "type", "location", "tags", "sku", "kind", "identity"} {
			if v, there := o[name]; there {
				one[name] = v
			}
		}
		found = append(found, one)
	}
	return OK(store.Object{"value": found}), nil
}

// providerOperations lists a provider's actions. Source: "Provider Operations
// Metadata - Get".
func (c *Call) providerOperations() (*Reply, error) {
	if !c.Path.Named || c.Method != http.MethodGet {
		return nil, ErrUnknown
	}
	var actions []any
	for _, o := range c.Tables.Operations(c.Path.Name()) {
		actions = append(actions, store.Object{"name": o.Name, "displayName": o.Name, "isDataAction": o.Data})
	}
	if actions == nil {
		return nil, wire.New(404, "ProviderNotFound", "Provider '%s' not found.", c.Path.Name())
	}
	return OK(store.Object{"id": c.Path.ID, "name": c.Path.Name(), "type": c.Kind, "displayName": c.Path.Name(), "operations": actions, "resourceTypes": []any{}}), nil
}
