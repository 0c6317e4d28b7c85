// Package embeddedtest is what the tests against an embedded cloud share: the way to
// its gate, and the look at what the gate did not know. Only tests use it.
package embeddedtest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
)

// Way leads a client's requests to a gate, without a network. It is a
// [http.RoundTripper].
type Way struct{ Gate http.Handler }

// RoundTrip has the gate answer a request as it would one off the wire.
func (w Way) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.Host = r.URL.Host
	rec := httptest.NewRecorder()
	w.Gate.ServeHTTP(rec, r)
	reply := rec.Result()
	reply.Request = r
	return reply, nil
}

// Cloud tells what an embedded cloud did not know; a [ledger.Ledger] does.
type Cloud interface {
	Unknown() []ledger.Unknown
	Problems() []error
}

// Known fails the test for each request that the cloud did not know, and for what kept
// it from answering as the real one would.
func Known(t testing.TB, c Cloud) {
	t.Helper()
	for _, u := range c.Unknown() {
		t.Errorf("the sandbox does not know %+v", u)
	}
	for _, p := range c.Problems() {
		t.Errorf("the sandbox had a problem: %v", p)
	}
}
