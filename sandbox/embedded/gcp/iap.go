package gcp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/guest"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/tunnel"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
	"github.com/whittle-iam/whittle/sandbox/embedded/host"
	"github.com/whittle-iam/whittle/sandbox/embedded/ledger"
)

// serveTunnel serves a request for a tunnel through Identity-Aware Proxy. Who
// asks is authenticated by HTTP; all that is refused after it, by the end of the
// WebSocket. Nothing of the state is held while a tunnel is open.
func (g *Gate) serveTunnel(w http.ResponseWriter, hr *http.Request) {
	g.tunnels.Add(1)
	defer g.tunnels.Done()
	r := &request{Request: hr, host: host.Name(hr.Host), now: g.c.Now(), service: "iap"}
	began := time.Now()
	status, err := g.tunnel(w, r, began)
	g.c.Log.Debug("tunnel", "principal", r.who.Email, "status", status, "took", time.Since(began), "error", err)
}

// tunnel gives the status of the request's reply, once that is known.
func (g *Gate) tunnel(w http.ResponseWriter, r *request, began time.Time) (int, error) {
	to, id, err := g.mayTunnel(r)
	var told *wire.Error
	var refused *refusedError
	switch {
	case errors.Is(err, tunnel.ErrUnknown):
		g.ledger.AddUnknown(ledger.Unknown{Service: "iap", Method: r.Method, Host: r.host, Path: r.URL.Path, Detail: err.Error()})
		told = wire.New(501, "Whittle's embedded sandbox cannot answer this request: %v", err)
	case errors.As(err, &refused):
		r.refused = true
		g.ledger.Add(r.method, true)
		g.trace(r, began, http.StatusSwitchingProtocols)
		return http.StatusSwitchingProtocols, tunnel.Refuse(w, r.Request, tunnel.NotAuthorized)
	case errors.As(err, &told):
	case err != nil:
		g.ledger.AddProblem(err)
		told = wire.New(500, "Whittle's embedded sandbox failed: %v", err)
	}
	if told != nil {
		wire.Write(w, wire.FormOf(r.service), told)
		return told.Code, err
	}
	g.ledger.Add(r.method, false)
	g.trace(r, began, http.StatusSwitchingProtocols)
	ctx := r.Context()
	backend, err := g.fleet.DialID(ctx, id, to.Port)
	if err != nil {
		closing := tunnel.NoBackend
		if errors.Is(err, guest.ErrNoInstance) {
			closing = tunnel.NoInstance
		}
		return http.StatusSwitchingProtocols, errors.Join(err, tunnel.Refuse(w, r.Request, closing))
	}
	// The request's own context ends when its connection is taken over.
	return http.StatusSwitchingProtocols, tunnel.Relay(context.WithoutCancel(ctx), w, r.Request, api.Fingerprint(r.who.Email+to.Instance+began.String()), backend)
}

// mayTunnel finds who asks for which instance, and checks that he may: that
// there is none is told only to who may.
func (g *Gate) mayTunnel(r *request) (to tunnel.Target, id string, err error) {
	g.world.RLock()
	defer g.world.RUnlock()
	err = g.state.Do(func(tx *store.Tx) error {
		if _, err := g.authenticate(tx, r); err != nil {
			return err
		}
		var err error
		if to, err = tunnel.Read(r.Request); err != nil {
			return err
		}
		r.method = "tunnel.instances.connect"
		c := g.bare(tx, r, route.Match{Method: &route.Method{ID: r.method, HTTP: r.Method, Service: route.ByID("compute.instances.get").Service},
			Path: "projects/" + to.Project + "/zones/" + to.Zone + "/instances/" + to.Instance})
		if err := g.authorize(r, c); err != nil {
			return err
		}
		vm, _ := tx.Get(c.Key())
		id = api.String(vm, "id")
		return nil
	})
	return to, id, err
}
