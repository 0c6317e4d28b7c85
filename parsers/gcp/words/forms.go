package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/sentence"
)

// The blockers of Google Cloud, as [refusal.Denial] has them.
const (
	DenyPolicy         = "deny policy"
	AccessBoundary     = "principal access boundary"
	ServiceControls    = "VPC Service Controls"
	OrganizationPolicy = "organization policy"
)

const (
	actAs      = "iam.serviceAccounts.actAs"
	useService = "serviceusage.services.use"
)

// forms are the sentences, those first that say the most. Sources: recorded
// replies, and "Permission error messages" in the IAM documentation.
var forms = []form{
	// containerd and Docker, of a registry that was asked without a credential.
	{
		Hints: []string{"fetch anonymous token"},
		Re:    expr.New(`failed\s+to\s+fetch\s+anonymous\s+token:`),
		Read: func(m match) []Sentence {
			to := refusedToken(m)
			if to == 0 {
				return nil
			}
			return []Sentence{{Reason: refusal.BadCredentials, From: m.From(), To: to}}
		},
	},
	// Who was not authenticated lacks no permission, even where one is named.
	{
		Hints: []string{"nauthenticated request", "nonymous caller", "nonymous user"},
		Re:    expr.New(`(?:Unauthenticated request\.\s+)?[Uu]nauthenticated requests? (?:do|does) not have permission ` + one + `(?: on resource ` + q + `?[^\s"']+)?|[Aa]nonymous (?:caller|users?) (?:do|does) not have ` + plain + ` access[^\n]{0,80}`),
		Read:  sentence.Plainly(refusal.BadCredentials, ""),
	},
	// A deny policy or a boundary that the message names.
	{
		Hints: []string{"deny policy", "denied by IAM", "ccess boundary", "ccess Boundary"},
		Re:    expr.New(`(?:[Pp]ermissions? ` + list + ` (?:was |is )?denied[^\n]{0,300}?|[Aa]ccess (?:was |is )?(?:denied|blocked)[^\n]{0,100}?|(?:[Dd]enied|[Bb]locked|[Pp]rohibited) )(?:by|due to|because of) (?:an? |the )?(?:IAM )?(?:(deny polic(?:y|ies))|([Pp]rincipal [Aa]ccess [Bb]oundar(?:y|ies)))`),
		Read: func(m match) []Sentence {
			s := Sentence{Reason: refusal.ExplicitDeny, Blocker: DenyPolicy}
			if m.Sub(3) != "" {
				s.Blocker = AccessBoundary
			}
			if p := permissions(m.Sub(1)); len(p) == 1 {
				s.Permission = p[0]
				s.Resource, _ = resource(m.Rest())
			}
			return []Sentence{s}
		},
	},
	// Cloud Storage.
	{
		Hints: []string{"not have "},
		Re:    expr.New(who + `\s+(?:does|do)\s+not\s+have\s+(` + plain + `)\s+access\s+to\s+(the\s+Google\s+Cloud\s+(?:Storage\s+)?[a-z]+(?:\s+[a-z]+){0,1}|(?:object|project|bucket)\s+[^\s"'<>]+|[^\s"'<>]+)`),
		Read:  storageAccess,
	},
	// Cloud Functions, Cloud Scheduler, Cloud Tasks, Spanner, Bigtable.
	{
		Hints: []string{"issing ", "lacks "},
		Re:    expr.New(`(?:[Pp]rincipal\s+\(user\s+or\s+service\s+account\)\s+|[Cc]aller\s+is\s+|Access\s+denied\.\s+)?(?:[Mm]issing|lacks)(?: the)?(?: following)?(?: necessary| required)?(?: IAM)? permissions?:?\s+` + list),
		Read: func(m match) []Sentence {
			on, end := resource(m.Rest())
			if t := missingFor.FindStringSubmatchIndex(m.Rest()); t != nil {
				n := match{Text: m.Rest(), At: t}
				return missing(m, m.Sub(1), n.Sub(1), strings.TrimRight(n.Sub(2), ".,:;"), m.To()+t[1])
			}
			return missing(m, m.Sub(1), "", on, m.To()+end)
		},
	},
	// Compute Engine, GKE, Dataproc and many others.
	{
		Hints: []string{"equired "},
		Re:    expr.New(`[Rr]equired\s+` + list + `\s+permission(?:s|\(s\))?`),
		Read:  missingOn,
	},
	{
		Hints: []string{"ermission "},
		Re:    expr.New(`[Pp]ermissions?\s+` + list + `\s+(?:is|are)\s+required\s+to\s+perform\s+this\s+operation`),
		Read:  missingOn,
	},
	// IAM itself and everything new.
	{
		Hints: []string{"ermission ", "ermissions "},
		Re:    expr.New(`[Pp]ermissions?\s+` + list + `\s+(?:was\s+|were\s+)?denied`),
		Read:  missingOn,
	},
	// BigQuery. gcloud warns of its own credentials in nearly the same words.
	{
		Hints: []string{"not have ", "n't have "},
		Re:    expr.New(`(?:(?:[Tt]he\s+)?(?:user|User|principal|caller|Caller)\s+(?:\[?([^\s\[\]]+@[^\s\[\]]+)\]?\s+)?)?(?:does|do)(?:\s+not|n't)\s+have\s+(?:the\s+)?(?:required\s+)?(?:IAM\s+)?(?:permission\s+(` + named + `)|` + list + `\s+permissions?)`),
		Read: func(m match) []Sentence {
			if strings.Contains(m.Before(), "account in ADC") {
				return nil
			}
			on, end := resource(m.Rest())
			return missing(m, m.Sub(2)+m.Sub(3), m.Sub(1), on, m.To()+end)
		},
	},
	// The use of somebody's project for quota and billing.
	{
		Hints: []string{"permission to use project"},
		Re:    expr.New(`(?:` + who + `\s+)?(?:does|do)\s+not\s+have\s+(?:the\s+)?(?:required\s+)?permission\s+to\s+use\s+project\s+` + q + `?([A-Za-z0-9:._-]+)(?:[^\n]{0,200}?` + strings.ReplaceAll(useService, ".", `\.`) + `\s+permission)?`),
		Read: func(m match) []Sentence {
			on := strings.TrimRight(m.Sub(2), ".,")
			asked, instance := principal(m, m.To())
			if on == "unknown" {
				on = instance
			}
			if on != "" {
				on = "project " + on
			}
			if name := anyone(m.Sub(1)); name != "" {
				asked = name
			}
			return []Sentence{{Reason: refusal.MissingPermission, Permission: useService, Resource: on, Principal: asked}}
		},
	},
	// To act as a service account, in the words of many services.
	{
		Hints: []string{"act as ", "actAs ", "access to service account"},
		Re:    expr.New(`(?:` + who + `\s+)?(?:(?:(?:does|do)(?:\s+not|n't)\s+have\s+(?:the\s+)?(?:permission|access)|(?:is\s+)?not\s+authorized|lacks\s+(?:the\s+)?permission)\s+(?:to\s+)?(?:act\s*[aA]s|access\s+to|service\s+account)|(?:cannot|can't)\s+act\s*[aA]s)\s+(?:the\s+|to\s+)?((?:service\s+account\s*:?\s*)?)` + q + `?([A-Za-z0-9_.@/:-]+)` + q + `?(?:[.\s]+User:\s*` + q + `?([^\s'"\\]+@[^\s'"\\]+))?`),
		Read: func(m match) []Sentence {
			on := strings.TrimRight(m.Sub(3), ".,:;")
			if m.Sub(2) == "" && !strings.Contains(on, "@") || on == "" {
				return nil
			}
			if !strings.ContainsAny(on, "@/") {
				on = "service account " + on
			}
			name := anyone(m.Sub(1))
			if m.Sub(4) != "" {
				name = strings.TrimRight(m.Sub(4), ".,")
			}
			if !strings.ContainsAny(name, "@/") {
				name, _ = principal(m, m.To())
			}
			return []Sentence{{Reason: refusal.MissingPermission, Permission: actAs, Resource: on, Principal: name}}
		},
	},
	// Cloud Storage, of its own service agent, when notifications are set up.
	{
		Hints: []string{"publish messages to"},
		Re:    expr.New(`(?:service\s+account\s+)?` + q + `?([^\s'"\\]+@[^\s'"\\]+?)` + q + `?\s+does\s+not\s+have\s+permission\s+to\s+publish\s+messages\s+to\s+(?:to\s+)?the\s+Cloud\s+Pub/Sub\s+topic\s+` + q + `?([^\s'"\\]+)`),
		Read: func(m match) []Sentence {
			return []Sentence{{Reason: refusal.MissingPermission, Permission: "pubsub.topics.publish", Principal: m.Sub(1), Resource: strings.TrimRight(m.Sub(2), ",.")}}
		},
	},
	// Cloud Run, of its own service agent.
	{
		Hints: []string{"permission to get access tokens"},
		Re:    expr.New(`does\s+not\s+have\s+permission\s+to\s+get\s+access\s+tokens\s+for\s+the\s+service\s+account\s+` + q + `?([^\s'"\\]+@[^\s'"\\]+?)` + q + `?\.?\s+Please\s+give\s+([^\s'"\\]+@[^\s'"\\]+)\s+permission\s+(` + plain + `)`),
		Read: func(m match) []Sentence {
			return missing(m, m.Sub(3), m.Sub(2), m.Sub(1), m.To())
		},
	},
	// google.rpc.ErrorInfo, as the clients and tools print it.
	{
		Hints: []string{"IAM_PERMISSION_DENIED"},
		Re:    expr.New(`(?s)metadata\\*"?:?\s*\{?[^{}]{0,400}?(?:permission\\*"?:\s*\\*"?|key:\s*\\*"permission\\*"\s*value:\s*\\*")(` + plain + `)[^{}]{0,20}(?:[^{}]{0,300}?resource\\*"?:\s*\\*"?([^\s"\\,]+)|(?:[^{}]|\}\s*metadata\s*\{){0,200}?key:\s*\\*"resource\\*"\s*value:\s*\\*"([^\s"\\]+)|)`),
		Read: func(m match) []Sentence {
			near := m.Text[max(0, m.From()-500):min(len(m.Text), m.To()+500)]
			if !strings.Contains(near, "IAM_PERMISSION_DENIED") {
				return nil
			}
			return missing(m, m.Sub(1), "", m.Sub(2)+m.Sub(3), m.To())
		},
	},

	// What no permission of the role can change.
	{
		Hints: []string{"vpcServiceControlsUniqueIdentifier", "VPC_SERVICE_CONTROLS", "SECURITY_POLICY_VIOLATED", "VPC Service Controls", "prohibited by organization's policy"},
		Re:    expr.New(`Request\s+is\s+prohibited\s+by\s+organization's\s+policy\.?(?:\s+vpcServiceControlsUniqueIdentifier:?\s*[A-Za-z0-9_-]+)?|vpcServiceControlsUniqueIdentifier|VPC_SERVICE_CONTROLS|SECURITY_POLICY_VIOLATED|(?:[Dd]enied|[Bb]locked|[Pp]rohibited|violates?)\s+(?:by\s+)?VPC\s+Service\s+Controls`),
		Read:  sentence.Plainly(refusal.ExplicitDeny, ServiceControls),
	},
	{
		Hints: []string{"onstraint", "org policy", "rganization policy", "rganization Policy", "permitted customer", "ORG_POLICY", "ORG_RESTRICTION", "LOCATION_POLICY_VIOLATED"},
		Re: expr.New(`[Cc]onstraint\s+` + q + `?(?:custom)?[cC]onstraints/[A-Za-z.]+` + q + `?\s+(?:is\s+)?violated|violates?\s+(?:the\s+)?(?:[Oo]rganization\s+[Pp]olicy\s+)?constraint\s+` + q + `?(?:custom)?[cC]?onstraints/[A-Za-z.]+|` +
			`(?:[Oo]peration|[Aa]ction|[Rr]equest)\s+(?:was\s+|is\s+)?(?:denied|blocked|not allowed|prohibited)\s+by\s+(?:an?\s+|the\s+)?(?:org|[Oo]rganization)\s+[Pp]olicy|` +
			`(?:violates|blocked by|denied by|disallowed by|restricted by|enforced by)\s+(?:an?\s+|the\s+|your\s+)?(?:org|[Oo]rganization(?:'s)?)\s+[Pp]olicy|` +
			`type\\*"?:\s*\\*"?constraints/[A-Za-z.]+|(?:One\s+or\s+more\s+users\s+named\s+in\s+the\s+policy\s+)?do(?:es)?\s+not\s+belong\s+to\s+a\s+permitted\s+customer|` +
			`[Oo]rganization\s+[Pp]olicy\s+(?:constraint\s+)?[^\n]{0,80}?(?:violated|denies|blocks|prohibits)|CUSTOM_ORG_POLICY_VIOLATION|ORG_RESTRICTION_VIOLATION|LOCATION_ORG_POLICY_VIOLATED|LOCATION_POLICY_VIOLATED`),
		Read: sentence.Plainly(refusal.ExplicitDeny, OrganizationPolicy),
	},
	{
		Hints: []string{"has not been used in project", "SERVICE_DISABLED", "accessNotConfigured", "Access Not Configured", "BILLING_DISABLED", "illing", "not enabled on project", "is disabled"},
		Re: expr.New(`(?:[A-Z][A-Za-z0-9()/ ]{0,60}?)?API\s+has\s+not\s+been\s+used\s+in\s+project\s+[A-Za-z0-9:._-]+\s+before\s+or\s+it\s+is\s+disabled|has\s+not\s+been\s+used\s+in\s+project|SERVICE_DISABLED|\baccessNotConfigured|Access\s+Not\s+Configured|` +
			`API\s+\[[a-z.]+\]\s+not\s+enabled\s+on\s+project|BILLING_DISABLED|\bbillingNotEnabled|[Bb]illing\s+(?:must\s+be|is\s+not|has\s+not\s+been)\s+enabled|requires\s+billing\s+to\s+be\s+enabled|[Bb]illing\s+account\s+for\s+the\s+owning\s+project\s+is\s+disabled|billing\s+to\s+be\s+enabled|UserProjectAccountProblem`),
		Read: sentence.Plainly(refusal.APIDisabled, ""),
	},
	{
		Hints: []string{"uota", "ateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "ResourceExhausted", "Error 429", "dailyLimitExceeded"},
		Re: expr.New(`Quota\s+exceeded\s+for\s+[^\n]{0,200}|Quota\s+` + q + `[A-Z0-9_-]+` + q + `\s+exceeded|Insufficient\s+(?:regional|project|global|zonal)?\s*quota\s+to\s+satisfy\s+request|\b(?:userR|r)ateLimitExceeded|\bquotaExceeded|\bdailyLimitExceeded|` +
			`RATE_LIMIT_EXCEEDED|\bQUOTA_EXCEEDED|` + q + `RESOURCE_EXHAUSTED|\(gcloud[^)\n]*\)\s+RESOURCE_EXHAUSTED|8\s+RESOURCE_EXHAUSTED|exceeded\s+your\s+(?:allotted\s+)?project\s+quota|googleapi:\s+Error\s+429`),
		Read: sentence.Plainly(refusal.QuotaOrRate, ""),
	},
	{
		Hints: []string{"authentication", "invalid_grant", "invalid_client", "ACCESS_TOKEN", "CREDENTIALS_MISSING", "nvalid Credentials", "Login Required", "UNAUTHENTICATED", "oauth2: ", "invalid_rapt", "application default credentials", "valid credentials", "Unauthenticated desc", "API_KEY_INVALID", "Error 401", "eauthentication ", "active account", "federated token", "allow unauthenticated", "default credentials"},
		Re: expr.New(`Request\s+had\s+insufficient\s+authentication\s+scopes|[Tt]he\s+request\s+was\s+not\s+authenticated\.\s+Either\s+allow\s+unauthenticated|Request\s+had\s+invalid\s+authentication\s+credentials|Request\s+is\s+missing\s+required\s+authentication\s+credential|ACCESS_TOKEN_(?:SCOPE_INSUFFICIENT|EXPIRED|TYPE_UNSUPPORTED)|CREDENTIALS_MISSING|API_KEY_INVALID|` +
			`Reauthentication\s+(?:failed|required)|not\s+currently\s+have\s+an\s+active\s+account\s+selected|failed\s+to\s+generate\s+Google\s+Cloud\s+federated\s+token|` +
			`oauth2(?:/google)?:\s+(?:cannot\s+fetch\s+token|` + q + `?invalid_grant)|\binvalid_grant\b|\binvalid_rapt\b|\bInvalid\s+Credentials|\bLogin\s+Required|could\s+not\s+find\s+default\s+credentials|[Dd]efault\s+credentials\s+were\s+not\s+found|(?:to|could\s+not)\s+load\s+application\s+default\s+credentials\s+since|[Cc]ould\s+not\s+(?:load\s+the|automatically\s+determine)\s+(?:default\s+)?credentials\.|does\s+not\s+have\s+any\s+valid\s+credentials|` + q + `UNAUTHENTICATED|\(gcloud[^)\n]*\)\s+UNAUTHENTICATED|16\s+UNAUTHENTICATED|googleapi:\s+(?:got\s+HTTP\s+response\s+code|Error)\s+401`),
		Read: func(m match) []Sentence {
			// Microsoft's directory speaks OAuth as well.
			if strings.Contains(m.Before(), "microsoftonline") || strings.Contains(m.Text[m.From():min(len(m.Text), m.To()+200)], "AADSTS") {
				return nil
			}
			return []Sentence{{Reason: refusal.BadCredentials}}
		},
	},
	{
		// Identity-Aware Proxy, of an instance that is not there yet.
		Hints: []string{"4047", "4003", "4010"},
		Re:    expr.New(`Error\s+while\s+connecting\s+\[40(?:47|03|10):\s+` + q + `[^\n\]]{0,100}\]`),
		Read:  sentence.Plainly(refusal.NotAuthorization, ""),
	},
}

// mostReply is how far behind "token:" containerd prints the reply, in bytes.
const mostReply = 600

// refusedToken is where the reply to a request for a token of Google's registries
// ends, which is named by its address or the image's; 0 where it is none, or no
// refusal. k8s.gcr.io is a mirror for the public.
func refusedToken(m match) int {
	rest := m.Rest()[:min(len(m.Rest()), mostReply)]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	if near := m.Before() + rest; !strings.Contains(near, "pkg.dev/") && !strings.Contains(near, "gcr.io/") || strings.Contains(near, "k8s.gcr.io/") {
		return 0
	}
	for _, status := range []string{": 403 Forbidden", ": 401 Unauthorized"} {
		if i := strings.Index(rest, status); i >= 0 {
			return m.To() + i + len(status)
		}
	}
	return 0
}

// missingFor is how Cloud Functions names who lacks a permission on what.
var missingFor = expr.New(`^\s+for\s+` + q + `?([^\s'"\\]+)` + q + `?\s+on\s+(?:the\s+)?(?:service\s+account|resource|project)\s+` + q + `?([^\s'"\\]+)`)

// missingOn reads a list of permissions and the resource behind it.
func missingOn(m match) []Sentence {
	on, end := resource(m.Rest())
	return missing(m, m.Sub(1), "", on, m.To()+end)
}

// storageAccess reads Cloud Storage's sentence. The bucket is only named in
// the older wording; the Python client prints the request's address before it.
func storageAccess(m match) []Sentence {
	name := m.Sub(1)
	if tail := wrappedWho.FindString(m.Before()); tail != "" && strings.Contains(tail, "@") && !strings.Contains(name, "@") {
		name = strings.Join(strings.Fields(tail), "") + name
	}
	on := strings.Join(strings.Fields(m.Sub(3)), " ")
	end := m.To() - len(m.Sub(3)) + len(strings.TrimRight(m.Sub(3), ".,;:)"))
	switch {
	case strings.HasPrefix(on, "the Google Cloud"):
		on = ""
		if a := address.FindStringSubmatch(strings.TrimRight(m.Before(), " ") + " "); a != nil {
			on = a[1]
		}
	default:
		on = strings.TrimRight(on, ".,;:)")
		on = strings.TrimPrefix(strings.TrimPrefix(on, "object "), "bucket ")
	}
	if t := again.FindStringSubmatchIndex(m.Text[end:]); t != nil {
		if n := (match{Text: m.Text[end:], At: t}); permissionIs(n.Sub(1), m.Sub(2)) {
			end += t[1]
		}
	}
	return missing(m, m.Sub(2), name, on, end)
}

var (
	// wrappedWho is the first half of a principal that a line's end broke.
	wrappedWho = expr.New(`[^\s'"\[\]()]+@[^\s'"\[\]()]*[.@-]\s+$`)
	// again is the second half of Cloud Storage's sentence.
	again = expr.New(`^[.\s]*Permission\s+` + q + `([A-Za-z.\s]+)` + q + `\s+denied\s+on\s+resource(?:\s+\(or\s+it\s+may\s+not\s+exist\))?\.?`)
)

func permissionIs(a, b string) bool {
	p, _ := Canonical(a)
	s, ok := Canonical(b)
	return ok && p == s
}
