package azure

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/parsers/azure/request"
	"github.com/whittle-iam/whittle/parsers/azure/words"
	"github.com/whittle-iam/whittle/parsers/doing"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/sentence"
)

// Text finds the refusals of Azure in a piece of plain text, without a
// terminal's colours and without a tool's boxes. What a tool prints anybody can
// print: these denials are hints for people. Each Evidence is a part of s.
//
// A refusal that names no action is given only where none nearby does; the
// request or the client's method that the text names gives its candidates.
func Text(s string) []refusal.Denial {
	said := words.Find(s)
	return sentence.Denials(refusal.Azure, s, said, words.Opaque(s, said), func(o words.Sentence) ([]string, refusal.Call) {
		candidates, c := printed(s, o.From, o.To)
		if c == (refusal.Call{}) && len(o.Candidates) == 0 {
			c = doing.Around(s, o.From, o.To).Told()
		}
		return candidates, c
	})
}

// call is a request as the clients print it, before or behind a message.
var call = expr.New(`\b(GET|POST|PUT|PATCH|DELETE|HEAD|Get|Post|Put|Patch|Delete|Head)\s+(?:request\s+to\s+)?\\*"?(https://[^\s"'()\\]+)`)

// printed gives the request that is printed nearest to a place in the text, and
// the actions that it asks for.
func printed(s string, from, to int) (candidates []string, c refusal.Call) {
	for _, m := range sentence.Around(call, s, from, to) {
		address := strings.TrimRight(m.Sub(2), ".,:;")
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		x := refusal.Exchange{Method: strings.ToUpper(m.Sub(1)), URL: u, Header: http.Header{}}
		if a := request.Actions(x); len(a) > 0 {
			return a, refusal.Call{Method: x.Method, URL: address}
		}
	}
	return nil, refusal.Call{}
}
