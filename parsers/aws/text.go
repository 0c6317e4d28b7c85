package aws

import (
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/words"
	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// In text the sentence can stand anywhere, behind any prefix of a tool, with a
// line break for any of its spaces. SES quotes its names.
var (
	said = expr.New("(?:\\bUser:?\\s*[`'\"]?((?:arn:)?[^\\s`'\"]+(?:\\s[^\\s`'\"]+)??)[`'\"]?\\s+|\\bUser:?\\s+|(arn:[^\\s`'\"]+)\\s+)?" +
		"(?:is\\s+)?[Nn]ot\\s+authorized\\s+(?:to\\s+)?perform\\s?:?\\s+[`'\"]?(" + words.Action + ")")
	// core is the end of it, which costs less to find.
	core     = expr.New("ot\\s+authorized\\s+(?:to\\s+)?perform\\s?:?\\s+[`'\"]?" + words.Action)
	saidAPI  = expr.New(`(?:(?:doesn't|does not|don't) have permissions? to (?:call|perform)(?: action)?:?|API:)\s+(` + words.Action + `)(?:\s+Access Denied)?`)
	resource = expr.New("^[`'\"]?\\s+on\\s+(?:the\\s+)?resource:?\\s+(?:(?:\\\\*\"|&quot;|`)([^\"\\\\&`']+)(?:\\\\*\"|&quot;|')|((?:role|user|group|instance profile|policy path)\\s[A-Za-z0-9+=,.@_/-]+)|(arn:(?:[^\\s\"'<>()]|\\([^\\s)]*\\))+|\\*|[^\\s\"'<>()]+))")
	vague    = expr.New(`^\s+on\s+(?:the|this)\s+(?:specified\s+)?resource\b`)
	clause   = expr.New(`^["'.\s]*(?:\n(?:\S*\d\S*\s+){1,3})?(?:because\s+no\s+((?:[A-Za-z-]+\s){0,4}(?:policy|policies|boundary))\s+allows?(?:\s+the\s+(` + words.Action + `)\s+action)?|` +
		`(?:because\s+of|with|due\s+to)\s+an\s+explicit\s+deny(?:\s+in\s+(?:an?|the)\s+((?:[A-Za-z-]+\s){0,4}(?:policy|boundary)))?|` +
		`(because\s+public\s+[A-Za-z ]+\s+are\s+(?:prevented|blocked)\s+by\s+the\s+[A-Za-z]+\s+setting))`)
	standing = expr.New(`(?i)\bexplicit(?:ly)?\s+den(?:y|ied)\b(?:\s+(?:in|by)\s+(?:an?|the)\s+((?:[A-Za-z-]+\s){0,4}(?:policy|boundary)))?|` +
		`\bbecause\s+no\s+(permissions\s+boundary|(?:service\s+control|resource\s+control|session|VPC\s+endpoint)\s+(?:policy|policies))\s+allows?`)
	codeEnd = expr.New(`^(?::|;|\)|\]|</Code>|'|"|,| \((?:client|server)\):|\s*$|\n| when calling)`)
	// The AWS CLI prints the status where HEAD gives it no code.
	headCode = expr.New(`\(403\)(?: occurred)? when calling the (Head(?:Object|Bucket)) operation: Forbidden`)
	anyCode  = expr.New(`^(?:Client\.)?(?:AccessDenied|AccessDeniedException|AccessDeniedFault|UnauthorizedOperation|AuthorizationError|AuthorizationErrorException|UnauthorizedException|UnauthorizedAccess|ForbiddenException|Forbidden|KMS\.AccessDeniedException|KMSAccessDeniedException)$`)
	// What stands between two messages.
	boundary = expr.New(`status code:|[Rr]equest ?[Ii][Dd]:|\bError:|\n\* |\n\s*\n|\n[^\n]{0,80}An error occurred\b`)

	encodedText = expr.New(`^\s*([A-Za-z0-9_-]+={0,2})`)

	bareStatus = expr.New(`(?:^|[^0-9])403 $`)

	// Marks of AWS's clients beside a code that other clouds have as well.
	ours    = expr.New(`arn:aws|amazonaws|\bAWS\b|\baws[_: ]|[Aa]mazon|\bS3\b|\bs3:|\bEC2\b|\bec2\b|operation error |when calling the |host id:|botocore|boto|request id: [0-9A-Fa-f-]|RequestID: |RequestId`)
	foreign = expr.New(`googleapi|\bgs://|storage\.googleapis|PERMISSION_DENIED|gserviceaccount|does not have [a-z]+\.[a-z.]+ access|azurerm|/subscriptions/|Microsoft\.|vault\.azure|AADSTS|Error from server|is forbidden: User|provider registry|registry\.(?:terraform|opentofu)\.|discovery document|proxyconnect|\b[Ss]quid/|java\.nio\.file\.AccessDeniedException: (?:/|[A-Z]:)|https?://[a-z0-9.-]*(?:cloudflare|fastly|akamai)`)
)

// Text finds the refusals of AWS in a piece of plain text: without a terminal's
// colours and boxes, without JSON's escapes. What a tool prints anybody can
// print: these denials are hints for people, and grant nothing. Each Evidence
// is a part of s.
//
// A refusal that names no permission comes back with the call that the text
// names around it. What a permission is called where a message names it in words
// of its own ("create a service linked role") is a candidate.
func Text(s string) []refusal.Denial {
	r := reader{s: s}
	r.sentences()
	r.calls()
	r.heads()
	r.phrases()
	r.codes()
	return r.merged()
}

type span struct{ from, to int }

type found struct {
	span
	refusal.Denial
}

// reader gathers the denials of one text.
type reader struct {
	s     string
	found []found
}

func (r *reader) denial(reason refusal.Reason, from, to int) refusal.Denial {
	return refusal.Denial{Cloud: refusal.AWS, Reason: reason, Evidence: excerpt.Clip(r.s[from:to])}
}

func (r *reader) add(from, to int, d refusal.Denial) {
	r.found = append(r.found, found{span{from, to}, d})
}

// read tells whether the place was read already.
func (r *reader) read(from, to int) bool {
	return slices.ContainsFunc(r.found, func(f found) bool { return from < f.to && to > f.from })
}

// sentences finds IAM's sentence.
func (r *reader) sentences() {
	s := r.s
	sub := func(m []int, g, base int) string {
		if m[2*g] < 0 {
			return ""
		}
		return s[base+m[2*g] : base+m[2*g+1]]
	}
	for _, m := range r.said() {
		end := m[1]
		if end < len(s) && (s[end] == '*' || s[end] == '?') {
			continue // a pattern is no permission
		}
		if placeholder(sub(m, 3, 0)) {
			continue
		}
		d := refusal.Denial{Reason: refusal.MissingPermission, Principal: strings.Join(strings.Fields(sub(m, 1, 0)+sub(m, 2, 0)), "")}
		action := sub(m, 3, 0)
		if v := vague.FindString(s[end:]); v != "" {
			end += len(v)
		} else if at := resource.FindStringSubmatchIndex(s[end:]); at != nil {
			for g := 1; g <= 3; g++ {
				if v := sub(at, g, end); v != "" {
					d.Resource = strings.TrimRight(strings.Join(strings.Fields(v), " "), ".,;")
				}
			}
			end += at[1]
		}
		if c := clause.FindStringSubmatchIndex(s[end:]); c != nil {
			no, named, deny, public := kind(sub(c, 1, end)), sub(c, 2, end), kind(sub(c, 3, end)), sub(c, 4, end)
			switch {
			case public != "":
				d.Reason, d.Blocker = refusal.ExplicitDeny, "S3 Block Public Access"
			case no != "":
				if !words.GrantHelps(strings.ToLower(no)) {
					d.Reason = refusal.ExplicitDeny
				}
				if no != "identity-based policy" {
					d.Blocker = no
				}
				if named != "" && !strings.EqualFold(named, action) {
					action = named
				}
			default:
				d.Reason, d.Blocker = refusal.ExplicitDeny, deny
				if deny == "" {
					d.Blocker = "a policy that the refusal does not name"
				}
			}
			end += c[1]
		} else if blocker, to := far(s[end:]); to > 0 {
			d.Reason, d.Blocker = refusal.ExplicitDeny, blocker
			end += to
		}
		service, name, _ := strings.Cut(action, ":")
		service = strings.ToLower(service)
		d.Permission = service + ":" + properCase(service, name)
		switch name := strings.ToLower(action); {
		case name == "sts:assumerolewithwebidentity", name == "sts:assumerolewithsaml":
			// These calls carry no AWS identity: only the role's trust can refuse them.
			d.Reason, d.Blocker = refusal.ExplicitDeny, "role trust policy"
		case d.Principal == "anonymous":
			d.Reason, d.Permission, d.Resource, d.Blocker = refusal.BadCredentials, "", "", ""
		}
		at := r.denial(d.Reason, m[0], end)
		d.Cloud, d.Evidence = at.Cloud, at.Evidence
		// EC2 puts the same, encoded, behind it.
		if tail := s[end:min(len(s), end+80)]; strings.HasPrefix(strings.TrimLeft(tail, ". \n"), words.EncodedIntro) {
			end += strings.Index(tail, words.EncodedIntro) + len(words.EncodedIntro)
			if e := encodedText.FindStringSubmatch(s[end:]); e != nil {
				d.Encoded = e[1]
			}
		}
		r.add(m[0], end, d)
	}
}

// longestName bounds, in bytes, the principal that a sentence begins with: no ARN
// of one is longer (IAM User Guide, "IAM and AWS STS quotas").
const longestName = 1 << 10

// wordsBefore is how many words the sentence can have before its core, and one
// more: "User:", a name of two, "is", the first half of "not".
const wordsBefore = 6

// said gives the matches of the expression of that name.
func (r *reader) said() [][]int {
	var all [][]int
	s, done := r.s, 0
	for _, c := range core.FindAllStringIndex(s, -1) {
		from, least := c[0], max(done, c[0]-longestName)
		for n := 0; n < wordsBefore && from > least; n++ {
			for from > least && s[from-1] <= ' ' {
				from--
			}
			for from > least && s[from-1] > ' ' {
				from--
			}
		}
		for from > done && from < c[0] && s[from-1] > ' ' {
			from++ // a word is whole or not there
		}
		m := said.FindStringSubmatchIndex(s[from:c[1]])
		if m == nil {
			continue
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += from
			}
		}
		done = m[1]
		all = append(all, m)
	}
	return all
}

// placeholder tells an action that a document writes in the place of any:
// "service:Action", "SERVICE:ACTION". No action is in capitals throughout, but for
// API Gateway's, which are the methods of HTTP.
func placeholder(action string) bool {
	service, name, _ := strings.Cut(action, ":")
	if strings.EqualFold(service, "apigateway") {
		return !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, name) && name == strings.ToUpper(name)
	}
	return strings.EqualFold(service, "service") || strings.EqualFold(name, "action") || strings.EqualFold(name, "operation") ||
		len(name) > 2 && name == strings.ToUpper(name)
}

// far looks for what stands in the way further on in the sentence's line, in
// words that the clause does not have: where a deny is told of, nothing may be
// taken for missing. to is 0 without one.
func far(rest string) (blocker string, to int) {
	rest = rest[:min(len(rest), 300)]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	if m := said.FindStringIndex(rest); m != nil {
		rest = rest[:m[0]]
	}
	m := standing.FindStringSubmatchIndex(rest)
	if m == nil {
		return "", 0
	}
	for g := 1; g <= 2; g++ {
		if m[2*g] >= 0 {
			blocker = kind(rest[m[2*g]:m[2*g+1]])
		}
	}
	if blocker == "" {
		blocker = "a policy that the refusal does not name"
	}
	return blocker, m[1]
}

// kind is a policy's type with single spaces, in the words of the IAM User Guide.
func kind(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = strings.ToLower(s)
	s = strings.Replace(s, "policies", "policy", 1)
	return strings.Replace(s, "vpc", "VPC", 1)
}

// heads finds the CLI's wording of a HEAD that was refused.
func (r *reader) heads() {
	for _, m := range headCode.FindAllStringSubmatchIndex(r.s, -1) {
		d := r.denial(refusal.OpaqueDenial, m[0], m[1])
		d.Call = refusal.Call{Service: "s3", Operation: r.s[m[2]:m[3]]}
		r.add(m[0], m[1], d)
	}
}

// calls finds CloudFormation's wording, which names the action alone.
func (r *reader) calls() {
	for _, m := range saidAPI.FindAllStringSubmatchIndex(r.s, -1) {
		text := r.s[m[0]:m[1]]
		if r.read(m[0], m[1]) || strings.HasPrefix(text, "API:") && !strings.HasSuffix(text, "Access Denied") {
			continue // "API: svc:Action" alone is the introduction to another message
		}
		service, name, _ := strings.Cut(r.s[m[2]:m[3]], ":")
		service = strings.ToLower(service)
		d := r.denial(refusal.MissingPermission, m[0], m[1])
		d.Permission = service + ":" + properCase(service, name)
		r.add(m[0], m[1], d)
	}
}

// codes finds the error codes whose message names no permission.
func (r *reader) codes() {
	s := r.s
	for i := 0; i < len(s); i++ {
		code := codeAt(s, i)
		if code == "" {
			continue
		}
		m := [4]int{i, 0, i, i + len(code)}
		tail, ends := codeTail(s[m[3]:])
		if dot := strings.IndexByte(code, '.'); dot >= 0 && !ends {
			i += dot // the second word may be the first of two
			continue
		}
		i += len(code) - 1
		if !ends {
			continue
		}
		m[1] = m[3] + len(tail)
		// Java and Ruby put the code behind their package's name.
		reason := words.ReasonOf(strings.TrimPrefix(code, "Client."))
		if reason == "" || r.read(m[2], m[3]) {
			continue
		}
		rest := s[m[1]:]
		if code == "AuthFailure" && !strings.HasPrefix(rest, " "+badSignature) {
			continue
		}
		if code == "Forbidden" && bareStatus.MatchString(s[max(0, m[2]-8):m[2]]) {
			continue // HTTP's own phrase, which any server says
		}
		if reason == refusal.MissingPermission && (!anyCode.MatchString(code) || r.beside(m[2], m[3])) {
			continue
		}
		near := s[max(0, m[2]-300):min(len(s), m[3]+400)]
		if foreign.MatchString(near) && (code == "Forbidden" || !ours.MatchString(near)) || code == "Forbidden" && !ours.MatchString(near) && !strings.Contains(near, "Forbidden: Forbidden") && !strings.Contains(near, "[Forbidden: null]") {
			continue
		}
		if reason == refusal.MissingPermission {
			reason = refusal.OpaqueDenial
			if strings.HasPrefix(strings.TrimSpace(rest), unverified) {
				reason = refusal.NotAuthorization
			}
		}
		end := r.messageEnd(m[1])
		if reason == refusal.BadCredentials {
			end = m[3]
			if p := prose(rest); p != "" {
				end = m[1] + strings.Index(rest, p) + len(p)
			}
		}
		d := r.denial(reason, m[2], max(end, m[3]))
		switch reason {
		case refusal.ExplicitDeny:
			d.Blocker = "disabled by AWS (" + code + ")"
		case refusal.OpaqueDenial:
			d.Call = ofCode(callAround(s, m[2], end), strings.TrimPrefix(code, "Client."), near)
			if i := strings.Index(s[m[1]:end], words.EncodedIntro); i >= 0 {
				if e := encodedText.FindStringSubmatch(s[m[1]+i+len(words.EncodedIntro):]); e != nil {
					d.Encoded = e[1]
				}
				d.Evidence = excerpt.Clip(s[m[2] : m[1]+i])
			}
		}
		r.add(m[2], max(end, m[3]), d)
	}
}

// codeAt gives the word, or two with a dot, that has the form of an error code and
// begins at i, "" without one.
func codeAt(s string, i int) string {
	if !upper(s[i]) || i > 0 && (alnum(s[i-1]) || s[i-1] == '_') {
		return ""
	}
	end := wordEnd(s, i)
	if end+1 < len(s) && s[end] == '.' && upper(s[end+1]) {
		end = wordEnd(s, end+1)
	}
	return s[i:end]
}

// codeTail gives what marks the word before rest as a code, and whether it does.
func codeTail(rest string) (string, bool) {
	if rest == "" {
		return "", true
	}
	if strings.IndexByte(":;)]<'\", \t\n", rest[0]) < 0 {
		return "", false
	}
	tail := codeEnd.FindString(rest)
	return tail, tail != ""
}

func wordEnd(s string, i int) int {
	for i < len(s) && alnum(s[i]) {
		i++
	}
	return i
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

func alnum(c byte) bool { return upper(c) || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// messageEnd is where the message that follows a code at i ends.
func (r *reader) messageEnd(i int) int {
	end := min(len(r.s), i+400)
	text := r.s[i:end]
	for _, stop := range []string{" status code", "\tstatus code", "\n", " (Service: ", "</Message>", "\", ", "',"} {
		if k := strings.Index(text, stop); k >= 0 {
			text = text[:k]
		}
	}
	return i + len(text)
}

// beside tells whether a sentence was read next to a code, which introduces or
// repeats it.
func (r *reader) beside(from, to int) bool {
	for _, f := range r.found {
		if f.Permission == "" && f.Reason != refusal.ExplicitDeny && f.Reason != refusal.BadCredentials && len(f.Candidates) == 0 {
			continue
		}
		between := ""
		switch {
		case f.from >= to && f.from-to < 300:
			between = r.s[to:f.from]
		case f.to <= from && from-f.to < 250:
			between = r.s[f.to:from]
		default:
			continue
		}
		if !boundary.MatchString(strings.TrimPrefix(between, ":")) || f.to <= from && !strings.Contains(between, "\n") {
			return true
		}
	}
	return false
}

// merged gives what was found in the text's order, each once. A tool says the
// same many times for one refusal.
func (r *reader) merged() []refusal.Denial {
	slices.SortStableFunc(r.found, func(a, b found) int { return a.from - b.from })
	var out []refusal.Denial
	for _, f := range r.found {
		same := func(d refusal.Denial) bool {
			if d.Reason != f.Reason || d.Permission != f.Permission || d.Resource != f.Resource || d.Principal != f.Principal || d.Blocker != f.Blocker || f.Permission == "" && d.Encoded != f.Encoded {
				return false
			}
			return f.Permission != "" || d.Call == f.Call && slices.Equal(d.Candidates, f.Candidates)
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, f.Denial)
		}
	}
	// A bare refusal beside one that names the same call says nothing more.
	return slices.DeleteFunc(out, func(d refusal.Denial) bool {
		return d.Reason == refusal.OpaqueDenial && d.Call == refusal.Call{} && len(d.Candidates) == 0 && d.Encoded == "" &&
			slices.ContainsFunc(out, func(o refusal.Denial) bool {
				return o.Reason == refusal.OpaqueDenial && (o.Call != refusal.Call{} || len(o.Candidates) > 0 || o.Encoded != "")
			})
	})
}
