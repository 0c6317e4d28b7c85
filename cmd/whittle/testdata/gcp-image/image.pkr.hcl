packer {
  required_plugins {
    googlecompute = {
      source  = "github.com/hashicorp/googlecompute"
      version = ">= 1.1.0"
    }
  }
}

variable "project_id" {
  type    = string
  default = env("GOOGLE_PROJECT")
}

# No deprecation is asked for. What cannot be waited for is given up on early.
source "googlecompute" "node" {
  project_id          = var.project_id
  zone                = "us-central1-a"
  source_image_family = "debian-11"
  machine_type        = "e2-small"
  image_name          = "node-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  communicator        = "none"
  state_timeout       = "8s"
}

build {
  sources = ["source.googlecompute.node"]
}
