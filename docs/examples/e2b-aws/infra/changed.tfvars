release        = "r2"
pools          = { server = 3, api = 2, client = 3, build = 1 }
retention_days = 30
