package azure

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Fits tells whether a refusal of an action can be the answer to a request: the
// action is of the provider that was asked, or of a resource that the request
// itself names or contains, or one that the provider is known to ask for. A
// denial that does not fit is not believed, so that no text which a reply
// carries can turn a harmless request into a grant somewhere else.
func Fits(x refusal.Exchange, action string) bool {
	if !words.IsAction(action) {
		return false
	}
	at, known := request.Locate(x)
	if !known {
		return false
	}
	space, _, _ := strings.Cut(action, "/")
	if at.Plane != request.Manager {
		return slices.Contains(planes[at.Plane], space)
	}
	if isBatch(x, at) {
		return slices.ContainsFunc(requests(x), func(c refusal.Exchange) bool {
			place, ok := request.Locate(c)
			return ok && !isBatch(c, place) && Fits(c, action)
		})
	}
	last := ""
	if n := len(at.Types); n > 0 {
		last = at.Types[n-1]
	}
	asked, _, _ := strings.Cut(last, "/")
	verb := action[strings.LastIndexByte(action, '/')+1:]
	kind := action[:strings.LastIndexByte(action, '/')]
	if verb == "action" {
		kind = kind[:strings.LastIndexByte(kind+"/", '/')]
		if i := strings.LastIndexByte(kind, '/'); i > 0 {
			kind = kind[:i]
		}
	}
	switch {
	case strings.EqualFold(space, asked):
		return true
	case slices.Contains(anywhere, action):
		return true
	case at.Deployment():
		// A template asks for whatever it holds; the reply of one that is over
		// says which providers it went to.
		return holds(x.Body, kind) || x.Status < 300 && wentTo(x.ReplyBody, space, kind)
	case last == "Microsoft.Resources/subscriptions/resourceGroups" && x.Method == "DELETE" && verb == "delete":
		return true // with everything in it
	case space == "Microsoft.Authorization" || space == "Microsoft.Resources":
		return false
	case verb == "write" || verb == "delete":
		return false
	}
	// A linked resource: it is named in the request, or of a provider that is
	// known to stand behind.
	return holds(x.Body, kind) || slices.ContainsFunc(at.Types, func(t string) bool { return strings.EqualFold(t, kind) }) ||
		verb == "action" && slices.Contains(behind[asked], space)
}

// holds tells whether a body names a resource of a type: as a template's
// resource or in an ID.
func holds(body []byte, kind string) bool {
	if len(body) == 0 || kind == "" {
		return false
	}
	text, kind := strings.ToLower(string(body)), strings.ToLower(kind)
	if strings.Contains(text, `"`+kind+`"`) {
		return true
	}
	space, rest, _ := strings.Cut(kind, "/")
	for _, part := range strings.Split(text, "/providers/"+space+"/")[1:] {
		id, _, _ := strings.Cut(part, `"`)
		segments := strings.Split(strings.Trim(id, "/"), "/")
		var parts []string
		for i := 0; i < len(segments); i += 2 {
			parts = append(parts, segments[i])
		}
		if found := strings.Join(parts, "/"); found == rest || strings.HasPrefix(found, rest+"/") {
			return true
		}
	}
	return false
}

// wentTo tells whether the reply of a deployment, or of one of its operations,
// names a provider in the fields that Resource Manager has for it.
func wentTo(reply []byte, space, kind string) bool {
	text := strings.ToLower(strings.Join(strings.Fields(string(reply)), ""))
	return strings.Contains(text, `"namespace":"`+strings.ToLower(space)+`"`) || strings.Contains(text, `"resourcetype":"`+strings.ToLower(kind)+`"`)
}

// planes are the providers whose data actions a data plane asks for.
var planes = map[request.Plane][]string{
	request.Vault: {"Microsoft.KeyVault"}, request.HSM: {"Microsoft.KeyVault"},
	request.Blob: {"Microsoft.Storage"}, request.Queue: {"Microsoft.Storage"}, request.Table: {"Microsoft.Storage"}, request.File: {"Microsoft.Storage"},
	request.Cosmos: {"Microsoft.DocumentDB"}, request.Cognitive: {"Microsoft.CognitiveServices", "Microsoft.MachineLearningServices"},
	request.ServiceBus: {"Microsoft.ServiceBus", "Microsoft.EventHub", "Microsoft.Relay"}, request.AppConfig: {"Microsoft.AppConfiguration"},
	request.Search: {"Microsoft.Search"}, request.Registry: {"Microsoft.ContainerRegistry"}, request.Logs: {"Microsoft.OperationalInsights", "Microsoft.Insights"},
}

// anywhere holds what many providers ask for of a resource that is linked
// without being named in the request: it was named when the resource was made.
var anywhere = []string{
	"Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
	"Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
	"Microsoft.Network/ddosProtectionPlans/join/action",
	"Microsoft.Network/loadBalancers/backendAddressPools/join/action",
	"Microsoft.Network/loadBalancers/inboundNatPools/join/action",
	"Microsoft.Network/loadBalancers/inboundNatRules/join/action",
	"Microsoft.Network/natGateways/join/action",
	"Microsoft.Network/networkInterfaces/join/action",
	"Microsoft.Network/networkSecurityGroups/join/action",
	"Microsoft.Network/publicIPAddresses/join/action",
	"Microsoft.Network/publicIPPrefixes/join/action",
	"Microsoft.Network/routeTables/join/action",
	"Microsoft.Network/virtualNetworks/join/action",
	"Microsoft.Network/virtualNetworks/subnets/join/action",
	"Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
	"Microsoft.OperationalInsights/workspaces/sharedKeys/action",
}

// behind holds the providers that stand behind another: their operations, never
// writes, are asked for with the caller's rights.
var behind = map[string][]string{
	"Microsoft.ApiManagement":        {"Microsoft.Network"},
	"Microsoft.App":                  {"Microsoft.ContainerRegistry", "Microsoft.Network"},
	"Microsoft.Compute":              {"Microsoft.Network", "Microsoft.MarketplaceOrdering"},
	"Microsoft.ContainerInstance":    {"Microsoft.Network"},
	"Microsoft.ContainerService":     {"Microsoft.Network", "Microsoft.Compute", "Microsoft.OperationalInsights"},
	"Microsoft.Databricks":           {"Microsoft.Network"},
	"Microsoft.DBforMySQL":           {"Microsoft.Network"},
	"Microsoft.DBforPostgreSQL":      {"Microsoft.Network"},
	"Microsoft.HDInsight":            {"Microsoft.Network", "Microsoft.Storage"},
	"Microsoft.Insights":             {"Microsoft.EventHub", "Microsoft.OperationalInsights", "Microsoft.Storage"},
	"Microsoft.NetApp":               {"Microsoft.Network"},
	"Microsoft.Network":              {"Microsoft.Compute", "Microsoft.Storage", "Microsoft.OperationalInsights"},
	"Microsoft.RecoveryServices":     {"Microsoft.Compute", "Microsoft.Storage"},
	"Microsoft.Sql":                  {"Microsoft.Network"},
	"Microsoft.VirtualMachineImages": {"Microsoft.Compute", "Microsoft.Network"},
	"Microsoft.Web":                  {"Microsoft.CertificateRegistration", "Microsoft.ContainerRegistry", "Microsoft.Network"},
}
