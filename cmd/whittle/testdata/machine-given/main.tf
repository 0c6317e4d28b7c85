terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

resource "aws_vpc" "given" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "given" {
  vpc_id            = aws_vpc.given.id
  availability_zone = "us-east-1a"
  cidr_block        = "10.0.1.0/24"
}

resource "aws_security_group" "given" {
  name   = "given"
  vpc_id = aws_vpc.given.id

  dynamic "ingress" {
    for_each = [22, 2376]
    content {
      protocol    = "tcp"
      from_port   = ingress.value
      to_port     = ingress.value
      cidr_blocks = ["10.0.0.0/16"]
    }
  }
}

resource "aws_key_pair" "given" {
  key_name   = "given"
  public_key = file("id.pub")
}

resource "aws_iam_role" "given" {
  name = "given"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_instance_profile" "given" {
  name = "given"
  role = aws_iam_role.given.name
}
