"""Official SDKs, unmodified, against the simulators."""
