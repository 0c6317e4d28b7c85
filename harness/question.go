package harness

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/harness/certify"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// TokenPrefix begins every token that a refusal made on purpose carries; what
// follows are tokenDigits hexadecimal digits.
const TokenPrefix = "whittle-"

const tokenDigits = 16

// newToken makes a token that no other reply carries.
func newToken() string {
	var b [tokenDigits / 2]byte
	_, _ = rand.Read(b[:]) // never fails: see its documentation
	return TokenPrefix + hex.EncodeToString(b[:])
}

// wanting is a request that growth saw refused.
type wanting struct {
	class  string
	grants grant.Set        // all that it was refused for
	reply  refusal.Exchange // one of its refusals
	// opaque: a refusal that named none of the grants; only those count of which
	// the held request has shown that it needs them.
	opaque bool
}

// wants notes what a refused request was refused for. a.mu is not held.
func (a *arbiter) wants(x refusal.Exchange, grants []grant.Grant) {
	key := requestKey(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	w, ok := a.wanting[key]
	if !ok {
		w = &wanting{class: parsers.Class(x), reply: x}
		a.wanting[key] = w
	}
	w.grants = w.grants.With(grants...)
	w.opaque = w.opaque || len(grants) > 1
}

// question is what is asked by withholding: the requests of one class that were
// refused for the same grants. A request for another role's policy may be of the
// same class, and what the step needs of that role is a question of its own.
type question struct {
	name     string // the class and the grants
	class    string
	grants   grant.Set
	reply    refusal.Exchange
	requests map[[sha256.Size]byte]bool
}

// questions gathers what growth saw refused into questions, of what the step was
// granted. Rename gives a grant as the entries have it.
func questions(seen map[[sha256.Size]byte]*wanting, entries []Entry, rename func(grant.Grant) grant.Grant) []*question {
	granted := map[grant.Grant]Entry{}
	for _, e := range entries {
		granted[e.Grant] = e
	}
	all := map[string]*question{}
	for key, w := range seen {
		if w.reply.Status == http.StatusSwitchingProtocols {
			continue // a WebSocket that the proxy cannot close in the cloud's place
		}
		var grants []grant.Grant
		for g := range w.grants.All() {
			g = rename(g)
			if e, ok := granted[g]; ok && (!w.opaque || !e.Guess && e.Class == w.class) {
				grants = append(grants, g)
			}
		}
		if len(grants) == 0 {
			continue
		}
		q := &question{class: w.class, grants: grant.Of(grants...), reply: w.reply, requests: map[[sha256.Size]byte]bool{}}
		q.name = q.class + " for " + join(q.grants.Slice())
		if there, ok := all[q.name]; ok {
			q = there
		} else {
			all[q.name] = q
		}
		q.requests[key] = true
	}
	var list []*question
	for _, q := range all {
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b *question) int { return strings.Compare(a.name, b.name) })
	return list
}

// proven tells whether all that the question is about has been proven already.
func (q *question) proven(r *StepResult) bool {
	return !slices.ContainsFunc(r.Entries, func(e Entry) bool { return q.grants.Has(e.Grant) && !e.proven() })
}

// about tells which of the questions a request is about: the one that the same
// request was refused in, else the only one whose grants are all about what the
// request names. Where there are several nobody knows, and it is about none.
func about(qs []*question, x refusal.Exchange) *question {
	class, key := parsers.Class(x), requestKey(x)
	var fit []*question
	for _, q := range qs {
		switch {
		case q.class != class:
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
func (q *question) mayNeed(x refusal.Exchange) bool {
	text := string(x.Body)
	if x.URL != nil {
		text = x.URL.Host + x.URL.Path + "?" + x.URL.RawQuery + text
	}
	for g := range q.grants.All() {
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

// vainTime is how long a tool may do nothing but ask again for what it was
// refused before its run is ended: it may wait for it for an hour.
const vainTime = 25 * time.Second

// vain ends a run in which the tool asks for nothing but what it was refused.
type vain struct {
	stop chan struct{}

	mu    sync.Mutex
	seen  map[[sha256.Size]byte]bool
	again int // requests in a row that had been refused before
	timer *time.Timer
}

func newVain() *vain {
	v := &vain{stop: make(chan struct{}), seen: map[[sha256.Size]byte]bool{}}
	v.mu.Lock() // over uses the timer
	defer v.mu.Unlock()
	v.timer = time.AfterFunc(vainTime, v.over)
	return v
}

// saw takes the end of a request; meant tells that it was refused on purpose.
func (v *vain) saw(key [sha256.Size]byte, meant bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if meant && v.seen[key] {
		v.again++
		return
	}
	v.seen[key] = v.seen[key] || meant
	v.again = 0
	v.timer.Reset(vainTime)
}

// over ends the run, unless the tool is busy with something that is no request.
func (v *vain) over() {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.stop:
		return
	default:
	}
	if v.again < 2 {
		v.timer.Reset(vainTime)
		return
	}
	close(v.stop)
}

func (v *vain) end() { v.timer.Stop() }

// given is a refusal that was made on purpose, or marked.
type given[K comparable] struct {
	token   string // empty for what carried none
	of      []K
	request [sha256.Size]byte
}

// withholder answers the requests that are asked about.
type withholder struct {
	issued func(credential string) bool
	all    []*question
	open   map[string]bool // by name: those that are withheld

	mu    sync.Mutex
	given []given[string]
}

// Withheld implements [Withholder].
func (w *withholder) Withheld(x refusal.Exchange) (reply refusal.Exchange, token string, ok bool) {
	if !w.issued(x.Credential) {
		return reply, "", false
	}
	q := about(w.all, x)
	if q == nil || !w.open[q.name] {
		return reply, "", false
	}
	token = newToken()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = append(w.given, given[string]{token: token, of: []string{q.name}, request: requestKey(x)})
	return q.reply, token, true
}

// Marked implements [Withholder]: no refusal but those made on purpose counts.
func (w *withholder) Marked(refusal.Exchange) (token string, ok bool) { return "", false }

// marker marks the cloud's own refusals of a role that lacks something on
// purpose.
type marker struct {
	// about gives what a refusal is about.
	about func(x refusal.Exchange) []grant.Grant

	mu    sync.Mutex
	given []marked
	// masked is what was answered with an error that does not say that it is a
	// refusal; set when the run is over.
	masked []grant.Grant
}

// marked is one of the cloud's own refusals, with what it was about.
type marked = given[grant.Grant]

// Withheld implements [Withholder]: nothing is.
func (m *marker) Withheld(refusal.Exchange) (reply refusal.Exchange, token string, ok bool) {
	return reply, "", false
}

// Marked implements [Withholder].
func (m *marker) Marked(x refusal.Exchange) (token string, ok bool) {
	of := m.about(x)
	if len(of) == 0 {
		return "", false
	}
	token = newToken()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.given = append(m.given, marked{token: token, of: of, request: requestKey(x)})
	return token, true
}

// read puts together how a run ended and which of the refusals its errors show.
// A refusal that may be about several things shows none of them to be needed. Lost
// gives what was not changed for want of one.
func read[K comparable](s lifecycle.Step, out Outcome, difference string, replies []given[K], lost func(K) string) certify.Run[K] {
	run := certify.Run[K]{OK: out.OK, Stopped: out.Stopped, Difference: difference}
	for _, g := range replies {
		for _, of := range g.of {
			p := certify.Reply[K]{Of: of, Request: string(g.request[:])}
			if len(g.of) == 1 {
				p.Lost = lost(of)
			}
			if len(g.of) == 1 && g.token != "" {
				p.Error, p.Weak = errorWith(s, out, g.token)
			}
			run.Replies = append(run.Replies, p)
		}
	}
	return run
}

// lastWord is the last line of a text, with the lines that go on with it: what is
// indented, and the details that Google's clients print of an error.
func lastWord(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if l := lines[i]; l != "" && l != "Details:" && !strings.ContainsRune(" \t[]{}", rune(l[0])) {
			return strings.Join(lines[i:], "\n")
		}
	}
	return strings.Join(lines, "\n")
}

// errorWith names the error of the tool that shows the token; empty if none
// does. Errors about the same resource are one: a provider can go another way
// when it is refused, and tell of both. What a command prints on stderr is weak,
// unless it is its last word: it may be a warning. Of one that was stopped it is
// nothing.
func errorWith(s lifecycle.Step, out Outcome, token string) (name string, weak bool) {
	const tools = "an error of the tool"
	if len(s.Command) > 0 {
		for _, d := range out.Diagnostics {
			if strings.Contains(lastWord(d.Summary+"\n"+d.Detail), token) && !out.Stopped {
				return cmp.Or(d.Address, tools), false
			}
		}
		printed := slices.ContainsFunc(out.Tokens, func(t Token) bool { return t.Text == token && t.Stream == "stderr" })
		if printed && !out.OK && !out.Stopped {
			return tools, true
		}
		return "", false
	}
	for i, d := range out.Diagnostics {
		switch {
		case !strings.Contains(d.Summary, token) && !strings.Contains(d.Detail, token):
		case d.Address == "" && s.Terraform != nil: // what it destroys it does not name
			return fmt.Sprintf("error %d of the tool", i+1), false
		default:
			return cmp.Or(d.Address, tools), false
		}
	}
	return "", false
}
