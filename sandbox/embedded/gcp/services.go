package gcp

import (
	"maps"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/accounts"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/apis"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/certificates"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/compute"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/container"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/dns"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/iam"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/kms"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/logging"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/monitoring"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/operation"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/pubsub"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/registry"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/secrets"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/signing"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/storage"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/token"
)

// services are the handlers of methods, and the particulars of those that all
// services have alike.
type services struct {
	methods map[string]api.Handler
	hooks   map[string]generic.Hooks
}

func newServices(ring *token.Ring, signer *signing.Signer) services {
	s := services{methods: map[string]api.Handler{}, hooks: map[string]generic.Hooks{
		"artifactregistry": registry.Hooks(), "certificatemanager": certificates.Hooks(), "cloudkms": kms.Hooks(), "compute": compute.Hooks(), "dns": dns.Hooks(),
		"logging": logging.Hooks(), "monitoring": monitoring.Hooks(), "pubsub": pubsub.Hooks(), "secretmanager": secrets.Hooks(),
	}}
	for _, m := range []map[string]api.Handler{
		ring.Handlers(), signer.Handlers(), accounts.Handlers(), apis.Handlers(), compute.Handlers(), container.Handlers(), dns.Handlers(), kms.Handlers(), logging.Handlers(), monitoring.Handlers(),
		pubsub.Handlers(), secrets.Handlers(), storage.Handlers(),
	} {
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
	case m.Service.Name == "cloudkms" && !kms.Serves(m.Collection(), m.Verb()):
		return nil
	case iam.Serves(m.Verb()):
		return iam.Handle
	case operation.Serves(m.ID):
		return operation.Handle
	case others[m.Collection()] || m.Service.Name == "dns" && !dns.Serves(m.Collection(), m.Verb()):
		return nil
	case served && generic.Serves(m.Method):
		return func(c *api.Call) (*api.Reply, error) { return generic.Handle(c, hooks) }
	}
	return nil
}

// others are collections that Google fills, not the project: an empty list would
// be a false answer.
var others = map[string]bool{"locations": true, "monitoredResourceDescriptors": true, "notificationChannelDescriptors": true, "uptimeCheckIps": true,
	"alerts": true, "members": true, "recentQueries": true, "prewarmedArtifacts": true}

// seedAPIs enables APIs: nil means all that the sandbox has.
func seedAPIs(c *api.Call, enabled []string) {
	if enabled == nil {
		enabled = route.Hosts()
	}
	for _, host := range append([]string{"serviceusage.googleapis.com"}, enabled...) {
		if strings.HasSuffix(host, ".googleapis.com") {
			apis.Seed(c.Tx, c.Project, host)
		}
	}
}
