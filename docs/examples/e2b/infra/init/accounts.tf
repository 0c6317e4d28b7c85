# The account that the nodes run as, and what it may do.
resource "google_service_account" "nodes" {
  account_id   = "${var.prefix}-nodes"
  display_name = "Nodes of ${var.prefix}"
}

# For the services on the nodes that know no metadata server.
resource "google_service_account_key" "nodes" {
  service_account_id = google_service_account.nodes.name
}

resource "google_project_iam_member" "nodes" {
  for_each = toset(["roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/compute.viewer"])

  project = var.project
  role    = each.key
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

# The API signs links to files of templates as its own account.
resource "google_service_account_iam_member" "signs" {
  service_account_id = google_service_account.nodes.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:${google_service_account.nodes.email}"
}

# ClickHouse speaks S3 to its bucket, for which it has a key of its own.
resource "google_service_account" "clickhouse" {
  account_id   = "${var.prefix}-clickhouse-${var.generation}"
  display_name = "Backups of ${var.prefix}'s ClickHouse"
}

resource "google_storage_hmac_key" "clickhouse" {
  service_account_email = google_service_account.clickhouse.email
}
