"""HTTP in: the native API `/v1`, its administration, channel notices and probes."""
