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

# An instance without an address of its own, which Packer reaches by a tunnel
# that gcloud opens.
source "googlecompute" "node" {
  project_id             = var.project_id
  zone                   = "us-central1-a"
  source_image_family    = "debian-11"
  machine_type           = "e2-small"
  image_name             = "node-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  ssh_username           = "packer"
  omit_external_ip       = true
  use_internal_ip        = true
  use_iap                = true
  iap_tunnel_launch_wait = 8
}

build {
  sources = ["source.googlecompute.node"]

  provisioner "shell" {
    inline = ["echo provisioned > made"]
  }

  provisioner "file" {
    direction   = "download"
    source      = "made"
    destination = "${path.root}/made"
  }

  provisioner "shell-local" {
    inline = ["grep -x provisioned made"]
  }
}
