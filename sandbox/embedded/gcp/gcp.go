// Package gcp is the embedded GCP sandbox: an HTTP handler that stands for the
// APIs of Google Cloud, with one project.
//
// For each request it finds the method (package route), authenticates the
// bearer token (token), looks up which permissions the method checks on which
// resources (rules), evaluates the allow policies in force (iam), and refuses in
// the service's own words (wire). Only then does the request reach the state
// (store, by generic, compute, accounts, …). A request that the tables or the
// state do not know is answered with 501 and listed in the [Gate.Ledger]: it is
// never let through.
//
// It does not listen on a network and knows nothing of TLS.
package gcp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/accounts"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/apis"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/logging"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/signing"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/storage"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/tunnel"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/host"
	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
	"github.com/whittle-iam/whittle/sandbox/embedded/propagation"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// maxBody is the largest request that is taken, in bytes.
const maxBody = 256 << 20

// Config says what project to simulate, and how. Its zero value is the project
// whittle-sandbox with changes of IAM in force at once.
type Config struct {
	// Project is the project's id; empty means whittle-sandbox.
	Project string
	// Number is the project's number; empty means 123456789012.
	Number string
	// Propagation is how long a change of IAM takes to be in force, a grant as
	// well as a revocation; 0 is at once.
	Propagation time.Duration
	// Open lets everything through that is authenticated and known. It is for
	// tests that must then fail.
	Open bool
	// Enabled are the APIs that are enabled at the start ("compute.googleapis.com");
	// nil means all that the sandbox has. Service Usage always is.
	Enabled []string
	// DefaultNetwork gives the project the network that a new one has.
	DefaultNetwork bool
	// Polls is how often an operation is asked for until it is done; 0 means 1.
	Polls int
	// Audit is what goes wrong between a request and its audit log.
	Audit auditlog.Faults
	// DataAccess turns on the audit logs of reads and of data, as a policy does.
	DataAccess bool
	// Trace is called with every request that was authenticated and known, when
	// it has been answered; from many goroutines. Nil means that nobody listens.
	Trace func(trace.Trace)
	// Log takes one line for each request, without anything secret. Nil
	// discards.
	Log *slog.Logger
	// Now is the time; nil means time.Now.
	Now func() time.Time
}

var (
	projectID = regexp.MustCompile(`^[a-z][-a-z0-9]{4,28}[a-z0-9]$`)
	digits    = regexp.MustCompile(`^[0-9]{6,19}$`)
)

func (c *Config) complete() error {
	c.Project, c.Number = cmp.Or(c.Project, "whittle-sandbox"), cmp.Or(c.Number, "123456789012")
	c.Polls = cmp.Or(c.Polls, 1)
	if !projectID.MatchString(c.Project) {
		return fmt.Errorf("project %q is not an id of 6 to 30 letters, digits and hyphens", c.Project)
	}
	if !digits.MatchString(c.Number) {
		return fmt.Errorf("project number %q is not a number", c.Number)
	}
	if c.Propagation < 0 || c.Polls < 0 {
		return fmt.Errorf("propagation %v and polls %d must not be negative", c.Propagation, c.Polls)
	}
	for _, host := range c.Enabled {
		if !strings.HasSuffix(host, ".googleapis.com") {
			return fmt.Errorf("enabled API %q is not a name like compute.googleapis.com", host)
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Gate is the handler. It is safe for use by many goroutines.
type Gate struct {
	c        Config
	project  api.Project
	state    store.Store
	ring     *token.Ring
	signer   *signing.Signer
	timeline propagation.Timeline[*iam.View]
	ledger   ledger.Ledger
	services services
	fleet    *guest.Fleet
	audit    auditlog.Log
	tunnels  sync.WaitGroup // those that are open

	// world is held for reading by every request, for writing while the state
	// is kept or brought back.
	world     sync.RWMutex
	snapshots map[string]store.Snapshot
}

// New makes a project.
func New(c Config) (*Gate, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("embedded GCP sandbox: %w", err)
	}
	g := &Gate{
		c: c, project: api.Project{ID: c.Project, Number: c.Number}, ring: token.NewRing("operator@" + c.Project + ".example.com"),
		signer: signing.NewSigner(), timeline: propagation.Timeline[*iam.View]{Delay: c.Propagation}, snapshots: map[string]store.Snapshot{}, audit: auditlog.Log{Faults: c.Audit},
	}
	g.services = newServices(g.ring, g.signer)
	g.fleet = guest.NewFleet(g.instances, c.Now, c.Log)
	err := g.state.Do(func(tx *store.Tx) error {
		seed := &api.Call{Match: route.Match{Method: route.ByID("compute.networks.insert")}, Tx: tx, Project: g.project, Now: c.Now(),
			Request: &http.Request{URL: &url.URL{}}, Polls: c.Polls}
		accounts.SeedProject(seed)
		accounts.AddAccount(seed, c.Number+"-compute@developer.gserviceaccount.com")
		logging.Seed(seed)
		seedAPIs(seed, c.Enabled)
		if c.DataAccess {
			iam.SeedAudit(seed)
		}
		if err := compute.Seed(seed, c.DefaultNetwork); err != nil {
			return err
		}
		g.timeline.Reset(iam.Read(tx, c.Project))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("embedded GCP sandbox: %w", err)
	}
	return g, nil
}

// Ledger is what the operator is told at the end.
func (g *Gate) Ledger() *ledger.Ledger { return &g.ledger }

// Project is the project that everything lives in.
func (g *Gate) Project() (id, number string) { return g.project.ID, g.project.Number }

// Operator gives the access token of the sandbox's administrator. It is made
// anew at each start and does not expire; no policy names him.
func (g *Gate) Operator() string { return g.ring.Operator() }

// Snapshot keeps the state as it is, and gives the name to restore it by.
func (g *Gate) Snapshot(context.Context) (string, error) {
	g.world.Lock()
	defer g.world.Unlock()
	id := "s" + strconv.Itoa(len(g.snapshots)+1)
	g.snapshots[id] = g.state.Snapshot()
	return id, nil
}

// Restore brings back what Snapshot kept; it can be repeated, in any order. The
// IAM of then is in force at once. Tokens stay valid as long as their account
// exists.
func (g *Gate) Restore(_ context.Context, id string) error {
	g.world.Lock()
	defer g.world.Unlock()
	s, ok := g.snapshots[id]
	if !ok {
		return fmt.Errorf("embedded GCP sandbox: there is no snapshot %q", id)
	}
	g.state.Restore(s)
	err := g.state.Do(func(tx *store.Tx) error {
		g.timeline.Reset(iam.Read(tx, g.project.ID))
		return nil
	})
	// What was done on an instance is not part of a snapshot.
	return errors.Join(err, g.fleet.Forget(), g.fleet.Changed())
}

// ServeHTTP answers one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	if tunnel.IsHost(host.Name(hr.Host)) {
		g.serveTunnel(w, hr)
		return
	}
	g.world.RLock()
	defer g.world.RUnlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err == nil && hr.Header.Get("Content-Encoding") == "gzip" && hr.URL.Query().Get("contentEncoding") == "" {
		body, err = unzip(body)
	}
	r := &request{Request: hr, body: body, host: host.Name(hr.Host), now: g.c.Now()}
	if err != nil {
		wire.Write(w, wire.RPC, wire.New(400, "The request's body cannot be read, or is larger than %d bytes: %v", maxBody, err))
		return
	}
	began := time.Now()
	status := g.serve(w, r)
	g.trace(r, began, status)
	g.c.Log.Debug("request", "operation", r.name(), "principal", r.who.Email, "method", hr.Method, "host", r.host, "path", hr.URL.Path, "status", status, "took", time.Since(began))
}

// trace tells what became of a request that was authenticated and known.
func (g *Gate) trace(r *request, began time.Time, status int) {
	if r.method == "" || r.who.Email == "" {
		return
	}
	t := trace.Trace{Time: began, Principal: r.who.Member(), Agent: r.UserAgent(), Operation: r.method, Status: status, Refused: r.refused, Needs: r.needs}
	g.log(t, r.service, g.c.Now())
	if g.c.Trace != nil {
		g.c.Trace(t)
	}
}

func unzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err == nil && len(text) > maxBody {
		err = errors.New("it is too large when unpacked")
	}
	return text, err
}

// request is one request on its way through the gate.
type request struct {
	*http.Request
	body    []byte
	host    string
	now     time.Time
	who     token.Holder
	service string // for the form of errors
	method  string // its id, once it is known
	needs   []trace.Needed
	refused bool
}

func (r *request) name() string { return cmp.Or(r.method, r.service, r.host) }

// unknownError is a request that is answered with 501.
type unknownError struct{ detail string }

func (e *unknownError) Error() string { return e.detail }

// refusedError is a request that is refused.
type refusedError struct{ told *wire.Error }

func (e *refusedError) Error() string { return e.told.Error() }

// serve answers a request, and gives the status of its reply.
func (g *Gate) serve(w http.ResponseWriter, r *request) int {
	var reply *api.Reply
	instances := false
	err := g.state.Do(func(tx *store.Tx) (err error) {
		reply, err = g.answer(tx, r)
		if err == nil && tx.Changed(iam.Touches) {
			g.timeline.Add(r.now, iam.Read(tx, g.project.ID))
		}
		instances = err == nil && tx.Changed(isInstance)
		return err
	})
	if instances {
		err = g.fleet.Changed()
	}
	var told *wire.Error
	var refused *refusedError
	var unknown *unknownError
	var noGrant *token.NotServedError
	var notServed *api.NotServedError
	switch {
	case err == nil:
		if r.method != "" {
			g.ledger.Add(r.method, false)
		}
		return write(w, r, reply)
	case errors.As(err, &refused):
		g.ledger.Add(r.method, true)
		r.refused, told = true, refused.told
		switch {
		case slices.Contains(g.c.Audit.Emptied, r.method):
			return write(w, r, &api.Reply{Object: store.Object{}})
		case slices.Contains(g.c.Audit.Masked, r.method):
			told = wire.New(404, "Requested entity was not found.")
		}
	case errors.As(err, &told):
		if r.method != "" {
			g.ledger.Add(r.method, false)
		}
	case errors.As(err, &unknown), errors.As(err, &noGrant), errors.As(err, &notServed):
		g.ledger.AddUnknown(ledger.Unknown{Service: cmp.Or(r.service, r.host), Operation: r.method, Method: r.Method, Host: r.host, Path: r.URL.Path, Detail: err.Error()})
		g.c.Log.Warn("unknown request", "operation", r.name(), "method", r.Method, "host", r.host, "path", r.URL.Path)
		told = wire.New(501, "Whittle's embedded sandbox cannot answer this request: %v", err)
	default:
		g.ledger.AddProblem(fmt.Errorf("%s %s%s: %w", r.Method, r.host, r.URL.Path, err))
		g.c.Log.Error("the sandbox failed", "operation", r.name(), "error", err)
		told = wire.New(500, "Whittle's embedded sandbox failed: %v", err)
	}
	wire.Write(w, wire.FormOf(r.service), told)
	return told.Code
}

func write(w http.ResponseWriter, r *request, reply *api.Reply) int {
	status := cmp.Or(reply.Status, http.StatusOK)
	for key, values := range reply.Header {
		w.Header()[key] = values
	}
	content, kind := reply.Content, reply.ContentType
	if reply.Object != nil {
		content, kind = wire.Marshal(reply.Object), "application/json; charset=UTF-8"
		if strings.HasPrefix(r.URL.Path, "/compute/beta/") {
			content = bytes.ReplaceAll(content, []byte("https://www.googleapis.com/compute/v1/"), []byte("https://www.googleapis.com/compute/beta/"))
		}
	}
	if kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if status != http.StatusNoContent && w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && status != http.StatusNoContent {
		w.Write(content) //nolint:errcheck // the client hung up
	}
	return status
}

// answer finds what to answer a request.
func (g *Gate) answer(tx *store.Tx, r *request) (*api.Reply, error) {
	if token.Endpoint(r.host, r.URL.Path) {
		return g.grant(tx, r)
	}
	if special := g.special(r); special != nil {
		return special(tx, r)
	}
	match, ok := route.Find(r.host, r.Method, r.URL)
	if !ok {
		r.service = serviceOf(r.host)
		if _, err := g.authenticate(tx, r); err != nil {
			return nil, err
		}
		if r.host == assetHost && strings.HasSuffix(r.URL.Path, ":searchAllIamPolicies") {
			return nil, wire.Disabled("Cloud Asset API", assetHost, g.project.Number)
		}
		return nil, &unknownError{"there is no such method in its tables"}
	}
	r.service, r.method = match.Service.Name, match.ID
	if _, err := g.authenticate(tx, r); err != nil {
		return nil, err
	}
	handler := g.services.handler(match)
	if handler == nil {
		return nil, &unknownError{match.ID + " has no state behind it"}
	}
	call, err := g.call(tx, r, match)
	if err != nil {
		return nil, err
	}
	if err := g.enabled(tx, match.Service.Host); err != nil {
		return nil, err
	}
	if err := g.authorize(r, call); err != nil {
		return nil, err
	}
	return handler(call)
}

// assetHost is of an API that the project has not enabled, nor can: of all that it does,
// only who looks for an identity's bindings is told so, and can do without.
const assetHost = "cloudasset.googleapis.com"

func serviceOf(host string) string { return strings.TrimSuffix(host, ".googleapis.com") }

// grant answers a request for a token.
func (g *Gate) grant(tx *store.Tx, r *request) (*api.Reply, error) {
	r.service = "oauth2.token"
	form, err := url.ParseQuery(string(r.body))
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var fields map[string]string
		if err = json.Unmarshal(r.body, &fields); err == nil {
			form = url.Values{}
			for key, v := range fields {
				form.Set(key, v)
			}
		}
	}
	if err != nil {
		return nil, wire.New(400, "Bad Request").With("invalid_request")
	}
	o, err := g.ring.Grant(tx, g.project, form, r.now)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

// authenticate finds who shows the request's token.
func (g *Gate) authenticate(tx *store.Tx, r *request) (token.Holder, error) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		if bearer = r.URL.Query().Get("access_token"); bearer == "" {
			return r.who, unauthenticated("Login Required.", "required", "CREDENTIALS_MISSING", r)
		}
	}
	who, err := g.ring.Holder(tx, g.project, strings.TrimSpace(bearer), r.now)
	switch {
	case errors.Is(err, token.ErrExpired):
		return who, unauthenticated("Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.", "authError", "ACCESS_TOKEN_EXPIRED", r)
	case err != nil:
		return who, unauthenticated("Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.", "authError", "ACCESS_TOKEN_TYPE_UNSUPPORTED", r)
	}
	r.who = who
	return who, nil
}

// unauthenticated is the error for who is not known. Source: google.api
// ErrorReason; recorded replies.
func unauthenticated(message, reason, info string, r *request) error {
	e := wire.New(401, "%s", message).With(reason)
	e.Kind, e.Place = "header", "Authorization"
	e.Details = []any{wire.ErrorInfo(info, "googleapis.com", map[string]string{"service": r.host, "method": r.name()})}
	return e
}

// bare is a call whose body nobody has read.
func (g *Gate) bare(tx *store.Tx, r *request, match route.Match) *api.Call {
	c := &api.Call{Match: match, Tx: tx, Request: r.Request, Query: r.URL.Query(), Content: r.body, Project: g.project, Now: r.now,
		Principal: r.who.Email, Polls: g.c.Polls, Note: g.ledger.AddNote, Audit: func() []store.Object { return g.entries(r.now) }}
	_, c.Path, _ = strings.Cut(c.Key(), "/")
	c.Holds = func(permission, key string) (bool, error) {
		held, err := g.holds(r, rulesNeed(c, permission, key))
		return held || err == nil && g.c.Open, err
	}
	return c
}

// call reads a request's body.
func (g *Gate) call(tx *store.Tx, r *request, match route.Match) (*api.Call, error) {
	c := g.bare(tx, r, match)
	if match.Upload {
		if err := storage.Prepare(c); err != nil {
			return nil, err
		}
	} else if len(bytes.TrimSpace(r.body)) > 0 && match.Request != "" {
		d := json.NewDecoder(bytes.NewReader(r.body))
		if err := d.Decode(&c.Body); err != nil {
			return nil, wire.New(400, "Invalid JSON payload received. %v", err).With("parseError")
		}
	}
	if c.Body == nil && match.Request != "" {
		c.Body = store.Object{}
	}
	return c, nil
}

// enabled refuses a request to an API that is not enabled.
func (g *Gate) enabled(tx *store.Tx, host string) error {
	if apis.Enabled(tx, g.project, host) {
		return nil
	}
	return wire.Disabled(apis.Title(host), host, g.project.Number)
}
