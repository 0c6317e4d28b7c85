terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

# Everything that can have a tag has this one, by which it is told from what
# else the account holds.
provider "aws" {
  default_tags {
    tags = { "iomete.com/managed" = "true" }
  }
}

data "aws_region" "here" {}

data "aws_availability_zones" "all" {
  state = "available"
}
