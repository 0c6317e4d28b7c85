resource "aws_security_group" "nodes" {
  name        = "${var.prefix}-nodes"
  description = "nodes among themselves, and the balancer to them"
  vpc_id      = module.init.network
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.nodes.id
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  security_group_id            = aws_security_group.nodes.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 4646
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  security_group_id = aws_security_group.nodes.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

locals {
  types = { server = "t3.medium", api = "t3.medium", client = "m5.2xlarge", build = "m5.2xlarge" }
}

# What a node runs when it starts.
resource "aws_s3_object" "start" {
  for_each = var.pools

  bucket  = module.init.buckets["setup"]
  key     = "start-${each.key}.sh"
  content = "#!/bin/sh\nexec /opt/e2b/start --pool ${each.key} --release ${var.release}\n"
}

resource "aws_launch_template" "pool" {
  for_each = var.pools

  name                   = "${var.prefix}-${each.key}"
  image_id               = data.aws_ami.node.id
  instance_type          = local.types[each.key]
  vpc_security_group_ids = [aws_security_group.nodes.id]
  update_default_version = true

  user_data = base64encode(<<-EOT
    #!/bin/sh
    aws s3 cp s3://${aws_s3_object.start[each.key].bucket}/${aws_s3_object.start[each.key].key} - | sh # ${var.release}
  EOT
  )

  iam_instance_profile {
    arn = module.init.profile
  }

  metadata_options {
    http_tokens = "required"
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.prefix}-${each.key}", pool = each.key }
  }
}

resource "aws_autoscaling_group" "pool" {
  for_each = var.pools

  name                = "${var.prefix}-${each.key}"
  min_size            = each.value
  max_size            = each.value + 1
  desired_capacity    = each.value
  vpc_zone_identifier = module.init.private_subnets
  target_group_arns   = [for k, g in aws_lb_target_group.service : g.arn if local.services[k].pool == each.key]
  force_delete        = true

  launch_template {
    id      = aws_launch_template.pool[each.key].id
    version = aws_launch_template.pool[each.key].latest_version
  }

  instance_refresh {
    strategy = "Rolling"
  }

  tag {
    key                 = "pool"
    value               = each.key
    propagate_at_launch = true
  }
}

resource "aws_autoscaling_policy" "client" {
  name                   = "${var.prefix}-client-cpu"
  autoscaling_group_name = aws_autoscaling_group.pool["client"].name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 60

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
