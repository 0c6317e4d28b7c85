// Package address tells which resource of the code a request is for. A tool does not tell
// the cloud that; what it was at work on, what the request says and what the resources
// are called do. It says who may have made a request, and proves nothing: no grant hangs
// on it.
package address

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Of gives the resources that may have made a request, of those that the tool was at work
// on: those alone of which the request says something that it does not say of the others.
// The likeliest come first, by the words that the request and the resource's type have in
// common. Facts are what the steps left, by attribute: "aws_vpc.main.cidr_block".
func Of(x refusal.Exchange, working []string, facts map[string]string) []string {
	all := slices.Clone(working)
	text := requestText(x)
	for _, tells := range []func(string) bool{identifies, func(string) bool { return true }} {
		if said := distinguished(all, text, facts, tells); len(said) > 0 {
			all = said
			break
		}
	}
	words := wordsOf(parsers.Class(x))
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
