package arm

import (
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
)

// Kind is what is particular to a type.
type Kind struct {
	// Operations is where its operations are asked for, below
	// providers/NAMESPACE/locations/PLACE; empty: it is made at once.
	Operations string
	// Location: they are named by Location, not by Azure-AsyncOperation.
	Location bool
	// Own: they lie below the resource itself.
	Own bool
	// Bare resources have no provisioningState.
	Bare bool
	// OK: making one is told with 200 as well.
	OK bool
	// Accepted: making one is told with 202, and nothing of it is shown; changing
	// and deleting one is done at once.
	Accepted bool
	// Created: changing one is told with 201 as well.
	Created bool
	// Implied: one called "default" comes with what it is in.
	Implied bool
	// Prepare completes a resource before it is kept, or refuses it; old is nil
	// for a new one.
	Prepare func(c *Call, o, old store.Object) error
	// After does what making it does to others.
	After func(c *Call, o, old store.Object) error
	// Remove does what taking it away does to others, or refuses it.
	Remove func(c *Call, o store.Object) error
	// View puts in what is computed from others.
	View func(c *Call, id string, o store.Object)
	// Post are what a POST to it does, by the names in lower case.
	Post map[string]func(c *Call, o store.Object) (*Reply, error)
	// Answer answers in place of all that is alike for every type; without a reply
	// and an error it leaves a request to that.
	Answer func(c *Call) (*Reply, error)
	// Missing is the error for one that is not there.
	Missing func(c *Call) error
	// Gone does what is left to do when one was taken away, with what it was in or by
	// itself.
	Gone func(s *store.Store, o store.Object)
}

// Child is the call that would have been made for a part of a resource.
func (c *Call) Child(name, id, kind string) *Call {
	p, _ := resource.Parse(http.MethodPut, c.Path.ID+"/"+name+"/"+id)
	one := *c
	one.Path, one.Kind = p, kind
	return &one
}

// Make makes a resource as its own request would.
func (c *Call) Make(p resource.Path, body store.Object) error {
	one := *c
	one.Path, one.Body, one.Method = p, body, http.MethodPut
	one.Kind, _ = c.Tables.Canonical(p.Type)
	_, err := one.put()
	return err
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

// Hash is a number that stays the same as long as an id does.
func Hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(s))) //nolint:errcheck // a hash's Write gives none
	return h.Sum64()
}

// GUID is the id of a resource that stays the same as long as its name does.
func GUID(id string) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], Hash(id))
	binary.BigEndian.PutUint64(b[8:], Hash(id+"#"))
	const digits = "0123456789abcdef"
	var s strings.Builder
	for i, v := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			s.WriteByte('-')
		}
		s.WriteByte(digits[v>>4])
		s.WriteByte(digits[v&15])
	}
	return s.String()
}
