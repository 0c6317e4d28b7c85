variable "subscription" {
  description = "What {subscription} stands for in the record."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_./@+=,-]*$", var.subscription))
    error_message = "A wildcard or a variable in it would widen the roles."
  }
}

# needed by apply, update (init, ongoing); assign it on the subscription
resource "azurerm_role_definition" "acme-applier" {
  name        = "acme-applier"
  scope       = "/subscriptions/${var.subscription}"
  description = "needed by apply, update (init, ongoing)"
  permissions {
    actions = [
      "Microsoft.Compute/virtualMachines/write",
    ]
    data_actions = [
      "Microsoft.KeyVault/vaults/secrets/delete",
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    ]
  }
  assignable_scopes = [
    "/subscriptions/${var.subscription}",
  ]
}
