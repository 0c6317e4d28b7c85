variable "name" {
  description = "what every name of the data plane begins with"
  type        = string
}

variable "kubernetes" {
  description = "the cluster's version of Kubernetes"
  type        = string
  default     = "1.32"
}

variable "nodes" {
  description = "how many nodes the group has at most"
  type        = number
  default     = 3
}

variable "public_endpoint" {
  description = "whether the cluster's API is reached from outside of the network"
  type        = bool
  default     = true
}

variable "retention_days" {
  type    = number
  default = 7
}

variable "release" {
  description = "a tag of what changes with a release"
  type        = string
  default     = "r1"
}
