# The database of events: one machine with a disk of its own, in a group that an
# internal load balancer knows, so that it can be replaced under its address.
resource "google_compute_disk" "clickhouse" {
  name   = "${var.prefix}-clickhouse-data"
  zone   = var.zone
  type   = "pd-ssd"
  size   = 100
  labels = { app = "e2b", stack = var.prefix, backups = "${var.backup_days}d" }
}

resource "google_compute_instance" "clickhouse" {
  name                      = "${var.prefix}-clickhouse"
  zone                      = var.zone
  machine_type              = var.machine_types["clickhouse"]
  tags                      = ["${var.prefix}-node", "${var.prefix}-clickhouse-${var.generation}"]
  labels                    = { app = "e2b", stack = var.prefix, backups = "${var.backup_days}d" }
  allow_stopping_for_update = true

  metadata = {
    startup-script = "gsutil cp gs://${module.init.buckets["setup"]}/node.sh - | bash -s clickhouse"
    otel-verbosity = var.otel_verbosity
  }

  boot_disk {
    initialize_params {
      image = data.google_compute_image.node.self_link
      size  = 20
    }
  }

  attached_disk { source = google_compute_disk.clickhouse.id }

  network_interface {
    subnetwork = module.init.subnetwork
  }

  service_account {
    email  = module.init.nodes_account
    scopes = ["cloud-platform"]
  }

  depends_on = [google_storage_bucket_object.start]
}

resource "google_compute_instance_group" "clickhouse" {
  name      = "${var.prefix}-clickhouse"
  zone      = var.zone
  network   = module.init.network
  instances = [google_compute_instance.clickhouse.self_link]

  named_port {
    name = "native"
    port = 9000
  }
}

resource "google_compute_health_check" "clickhouse" {
  name               = "${var.prefix}-clickhouse"
  check_interval_sec = 10

  tcp_health_check { port = 9000 }
}

resource "google_compute_region_backend_service" "clickhouse" {
  name                  = "${var.prefix}-clickhouse"
  region                = var.region
  protocol              = "TCP"
  load_balancing_scheme = "INTERNAL"
  health_checks         = [google_compute_health_check.clickhouse.id]

  backend { group = google_compute_instance_group.clickhouse.id }
}

resource "google_compute_forwarding_rule" "clickhouse" {
  name                  = "${var.prefix}-clickhouse"
  region                = var.region
  load_balancing_scheme = "INTERNAL"
  backend_service       = google_compute_region_backend_service.clickhouse.id
  network               = module.init.network
  subnetwork            = module.init.subnetwork
  ports                 = ["9000"]
  labels                = { app = "e2b", stack = var.prefix }
}
