# The nodes' image: Ubuntu, with the licence under which Compute Engine lets a
# machine run virtual ones, and with what the kernel needs for many of them. What
# runs on the nodes is put there when they start. Packer logs in by SSH.
packer {
  required_plugins {
    googlecompute = { source = "github.com/hashicorp/googlecompute", version = "~> 1.2" }
  }
}

variable "project" { type = string }

variable "prefix" {
  type    = string
  default = "e2b"
}

source "googlecompute" "node" {
  project_id              = var.project
  zone                    = "us-west1-a"
  machine_type            = "n1-standard-4"
  source_image_family     = "ubuntu-2204-lts"
  source_image_project_id = ["ubuntu-os-cloud"]
  subnetwork              = "${var.prefix}-image"
  disk_type               = "pd-ssd"
  disk_size               = 10
  ssh_username            = "packer"

  image_name        = "${var.prefix}-node-{{timestamp}}"
  image_family      = "${var.prefix}-node"
  image_description = "Node of an E2B cluster"
  image_labels      = { app = "e2b", stack = var.prefix }
  image_licenses    = ["projects/vm-options/global/licenses/enable-vmx"]
}

build {
  sources = ["source.googlecompute.node"]

  provisioner "file" {
    source      = "${path.root}/files/99-e2b.conf"
    destination = "/tmp/99-e2b.conf"
  }

  provisioner "shell" {
    inline = [
      "sudo mkdir -p /etc/sysctl.d /etc/modules-load.d",
      "sudo mv /tmp/99-e2b.conf /etc/sysctl.d/99-e2b.conf",
      "echo nbd | sudo tee /etc/modules-load.d/nbd.conf",
      "sha256sum /etc/sysctl.d/99-e2b.conf",
    ]
  }
}
