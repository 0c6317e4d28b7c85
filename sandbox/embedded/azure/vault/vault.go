// Package vault is the state of Key Vault's data plane in the embedded Azure
// sandbox: secrets with their versions, deleted ones until they are purged, and
// the contacts of certificates. Source: "Azure Key Vault REST API reference".
//
// It authorizes nothing. A request that it does not know is nil.
package vault

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// Secrets is how the keys of a vault's secrets begin in the store.
func Secrets(name string) string { return "vault/" + strings.ToLower(name) + "/" }

// Call is a request that is allowed.
type Call struct {
	Method string
	URL    *url.URL
	Body   store.Object
	Store  *store.Store
	Now    time.Time
	// Name is the vault's.
	Name string
	// Days is how long what was deleted can be recovered.
	Days float64
}

// Reply is what it is answered with.
type Reply struct {
	Status int
	Object store.Object
}

// Serve answers a request; a nil reply is one that it does not know.
func (c Call) Serve() (*Reply, error) {
	if c.URL.Query().Get("api-version") == "" {
		return nil, wire.New(400, "BadParameter", "api-version must be specified")
	}
	path := strings.FieldsFunc(c.URL.Path, func(r rune) bool { return r == '/' })
	name := ""
	if len(path) > 1 {
		name = path[1]
	}
	secret, deleted := Secrets(c.Name)+"secrets/"+name, Secrets(c.Name)+"deleted/"+name
	switch path[0] {
	case "certificates":
		return c.contacts()
	case "secrets":
		switch {
		case len(path) == 1 && c.Method == http.MethodGet:
			return c.list("secrets/")
		case len(path) == 2 && c.Method == http.MethodPut:
			return c.set(secret, deleted, name)
		}
		o, ok := c.Store.Get(secret)
		if !ok {
			return nil, wire.New(404, "SecretNotFound", "A secret with (name/id) %s was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182", name)
		}
		versions, _ := o["versions"].([]any)
		switch {
		case len(path) == 2 && c.Method == http.MethodGet:
			return &Reply{200, versions[len(versions)-1].(store.Object)}, nil
		case len(path) == 3 && path[2] == "versions" && c.Method == http.MethodGet:
			return &Reply{200, store.Object{"value": metadata(versions)}}, nil
		case len(path) == 3 && (c.Method == http.MethodGet || c.Method == http.MethodPatch):
			return c.version(secret, o, versions, path[2])
		case len(path) == 2 && c.Method == http.MethodDelete:
			latest := versions[len(versions)-1].(store.Object)
			c.Store.Delete(secret)
			o["recoveryId"] = "https://" + c.Name + ".vault.azure.net/deletedsecrets/" + name
			o["deletedDate"], o["scheduledPurgeDate"] = float64(c.Now.Unix()), float64(c.Now.AddDate(0, 0, int(c.Days)).Unix())
			c.Store.Put(deleted, o)
			return &Reply{200, gone(o, latest)}, nil
		}
	case "deletedsecrets":
		if len(path) == 1 && c.Method == http.MethodGet {
			return c.list("deleted/")
		}
		o, ok := c.Store.Get(deleted)
		if !ok || len(path) == 1 {
			return nil, wire.New(404, "SecretNotFound", "Deleted Secret not found: %s", name)
		}
		versions, _ := o["versions"].([]any)
		latest := versions[len(versions)-1].(store.Object)
		switch {
		case len(path) == 2 && c.Method == http.MethodGet:
			return &Reply{200, gone(o, latest)}, nil
		case len(path) == 2 && c.Method == http.MethodDelete:
			c.Store.Delete(deleted)
			return &Reply{Status: 204}, nil
		case len(path) == 3 && path[2] == "recover" && c.Method == http.MethodPost:
			c.Store.Delete(deleted)
			c.Store.Put(secret, store.Object{"versions": versions})
			return &Reply{200, metadata([]any{latest})[0].(store.Object)}, nil
		}
	}
	return nil, nil
}

// contacts are who is told of certificates that expire.
func (c Call) contacts() (*Reply, error) {
	key := Secrets(c.Name) + "contacts"
	o, there := c.Store.Get(key)
	switch {
	case c.Method == http.MethodPut:
		o = store.Clone(c.Body)
		o["id"] = "https://" + c.Name + ".vault.azure.net/certificates/contacts"
		c.Store.Put(key, o)
	case !there:
		return nil, wire.New(404, "ContactsNotFound", "Contacts not found.")
	case c.Method == http.MethodDelete:
		c.Store.Delete(key)
	}
	return &Reply{200, o}, nil
}

// gone is a deleted secret as it is shown: without its value.
func gone(o, latest store.Object) store.Object {
	shown := metadata([]any{latest})[0].(store.Object)
	for _, name := range []string{"recoveryId", "deletedDate", "scheduledPurgeDate"} {
		shown[name] = o[name]
	}
	return shown
}

// metadata are secrets without their values.
func metadata(versions []any) []any {
	all := []any{}
	for _, v := range versions {
		o := store.Clone(v.(store.Object))
		delete(o, "value")
		all = append(all, o)
	}
	return all
}

func (c Call) list(part string) (*Reply, error) {
	all := []any{}
	for _, k := range c.Store.Below(Secrets(c.Name) + part) {
		o, _ := c.Store.Get(k)
		versions, _ := o["versions"].([]any)
		one := metadata(versions[len(versions)-1:])[0].(store.Object)
		id := store.Text(one, "id")
		one["id"] = id[:strings.LastIndexByte(id, '/')]
		all = append(all, one)
	}
	return &Reply{200, store.Object{"value": all, "nextLink": nil}}, nil
}

func (c Call) set(secret, deleted, name string) (*Reply, error) {
	if c.Store.Has(deleted) {
		return nil, wire.New(409, "Conflict", "Secret %s is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.", name)
	}
	value, ok := c.Body["value"].(string)
	if !ok {
		return nil, wire.New(400, "BadParameter", "Property 'value' is required.")
	}
	attributes := store.Object{"enabled": true, "created": float64(c.Now.Unix()), "updated": float64(c.Now.Unix()), "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": c.Days}
	if given, ok := c.Body["attributes"].(store.Object); ok {
		store.Merge(attributes, given)
	}
	version := strings.ReplaceAll(entra.NewID(), "-", "")
	v := store.Object{"value": value, "id": "https://" + c.Name + ".vault.azure.net/secrets/" + name + "/" + version, "attributes": attributes}
	for _, field := range []string{"contentType", "tags"} {
		if given := c.Body[field]; given != nil {
			v[field] = given
		}
	}
	o, _ := c.Store.Get(secret)
	versions, _ := o["versions"].([]any)
	c.Store.Put(secret, store.Object{"versions": append(versions, v)})
	return &Reply{200, v}, nil
}

// version reads or changes one version.
func (c Call) version(secret string, o store.Object, versions []any, id string) (*Reply, error) {
	for _, e := range versions {
		v := e.(store.Object)
		if !strings.HasSuffix(store.Text(v, "id"), "/"+id) {
			continue
		}
		if c.Method == http.MethodPatch {
			store.Merge(v, c.Body)
			store.Child(v, "attributes")["updated"] = float64(c.Now.Unix())
			c.Store.Put(secret, o)
			return &Reply{200, metadata([]any{v})[0].(store.Object)}, nil
		}
		return &Reply{200, v}, nil
	}
	return nil, wire.New(404, "SecretNotFound", "A secret with (name/id) %s was not found in this key vault.", id)
}
