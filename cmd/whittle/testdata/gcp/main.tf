# A small stack on Google Cloud, for the end-to-end tests.

terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

variable "name" {
  type    = string
  default = "tiny"
}

variable "machine_type" {
  type    = string
  default = "e2-small"
}

variable "secret" {
  type    = string
  default = "first"
}

resource "google_compute_network" "main" {
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "main" {
  name          = var.name
  network       = google_compute_network.main.id
  ip_cidr_range = "10.10.0.0/24"
}

resource "google_storage_bucket" "files" {
  name          = "${var.name}-files"
  location      = "US"
  force_destroy = true

  uniform_bucket_level_access = true
}

resource "google_service_account" "node" {
  account_id   = "${var.name}-node"
  display_name = "The node's own identity"
}

resource "google_project_iam_member" "node" {
  project = google_service_account.node.project
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${google_service_account.node.email}"
}

resource "google_storage_bucket_iam_member" "node" {
  bucket = google_storage_bucket.files.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.node.email}"
}

resource "google_secret_manager_secret" "token" {
  secret_id = "${var.name}-token"

  replication {
    automatic = true
  }
}

resource "google_secret_manager_secret_version" "token" {
  secret      = google_secret_manager_secret.token.id
  secret_data = var.secret
}

resource "google_compute_instance" "node" {
  name                      = "${var.name}-node"
  machine_type              = var.machine_type
  zone                      = "us-central1-a"
  tags                      = ["node"]
  labels                    = { team = var.name }
  allow_stopping_for_update = true

  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-11"
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.main.id
    access_config {}
  }

  service_account {
    email  = google_service_account.node.email
    scopes = ["cloud-platform"]
  }
}
