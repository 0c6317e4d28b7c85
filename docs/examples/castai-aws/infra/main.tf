# What a cluster's nodes stand in: a network, a group of rules, the role that a node
# runs as. The cluster itself is not here.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}

# Everything that can have a tag has this one, by which a controller of nodes tells
# the cluster's own from what else the account holds.
provider "aws" {
  default_tags {
    tags = { "kubernetes.io/cluster/${var.cluster}" = "owned" }
  }
}

variable "cluster" {
  type        = string
  description = "the cluster's name, with which all other names begin"
}

data "aws_availability_zones" "all" {
  state = "available"
}

resource "aws_vpc" "cluster" {
  cidr_block = "10.40.0.0/16"
}

resource "aws_subnet" "nodes" {
  vpc_id            = aws_vpc.cluster.id
  cidr_block        = "10.40.0.0/20"
  availability_zone = data.aws_availability_zones.all.names[0]
}

resource "aws_security_group" "nodes" {
  name        = "${var.cluster}-nodes"
  description = "nodes of ${var.cluster}"
  vpc_id      = aws_vpc.cluster.id

  ingress {
    description = "nodes among themselves"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    self        = true
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_iam_role" "nodes" {
  name = "${var.cluster}-nodes"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "nodes" {
  name = "${var.cluster}-nodes"
  role = aws_iam_role.nodes.name
}
