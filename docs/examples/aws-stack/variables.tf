variable "name" {
  description = "what every name of the stack begins with"
  type        = string
}

variable "retention_days" {
  type    = number
  default = 7
}

variable "versioning" {
  type    = string
  default = "Enabled"
}

variable "workers" {
  description = "instances in the autoscaling group"
  type        = number
  default     = 1
}

variable "function_memory" {
  type    = number
  default = 128
}

variable "table_key" {
  description = "hash key of the table; another one replaces it"
  type        = string
  default     = "id"
}

variable "dns_ttl" {
  type    = number
  default = 300
}

variable "setting" {
  type    = string
  default = "first"
}
