# What the jobs on the nodes are started with, and is known only here.
resource "google_secret_manager_secret" "backup_key" {
  secret_id = "${var.prefix}-clickhouse-backup-key"
  replication { automatic = true }
}

resource "google_secret_manager_secret_version" "backup_key" {
  secret      = google_secret_manager_secret.backup_key.id
  secret_data = jsonencode(module.init.backup_key)
}

resource "google_secret_manager_secret_iam_member" "backup_key" {
  secret_id = google_secret_manager_secret.backup_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${module.init.nodes_account}"
}
