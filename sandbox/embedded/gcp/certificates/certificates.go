// Package certificates is what is particular to Certificate Manager in the
// embedded GCP sandbox.
package certificates

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Certificate Manager's particulars.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Delete: remove, Show: show}
}

func collection(path string) string {
	parts := strings.Split(path, "/")
	return parts[max(0, len(parts)-2)]
}

// exist checks that what a field names is there. A name has the project's id or
// number, and may be a URL.
func exist(c *api.Call, o store.Object, field string) error {
	names, _ := api.Field(o, field).([]any)
	for _, n := range names {
		path := plain(c, fmt.Sprint(n))
		if _, ok := c.Tx.Get(c.KeyOf(path)); !ok {
			return wire.New(404, "Resource '%s' was not found", path)
		}
	}
	return nil
}

// plain is a name without the host that it may have.
func plain(c *api.Call, name string) string {
	for _, prefix := range []string{"//certificatemanager.googleapis.com/", "https://certificatemanager.googleapis.com/v1/"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return strings.TrimPrefix(c.KeyOf(name), c.Service.Name+"/")
}

func create(c *api.Call, path string, o store.Object) error {
	switch collection(path) {
	case "dnsAuthorizations":
		domain := api.String(o, "domain")
		if domain == "" {
			return wire.New(400, "The field dns_authorization.domain is required.")
		}
		o["dnsResourceRecord"] = store.Object{"name": "_acme-challenge." + strings.TrimSuffix(domain, ".") + ".", "type": "CNAME",
			"data": fmt.Sprintf("%x.%d.authorize.certificatemanager.goog.", c.Tx.ID(), c.Tx.Serial()%20)}
		if o["type"] == nil {
			o["type"] = "FIXED_RECORD"
		}
	case "certificates":
		return certificate(c, o)
	case "certificateMapEntries":
		parent, _, _ := strings.Cut(path, "/certificateMapEntries/")
		if _, ok := c.Tx.Get(c.KeyOf(parent)); !ok {
			return wire.New(404, "Resource '%s' was not found", parent)
		}
		if (o["hostname"] == nil) == (o["matcher"] == nil) {
			return wire.New(400, "A certificate map entry has either a hostname or a matcher.")
		}
		o["state"] = "ACTIVE"
		return exist(c, o, "certificates")
	}
	return nil
}

// certificate completes a certificate. One that Google manages is provisioned
// when it has been asked for once: nobody answers for its domain's name servers
// here.
func certificate(c *api.Call, o store.Object) error {
	if o["scope"] == nil {
		o["scope"] = "DEFAULT"
	}
	managed := api.Object(o, "managed")
	if managed == nil {
		if own := api.Object(o, "selfManaged"); own["pemCertificate"] != nil {
			o["pemCertificate"] = own["pemCertificate"]
			return nil
		}
		return wire.New(400, "A certificate must be managed or self-managed.")
	}
	domains, _ := managed["domains"].([]any)
	if len(domains) == 0 {
		return wire.New(400, "A managed certificate must have domains.")
	}
	if err := exist(c, o, "managed.dnsAuthorizations"); err != nil {
		return err
	}
	managed["state"] = "PROVISIONING"
	o["sanDnsnames"] = domains
	return nil
}

func update(c *api.Call, path string, old, o store.Object) error {
	switch collection(path) {
	case "certificates":
		for _, field := range []string{"managed", "scope"} {
			if api.Fingerprint(old[field]) != api.Fingerprint(o[field]) {
				return wire.New(400, "The field certificate.%s is immutable.", field)
			}
		}
	case "certificateMapEntries":
		return exist(c, o, "certificates")
	}
	return nil
}

// remove refuses to delete what something uses.
func remove(c *api.Call, path string, _ store.Object) error {
	used := func(user string) error {
		return wire.New(400, "can't delete %s that is referenced by %s", path, user).Stating("FAILED_PRECONDITION")
	}
	for key, o := range c.Tx.Scan("certificatemanager/projects/" + c.Project.ID + "/") {
		user := strings.TrimPrefix(key, "certificatemanager/")
		if collection(path) == "certificateMaps" && strings.HasPrefix(user, path+"/") {
			return used(user)
		}
		for _, field := range []string{"certificates", "managed.dnsAuthorizations"} {
			names, _ := api.Field(o, field).([]any)
			if slices.ContainsFunc(names, func(n any) bool { return plain(c, fmt.Sprint(n)) == path }) {
				return used(user)
			}
		}
	}
	for _, proxy := range proxies(c, path) {
		return used(proxy)
	}
	return nil
}

// proxies are the load balancers' proxies that use a certificate map.
func proxies(c *api.Call, path string) []string {
	if collection(path) != "certificateMaps" {
		return nil
	}
	var list []string
	for key, o := range c.Tx.Scan("compute/projects/" + c.Project.ID + "/global/targetHttpsProxies/") {
		if m := api.String(o, "certificateMap"); m != "" && plain(c, m) == path {
			list = append(list, strings.TrimPrefix(key, "compute/"))
		}
	}
	return list
}

// show leaves out a private key and adds who uses a map.
func show(c *api.Call, o store.Object) store.Object {
	path := plain(c, api.String(o, "name"))
	switch collection(path) {
	case "certificates":
		delete(o, "selfManaged")
		if managed := api.Object(o, "managed"); managed != nil && c.Verb() != "create" {
			kept, _ := c.Tx.Get(c.KeyOf(path))
			if next := store.Clone(kept); next != nil && api.String(next, "managed.state") == "PROVISIONING" {
				api.Object(next, "managed")["state"] = "ACTIVE"
				c.Tx.Put(c.KeyOf(path), next)
			}
		}
	case "certificateMaps":
		var targets []any
		for _, proxy := range proxies(c, path) {
			targets = append(targets, store.Object{"targetHttpsProxy": "//compute.googleapis.com/" + proxy})
		}
		if len(targets) > 0 {
			o["gclbTargets"] = targets
		}
	}
	return o
}
