// Package kms is what is particular to Cloud KMS in the embedded GCP sandbox: key
// rings, keys and their versions, and what is encrypted and decrypted with them.
//
// Keys are symmetric and of software: a key of another purpose or protection level is
// not served, nor are imports and keys that lie elsewhere. A key is not rotated by
// itself. Source: Cloud KMS API reference.
package kms

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Serves tells whether a method of a collection has state here. What is deleted for
// good leaves a name that cannot be used again, which is not kept.
func Serves(collection, verb string) bool {
	switch collection {
	case "keyRings", "cryptoKeys", "cryptoKeyVersions":
		return verb != "delete"
	}
	return false
}

// Hooks are Cloud KMS's particulars of the methods that all services have.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Missing: missing, Show: show, Existing: func(c *api.Call, path string) error {
		return wire.New(409, "%s %s already exists.", kind(path), c.Named(path))
	}}
}

// Handlers serve the methods that are Cloud KMS's own, by id.
func Handlers() map[string]api.Handler {
	const key = "cloudkms.projects.locations.keyRings.cryptoKeys."
	return map[string]api.Handler{
		key + "encrypt":                   encrypt,
		key + "decrypt":                   decrypt,
		key + "updatePrimaryVersion":      updatePrimary,
		key + "cryptoKeyVersions.create":  addVersion,
		key + "cryptoKeyVersions.destroy": destroy,
		key + "cryptoKeyVersions.restore": restore,
	}
}

const versions = "/cryptoKeyVersions"

// kind is what a path names, in the words of errors.
func kind(path string) string {
	switch {
	case strings.Contains(path, versions):
		return "CryptoKeyVersion"
	case strings.Contains(path, "/cryptoKeys"):
		return "CryptoKey"
	}
	return "KeyRing"
}

// Source of the sentences: hashicorp/terraform-provider-google issue 1214, of what is
// there already.
func missing(c *api.Call, path string) error {
	return wire.New(404, "%s %s not found.", kind(path), c.Named(path))
}

// precondition is the error for a key in another state than is needed.
func precondition(format string, args ...any) error {
	return wire.New(400, format, args...).Stating("FAILED_PRECONDITION")
}

var id = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,63}$`)

func create(c *api.Call, path string, o store.Object) error {
	if name := path[strings.LastIndexByte(path, '/')+1:]; !id.MatchString(name) {
		return wire.New(400, "The id %q does not match [a-zA-Z0-9_-]{1,63}.", name)
	}
	ring, _, isKey := strings.Cut(path, "/cryptoKeys/")
	if !isKey {
		return nil
	}
	if _, ok := c.Tx.Get(c.KeyOf(ring)); !ok {
		return missing(c, ring)
	}
	if err := complete(o); err != nil {
		return err
	}
	if c.Query.Get("skipInitialVersionCreation") == "true" {
		return nil
	}
	first, err := generate(c, path, o, "ENABLED")
	if err != nil {
		return err
	}
	o["primary"] = store.Object{"name": first["name"]}
	return nil
}

// month is how long a version is kept when it is to be destroyed, unless its key says.
const month = 30 * 24 * time.Hour

// complete checks a key that is to be made, and sets what is not said.
func complete(o store.Object) error {
	switch purpose := api.String(o, "purpose"); purpose {
	case "ENCRYPT_DECRYPT":
	case "", "CRYPTO_KEY_PURPOSE_UNSPECIFIED":
		return wire.New(400, "CryptoKey.purpose is required.")
	default:
		return &api.NotServedError{What: "keys of the purpose " + purpose}
	}
	for _, field := range []string{"importOnly", "cryptoKeyBackend", "keyAccessJustificationsPolicy"} {
		if v := o[field]; v != nil && v != false && v != "" {
			return &api.NotServedError{What: "keys with " + field}
		}
	}
	template := api.Object(o, "versionTemplate")
	if template == nil {
		template = store.Object{}
		o["versionTemplate"] = template
	}
	if template["protectionLevel"] == nil {
		template["protectionLevel"] = "SOFTWARE"
	}
	if template["algorithm"] == nil {
		template["algorithm"] = "GOOGLE_SYMMETRIC_ENCRYPTION"
	}
	if level := template["protectionLevel"]; level != "SOFTWARE" {
		return &api.NotServedError{What: fmt.Sprint("keys of the protection level ", level)}
	}
	if err := algorithm(o); err != nil {
		return err
	}
	if o["destroyScheduledDuration"] == nil {
		o["destroyScheduledDuration"] = "2592000s"
	}
	if _, err := duration(o, "destroyScheduledDuration", 24*time.Hour, 120*24*time.Hour); err != nil {
		return err
	}
	return rotation(o)
}

func algorithm(o store.Object) error {
	if a := api.String(o, "versionTemplate.algorithm"); a != "GOOGLE_SYMMETRIC_ENCRYPTION" {
		return wire.New(400, "The algorithm %s cannot be used with keys of the purpose ENCRYPT_DECRYPT.", a)
	}
	return nil
}

func rotation(o store.Object) error {
	if o["rotationPeriod"] == nil {
		return nil
	}
	if o["nextRotationTime"] == nil {
		return wire.New(400, "If rotation_period is set, next_rotation_time must also be set.")
	}
	_, err := duration(o, "rotationPeriod", 24*time.Hour, 876000*time.Hour)
	return err
}

func duration(o store.Object, field string, least, most time.Duration) (time.Duration, error) {
	text := api.String(o, field)
	d, err := time.ParseDuration(text)
	if err != nil || !strings.HasSuffix(text, "s") || d < least || d > most {
		return 0, wire.New(400, "The field %s must be from %.0fs to %.0fs: %q.", field, least.Seconds(), most.Seconds(), text)
	}
	return d, nil
}

// changeable are the fields that a patch can change, by what the path names.
var changeable = map[string][]string{
	"CryptoKey":        {"labels", "rotationPeriod", "nextRotationTime", "versionTemplate", "versionTemplate.algorithm"},
	"CryptoKeyVersion": {"state"},
}

func update(c *api.Call, path string, old, o store.Object) error {
	mask := c.Query.Get("updateMask")
	if mask == "" {
		return wire.New(400, "update_mask is required.")
	}
	of := kind(path)
	for _, field := range strings.Split(mask, ",") {
		if !slices.Contains(changeable[of], generic.Camel(field)) {
			return wire.New(400, "The field %s of a %s cannot be updated.", field, of)
		}
	}
	if of == "CryptoKey" {
		if api.String(o, "versionTemplate.protectionLevel") != api.String(old, "versionTemplate.protectionLevel") {
			return wire.New(400, "The protection level of a CryptoKey cannot be updated.")
		}
		if err := algorithm(o); err != nil {
			return err
		}
		return rotation(o)
	}
	switch was := api.String(aged(old, c.Now), "state"); {
	case was != "ENABLED" && was != "DISABLED":
		return precondition("%s cannot be updated, current state is: %s.", c.Named(path), was)
	case o["state"] != "ENABLED" && o["state"] != "DISABLED":
		return wire.New(400, "The state of a CryptoKeyVersion may be changed between ENABLED and DISABLED only.")
	}
	return nil
}

// aged is a version as it is at a moment: what was to be destroyed by then, is.
func aged(version store.Object, now time.Time) store.Object {
	if version["state"] != "DESTROY_SCHEDULED" {
		return version
	}
	when, err := time.Parse(time.RFC3339Nano, api.String(version, "destroyTime"))
	if err != nil || now.Before(when) {
		return version
	}
	o := store.Clone(version)
	o["state"], o["destroyEventTime"] = "DESTROYED", o["destroyTime"]
	delete(o, "destroyTime")
	return o
}

// show puts the primary version into its key.
func show(c *api.Call, o store.Object) store.Object {
	name := api.String(o, "primary.name")
	if name == "" {
		return aged(o, c.Now)
	}
	if v, ok := c.Tx.Get(c.KeyOf(name)); ok {
		o["primary"] = store.Clone(aged(v, c.Now))
	}
	return o
}

// generate makes a key's next version.
func generate(c *api.Call, path string, key store.Object, state string) (store.Object, error) {
	n := 1
	prefix := c.KeyOf(path) + versions + "/"
	for name := range c.Tx.Scan(prefix) {
		if had, err := strconv.Atoi(strings.TrimPrefix(name, prefix)); err == nil {
			n = max(n, had+1)
		}
	}
	material := make([]byte, 32)
	if _, err := rand.Read(material); err != nil {
		return nil, err
	}
	o := store.Object{"name": c.Named(path + versions + "/" + strconv.Itoa(n)), "state": state, "createTime": api.Time(c.Now), "generateTime": api.Time(c.Now),
		"protectionLevel": api.String(key, "versionTemplate.protectionLevel"), "algorithm": api.String(key, "versionTemplate.algorithm")}
	c.Tx.PutBlob(prefix+strconv.Itoa(n), o, material)
	return o, nil
}

func addVersion(c *api.Call) (*api.Reply, error) {
	path := strings.TrimSuffix(c.Path, versions)
	key, ok := c.Tx.Get(c.KeyOf(path))
	if !ok {
		return nil, missing(c, path)
	}
	given, err := generic.Conform(c.Service, c.Service.Schema(c.Method.Request), c.Body)
	if err != nil {
		return nil, err
	}
	state := api.String(given, "state")
	switch state {
	case "":
		state = "ENABLED"
	case "ENABLED", "DISABLED":
	default:
		return nil, wire.New(400, "A CryptoKeyVersion cannot be created in the state %s.", state)
	}
	o, err := generate(c, path, key, state)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

// version is the one that a path names, as it is now.
func version(c *api.Call, path string) (store.Object, error) {
	o, ok := c.Tx.Get(c.KeyOf(path))
	if !ok {
		return nil, missing(c, path)
	}
	return aged(o, c.Now), nil
}

func destroy(c *api.Call) (*api.Reply, error) {
	o, err := version(c, c.Path)
	if err != nil {
		return nil, err
	}
	if state := api.String(o, "state"); state != "ENABLED" && state != "DISABLED" {
		return nil, precondition("%s cannot be destroyed, current state is: %s.", c.Named(c.Path), state)
	}
	path, _, _ := strings.Cut(c.Path, versions+"/")
	key, _ := c.Tx.Get(c.KeyOf(path))
	kept, err := time.ParseDuration(api.String(key, "destroyScheduledDuration"))
	if err != nil {
		kept = month
	}
	o = store.Clone(o)
	o["state"], o["destroyTime"] = "DESTROY_SCHEDULED", api.Time(c.Now.Add(kept))
	c.Tx.Put(c.Key(), o)
	return api.OK(o)
}

func restore(c *api.Call) (*api.Reply, error) {
	o, err := version(c, c.Path)
	if err != nil {
		return nil, err
	}
	if state := api.String(o, "state"); state != "DESTROY_SCHEDULED" {
		return nil, precondition("%s cannot be restored, current state is: %s.", c.Named(c.Path), state)
	}
	o = store.Clone(o)
	o["state"] = "DISABLED"
	delete(o, "destroyTime")
	c.Tx.Put(c.Key(), o)
	return api.OK(o)
}

func updatePrimary(c *api.Call) (*api.Reply, error) {
	key, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	path := c.Path + versions + "/" + api.String(c.Body, "cryptoKeyVersionId")
	v, err := version(c, path)
	if err != nil {
		return nil, err
	}
	if err := enabled(v); err != nil {
		return nil, err
	}
	key = store.Clone(key)
	key["primary"] = store.Object{"name": v["name"]}
	c.Tx.Put(c.Key(), key)
	return api.OK(show(c, store.Clone(key)))
}

// Source of the sentence: sethvargo/vault-on-gke issue 56.
func enabled(version store.Object) error {
	if state := api.String(version, "state"); state != "ENABLED" {
		return precondition("%s is not enabled, current state is: %s.", version["name"], state)
	}
	return nil
}
