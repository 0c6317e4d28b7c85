# The groups of nodes. Each is an instance template, a managed group made of it,
# and for some a load balancer's port and an autoscaler.
locals {
  # What the load balancer asks each group for; clients are asked through the API.
  pools = {
    server = { size = 3, port = 4646, path = "/v1/agent/health", disk = 20, nested = false }
    api    = { size = 1, port = 50001, path = "/health", disk = 50, nested = false }
    build  = { size = 1, port = 5008, path = "/health", disk = 200, nested = true }
  }
}

resource "google_storage_bucket_object" "start" {
  for_each = fileset("${path.module}/scripts", "*.sh")

  bucket = module.init.buckets["setup"]
  name   = each.key
  source = "${path.module}/scripts/${each.key}"
}

resource "google_compute_health_check" "pool" {
  for_each = local.pools

  name                = "${var.prefix}-${each.key}"
  check_interval_sec  = 5
  timeout_sec         = 5
  healthy_threshold   = 2
  unhealthy_threshold = 3

  http_health_check {
    port         = each.value.port
    request_path = each.value.path
  }
}

resource "google_compute_instance_template" "pool" {
  for_each = local.pools

  name_prefix  = "${var.prefix}-${each.key}-"
  machine_type = var.machine_types[each.key]
  tags         = ["${var.prefix}-node", "${var.prefix}-${each.key}"]
  labels       = { app = "e2b", stack = var.prefix, pool = each.key }

  metadata = {
    startup-script = "gsutil cp gs://${module.init.buckets["setup"]}/node.sh - | bash -s ${each.key}"
    image-digest   = lookup(var.images, each.key, "none")
    secrets        = join(",", var.optional_secrets)
  }

  disk {
    source_image = data.google_compute_image.node.self_link
    disk_size_gb = each.value.disk
    disk_type    = "pd-ssd"
    boot         = true
    labels       = { pool = each.key }
  }

  network_interface {
    subnetwork = module.init.subnetwork
  }

  advanced_machine_features {
    enable_nested_virtualization = each.value.nested
  }

  service_account {
    email  = module.init.nodes_account
    scopes = ["cloud-platform"]
  }

  lifecycle { create_before_destroy = true }
}

resource "google_compute_instance_group_manager" "pool" {
  for_each = local.pools

  name               = "${var.prefix}-${each.key}"
  base_instance_name = "${var.prefix}-${each.key}"
  zone               = data.google_compute_zones.up.names[0]
  target_size        = each.value.size

  version { instance_template = google_compute_instance_template.pool[each.key].id }

  named_port {
    name = each.key
    port = each.value.port
  }

  auto_healing_policies {
    health_check      = google_compute_health_check.pool[each.key].id
    initial_delay_sec = 600
  }

  update_policy {
    type                  = "PROACTIVE"
    minimal_action        = "REPLACE"
    max_surge_fixed       = 1
    max_unavailable_fixed = 0
  }

  depends_on = [google_storage_bucket_object.start]
}

# The nodes that run sandboxes are spread over the region's zones, and as many
# as there is work for.
resource "google_compute_instance_template" "client" {
  name_prefix      = "${var.prefix}-client-"
  machine_type     = var.machine_types["client"]
  min_cpu_platform = "Intel Skylake"
  tags             = ["${var.prefix}-node", "${var.prefix}-client"]
  labels           = { app = "e2b", stack = var.prefix, pool = "client" }

  metadata = {
    startup-script = "gsutil cp gs://${module.init.buckets["setup"]}/node.sh - | bash -s client"
    image-digest   = lookup(var.images, "orchestrator", "none")
  }

  disk {
    source_image = data.google_compute_image.node.self_link
    disk_size_gb = 300
    disk_type    = "pd-ssd"
    boot         = true
    labels       = { pool = "client" }
  }

  network_interface {
    subnetwork = module.init.subnetwork
  }

  advanced_machine_features {
    enable_nested_virtualization = true
  }

  service_account {
    email  = module.init.nodes_account
    scopes = ["cloud-platform"]
  }

  lifecycle { create_before_destroy = true }
}

resource "google_compute_region_instance_group_manager" "client" {
  name               = "${var.prefix}-client"
  base_instance_name = "${var.prefix}-client"
  region             = var.region

  version { instance_template = google_compute_instance_template.client.id }

  named_port {
    name = "proxy"
    port = 3002
  }

  update_policy {
    type                  = "OPPORTUNISTIC"
    minimal_action        = "REPLACE"
    max_surge_fixed       = 3
    max_unavailable_fixed = 0
  }

  depends_on = [google_storage_bucket_object.start]
}

resource "google_compute_region_autoscaler" "client" {
  name   = "${var.prefix}-client"
  region = var.region
  target = google_compute_region_instance_group_manager.client.id

  autoscaling_policy {
    min_replicas    = var.client_size.min
    max_replicas    = var.client_size.max
    cooldown_period = 240

    cpu_utilization { target = 0.6 }
  }
}

resource "google_compute_autoscaler" "build" {
  name   = "${var.prefix}-build"
  zone   = data.google_compute_zones.up.names[0]
  target = google_compute_instance_group_manager.pool["build"].id

  autoscaling_policy {
    min_replicas    = 1
    max_replicas    = 4
    cooldown_period = 240

    cpu_utilization { target = 0.5 }
  }
}
