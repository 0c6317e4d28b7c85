package gcp

import (
	"net/http"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/registry"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/signing"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/storage"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

type specialHandler func(tx *store.Tx, r *request) (*api.Reply, error)

// special is what serves a request that no discovery document describes, nil
// when one does.
func (g *Gate) special(r *request) specialHandler {
	switch {
	case r.host == "openidconnect.googleapis.com" && r.URL.Path == "/v1/userinfo" && r.Method == http.MethodGet:
		return g.openID
	case signing.Publishes(r.host, r.URL.Path) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return g.published
	case storage.IsXML(r.host, r.URL.Path):
		return g.storageXML
	case registry.IsDocker(r.host) && r.URL.Path == "/v2/token":
		return g.dockerToken
	case registry.IsDocker(r.host):
		return g.docker
	}
	return nil
}

// openID tells who shows a token, as OpenID Connect has it; nothing is checked.
func (g *Gate) openID(tx *store.Tx, r *request) (*api.Reply, error) {
	r.service, r.method = "openidconnect", "openidconnect.userinfo.get"
	if _, err := g.authenticate(tx, r); err != nil {
		return nil, err
	}
	return api.OK(store.Object{"sub": api.Fingerprint(r.who.Email), "email": r.who.Email, "email_verified": true})
}

// published gives public keys to anybody.
func (g *Gate) published(tx *store.Tx, r *request) (*api.Reply, error) {
	r.service = "certs"
	return g.signer.Published(tx, g.project, r.host, r.URL.Path, r.now)
}

// pass authorizes a call that no discovery document describes.
func (g *Gate) pass(tx *store.Tx, r *request, c *api.Call, host string) error {
	if err := g.enabled(tx, host); err != nil {
		return err
	}
	return g.authorize(r, c)
}

// storageXML serves Cloud Storage's XML API, to who shows a token or signs with
// an HMAC key.
func (g *Gate) storageXML(tx *store.Tx, r *request) (*api.Reply, error) {
	r.service = "storage.xml"
	if storage.Signed(r.Request) {
		email, err := storage.Signer(tx, g.project, r.Request, r.body, r.now)
		if err != nil {
			return nil, err
		}
		if _, err := token.Account(tx, g.project, email); err != nil {
			return nil, wire.New(403, "The account of the access key is not there, or disabled.").With("InvalidAccessKeyId")
		}
		r.who = token.Holder{Email: email}
	} else if _, err := g.authenticate(tx, r); err != nil {
		return nil, err
	}
	x, ok := storage.ReadXML(r.Request, r.host, g.project.ID, r.body)
	if !ok {
		return nil, &unknownError{"the XML API has no such operation here"}
	}
	r.method = x.Match.ID
	c := g.bare(tx, r, x.Match)
	c.Query, c.Body, c.Content = x.Query, x.Body, x.Content
	if x.Match.ID == "storage.objects.insert" {
		c.Upload = true
	}
	if err := g.pass(tx, r, c, "storage.googleapis.com"); err != nil {
		return nil, err
	}
	reply, err := g.services.handler(x.Match)(c)
	if err != nil {
		return nil, storage.XMLError(err)
	}
	return x.Present(reply)
}

// docker serves the registry protocol of Artifact Registry.
func (g *Gate) docker(tx *store.Tx, r *request) (*api.Reply, error) {
	r.service = "docker"
	if err := g.dockerLogin(tx, r); err != nil {
		return nil, err
	}
	if r.URL.Path == "/v2/" || r.URL.Path == "/v2" {
		return &api.Reply{Object: store.Object{}, Header: http.Header{"Docker-Distribution-Api-Version": {"registry/2.0"}}}, nil
	}
	d, ok := registry.ReadDocker(r.host, r.Request)
	if !ok {
		return nil, &unknownError{"the registry has no such operation here"}
	}
	r.method = d.Method.ID
	c := g.bare(tx, r, route.Match{Method: d.Method, Path: d.Path})
	if err := g.pass(tx, r, c, "artifactregistry.googleapis.com"); err != nil {
		return nil, err
	}
	return d.Serve(c)
}

// challenge is how the registry asks who it is: by a token of its own. Source:
// Distribution, "Token authentication specification".
func challenge(host string) error {
	e := wire.New(401, "Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\" on the resource (or it may not exist)").With("UNAUTHORIZED")
	e.Challenge = `Bearer realm="https://` + host + `/v2/token",service="` + host + `"`
	return e
}

// dockerLogin finds who asks: by a token, or by a user name and password.
func (g *Gate) dockerLogin(tx *store.Tx, r *request) error {
	user, password, basic := r.BasicAuth()
	if !basic {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			if _, err := g.authenticate(tx, r); err == nil {
				return nil
			}
		}
		return challenge(r.host)
	}
	who, err := g.ring.Login(tx, g.project, user, password, r.now)
	if err != nil {
		return challenge(r.host)
	}
	r.who = who
	return nil
}

// dockerToken gives a token for a user name and password.
func (g *Gate) dockerToken(tx *store.Tx, r *request) (*api.Reply, error) {
	r.service = "docker"
	if err := g.dockerLogin(tx, r); err != nil {
		return nil, err
	}
	t := g.ring.For(r.who, r.now)
	return api.OK(store.Object{"token": t, "access_token": t, "expires_in": 3599.0, "issued_at": api.Time(r.now)})
}
