# What the step "update" changes: in place, but for table_key, which replaces
# the table.
retention_days  = 14
versioning      = "Suspended"
workers         = 2
function_memory = 256
table_key       = "job"
dns_ttl         = 60
setting         = "second"
