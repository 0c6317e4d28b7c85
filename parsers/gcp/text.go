package gcp

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/parsers/doing"
	"github.com/whittle-iam/whittle/parsers/expr"
	"github.com/whittle-iam/whittle/parsers/gcp/request"
	"github.com/whittle-iam/whittle/parsers/gcp/words"
	"github.com/whittle-iam/whittle/parsers/refusal"
	"github.com/whittle-iam/whittle/parsers/sentence"
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
	return sentence.Denials(refusal.GCP, s, said, words.Opaque(s, said), func(o words.Sentence) ([]string, refusal.Call) {
		candidates, c := printed(s, o.From, o.To)
		if c == (refusal.Call{}) {
			c = told(s, o.From, o.To)
		}
		return candidates, c
	})
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

// printed gives the request that is printed nearest to a place in the text, and
// the permissions of its method.
func printed(s string, from, to int) (candidates []string, c refusal.Call) {
	for _, m := range sentence.Around(call, s, from, to) {
		method, address := strings.ToUpper(m.Sub(1)), m.Sub(2)
		if method == "" {
			method, address = http.MethodGet, m.Sub(3)
		}
		address = strings.TrimRight(address, ".,:;")
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		if p := request.Permissions(refusal.Exchange{Method: method, URL: u}); len(p) > 0 {
			return p, refusal.Call{Method: method, URL: address}
		}
	}
	return nil, refusal.Call{}
}
