# A release: larger databases and API nodes, one more blocked
# address and client node, another retention, and what cannot be changed in place made anew.
machine_types = {
  server     = "e2-standard-2"
  api        = "e2-standard-8"
  client     = "n1-standard-8"
  build      = "n1-standard-8"
  clickhouse = "e2-standard-8"
}
client_size    = { min = 1, max = 4 }
blocked        = ["192.0.2.0/24", "198.51.100.7/32"]
backup_days    = 14
generation     = "b"
otel_verbosity = "detailed"
