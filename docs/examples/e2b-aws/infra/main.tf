# What is made once, by whom the account belongs to.
module "init" {
  source = "./init"

  prefix         = var.prefix
  retention_days = var.retention_days
}

# The nodes' image, which ../image.pkr.hcl builds.
data "aws_ami" "node" {
  most_recent = true
  owners      = ["self"]

  filter {
    name   = "name"
    values = ["${var.prefix}-node"]
  }
}

# Which secrets there are, and what is in them, is asked for at every plan.
data "aws_secretsmanager_secret_version" "consul" {
  secret_id = module.init.secrets["consul-acl-token"]
}
