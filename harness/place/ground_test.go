package place

import (
	"testing"

	"github.com/whittle-iam/whittle/harness/catalog/attribute"
	"github.com/whittle-iam/whittle/harness/grant"
)

// What an interrupted run's journal says is held on the whole project is asked for
// anew where it could hold on less.
func TestWider(t *testing.T) {
	ground := NewProject("my-project", "1", []string{"a@b"}, false)
	for g, want := range map[grant.Grant]bool{
		{Permission: "secretmanager.secrets.get", Resource: "*"}:                                                    true,
		{Permission: "iam.serviceAccounts.actAs", Resource: "*"}:                                                    true,
		{Permission: "secretmanager.secrets.get", Resource: "*", Condition: `{"==":{"resource.name":"x"}}`}:         false,
		{Permission: "secretmanager.secrets.get", Resource: "*", Condition: `{"startsWith":{"resource.name":"x"}}`}: true,
		{Permission: "secretmanager.secrets.get", Resource: "*", Condition: `{"==":{"resource.type":"x"}}`}:         true,
		{Permission: "secretmanager.secrets.create", Resource: "*"}:                                                 false,
		{Permission: "compute.networks.get", Resource: "*"}:                                                         false,
		{Permission: "iam.serviceAccounts.actAs", Resource: attribute.Account + "my-project/serviceAccounts/a@b"}:   false,
	} {
		if got := ground.Wider(g); got != want || (*Ground)(nil).Wider(g) {
			t.Errorf("%s: %v, want %v", g, got, want)
		}
	}
}

// What is granted on an account and on the whole project, or on a scope of Azure and on one
// that it lies in, is granted on the wider of the two.
func TestUndoubledPlaces(t *testing.T) {
	const group = "/subscriptions/5a4d0000-0000-4000-8000-000000000001/resourceGroups/rg"
	const vault = group + "/providers/Microsoft.KeyVault/vaults/v"
	read := func(on string) grant.Grant {
		return grant.Grant{Permission: "Microsoft.Network/virtualNetworks/read", Resource: on}
	}
	write := func(on string) grant.Grant {
		return grant.Grant{Permission: "Microsoft.Network/virtualNetworks/write", Resource: on}
	}
	get := func(on string) grant.Grant { return grant.Grant{Permission: "iam.serviceAccounts.get", Resource: on} }
	for _, tt := range []struct{ set, want []grant.Grant }{
		{[]grant.Grant{get("*"), get(attribute.Account + "my-project/serviceAccounts/a@b")}, []grant.Grant{get("*")}},
		{[]grant.Grant{read(vault), write(vault), read(group)}, []grant.Grant{write(vault), read(group)}},
		{[]grant.Grant{read(group), read(group + "2")}, []grant.Grant{read(group), read(group + "2")}},
	} {
		if got := Undoubled(grant.Of(tt.set...)); !got.Equal(grant.Of(tt.want...)) {
			t.Errorf("of %v: %v", tt.set, got.Slice())
		}
	}
}
