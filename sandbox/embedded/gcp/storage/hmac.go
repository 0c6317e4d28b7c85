package storage

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// hmacKey is the name in the store of an HMAC key.
func hmacKey(project, id string) string { return "storage/projects/" + project + "/hmacKeys/" + id }

// createKey makes an HMAC key: the only reply that has its secret. Source: Cloud
// Storage, "HMAC keys": an access id of a service account has 61 characters.
func createKey(c *api.Call) (*api.Reply, error) {
	email := c.Query.Get("serviceAccountEmail")
	if _, ok := c.Tx.Get("iam/projects/" + c.Project.ID + "/serviceAccounts/" + email); !ok {
		return nil, wire.New(404, "Service Account '%s' was not found.", email)
	}
	var random [65]byte
	rand.Read(random[:]) //nolint:errcheck // never fails
	id := "GOOG1E" + base32.StdEncoding.EncodeToString(random[:35])[:55]
	secret := base64.StdEncoding.EncodeToString(random[35:])
	now := stamp(c.Now)
	o := store.Object{"kind": "storage#hmacKeyMetadata", "id": c.Project.ID + "/" + id, "accessId": id, "projectId": c.Project.ID,
		"selfLink": "https://www.googleapis.com/storage/v1/projects/" + c.Project.ID + "/hmacKeys/" + id, "serviceAccountEmail": email,
		"state": "ACTIVE", "timeCreated": now, "updated": now, "etag": api.Fingerprint(c.Tx.Serial()), "-secret": secret}
	c.Tx.Put(hmacKey(c.Project.ID, id), o)
	return api.OK(store.Object{"kind": "storage#hmacKey", "metadata": shownKey(o), "secret": secret})
}

func shownKey(o store.Object) store.Object {
	shown := store.Clone(o)
	delete(shown, "-secret")
	return shown
}

func keyOf(c *api.Call) (string, store.Object, error) {
	key := hmacKey(c.Project.ID, c.Params["accessId"])
	o, ok := c.Tx.Get(key)
	if !ok {
		return "", nil, wire.New(404, "Access ID not found in project %s.", c.Project.ID)
	}
	return key, o, nil
}

func getKey(c *api.Call) (*api.Reply, error) {
	_, o, err := keyOf(c)
	if err != nil {
		return nil, err
	}
	return api.OK(shownKey(o))
}

func listKeys(c *api.Call) (*api.Reply, error) {
	var keys []string
	for key, o := range c.Tx.Scan(hmacKey(c.Project.ID, "")) {
		if e := c.Query.Get("serviceAccountEmail"); e != "" && e != o["serviceAccountEmail"] {
			continue
		}
		if o["state"] != "DELETED" || c.Query.Get("showDeletedKeys") == "true" {
			keys = append(keys, key)
		}
	}
	page, next, err := generic.Page(c, keys)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, key := range page {
		o, _ := c.Tx.Get(key)
		items = append(items, shownKey(o))
	}
	reply := store.Object{"kind": "storage#hmacKeysMetadata", "items": items}
	if next != "" {
		reply["nextPageToken"] = next
	}
	return api.OK(reply)
}

func updateKey(c *api.Call) (*api.Reply, error) {
	key, old, err := keyOf(c)
	if err != nil {
		return nil, err
	}
	state := api.String(c.Body, "state")
	switch {
	case old["state"] == "DELETED":
		return nil, wire.New(400, "Cannot update keys in 'DELETED' state.").With("invalid")
	case state != "ACTIVE" && state != "INACTIVE":
		return nil, wire.New(400, "Invalid value %q for field 'state'.", state).With("invalid")
	}
	if e := api.String(c.Body, "etag"); e != "" && e != old["etag"] {
		return nil, unmet("etag")
	}
	o := store.Clone(old)
	o["state"], o["updated"], o["etag"] = state, stamp(c.Now), api.Fingerprint(c.Tx.Serial())
	c.Tx.Put(key, o)
	return api.OK(shownKey(o))
}

// deleteKey marks a key as deleted; one that is active cannot be.
func deleteKey(c *api.Call) (*api.Reply, error) {
	key, old, err := keyOf(c)
	if err != nil {
		return nil, err
	}
	if state := api.String(old, "state"); state != "INACTIVE" {
		return nil, wire.New(400, "Cannot delete keys in '%s' state.", state).With("invalid")
	}
	o := store.Clone(old)
	o["state"], o["updated"] = "DELETED", stamp(c.Now)
	delete(o, "-secret")
	c.Tx.Put(key, o)
	return &api.Reply{Status: 204}, nil
}

// secretOf finds an active key's secret and its account.
func secretOf(tx *store.Tx, p api.Project, id string) (secret, email string, ok bool) {
	o, there := tx.Get(hmacKey(p.ID, strings.TrimSpace(id)))
	if !there || o["state"] != "ACTIVE" {
		return "", "", false
	}
	return api.String(o, "-secret"), api.String(o, "serviceAccountEmail"), true
}
