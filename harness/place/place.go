// Package place decides on what a refused permission is granted: on which
// resource, in which part of a project or a subscription, and under which
// condition. It says as well why a grant could not be narrower, and how one is
// written whose names another run makes up anew.
//
// It decides on what, and not whether: that is package harness's. It asks no
// cloud. [Ground] and [Tags] remember what a run has shown, and may be used from
// many goroutines.
package place

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/harness/catalog"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A resource that a refusal names becomes a part of a policy, where "*", "?"
// and "${" are no plain characters. Whoever can choose a name (a queue called
// "*") must not be able to widen a grant with it. So a wildcard stays one only
// where the cloud put it: as a whole segment after the account ("vpc/*"), in a
// refusal of a request that carries no such segment itself. Everything else is
// escaped as IAM has it: ${*}, ${?} and ${$} are the plain characters (IAM User
// Guide, "Policy elements: variables and tags", special characters).

// Resource gives the resource to grant for a denial, and whether there is
// one. A denial that names no ARN is granted on what the request's own
// candidate says, and on "*" only if the cloud named nothing at all. Carries tells
// whether the request itself holds a wildcard; see [CarriesWildcard].
func Resource(d refusal.Denial, candidates []catalog.Candidate, carries bool) (string, bool) {
	r := d.Resource
	// A custom role holds on all of its project, or of the subscription that it is
	// assigned on: see [Ground] for less.
	if r == "*" || d.Cloud == refusal.GCP || d.Cloud == refusal.Azure {
		return "*", true
	}
	if d.Cloud == refusal.AWS && !strings.HasPrefix(r, "arn:") {
		for _, c := range candidates {
			if strings.EqualFold(c.Permission, d.Permission) {
				return Plain(c.Resource, carries)
			}
		}
		return "*", r == ""
	}
	return Plain(r, carries)
}

// Elsewhere gives the project of Google Cloud that a denial is about, if it is not
// the one called project, or the scope on Azure that is not in that subscription:
// another, a management group, the tenant. A number, and Cloud Storage's "_", name
// no project that could be told from it.
func Elsewhere(d refusal.Denial, project string) (other string, yes bool) {
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

// Plain widens a resource by its type and escapes what must not be a wildcard.
// It refuses a resource with a wildcard before its last field. Carries is as of
// [Resource].
func Plain(r string, carries bool) (string, bool) {
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

// CarriesWildcard tells whether a name in the request has "*" as a segment.
func CarriesWildcard(x refusal.Exchange) bool {
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
