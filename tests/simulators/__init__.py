"""The other side of the wire is tested by itself, without our adapters."""
