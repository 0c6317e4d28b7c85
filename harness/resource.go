package harness

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A resource that a refusal names becomes a part of a policy, where "*", "?"
// and "${" are no plain characters. Whoever can choose a name (a queue called
// "*") must not be able to widen a grant with it. So a wildcard stays one only
// where the cloud put it: as a whole segment after the account ("vpc/*"), in a
// refusal of a request that carries no such segment itself. Everything else is
// escaped as IAM has it: ${*}, ${?} and ${$} are the plain characters (IAM User
// Guide, "Policy elements: variables and tags", special characters).

// resourceOf gives the resource to grant for a denial, and whether there is
// one. A denial that names no ARN is granted on what the request's own
// candidate says, and on "*" only if the cloud named nothing at all.
func resourceOf(d refusal.Denial, candidates []catalog.Candidate, carries bool) (string, bool) {
	r := d.Resource
	// A custom role holds on all of its project, or of the subscription that it is
	// assigned on: see [placing] for less.
	if r == "*" || d.Cloud == refusal.GCP || d.Cloud == refusal.Azure {
		return "*", true
	}
	if d.Cloud == refusal.AWS && !strings.HasPrefix(r, "arn:") {
		for _, c := range candidates {
			if strings.EqualFold(c.Permission, d.Permission) {
				return plain(c.Resource, carries)
			}
		}
		return "*", r == ""
	}
	return plain(r, carries)
}

// elsewhere gives the project of Google Cloud that a denial is about, if it is not
// the one called project, or the scope on Azure that is not in that subscription:
// another, a management group, the tenant. A number, and Cloud Storage's "_", name
// no project that could be told from it.
func elsewhere(d refusal.Denial, project string) (other string, yes bool) {
	r := d.Resource
	if d.Cloud == refusal.Azure {
		return otherScope(r, project)
	}
	if rest, ok := strings.CutPrefix(r, "//"); ok { // //compute.googleapis.com/projects/…
		_, r, _ = strings.Cut(rest, "/")
	}
	rest, ok := strings.CutPrefix(r, "projects/")
	if d.Cloud != refusal.GCP || !ok {
		return "", false
	}
	other, _, _ = strings.Cut(rest, "/")
	return other, projectName.MatchString(other) && other != project
}

// otherScope gives the scope of an id of Azure's that is not in a subscription.
func otherScope(id, subscription string) (other string, yes bool) {
	if !strings.HasPrefix(id, "/") || subscription == "" {
		return "", false
	}
	s := strings.Split(strings.Trim(id, "/"), "/")
	if len(s) < 2 || !strings.EqualFold(s[0], "subscriptions") {
		return id, true
	}
	return "/subscriptions/" + s[1], !strings.EqualFold(s[1], subscription)
}

// projectName is the id of a project, with its domain where it has one. Source:
// Resource Manager, "Creating and managing projects".
var projectName = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)

// plain widens a resource by its type and escapes what must not be a wildcard.
// It refuses a resource with a wildcard before its last field.
func plain(r string, carries bool) (string, bool) {
	if r == "" || r == "*" {
		return "*", true
	}
	head, last := "", r
	if parts := strings.SplitN(r, ":", 6); len(parts) == 6 {
		last = parts[5]
		head = strings.TrimSuffix(r, last)
	}
	if strings.ContainsAny(head, "*?$") {
		return "", false
	}
	return catalog.Widen(head + escaped(last, carries)), true
}

// special finds what has a meaning in a policy's resource, the escapes first.
var special = regexp.MustCompile(`\$\{[*?$]\}|\$\{|\*|\?`)

func escaped(s string, carries bool) string {
	var b strings.Builder
	end := 0
	for _, m := range special.FindAllStringIndex(s, -1) {
		b.WriteString(s[end:m[0]])
		end = m[1]
		switch found := s[m[0]:m[1]]; {
		case len(found) == 4:
			b.WriteString(found)
		case found == "*" && !carries && wholeSegment(s, m[0]):
			b.WriteString("*")
		case found == "${":
			b.WriteString("${$}{")
		default:
			b.WriteString("${" + found + "}")
		}
	}
	return b.String() + s[end:]
}

func wholeSegment(s string, at int) bool {
	return (at == 0 || strings.ContainsRune("/:", rune(s[at-1]))) &&
		(at+1 == len(s) || strings.ContainsRune("/:", rune(s[at+1])))
}

// maxName is the longest value that is looked at as a name, in bytes: longer
// ones are documents, whose wildcards no refusal repeats.
const maxName = 1024

// carriesWildcard tells whether a name in the request has "*" as a segment.
func carriesWildcard(x refusal.Exchange) bool {
	if x.URL != nil {
		if starred(x.URL.Path) {
			return true
		}
		for _, values := range x.URL.Query() {
			for _, v := range values {
				if starred(v) {
					return true
				}
			}
		}
	}
	if source, err := url.PathUnescape(x.Header.Get("X-Amz-Copy-Source")); err != nil || starred(source) {
		return true
	}
	if strings.Contains(x.Header.Get("Content-Type"), "json") {
		var body any
		return json.Unmarshal(x.Body, &body) == nil && starredIn(body)
	}
	form, _ := url.ParseQuery(string(x.Body)) // what cannot be read is no name
	for _, values := range form {
		for _, v := range values {
			if starred(v) {
				return true
			}
		}
	}
	return false
}

func starredIn(v any) bool {
	switch v := v.(type) {
	case string:
		return starred(v)
	case []any:
		for _, e := range v {
			if starredIn(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if starredIn(e) {
				return true
			}
		}
	}
	return false
}

func starred(name string) bool {
	if len(name) > maxName || strings.HasPrefix(strings.TrimSpace(name), "{") {
		return false
	}
	for segment := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == ':' }) {
		if segment == "*" {
			return true
		}
	}
	return false
}

// renamed replaces generated names by a pattern of what they begin with:
// another run makes other names, and a set with this one's could neither be
// verified nor give the same bytes. A name is replaced only in the resource's
// own part, and only one that the tool's state says was made up.
func (l *loop) renamed(entries []Entry) []Entry {
	if len(l.names) == 0 {
		return entries
	}
	all := map[grant.Grant]Entry{}
	for _, e := range entries {
		e.Grant = withoutNames(e.Grant, l.names)
		if held, ok := all[e.Grant]; !ok || e.Necessity != Assumed || held.Necessity == Assumed {
			all[e.Grant] = e
		}
	}
	return sorted(all)
}

// current is the step's entries with the names written as their prefix, but for
// those of an interrupted run under names that it made up and never came to tell
// of: this run has made others, and what it needs under them covers those. What
// that run certified under a prefix holds for the names of this one: its growth
// cannot begin with a pattern, and grants each anew.
func (l *loop) current(r *StepResult) []Entry {
	var patterns []grant.Grant
	for _, e := range r.Entries {
		if g := withoutNames(e.Grant, l.names); g != e.Grant {
			patterns = append(patterns, g)
		}
	}
	known := map[grant.Grant]Entry{}
	for _, k := range l.Known[r.Step.Name].Entries {
		known[k.Grant] = k
	}
	entries := slices.DeleteFunc(l.renamed(r.Entries), func(e Entry) bool {
		_, old := known[e.Grant]
		return old && slices.ContainsFunc(patterns, func(p grant.Grant) bool { return p != e.Grant && covers(p, e.Grant) })
	})
	for i, e := range entries {
		if k := known[e.Grant]; k.proven() {
			entries[i].Necessity, entries[i].Difference, entries[i].Guess = k.Necessity, k.Difference, false
		}
	}
	return entries
}

// withoutNames is a grant with generated names written as their prefix, in its
// resource and in what its condition says of a name.
func withoutNames(g grant.Grant, names map[string]string) grant.Grant {
	if below(g.Resource) { // was there before, and nobody has made its name up since
		return g
	}
	g.Resource = unnamed(g.Resource, names)
	if c, err := grant.ParseCondition(g.Condition); err == nil && c != nil {
		g.Condition = attribute.Unnamed(c, names).String()
	}
	return g
}

func unnamed(resource string, names map[string]string) string {
	parts := strings.SplitN(resource, ":", 6)
	last := &parts[len(parts)-1]
	// The longest first: one can begin with another.
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, name := range order {
		if names[name] == "" {
			*last = within(*last, catalog.Escape(name))
			continue
		}
		*last = strings.ReplaceAll(*last, catalog.Escape(name), catalog.Escape(names[name])+"*")
	}
	return strings.Join(parts, ":")
}

// within replaces an id that has no prefix of its own by a wildcard, where it is
// a part of a segment ("API-Gateway-Execution-Logs_…"): alone it would leave
// nothing of the name.
func within(s, id string) string {
	var b strings.Builder
	for at := strings.Index(s, id); at >= 0 && id != ""; at = strings.Index(s, id) {
		end := at + len(id)
		whole := (at == 0 || strings.ContainsRune("/:", rune(s[at-1]))) && (end == len(s) || strings.ContainsRune("/:", rune(s[end])))
		b.WriteString(s[:at])
		if whole {
			b.WriteString(id)
		} else {
			b.WriteString("*")
		}
		s = s[end:]
	}
	return b.String() + s
}
