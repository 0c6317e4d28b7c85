package aws

import (
	"net/http"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
)

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
	u := ledger.Unknown{Service: r.claim.Service, Operation: r.call.Operation, Method: r.Method, Host: r.Host, Path: r.URL.Path, Detail: detail}
	g.log.Warn("unknown request", "operation", r.name(), "method", r.Method, "host", r.Host, "path", r.URL.Path)
	g.ledger.AddUnknown(u)
	g.fail(w, r, wire.Unimplemented, "Whittle's embedded sandbox cannot answer this request: "+detail)
}

// broken answers what the sandbox itself could not do.
func (g *Gate) broken(w http.ResponseWriter, r *request, err error) {
	g.log.Error("the sandbox failed", "operation", r.name(), "error", err)
	g.ledger.AddProblem(err)
	g.fail(w, r, wire.Broken, "Whittle's embedded sandbox failed: "+err.Error())
}
