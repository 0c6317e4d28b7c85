variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "location" {
  type    = string
  default = "eastus"
}

variable "nodes" {
  description = "How many nodes the pool for work has."
  type        = number
  default     = 2
}

variable "admit_from" {
  description = "From where the cluster's nodes are reached by HTTPS."
  type        = string
  default     = "10.10.0.0/16"
}

variable "secret" {
  type      = string
  default   = "initial"
  sensitive = true
}

variable "owner" {
  type    = string
  default = "cluster"
}
