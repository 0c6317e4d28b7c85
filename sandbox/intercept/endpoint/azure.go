package endpoint

import "strings"

// vaultDomain knows the vaults of Key Vault: NAME.vault.azure.net, where a name is
// of 3 to 24 letters, digits and hyphens (Key Vault, "Objects, identifiers, and
// versioning").
func vaultDomain(labels []string) bool {
	return len(labels) == 1 && len(labels[0]) >= 3 && len(labels[0]) <= 24 && strings.Trim(labels[0], "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// storageServices are the APIs of Azure Storage. Not among them is web, where a
// static website that a customer serves from an account answers in words of its
// own, error pages too ("Static website hosting in Azure Storage").
var storageServices = names(`blob dfs file queue table`)

// storageDomain knows ACCOUNT.SERVICE.core.windows.net, where a name is of 3 to 24
// letters and digits, -secondary after it where a copy is read ("Storage account
// overview", endpoints). A blob that a customer wrote comes with a status of
// success: what is refused there the service refuses itself.
func storageDomain(labels []string) bool {
	if len(labels) != 2 || !storageServices[labels[1]] {
		return false
	}
	account := strings.TrimSuffix(labels[0], "-secondary")
	return len(account) >= 3 && len(account) <= 24 && strings.Trim(account, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
