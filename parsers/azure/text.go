package azure

import (
	"net/http"
	"net/url"
	"sort"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/doing"
	"github.com/whittle-iam/whittle/parsers/excerpt"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Text finds the refusals of Azure in a piece of plain text, without a
// terminal's colours and without a tool's boxes. What a tool prints anybody can
// print: these denials are hints for people. Each Evidence is a part of s.
//
// A refusal that names no action is given only where none nearby does; the
// request or the client's method that the text names gives its candidates.
func Text(s string) []refusal.Denial {
	said := words.Find(s)
	said = append(said, words.Opaque(s, said)...)
	sort.SliceStable(said, func(i, j int) bool { return said[i].From < said[j].From })
	var denials []refusal.Denial
	for _, w := range said {
		d := w.Denial(refusal.Azure, s)
		if w.Reason == refusal.OpaqueDenial {
			candidates, c := printed(s, w.From, w.To)
			if c == (refusal.Call{}) && len(d.Candidates) == 0 {
				c = doing.Around(s, w.From, w.To).Told()
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

// call is a request as the clients print it, before or behind a message.
var call = expr.New(`\b(GET|POST|PUT|PATCH|DELETE|HEAD|Get|Post|Put|Patch|Delete|Head)\s+(?:request\s+to\s+)?\\*"?(https://[^\s"'()\\]+)`)

// reach is how far from a message the request may be printed, in bytes.
const reach = 600

// printed gives the request that is printed nearest to a place in the text, and
// the actions that it asks for.
func printed(s string, from, to int) (candidates []string, c refusal.Call) {
	start := max(0, from-reach)
	near := s[start:min(len(s), to+reach)]
	best := len(s) + 1
	for _, m := range call.FindAllStringSubmatchIndex(near, -1) {
		address := strings.TrimRight(near[m[4]:m[5]], ".,:;")
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		x := refusal.Exchange{Method: strings.ToUpper(near[m[2]:m[3]]), URL: u, Header: http.Header{}}
		d := max(from-(start+m[1]), start+m[0]-to, 0)
		if a := request.Actions(x); len(a) > 0 && d < best {
			best, candidates = d, a
			c = refusal.Call{Method: x.Method, URL: address}
		}
	}
	return candidates, c
}
