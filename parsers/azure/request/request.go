// Package request tells what a request to an Azure API is, from the request
// alone: where it went ([Locate]), which action it asks for first ([Actions]),
// and what stays the same when it is made again ([Class]).
package request

import (
	"net/http"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Plane is one of Azure's APIs.
type Plane string

// The APIs whose refusals are read. Manager is Azure Resource Manager; the
// others have a host for each account, but for the directory's.
const (
	Manager    Plane = "manager"
	Graph      Plane = "graph"
	Login      Plane = "login"
	Vault      Plane = "vault"
	HSM        Plane = "hsm"
	Blob       Plane = "blob"
	Queue      Plane = "queue"
	Table      Plane = "table"
	File       Plane = "file"
	Cosmos     Plane = "cosmos"
	Cognitive  Plane = "cognitive"
	ServiceBus Plane = "servicebus"
	AppConfig  Plane = "appconfig"
	Search     Plane = "search"
	Registry   Plane = "registry"
	Logs       Plane = "logs"
)

// exact are the hosts that have no account's name (Azure documentation, "Azure
// Government", "Azure in China": endpoints).
var exact = map[string]Plane{
	"management.azure.com": Manager, "management.usgovcloudapi.net": Manager, "management.chinacloudapi.cn": Manager,
	"graph.microsoft.com": Graph, "graph.microsoft.us": Graph, "dod-graph.microsoft.us": Graph, "microsoftgraph.chinacloudapi.cn": Graph,
	"graph.windows.net":         Graph,
	"login.microsoftonline.com": Login, "login.microsoftonline.us": Login, "login.partner.microsoftonline.cn": Login, "login.windows.net": Login, "login.microsoft.com": Login,
	"api.loganalytics.io": Logs, "api.loganalytics.us": Logs, "api.loganalytics.azure.com": Logs,
}

// suffixes are the domains below which each account has a host.
var suffixes = []struct {
	name  string
	plane Plane
}{
	{".management.azure.com", Manager}, // a region's
	{".vault.azure.net", Vault}, {".vault.usgovcloudapi.net", Vault}, {".vault.azure.cn", Vault},
	{".managedhsm.azure.net", HSM},
	{".documents.azure.com", Cosmos}, {".documents.azure.us", Cosmos}, {".documents.azure.cn", Cosmos},
	{".cognitiveservices.azure.com", Cognitive}, {".openai.azure.com", Cognitive}, {".services.ai.azure.com", Cognitive}, {".cognitiveservices.azure.us", Cognitive},
	{".servicebus.windows.net", ServiceBus}, {".servicebus.usgovcloudapi.net", ServiceBus}, {".servicebus.chinacloudapi.cn", ServiceBus},
	{".azconfig.io", AppConfig}, {".search.windows.net", Search}, {".azurecr.io", Registry},
}

// storageHost is a storage account's: ACCOUNT.SERVICE.core.windows.net, and the
// newer ACCOUNT.zNN.SERVICE.storage.azure.net.
var (
	storageHost = expr.New(`^[a-z0-9]{3,24}(?:-secondary)?(?:\.z\d{1,2})?\.(blob|queue|table|file|dfs)\.(?:core\.windows\.net|core\.usgovcloudapi\.net|core\.chinacloudapi\.cn|storage\.azure\.net)$`)
	accountName = expr.New(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`)
)

// Host tells whether a host is one of Azure's own API endpoints, whose refusals
// are Azure's own words. Hosts that serve what customers run or publish
// (azurewebsites.net, web.core.windows.net, azureedge.net) are none.
func Host(host string) bool {
	_, ok := PlaneOf(host)
	return ok
}

// PlaneOf tells which API a host serves.
func PlaneOf(host string) (Plane, bool) {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	host = strings.TrimSuffix(host, ".")
	if p, ok := exact[host]; ok {
		return p, true
	}
	if m := storageHost.FindStringSubmatch(host); m != nil {
		if m[1] == "dfs" {
			return Blob, true
		}
		return Plane(m[1]), true
	}
	for _, s := range suffixes {
		if account, found := strings.CutSuffix(host, s.name); found && accountName.MatchString(account) {
			return s.plane, true
		}
	}
	return "", false
}

// Place is where a request went.
type Place struct {
	Plane Plane
	Path  []string
	// Types are the resource types that a path of Resource Manager goes
	// through, the last one last: of an extension resource the types of what it
	// is on come first.
	Types []string
	// Named tells whether the path ends in a resource's name, not in a type.
	Named bool
	// Operation is what stands behind the last resource's name in a POST:
	// "listKeys".
	Operation string
}

// Locate tells where a request went. ok is false for a host that is none of
// Azure's.
func Locate(x refusal.Exchange) (at Place, ok bool) {
	if x.URL == nil {
		return Place{}, false
	}
	if at.Plane, ok = PlaneOf(x.URL.Host); !ok {
		return Place{}, false
	}
	at.Path = segments(x.URL.Path)
	if at.Plane == Manager {
		at.manager(x.Method)
	}
	return at, true
}

func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// manager reads a path of Resource Manager: a subscription, a resource group,
// and then /providers/NAMESPACE/TYPE/NAME/…, more than once for an extension.
func (at *Place) manager(method string) {
	p := at.Path
	is := func(i int, word string) bool { return i < len(p) && strings.EqualFold(p[i], word) }
	i := 0
	switch {
	case is(0, "subscriptions"):
		at.add("Microsoft.Resources/subscriptions", len(p) > 1)
		if i = 2; is(2, "resourcegroups") {
			at.add("Microsoft.Resources/subscriptions/resourceGroups", len(p) > 3)
			i = 4
		}
	case is(0, "tenants"):
		at.add("Microsoft.Resources/tenants", len(p) > 1)
		return
	}
	if i < len(p) && !is(i, "providers") {
		// /subscriptions/S/locations, /subscriptions/S/resourceGroups/G/exportTemplate.
		rest := p[i:]
		if method == http.MethodPost && len(rest) == 1 {
			at.Operation = rest[0]
			return
		}
		kind := at.last()
		for j := 0; j < len(rest); j += 2 {
			kind += "/" + rest[j]
		}
		at.add(kind, len(rest)%2 == 0)
		return
	}
	if is(i, "providers") && i+1 == len(p) {
		at.add("Microsoft.Resources/subscriptions/providers", false)
		return
	}
	for is(i, "providers") && i+1 < len(p) {
		space := p[i+1]
		i += 2
		kind, named, parts := space, true, 0
		for i < len(p) && !is(i, "providers") {
			if parts%2 == 0 {
				kind, named = kind+"/"+p[i], false
			} else {
				named = true
			}
			parts++
			i++
		}
		switch {
		case parts == 0:
			// /subscriptions/S/providers/NAMESPACE
			at.add("Microsoft.Resources/subscriptions/providers", true)
		case method == http.MethodPost && !named && parts == 1:
			// /subscriptions/S/providers/NAMESPACE/register
			at.add(space, true)
			at.Operation = p[i-1]
		case method == http.MethodPost && !named && i >= len(p):
			at.add(kind[:strings.LastIndexByte(kind, '/')], true)
			at.Operation = p[i-1]
		default:
			at.add(kind, named)
		}
	}
}

func (at *Place) add(kind string, named bool) {
	at.Types = append(at.Types, proper(kind))
	at.Named = named
}

// proper gives a type in its registered case.
func proper(kind string) string {
	if a, ok := words.Canonical(kind + "/read"); ok {
		return strings.TrimSuffix(a, "/read")
	}
	return kind
}

func (at Place) last() string {
	if n := len(at.Types); n > 0 {
		return at.Types[n-1]
	}
	return ""
}

// Deployment tells whether a request hands a template to Resource Manager,
// which asks for the actions of everything in it.
func (at Place) Deployment() bool {
	return slices.Contains([]string{"Microsoft.Resources/deployments", "Microsoft.Resources/deploymentStacks", "Microsoft.Solutions/applications"}, at.last())
}

// Actions gives the actions that a request itself asks for, the likeliest
// first: of Resource Manager its type and verb, of the data planes what their
// documentation says of the operation. It gives none for what the request does
// not tell.
func Actions(x refusal.Exchange) []string {
	at, ok := Locate(x)
	if !ok {
		return nil
	}
	var all []string
	for _, a := range actions(x, at) {
		if a, ok := words.Canonical(a); ok {
			all = append(all, a)
		}
	}
	return all
}

func actions(x refusal.Exchange, at Place) []string {
	switch at.Plane {
	case Manager:
		kind := at.last()
		switch {
		case kind == "":
			return nil
		case at.Operation != "":
			return []string{kind + "/" + at.Operation + "/action"}
		}
		switch x.Method {
		case http.MethodGet, http.MethodHead:
			return []string{kind + "/read"}
		case http.MethodPut, http.MethodPatch:
			return []string{kind + "/write"}
		case http.MethodDelete:
			return []string{kind + "/delete"}
		}
	case Vault:
		return vault(x, at)
	case Blob, Queue, Table, File:
		return storage(x, at)
	case AppConfig:
		if x.Method == http.MethodGet {
			return []string{"Microsoft.AppConfiguration/configurationStores/keyValues/read"}
		}
		return []string{"Microsoft.AppConfiguration/configurationStores/keyValues/write"}
	case ServiceBus:
		if x.Method == http.MethodPost && strings.HasSuffix(x.URL.Path, "/messages") {
			return []string{"Microsoft.ServiceBus/namespaces/messages/send/action", "Microsoft.EventHub/namespaces/messages/send/action"}
		}
	}
	return nil
}

// vault reads the paths of Key Vault's data plane ("Key Vault REST API
// reference").
func vault(x refusal.Exchange, at Place) []string {
	if len(at.Path) == 0 {
		return nil
	}
	const base = "Microsoft.KeyVault/vaults/"
	noun, depth := strings.ToLower(at.Path[0]), len(at.Path)
	last := strings.ToLower(at.Path[depth-1])
	deleted := strings.HasPrefix(noun, "deleted")
	noun = strings.TrimPrefix(noun, "deleted")
	if noun != "secrets" && noun != "keys" && noun != "certificates" {
		return nil
	}
	verb := ""
	switch {
	case deleted && x.Method == http.MethodDelete:
		verb = "purge/action"
	case deleted && last == "recover":
		verb = "recover/action"
	case x.Method == http.MethodGet && noun == "secrets" && (deleted || depth == 1 || last == "versions"):
		verb = "readMetadata/action"
	case x.Method == http.MethodGet && noun == "secrets":
		verb = "getSecret/action"
	case x.Method == http.MethodGet:
		verb = "read"
	case x.Method == http.MethodDelete:
		verb = "delete"
	case x.Method == http.MethodPatch:
		verb = "update/action"
	case x.Method == http.MethodPut && noun == "secrets":
		verb = "setSecret/action"
	case x.Method == http.MethodPut && noun == "keys":
		verb = "import/action"
	case x.Method == http.MethodPost:
		verb = map[string]string{
			"create": "create/action", "import": "import/action", "backup": "backup/action", "restore": "restore/action", "encrypt": "encrypt/action",
			"decrypt": "decrypt/action", "sign": "sign/action", "verify": "verify/action", "wrapkey": "wrap/action", "unwrapkey": "unwrap/action",
			"rotate": "rotate/action", "release": "release/action",
		}[last]
	}
	if verb == "" {
		return nil
	}
	return []string{base + noun + "/" + verb}
}

// storage reads the requests of Azure Storage ("Authorize with Microsoft Entra
// ID", "Permissions for … operations").
func storage(x refusal.Exchange, at Place) []string {
	q := x.URL.Query()
	const base = "Microsoft.Storage/storageAccounts/"
	verb := "write"
	switch x.Method {
	case http.MethodGet, http.MethodHead:
		verb = "read"
	case http.MethodDelete:
		verb = "delete"
	}
	service := map[Plane]string{Blob: "blobServices", Queue: "queueServices", Table: "tableServices", File: "fileServices"}[at.Plane]
	restype, comp := q.Get("restype"), q.Get("comp")
	switch {
	case restype == "service" && comp == "properties", restype == "service" && comp == "stats":
		return []string{base + service + "/" + verb}
	case restype == "service" && comp == "userdelegationkey":
		return []string{base + "blobServices/generateUserDelegationKey/action"}
	}
	switch at.Plane {
	case Blob:
		switch {
		case len(at.Path) == 0 && comp == "list":
			return []string{base + "blobServices/containers/read"}
		case restype == "container" && comp == "list":
			return []string{base + "blobServices/containers/blobs/read"}
		case restype == "container" || len(at.Path) == 1:
			return []string{base + "blobServices/containers/" + verb}
		case len(at.Path) > 1 && comp == "tags":
			return []string{base + "blobServices/containers/blobs/tags/" + verb}
		case len(at.Path) > 1 && x.Method == http.MethodPut:
			// A blob that is not there could also be put by add/action; write is
			// always enough, and one candidate needs no guess.
			return []string{base + "blobServices/containers/blobs/write"}
		case len(at.Path) > 1:
			return []string{base + "blobServices/containers/blobs/" + verb}
		}
	case Queue:
		switch {
		case len(at.Path) > 1 && at.Path[1] == "messages":
			switch x.Method {
			case http.MethodPost:
				return []string{base + "queueServices/queues/messages/add/action", base + "queueServices/queues/messages/write"}
			case http.MethodGet:
				return []string{base + "queueServices/queues/messages/process/action", base + "queueServices/queues/messages/read"}
			}
			return []string{base + "queueServices/queues/messages/" + verb}
		case len(at.Path) > 0 || comp == "list":
			return []string{base + "queueServices/queues/" + verb}
		}
	case Table:
		if len(at.Path) > 0 && strings.HasPrefix(at.Path[0], "Tables") {
			return []string{base + "tableServices/tables/" + verb}
		}
		if len(at.Path) > 0 {
			return []string{base + "tableServices/tables/entities/" + verb}
		}
	case File:
		if restype == "share" || len(at.Path) <= 1 {
			return []string{base + "fileServices/shares/" + verb}
		}
		return []string{base + "fileServices/fileshares/files/" + verb}
	}
	return nil
}
