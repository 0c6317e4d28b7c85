// Package catalog is what Whittle knows of the clouds' permissions: what an
// opaque refusal may have been about, how far a permission reaches, whether it
// could raise the identity's own rights, which parts of a resource's name are
// generated.
//
// It holds facts with their source and pure functions over them. It knows no
// gate, no proxy and no run, and does no I/O. What it does not know counts as
// the stricter case: an unknown permission writes, an unknown resource keeps
// its name.
package catalog

import (
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog/azure"
	"github.com/whittle-iam/whittle/harness/catalog/request"
)

// Escape writes a name that somebody chose so that it stands for itself in a
// policy's resource, and can't widen a grant: see [request.Escape]. It takes the
// name as it is; what is escaped already is escaped again.
func Escape(name string) string { return request.Escape(name) }

// Match tells whether a pattern of a ceiling or an approval takes in a
// permission. "*" stands for any run of characters, also none; everything else
// for itself. As in IAM, case does not count (IAM User Guide, "IAM JSON policy
// elements: Action").
func Match(pattern, permission string) bool {
	return glob(strings.ToLower(pattern), strings.ToLower(permission), false)
}

// glob matches s against a pattern with "*" and, if single, "?" for one byte.
func glob(pattern, s string, single bool) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == s[i] || single && pattern[p] == '?'):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Category says which part of the cloud a permission is about, in a word for
// people: "compute.disks.use" is "Compute", "ec2:CreateVpc" is "ec2". Accounts,
// roles and the project's policy are all IAM.
func Category(permission string) string {
	if service, _, ok := strings.Cut(permission, ":"); ok {
		return service // AWS
	}
	if service, _, ok := strings.Cut(permission, "/"); ok {
		return strings.TrimPrefix(service, "Microsoft.") // Azure
	}
	service, _, _ := strings.Cut(permission, ".")
	if name, ok := categories[service]; ok {
		return name
	}
	return service
}

// categories are Google Cloud's services whose permissions begin otherwise than
// people call them.
var categories = map[string]string{
	"artifactregistry": "Registry", "certificatemanager": "Cert Mgr", "cloudkms": "KMS", "cloudsql": "SQL", "compute": "Compute", "container": "GKE",
	"dns": "DNS", "iam": "IAM", "iap": "IAP", "logging": "Logging", "monitoring": "Monitoring", "pubsub": "Pub/Sub", "resourcemanager": "IAM",
	"run": "Run", "secretmanager": "Secrets", "serviceusage": "Services", "storage": "Storage",
}

// Purpose says in a few words for people what a permission is for, from its own
// words: "ec2:CreateVpc" is "create vpc", "compute.subnetworks.use" is "use
// subnetwork". It is the action itself where that has no words.
func Purpose(permission string) string {
	_, action, ok := strings.Cut(permission, ":")
	if !ok {
		if azure.Is(permission) {
			verb, kind := azure.Parts(permission)
			doing, one := words(verb), words(singular(kind))
			if strings.HasSuffix(doing, " "+one) { // get secret, of secrets
				return doing
			}
			return doing + " " + one
		}
		if parts := strings.Split(permission, "."); len(parts) == 3 {
			return gcpPurpose(parts[1], parts[2])
		}
		action = permission
	}
	return words(action)
}

func words(name string) string { return strings.ToLower(strings.Join(request.Words(name), " ")) }

// gcpPurpose puts the verb before the resource, in the singular; a verb of
// several words is about a part of it: "set metadata of instance".
func gcpPurpose(resource, verb string) string {
	verb, one := words(verb), words(singular(resource))
	switch {
	case verb == "list":
		return verb + " " + words(resource)
	case verb == "use read only":
		return "use " + one + " read-only"
	case strings.Contains(verb, " ") && verb != "act as":
		return verb + " of " + one
	}
	return verb + " " + one
}

// singular takes the plural's ending off; Google's resources are called by
// regular plurals.
func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies"):
		return strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "sses"), strings.HasSuffix(name, "xies"), strings.HasSuffix(name, "shes"), strings.HasSuffix(name, "ches"), strings.HasSuffix(name, "tatuses"):
		return strings.TrimSuffix(name, "es")
	case strings.HasSuffix(name, "s") && !strings.HasSuffix(name, "ss"):
		return strings.TrimSuffix(name, "s")
	}
	return name
}
