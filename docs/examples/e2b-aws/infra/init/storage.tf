locals {
  # Kernels and Firecracker; what sandboxes start from; sandboxes that sleep;
  # the scripts of new nodes; Loki's logs.
  buckets = { builds = "Enabled", templates = "Suspended", snapshots = "Suspended", setup = "Enabled", logs = "Suspended" }

  secrets = toset(["consul-acl-token", "consul-gossip-key", "nomad-acl-token", "postgres-url", "redis-url", "api-admin-token"])
}

resource "aws_s3_bucket" "nodes" {
  for_each = local.buckets

  bucket        = "${var.prefix}-${each.key}"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "nodes" {
  for_each = { for k, v in local.buckets : k => v if v == "Enabled" }

  bucket = aws_s3_bucket.nodes[each.key].id

  versioning_configuration {
    status = each.value
  }
}

resource "aws_s3_bucket_public_access_block" "nodes" {
  for_each = aws_s3_bucket.nodes

  bucket = each.value.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.nodes["logs"].id

  rule {
    id     = "old"
    status = "Enabled"

    filter {}

    expiration {
      days = var.retention_days
    }
  }
}

resource "aws_ecr_repository" "services" {
  for_each = toset(["api", "orchestrator", "proxy"])

  name         = "${var.prefix}/${each.key}"
  force_delete = true

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "services" {
  for_each = aws_ecr_repository.services

  repository = each.value.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = var.retention_days }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_secretsmanager_secret" "app" {
  for_each = local.secrets

  name                    = "${var.prefix}/${each.key}"
  recovery_window_in_days = 0
}

# Until somebody fills them in, so that the nodes start.
resource "aws_secretsmanager_secret_version" "placeholder" {
  for_each = local.secrets

  secret_id     = aws_secretsmanager_secret.app[each.key].id
  secret_string = "to be filled in"

  lifecycle {
    ignore_changes = [secret_string]
  }
}
