terraform {
  required_version = ">= 1.5"

  required_providers {
    google = { source = "hashicorp/google", version = "~> 4.9" }
  }

  # A backend takes no variables: this is the bucket that ../bootstrap makes in
  # the project whittle-sandbox.
  backend "gcs" {
    bucket = "whittle-sandbox-terraform-state"
    prefix = "e2b"
  }
}

provider "google" {
  project = var.project
  region  = var.region
  zone    = var.zone

  # Which services are enabled is asked about once for all of them, as soon as
  # the first wants to know: the provider would wait 3 s for more to ask.
  batching { send_after = "100ms" }
}
