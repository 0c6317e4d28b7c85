kubernetes      = "1.33"
nodes           = 5
public_endpoint = false
retention_days  = 14
release         = "r2"
