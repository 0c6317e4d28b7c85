locals {
  buckets = {
    builds    = { versioned = true, nodes = "roles/storage.objectViewer" } # kernels and Firecracker
    templates = { versioned = false, nodes = "roles/storage.objectAdmin" } # what sandboxes start from
    snapshots = { versioned = false, nodes = "roles/storage.objectAdmin" } # sandboxes that sleep
    setup     = { versioned = true, nodes = "roles/storage.objectViewer" } # start-up scripts
    logs      = { versioned = false, nodes = "roles/storage.objectAdmin" } # Loki's
  }
}

resource "google_storage_bucket" "nodes" {
  for_each = local.buckets

  name                        = "${var.project}-${var.prefix}-${each.key}"
  location                    = upper(var.region)
  uniform_bucket_level_access = true
  force_destroy               = true
  labels                      = local.labels

  versioning { enabled = each.value.versioned }

  depends_on = [google_project_service.needed]
}

resource "google_storage_bucket_iam_member" "nodes" {
  for_each = local.buckets

  bucket = google_storage_bucket.nodes[each.key].name
  role   = each.value.nodes
  member = "serviceAccount:${google_service_account.nodes.email}"
}

resource "google_storage_bucket" "backups" {
  name                        = "${var.project}-${var.prefix}-clickhouse"
  location                    = upper(var.region)
  uniform_bucket_level_access = true
  force_destroy               = true
  labels                      = local.labels

  lifecycle_rule {
    condition { age = var.backup_days }
    action { type = "Delete" }
  }
}

resource "google_storage_bucket_iam_member" "backups" {
  bucket = google_storage_bucket.backups.name
  role   = "roles/storage.objectAdmin"
  member = "serviceAccount:${google_service_account.clickhouse.email}"
}
