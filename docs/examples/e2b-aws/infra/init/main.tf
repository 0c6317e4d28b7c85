variable "prefix" { type = string }
variable "retention_days" { type = number }

data "aws_availability_zones" "all" {
  state = "available"
}

output "network" { value = aws_vpc.main.id }
output "public_subnets" { value = aws_subnet.public[*].id }
output "private_subnets" { value = aws_subnet.private[*].id }
output "profile" { value = aws_iam_instance_profile.nodes.arn }
output "buckets" { value = { for k, b in aws_s3_bucket.nodes : k => b.id } }
output "repositories" { value = { for k, r in aws_ecr_repository.services : k => r.repository_url } }
output "secrets" { value = { for k, s in aws_secretsmanager_secret.app : k => s.id } }
