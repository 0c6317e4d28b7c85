// Package words reads what Google Cloud says when it refuses: the sentences in
// which its services name who may not do what, and the reasons of its errors.
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

// Find finds the sentences in a text, wherever they stand, in their order.
// What names a permission wins over what does not where two would overlap.
func Find(text string) []Sentence { return sentence.Find(forms, text) }

// Sources gives the expressions of all sentences, for whoever must know by which
// words they are found.
func Sources() []string { return sentence.Sources(forms, opaques) }

// Read reads the message of an error: only a sentence that begins it counts,
// behind nothing but the introductions that the services themselves put there.
// Behind the beginning a message can hold what a user chose, a name for one.
func Read(message string) []Sentence {
	start := len(message) - len(strings.TrimLeft(message, " \t\r\n"))
	start += len(introduction.FindString(message[start:]))
	var begin []Sentence
	for _, s := range Find(message[start:]) {
		if s.From == 0 {
			s.From, s.To = s.From+start, s.To+start
			if relayed.MatchString(message[:start]) {
				s.Principal = "service agent"
			}
			begin = append(begin, s)
		}
	}
	return begin
}

// introduction is what services put before the sentence of another one, or
// before their own (recorded replies of GKE, BigQuery, Compute Engine and
// Dataflow).
var introduction = expr.New(`^(?:Google Compute Engine: |Access Denied: [A-Za-z]+ [A-Za-z0-9_.:$*-]+: |` + kmsError + `|\([0-9a-f]{8,20}\): |Failed precondition: |Permission denied: |Insufficient Permission: |[Tt]he )*`)

// kmsError introduces what Cloud KMS said to Compute Engine's own service
// agent, whose rights are not the caller's.
const kmsError = `Cloud KMS error when using key [A-Za-z0-9_./:-]+: `

var relayed = expr.New(kmsError)

// The parts of expressions. A quote can be escaped any number of times, and a
// name in quotes can be broken by a line's end.
const (
	q     = "\\\\*['\"`‘’“”]"
	named = q + `\s*[A-Za-z][A-Za-z0-9./\s]*?` + q // in quotes
	plain = `[a-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)*(?:\.googleapis\.com/[A-Za-z0-9]+)?(?:\.[A-Za-z0-9]+)+`
	one   = `(?:` + named + `|` + plain + `)`
	list  = `(\[?` + one + `(?:\s*(?:,|,?\s*and)\s*` + one + `)*\]?)`
	who   = `([^\s'"\[\]()<>{}]+@[^\s'"\[\]()<>{}]+|[Cc]aller|\*{3}|[^\s'"\[\](){}]+)`
)

var (
	listSeparator = expr.New(`,|\band\b|` + q + `|[\[\]]`)

	// kinds are words for what a resource is, before its name.
	kinds = `resources?|service accounts?|project|organization|folder|dataset|table|routine|model|connection|bucket|object|topic|subscription|instance|cluster|location|repository|secret|key|namespace|apps?|caller`
	// tail is what names the resource behind a permission.
	tail = expr.New(`^` + q + `?\s*(?:for|on|in|against)\s+(?:the\s+|this\s+)?(?:(` + kinds + `):?\s+)?(?:` + q + `([^'"\\]{1,300}?)` + q + `|` + q + `?([^\s'"\\(),;]+))`)
	// mayNot is the end of many refusals.
	mayNot = expr.New(`^['"\\.\s]*\((?:or|nor)\s+(?:it|the resource|resource)\s+may\s+not\s+exist\)`)
	kind   = expr.New(`^(?:` + kinds + `)$`)

	// gcloud says who asked for what, before the message.
	gcloudUser = expr.New(`(?:User\s+|\b)?\[([^\]\s]+)\]\s+does\s+not\s+have\s+permission\s+to\s+access\s+[^:\[]*\[([^\]]+)\]\s*(?:\(or\s+it\s+may\s+not\s+exist\))?:\s*$`)
	gcloudAs   = expr.New(`^[^\n]{0,200}?\.?\s*This\s+command\s+is\s+authenticated\s+as\s+([^\s,]+@[^\s,]+)\s`)
	// address stands before the message in what the Python clients print.
	address = expr.New(`\b(?:GET|POST|PUT|PATCH|DELETE|HEAD)\s+https://storage\.googleapis\.com/(?:(?:upload|download)/)?storage/v1/(b/[^\s?:]+)[^\s]*:\s*$`)
)

// permissions gives the permissions of a list, none if anything in it is not
// one.
func permissions(list string) []string {
	var all []string
	for _, item := range listSeparator.Split(list, -1) {
		if strings.TrimSpace(item) == "" {
			continue
		}
		p, ok := Canonical(item)
		if !ok {
			return nil
		}
		all = append(all, p)
	}
	return all
}

// resource reads the resource that the text names right behind a permission,
// and tells where it ends.
func resource(rest string) (name string, end int) {
	if t := tail.FindStringSubmatchIndex(rest); t != nil {
		m := match{Text: rest, At: t}
		name, end = m.Sub(2), t[1]
		if name == "" {
			name = strings.TrimRight(m.Sub(3), ".,:;")
			end = t[0] + strings.LastIndex(rest[t[0]:t[1]], m.Sub(3)) + len(name)
		}
		name = tidy(name)
		switch {
		case kind.MatchString(name):
			name = ""
		case m.Sub(1) != "" && !strings.ContainsAny(name, "/@") && !strings.HasPrefix(m.Sub(1), "resource"):
			name = m.Sub(1) + " " + name
		}
	}
	if t := mayNot.FindStringIndex(rest[end:]); t != nil {
		end += t[1]
	}
	return name, end
}

// tidy takes the breaks of a wrapped name out.
func tidy(name string) string {
	if strings.ContainsAny(name, "\r\n") {
		name = strings.Join(strings.Fields(name), "")
	}
	return strings.TrimSpace(name)
}

// maxBehind is how far behind a sentence gcloud may say who asked, in bytes.
const maxBehind = 1 << 10

// principal gives who was refused, where gcloud or a mask says it around the
// sentence.
func principal(m match, end int) (who, on string) {
	if before := m.Before(); strings.HasSuffix(strings.TrimRight(before, " \t\r\n\f\v"), ":") && strings.Contains(before, "access") {
		if g := gcloudUser.FindStringSubmatch(before); g != nil {
			return g[1], g[2]
		}
	}
	if behind := m.Text[end:min(len(m.Text), end+maxBehind)]; strings.Contains(behind, "authenticated") {
		if g := gcloudAs.FindStringSubmatch(behind); g != nil {
			return g[1], ""
		}
	}
	return "", ""
}

// missing makes the sentences of one match: a permission each.
func missing(m match, list, who, on string, end int) []Sentence {
	var all []Sentence
	if asked, instance := principal(m, end); who == "" {
		who = asked
		if on == "" && strings.ContainsAny(instance, "/@") {
			on = instance
		}
	}
	for _, p := range permissions(list) {
		all = append(all, Sentence{Reason: refusal.MissingPermission, Permission: p, Resource: on, Principal: anyone(who), From: m.From(), To: end})
	}
	return all
}

// anyone gives the principal's name, "" for a word or mask in its place.
func anyone(who string) string {
	who = strings.Trim(strings.Join(strings.Fields(who), ""), `:,;.\`)
	switch strings.ToLower(who) {
	case "caller", "user", "***", "it", "account", "(mailto:)", "principal", "client", "that", "you", "which":
		return ""
	}
	return who
}
