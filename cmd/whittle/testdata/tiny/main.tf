terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 6.0"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

resource "aws_security_group" "worker" {
  name                   = "tiny-worker"
  description            = "no rules at all"
  revoke_rules_on_delete = true
}

# The provider makes up the end of its name.
resource "aws_iam_role" "worker" {
  name_prefix = "tiny-worker-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}
