packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.3"
    }
  }
}

variable "prefix" {
  description = "what every name begins with"
  type        = string
}

variable "region" {
  type    = string
  default = "us-east-1"
}

source "amazon-ebs" "node" {
  region        = var.region
  ami_name      = "${var.prefix}-node"
  instance_type = "t3.medium"

  source_ami_filter {
    owners      = ["137112412989"] # Amazon
    most_recent = true

    filters = {
      name                = "amzn2-ami-*hvm-*-x86_64-gp2"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }

  # A sandbox's instance has no machine behind it that could be provisioned.
  communicator = "none"

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 50
    volume_type           = "gp3"
    delete_on_termination = true
  }

  tags            = { app = "e2b", stack = var.prefix }
  snapshot_tags   = { app = "e2b", stack = var.prefix }
  run_tags        = { app = "e2b", stack = var.prefix }
  run_volume_tags = { app = "e2b", stack = var.prefix }
}

build {
  sources = ["source.amazon-ebs.node"]
}
