// Package azure is the embedded Azure sandbox: an HTTP handler that stands for
// Resource Manager, Entra ID, Microsoft Graph, and the data planes of Key Vault
// and Blob Storage, with one tenant and one subscription.
//
// For each request to a service it authenticates the token (package entra),
// looks up which actions it needs on which scopes (rules), evaluates the roles
// and deny assignments in force (rbac), and refuses in the service's own words
// (wire). Only then does the request reach the state (arm, vault, blob). A
// request that the tables or the state do not know is answered with 501 and
// listed in the [Gate.Ledger]: it is never let through.
//
// It does not listen on a network and knows nothing of TLS.
package azure

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm/kinds"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/entra"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rbac"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/host"
	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
	"github.com/whittle-iam/whittle/sandbox/embedded/propagation"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// maxBody is the largest request that is taken, in bytes.
const maxBody = 256 << 20

// Config says what subscription to simulate, and how.
type Config struct {
	// Subscription is its id, Tenant the directory's; empty means ids of the
	// sandbox's own.
	Subscription, Tenant string
	// Propagation is how long a change of a role or an assignment takes to be in
	// force, a grant as well as a revocation; 0 is at once.
	Propagation time.Duration
	// Unregistered are the providers that the subscription has not registered at
	// the start.
	Unregistered []string
	// Open lets everything through that is authenticated and known. It is for
	// tests that must then fail.
	Open bool
	// Polls is how often an operation is asked for until it is done; 0 means 1.
	Polls int
	// Audit is what goes wrong between a request and the Activity Log.
	Audit auditlog.Faults
	// Trace is called with every request that was authenticated and known, when
	// it has been answered; from many goroutines. Nil means that nobody listens.
	Trace func(trace.Trace)
	// Log takes one line for each request, without anything secret. Nil
	// discards.
	Log *slog.Logger
	// Now is the time; nil means time.Now.
	Now func() time.Time
}

// The sandbox's own subscription and tenant.
const (
	Subscription = "5a4d0000-0000-4000-8000-000000000001"
	Tenant       = "5a4d0000-0000-4000-8000-0000000000aa"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (c *Config) complete() error {
	c.Subscription, c.Tenant = cmp.Or(c.Subscription, Subscription), cmp.Or(c.Tenant, Tenant)
	c.Polls = cmp.Or(c.Polls, 1)
	if !guid.MatchString(c.Subscription) || !guid.MatchString(c.Tenant) {
		return fmt.Errorf("subscription %q and tenant %q must be ids like %s", c.Subscription, c.Tenant, Subscription)
	}
	if c.Propagation < 0 || c.Polls < 0 {
		return fmt.Errorf("propagation %v and polls %d must not be negative", c.Propagation, c.Polls)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Gate is a running subscription. It can be used from many goroutines.
type Gate struct {
	c         Config
	directory *entra.Directory
	tables    rules.Tables
	kinds     map[string]arm.Kind
	ledger    ledger.Ledger
	audit     auditlog.Log

	mu        sync.Mutex // one request at a time
	state     *store.Store
	timeline  propagation.Timeline[rbac.View]
	snapshots map[string]store.Snapshot
}

// New makes a subscription.
func New(c Config) (*Gate, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("embedded Azure sandbox: %w", err)
	}
	directory, err := entra.New(c.Tenant)
	if err != nil {
		return nil, fmt.Errorf("embedded Azure sandbox: %w", err)
	}
	g := &Gate{c: c, audit: auditlog.Log{Faults: c.Audit}, directory: directory, tables: rules.Read(), kinds: kinds.All(), state: store.New(), timeline: propagation.Timeline[rbac.View]{Delay: c.Propagation}, snapshots: map[string]store.Snapshot{}}
	g.state.Put("subscription", store.Object{"id": c.Subscription})
	for _, space := range g.tables.Namespaces() {
		registered := true
		for _, not := range c.Unregistered {
			registered = registered && !strings.EqualFold(not, space)
		}
		if registered {
			g.state.Put("registered/"+c.Subscription+"/"+space, store.Object{})
		}
	}
	g.timeline.Reset(rbac.Read(g.state))
	return g, nil
}

// Ledger is what the operator is told at the end.
func (g *Gate) Ledger() *ledger.Ledger { return &g.ledger }

// Place is the subscription that everything lives in, and its tenant.
func (g *Gate) Place() (subscription, tenant string) { return g.c.Subscription, g.c.Tenant }

// Operator gives the client id and the secret of the sandbox's administrator.
// They are made anew at each start; no assignment names him.
func (g *Gate) Operator() (id, secret string) { return g.directory.Operator() }

// Seed changes the state beside every API, as those who run the cloud can: with
// a deny assignment, with Graph's permissions. What it does is in force at once.
func (g *Gate) Seed(change func(s *store.Store, d *entra.Directory)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g.state, g.directory)
	g.timeline.Reset(rbac.Read(g.state))
}

// Snapshot keeps the state as it is, and gives the name to restore it by.
func (g *Gate) Snapshot(context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := "s" + strconv.Itoa(len(g.snapshots)+1)
	g.snapshots[id] = g.state.Snapshot()
	return id, nil
}

// Restore brings back what Snapshot kept; it can be repeated, in any order. The
// roles of then are in force at once. Tokens stay valid as long as their service
// principal exists.
func (g *Gate) Restore(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.snapshots[id]
	if !ok {
		return fmt.Errorf("embedded Azure sandbox: there is no snapshot %q", id)
	}
	// Secrets that were made since stay good: a restored snapshot must log nobody
	// out.
	kept := map[string]store.Object{}
	for _, k := range g.state.Below("entra/applications/") {
		kept[k], _ = g.state.Get(k)
	}
	g.state.Restore(s)
	for k, o := range kept {
		if have, ok := g.state.Get(k); ok {
			have["passwordCredentials"] = o["passwordCredentials"]
			g.state.Put(k, have)
		}
	}
	g.timeline.Reset(rbac.Read(g.state))
	return nil
}

// Close ends nothing: the gate has no goroutines.
func (g *Gate) Close() error { return nil }

// request is one request on its way through the gate.
type request struct {
	*http.Request
	body    []byte
	host    string
	now     time.Time
	who     entra.Holder
	id      string
	plane   wire.Plane
	action  string // of the request itself, once it is known
	needs   []trace.Needed
	refused bool
	binding [3]string // what allowed it
}

// reply is what a request is answered with.
type reply struct {
	status  int
	header  http.Header
	object  any
	content []byte
}

// unknownError is a request that is answered with 501.
type unknownError struct{ detail string }

func (e *unknownError) Error() string { return e.detail }

// ServeHTTP answers one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	began := time.Now()
	r := &request{Request: hr, body: body, host: host.Name(hr.Host), now: g.c.Now(), id: entra.NewID()}
	r.plane = planeOf(r.host)
	if r.plane == wire.Storage {
		w.Header().Set("X-Ms-Version", cmp.Or(hr.Header.Get("X-Ms-Version"), "2024-11-04"))
	}
	w.Header().Set("X-Ms-Request-Id", r.id)
	if c := hr.Header.Get("X-Ms-Client-Request-Id"); c != "" {
		w.Header().Set("X-Ms-Client-Request-Id", c)
	}
	status := http.StatusBadRequest
	if err != nil {
		wire.Write(w, hr.Method, r.plane, wire.New(status, "InvalidRequestContent", "The request's body cannot be read, or is larger than %d bytes: %v", maxBody, err), r.id, r.now)
	} else {
		status = g.serve(w, r)
	}
	if r.action != "" && r.who.ObjectID != "" {
		t := trace.Trace{Time: began, Principal: r.who.Member(), Agent: r.UserAgent(), Operation: r.action, Status: status, Refused: r.refused, Needs: r.needs}
		g.log(r, t)
		if g.c.Trace != nil {
			g.c.Trace(t)
		}
	}
	g.c.Log.Debug("request", "action", r.action, "principal", r.who.ObjectID, "method", hr.Method, "host", r.host, "path", hr.URL.Path, "status", status, "took", time.Since(began))
}

// serve answers a request, and gives the status of its reply.
func (g *Gate) serve(w http.ResponseWriter, r *request) int {
	out, err := g.answer(r)
	var told *wire.Error
	var unknown *unknownError
	switch {
	case err == nil:
		g.count(r, false)
		return write(w, r, out)
	case errors.As(err, &told):
		g.count(r, told.Refused)
		r.refused = told.Refused
	case errors.As(err, &unknown):
		g.ledger.AddUnknown(ledger.Unknown{Service: r.host, Operation: r.action, Method: r.Method, Host: r.host, Path: r.URL.Path, Detail: err.Error()})
		g.c.Log.Warn("unknown request", "action", r.action, "method", r.Method, "host", r.host, "path", r.URL.Path)
		told = wire.New(501, "NotImplemented", "Whittle's embedded sandbox cannot answer this request: %v", err)
	default:
		g.ledger.AddProblem(fmt.Errorf("%s %s%s: %w", r.Method, r.host, r.URL.Path, err))
		g.c.Log.Error("the sandbox failed", "action", r.action, "error", err)
		told = wire.New(500, "InternalServerError", "Whittle's embedded sandbox failed: %v", err)
	}
	wire.Write(w, r.Method, r.plane, told, r.id, r.now)
	return told.Status
}

func (g *Gate) count(r *request, refused bool) {
	if r.action != "" {
		g.ledger.Add(r.action, refused)
	}
}

func write(w http.ResponseWriter, r *request, out *reply) int {
	for name, values := range out.header {
		w.Header()[name] = values
	}
	content := out.content
	if out.object != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(out.object); err != nil {
			panic(err) // what was read from JSON can be written as JSON
		}
		content = b.Bytes()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	status := cmp.Or(out.status, http.StatusOK)
	if status != http.StatusNoContent && w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && status != http.StatusNoContent {
		w.Write(content) //nolint:errcheck // the client hung up
	}
	return status
}
