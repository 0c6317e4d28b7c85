# What must be there before anything else can be: the bucket that holds
# Terraform's state. Its own state stays with whoever runs this, once.
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
}
