# What is measured, and who is told.
resource "google_monitoring_metric_descriptor" "sandboxes" {
  description  = "Sandboxes that run on a node."
  display_name = "${var.prefix} sandboxes"
  type         = "custom.googleapis.com/${var.prefix}/sandboxes"
  metric_kind  = "GAUGE"
  value_type   = "INT64"

  labels {
    key         = "node"
    value_type  = "STRING"
    description = "the node's name"
  }
}

resource "google_monitoring_notification_channel" "oncall" {
  display_name = "${var.prefix} on call"
  type         = "email"
  labels       = { email_address = var.alert_email }
}

resource "google_monitoring_alert_policy" "full" {
  display_name          = "${var.prefix}: the nodes are full"
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.oncall.name]

  conditions {
    display_name = "sandboxes of one node"

    condition_threshold {
      filter          = "metric.type=\"${google_monitoring_metric_descriptor.sandboxes.type}\" AND resource.type=\"gce_instance\""
      comparison      = "COMPARISON_GT"
      threshold_value = 150 * var.client_size.max
      duration        = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
}

resource "google_logging_metric" "panics" {
  name   = "${var.prefix}-panics"
  filter = "resource.type=gce_instance AND textPayload:\"panic:\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# Who does what to the project's secrets goes to a bucket of its own.
resource "google_logging_project_sink" "audit" {
  name                   = "${var.prefix}-audit"
  destination            = "storage.googleapis.com/${module.init.buckets["logs"]}"
  filter                 = "protoPayload.serviceName=\"secretmanager.googleapis.com\""
  unique_writer_identity = true
}

resource "google_storage_bucket_iam_member" "audit" {
  bucket = module.init.buckets["logs"]
  role   = "roles/storage.objectCreator"
  member = google_logging_project_sink.audit.writer_identity
}
