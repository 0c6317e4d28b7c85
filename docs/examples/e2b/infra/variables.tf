variable "project" { type = string }

variable "region" {
  type    = string
  default = "us-west1"
}

variable "zone" {
  type    = string
  default = "us-west1-a"
}

variable "prefix" {
  description = "What the names of all resources begin with."
  type        = string
  default     = "e2b"
}

variable "domain" {
  description = "The domain that sandboxes are reached under."
  type        = string
  default     = "sandboxes.example.com"
}

variable "images" {
  description = "The digest of each service's image, by its name. `deploy images` writes them to images.auto.tfvars.json."
  type        = map(string)
  default     = {}
}

variable "optional_secrets" {
  description = "Secrets that the services can do without, and that are there. `deploy secrets` writes them to secrets.auto.tfvars.json."
  type        = list(string)
  default     = []
}

variable "domain_proof" {
  description = "The record that proves the domain to Certificate Manager. `deploy certificates` writes it to certificates.auto.tfvars.json."
  type        = object({ name = string, type = string, data = string })
  default     = null
}

variable "machine_types" {
  description = "The machine type of each group of nodes."
  type        = map(string)
  default = {
    server     = "e2-standard-2"
    api        = "e2-standard-4"
    client     = "n1-standard-8"
    build      = "n1-standard-8"
    clickhouse = "e2-standard-4"
  }
}

variable "client_size" {
  description = "How many nodes run sandboxes: at least, at most."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 3 }
}

variable "blocked" {
  description = "Addresses that nothing is taken from."
  type        = list(string)
  default     = ["192.0.2.0/24"]
}

variable "generation" {
  description = "Part of the names of what is replaced whole: raise it to replace."
  type        = string
  default     = "a"
}

variable "backup_days" {
  description = "How long ClickHouse's backups are kept."
  type        = number
  default     = 30
}

variable "otel_verbosity" {
  description = "What the collector on the database's node is told to log."
  type        = string
  default     = "normal"
}

variable "alert_email" {
  type    = string
  default = "oncall@example.com"
}
