package words

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/sentence"
)

// Opaque finds the refusals that name no permission. Where a sentence of
// [Find] stands nearby it is the one that counts: an opaque one only
// introduces it.
func Opaque(text string, said []Sentence) []Sentence { return sentence.Near(opaques, text, said) }

// How far from an opaque sentence a better one may stand, in bytes.
const (
	close1 = 60   // within one message
	close2 = 400  // within one line of a log, or one box
	close3 = 1500 // within one printed reply
	close4 = 3000 // within one run of a builder
)

func vague(reach int, candidate string, hint, re string) form {
	var candidates []string
	if candidate != "" {
		candidates = strings.Fields(candidate)
	}
	return form{Hints: []string{hint}, Re: expr.New(re), Reach: reach, Read: func(m match) []Sentence {
		s := Sentence{Reason: refusal.OpaqueDenial, Candidates: candidates}
		s.Principal, s.Resource = principal(m, m.To())
		return []Sentence{s}
	}}
}

// opaques are the forms, the more telling ones first.
var opaques = []form{
	vague(close1, "iam.serviceAccounts.getAccessToken", "impersonate: status code 403", `impersonate:\s+status\s+code\s+403(?:[^\x00]{0,200}?[cC]aller\s+does\s+not\s+have\s+permission)?`),
	vague(close1, "resourcemanager.projects.create", "roles/resourcemanager.projectCreator", `(?:[Tt]he\s+)?[cC]aller\s+does\s+not\s+have\s+permission[^\n]{0,80}?`+q+`roles/resourcemanager\.projectCreator`+q),
	vague(close1, "iap.tunnelInstances.accessViaIAP", "4033", `Error\s+while\s+connecting\s+\[4033:\s*`+q+`not\s+authorized`+q+`\]|\b4033:?\s+`+q+`not\s+authorized`+q),
	vague(close1, "resourcemanager.projects.get", "permission to access Project", `(?:[Tt]he\s+)?user\s+does\s+not\s+have\s+permission\s+to\s+access\s+Project\s+`+q+`[^'"\\\n]{1,100}`+q+`(?:\s+or\s+it\s+may\s+not\s+exist)?`),
	vague(close1, "serviceusage.services.enable", "denied to enable service", `Permission\s+denied\s+to\s+enable\s+service(?:\s+\[[^\]\n]{0,200}\])?`),
	vague(close1, "serviceusage.services.disable", "denied to disable service", `Permission\s+denied\s+to\s+disable\s+service(?:\s+\[[^\]\n]{0,200}\])?`),
	vague(close1, "serviceusage.services.list", "denied to list services", `Permission\s+denied\s+to\s+list\s+services`),
	vague(close1, "serviceusage.services.get", "denied to get service", `Permission\s+denied\s+to\s+get\s+service(?:\s+\[[^\]\n]{0,200}\])?`),
	vague(close1, "serviceusage.services.use storage.buckets.get", "forbidden from accessing the bucket", `user\s+is\s+forbidden\s+from\s+accessing\s+the\s+bucket\s+\[[^\]\n]{0,200}\](?:[^\n]{0,120}?`+strings.ReplaceAll(useService, ".", `\.`)+q+`?\s+permission)?`),
	vague(close1, "artifactregistry.repositories.downloadArtifacts storage.objects.get", "permission to read the image", `must\s+have\s+permission\s+to\s+read\s+the\s+image,?\s+[^\s,]+`),
	vague(close2, "bigquery.tables.getData", "permission to query table", `User\s+does\s+not\s+have\s+permission\s+to\s+query\s+table`),
	vague(close1, "serviceusage.services.enable serviceusage.services.get", "ot found or permission denied", `Services?\s+`+q+`?\[?[^\n'"]{0,100}?`+q+`?\s+not\s+found\s+or\s+permission\s+denied|[Nn]ot\s+found\s+or\s+permission\s+denied\s+for\s+service\(s\)`),
	{Hints: []string{"fetch oauth token"}, Reach: close1, Re: expr.New(`failed\s+to\s+fetch\s+oauth\s+token:`), Read: func(m match) []Sentence {
		to := refusedToken(m)
		if to == 0 {
			return nil
		}
		return []Sentence{{Reason: refusal.OpaqueDenial, Candidates: []string{"artifactregistry.repositories.downloadArtifacts"}, From: m.From(), To: to}}
	}},
	{Hints: []string{"insufficient permission"}, Reach: close1, Re: expr.New(`(?:service\s+account\s+)` + q + `?([^\s'"\\]+@[^\s'"\\]+)` + q + `?\s+has\s+insufficient\s+permissions?\s+to\s+[a-z ]{3,60}`), Read: func(m match) []Sentence {
		s := Sentence{Reason: refusal.OpaqueDenial, Principal: m.Sub(1)}
		if strings.Contains(m.Text[m.From():m.To()], "execute the build") {
			s.Candidates = []string{"cloudbuild.builds.create"}
		}
		return []Sentence{s}
	}},
	// Packer's googlecompute builder asks for the operation again and again and
	// says of a refusal of that only that it took too long. Where it prints what
	// it was answered, that counts.
	{Hints: []string{"time out while waiting for"}, Reach: close2, Re: expr.New(`\btime\s+out\s+while\s+waiting\s+for\s+(instance|image|disk)\s+to\s+(?:create|register)`), Read: func(m match) []Sentence {
		if near := m.Text[max(0, m.From()-close4):min(len(m.Text), m.To()+close4)]; !strings.Contains(near, "googlecompute") || strings.Contains(near, "Retryable error") {
			return nil
		}
		polled := map[string][]string{
			"instance": {"compute.zoneOperations.get", "compute.instances.get"}, "disk": {"compute.zoneOperations.get", "compute.disks.get"},
			"image": {"compute.globalOperations.get", "compute.images.get"},
		}
		return []Sentence{{Reason: refusal.OpaqueDenial, Candidates: polled[m.Sub(1)]}}
	}},
	vague(close1, "", "aller does not have permission", `(?:[Tt]he\s+)?[cC]aller\s+does\s+not\s+have\s+permission\b`),
	vague(close1, "", "not authorized to make this request", `[Tt]he\s+client\s+is\s+not\s+authorized\s+to\s+make\s+this\s+request`),
	vague(close1, "", "ser not authorized to perform this action", `User\s+not\s+authorized\s+to\s+perform\s+this\s+action`),
	vague(close1, "", "issing or insufficient permissions", `Missing\s+or\s+insufficient\s+permissions`),
	vague(close1, "", "needed permissions to perform this operation", `don't\s+have\s+the\s+needed\s+permissions\s+to\s+perform\s+this\s+operation`),
	vague(close1, "", "Insufficient Permission", `\bInsufficient\s+Permissions?\b`),
	vague(close2, "", "failed: FORBIDDEN", `operation\s+[A-Za-z0-9-]+\s+failed:\s+FORBIDDEN`),
	vague(close2, "", "ermission denied on resource", `Permission\s+denied\s+on\s+resource(?:\s+project)?\s+[^\s]+`),
	vague(close2, "", "to access", `\[[^\]\s]+\]\s+does\s+not\s+have\s+permission\s+to\s+access\s+[^:\[\n]{1,60}\[[^\]\n]+\]`),
	vague(close2, "", "403 Forbidden with reason", `Encountered\s+403\s+Forbidden\s+with\s+reason\s+`+q+`forbidden`+q),
	vague(close2, "", "Error 403", `googleapi:\s+(?:got\s+HTTP\s+response\s+code\s+|Error\s+)403`),
	vague(close2, "", "AccessDeniedException: 403", `AccessDeniedException:\s+403`),
	vague(close2, "", "HttpError 403", `<HttpError\s+403\s+when\s+requesting\s+https://[a-z0-9.-]+googleapis\.com`),
	vague(close2, "", "PERMISSION_DENIED", `\b7\s+PERMISSION_DENIED:`),
	vague(close2, "", "HTTPError 403", `\(gcloud\.[a-z.-]+\)\s+HTTPError\s+403`),
	vague(close2, "", "PERMISSION_DENIED", `\(gcloud\.[a-z.-]+\)\s+PERMISSION_DENIED`),
	vague(close3, "", "google.api_core.exceptions", `google\.(?:api_core|cloud)\.exceptions\.(?:Forbidden|PermissionDenied):\s+403`),
	vague(close3, "", "PERMISSION_DENIED", `\bstatus\\*"?\s*:\s*\\*"PERMISSION_DENIED\\*"`),
	vague(close3, "", "forbidden", `\\*"domain\\*"\s*:\s*\\*"global\\*"\s*,\s*\\*"reason\\*"\s*:\s*\\*"forbidden\\*"|\\*"reason\\*"\s*:\s*\\*"forbidden\\*"\s*,\s*[^{}]{0,60}?\\*"domain\\*"\s*:\s*\\*"global\\*"`),
}
