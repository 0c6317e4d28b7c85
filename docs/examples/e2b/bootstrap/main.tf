# What must be there before anything else can be: the APIs that Terraform itself
# calls through, and the bucket that holds its state. Its own state stays with
# whoever runs this, once.
terraform {
  required_providers {
    google = { source = "hashicorp/google", version = "~> 4.9" }
  }
}

variable "project" { type = string }

provider "google" {
  project = var.project
  region  = "us-west1"
}

resource "google_project_service" "needed" {
  for_each = toset(["cloudresourcemanager.googleapis.com", "iam.googleapis.com", "storage.googleapis.com"])

  service            = each.key
  disable_on_destroy = false
}

resource "google_storage_bucket" "state" {
  name                        = "${var.project}-terraform-state"
  location                    = "US-WEST1"
  uniform_bucket_level_access = true
  force_destroy               = true

  versioning { enabled = true }

  lifecycle_rule {
    condition { num_newer_versions = 10 }
    action { type = "Delete" }
  }

  depends_on = [google_project_service.needed]
}
