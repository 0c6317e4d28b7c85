resource "aws_eks_cluster" "main" {
  name     = "${var.name}-main"
  role_arn = aws_iam_role.cluster.arn

  vpc_config {
    subnet_ids = aws_subnet.private[*].id
  }

  depends_on = [aws_iam_role_policy_attachment.cluster]
}

resource "aws_route53_zone" "main" {
  name = "${var.name}.example.com"
}

resource "aws_route53_record" "web" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "web"
  type    = "CNAME"
  ttl     = var.dns_ttl
  records = [aws_lb.web.dns_name]
}
