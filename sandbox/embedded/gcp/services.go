package gcp

import (
	"maps"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/accounts"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
)

// services are the handlers of methods, and the particulars of those that all
// services have alike.
type services struct {
	methods map[string]api.Handler
	hooks   map[string]generic.Hooks
}

func newServices(ring *token.Ring) services {
	s := services{methods: map[string]api.Handler{}, hooks: map[string]generic.Hooks{"compute": compute.Hooks()}}
	for _, m := range []map[string]api.Handler{ring.Handlers(), accounts.Handlers(), compute.Handlers()} {
		maps.Copy(s.methods, m)
	}
	return s
}

// handler is what serves a method, nil when nothing does.
func (s services) handler(m route.Match) api.Handler {
	hooks, served := s.hooks[m.Service.Name]
	switch {
	case s.methods[m.ID] != nil:
		return s.methods[m.ID]
	case iam.Serves(m.Verb()):
		return iam.Handle
	case operation.Serves(m.ID):
		return operation.Handle
	case served && generic.Serves(m.Method):
		return func(c *api.Call) (*api.Reply, error) { return generic.Handle(c, hooks) }
	}
	return nil
}

// alwaysOn are the hosts that need not be enabled.
var alwaysOn = []string{"serviceusage.googleapis.com", "www.googleapis.com", "oauth2.googleapis.com", "sts.googleapis.com"}

// titles are the names of APIs, as people read them.
var titles = map[string]string{
	"artifactregistry": "Artifact Registry API", "certificatemanager": "Certificate Manager API", "cloudresourcemanager": "Cloud Resource Manager API",
	"compute": "Compute Engine API", "container": "Kubernetes Engine API", "dns": "Cloud DNS API", "iam": "Identity and Access Management (IAM) API",
	"iamcredentials": "IAM Service Account Credentials API", "logging": "Cloud Logging API", "monitoring": "Cloud Monitoring API", "pubsub": "Cloud Pub/Sub API",
	"secretmanager": "Secret Manager API", "serviceusage": "Service Usage API", "storage": "Cloud Storage API",
}

func title(host string) string {
	if t := titles[serviceOf(host)]; t != "" {
		return t
	}
	return host
}

// apiKey is the name in the store of an API's enablement.
func apiKey(project, host string) string {
	return "serviceusage/projects/" + project + "/services/" + host
}

// seedAPIs enables APIs: nil means all that the sandbox has.
func seedAPIs(c *api.Call, enabled []string) {
	if enabled == nil {
		enabled = route.Hosts()
	}
	for _, host := range append([]string{"serviceusage.googleapis.com"}, enabled...) {
		if !strings.HasSuffix(host, ".googleapis.com") {
			continue
		}
		c.Tx.Put(apiKey(c.Project.ID, host), store.Object{"name": "projects/" + c.Project.Number + "/services/" + host,
			"parent": "projects/" + c.Project.Number, "state": "ENABLED", "config": store.Object{"name": host, "title": title(host)}})
	}
}

type specialHandler func(tx *store.Tx, r *request) (*api.Reply, error)

// special is what serves a request that no discovery document describes.
func (g *Gate) special(*request) specialHandler { return nil }
