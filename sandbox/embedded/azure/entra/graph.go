package entra

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// Call is a request to Microsoft Graph.
type Call struct {
	Method string
	URL    *url.URL
	Body   store.Object
	Now    time.Time
	By     string // who asks, by object id
}

// Reply is what it is answered with; a nil Object is no body.
type Reply struct {
	Status int
	Object store.Object
}

// roles are the application permissions of Graph that a request needs any one of
// ("Microsoft Graph permissions reference"; each method's page).
var roles = map[string][]string{
	"read applications":       {"Application.Read.All", "Application.ReadWrite.OwnedBy", "Application.ReadWrite.All", "Directory.Read.All"},
	"write applications":      {"Application.ReadWrite.All"},
	"create applications":     {"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"},
	"read serviceprincipals":  {"Application.Read.All", "Application.ReadWrite.OwnedBy", "Application.ReadWrite.All", "Directory.Read.All"},
	"write serviceprincipals": {"Application.ReadWrite.All"},
	"read directoryobjects":   {"Directory.Read.All"},
}

// Allowed tells whether who asks holds one of the application permissions that a
// request needs; known is false for one that the sandbox does not have.
func (d *Directory) Allowed(s *store.Store, h Holder, c Call) (allowed, known bool) {
	path := split(c.URL.Path)
	if len(path) < 2 || path[0] != "v1.0" && path[0] != "beta" {
		return false, false
	}
	noun, _, _ := strings.Cut(strings.ToLower(path[1]), "(")
	verb := "write "
	switch {
	case c.Method == http.MethodGet || noun == "directoryobjects":
		verb = "read "
	case c.Method == http.MethodPost && len(path) == 2:
		verb = "create "
	}
	need, ok := roles[verb+noun]
	if !ok {
		if need, ok = roles["write "+noun]; !ok {
			return false, false
		}
	}
	if h.Operator {
		return true, true
	}
	own := true
	if len(path) == 4 && path[3] == assigned { // who owns an application may not raise it
		need, own = []string{"AppRoleAssignment.ReadWrite.All"}, false
	}
	p, _ := s.Get(principalKey(h.ObjectID))
	held, _ := p["appRoles"].([]any) // what the operator assigned
	for _, have := range held {
		for _, n := range need {
			if have == n {
				return true, true
			}
		}
		if own && have == ownedBy && d.owns(s, h, noun, path, c) {
			return true, true
		}
	}
	return false, true
}

// ownedBy lets its holder make applications, and manage those that it owns, with
// their service principals: who makes one owns it. Source: "Microsoft Graph
// permissions reference", Application.ReadWrite.OwnedBy.
const ownedBy = "Application.ReadWrite.OwnedBy"

// owns tells whether a request is about an application that who asks owns.
func (d *Directory) owns(s *store.Store, h Holder, noun string, path []string, c Call) bool {
	if noun == "serviceprincipals" && len(path) == 2 && c.Method == http.MethodPost {
		app, _, _ := find(s, store.Text(c.Body, "appId"))
		if app == nil {
			for _, k := range s.Below("entra/applications/") {
				if a, _ := s.Get(k); store.Text(a, "appId") == store.Text(c.Body, "appId") {
					app = a
				}
			}
		}
		return store.Text(app, "owner") == h.ObjectID
	}
	if len(path) < 3 {
		return false
	}
	o, ok := s.Get("entra/" + noun + "/" + path[2])
	return ok && store.Text(o, "owner") == h.ObjectID
}

// assigned is what an application permission is given by.
const assigned = "appRoleAssignments"

// appRoles are the ids of those of Graph's application permissions that can be given here.
// Source: "Microsoft Graph permissions reference".
var appRoles = map[string]string{
	"18a4783c-866b-4cc7-a460-3d5e5662c884": ownedBy,
	"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9": "Application.ReadWrite.All",
	"7ab1d382-f21e-4acd-a863-ba3e13f7da61": "Directory.Read.All",
}

// assign gives a service principal one of Graph's application permissions. Source:
// "Grant an appRoleAssignment to a service principal". Graph's own service principal,
// which resourceId names, is no object of the sandbox's.
func assign(s *store.Store, id string, c Call) (*Reply, error) {
	role, ok := appRoles[strings.ToLower(store.Text(c.Body, "appRoleId"))]
	switch {
	case store.Text(c.Body, "principalId") != id || store.Text(c.Body, "resourceId") == "":
		return nil, wire.New(400, "Request_BadRequest", "Property 'principalId' must be the service principal, and 'resourceId' is required.")
	case !ok:
		return nil, nil
	}
	p, _ := s.Get(principalKey(id))
	held, _ := p["appRoles"].([]any)
	p["appRoles"] = append(held, role)
	s.Put(principalKey(id), p)
	o := store.Clone(c.Body)
	o["id"], o["principalType"] = NewID(), "ServicePrincipal"
	return &Reply{201, o}, nil
}

// Holds lists the application permissions that a service principal is to hold.
func Holds(s *store.Store, objectID string, permissions ...string) {
	p, ok := s.Get(principalKey(objectID))
	if !ok {
		return
	}
	var all []any
	for _, one := range permissions {
		all = append(all, one)
	}
	p["appRoles"] = all
	s.Put(principalKey(objectID), p)
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// Graph answers a request that is allowed; a nil reply is one that the sandbox
// does not have.
func (d *Directory) Graph(s *store.Store, c Call) (*Reply, error) {
	path := split(c.URL.Path)[1:]
	noun, alt, _ := strings.Cut(path[0], "(")
	noun = strings.ToLower(noun)
	if alt != "" { // applications(appId='…')
		m := byAppID.FindStringSubmatch("(" + alt)
		if m == nil {
			return nil, nil
		}
		app, principal, ok := find(s, m[1])
		if !ok {
			return nil, notFound(m[1])
		}
		if noun == "serviceprincipals" {
			app = principal
		}
		path = append([]string{noun, store.Text(app, "id")}, path[1:]...)
	}
	path[0] = noun
	key := "entra/" + strings.Join(path[:min(2, len(path))], "/")
	switch {
	case noun == "directoryobjects" && c.Method == http.MethodPost && len(path) == 2 && strings.EqualFold(path[1], "getByIds"):
		return d.byIDs(s, c)
	case noun == "directoryobjects" && c.Method == http.MethodGet && len(path) == 2:
		o, ok := s.Get(principalKey(path[1]))
		if !ok {
			return nil, notFound(path[1])
		}
		return &Reply{200, shown(o, "#microsoft.graph.servicePrincipal")}, nil
	case noun != "applications" && noun != "serviceprincipals":
		return nil, nil
	case len(path) == 1 && c.Method == http.MethodGet:
		return list(s, key+"/", c)
	case len(path) == 1 && c.Method == http.MethodPost:
		return d.create(s, noun, c)
	case len(path) >= 2 && !s.Has(key):
		return nil, notFound(path[1])
	}
	o, _ := s.Get(key)
	switch {
	case len(path) == 2 && c.Method == http.MethodGet:
		return &Reply{200, shown(o, "")}, nil
	case len(path) == 2 && c.Method == http.MethodPatch:
		store.Merge(o, c.Body)
		s.Put(key, o)
		return &Reply{Status: 204}, nil
	case len(path) == 2 && c.Method == http.MethodDelete:
		s.Delete(key)
		if noun == "applications" {
			for _, k := range s.Below(key + "/") {
				s.Delete(k)
			}
			for _, k := range s.Below("entra/serviceprincipals/") {
				if p, _ := s.Get(k); store.Text(p, "appId") == store.Text(o, "appId") {
					s.Delete(k)
				}
			}
		}
		return &Reply{Status: 204}, nil
	case len(path) == 3 && c.Method == http.MethodGet && path[2] == "owners":
		owners := []any{}
		if id := store.Text(o, "owner"); id != "" {
			owner := store.Object{"id": id, "@odata.type": "#microsoft.graph.user"}
			if s.Has(principalKey(id)) {
				owner["@odata.type"] = "#microsoft.graph.servicePrincipal"
			}
			owners = append(owners, owner)
		}
		return &Reply{200, store.Object{"value": owners}}, nil
	case len(path) == 3 && c.Method == http.MethodPost && path[2] == "addPassword":
		return addPassword(s, key, o, c)
	case len(path) == 3 && c.Method == http.MethodPost && path[2] == "removePassword":
		return removePassword(s, key, o, c)
	case noun == "serviceprincipals" && len(path) == 3 && path[2] == assigned && c.Method == http.MethodPost:
		return assign(s, path[1], c)
	case len(path) == 3 && path[2] == "federatedIdentityCredentials" && c.Method == http.MethodPost:
		f := store.Clone(c.Body)
		f["id"] = NewID()
		s.Put(key+"/federated/"+store.Text(f, "id"), f)
		return &Reply{201, f}, nil
	case len(path) == 3 && path[2] == "federatedIdentityCredentials" && c.Method == http.MethodGet:
		return list(s, key+"/federated/", c)
	}
	return nil, nil
}

var (
	byAppID = regexp.MustCompile(`^\(appId='([0-9a-fA-F-]{36})'\)$`)
	filter  = regexp.MustCompile(`^(\w+) eq '([^']*)'$`)
	starts  = regexp.MustCompile(`^startswith\((\w+), ?'([^']*)'\)$`)
)

func notFound(id string) error {
	return wire.New(404, "Request_ResourceNotFound", "Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

// shown is an object as Graph shows it: without what its secrets are told by.
func shown(o store.Object, kind string) store.Object {
	o = store.Clone(o)
	if kind != "" {
		o["@odata.type"] = kind
	}
	delete(o, "appRoles")
	delete(o, "owner")
	list, _ := o["passwordCredentials"].([]any)
	for _, e := range list {
		if p, ok := e.(store.Object); ok {
			delete(p, "hash")
		}
	}
	return o
}

func list(s *store.Store, prefix string, c Call) (*Reply, error) {
	test := c.URL.Query().Get("$filter")
	equal, begins := filter.FindStringSubmatch(test), starts.FindStringSubmatch(test)
	if test != "" && equal == nil && begins == nil {
		return nil, nil
	}
	found := []any{}
	for _, k := range s.Below(prefix) {
		if strings.Contains(k[len(prefix):], "/") {
			continue
		}
		o, _ := s.Get(k)
		if equal != nil && !strings.EqualFold(store.Text(o, equal[1]), equal[2]) || begins != nil && !strings.HasPrefix(store.Text(o, begins[1]), begins[2]) {
			continue
		}
		found = append(found, shown(o, ""))
	}
	return &Reply{200, store.Object{"value": found}}, nil
}

func (d *Directory) create(s *store.Store, noun string, c Call) (*Reply, error) {
	o := store.Clone(c.Body)
	if o == nil {
		o = store.Object{}
	}
	o["id"] = NewID()
	if noun == "applications" {
		if store.Text(o, "displayName") == "" {
			return nil, wire.New(400, "Request_BadRequest", "Property 'displayName' is required.")
		}
		o["appId"] = NewID()
		o["passwordCredentials"] = []any{}
	} else {
		id := store.Text(o, "appId")
		var app store.Object
		for _, k := range s.Below("entra/applications/") {
			if a, _ := s.Get(k); store.Text(a, "appId") == id && !strings.Contains(k, "/federated/") {
				app = a
			}
		}
		if app == nil {
			return nil, wire.New(400, "Request_BadRequest", "The appId '%s' of the service principal does not reference a valid application object.", id)
		}
		if _, _, ok := find(s, id); ok {
			return nil, wire.New(409, "Request_MultipleObjectsWithSameKeyValue", "The service principal cannot be created, updated, or restored because the service principal name %s is already in use.", id)
		}
		o["displayName"], o["servicePrincipalType"], o["accountEnabled"] = app["displayName"], "Application", true
		store.Default(o, "notes", app["notes"])
	}
	if c.By != "" {
		o["owner"] = c.By
	}
	o["createdDateTime"] = c.Now.UTC().Format(time.RFC3339)
	s.Put("entra/"+noun+"/"+store.Text(o, "id"), o)
	return &Reply{201, shown(o, "")}, nil
}

func addPassword(s *store.Store, key string, o store.Object, c Call) (*Reply, error) {
	secret := rand.Text() + "~" + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	p := store.Object{
		"keyId": NewID(), "hint": secret[:3], "hash": hex.EncodeToString(sum[:]), "displayName": store.Text(c.Body, "passwordCredential", "displayName"),
		"startDateTime": c.Now.UTC().Format(time.RFC3339), "endDateTime": c.Now.AddDate(2, 0, 0).UTC().Format(time.RFC3339),
	}
	if end := store.Text(c.Body, "passwordCredential", "endDateTime"); end != "" {
		p["endDateTime"] = end
	}
	have, _ := o["passwordCredentials"].([]any)
	o["passwordCredentials"] = append(have, p)
	s.Put(key, o)
	told := store.Clone(p)
	delete(told, "hash")
	told["secretText"] = secret
	return &Reply{200, told}, nil
}

func removePassword(s *store.Store, key string, o store.Object, c Call) (*Reply, error) {
	have, _ := o["passwordCredentials"].([]any)
	var kept []any
	for _, e := range have {
		if p, _ := e.(store.Object); store.Text(p, "keyId") != store.Text(c.Body, "keyId") {
			kept = append(kept, e)
		}
	}
	if len(kept) == len(have) {
		return nil, wire.New(400, "Request_BadRequest", "No credentials found to be removed.")
	}
	o["passwordCredentials"] = kept
	s.Put(key, o)
	return &Reply{Status: 204}, nil
}

func (d *Directory) byIDs(s *store.Store, c Call) (*Reply, error) {
	ids, _ := c.Body["ids"].([]any)
	found := []any{}
	for _, id := range ids {
		text, _ := id.(string)
		if o, ok := s.Get(principalKey(text)); ok {
			found = append(found, shown(o, "#microsoft.graph.servicePrincipal"))
		}
	}
	return &Reply{200, store.Object{"value": found}}, nil
}
