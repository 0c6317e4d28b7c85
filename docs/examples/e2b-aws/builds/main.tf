# The kernels and the Firecracker that the nodes fetch when they start.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

variable "prefix" { type = string }

resource "aws_s3_object" "build" {
  for_each = fileset("${path.module}/files", "**")

  bucket = "${var.prefix}-builds"
  key    = each.key
  source = "${path.module}/files/${each.key}"
  etag   = filemd5("${path.module}/files/${each.key}")
}
