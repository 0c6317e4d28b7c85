// Package ask is what the decoys of all clouds have alike: a name that nothing else
// has, and one request with bounds on its time and its reply. It knows no cloud, and
// judges no refusal.
package ask

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// Name makes a name for a decoy: prefix, and so many random bytes in hexadecimal.
func Name(prefix string, random int) string {
	b := make([]byte, random)
	_, _ = rand.Read(b) // never fails: see its documentation
	return prefix + hex.EncodeToString(b)
}

const (
	// timeout bounds one request, with whatever its credentials take.
	timeout = time.Minute
	// most bounds what is read of a reply, in bytes.
	most = 1 << 20
)

// Doer sends requests, as [http.Client] does.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Sign puts credentials into a request, whose context bounds what that takes.
type Sign func(*http.Request) error

// Bearer signs with a token.
func Bearer(token string) Sign {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// Reply is what a request was answered with.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // its first MiB
}

// OK is nil for a reply of success, else what [Reply.Failure] says.
func (r Reply) OK() error {
	if r.Status < 300 {
		return nil
	}
	return r.Failure()
}

// Failure says the status and how the reply begins.
func (r Reply) Failure() error { return fmt.Errorf("status %d: %.200s", r.Status, r.Body) }

// Send sends the request of an exchange, signed unless sign is nil, and reads the
// reply. It takes a minute at most.
func Send(ctx context.Context, client Doer, x refusal.Exchange, sign Sign) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, x.Method, x.URL.String(), bytes.NewReader(x.Body))
	if err != nil {
		return Reply{}, err
	}
	r.Header = x.Header.Clone()
	if sign != nil {
		if err := sign(r); err != nil {
			return Reply{}, err
		}
	}
	got, err := client.Do(r)
	if err != nil {
		return Reply{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, most))
	return Reply{got.StatusCode, got.Header, body}, err
}
