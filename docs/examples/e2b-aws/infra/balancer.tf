# What the world reaches: the API and the sandboxes by one balancer, and Nomad
# for whom it is open to.
locals {
  services = {
    api   = { pool = "api", port = 80, path = "/health", host = "api" }
    proxy = { pool = "client", port = 3002, path = "/health", host = "*" }
    nomad = { pool = "server", port = 4646, path = "/v1/status/leader", host = "nomad" }
  }
}

resource "aws_security_group" "balancer" {
  name        = "${var.prefix}-balancer"
  description = "the world to the balancer"
  vpc_id      = module.init.network
}

resource "aws_vpc_security_group_ingress_rule" "world" {
  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "inside" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "-1"
}

resource "aws_lb" "main" {
  name               = "${var.prefix}-main"
  load_balancer_type = "application"
  security_groups    = [aws_security_group.balancer.id]
  subnets            = module.init.public_subnets
  idle_timeout       = 3600
}

resource "aws_lb_target_group" "service" {
  for_each = local.services

  name                 = "${var.prefix}-${each.key}"
  port                 = each.value.port
  protocol             = "HTTP"
  vpc_id               = module.init.network
  deregistration_delay = var.release == "r1" ? 60 : 120

  health_check {
    path = each.value.path
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service["proxy"].arn
  }
}

resource "aws_lb_listener_rule" "service" {
  for_each = { for k, s in local.services : k => s if s.host != "*" }

  listener_arn = aws_lb_listener.http.arn

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service[each.key].arn
  }

  condition {
    host_header {
      values = ["${each.value.host}.sandboxes.example.com"]
    }
  }
}
