resource "azurerm_storage_account" "main" {
  name                     = "${var.name}aksdata"
  location                 = azurerm_resource_group.main.location
  resource_group_name      = azurerm_resource_group.main.name
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

resource "azurerm_storage_container" "artifacts" {
  name               = "artifacts"
  storage_account_id = azurerm_storage_account.main.id
}

locals {
  readme = "what the cluster's jobs leave behind\n"
}

resource "azurerm_storage_blob" "readme" {
  name                 = "readme.txt"
  storage_container_id = azurerm_storage_container.artifacts.id
  type                 = "Block"
  source_content       = local.readme
  content_md5          = md5(local.readme)
}

resource "azurerm_key_vault" "main" {
  name                       = "${var.name}-aks-vault"
  location                   = azurerm_resource_group.main.location
  resource_group_name        = azurerm_resource_group.main.name
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  soft_delete_retention_days = 7
}

resource "azurerm_key_vault_secret" "database" {
  name         = "database"
  value        = var.secret
  key_vault_id = azurerm_key_vault.main.id
}

resource "azurerm_container_registry" "main" {
  name                = "${var.name}aksimages"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  sku                 = "Basic"
}
