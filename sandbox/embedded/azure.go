package embedded

import "github.com/whittle-iam/whittle/sandbox/embedded/azure"

// simulateAzure makes a subscription of Azure, gate and state.
func simulateAzure(c Config) (simulation, error) {
	gate, err := azure.New(azure.Config{Subscription: c.Account, Propagation: c.Propagation, Open: c.Open, Trace: c.Trace, Log: c.Log})
	if err != nil {
		return simulation{}, err
	}
	id, secret := gate.Operator()
	_, tenant := gate.Place()
	ledger := gate.Ledger()
	return simulation{
		gate: gate, world: gate, access: [2]string{id, secret}, tenant: tenant, problems: ledger.Problems,
		domains: domains{"azure.com", "azure.net", "windows.net", "microsoftonline.com", "graph.microsoft.com", "login.microsoft.com", "azurecr.io"},
		unknown: func() []UnknownRequest {
			var list []UnknownRequest
			for _, u := range ledger.Unknown() {
				list = append(list, UnknownRequest(u))
			}
			return list
		},
		stats: func() map[string]Count {
			stats := map[string]Count{}
			for name, n := range ledger.Stats() {
				stats[name] = Count(n)
			}
			return stats
		},
		close: gate.Close,
	}, nil
}
