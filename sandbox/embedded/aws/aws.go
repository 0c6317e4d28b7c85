// Package aws is the gate of the embedded AWS sandbox: an HTTP handler that
// stands for the APIs of AWS before the state in moto.
//
// For each request it verifies the signature, looks up in its own tables
// (package rules) which permissions AWS checks, evaluates the account's IAM
// documents, and refuses in the service's own form. Only then does the request
// reach the state. A request without a row in the tables is answered with 501
// and listed in the [Gate.Ledger]: it is never let through.
//
// STS is the gate's own: it alone knows who is authenticated. All else is
// moto's, and no reply of success is made without asking it.
//
// It does not listen on a network and knows nothing of TLS; package embedded
// does.
package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/facts"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/moto"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/sigv4"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/sts"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
	"github.com/whittle-iam/whittle/sandbox/embedded/propagation"
	"github.com/whittle-iam/whittle/sandbox/embedded/trace"
)

// maxBody is the largest request that is taken, in bytes.
const maxBody = 256 << 20

// stateTimeout bounds one request to the state.
const stateTimeout = 2 * time.Minute

// Options say how the gate behaves.
type Options struct {
	// State is the account's state; the gate does not close it.
	State *moto.Host
	// Account is the twelve digits of the account in State.
	Account string
	// Propagation is how long a change of IAM takes to be in force, a grant as
	// well as a revocation; 0 is at once.
	Propagation time.Duration
	// Open lets everything through that is authenticated and known. It is for
	// tests that must then fail.
	Open bool
	// Forms chooses between forms of refusals that AWS has had at different
	// times; the zero value is EC2's of today and S3's bare one.
	Forms wire.Forms
	// Audit is what goes wrong between a request and the event history.
	Audit auditlog.Faults
	// Trail is a trail that delivers to S3; of an empty bucket there is none.
	Trail Trail
	// Trace is called with every request that was authenticated and known, when
	// it has been answered; from many goroutines. Nil means that nobody listens.
	Trace func(trace.Trace)
	// Log takes one line for each request, without anything secret. Nil
	// discards.
	Log *slog.Logger
}

// Gate is the handler. It is safe for use by many goroutines.
type Gate struct {
	o        Options
	log      *slog.Logger
	book     *facts.Book
	timeline propagation.Timeline[*account.View]
	sts      sts.Service

	// world is held for reading by every request, for writing while the state
	// is kept or brought back.
	world     sync.RWMutex
	snapshots map[string]map[string]sts.Key

	// reading keeps two reads of the account's IAM from overtaking each other.
	reading sync.Mutex
	reader  account.Reader

	ledger ledger.Ledger
	audit  auditlog.Log
	trail  trailFiles
}

// New makes a gate before a state.
func New(ctx context.Context, o Options) (*Gate, error) {
	sealer, err := sts.NewSealer()
	if err != nil {
		return nil, err
	}
	g := &Gate{
		o: o, log: o.Log, book: &facts.Book{State: o.State}, timeline: propagation.Timeline[*account.View]{Delay: o.Propagation},
		sts:    sts.Service{Ring: sts.NewRing(o.Account), Sealer: sealer, Account: o.Account, State: o.State},
		reader: account.Reader{State: o.State}, snapshots: map[string]map[string]sts.Key{},
		audit: auditlog.Log{Faults: o.Audit},
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	view, err := g.reader.Read(ctx)
	if err != nil {
		return nil, err
	}
	g.timeline.Reset(view)
	return g, nil
}

// Ledger is what the operator is told at the end.
func (g *Gate) Ledger() *ledger.Ledger { return &g.ledger }

// Operator gives the credentials of the sandbox's administrator. He is not in
// the account's state: no stack can find or remove him.
func (g *Gate) Operator() (accessKeyID, secret string) {
	k := g.sts.Ring.Operator()
	return k.ID, k.Secret
}

// Snapshot keeps the state and the access keys, and gives the name to restore
// them by.
func (g *Gate) Snapshot(ctx context.Context) (string, error) {
	g.world.Lock()
	defer g.world.Unlock()
	id, err := g.o.State.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	g.snapshots[id] = g.sts.Ring.Keys()
	return id, nil
}

// Restore brings back what Snapshot kept; it can be repeated. The IAM of then
// is in force at once. Sessions stay valid as long as their role exists.
func (g *Gate) Restore(ctx context.Context, id string) error {
	g.world.Lock()
	defer g.world.Unlock()
	if err := g.o.State.Restore(ctx, id); err != nil {
		return err
	}
	view, err := g.reader.Read(ctx)
	if err != nil {
		return fmt.Errorf("restore %s: %w", id, err)
	}
	g.timeline.Reset(view)
	g.book.Forget()
	g.sts.Ring.SetKeys(g.snapshots[id])
	return nil
}

// request is one request on its way through the gate.
type request struct {
	*http.Request               // without its signature, once it is verified
	received      *http.Request // as it came
	body          []byte
	claim         sigv4.Claim
	who           account.Principal
	call          rules.Call
	view          *account.View // the IAM in force
	scope         rules.Scope
	facts         map[string][]string // condition keys of request and principal
	params        url.Values          // of the query protocol
	refused       bool
	told          [2]string // the error of a refusal, for the event history
}

// name is the operation as it is counted and logged.
func (r *request) name() string {
	service := r.call.Service
	if service == "" {
		service = r.claim.Service
	}
	return service + ":" + r.call.Operation
}

// ServeHTTP answers one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &request{Request: hr, received: hr}
	var err error
	if r.body, err = io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody)); err != nil {
		g.fail(w, r, wire.Invalid, fmt.Sprintf("the request's body cannot be read, or is larger than %d bytes: %v", maxBody, err))
		return
	}
	g.world.RLock()
	defer g.world.RUnlock()
	// A client that hangs up does not undo what it asked for: the state and the
	// gate's view of it must stay of one mind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(hr.Context()), stateTimeout)
	defer cancel()
	began := time.Now()
	answer := &recorder{ResponseWriter: w}
	g.serve(ctx, answer, r)
	g.trace(r, began, answer.status)
	g.log.Debug("request", "operation", r.name(), "principal", r.who.ARN, "status", answer.status, "took", time.Since(began))
}

// trace tells who listens what became of a request.
func (g *Gate) trace(r *request, began time.Time, status int) {
	if r.call.Source == "" {
		return
	}
	t := trace.Trace{Error: r.told, Time: began, Principal: r.who.ARN, Agent: r.received.UserAgent(), Operation: r.name(), Status: status, Refused: r.refused}
	needs := r.call.Needs
	if r.call.HideMissing != nil && status == http.StatusNotFound {
		needs = append(needs[:len(needs):len(needs)], *r.call.HideMissing)
	}
	for _, n := range needs {
		t.Needs = append(t.Needs, trace.Needed{Action: n.Action, Resource: n.Resource})
	}
	if g.o.Trace != nil {
		g.o.Trace(t)
	}
	g.record(r, t)
}

func (g *Gate) serve(ctx context.Context, w http.ResponseWriter, r *request) {
	if fault, message := g.authenticate(ctx, r); message != "" || fault != nil {
		f := wire.Malformed
		if fault != nil {
			f = *fault
		}
		g.fail(w, r, f, message)
		return
	}
	if err := r.plain(); err != nil {
		g.fail(w, r, wire.Invalid, err.Error())
		return
	}
	r.view = g.timeline.InForce(time.Now())
	r.scope = rules.Scope{Partition: partition(r.claim.Region), Account: g.o.Account, Region: r.claim.Region, Service: r.claim.Service}
	if e := r.view.Users[r.who.User]; e != nil && r.who.User != "" {
		r.scope.User = strings.TrimPrefix(e.Path+e.Name, "/")
	}
	lookup := facts.Lookup{Book: g.book, Region: r.claim.Region, View: g.timeline.Latest(), Owner: g.sts.Ring.Owner}
	call, err := rules.Read(ctx, r.received, r.body, r.scope, lookup)
	var unknown *rules.UnknownError
	var malformed *rules.MalformedError
	switch {
	case errors.As(err, &unknown):
		r.call.Operation = unknown.Operation
		g.unknown(w, r, unknown.Error())
		return
	case errors.As(err, &malformed):
		g.fail(w, r, wire.Invalid, malformed.Error())
		return
	case err != nil:
		g.broken(w, r, err)
		return
	}
	r.call = call
	r.facts = g.context(r)
	refused, err := g.refused(ctx, r)
	if err != nil {
		g.broken(w, r, err)
		return
	}
	if refused != nil {
		g.refuse(w, r, *refused)
		return
	}
	g.ledger.Add(r.name(), false)
	answer := g.own(r)
	switch {
	case answer != nil:
		if err := answer(ctx, w, r); err != nil {
			g.broken(w, r, err)
		}
	case call.Service == "sts":
		g.token(ctx, w, r)
	case call.Partial:
		g.partial(ctx, w, r)
	default:
		g.forward(ctx, w, r)
	}
}

// token answers a request to STS, which is the gate's own.
func (g *Gate) token(ctx context.Context, w http.ResponseWriter, r *request) {
	err := g.sts.Serve(ctx, w, sts.Call{
		Request: r.Request, Operation: r.call.Operation, Params: r.params, Who: r.who,
		Session: r.claim.Token != "", View: r.view, Partition: r.scope.Partition,
	})
	var not *sts.NotServedError
	switch {
	case errors.As(err, &not):
		g.unknown(w, r, not.Error())
	case err != nil:
		g.broken(w, r, err)
	}
}

// partition is the group of regions that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// plain takes the signature off the request, and reads its form.
func (r *request) plain() (err error) {
	if r.Request, r.body, err = r.claim.Strip(r.Request, r.body); err != nil {
		return err
	}
	r.params = r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(r.body))
		if err != nil {
			return fmt.Errorf("the form cannot be read: %w", err)
		}
		maps.Copy(r.params, form)
	}
	return nil
}

// hopByHop are the headers that concern one connection only (RFC 9110, 7.6.1).
var hopByHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"}

// ask sends a request to the state.
func (g *Gate) ask(ctx context.Context, r *request, body []byte) (*http.Response, []byte, error) {
	out := r.Request.Clone(ctx)
	for _, name := range hopByHop {
		out.Header.Del(name)
	}
	out.Header.Set("Authorization", moto.Scope(r.claim.AccessKeyID, r.claim.Region, r.claim.Service))
	out.RequestURI = ""
	out.Body = io.NopCloser(bytes.NewReader(body))
	out.ContentLength = int64(len(body))
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	reply, err := g.o.State.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, nil, err
	}
	if err := unanswered(r.name(), g.o.State.Version(), reply.StatusCode, text); err != nil {
		return nil, nil, err
	}
	return reply, text, nil
}

// unanswered tells whether the state had no answer of the service's own. A page
// for people is moto's framework speaking, not moto: it has no such path.
func unanswered(name, version string, status int, text []byte) error {
	page := bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(text)), []byte("<!doctype"))
	why := fmt.Sprintf(": %.300s", text)
	if page {
		why = ""
	}
	switch {
	case status == http.StatusNotImplemented, status >= 400 && status < 500 && page:
		return fmt.Errorf("moto %s, which keeps the state, does not have %s%s", version, name, why)
	case status >= 500:
		return fmt.Errorf("moto %s, which keeps the state, fails at %s with status %d%s", version, name, status, why)
	}
	return nil
}

// forward sends the request to the state and the reply to the client.
func (g *Gate) forward(ctx context.Context, w http.ResponseWriter, r *request) {
	reply, body, err := g.ask(ctx, r, r.body)
	if err == nil && reply.StatusCode < 300 {
		err = g.changed(ctx, r, body)
	}
	if err != nil {
		g.broken(w, r, err)
		return
	}
	if reply.StatusCode == http.StatusNotFound && r.call.HideMissing != nil {
		hidden, err := g.hidden(ctx, r, body)
		if err != nil {
			g.broken(w, r, err)
			return
		}
		if hidden != nil {
			g.refuse(w, r, *hidden)
			return
		}
	}
	g.pass(w, r, reply, body)
}

// pass gives a reply of the state to the client.
func (g *Gate) pass(w http.ResponseWriter, r *request, reply *http.Response, body []byte) {
	header := w.Header()
	for k, v := range reply.Header {
		header[k] = v
	}
	for _, name := range append(hopByHop, "Server", "Status") {
		header.Del(name)
	}
	style := wire.StyleOf(r.claim.Service, r.Request)
	wire.NewIDs(style).Stamp(header, style)
	if r.Method != http.MethodHead {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(reply.StatusCode)
	w.Write(body) //nolint:errcheck // the client hung up
}

// changed keeps the gate's own knowledge true after a request that succeeded.
func (g *Gate) changed(ctx context.Context, r *request, reply []byte) error {
	for _, reading := range []string{"Get", "List", "Describe", "Head"} {
		if strings.HasPrefix(r.call.Operation, reading) {
			return nil
		}
	}
	g.book.Forget()
	if r.call.Service != "iam" {
		return nil
	}
	if err := g.sts.Ring.Learn(r.call.Operation, r.params, reply); err != nil {
		return err
	}
	g.reading.Lock()
	defer g.reading.Unlock()
	view, err := g.reader.Read(ctx)
	if err != nil {
		return err
	}
	g.timeline.Add(time.Now(), view)
	return nil
}

// recorder notes the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
