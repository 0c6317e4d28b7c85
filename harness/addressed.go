package harness

import (
	"maps"
	"slices"
	"time"

	"github.com/whittle-iam/whittle/harness/address"
	"github.com/whittle-iam/whittle/harness/grant"
	"github.com/whittle-iam/whittle/harness/place"
	"github.com/whittle-iam/whittle/parsers/refusal"
)

// A tool does not tell the cloud which resource of its code a request is for. It
// tells us when it is at work on which; a request that is held keeps its resource
// at work. Where several are, what they are called decides: see package address.

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
		if addresses := address.Of(s.exchange, workingAt(s.at, spans), facts); len(addresses) > 0 && len(known[g]) == 0 {
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

// workingAt gives the resources that the tool was at work on.
func workingAt(at time.Time, spans []Span) (working []string) {
	for _, span := range spans {
		if !span.From.After(at) && (span.To.IsZero() || !span.To.Before(at)) && !slices.Contains(working, span.Address) {
			working = append(working, span.Address)
		}
	}
	return working
}
