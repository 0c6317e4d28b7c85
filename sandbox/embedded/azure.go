package embedded

import "github.com/whittle-iam/whittle/sandbox/embedded/azure"

// simulateAzure makes a subscription of Azure, gate and state.
func simulateAzure(c Config) (simulation, error) {
	gate, err := azure.New(azure.Config{Subscription: c.Account, Propagation: c.Propagation, Open: c.Open, Audit: c.Audit, Trace: c.Trace, Log: c.Log})
	if err != nil {
		return simulation{}, err
	}
	id, secret := gate.Operator()
	_, tenant := gate.Place()
	return simulation{
		gate: gate, world: gate, access: [2]string{id, secret}, tenant: tenant, ledger: gate.Ledger(),
		domains: domains{"azure.com", "azure.net", "windows.net", "microsoftonline.com", "graph.microsoft.com", "login.microsoft.com", "azurecr.io"},
		close:   gate.Close,
	}, nil
}
