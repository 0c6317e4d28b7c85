nodes      = 3
admit_from = "10.20.0.0/16"
secret     = "rotated"
owner      = "platform"
