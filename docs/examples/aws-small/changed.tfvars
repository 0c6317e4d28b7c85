retention_seconds = 172800
versioning        = "Suspended"
