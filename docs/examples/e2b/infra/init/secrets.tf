# Containers for what is filled in by hand or by the services; a version holds
# a placeholder until then, so that the nodes start.
locals {
  secrets = toset([
    "consul-acl-token", "consul-gossip-key", "nomad-acl-token", "postgres-url", "redis-url",
    "clickhouse-password", "jwt-keys", "analytics-key", "api-admin-token", "dashboard-key",
  ])
}

resource "google_secret_manager_secret" "app" {
  for_each = local.secrets

  secret_id = "${var.prefix}-${each.key}"
  labels    = local.labels

  replication { automatic = true }

  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret_version" "placeholder" {
  for_each = local.secrets

  secret      = google_secret_manager_secret.app[each.key].id
  secret_data = "to be filled in"

  lifecycle { ignore_changes = [secret_data] }
}

resource "google_secret_manager_secret_iam_member" "nodes" {
  for_each = local.secrets

  secret_id = google_secret_manager_secret.app[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.nodes.email}"
}
