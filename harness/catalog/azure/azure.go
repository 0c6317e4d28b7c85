// Package azure is what is known of Azure's permissions: how far one reaches,
// whether it could raise the identity's own rights, what it is for.
//
// An action is PROVIDER/TYPE[/TYPE…]/read, /write or /delete, or ends in a verb
// and /action ("Understand Azure role definitions", Actions format).
package azure

import "strings"

// Is tells whether a permission is one of Azure's.
func Is(permission string) bool {
	provider, rest, ok := strings.Cut(permission, "/")
	return ok && rest != "" && strings.Contains(provider, ".") && !strings.Contains(permission, ":")
}

func split(permission string) (kind, verb string) {
	kind = permission
	if i := strings.LastIndexByte(kind, '/'); i >= 0 {
		kind, verb = kind[:i], kind[i+1:]
	}
	if strings.EqualFold(verb, "action") {
		if i := strings.LastIndexByte(kind, '/'); i >= 0 {
			kind, verb = kind[:i], kind[i+1:]
		}
	}
	return kind, verb
}

// readers are verbs of an action that change nothing and give no credential.
var readers = map[string]bool{"getsecret": true, "readmetadata": true, "whatif": true, "validate": true, "checknameavailability": true}

// Level gives "read", "write" or "permissions". A verb that is not known to read
// counts as "write"; so do those that hand out keys (listKeys), which are as good
// as all that the keys open.
func Level(permission string) string {
	kind, verb := split(permission)
	verb = strings.ToLower(verb)
	switch {
	case verb == "read":
		return "read"
	case strings.HasPrefix(strings.ToLower(kind)+"/", "microsoft.authorization/"):
		return "permissions"
	case strings.HasSuffix(strings.ToLower(permission), "/action") && readers[verb]:
		return "read"
	}
	return "write"
}

// risks are the permissions that could raise the rights of who holds them, by
// the name in lower case. Source: each action's description in "Azure
// permissions"; Microsoft, "Best practices for Azure RBAC" (limit privileged
// administrator roles); "Manage storage account access keys".
var risks = map[string]string{
	"microsoft.authorization/roleassignments/write":                                       "can assign roles, also to itself",
	"microsoft.authorization/roledefinitions/write":                                       "can change what roles hold, its own among them",
	"microsoft.authorization/elevateaccess/action":                                        "makes a global administrator User Access Administrator of everything",
	"microsoft.authorization/denyassignments/delete":                                      "can take away what forbids it something",
	"microsoft.managedidentity/userassignedidentities/assign/action":                      "can put another identity to work",
	"microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write": "can let itself log in as another identity",
	"microsoft.keyvault/vaults/accesspolicies/write":                                      "can give itself what is in a vault",
	"microsoft.keyvault/vaults/write":                                                     "can give itself what is in a vault, by its access policies",
	"microsoft.storage/storageaccounts/listkeys/action":                                   "hands out the keys to all data of the account",
	"microsoft.storage/storageaccounts/listaccountsas/action":                             "hands out signatures for all data of the account",
	"microsoft.containerregistry/registries/listcredentials/action":                       "hands out the registry's administrator",
	"microsoft.containerservice/managedclusters/listclusteradmincredential/action":        "hands out the cluster's administrator",
	"microsoft.containerservice/managedclusters/runcommand/action":                        "runs commands in the cluster",
	"microsoft.compute/virtualmachines/runcommand/action":                                 "runs commands on machines, as their identities",
	"microsoft.compute/virtualmachines/extensions/write":                                  "runs programs on machines, as their identities",
	"microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand/action":         "runs commands on machines, as their identities",
	"microsoft.automation/automationaccounts/jobs/write":                                  "runs programs as the account's identity",
	"microsoft.containerservice/managedclusters/accessprofiles/listcredential/action":     "hands out the cluster's credentials",
	"microsoft.compute/virtualmachinescalesets/extensions/write":                          "runs programs on machines, as their identities",
	"microsoft.authorization/classicadministrators/write":                                 "can make administrators",
	"microsoft.authorization/roleassignmentschedulerequests/write":                        "can assign roles, also to itself",
	"microsoft.authorization/roleeligibilityschedulerequests/write":                       "can make roles available, also to itself",
	"microsoft.compute/virtualmachinescalesets/virtualmachines/extensions/write":          "runs programs on machines, as their identities",
	"microsoft.web/sites/publishxml/action":                                               "hands out what deploys programs that run as the site's identity",
	"microsoft.web/sites/config/list/action":                                              "hands out the site's settings, secrets among them",
	"microsoft.eventhub/namespaces/authorizationrules/listkeys/action":                    "hands out the namespace's keys",
	"microsoft.servicebus/namespaces/authorizationrules/listkeys/action":                  "hands out the namespace's keys",
	"microsoft.documentdb/databaseaccounts/listkeys/action":                               "hands out the keys to all data of the account",
	"microsoft.cognitiveservices/accounts/listkeys/action":                                "hands out the account's keys",
}

// Risk says why a permission could raise the rights of who holds it, "" if it is
// not known to.
func Risk(permission string) string {
	return risks[strings.ToLower(permission)]
}

// Risky lists the permissions that have a [Risk], in lower case.
func Risky() []string {
	var all []string
	for name := range risks {
		all = append(all, name)
	}
	return all
}

// Parts gives the verb of a permission and the type that it is about, as the
// last name of its type: "join" and "subnets". For the provider as a whole the
// type is its name.
func Parts(permission string) (verb, kind string) {
	kind, verb = split(permission)
	if i := strings.LastIndexByte(kind, '/'); i >= 0 {
		kind = kind[i+1:]
	}
	return verb, kind
}
