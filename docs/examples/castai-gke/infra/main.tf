# A small cluster: a network of its own, a pool of nodes that run as an account
# of their own, and nothing beside.
terraform {
  required_version = ">= 1.5"

  required_providers {
    google = { source = "hashicorp/google", version = "~> 4.9" }
  }
}

provider "google" {
  project = var.project
  zone    = var.zone
}

variable "project" {
  type        = string
  description = "the project that the cluster is in"
}

variable "zone" {
  type    = string
  default = "us-west1-a"
}

variable "cluster" {
  type        = string
  description = "the cluster's name, with which all other names begin"
}

variable "nodes" {
  type        = number
  default     = 2
  description = "how many nodes the pool has"
}

locals {
  region = regex("^[a-z]+-[a-z]+[0-9]+", var.zone)
}

resource "google_compute_network" "cluster" {
  name                    = "${var.cluster}-net"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "cluster" {
  name          = "${var.cluster}-nodes"
  network       = google_compute_network.cluster.id
  region        = local.region
  ip_cidr_range = "10.20.0.0/20"

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.24.0.0/14"
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.28.0.0/20"
  }
}

resource "google_service_account" "nodes" {
  account_id   = "${var.cluster}-nodes"
  display_name = "nodes of ${var.cluster}"
}

# What a node itself must be able to do.
resource "google_project_iam_member" "nodes" {
  for_each = toset(["roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/artifactregistry.reader"])

  project = var.project
  role    = each.key
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

resource "google_container_cluster" "this" {
  name       = var.cluster
  location   = var.zone
  network    = google_compute_network.cluster.name
  subnetwork = google_compute_subnetwork.cluster.name

  # The pool below is the only one.
  remove_default_node_pool = true
  initial_node_count       = 1

  node_config {
    service_account = google_service_account.nodes.email
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  resource_labels = { stack = var.cluster }

  lifecycle {
    ignore_changes = [node_config]
  }
}

resource "google_container_node_pool" "base" {
  name       = "base"
  cluster    = google_container_cluster.this.id
  node_count = var.nodes

  node_config {
    machine_type    = "e2-standard-2"
    disk_size_gb    = 50
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    labels          = { pool = "base" }
    tags            = ["${var.cluster}-node"]
  }

  depends_on = [google_project_iam_member.nodes]
}
