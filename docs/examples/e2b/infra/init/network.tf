resource "google_compute_network" "main" {
  name                    = var.prefix
  auto_create_subnetworks = false

  depends_on = [google_project_service.needed]
}

resource "google_compute_subnetwork" "nodes" {
  name                     = "${var.prefix}-nodes"
  region                   = var.region
  network                  = google_compute_network.main.id
  ip_cidr_range            = "10.20.0.0/16"
  private_ip_google_access = true
}

# Sandboxes reach the Internet from one address, which customers can allow.
resource "google_compute_address" "egress" {
  name   = "${var.prefix}-egress"
  region = var.region

  depends_on = [google_project_service.needed]
}

resource "google_compute_router" "egress" {
  name    = "${var.prefix}-egress"
  region  = var.region
  network = google_compute_network.main.id
}

resource "google_compute_router_nat" "egress" {
  name                               = "${var.prefix}-egress"
  router                             = google_compute_router.egress.name
  region                             = var.region
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.egress.self_link]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}
