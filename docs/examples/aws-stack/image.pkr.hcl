packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.3"
    }
  }
}

variable "name" {
  description = "what every name of the stack begins with"
  type        = string
}

variable "region" {
  type    = string
  default = "us-east-1"
}

source "amazon-ebs" "worker" {
  region        = var.region
  ami_name      = "${var.name}-worker"
  instance_type = "t3.micro"

  source_ami_filter {
    owners      = ["137112412989"] # Amazon
    most_recent = true

    filters = {
      name                = "amzn2-ami-*hvm-*-x86_64-gp2"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }

  # Amazon's image with a larger disk of its own. Nothing is installed, so that
  # nobody logs in and the build needs no way to the instance's network.
  communicator = "none"

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 20
    volume_type           = "gp3"
    delete_on_termination = true
  }

  tags            = { stack = var.name }
  snapshot_tags   = { stack = var.name }
  run_tags        = { stack = var.name }
  run_volume_tags = { stack = var.name }
}

build {
  sources = ["source.amazon-ebs.worker"]
}
