# What is there before the machine, for the variants that use it: a network, a
# security group with docker-machine's ports open, a key, a profile for the instance.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 6.0"
    }
  }
}

variable "machine" {
  type = string
}

provider "aws" {
  region = "us-east-1"
}

resource "aws_vpc" "main" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_subnet" "main" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.30.1.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_security_group" "open" {
  for_each = { own = aws_vpc.main.id, default = data.aws_vpc.default.id }

  name        = "${var.machine}-open"
  description = "SSH and Docker"
  vpc_id      = each.value

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  ingress {
    from_port   = 2376
    to_port     = 2376
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

data "aws_vpc" "default" {
  default = true
}

resource "aws_security_group" "closed" {
  name        = "${var.machine}-closed"
  description = "no port is open yet"
  vpc_id      = data.aws_vpc.default.id
}

resource "aws_key_pair" "main" {
  key_name   = "${var.machine}-key"
  public_key = file("${path.module}/key.pub")
}

resource "aws_iam_role" "machine" {
  name = "${var.machine}-machine"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "machine" {
  name = "${var.machine}-machine"
  role = aws_iam_role.machine.name
}

output "vpc" {
  value = aws_vpc.main.id
}
