package catalog

import "testing"

// What is known of Azure's actions: a read reads, keys that are handed out are no
// read, and what could raise rights says why.
func TestAzure(t *testing.T) {
	for _, tt := range []struct {
		permission, purpose string
		level               Access
		risk                bool
	}{
		{"Microsoft.Network/virtualNetworks/read", "read virtual network", Read, false},
		{"Microsoft.Network/virtualNetworks/subnets/join/action", "join subnet", Write, false},
		{"Microsoft.Network/locations/operations/read", "read operation", Read, false},
		{"Microsoft.ContainerRegistry/registries/operationStatuses/read", "read operation status", Read, false},
		{"Microsoft.KeyVault/vaults/secrets/getSecret/action", "get secret", Read, false},
		{"Microsoft.KeyVault/vaults/secrets/setSecret/action", "set secret", Write, false},
		{"Microsoft.KeyVault/vaults/secrets/delete", "delete secret", Write, false},
		{"Microsoft.Storage/storageAccounts/listKeys/action", "list keys storage account", Write, true},
		{"Microsoft.Authorization/roleAssignments/write", "write role assignment", Permissions, true},
		{"Microsoft.Authorization/roleAssignments/read", "read role assignment", Read, false},
		{"Microsoft.Authorization/locks/delete", "delete lock", Permissions, false},
		{"Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", "assign user assigned identity", Write, true},
		{"microsoft.managedidentity/userassignedidentities/ASSIGN/action", "assign userassignedidentity", Write, true},
		{"Microsoft.Authorization/*", "", Permissions, true},
		{"Microsoft.Compute/disks/*", "", Write, false},
	} {
		if got := Level(tt.permission); got != tt.level {
			t.Errorf("Level(%s) = %s, want %s", tt.permission, got, tt.level)
		}
		if got := Risk(tt.permission); (got != "") != tt.risk {
			t.Errorf("Risk(%s) = %q", tt.permission, got)
		}
		if got := Purpose(tt.permission); tt.purpose != "" && got != tt.purpose {
			t.Errorf("Purpose(%s) = %q, want %q", tt.permission, got, tt.purpose)
		}
	}
}
