package plain

import (
	"strings"

	"github.com/whittle-iam/whittle/parsers/expr"
)

// vocabulary are the words of which refusals are made, and of which the line
// breaks of a terminal cut some in two: "not au", "thorized".
var vocabulary = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`
		a an the to on in of for by is are was not no does do has have had you your and or with may it this that any from at be been as
		user client caller principal permission permissions authorized authorization unauthorized perform action actions resource resources because
		identity based policy policies allows allow explicit deny denied service control boundary session endpoint operation operations calling call occurred error
		required require project bucket access object account role group exist scope linked however invalid over encoded failure message failed request status code
		forbidden exception response insufficient credentials token expired missing subscription registered enabled disabled exceeded quota limit organization constraint violated
		google cloud storage compute engine azure amazon creating reading updating deleting describing getting listing put create delete update get list describe
		due and when if please see try contact ask but then which where so check make sure ensure grant add note more details for under using via
		assume assumed requested instance instances function table queue topic secret key keys vault certificate cluster image repository
	`) {
		m[w] = true
	}
	return m
}()

// begun is a permission of AWS's or Google Cloud's that the end of a line may have
// cut.
var begun = expr.New(`^["'(]*(?:[a-z][a-z0-9-]*:[A-Z][A-Za-z0-9]*|[a-z][A-Za-z0-9]*\.[A-Za-z0-9.]*[A-Za-z0-9])$`)

// halved tells whether a line's end stands inside a word: what is before and behind
// it is one together and none apart.
func halved(line, next string) bool {
	before := line[strings.LastIndexAny(line, " \t")+1:]
	behind := next
	if i := strings.IndexAny(next, " \t"); i >= 0 {
		behind = next[:i]
	}
	if before == "" || behind == "" {
		return false
	}
	if strings.IndexByte(":;,.)", behind[0]) >= 0 {
		return true // which begins no line
	}
	head, tail := letters(before, false), letters(behind, true)
	if len(line) >= leastWidth && !vocabulary[tail] && !starting(behind) {
		// The sentence must go on behind it: a line that has nothing to do with the
		// one before is not a part of its last word.
		on := goesOn(next[len(behind):]) || strings.ContainsAny(behind, `"'`)
		switch {
		case pathlike(before):
			if on || strings.ContainsAny(behind, "/:") {
				return true
			}
		case begun.MatchString(before):
			if on || strings.Contains(strings.Trim(behind, `.,:;"')`), ".") { // iam.serviceA, ccounts.get
				return true
			}
		}
	}
	return head != "" && tail != "" && vocabulary[head+tail] && !(vocabulary[head] && vocabulary[tail])
}

// goesOn tells whether the next word is one that goes on behind the name of a
// permission or resource in the sentence of a refusal.
func goesOn(rest string) bool {
	word := letters(strings.TrimLeft(rest, " ("), true)
	for _, w := range []string{"on", "because", "with", "due", "permission", "permissions", "access", "denied", "is", "and", "action", "or", "for", "does", "has", "over", "service", "to", "not"} {
		if word == w {
			return true
		}
	}
	return false
}

// pathlike tells a word with the form of a resource's name.
func pathlike(word string) bool {
	for _, path := range []string{"arn:", "projects/", "/subscriptions/"} {
		if strings.Contains(word, path) {
			return true
		}
	}
	return false
}

// starting tells a word that begins something of its own.
func starting(word string) bool {
	for _, begin := range []string{"arn:", "projects/", "/", "http", "("} {
		if strings.HasPrefix(strings.TrimLeft(word, `"'`), begin) {
			return true
		}
	}
	return false
}

// letters gives the letters that s ends with, or begins with, in lower case.
func letters(s string, first bool) string {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	from, to := 0, len(s)
	if first {
		for to = 0; to < len(s) && letter(s[to]); to++ {
		}
	} else {
		for from = len(s); from > 0 && letter(s[from-1]); from-- {
		}
	}
	return strings.ToLower(s[from:to])
}
