# What the world reaches: one address, one certificate map (that the deploy
# program makes and attaches), and behind it the API, the sandboxes and Nomad.
locals {
  backends = {
    api    = { group = google_compute_instance_group_manager.pool["api"].instance_group, port = "api", check = google_compute_health_check.pool["api"].id }
    nomad  = { group = google_compute_instance_group_manager.pool["server"].instance_group, port = "server", check = google_compute_health_check.pool["server"].id }
    client = { group = google_compute_region_instance_group_manager.client.instance_group, port = "proxy", check = google_compute_health_check.proxy.id }
  }
}

resource "google_compute_health_check" "proxy" {
  name               = "${var.prefix}-proxy"
  check_interval_sec = 3

  http_health_check {
    port         = 3001
    request_path = "/health"
  }
}

resource "google_compute_security_policy" "edge" {
  name        = "${var.prefix}-edge"
  description = "Who may not come in."

  rule {
    action      = "deny(403)"
    priority    = 100
    description = "addresses that abused sandboxes"

    match {
      versioned_expr = "SRC_IPS_V1"
      config { src_ip_ranges = var.blocked }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "the rest"

    match {
      versioned_expr = "SRC_IPS_V1"
      config { src_ip_ranges = ["*"] }
    }
  }
}

resource "google_compute_backend_service" "public" {
  for_each = local.backends

  name            = "${var.prefix}-${each.key}-${var.generation}"
  protocol        = "HTTP"
  port_name       = each.value.port
  timeout_sec     = 3600
  health_checks   = [each.value.check]
  security_policy = google_compute_security_policy.edge.id

  backend { group = each.value.group }

  log_config {
    enable      = true
    sample_rate = 1
  }

  lifecycle { create_before_destroy = true }
}

resource "google_compute_url_map" "public" {
  name            = "${var.prefix}-public"
  default_service = google_compute_backend_service.public["client"].id

  host_rule {
    hosts        = ["api.${var.domain}"]
    path_matcher = "api"
  }

  host_rule {
    hosts        = ["nomad.${var.domain}"]
    path_matcher = "nomad"
  }

  path_matcher {
    name            = "api"
    default_service = google_compute_backend_service.public["api"].id
  }

  path_matcher {
    name            = "nomad"
    default_service = google_compute_backend_service.public["nomad"].id
  }
}

resource "google_compute_ssl_policy" "modern" {
  name            = "${var.prefix}-modern"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

# The provider of this version knows no certificate maps: the proxy starts with
# a certificate for the API alone, which the map takes precedence over.
resource "google_compute_managed_ssl_certificate" "api" {
  name = "${var.prefix}-api"
  managed { domains = ["api.${var.domain}."] }
}

resource "google_compute_target_https_proxy" "public" {
  name             = "${var.prefix}-public"
  url_map          = google_compute_url_map.public.id
  ssl_policy       = google_compute_ssl_policy.modern.id
  ssl_certificates = [google_compute_managed_ssl_certificate.api.id]
}

resource "google_compute_global_address" "public" {
  name = "${var.prefix}-public"
}

resource "google_compute_global_forwarding_rule" "public" {
  name                  = "${var.prefix}-public"
  target                = google_compute_target_https_proxy.public.id
  ip_address            = google_compute_global_address.public.address
  load_balancing_scheme = "EXTERNAL"
  port_range            = "443"
  labels                = { app = "e2b", stack = var.prefix }
}

# Google's health checks and load balancers; and the nodes among themselves.
resource "google_compute_firewall" "balancer" {
  name          = "${var.prefix}-balancer"
  network       = module.init.network
  source_ranges = ["130.211.0.0/22", "35.191.0.0/16"]
  target_tags   = ["${var.prefix}-node"]

  allow {
    protocol = "tcp"
    ports    = ["3001-3002", "4646", "5008", "9000", "50001"]
  }
}

resource "google_compute_firewall" "internal" {
  name        = "${var.prefix}-internal"
  network     = module.init.network
  source_tags = ["${var.prefix}-node"]
  target_tags = ["${var.prefix}-node"]

  allow { protocol = "all" }
}

# SSH through Identity-Aware Proxy and from nowhere else.
resource "google_compute_firewall" "iap" {
  name          = "${var.prefix}-iap"
  network       = module.init.network
  source_ranges = ["35.235.240.0/20"]
  target_tags   = ["${var.prefix}-node"]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}

# The names of it all.
resource "google_dns_managed_zone" "public" {
  name     = "${var.prefix}-public"
  dns_name = "${var.domain}."
  labels   = { app = "e2b", stack = var.prefix }
}

resource "google_dns_record_set" "all" {
  managed_zone = google_dns_managed_zone.public.name
  name         = "*.${var.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.public.address]
}

resource "google_dns_record_set" "proof" {
  count = var.domain_proof == null ? 0 : 1

  managed_zone = google_dns_managed_zone.public.name
  name         = var.domain_proof.name
  type         = var.domain_proof.type
  ttl          = 300
  rrdatas      = [var.domain_proof.data]
}
