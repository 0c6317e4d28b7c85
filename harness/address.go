package harness

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A tool does not tell the cloud which resource of its code a request is for. It
// tells us when it is at work on which; a request that is held keeps its resource
// at work. Where several are, what they are called decides.

// sighting is a refusal of which growth granted something.
type sighting struct {
	at       time.Time
	exchange refusal.Exchange
}

// sighted keeps the first refusal for each of the grants.
func (a *arbiter) sighted(x refusal.Exchange, grants []grant.Grant) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range grants {
		if _, ok := a.sightings[g]; !ok {
			a.sightings[g] = sighting{now, x}
		}
	}
}

// located adds to the addresses of each grant what a run shows of them. Facts are
// what the lifecycle's steps left until now.
func located(known map[grant.Grant][]string, arb *arbiter, spans []Span, facts map[string]string) map[grant.Grant][]string {
	arb.mu.Lock()
	defer arb.mu.Unlock()
	for g, s := range arb.sightings {
		if addresses := addressesOf(s, spans, facts); len(addresses) > 0 && len(known[g]) == 0 {
			if known == nil {
				known = map[grant.Grant][]string{}
			}
			known[g] = addresses
		}
	}
	return known
}

// readdressed is the addresses under the names that the grants have in the end.
func (l *loop) readdressed(known map[grant.Grant][]string) map[grant.Grant][]string {
	all := map[grant.Grant][]string{}
	for _, old := range slices.SortedFunc(maps.Keys(known), grant.Compare) {
		g := place.Unnamed(old, l.names)
		for _, a := range known[old] {
			if !slices.Contains(all[g], a) {
				all[g] = append(all[g], a)
			}
		}
	}
	return all
}

// addressesOf gives the resources that may have made a request: those that the
// tool was at work on, and of them those alone of which the request says
// something that it does not say of the others. The likeliest come first, by the
// words that the request and the resource's type have in common.
func addressesOf(s sighting, spans []Span, facts map[string]string) []string {
	var all []string
	for _, span := range spans {
		if !span.From.After(s.at) && (span.To.IsZero() || !span.To.Before(s.at)) && !slices.Contains(all, span.Address) {
			all = append(all, span.Address)
		}
	}
	text := requestText(s.exchange)
	for _, tells := range []func(string) bool{identifies, func(string) bool { return true }} {
		if said := distinguished(all, text, facts, tells); len(said) > 0 {
			all = said
			break
		}
	}
	words := wordsOf(parsers.Class(s.exchange))
	slices.SortStableFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(common(words, typeOf(b)), common(words, typeOf(a))), strings.Compare(a, b))
	})
	return all
}

// shortest is the least length of a value that tells resources apart: "true" and
// small numbers are everybody's.
const shortest = 5

// identifies tells whether an attribute is what a resource is called.
func identifies(attribute string) bool {
	return attribute == "id" || attribute == "arn" || attribute == "url" || attribute == "self_link" || attribute == "bucket" ||
		strings.HasSuffix(attribute, "name") || strings.HasSuffix(attribute, "_id") || strings.HasSuffix(attribute, "identifier")
}

// distinguished gives the addresses of which the text holds a value that no other
// of them has, among the attributes that tell.
func distinguished(addresses []string, text string, facts map[string]string, tells func(attribute string) bool) (found []string) {
	owners := map[string][]string{}
	for path, v := range facts {
		v = strings.Trim(v, `"`)
		if len(v) < shortest {
			continue
		}
		for _, a := range addresses {
			if attribute, of := strings.CutPrefix(path, a+"."); of && tells(attribute) && !slices.Contains(owners[v], a) {
				owners[v] = append(owners[v], a)
			}
		}
	}
	for v, of := range owners {
		if len(of) == 1 && holdsWord(text, v) && !slices.Contains(found, of[0]) {
			found = append(found, of[0])
		}
	}
	return found
}

// requestText is what a request says: its path, its parameters and its body.
func requestText(x refusal.Exchange) string {
	text := string(x.Body)
	if plain, err := url.QueryUnescape(text); err == nil {
		text = plain
	}
	if x.URL != nil {
		text += "\n" + x.URL.Path
		if query, err := url.QueryUnescape(x.URL.RawQuery); err == nil {
			text += "\n" + query
		}
	}
	return text
}

func holdsWord(text, word string) bool {
	part := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '-' || text[i] == '_' || '0' <= text[i] && text[i] <= '9' || 'a' <= text[i]|0x20 && text[i]|0x20 <= 'z')
	}
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		if !part(i-1) && !part(i+len(word)) {
			return true
		}
		from = i + 1
	}
}

// typeOf is the type in an address: aws_sqs_queue of module.a["x"].aws_sqs_queue.b.
func typeOf(address string) string {
	var plain strings.Builder // without keys, which may hold anything
	for depth, i := 0, 0; i < len(address); i++ {
		switch c := address[i]; {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case depth == 0:
			plain.WriteByte(c)
		}
	}
	parts := strings.Split(plain.String(), ".")
	for len(parts) > 2 && parts[0] == "module" {
		parts = parts[2:]
	}
	if parts[0] == "data" && len(parts) > 1 {
		parts = parts[1:]
	}
	return parts[0]
}

// wordsOf takes a text apart at what is no letter and where a capital begins a
// word: CreateQueue is create and queue.
func wordsOf(text string) (words []string) {
	word := ""
	end := func() {
		if len(word) > 2 {
			words = append(words, strings.ToLower(word))
		}
		word = ""
	}
	lower := false
	for _, r := range text {
		capital := 'A' <= r && r <= 'Z'
		switch {
		case !capital && !('a' <= r && r <= 'z'):
			end()
			lower = false
			continue
		case capital && lower:
			end()
		}
		word += string(r)
		lower = !capital
	}
	end()
	return words
}

// common counts the words of a resource's type that a request has too, also in
// the plural.
func common(request []string, resourceType string) (n int) {
	for _, w := range wordsOf(resourceType) {
		if slices.Contains(request, w) || slices.Contains(request, w+"s") {
			n++
		}
	}
	return n
}
