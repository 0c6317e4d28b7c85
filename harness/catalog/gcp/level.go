package gcp

import "strings"

// Level says how far a permission reaches by its verb: "list", "read", "write" or
// "permissions" (of an allow policy). What is not known to read writes. Source:
// IAM, "Permissions reference", verb by verb; roles/viewer, which holds what only
// reads, has them all but those on content and on policies.
func Level(permission string) string {
	parts := strings.Split(permission, ".")
	if len(parts) < 3 || strings.ContainsAny(permission, "*?") {
		return "write"
	}
	verb := parts[len(parts)-1]
	if made[permission] {
		return "write"
	}
	switch {
	case strings.HasPrefix(verb, "setIam"):
		return "permissions"
	case starts(verb, "list"), verb == "aggregatedList":
		return "list"
	case starts(verb, "get"), starts(verb, "read"), starts(verb, "search"), starts(verb, "view"), starts(verb, "fetch"), starts(verb, "query"), starts(verb, "lookup"):
		return "read"
	case verb == "downloadArtifacts", verb == "exportArtifacts", verb == "check", verb == "validate":
		return "read"
	case permission == "secretmanager.versions.access", permission == "cloudkms.cryptoKeyVersions.useToDecrypt", permission == "cloudkms.cryptoKeyVersions.useToVerify":
		return "read" // changes nothing
	}
	return "write"
}

// made are permissions that read by their name and make a credential in truth.
var made = map[string]bool{
	"iam.serviceAccounts.getAccessToken": true, "iam.serviceAccounts.getOpenIdToken": true, "container.clusters.getCredentials": true,
}

// starts tells whether a verb is word, or word and more words.
func starts(verb, word string) bool {
	rest, ok := strings.CutPrefix(verb, word)
	return ok && (rest == "" || rest[0] >= 'A' && rest[0] <= 'Z')
}
