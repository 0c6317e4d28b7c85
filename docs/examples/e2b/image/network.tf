# The network that the image is built in: it is there for the build alone.
terraform {
  required_providers {
    google = { source = "hashicorp/google", version = "~> 4.9" }
  }
}

variable "project" { type = string }

variable "prefix" {
  type    = string
  default = "e2b"
}

provider "google" {
  project = var.project
  region  = "us-west1"
}

resource "google_compute_network" "build" {
  name                    = "${var.prefix}-image"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "build" {
  name          = "${var.prefix}-image"
  network       = google_compute_network.build.id
  ip_cidr_range = "10.99.0.0/24"
}

# Packer comes from anywhere. Only the key is let in that it has made for this
# build, and the network is there no longer than the build.
resource "google_compute_firewall" "build" {
  name          = "${var.prefix}-image-ssh"
  network       = google_compute_network.build.id
  source_ranges = ["0.0.0.0/0"]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}
