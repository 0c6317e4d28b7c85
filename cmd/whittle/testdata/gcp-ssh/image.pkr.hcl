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

# Nothing is said of a proxy: the template is one of a real project.
source "googlecompute" "node" {
  project_id          = var.project_id
  zone                = "us-central1-a"
  source_image_family = "debian-11"
  machine_type        = "e2-small"
  image_name          = "node-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  ssh_username        = "packer"
}

build {
  sources = ["source.googlecompute.node"]

  provisioner "file" {
    source      = "${path.root}/files"
    destination = "/tmp"
  }

  provisioner "shell" {
    environment_vars = ["GREETING=hello"]
    script           = "${path.root}/setup.sh"
  }

  provisioner "file" {
    direction   = "download"
    source      = "/opt/made"
    destination = "${path.root}/made"
  }

  # What was done on the instance has come back.
  provisioner "shell-local" {
    inline = ["printf 'one\\ntwo\\n' | cmp - made"]
  }
}
