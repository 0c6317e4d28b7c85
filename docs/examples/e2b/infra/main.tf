# What is made once, before there is anything to run: APIs, the nodes' account,
# the network, buckets, secrets. `terraform apply -target module.init`.
module "init" {
  source = "./init"

  project     = var.project
  region      = var.region
  prefix      = var.prefix
  backup_days = var.backup_days
  generation  = var.generation
}

data "google_compute_zones" "up" {
  status = "UP"
}

# The image that ../image has built last.
data "google_compute_image" "node" {
  family = "${var.prefix}-node"
}
