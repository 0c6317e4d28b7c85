package aws

import (
	"regexp"
	"sort"
	"strings"

	"github.com/whittle-iam/whittle/parsers/aws/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// In text the sentence can stand anywhere, behind any prefix of a tool, and be
// wrapped at any column.
var (
	said     = regexp.MustCompile(`(?:User:? *(\S+(?: \S+)??) |User:? )?(?:is )?not authorized (?:to )?perform:? (` + words.Action + `)`)
	saidAPI  = regexp.MustCompile(`(?:doesn't have permission to call|API:) (` + words.Action + `)(?: Access Denied)?`)
	clause   = regexp.MustCompile(`^[ .]*(?:because no (` + words.Kind + `) allows(?: the (` + words.Action + `) action)?|(with|due to) an explicit deny(?: in (?:an?|the) (identity-based policy|resource-based policy|permissions boundary|service control policy|resource control policy|session policy|VPC endpoint policy|role trust policy))?)`)
	resource = regexp.MustCompile(`^ on resource: ?(?:\\*"([^"\\]+)\\*"|((?:role|user|group|instance profile|policy path) [A-Za-z0-9+=,.@_/-]+)|(arn:(?:[^\s"'<>()]|\([^\s)]*\))+|\*|[^\s"'<>()]+))`)
	coded    = regexp.MustCompile(`\b([A-Z][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]*)?)(?::|\)|</Code>|'|"|,)`)
	// The AWS CLI prints the status where HEAD gives it no code.
	headCode = regexp.MustCompile(`\(403\)(?: occurred)? when calling the Head(?:Object|Bucket) operation: Forbidden`)
	anyCode  = regexp.MustCompile(`\b(?:AccessDenied|AccessDeniedException|UnauthorizedOperation|AuthorizationError|AuthorizationErrorException|Forbidden)\b`)
)

// Output finds the refusals of AWS in what a tool printed. What a tool prints
// anybody can print: these denials are hints for people, and grant nothing.
// Each Evidence is the part of text that the denial was read from.
func Output(text string) []refusal.Denial {
	flat, at := unwrap(text)
	evidence := func(from, to int) string {
		if from >= to {
			return ""
		}
		return clip(strings.TrimSpace(text[at[from] : at[to-1]+1]))
	}
	type span struct{ from, to int }
	var spans []span
	var denials []refusal.Denial
	for _, m := range said.FindAllStringSubmatchIndex(flat, -1) {
		s := words.Sentence{Action: flat[m[4]:m[5]], Reason: refusal.MissingPermission}
		if m[2] >= 0 {
			s.Principal = strings.ReplaceAll(flat[m[2]:m[3]], " ", "")
		}
		end := m[1]
		if end < len(flat) && (flat[end] == '*' || flat[end] == '?') {
			continue // a pattern is no permission
		}
		if r := resource.FindStringSubmatchIndex(flat[end:]); r != nil {
			for g := 2; g < len(r); g += 2 {
				if r[g] >= 0 {
					s.Resource = strings.TrimRight(flat[end+r[g]:end+r[g+1]], ".,;")
				}
			}
			end += r[1]
		}
		if c := clause.FindStringSubmatchIndex(flat[end:]); c != nil {
			sub := func(g int) string {
				if c[g] < 0 {
					return ""
				}
				return flat[end+c[g] : end+c[g+1]]
			}
			if no := strings.ToLower(sub(2)); no != "" {
				if !words.GrantHelps(no) {
					s.Reason = refusal.ExplicitDeny
				}
				if no != "identity-based policy" {
					s.Blocker = no
				}
				if named := sub(4); named != "" && !strings.EqualFold(named, s.Action) {
					s.Action = named
				}
			} else {
				s.Reason, s.Blocker = refusal.ExplicitDeny, strings.ToLower(sub(8))
				if s.Blocker == "" {
					s.Blocker = "a policy that the refusal does not name"
				}
			}
			s.Blocker = strings.Replace(s.Blocker, "vpc", "VPC", 1)
			end += c[1]
		}
		service, name, _ := strings.Cut(s.Action, ":")
		service = strings.ToLower(service)
		denials = append(denials, refusal.Denial{
			Cloud: refusal.AWS, Reason: s.Reason, Permission: service + ":" + properCase(service, name),
			Resource: s.Resource, Principal: s.Principal, Blocker: s.Blocker, Evidence: evidence(m[0], end),
		})
		spans = append(spans, span{m[0], end})
	}
	covered := func(from, to int) bool {
		for _, s := range spans {
			if from < s.to && to > s.from {
				return true
			}
		}
		return false
	}
	for _, m := range saidAPI.FindAllStringSubmatchIndex(flat, -1) {
		if covered(m[0], m[1]) || !strings.HasSuffix(flat[m[0]:m[1]], "Access Denied") && strings.HasPrefix(flat[m[0]:], "API:") {
			continue // "API: svc:Action" alone is the introduction to another message
		}
		service, name, _ := strings.Cut(flat[m[2]:m[3]], ":")
		service = strings.ToLower(service)
		denials = append(denials, refusal.Denial{
			Cloud: refusal.AWS, Reason: refusal.MissingPermission, Permission: service + ":" + properCase(service, name), Evidence: evidence(m[0], m[1]),
		})
		spans = append(spans, span{m[0], m[1]})
	}
	sort.Slice(spans, func(i, j int) bool { return spans[i].from < spans[j].from })
	opaque := map[string]bool{}
	for _, m := range coded.FindAllStringSubmatchIndex(flat, -1) {
		code := flat[m[2]:m[3]]
		reason := words.ReasonOf(strings.TrimPrefix(code, "Client."))
		if reason == "" || covered(m[2], m[3]) {
			continue
		}
		if code == "AuthFailure" && !strings.HasPrefix(flat[m[1]:], " "+badSignature) {
			continue
		}
		end := min(len(flat), m[1]+200)
		if reason == refusal.MissingPermission {
			if !anyCode.MatchString(code) {
				continue
			}
			// The code introduces a sentence that was read already?
			introduces := false
			for _, s := range spans {
				introduces = introduces || s.from >= m[1] && s.from-m[1] < 250
			}
			if introduces {
				continue
			}
			reason = refusal.OpaqueDenial
		}
		if stop := strings.Index(flat[m[1]:end], " status code"); stop >= 0 {
			end = m[1] + stop
		}
		d := refusal.Denial{Cloud: refusal.AWS, Reason: reason, Evidence: evidence(m[2], end)}
		if reason == refusal.BadCredentials {
			d.Evidence = evidence(m[2], m[3])
			if p := prose(flat[m[1]:]); p != "" {
				d.Evidence = evidence(m[2], m[1]+strings.Index(flat[m[1]:], p)+len(p))
			}
		}
		if reason == refusal.ExplicitDeny {
			d.Blocker = "disabled by AWS (" + code + ")"
		}
		if i := strings.Index(flat[m[1]:end], words.EncodedIntro); i >= 0 {
			d.Encoded, _, _ = strings.Cut(strings.TrimSpace(flat[m[1]+i+len(words.EncodedIntro):]), " ")
			d.Evidence = evidence(m[2], m[1]+i)
		}
		// A tool says the same code many times for one refusal.
		if key := string(reason) + code; !opaque[key] {
			opaque[key] = true
			denials = append(denials, d)
		}
	}
	for _, m := range headCode.FindAllStringIndex(flat, -1) {
		denials = append(denials, refusal.Denial{Cloud: refusal.AWS, Reason: refusal.OpaqueDenial, Evidence: evidence(m[0], m[1])})
	}
	return denials
}

// unwrap makes one line of text: it drops the boxes that terraform draws, and
// turns each line break with its indentation into one space, or into nothing
// inside an ARN that was broken after a hyphen or slash. at[i] is where byte i
// of the flat text stands in the original.
func unwrap(text string) (flat string, at []int) {
	var b strings.Builder
	put := func(i int, c byte) {
		b.WriteByte(c)
		at = append(at, i)
	}
	last := byte(' ')
	word := 0 // where in the flat text the current word starts
	for i := 0; i < len(text); i++ {
		broke := false
		start := i
		for i < len(text) {
			if n := margin(text[i:]); n > 0 {
				broke = broke || text[i] == '\n'
				i += n
				continue
			}
			break
		}
		if i >= len(text) {
			break
		}
		if i > start {
			inARN := broke && (last == '-' || last == '/') && strings.Contains(b.String()[word:], "arn:")
			if !inARN && last != ' ' {
				put(start, ' ')
				last, word = ' ', b.Len()
			}
		}
		put(i, text[i])
		last = text[i]
	}
	return b.String(), at
}

// margin is the length of the space, line break or box character that s starts
// with, 0 if it starts with none.
func margin(s string) int {
	switch s[0] {
	case ' ', '\t', '\n', '\r':
		return 1
	case '\\': // the line breaks of JSON strings
		if len(s) > 1 && (s[1] == 'n' || s[1] == 't' || s[1] == 'r') {
			return 2
		}
	}
	for _, box := range []string{"│", "╷", "╵"} {
		if strings.HasPrefix(s, box) {
			return len(box)
		}
	}
	return 0
}
