// Package question is what certifying asks by withholding: which of the requests that
// growth saw refused are one question, and which question a request of another run is
// about. It decides, and answers no request itself; what to ask next is package
// certify's.
package question

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Key tells one request from others of its class.
type Key [sha256.Size]byte

// KeyOf is the key of a request, whatever its reply and its credential.
func KeyOf(x refusal.Exchange) Key {
	h := sha256.New()
	fmt.Fprintf(h, "%s %v\n", x.Method, x.URL) // a hash's Write gives no error
	h.Write(x.Body)
	return Key(h.Sum(nil))
}

// Wanting is a request that growth saw refused.
type Wanting struct {
	Class  string
	Grants grant.Set        // all that it was refused for
	Reply  refusal.Exchange // one of its refusals
	// Opaque: a refusal named none of the grants.
	Opaque bool
}

// Question is what is asked by withholding: the requests of one class that were
// refused for the same grants. A request for another role's policy may be of the
// same class, and what the step needs of that role is a question of its own.
type Question struct {
	Name     string // the class and the grants
	Class    string
	Grants   grant.Set
	Reply    refusal.Exchange // a refusal that one of the requests got
	requests map[Key]bool
}

// Of gathers what growth saw refused into questions, in the order of their names.
// Rename gives a grant as it is written in the end; asks tells whether it is one to ask
// about for a refused request.
func Of(seen map[Key]*Wanting, rename func(grant.Grant) grant.Grant, asks func(grant.Grant, *Wanting) bool) []*Question {
	all := map[string]*Question{}
	for key, w := range seen {
		if w.Reply.Status == http.StatusSwitchingProtocols {
			continue // a WebSocket that the proxy cannot close in the cloud's place
		}
		var grants []grant.Grant
		for g := range w.Grants.All() {
			if g = rename(g); asks(g, w) {
				grants = append(grants, g)
			}
		}
		if len(grants) == 0 {
			continue
		}
		q := &Question{Class: w.Class, Grants: grant.Of(grants...), Reply: w.Reply, requests: map[Key]bool{}}
		var named []string
		for g := range q.Grants.All() {
			named = append(named, g.String())
		}
		q.Name = q.Class + " for " + strings.Join(named, ", ")
		if there, ok := all[q.Name]; ok {
			q = there
		} else {
			all[q.Name] = q
		}
		q.requests[key] = true
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *Question) int { return strings.Compare(a.Name, b.Name) })
}

// About tells which of the questions a request is about: the one that the same
// request was refused in, else the only one whose grants are all about what the
// request names. Where there are several nobody knows, and it is about none.
func About(qs []*Question, x refusal.Exchange) *Question {
	class, key := parsers.Class(x), KeyOf(x)
	var fit []*Question
	for _, q := range qs {
		switch {
		case q.Class != class:
		case q.requests[key]:
			return q
		case q.mayNeed(x):
			fit = append(fit, q)
		}
	}
	if len(fit) != 1 {
		return nil
	}
	return fit[0]
}

// mayNeed tells whether every resource of the question that has a name of its
// own is named in the request, and so is what a condition is on the name of.
func (q *Question) mayNeed(x refusal.Exchange) bool {
	text := string(x.Body)
	if x.URL != nil {
		text = x.URL.Host + x.URL.Path + "?" + x.URL.RawQuery + text
	}
	for g := range q.Grants.All() {
		if name := g.Resource[strings.LastIndexAny(g.Resource, ":/")+1:]; !strings.ContainsAny(name, "*?$") && !names(text, name) {
			return false
		}
		if _, name := place.OnName(g); name != "" && !names(text, name) {
			return false
		}
	}
	return true
}

// names tells whether the name stands in the text as a whole word.
func names(text, name string) bool {
	wordly := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' }
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		i += at
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(name):])
		if !wordly(before) && !wordly(after) {
			return true
		}
		at = i + 1
	}
}
