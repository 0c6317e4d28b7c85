variable "account" {
  description = "What {account} stands for in the record."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_./@+=,-]*$", var.account))
    error_message = "A wildcard or a variable in it would widen the roles."
  }
}

variable "name" {
  description = "What {name} stands for in the record."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_./@+=,-]*$", var.name))
    error_message = "A wildcard or a variable in it would widen the roles."
  }
}

# needed by apply, update (init, ongoing)
data "aws_iam_policy_document" "acme-applier" {
  statement {
    sid    = "Ec2"
    effect = "Allow"
    actions = [
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
    ]
    resources = [
      "*",
    ]
  }

  statement {
    sid    = "IamRoleNameWorker"
    effect = "Allow"
    actions = [
      "iam:PassRole",
    ]
    resources = [
      "arn:aws:iam::${var.account}:role/${var.name}-worker",
    ]
  }

  statement {
    sid    = "S3NameFilesJson"
    effect = "Allow"
    actions = [
      "s3:GetObject",
    ]
    resources = [
      "arn:aws:s3:::${var.name}-files/$${*}.json",
    ]
  }

  statement {
    sid    = "Sqs2Resources"
    effect = "Allow"
    actions = [
      "sqs:CreateQueue",
      "sqs:GetQueueAttributes",
    ]
    resources = [
      "arn:aws:sqs:us-east-1:${var.account}:${var.name}-dead",
      "arn:aws:sqs:us-east-1:${var.account}:${var.name}-jobs",
    ]
  }
}

resource "aws_iam_policy" "acme-applier" {
  name   = "acme-applier"
  policy = data.aws_iam_policy_document.acme-applier.json
}
