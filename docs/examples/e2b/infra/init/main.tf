variable "project" { type = string }
variable "region" { type = string }
variable "prefix" { type = string }
variable "backup_days" { type = number }
variable "generation" { type = string }

locals {
  labels = { app = "e2b", stack = var.prefix }
}

resource "google_project_service" "needed" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "certificatemanager.googleapis.com",
    "compute.googleapis.com",
    "dns.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "secretmanager.googleapis.com",
  ])

  service            = each.key
  disable_on_destroy = false
}
