// Package words reads what Azure says when it refuses: the sentences in which
// Resource Manager and the data planes name who may not do what, the error
// codes, and the actions in their registered case.
package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/sentence"
)

// Sentence, match and form are those of the package sentence.
type (
	Sentence = sentence.Sentence
	match    = sentence.Match
	form     = sentence.Form
)

// The blockers of Azure, as [refusal.Denial] has them. An access policy, or a
// role of Cosmos DB's or Synapse's own, is none of Azure's roles: where one must be changed
// the permission is given all the same, with this as its blocker.
const (
	Policy         = "Azure Policy"
	DenyAssignment = "deny assignment"
	Lock           = "resource lock"
	Network        = "network rules"
	VaultPolicy    = "key vault access policy"
	CosmosRole     = "Cosmos DB role"
	SynapseRole    = "Synapse role"
)

// Find finds the sentences in a text, wherever they stand, in their order.
func Find(text string) []Sentence { return sentence.Find(forms, text) }

// Opaque finds the refusals that name no action. Where a sentence of [Find]
// stands nearby it is the one that counts.
func Opaque(text string, said []Sentence) []Sentence { return sentence.Near(opaques, text, said) }

// Sources gives the expressions of all sentences, for whoever must know by which
// words they are found.
func Sources() []string { return sentence.Sources(forms, opaques) }

// Read reads the message of an error: a sentence that begins it, or one that
// Resource Manager says of a resource of a template, which it introduces with
// words of its own.
func Read(message string) []Sentence {
	start := len(message) - len(strings.TrimLeft(message, " \t\r\n"))
	start += len(introduction.FindString(message[start:]))
	var trusted []Sentence
	for _, s := range Find(message[start:]) {
		s.From, s.To = s.From+start, s.To+start
		if s.From == start || ofTemplate.MatchString(message[:s.From]) {
			trusted = append(trusted, s)
		}
	}
	return trusted
}

var (
	// introduction is what stands before the sentence in the messages of
	// Resource Manager and Cosmos DB (recorded replies).
	introduction = expr.New(`^(?:\[[A-Za-z]+ \([A-Za-z]+\)\] |Request blocked by Auth [A-Za-z0-9-]+ : Request is blocked because |[Tt]he )*`)
	ofTemplate   = expr.New(`Authorization failed for template resource '[^']*' of type '[^']*'\.\s+(?:The\s+)?$`)
)

const (
	q = "\\\\*['\"`‘’“”]"
	// said is anything in quotes.
	said = q + "([^'\"`‘’“”]*?)" + q
	// action is one without them.
	action = `[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)+(?:/[A-Za-z0-9._$-]+)+`
	client = `(?:(?:[Cc]lient|[Aa]pplication|[Uu]ser|[Pp]rincipal|[Ii]dentity)\s+(?:(?:with\s+identity\s+)?` + said + `\s+)?)?(?:with\s+object\s+id\s+` + said + `\s+)?`
	// has is the first half of Resource Manager's sentence about two actions.
	has = `has\s+permission\s+to\s+perform\s+actions?(?:\(s\))?\s+` + said + `\s+on\s+scopes?(?:\(s\))?\s*` + said + `\s*[;,.]?\s*`
)

// forms are the sentences, those first that say the most.
var forms = []form{
	// A deny assignment: a grant does not help.
	{
		Hints: []string{"deny assignment"},
		Re:    expr.New(client + has + `(?:however,?\s+)?(?:the\s+)?access\s+is\s+denied\s+because\s+of\s+the\s+deny\s+assignment\s+with\s+name`),
		Read: func(m match) []Sentence {
			a, _ := Canonical(m.Sub(3))
			if !IsAction(a) {
				a = ""
			}
			return []Sentence{{Reason: refusal.ExplicitDeny, Blocker: DenyAssignment, Permission: a, Resource: tidy(m.Sub(4)), Principal: who(m.Sub(1), m.Sub(2))}}
		},
	},
	{
		Hints: []string{"deny assignment", "DenyAssignmentAuthorizationFailed", "DeniedByDenyAssignment"},
		Re:    expr.New(`(?:[Tt]he\s+)?access\s+is\s+denied\s+because\s+of\s+the\s+deny\s+assignment|DenyAssignmentAuthorizationFailed|DeniedByDenyAssignment`),
		Read:  sentence.Plainly(refusal.ExplicitDeny, DenyAssignment),
	},
	// Resource Manager: AuthorizationFailed, LinkedAuthorizationFailed (the
	// first action is had, the second is missing), LinkedAccessCheckFailed, and
	// what it says of a template's resource.
	{
		Hints: []string{"to perform", "to perform action"},
		Core:  expr.New(`perform\s+(?:the\s+)?(?:following\s+)?action`),
		Back:  2 << 10, // names, an action and its scope
		Ahead: 4 << 10, // a list of actions
		Re:    expr.New(client + `(?:` + has + `(?:however|but),?\s*it\s+)?(?:(?:does|do)(?:\s+not|n't)\s+have\s+(?:the\s+)?(?:required\s+)?(?:authorization|permissions?|access)(?:\(s\))?\s+(?:or\s+an\s+ABAC\s+condition\s+(?:is\s+|was\s+)?not\s+(?:fulfilled|satisfied|met)\s+)?to|(?:is\s+)?not\s+authorized\s+to)\s+perform\s+(?:the\s+)?(?:following\s+)?actions?(?:\(s\))?:?\s*(?:` + said + `|(` + action + `))`),
		Read:  actions,
	},
	// A scope in another tenant's subscription. The second half may be cut off.
	{
		Hints: []string{"has permission to perform action"},
		Re:    expr.New(client + `has\s+permission\s+to\s+perform\s+actions?(?:\(s\))?\s+` + said + `\s+on\s+scope\s*` + q + `([^'"]*)(?:` + q + `[;,.]?\s*however,?\s+the\s+current\s+tenant\s+` + said + `\s+is\s+not\s+authorized\s+to\s+access\s+linked\s+subscription\s+` + said + `)?`),
		Read: func(m match) []Sentence {
			a, ok := Canonical(m.Sub(3))
			linked := tidy(m.Sub(6))
			cut := m.To() >= len(strings.TrimRight(m.Text, " \t\r\n"))
			if !ok || linked == "" && (!cut || m.Sub(1) != "") {
				return nil
			}
			if linked != "" {
				linked = "/subscriptions/" + linked
			}
			return []Sentence{{Reason: refusal.MissingPermission, Permission: a, Resource: linked, Principal: who(m.Sub(1), m.Sub(2))}}
		},
	},
	// Key Vault with Azure's roles.
	{
		Hints: []string{"not authorized to perform action on resource"},
		Re: expr.New(`(?s)(?:Caller|caller)\s+is\s+not\s+authorized\s+to\s+perform\s+action\s+on\s+resource\.?` +
			`(?:.{0,300}?Caller:\s*([^\s\\]+))?(?:.{0,200}?Action:\s*` + q + `(\s*[A-Za-z][A-Za-z0-9./\s]*?)` + q + `)?(?:.{0,60}?Resource:\s*` + q + `([^'"\\]+)` + q + `)?(?:.{0,160}?DenyAssignmentId:\s*` + q + `?([^\s'"\\]+))?`),
		Read: func(m match) []Sentence {
			s := Sentence{Reason: refusal.MissingPermission, Resource: tidy(m.Sub(3)), Principal: caller(m.Sub(1))}
			a, ok := Canonical(m.Sub(2))
			if id := m.Sub(4); id != "" && id != "null" && id != "(not" {
				s.Reason, s.Blocker = refusal.ExplicitDeny, DenyAssignment
			}
			switch {
			case ok:
				s.Permission = a
			case s.Reason == refusal.MissingPermission:
				s.Reason, s.Resource = refusal.OpaqueDenial, ""
			}
			return []Sentence{s}
		},
	},
	// Key Vault with access policies.
	{
		Hints: []string{"permission on key vault"},
		Re:    expr.New(`(?:[Tt]he\s+)?(?:user,\s+group\s+or\s+application\s+` + q + `(\S*?)` + q + `\s+)?does\s+not\s+have\s+(secrets?|keys?|certificates?|storage)\s+([A-Za-z]+)\s+permission\s+on\s+key\s+vault\s+` + q + `([^'";\s\\]+)`),
		Read: func(m match) []Sentence {
			s := Sentence{Reason: refusal.MissingPermission, Blocker: VaultPolicy, Resource: m.Sub(4), Principal: caller(m.Sub(1))}
			if s.Permission = vaultAction(m.Sub(2), m.Sub(3)); s.Permission == "" {
				s.Reason = refusal.OpaqueDenial
			}
			return []Sentence{s}
		},
	},
	// Cosmos DB's data plane.
	{
		Hints: []string{"required RBAC permissions"},
		Re:    expr.New(`principal\s+\[?\s*([^\]\s]+)\s*\]?\s+does\s+not\s+have\s+required\s+RBAC\s+permissions\s+to\s+perform\s+action\s+\[(` + action + `)\](?:\s+on\s+(?:resource|any\s+scope)\s*\[?([^\]\s]*)\]?)?`),
		Read: func(m match) []Sentence {
			a, ok := Canonical(m.Sub(2))
			if !ok {
				return []Sentence{{Reason: refusal.OpaqueDenial, Principal: m.Sub(1)}}
			}
			return []Sentence{{Reason: refusal.MissingPermission, Blocker: CosmosRole, Permission: a, Resource: m.Sub(3), Principal: m.Sub(1)}}
		},
	},
	// Azure Synapse Analytics.
	{
		Hints: []string{"Synapse RBAC permission"},
		Re:    expr.New(`(?:principal\s+` + q + `?([^\s'"]+?)` + q + `?\s+)?does\s+not\s+have\s+the\s+required\s+Synapse\s+RBAC\s+permission\s+to\s+perform\s+this\s+action\.?\s+Required\s+permission:\s+Action:\s+(` + action + `)(?:,\s+Scope:\s+([A-Za-z0-9/._-]*[A-Za-z0-9_-]))?`),
		Read: func(m match) []Sentence {
			a, ok := Canonical(m.Sub(2))
			if !ok {
				return []Sentence{{Reason: refusal.OpaqueDenial, Principal: m.Sub(1)}}
			}
			return []Sentence{{Reason: refusal.MissingPermission, Blocker: SynapseRole, Permission: a, Resource: m.Sub(3), Principal: m.Sub(1)}}
		},
	},
	// Azure AI services.
	{
		Hints: []string{"required data action"},
		Re:    expr.New(`(?:principal\s+` + q + `?([^\s'"\x60]+?)` + q + `?\s+)?lacks\s+the\s+required\s+data\s+action\s+` + q + `?(` + action + `)`),
		Read: func(m match) []Sentence {
			a, ok := Canonical(m.Sub(2))
			if !ok {
				return nil
			}
			return []Sentence{{Reason: refusal.MissingPermission, Permission: a, Principal: m.Sub(1)}}
		},
	},
	// Azure Machine Learning: LackOfPermissions.
	{
		Hints: []string{"more specifically the"},
		Re:    expr.New(`(?:[Yy]ou\s+do\s+not\s+have\s+Azure\s+RBAC\s+permissions[^\n]{0,300}?)?more\s+specifically\s+the\s+` + q + `?(` + action + `)` + q + `?\s+permission`),
		Read: func(m match) []Sentence {
			a, ok := Canonical(m.Sub(1))
			if !ok {
				return nil
			}
			return []Sentence{{Reason: refusal.MissingPermission, Permission: a}}
		},
	},

	// What no role can change.
	{
		Hints: []string{"disallowed by policy", "RequestDisallowedByPolicy", "disallowed by Azure", "RequestDisallowedByAzure"},
		Re:    expr.New(`(?:Resource\s+` + said + `\s+)?was\s+disallowed\s+by\s+(?:policy|Azure)\b|RequestDisallowedBy(?:Policy|Azure)`),
		Read:  sentence.Plainly(refusal.ExplicitDeny, Policy),
	},
	{
		Hints: []string{"are locked", "ScopeLocked"},
		Re:    expr.New(`(?:[Tt]he\s+scope\s+\S+\s+)?cannot\s+perform\s+[a-z]+\s+operation\s+because\s+(?:the\s+)?following\s+scope\(s\)\s+are\s+locked|\bScopeLocked\b`),
		Read:  sentence.Plainly(refusal.ExplicitDeny, Lock),
	},
	{
		Hints: []string{"not a trusted service", "ForbiddenByFirewall", "ForbiddenByConnection", "network access is disabled", "firewall settings"},
		Re: expr.New(`Client\s+address\s+is\s+not\s+authorized\s+and\s+caller\s+is\s+not\s+a\s+trusted\s+service|ForbiddenByFirewall|ForbiddenByConnection|Public\s+network\s+access\s+is\s+disabled|` +
			`[Rr]equest\s+originated\s+from[^\n]{0,160}?blocked\s+by\s+your\s+Cosmos\s+DB\s+account\s+firewall\s+settings`),
		Read: sentence.Plainly(refusal.ExplicitDeny, Network),
	},
	{
		Hints: []string{"egistered", "MissingSubscriptionRegistration", "ReadOnlyDisabledSubscription", "marked as read only"},
		Re:    expr.New(`(?:The\s+)?subscription\s+(?:registration\s+is\s+in\s+` + q + `Unregistered` + q + `\s+state|is\s+not\s+registered\s+to\s+use\s+namespace\s+` + said + `)|must\s+be\s+registered\s+to\s+use\s+namespace|MissingSubscriptionRegistration|\bSubscriptionNotRegistered|ReadOnlyDisabledSubscription|is\s+disabled\s+and\s+therefore\s+marked\s+as\s+read\s+only`),
		Read:  sentence.Plainly(refusal.APIDisabled, ""),
	},
	{
		Hints: []string{"AADSTS", "uthenticationToken", "AuthenticationFailed", "AuthenticationInfo", "NotPermitted", "DefaultAzureCredential", "access token has expired", "NoAuthenticationInformation", "SecretCredential", "az login", "azurecr.io", "fetch anonymous token", "fetch oauth token"},
		Re: expr.New(`AADSTS\d{4,8}|\b(?:Invalid|Expired)AuthenticationToken(?:Tenant|Audience)?\b|` + code(`AuthenticationFailed(?:MissingToken|InvalidHeader)?|InvalidAuthenticationInfo|NoAuthenticationInformation|KeyBasedAuthenticationNotPermitted`) + `|` +
			`[Pp]lease\s+run\s+` + q + `az\s+login` + q + `|unauthorized:\s+authentication\s+required[^\n]{0,200}azurecr\.io|azurecr\.io[^\n]{0,200}unauthorized:\s+authentication\s+required|azurecr\.io/[^\n]*\bfailed\s+to\s+fetch\s+(?:anonymous|oauth)\s+token:[^\n]*:\s+40[13]\b|Server\s+failed\s+to\s+authenticate\s+the\s+request|[Tt]he\s+access\s+token\s+has\s+expired|DefaultAzureCredential\s+authentication\s+failed|ClientSecretCredential\s+authentication\s+failed`),
		Read: sentence.Plainly(refusal.BadCredentials, ""),
	},
	{
		Hints: []string{"uota", "TooManyRequests", "RequestsThrottled", "LimitExceeded", "LimitReached"},
		Re: expr.New(code(`TooManyRequests|SubscriptionRequestsThrottled|OperationsThrottled|QuotaExceeded|ResourceQuotaExceeded|RoleAssignmentLimitExceeded|[A-Za-z]+CountLimitReached`) + `|` +
			`exceeding\s+approved\s+[^\n]{0,80}?\s*[Qq]uota|SubscriptionRequestsThrottled|Operation\s+(?:could\s+not\s+be\s+completed|results)[^\n]{0,60}?exceeding`),
		Read: sentence.Plainly(refusal.QuotaOrRate, ""),
	},
}

// code is an expression of error codes, in the ways in which the clients print
// them.
func code(codes string) string {
	return `(?:[Cc]ode\\*["']?\s*[:=]\s*\\*["']?|ERROR\s+CODE:\s*|with\s+error:\s+|\bwith\s+|\()(?:` + codes + `)\b`
}

// actions reads Resource Manager's sentence.
func actions(m match) []Sentence {
	list := m.Sub(5) + m.Sub(6)
	scopes := ""
	end := m.To()
	if t := scope.FindStringSubmatchIndex(m.Rest()); t != nil {
		n := match{Text: m.Rest(), At: t}
		scopes = n.Sub(1) + n.Sub(2)
		end += t[1]
	}
	principal := who(m.Sub(1), m.Sub(2))
	if placeholder.MatchString(list) {
		return nil
	}
	names, on := split(list), split(scopes)
	var all []Sentence
	add := func(name, scope string) bool {
		a, ok := Canonical(full(name, scope))
		if ok {
			all = append(all, Sentence{Reason: refusal.MissingPermission, Permission: a, Resource: scope, Principal: principal, From: m.From(), To: end})
		}
		return ok
	}
	for i, name := range names {
		switch {
		case len(on) == 0:
			if !add(name, "") {
				return opaque(m, end, principal)
			}
		case len(on) == len(names): // "(respectively)"
			if !add(name, on[i]) {
				return opaque(m, end, principal)
			}
		default:
			for _, scope := range on {
				if !add(name, scope) {
					return opaque(m, end, principal)
				}
			}
		}
	}
	return all
}

func opaque(m match, end int, principal string) []Sentence {
	return []Sentence{{Reason: refusal.OpaqueDenial, Principal: principal, From: m.From(), To: end}}
}

// placeholder is what a document writes in the place of an action.
var placeholder = expr.New(`^\s*(?:<[^<>]*>|[A-Z_]+|action|\{[^{}]*\})\s*$`)

// scope is where an action was refused.
var scope = expr.New(`^\s*(?:over|on|at|for)\s+(?:the\s+)?(?:linked\s+)?scopes?\s*(?:\(s\))?\s*(?:` + said + `|` + q + `([^\s'"\\]*))`)

// full gives a whole action: some sentences name only its end, for which the
// type of the linked resource gives the beginning.
func full(action, scope string) string {
	action = strings.Join(strings.Fields(action), "")
	if first, _, _ := strings.Cut(action, "/"); strings.Contains(first, ".") {
		return action
	}
	if t := TypeOf(scope); t != "" {
		return t + "/" + action
	}
	return action
}

func split(list string) []string {
	var all []string
	for _, s := range strings.Split(list, ",") {
		if s = tidy(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// tidy takes the breaks of a wrapped name out.
func tidy(s string) string {
	if strings.HasPrefix(strings.TrimSpace(s), "/") || strings.ContainsAny(s, "\r\n") {
		return strings.Join(strings.Fields(s), "")
	}
	return strings.TrimSpace(s)
}

// who gives the principal: its name or application, else its object ID.
func who(name, object string) string {
	for _, s := range []string{strings.TrimSpace(name), strings.TrimSpace(object)} {
		if s != "" && strings.Trim(s, "*xX<>") != "" {
			return s
		}
	}
	return ""
}

// caller gives the principal as Key Vault names it, without the issuer.
func caller(s string) string {
	s, _, _ = strings.Cut(s, ";iss=")
	s, _, _ = strings.Cut(s, ";numgroups=")
	s = strings.Trim(strings.NewReplacer("'", "", `"`, "", `\`, "").Replace(s), ";,.")
	if s == "appid=;oid=" || s == "oid=" || s == ";oid=" || s == "appid=" {
		return ""
	}
	return s
}

// vaultAction gives the action of Azure's roles that a permission of an access
// policy stands for ("Migrate to Azure role-based access control" in the Key
// Vault documentation).
func vaultAction(noun, verb string) string {
	noun = strings.TrimSuffix(strings.ToLower(noun), "s") + "s"
	tail, known := vaultActions[noun+" "+strings.ToLower(verb)]
	if !known {
		return ""
	}
	return "Microsoft.KeyVault/vaults/" + tail
}

var vaultActions = map[string]string{
	"secrets get": "secrets/getSecret/action", "secrets list": "secrets/readMetadata/action", "secrets set": "secrets/setSecret/action",
	"secrets delete": "secrets/delete", "secrets backup": "secrets/backup/action", "secrets restore": "secrets/restore/action",
	"secrets recover": "secrets/recover/action", "secrets purge": "secrets/purge/action", "secrets update": "secrets/update/action",

	"keys get": "keys/read", "keys list": "keys/read", "keys create": "keys/create/action", "keys import": "keys/import/action",
	"keys update": "keys/update/action", "keys delete": "keys/delete", "keys backup": "keys/backup/action", "keys restore": "keys/restore/action",
	"keys recover": "keys/recover/action", "keys purge": "keys/purge/action", "keys encrypt": "keys/encrypt/action", "keys decrypt": "keys/decrypt/action",
	"keys wrapkey": "keys/wrap/action", "keys unwrapkey": "keys/unwrap/action", "keys sign": "keys/sign/action", "keys verify": "keys/verify/action",
	"keys rotate": "keys/rotate/action", "keys release": "keys/release/action",
	"keys getrotationpolicy": "keyrotationpolicies/read", "keys setrotationpolicy": "keyrotationpolicies/write",

	"certificates get": "certificates/read", "certificates list": "certificates/read", "certificates create": "certificates/create/action",
	"certificates import": "certificates/import/action", "certificates update": "certificates/update/action", "certificates delete": "certificates/delete",
	"certificates backup": "certificates/backup/action", "certificates restore": "certificates/restore/action", "certificates recover": "certificates/recover/action",
	"certificates purge": "certificates/purge/action", "certificates managecontacts": "certificatecontacts/write",
	"certificates getissuers": "certificatecas/read", "certificates listissuers": "certificatecas/read", "certificates setissuers": "certificatecas/write",
	"certificates deleteissuers": "certificatecas/delete", "certificates manageissuers": "certificatecas/write",
}
