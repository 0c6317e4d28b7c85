package scope

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	ours  = "5a4d0000-0000-4000-8000-00000000000a"
	root  = "/subscriptions/" + ours
	rg    = root + "/resourceGroups/rg"
	vault = rg + "/providers/Microsoft.KeyVault/vaults/v"
	vnet  = rg + "/providers/Microsoft.Network/virtualNetworks/n"
)

var ground = GroundOf(ours, []string{
	strings.ToUpper(root) + "/resourceGroups/rg", strings.Replace(vault, "/rg/", "/RG/", 1), vnet, vnet + "/subnets/s", rg + "/providers/Microsoft.Storage/storageAccounts/acct/",
	root + "/resourceGroups/rg-{team}", root + "/resourceGroups/a*", root + "/providers/Microsoft.Network/locations/x", "/subscriptions/other/resourceGroups/foreign", "",
})

func TestOf(t *testing.T) {
	for _, tt := range []struct{ refused, at, why string }{
		{rg, rg, ""},
		{strings.ToLower(rg) + "/", rg, ""},
		{rg + "/providers/Microsoft.Network/networkSecurityGroups/new", rg, ""},
		{strings.ToLower(vault) + "/secrets/one", vault, ""},
		{vault + "/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555", vault, ""},
		{vnet + "/subnets/s", vnet + "/subnets/s", ""},
		{vnet + "/subnets/new", vnet, ""},
		{rg + "2", Everywhere, NotThere}, // that its name begins alike makes it no part
		{rg + "2/providers/Microsoft.KeyVault/vaults/v", Everywhere, NotThere},
		{root, Everywhere, AskedOf},
		{root + "/providers/Microsoft.Network/locations/x", Everywhere, AskedOf},
		{root + "/resourceGroups/a*", Everywhere, NotThere},
		{root + "/resourceGroups/rg-{team}/providers/x/y/z", Everywhere, NotThere},
		{"/subscriptions/other/resourceGroups/foreign", Everywhere, NoName},
		{root + "0/resourceGroups/rg", Everywhere, NoName},
		{"/", Everywhere, NoName}, {"", Everywhere, NoName}, {"*", Everywhere, NoName},
	} {
		if at, why := ground.Of(tt.refused); at != tt.at || why != tt.why {
			t.Errorf("%s: %s, %q; want %s, %q", tt.refused, at, why, tt.at, tt.why)
		}
	}
}

// What is granted always holds on what was refused, is something that was there or the
// subscription, and nothing narrower of what was there would do.
func TestOfIsNarrowest(t *testing.T) {
	part := rapid.SampledFrom([]string{"resourceGroups", "RG", "rg", "providers", "p", "t", "a", "A", "b"})
	id := rapid.Custom(func(t *rapid.T) string {
		return root + "/resourceGroups/" + strings.Join(rapid.SliceOfN(part, 1, 5).Draw(t, "parts"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		there, refused := rapid.SliceOfN(id, 0, 6).Draw(t, "there"), id.Draw(t, "refused")
		g := GroundOf(ours, there)
		at, why := g.Of(refused)
		if !Holds(at, refused) || (at == Everywhere) != (why != "") || at != Everywhere && !g.Has(at) {
			t.Fatalf("%s is granted on %s, %q", refused, at, why)
		}
		for _, one := range there {
			if Holds(one, refused) && (at == Everywhere || len(one) > len(at)) {
				t.Fatalf("%s is granted on %s, and %s was there", refused, at, one)
			}
		}
	})
}

func TestServed(t *testing.T) {
	for host, want := range map[string]string{
		"V.vault.azure.net": vault, "acct.blob.core.windows.net": rg + "/providers/Microsoft.Storage/storageAccounts/acct",
		"acct-secondary.dfs.core.windows.net": rg + "/providers/Microsoft.Storage/storageAccounts/acct",
		"v2.vault.azure.net":                  "", "a.b.vault.azure.net": "", ".vault.azure.net": "", "vault.azure.net": "", "v.vault.azure.net.example.com": "", "management.azure.com": "",
	} {
		end, _ := Served(host)
		id, ok := ground.Ending(end)
		if end == "" {
			id, ok = "", false
		}
		if id != want || ok != (want != "") {
			t.Errorf("%s is of %q, want %q", host, id, want)
		}
	}
}
