package aws

import (
	"maps"
	"net/http"
	"slices"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// keep bounds what the ledger remembers of each kind.
const keep = 1000

// Unknown is a request that the gate has no row for.
type Unknown struct {
	Service, Operation string // Operation is empty when it could not be read
	Method, Host, Path string
	Detail             string
}

// Count is how often an operation was let through, and how often refused. A
// reply that hides what is missing, and a partial one, count as both.
type Count struct{ Allowed, Refused int }

// ledger is what the operator is told at the end. Gate.mu guards it.
type ledger struct {
	unknown  []Unknown
	problems []error
	counts   map[string]Count
}

// Unknown lists the requests that were answered with 501.
func (g *Gate) Unknown() []Unknown {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.ledger.unknown)
}

// Problems lists what kept the gate from answering as AWS would: a policy that
// it cannot evaluate, a state that fails. Each was answered with 500.
func (g *Gate) Problems() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.ledger.problems)
}

// Stats counts the requests that were authenticated and known, by operation:
// "ec2:CreateVpc".
func (g *Gate) Stats() map[string]Count {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.ledger.counts)
}

func (g *Gate) count(name string, refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.ledger.counts[name]
	if refused {
		c.Refused++
	} else {
		c.Allowed++
	}
	g.ledger.counts[name] = c
}

// fail answers what could not be authenticated or read.
func (g *Gate) fail(w http.ResponseWriter, r *request, f wire.Fault, message string) {
	service := r.claim.Service
	if service == "" {
		service, _ = endpoint(r.Host) // nothing else could be read
	}
	wire.Write(w, r.Request, service, wire.Of(f, wire.StyleOf(service, r.Request), message))
}

// unknown answers what the gate has no row for.
func (g *Gate) unknown(w http.ResponseWriter, r *request, detail string) {
	u := Unknown{Service: r.claim.Service, Operation: r.call.Operation, Method: r.Method, Host: r.Host, Path: r.URL.Path, Detail: detail}
	g.log.Warn("unknown request", "operation", r.name(), "method", r.Method, "host", r.Host, "path", r.URL.Path)
	g.mu.Lock()
	if len(g.ledger.unknown) < keep {
		g.ledger.unknown = append(g.ledger.unknown, u)
	}
	g.mu.Unlock()
	g.fail(w, r, wire.Unimplemented, "Whittle's embedded sandbox cannot answer this request: "+detail)
}

// broken answers what the sandbox itself could not do.
func (g *Gate) broken(w http.ResponseWriter, r *request, err error) {
	g.log.Error("the sandbox failed", "operation", r.name(), "error", err)
	g.mu.Lock()
	if len(g.ledger.problems) < keep {
		g.ledger.problems = append(g.ledger.problems, err)
	}
	g.mu.Unlock()
	g.fail(w, r, wire.Broken, "Whittle's embedded sandbox failed: "+err.Error())
}
