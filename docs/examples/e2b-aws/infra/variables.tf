variable "prefix" {
  description = "what every name begins with"
  type        = string
}

variable "release" {
  description = "the release that the nodes run; another one replaces them"
  type        = string
  default     = "r1"
}

variable "pools" {
  description = "instances of each pool"
  type        = map(number)
  default     = { server = 3, api = 1, client = 2, build = 1 }
}

variable "retention_days" {
  description = "how long images without a tag and old builds are kept"
  type        = number
  default     = 14
}
