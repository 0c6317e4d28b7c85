locals {
  issuer = trimprefix(aws_eks_cluster.main.identity[0].oidc[0].issuer, "https://")

  # The service account of the cluster that acts as each role.
  pods = {
    lakehouse = { namespace = "iomete-system", account = "lakehouse", policy = data.aws_iam_policy_document.lakehouse.json }
    karpenter = { namespace = "karpenter", account = "karpenter", policy = data.aws_iam_policy_document.karpenter.json }
  }
}

data "aws_iam_policy_document" "service" {
  for_each = toset(["ec2", "eks"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.service["eks"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.service["ec2"].json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

# The nodes that Karpenter starts.
resource "aws_iam_instance_profile" "karpenter" {
  name = "${var.name}-karpenter"
  role = aws_iam_role.node.name
}

data "aws_iam_policy_document" "lakehouse" {
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]
    resources = flatten([for b in aws_s3_bucket.data : [b.arn, "${b.arn}/*"]])
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.data.arn]
  }
}

data "aws_iam_policy_document" "karpenter" {
  statement {
    actions   = ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:RunInstances"]
    resources = ["*"]
  }

  statement {
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.node.arn]
  }

  statement {
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.interruptions.arn]
  }
}

resource "aws_iam_role" "pod" {
  for_each = local.pods

  name = "${var.name}-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Condition = { StringEquals = { "${local.issuer}:sub" = "system:serviceaccount:${each.value.namespace}:${each.value.account}" } }
    }]
  })
}

resource "aws_iam_policy" "lakehouse" {
  name   = "${var.name}-lakehouse"
  policy = local.pods.lakehouse.policy
}

resource "aws_iam_role_policy_attachment" "lakehouse" {
  role       = aws_iam_role.pod["lakehouse"].name
  policy_arn = aws_iam_policy.lakehouse.arn
}

resource "aws_iam_role_policy" "karpenter" {
  name   = "karpenter"
  role   = aws_iam_role.pod["karpenter"].name
  policy = local.pods.karpenter.policy
}
