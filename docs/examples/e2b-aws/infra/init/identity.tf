# What the nodes may do: find each other, read and write their buckets, pull
# images, read secrets.
resource "aws_iam_role" "nodes" {
  name = "${var.prefix}-nodes"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "nodes" {
  name = "nodes"
  role = aws_iam_role.nodes.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["ec2:DescribeInstances", "ecr:GetAuthorizationToken"], Resource = "*" },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = [for b in aws_s3_bucket.nodes : "${b.arn}/*"] },
      { Effect = "Allow", Action = "s3:ListBucket", Resource = [for b in aws_s3_bucket.nodes : b.arn] },
      { Effect = "Allow", Action = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], Resource = [for r in aws_ecr_repository.services : r.arn] },
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = [for s in aws_secretsmanager_secret.app : s.arn] },
    ]
  })
}

resource "aws_iam_instance_profile" "nodes" {
  name = "${var.prefix}-nodes"
  role = aws_iam_role.nodes.name
}
