package azure

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/harness/policy/jsontree"
)

func roles() *rapid.Generator[Role] {
	return rapid.Custom(func(t *rapid.T) Role {
		actions := rapid.SliceOfN(rapid.OneOf(rapid.Just("*"), rapid.StringMatching(`Microsoft\.[A-Z][a-z]{1,4}/(\*|[a-zA-Z]{1,5})/(read|write|join/action|\*)`)), 0, 4)
		return Role{
			Name: rapid.StringN(1, 20, 60).Draw(t, "name"), Description: rapid.StringN(0, 20, 60).Draw(t, "description"),
			AssignableScopes: []string{"/subscriptions/s"},
			Permissions: []Permission{{
				Actions: append(actions.Draw(t, "actions"), "Microsoft.Compute/disks/read"), NotActions: actions.Draw(t, "not actions"),
				DataActions: actions.Draw(t, "data actions"), NotDataActions: actions.Draw(t, "not data actions"),
			}},
		}
	})
}

// Both forms are read back as they were written.
func TestParseOfPrint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := roles().Draw(t, "role")
		cli, err := want.Print()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{cli, want.PrintARM()} {
			got, err := Parse(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s\n%s", diff, text)
			}
		}
	})
	if _, err := (Role{Permissions: []Permission{{}, {}}}).Print(); err == nil {
		t.Error("the az CLI's form has room for two sets of actions")
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"Actions": ["*"], "actions": ["*"]}`, "is there twice"},
		{`{"Actions": "*"}`, "no list"},
		{`{"Actions": [1]}`, "no text"},
		{`{"Name": 1, "Actions": ["*"]}`, "no text"},
		{`{"permissions": {}}`, "no list"},
		{`{"permissions": [1]}`, "no object"},
		{`{"properties": {"permissions": [{"actions": ["a b"]}]}}`, "is no action"},
		{`{"NotActions": ["*"]}`, "allows nothing"},
		{`[]`, "holds 0 roles"},
		{`"x"`, "no object"},
		{`{`, "not JSON"},
	} {
		r, err := Parse([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, new(*jsontree.Error)) || !cmp.Equal(r, Role{}) {
			t.Errorf("%s: %v, %v", tt.text, r, err)
		}
	}
}

func TestPlanes(t *testing.T) {
	for action, want := range map[string]bool{
		"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read":                           true,
		"Microsoft.Storage/storageAccounts/blobServices/containers/read":                                 false,
		"Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action":                false,
		"microsoft.storage/storageaccounts/queueservices/queues/messages/add/action":                     true,
		"Microsoft.KeyVault/vaults/secrets/getSecret/action":                                             true,
		"Microsoft.KeyVault/vaults/secrets/read":                                                         false,
		"Microsoft.KeyVault/vaults/accessPolicies/write":                                                 false,
		"Microsoft.KeyVault/vaults/deploy/action":                                                        false,
		"Microsoft.Network/virtualNetworks/subnets/join/action":                                          false,
		"Microsoft.ServiceBus/namespaces/messages/send/action":                                           true,
		"Microsoft.ContainerRegistry/registries/pull/read":                                               false,
		"Microsoft.Storage/storageAccounts/tableServices/tables/entities/read":                           true,
		"Microsoft.Storage/storageAccounts/fileServices/fileshares/files/read":                           true,
		"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action/extra": true,
	} {
		if IsData(action) != want {
			t.Errorf("%s: %t", action, !want)
		}
	}
	for class, want := range map[string]bool{
		"DELETE {}.vault.azure.net/secrets/{}":               true,
		"PUT management.azure.com/subscriptions/{}/vaults/x": false,
		"GET {}.blob.core.windows.net/{}":                    false,
		"GET evil.example/x.vault.azure.net":                 false,
		"":                                                   false,
	} {
		if OfDataPlane(class) != want {
			t.Errorf("%s: %t", class, !want)
		}
	}
}
