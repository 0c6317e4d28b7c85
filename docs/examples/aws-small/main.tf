# A small stack as a team might have it: nothing in it knows of Whittle.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 6.0"
    }
  }
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "retention_seconds" {
  description = "How long a job stays in the queue."
  type        = number
  default     = 86400
}

variable "versioning" {
  description = "Enabled or Suspended."
  type        = string
  default     = "Enabled"
}

provider "aws" {
  region = var.region
}

resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true

  tags = { Name = "aws-small" }
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.20.1.0/24"

  tags = { Name = "aws-small" }
}

resource "aws_s3_bucket" "artifacts" {
  bucket = "aws-small-artifacts"
}

resource "aws_s3_bucket_versioning" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id

  versioning_configuration {
    status = var.versioning
  }
}

resource "aws_kms_key" "jobs" {
  description             = "encrypts the job queue"
  deletion_window_in_days = 7
}

resource "aws_sqs_queue" "jobs" {
  name                      = "aws-small-jobs"
  kms_master_key_id         = aws_kms_key.jobs.arn
  message_retention_seconds = var.retention_seconds
}

resource "aws_iam_role" "worker" {
  name = "aws-small-worker"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}
