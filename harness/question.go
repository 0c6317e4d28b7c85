package harness

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness/certify"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/harness/question"
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

// wants notes what a refused request was refused for. a.mu is not held.
func (a *arbiter) wants(x refusal.Exchange, grants []grant.Grant) {
	key := question.KeyOf(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	w, ok := a.wanting[key]
	if !ok {
		w = &question.Wanting{Class: parsers.Class(x), Reply: x}
		a.wanting[key] = w
	}
	w.Grants = w.Grants.With(grants...)
	w.Opaque = w.Opaque || len(grants) > 1
}

// questions gathers what growth saw refused of a step into questions about what it was
// granted: of a refusal that named none of the grants, those which the held request has
// shown that it needs.
func (l *loop) questions(r *StepResult) []*question.Question {
	granted := map[grant.Grant]Entry{}
	for _, e := range r.Entries {
		granted[e.Grant] = e
	}
	rename := func(g grant.Grant) grant.Grant { return place.Unnamed(g, l.names) }
	return question.Of(l.wanted[r.Step.Name], rename, func(g grant.Grant, w *question.Wanting) bool {
		e, ok := granted[g]
		return ok && (!w.Opaque || !e.Guess && e.Class == w.Class)
	})
}

// settled tells whether all that the question is about has been proven already.
func (r *StepResult) settled(q *question.Question) bool {
	return !slices.ContainsFunc(r.Entries, func(e Entry) bool { return q.Grants.Has(e.Grant) && !e.proven() })
}

// vainTime is how long a tool may do nothing but ask again for what it was
// refused before its run is ended: it may wait for it for an hour.
const vainTime = 25 * time.Second

// vain ends a run in which the tool asks for nothing but what it was refused.
type vain struct {
	stop chan struct{}

	mu    sync.Mutex
	seen  map[question.Key]bool
	again int // requests in a row that had been refused before
	timer *time.Timer
}

func newVain() *vain {
	v := &vain{stop: make(chan struct{}), seen: map[question.Key]bool{}}
	v.mu.Lock() // over uses the timer
	defer v.mu.Unlock()
	v.timer = time.AfterFunc(vainTime, v.over)
	return v
}

// saw takes the end of a request; meant tells that it was refused on purpose.
func (v *vain) saw(key question.Key, meant bool) {
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
	request question.Key
}

// withholder answers the requests that are asked about.
type withholder struct {
	issued func(credential string) bool
	all    []*question.Question
	open   map[string]bool // by name: those that are withheld

	mu    sync.Mutex
	given []given[string]
}

// Withheld implements [Withholder].
func (w *withholder) Withheld(x refusal.Exchange) (reply refusal.Exchange, token string, ok bool) {
	if !w.issued(x.Credential) {
		return reply, "", false
	}
	q := question.About(w.all, x)
	if q == nil || !w.open[q.Name] {
		return reply, "", false
	}
	token = newToken()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = append(w.given, given[string]{token: token, of: []string{q.Name}, request: question.KeyOf(x)})
	return q.Reply, token, true
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
	m.given = append(m.given, marked{token: token, of: of, request: question.KeyOf(x)})
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
