package harness_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/harness"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// storm is what goes wrong in a simulated run. A nil storm is fair weather. Its
// chances are of one in a thousand, and a run's own are drawn by its seed.
type storm struct {
	mu   sync.Mutex
	seed uint64
	// drawn is how often something was drawn for each cause: what a request meets
	// depends on it alone, and not on which of two ran first.
	drawn map[string]uint64

	faults []fault // which replies there are besides the cloud's own
	fault  int     // how likely one is, for each request
	hangup int     // how likely a client gives up on a refusal that is held
	flap   int     // how likely what is in force is refused for a while, for each question
	flaps_ map[string]time.Time
	lag    time.Duration // how long what was taken away is still in force
	ahead  bool          // the canary is seen before what was taken away is gone everywhere
	failed int           // the how-manieth change of a role ends in a conflict
	puts   int
	die    int // the event of the journal at which the process is killed
	full   int // the event of the journal from which on the disk is full
	dead   bool
	hits   map[string]int // what came, by its name
}

// fault is one reply that has nothing to do with who may do what.
type fault struct {
	name   string
	status int
	body   string
}

var (
	throttled   = fault{"429", 429, `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>r</RequestId></ErrorResponse>`}
	internal    = fault{"500", 500, `<Response><Errors><Error><Code>InternalError</Code><Message>An internal error has occurred</Message></Error></Errors><RequestID>r</RequestID></Response>`}
	unavailable = fault{"503", 503, `<Response><Errors><Error><Code>Unavailable</Code><Message>The service is unavailable.</Message></Error></Errors><RequestID>r</RequestID></Response>`}
	reset       = fault{"reset", 0, ""}
	expired     = fault{"expiry", 400, `<Response><Errors><Error><Code>RequestExpired</Code><Message>Request has expired.</Message></Error></Errors><RequestID>r</RequestID></Response>`}
	outdated    = fault{"expired token", 403, `<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error><RequestId>r</RequestId></ErrorResponse>`}
	skewed      = fault{"clock skew", 403, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z (20260101T001500Z - 5 min.)</Message></Error><RequestId>r</RequestId></ErrorResponse>`}
	truncated   = fault{"truncated", 503, `<Response><Errors><Error><Code>Unavail`}
	everyFault  = []fault{throttled, internal, unavailable, reset, expired, outdated, skewed, truncated}
)

var (
	errKilled   = errors.New("killed")
	errFull     = errors.New("no space left on device")
	errConflict = errors.New("etag conflict: the role was changed by somebody else, eight times in a row")
)

// draw gives a number below n for a cause. The caller holds mu.
func (s *storm) draw(cause string, n int) int {
	if s.drawn == nil {
		s.drawn = map[string]uint64{}
	}
	s.drawn[cause]++
	h := fnv.New64a()
	_, _ = h.Write([]byte(cause)) // it never fails
	return rand.New(rand.NewPCG(s.seed^h.Sum64(), s.drawn[cause])).IntN(n)
}

// chance draws whether something comes that is this likely, of a thousand.
func (s *storm) chance(cause string, of int) bool { return of > 0 && s.draw(cause, 1000) < of }

// causeKey is the context's key for what a request is, among all of a run.
type causeKey struct{}

func causeOf(ctx context.Context) string {
	cause, _ := ctx.Value(causeKey{}).(string)
	return cause
}

func (s *storm) note(what string) {
	if s.hits == nil {
		s.hits = map[string]int{}
	}
	s.hits[what]++
}

func (s *storm) killed() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errKilled
	}
	return nil
}

// append is asked before event n of the journal is written.
func (s *storm) append(n int) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.dead || n == s.die:
		if !s.dead {
			s.note("kill")
		}
		s.dead = true
		return errKilled
	case s.full > 0 && n >= s.full:
		s.note("full disk")
		return errFull
	}
	return nil
}

func (s *storm) put() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.puts++; s.puts == s.failed {
		s.note("conflict")
		return errConflict
	}
	return nil
}

// settling is how long it takes until the canary is seen, with this propagation.
func (s *storm) settling(propagation time.Duration) time.Duration {
	switch {
	case s == nil:
		return propagation
	case s.ahead:
		return max(propagation, s.lag)
	}
	return propagation + s.lag
}

// inForce tells whether a set that was put for the time from is what counts now,
// in place of the one before it: what is taken away lags behind what is given.
func (s *storm) inForce(from time.Time, before, set grant.Set) bool {
	if s != nil && !before.SubsetOf(set) {
		from = from.Add(s.lag)
	}
	return !from.After(time.Now())
}

// flaps tells whether what is in force is refused now: a place that has not heard
// of it yet answers for some seconds.
func (s *storm) flaps(name string, g grant.Grant) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := name + " " + g.String()
	until, had := s.flaps_[key]
	if !had && s.chance("flap "+key, s.flap) {
		if s.flaps_ == nil {
			s.flaps_ = map[string]time.Time{}
		}
		until = time.Now().Add(time.Duration(1+s.draw("flap "+key, 8)) * time.Second)
		s.flaps_[key] = until // once for each: what is learnt is not forgotten
		s.note("flapping")
	}
	return time.Now().Before(until)
}

// pause is the time between two repeats of a request.
func (s *storm) pause() time.Duration {
	if s == nil {
		return 200 * time.Millisecond
	}
	return 2 * time.Second // there are many seeds
}

func (s *storm) hangsUp(cause string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.chance("hangup "+cause, s.hangup) {
		return false
	}
	s.note("hang-up")
	return true
}

// moment is less than a change of a role takes, as a rule.
func (s *storm) moment(cause string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(1+s.draw("moment "+cause, 80)) * time.Millisecond
}

// reply is a fault in place of the cloud's own reply.
func (s *storm) reply(cause string) (fault, bool) {
	if s == nil {
		return fault{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 || !s.chance("fault "+cause, s.fault) {
		return fault{}, false
	}
	f := s.faults[s.draw("fault "+cause, len(s.faults))]
	s.note(f.name)
	return f, true
}

// unwell delivers a fault to the tool, which tries again a second later; now and
// then it has had enough, and its error is returned.
func (c *cloud) unwell(ctx context.Context, a harness.Attempt, x refusal.Exchange, f fault, repeats int) error {
	x.Status, x.ReplyBody = f.status, []byte(f.body)
	if f.status != 0 {
		x.Reply.Set("Content-Type", "text/xml")
	}
	if f.status >= 400 && f.status < 500 && a.Held && a.Arbiter.Refused(ctx, x) == refusal.Repeat {
		return fmt.Errorf("%s was held for a grant", f.name)
	}
	a.Arbiter.Observed(x, max(repeats, 0))
	if c.storm.tired(causeOf(ctx)) {
		return fmt.Errorf("giving up after %s: %s", f.name, http.StatusText(f.status))
	}
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tired tells whether the tool gives up.
func (s *storm) tired(cause string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.chance("tired "+cause, 20) {
		return false
	}
	s.note("given up")
	return true
}
