# Sandboxes reach the Internet from one address, which customers can allow.
resource "google_compute_address" "egress" {
  name   = "${var.prefix}-egress"
  region = var.region
}

resource "google_compute_router" "egress" {
  name    = "${var.prefix}-egress"
  region  = var.region
  network = module.init.network
}

resource "google_compute_router_nat" "egress" {
  name                               = "${var.prefix}-egress"
  router                             = google_compute_router.egress.name
  region                             = var.region
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.egress.self_link]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}
