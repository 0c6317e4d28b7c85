package embedded

import (
	"slices"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

// roleAPIs are what roles and accounts are made through: without them nobody
// could be probed.
var roleAPIs = []string{"cloudresourcemanager.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com"}

// simulateGCP makes a project of Google Cloud, gate and state.
func simulateGCP(c Config) (simulation, error) {
	enabled := c.APIs
	if enabled != nil {
		enabled = append(slices.Clone(enabled), roleAPIs...)
	}
	gate, err := gcp.New(gcp.Config{Project: c.Account, Enabled: enabled, DefaultNetwork: true, Propagation: c.Propagation, Open: c.Open,
		Audit: c.Audit, DataAccess: c.DataAccess, Trace: c.Trace, Log: c.Log})
	if err != nil {
		return simulation{}, err
	}
	return simulation{
		gate: gate, world: gate, access: [2]string{gate.Operator()}, ledger: gate.Ledger(),
		domains:  domains{"googleapis.com", "pkg.dev", "gcr.io", "accounts.google.com", "tunnel.cloudproxy.app"},
		instance: gate.DialInstance,
		close:    gate.Close,
	}, nil
}
