// Package gcp is what Whittle knows of Google Cloud's permissions
// (SERVICE.RESOURCE.VERB): what a request that was refused without a word may have
// lacked, which permissions only read, which could raise the identity's own
// rights.
//
// Few services refuse without naming a permission: Cloud DNS, Pub/Sub, Resource
// Manager, Service Usage, and Cloud Storage and the registries of images to HEAD.
// For these the needs are written down here; for the rest the method's own permission is the one guess.
package gcp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// everywhere is the resource of every grant: a custom role holds on all of its
// project.
const everywhere = "*"

// Needs lists what a request to one of Google Cloud's APIs may need, the method's
// own permission first. There are none for a host that is no API, and for a
// request whose method its path does not tell. It does not look at what is
// granted or in what project.
func Needs(method string, u *url.URL, body []byte) []request.Need {
	if registry(strings.ToLower(u.Hostname())) {
		return imageNeeds(method, u.EscapedPath())
	}
	if tunnel(u) { // IAP, "Using IAP for TCP forwarding"
		return []request.Need{{Permission: "iap.tunnelInstances.accessViaIAP", Resource: everywhere}}
	}
	service, path := locate(u)
	if service == "" {
		return nil
	}
	if service == "storage" {
		return storageNeeds(method, path)
	}
	noun, id, verb := read(path)
	if noun == "" {
		return nil
	}
	if verb == "" {
		verb = plain(method, id)
	}
	if service == "pubsub" && verb == "update" && method == http.MethodPut { // it changes by PATCH
		verb = "create"
	}
	if verb == "" || verb == "testIamPermissions" { // which nobody is refused
		return nil
	}
	var needs []request.Need
	if row, ok := special[service+"."+noun+"."+verb]; ok {
		for name := range strings.FieldsSeq(row) {
			name, seldom := strings.CutSuffix(name, "?")
			needs = append(needs, request.Need{Permission: name, Resource: everywhere, Seldom: seldom})
		}
	} else {
		needs = []request.Need{{Permission: service + "." + noun + "." + verb, Resource: everywhere}}
	}
	return fitting(needs, body)
}

// services are the APIs whose permissions are called otherwise (IAM, "Permissions
// reference").
var services = map[string]string{
	"cloudresourcemanager": "resourcemanager", "iamcredentials": "iam", "sqladmin": "cloudsql", "bigtableadmin": "bigtable", "cloudbilling": "billing",
}

var (
	version    = regexp.MustCompile(`^v\d+[a-z0-9]*$`)
	collection = regexp.MustCompile(`^[a-z][A-Za-z]*$`)
	verbShape  = regexp.MustCompile(`^[a-z][A-Za-z]*$`)
	apiShape   = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

// locate gives what the permissions of a request's API begin with, and the path
// behind its version.
func locate(u *url.URL) (service string, path []string) {
	name, ok := strings.CutSuffix(strings.ToLower(u.Hostname()), ".googleapis.com")
	if !ok {
		return "", nil
	}
	parts := strings.FieldsFunc(u.EscapedPath(), func(r rune) bool { return r == '/' })
	if bucket, own := strings.CutSuffix(name, ".storage"); own { // a bucket's own host
		return "storage", append([]string{bucket}, parts...)
	}
	name, _, _ = strings.Cut(name, ".") // SERVICE.REGION.rep, SERVICE.mtls
	for i, p := range parts {
		if i > 2 {
			break
		}
		if version.MatchString(p) {
			if name == "www" && i > 0 {
				name = parts[i-1]
			}
			parts = parts[i+1:]
			break
		}
	}
	if !apiShape.MatchString(name) || name == "www" {
		return "", nil
	}
	if other := services[name]; other != "" {
		name = other
	}
	return name, parts
}

// read gives a path's last collection, whether a name follows it, and the custom
// verb at its end.
func read(path []string) (noun string, id bool, verb string) {
	if len(path) == 0 {
		return "", false, ""
	}
	last, verb, custom := strings.Cut(path[len(path)-1], ":")
	if custom && !verbShape.MatchString(verb) {
		return "", false, ""
	}
	path = append(append([]string{}, path[:len(path)-1]...), last)
	for i, p := range path {
		if i%2 == 1 {
			id = true
			continue
		}
		if p == "" && custom { // services:batchEnable has its verb on the collection
			break
		}
		if !collection.MatchString(p) {
			return "", false, ""
		}
		noun, id = p, false
	}
	return noun, id, verb
}

// plain gives the verb of a permission for a plain method.
func plain(method string, id bool) string {
	switch {
	case method == http.MethodGet && id, method == http.MethodHead && id:
		return "get"
	case method == http.MethodGet:
		return "list"
	case method == http.MethodPost && !id:
		return "create"
	case method == http.MethodPut && id, method == http.MethodPatch && id:
		return "update"
	case method == http.MethodDelete && id:
		return "delete"
	}
	return ""
}

// special are the methods that check something else than their own name, or more;
// what is marked with ? most requests do without. Sources: Cloud DNS, "Access
// control with IAM"; Pub/Sub, "Access control with IAM", the table of permissions
// by method; Resource Manager and Service Usage, "Access control with IAM".
var special = map[string]string{
	"dns.changes.create":       "dns.changes.create dns.resourceRecordSets.create dns.resourceRecordSets.delete dns.resourceRecordSets.update?",
	"dns.rrsets.create":        "dns.resourceRecordSets.create dns.changes.create",
	"dns.rrsets.get":           "dns.resourceRecordSets.get",
	"dns.rrsets.list":          "dns.resourceRecordSets.list",
	"dns.rrsets.update":        "dns.resourceRecordSets.update dns.changes.create",
	"dns.rrsets.delete":        "dns.resourceRecordSets.delete dns.changes.create",
	"dns.managedZones.create":  "dns.managedZones.create dns.networks.bindPrivateDNSZone",
	"dns.managedZones.update":  "dns.managedZones.update dns.networks.bindPrivateDNSZone",
	"dns.policies.create":      "dns.policies.create dns.networks.bindPrivateDNSPolicy",
	"dns.policies.update":      "dns.policies.update dns.networks.bindPrivateDNSPolicy",
	"dns.operations.get":       "dns.managedZoneOperations.get",
	"dns.operations.list":      "dns.managedZoneOperations.list",
	"dns.projects.get":         "dns.projects.get",
	"dns.projects.list":        "dns.projects.get",
	"dns.dnsKeys.get":          "dns.dnsKeys.get",
	"dns.responsePolicies.get": "dns.responsePolicies.get",

	"pubsub.subscriptions.create":             "pubsub.subscriptions.create pubsub.topics.attachSubscription",
	"pubsub.subscriptions.pull":               "pubsub.subscriptions.consume",
	"pubsub.subscriptions.acknowledge":        "pubsub.subscriptions.consume",
	"pubsub.subscriptions.modifyAckDeadline":  "pubsub.subscriptions.consume",
	"pubsub.subscriptions.streamingPull":      "pubsub.subscriptions.consume",
	"pubsub.subscriptions.modifyPushConfig":   "pubsub.subscriptions.update",
	"pubsub.subscriptions.detach":             "pubsub.topics.detachSubscription",
	"pubsub.subscriptions.seek":               "pubsub.subscriptions.consume pubsub.snapshots.seek?",
	"pubsub.snapshots.create":                 "pubsub.snapshots.create pubsub.subscriptions.consume pubsub.topics.attachSubscription?",
	"pubsub.topics.create":                    "pubsub.topics.create pubsub.schemas.attach",
	"pubsub.topics.update":                    "pubsub.topics.update pubsub.schemas.attach",
	"pubsub.schemas.validate":                 "pubsub.schemas.validate",
	"resourcemanager.projects.list":           "resourcemanager.projects.get", // list is of the organization
	"resourcemanager.projects.search":         "resourcemanager.projects.get",
	"resourcemanager.projects.getAncestry":    "resourcemanager.projects.get",
	"resourcemanager.operations.get":          "resourcemanager.projects.get",
	"serviceusage.services.batchEnable":       "serviceusage.services.enable",
	"serviceusage.services.batchGet":          "serviceusage.services.get",
	"serviceusage.services.generateIdentity":  "serviceusage.services.use",
	"servicemanagement.services.enable":       "serviceusage.services.enable",
	"serviceusage.operations.get":             "serviceusage.operations.get",
	"iam.serviceAccounts.generateAccessToken": "iam.serviceAccounts.getAccessToken",
	"iam.serviceAccounts.generateIdToken":     "iam.serviceAccounts.getOpenIdToken",
}

// conditional are permissions that only a request with one of the fields needs.
var conditional = map[string][]string{
	"dns.resourceRecordSets.create":     {"additions", "rrdatas", "routingPolicy"},
	"dns.resourceRecordSets.delete":     {"deletions"},
	"dns.networks.bindPrivateDNSZone":   {"privateVisibilityConfig"},
	"dns.networks.bindPrivateDNSPolicy": {"networks"},
	"pubsub.schemas.attach":             {"schemaSettings"},
	"pubsub.snapshots.seek":             {"snapshot"},
}

// fitting leaves out what the request's body shows not to be needed. A body that
// is cut off, or no JSON, shows nothing. What does not write a body needs none.
func fitting(needs []request.Need, body []byte) []request.Need {
	var top map[string]json.RawMessage
	if len(body) == 0 || json.Unmarshal(body, &top) != nil {
		return needs
	}
	has := func(field string) bool {
		v := strings.TrimSpace(string(first(top, field)))
		return v != "" && v != "null" && v != "[]" && v != "{}"
	}
	var left []request.Need
	for i, n := range needs {
		fields := conditional[n.Permission]
		needed := i == 0 || len(fields) == 0
		for _, f := range fields {
			needed = needed || has(f)
		}
		if needed {
			left = append(left, n)
		}
	}
	return left
}

// first finds a field, in the body itself or one level down: updates are wrapped
// ({"topic": {…}, "updateMask": …}).
func first(top map[string]json.RawMessage, field string) json.RawMessage {
	if v, ok := top[field]; ok {
		return v
	}
	for _, raw := range top {
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw, &inner) == nil && inner[field] != nil {
			return inner[field]
		}
	}
	return nil
}

// storageNeeds reads the paths of Cloud Storage, whose refusals name what is
// missing but for replies to HEAD. The JSON API's are b/BUCKET/o/OBJECT; the XML
// API's, which alone is asked by HEAD, /BUCKET/OBJECT.
func storageNeeds(method string, path []string) []request.Need {
	one := func(names ...string) (needs []request.Need) {
		for _, n := range names {
			needs = append(needs, request.Need{Permission: n, Resource: everywhere})
		}
		return needs
	}
	switch {
	case method == http.MethodHead && len(path) == 1:
		return one("storage.buckets.get")
	case method == http.MethodHead && len(path) > 1:
		return one("storage.objects.get")
	case len(path) >= 4 && path[0] == "b" && path[2] == "o" && method == http.MethodGet:
		return one("storage.objects.get")
	}
	return nil
}

// tunnel tells whether a request is one for a tunnel to an instance through
// Identity-Aware Proxy.
func tunnel(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return (host == "tunnel.cloudproxy.app" || host == "mtls.tunnel.cloudproxy.app") && strings.HasSuffix(u.Path, "/connect")
}

// registry tells whether a host is one of Artifact Registry's for images.
func registry(host string) bool {
	return strings.HasSuffix(host, "-docker.pkg.dev") || host == "gcr.io" || strings.HasSuffix(host, ".gcr.io")
}

// imagePath is a request's path in the registry protocol, behind the image's name
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints).
var imagePath = regexp.MustCompile(`^/v2/.+/(blobs/uploads|blobs|manifests|tags|referrers)/`)

// imageNeeds reads the registry protocol. Source: Artifact Registry, "Access
// control with IAM": pulling checks downloadArtifacts, pushing uploadArtifacts.
func imageNeeds(method, path string) []request.Need {
	m := imagePath.FindStringSubmatch(path)
	if m == nil {
		return nil
	}
	name := ""
	switch reading := method == http.MethodGet || method == http.MethodHead; {
	case m[1] == "blobs/uploads", m[1] == "manifests" && method == http.MethodPut:
		name = "artifactregistry.repositories.uploadArtifacts"
	case m[1] == "manifests" && method == http.MethodDelete:
		name = "artifactregistry.versions.delete"
	case reading:
		name = "artifactregistry.repositories.downloadArtifacts"
	default:
		return nil
	}
	return []request.Need{{Permission: name, Resource: everywhere}}
}
