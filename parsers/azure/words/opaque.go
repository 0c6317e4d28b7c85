package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// How far from an opaque sentence a better one may stand, in bytes.
const (
	message = 80  // within one message
	line    = 600 // within one line of a log, or one box
)

func vague(reach int, candidates func(match) []string, re string, hints ...string) form {
	return form{Hints: hints, Re: expr.New(re), Reach: reach, Read: func(m match) []Sentence {
		s := Sentence{Reason: refusal.OpaqueDenial}
		if candidates != nil {
			s.Candidates = candidates(m)
		}
		if len(s.Candidates) == 0 {
			s.Candidates = method(m.Before() + m.Text[m.From():m.To()])
		}
		return []Sentence{s}
	}}
}

// opaques are the refusals without an action, the more telling ones first.
var opaques = []form{
	vague(message, storageDoing, `This\s+request\s+is\s+not\s+authorized\s+to\s+perform\s+this\s+operation(?:\s+using\s+this\s+(?:permission|resource\s+type|service|protocol|source\s+IP))?`, "request is not authorized to perform"),
	vague(message, storageDoing, `\bAuthorizationPermissionMismatch\b|\bAuthorizationFailure\b|\bInsufficientAccountPermissions\b`, "AuthorizationPermissionMismatch", "AuthorizationFailure", "InsufficientAccountPermissions"),
	// The CLI, of a storage account's data.
	vague(message, func(m match) []string { return storageRoles(m.Rest()) }, `You\s+do\s+not\s+have\s+the\s+required\s+permissions\s+needed\s+to\s+perform\s+this\s+operation`, "required permissions needed"),
	vague(message, nil, `Insufficient\s+privileges\s+to\s+complete\s+the\s+operation|Authorization_RequestDenied`, "nsufficient privileges to complete", "Authorization_RequestDenied"),
	vague(message, claim, `Unauthorized\s+access\.?\s+`+said+`\s+claim\(s\)\s+are\s+required\s+to\s+perform\s+this\s+operation`, "claim(s) are required"),
	vague(message, nil, `credentials\s+have\s+insufficient\s+access\s+to\s+perform\s+the\s+requested\s+operation|InsufficientAccessError`, "nsufficient access to perform", "InsufficientAccessError"),
	vague(line, nil, `[Aa]uthorization\s+failed\s+for\s+template\s+resource|does\s+not\s+have\s+authorization\s+to\s+perform\s+action`, "for template resource", "not have authorization to perform"),
	vague(line, nil, code(`AuthorizationFailed|LinkedAuthorizationFailed|LinkedAccessCheckFailed|LackOfPermissions|ForbiddenByRbac|ForbiddenByPolicy|InsufficientAccountPermissions`),
		"AuthorizationFailed", "LinkedA", "LackOfPermissions", "ForbiddenBy"),
	vague(line, nil, `\b[A-Za-z]+\.[A-Za-z]*Client#[A-Za-z]+:[^\n]{0,120}?StatusCode=403`, "StatusCode=403"),
	vague(line, nil, `unexpected\s+status\s+403\s+\(403[^)\n]*\)`, "unexpected status 403"),
	vague(line, nil, `RESPONSE\s+403:\s+403\s+Forbidden`, "RESPONSE 403"),
	vague(line, nil, `Azure\.RequestFailedException[^\n]{0,200}\s+Status:\s+403`, "Azure.RequestFailedException"),
	vague(line, nil, `HttpResponseError:\s+\((?:Forbidden|AuthorizationFailed)\)`, "HttpResponseError"),
}

// claim gives the data action behind a claim of Service Bus and Event Hubs
// ("Authorize access" in the documentation of both).
func claim(m match) []string {
	verb := map[string]string{"send": "send", "listen": "receive"}[strings.ToLower(m.Sub(1))]
	if verb == "" {
		return nil
	}
	return []string{"Microsoft.ServiceBus/namespaces/messages/" + verb + "/action", "Microsoft.EventHub/namespaces/messages/" + verb + "/action"}
}

// storageOf is which of a storage account's services answered.
var storageOf = expr.New(`\bWindows-Azure-(Blob|Queue|Table|File)/|\.(blob|queue|table|file)\.core\.windows\.net\b`)

// storageRoles gives the data actions of the roles that the CLI proposes, by the
// kind of data that is in the first one's name.
func storageRoles(rest string) []string {
	base := "Microsoft.Storage/storageAccounts/"
	for _, of := range []struct{ role, noun string }{
		{"Storage Blob Data", "blobServices/containers/blobs"}, {"Storage Queue Data", "queueServices/queues/messages"},
		{"Storage Table Data", "tableServices/tables/entities"}, {"Storage File Data", "fileServices/fileshares/files"},
	} {
		if strings.Contains(rest[:min(len(rest), 300)], of.role) {
			return []string{base + of.noun + "/read", base + of.noun + "/write"}
		}
	}
	return nil
}

// doing is what a tool says it was about with a storage account.
var doing = expr.New(`(?i)\b(retrieving|reading|listing|checking|creating|updating|setting|deleting|uploading)\s+(?:for\s+)?(?:the\s+)?(?:presence\s+of\s+)?(?:existing\s+)?(?:an?\s+)?(?:static\s+website\s+)?(queue|blob|table|file|container|share|storage container|file share|directory|filesystem|data lake gen2 filesystem|metadata for container)\s*(properties|service|metadata|acl)?`)

// storageDoing gives the action behind what a tool says it was about.
func storageDoing(m match) []string {
	all := doing.FindAllStringSubmatch(m.Before(), -1)
	if len(all) == 0 {
		// The SDKs print the reply's headers, or the address.
		if of := storageOf.FindStringSubmatch(m.Before() + m.Text[m.From():m.To()] + m.Rest()[:min(len(m.Rest()), line)]); of != nil {
			return storageRoles("Storage " + strings.ToUpper((of[1] + of[2])[:1]) + (of[1] + of[2])[1:] + " Data")
		}
		return nil
	}
	d := all[len(all)-1]
	verb := "write"
	switch strings.ToLower(d[1]) {
	case "retrieving", "reading", "listing", "checking":
		verb = "read"
	case "deleting":
		verb = "delete"
	}
	base := "Microsoft.Storage/storageAccounts/"
	service := map[string]string{"queue": "queueServices", "blob": "blobServices", "table": "tableServices", "file": "fileServices"}[strings.ToLower(d[2])]
	switch thing := strings.ToLower(d[2]); {
	case service != "" && (d[3] != "" || thing == "file"):
		return []string{base + service + "/" + verb}
	case thing == "queue":
		return []string{base + "queueServices/queues/" + verb}
	case thing == "blob":
		return []string{base + "blobServices/containers/blobs/" + verb}
	case thing == "table":
		return []string{base + "tableServices/tables/" + verb}
	case strings.Contains(thing, "share"), thing == "directory":
		return []string{base + "fileServices/shares/" + verb, base + "fileServices/fileshares/files/" + verb}
	}
	return []string{base + "blobServices/containers/" + verb}
}

// sdkMethod is a method of the Azure SDK for Go, as it names itself in its errors.
var sdkMethod = expr.New(`\b([a-z][a-z0-9]*)\.([A-Z][A-Za-z0-9]*Client)#([A-Z][A-Za-z0-9]*)`)

// method gives the action of the last method of the SDK that text names.
func method(text string) []string {
	all := sdkMethod.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return nil
	}
	m := all[len(all)-1]
	if m[1] == "keyvault" && m[2] == "BaseClient" {
		if a, known := vaultMethods[m[3]]; known {
			return []string{"Microsoft.KeyVault/vaults/" + a}
		}
		return nil
	}
	noun := strings.TrimSuffix(m[2], "Client")
	kind, known := sdkTypes[m[1]+"."+noun]
	if !known {
		space, found := namespaces["microsoft."+m[1]]
		if !found || noun == "" {
			return nil
		}
		kind = space + "/" + strings.ToLower(noun[:1]) + noun[1:]
	}
	verb := ""
	switch name := m[3]; {
	case name == "CheckExistence", strings.HasPrefix(name, "Get"), strings.HasPrefix(name, "List"):
		verb = "/read"
	case strings.HasPrefix(name, "Create"), strings.HasPrefix(name, "Update"):
		verb = "/write"
	case strings.HasPrefix(name, "Delete"):
		verb = "/delete"
	case strings.HasPrefix(name, "Validate"):
		verb = "/validate/action"
	default:
		return nil
	}
	a, ok := Canonical(kind + verb)
	if !ok {
		return nil
	}
	return []string{a}
}

// sdkTypes are clients that are not named after their resource type.
var sdkTypes = map[string]string{
	"resources.Groups":                  "Microsoft.Resources/subscriptions/resourceGroups",
	"resources.Providers":               "Microsoft.Resources/subscriptions/providers",
	"subscriptions.":                    "Microsoft.Resources/subscriptions",
	"network.Interfaces":                "Microsoft.Network/networkInterfaces",
	"network.SecurityGroups":            "Microsoft.Network/networkSecurityGroups",
	"network.Subnets":                   "Microsoft.Network/virtualNetworks/subnets",
	"storage.Accounts":                  "Microsoft.Storage/storageAccounts",
	"keyvault.Vaults":                   "Microsoft.KeyVault/vaults",
	"compute.GalleryImages":             "Microsoft.Compute/galleries/images",
	"compute.GalleryImageVersions":      "Microsoft.Compute/galleries/images/versions",
	"compute.VirtualMachineScaleSetVMs": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
	"dns.Zones":                         "Microsoft.Network/dnsZones",
	"msi.UserAssignedIdentities":        "Microsoft.ManagedIdentity/userAssignedIdentities",
	"web.Apps":                          "Microsoft.Web/sites",
	"web.AppServicePlans":               "Microsoft.Web/serverfarms",
}

// vaultMethods are the data actions behind the methods of the Key Vault client.
var vaultMethods = map[string]string{
	"GetSecret": "secrets/getSecret/action", "GetSecrets": "secrets/readMetadata/action", "GetSecretVersions": "secrets/readMetadata/action",
	"SetSecret": "secrets/setSecret/action", "UpdateSecret": "secrets/update/action", "DeleteSecret": "secrets/delete",
	"RecoverDeletedSecret": "secrets/recover/action", "PurgeDeletedSecret": "secrets/purge/action", "GetDeletedSecret": "secrets/readMetadata/action",
	"GetKey": "keys/read", "GetKeys": "keys/read", "CreateKey": "keys/create/action", "ImportKey": "keys/import/action", "UpdateKey": "keys/update/action",
	"DeleteKey": "keys/delete", "RecoverDeletedKey": "keys/recover/action", "PurgeDeletedKey": "keys/purge/action", "GetDeletedKey": "keys/read",
	"GetCertificate": "certificates/read", "GetCertificates": "certificates/read", "CreateCertificate": "certificates/create/action",
	"ImportCertificate": "certificates/import/action", "UpdateCertificate": "certificates/update/action", "DeleteCertificate": "certificates/delete",
	"GetCertificateIssuer": "certificatecas/read", "SetCertificateIssuer": "certificatecas/write", "SetCertificateContacts": "certificatecontacts/write",
	"GetCertificateContacts": "certificates/read",
}
