package gcp

import (
	"net/http"
	"net/url"
	"sort"
	"strings"

	"github.com/whittle-iam/whittle/parsers/doing"
	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/gcp/request"
	"github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Text finds the refusals of Google Cloud in a piece of plain text, without a
// terminal's colours and without a tool's boxes. What a tool prints anybody can
// print: these denials are hints for people. Each Evidence is a part of s.
//
// A refusal that names no permission is given only where none nearby does; the
// request that the text names ("GET https://storage.googleapis.com/…") gives
// its candidates.
func Text(s string) []refusal.Denial {
	said := words.Find(s)
	said = append(said, words.Opaque(s, said)...)
	sort.SliceStable(said, func(i, j int) bool { return said[i].From < said[j].From })
	var denials []refusal.Denial
	for _, w := range said {
		d := w.Denial(refusal.GCP, s)
		if w.Reason == refusal.OpaqueDenial {
			candidates, c := printed(s, w.From, w.To)
			if c == (refusal.Call{}) {
				c = told(s, w.From, w.To)
			}
			d.Call = c
			if len(d.Candidates) == 0 {
				d.Candidates = candidates
			}
		}
		denials = append(denials, d)
	}
	return excerpt.Merge(denials)
}

// command is how gcloud names itself in its errors.
var command = expr.New(`\((gcloud\.[a-z0-9.-]+)\)`)

// told gives what a tool says that it was about around a refusal: a command of
// gcloud's, or the verb and thing of any other. Two services refuse in words that
// no other has.
func told(s string, from, to int) refusal.Call {
	at := doing.Around(s, from, to)
	if all := command.FindAllStringSubmatch(at.Line+s[from:to], -1); all != nil {
		return refusal.Call{Operation: all[len(all)-1][1]}
	}
	c := at.Told()
	if (c == refusal.Call{}) {
		return c
	}
	switch said := s[from:to]; {
	case strings.Contains(said, "lient is not authorized to make this"):
		c.Service = "cloudsql"
	case strings.HasPrefix(said, "User not authorized to perform"):
		c.Service = "pubsub"
	}
	return c
}

// call is a request as the clients print it, before or behind a message.
var call = expr.New(`\b(GET|POST|PUT|PATCH|DELETE|HEAD|Get|Post|Put|Patch|Delete|Head)\s+(?:request\s+to\s+)?\\*"?(https://[a-z0-9.-]+(?:googleapis\.com|gcr\.io|pkg\.dev)[^\s"'()\\]*)|when requesting (https://[a-z0-9.-]+googleapis\.com[^\s"'()\\]*)`)

// reach is how far from a message the request may be printed, in bytes.
const reach = 600

// printed gives the request that is printed nearest to a place in the text, and
// the permissions of its method.
func printed(s string, from, to int) (candidates []string, c refusal.Call) {
	start := max(0, from-reach)
	near := s[start:min(len(s), to+reach)]
	best := len(s) + 1
	for _, m := range call.FindAllStringSubmatchIndex(near, -1) {
		method, address := http.MethodGet, ""
		if m[2] >= 0 {
			method, address = strings.ToUpper(near[m[2]:m[3]]), near[m[4]:m[5]]
		} else {
			address = near[m[6]:m[7]]
		}
		address = strings.TrimRight(address, ".,:;")
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		d := max(from-(start+m[1]), start+m[0]-to, 0)
		if p := request.Permissions(refusal.Exchange{Method: method, URL: u}); len(p) > 0 && d < best {
			best, candidates = d, p
			c = refusal.Call{Method: method, URL: address}
		}
	}
	return candidates, c
}
